//! Past events of one scope, from a notifier.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{BoxStream, ReadyChunks};
use proto::notifier::v1::notifier_service_client::NotifierServiceClient;
use proto::notifier::v1::replay_response::Response;
use proto::notifier::v1::{ReplayRequest, ReplayResponse};
use tokio::time::timeout;
use tonic::{Code, Status};

use super::Live;
use super::event::Event;
use super::place::Places;
use super::scope::Scope;

/// Events that are passed on in one turn.
const BATCH: usize = 64;

/// Silence of a replay after which it is broken off.
const SILENCE: Duration = Duration::from_secs(10);

/// What a replay brings.
#[derive(Debug)]
pub(super) enum Past {
    Event(Event),
    /// What was asked for is not there any more; nothing follows.
    Lost(String),
}

/// A replay under way.
pub(super) struct Replay {
    stream: ReadyChunks<BoxStream<'static, Result<ReplayResponse, Status>>>,
}

impl Replay {
    /// Opens a replay; `None` when nothing lies between.
    pub(super) async fn open(
        live: &Live,
        scope: &Scope,
        token: &str,
        from: &Places,
        to: &Places,
    ) -> Result<Option<Self>, Status> {
        let Some((from, to)) = from.until(to) else { return Ok(None) };
        let current = live.current.load(Ordering::Acquire);
        let notifier = live.notifiers.get(current).ok_or_else(unavailable)?;
        let mut client = NotifierServiceClient::new(notifier.without_deadline());
        let request =
            ReplayRequest { scope: Some(scope.to_wire()), token: token.to_owned(), from, to };
        let opening = timeout(SILENCE, client.replay(request));
        let stream = opening.await.map_err(|_elapsed| unavailable())??.into_inner();
        Ok(Some(Self { stream: stream.boxed().ready_chunks(BATCH) }))
    }

    /// What comes next; empty at the end.
    pub(super) async fn next(&mut self) -> Result<Vec<Past>, Status> {
        let batch = timeout(SILENCE, self.stream.next()).await.map_err(|_elapsed| unavailable())?;
        let mut past = Vec::new();
        for message in batch.unwrap_or_default() {
            match message?.response {
                Some(Response::Event(event)) => past.extend(Event::read(event).map(Past::Event)),
                Some(Response::Gap(gap)) => past.push(Past::Lost(gap.reason)),
                None => {}
            }
        }
        Ok(past)
    }
}

/// True when asking again would be refused again: what was asked for is as good as lost.
pub(super) fn is_final(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::InvalidArgument | Code::PermissionDenied | Code::NotFound | Code::Unimplemented
    )
}

fn unavailable() -> Status {
    Status::unavailable("no notifier answers")
}
