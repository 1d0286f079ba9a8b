//! An edge: its live stream, and replays.

use proto::notifier::v1::live_request::Request;
use proto::notifier::v1::live_response::Response;
use proto::notifier::v1::{
    Beat, Event, LiveRequest, Place, ReplayRequest, ReplayResponse, Scope, Subscribe, Unsubscribe,
    replay_response,
};
use proto::switch::v1::LogEntry;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{Client, PATIENCE};
use mesh::ledger::Position;
use proto::notifier::v1::LiveResponse;

/// A live stream as its edge holds it.
pub(crate) struct Edge {
    pub(crate) client: Client,
    requests: mpsc::Sender<LiveRequest>,
    pub(crate) answers: Streaming<LiveResponse>,
}

impl Edge {
    pub(crate) async fn open(mut client: Client) -> Self {
        let (requests, receiver) = mpsc::channel(64);
        let answers = client.live(ReceiverStream::new(receiver)).await.unwrap().into_inner();
        Self { client, requests, answers }
    }

    /// Asks for a scope without waiting for the answer.
    pub(crate) async fn ask(&self, scope_id: u64, scope: Scope, token: &str) {
        let subscribe = Subscribe { scope_id, scope: Some(scope), token: token.to_owned() };
        let request = LiveRequest { request: Some(Request::Subscribe(subscribe)) };
        self.requests.send(request).await.unwrap();
    }

    /// Adds a scope and returns its places; nothing else may come before.
    pub(crate) async fn subscribe(
        &mut self,
        scope_id: u64,
        scope: Scope,
        token: &str,
    ) -> Vec<Place> {
        self.ask(scope_id, scope, token).await;
        match self.next().await {
            Response::Subscribed(subscribed) if subscribed.scope_id == scope_id => {
                subscribed.places
            }
            other => panic!("expected Subscribed, got {other:?}"),
        }
    }

    /// Takes a scope away, and waits until that has been done.
    pub(crate) async fn unsubscribe(&mut self, scope_id: u64) {
        let unsubscribe = Request::Unsubscribe(Unsubscribe { scope_id });
        self.requests.send(LiveRequest { request: Some(unsubscribe) }).await.unwrap();
        // Requests are handled in order, and this one is refused.
        self.ask(u64::MAX, Scope { of: None }, "").await;
        while !matches!(self.next().await, Response::Refused(it) if it.scope_id == u64::MAX) {}
    }

    /// The next message, or how the stream ended.
    pub(crate) async fn receive(&mut self) -> Result<Option<Response>, Status> {
        let message = timeout(PATIENCE, self.answers.message()).await.expect("a message in time");
        message.map(|message| message.map(|message| message.response.unwrap()))
    }

    /// The next message that is no beat.
    pub(crate) async fn next(&mut self) -> Response {
        loop {
            match self.receive().await.unwrap().expect("the stream goes on") {
                Response::Beat(_) => {}
                other => return other,
            }
        }
    }

    /// The next message, which must be an event.
    pub(crate) async fn event(&mut self) -> Event {
        match self.next().await {
            Response::Event(event) => event,
            other => panic!("expected an event, got {other:?}"),
        }
    }

    /// The next message, which must be a gap: where the log goes on, and the reason.
    pub(crate) async fn gap(&mut self) -> (Place, String) {
        match self.next().await {
            Response::Gap(gap) => (gap.place.unwrap(), gap.reason),
            other => panic!("expected a gap, got {other:?}"),
        }
    }

    /// The next beat; events may come before.
    pub(crate) async fn beat(&mut self) -> Beat {
        loop {
            if let Response::Beat(beat) = self.receive().await.unwrap().expect("the stream goes on")
            {
                return beat;
            }
        }
    }

    /// Checks that nothing but beats comes for two seconds.
    pub(crate) async fn quiet(&mut self) {
        let two_seconds = std::time::Duration::from_secs(2);
        if let Ok(message) = timeout(two_seconds, self.next()).await {
            panic!("expected nothing, got {message:?}");
        }
    }

    /// Replays a scope.
    pub(crate) async fn replay(
        &self,
        scope: Scope,
        token: &str,
        from: &[Place],
        to: &[Place],
    ) -> Result<Replayed, Status> {
        replay(self.client.clone(), scope, token, from, to).await
    }
}

/// What a replay gave.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Replayed {
    pub(crate) events: Vec<Event>,
    /// The reason.
    pub(crate) gap: Option<(Place, String)>,
}

impl Replayed {
    /// The numbers of the events.
    pub(crate) fn numbers(&self) -> Vec<i64> {
        self.events.iter().map(|event| self::event(event).time_us).collect()
    }
}

/// Replays a scope over a connection of the client's.
pub(crate) async fn replay(
    mut client: Client,
    scope: Scope,
    token: &str,
    from: &[Place],
    to: &[Place],
) -> Result<Replayed, Status> {
    let request = ReplayRequest {
        scope: Some(scope),
        token: token.to_owned(),
        from: from.to_vec(),
        to: to.to_vec(),
    };
    let mut answers = client.replay(request).await?.into_inner();
    let mut replayed = Replayed::default();
    while let Some(ReplayResponse { response }) =
        timeout(PATIENCE, answers.message()).await.expect("a message in time")?
    {
        assert!(replayed.gap.is_none(), "nothing comes after a gap");
        match response.unwrap() {
            replay_response::Response::Event(event) => replayed.events.push(event),
            replay_response::Response::Gap(gap) => {
                replayed.gap = Some((gap.place.unwrap(), gap.reason));
            }
        }
    }
    Ok(replayed)
}

/// What an event carries.
pub(crate) fn event(event: &Event) -> &LogEntry {
    event.entry.as_ref().unwrap()
}

/// The position of a place.
pub(crate) fn position(place: &Place) -> Position {
    Position { millis: place.millis, sequence: place.sequence }
}

/// The place right after which an event stands, for a replay that begins with it.
pub(crate) fn after(event: &Event) -> Place {
    event.place.clone().unwrap()
}
