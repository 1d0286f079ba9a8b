//! The live stream: opens it, tells the notifier the scopes, takes what comes.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use mesh::client::{Backoff, Pool};
use mesh::health::Component;
use proto::notifier::v1::live_request::Request;
use proto::notifier::v1::live_response::Response;
use proto::notifier::v1::notifier_service_client::NotifierServiceClient;
use proto::notifier::v1::{LiveRequest, LiveResponse, Subscribe, Unsubscribe};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tracing::{info, warn};

use super::event::Event;
use super::place::{Places, read_place};
use super::state::{Command, Turn};
use super::{Live, state};
use crate::metrics;

/// Messages that are taken in one turn; their sockets are flushed once.
const BATCH: usize = 256;

/// Commands that wait for the notifier; then the edge waits.
const COMMANDS: usize = 64;

/// Keeps a live stream, from one notifier to the next, for ever.
pub(super) async fn run(live: &Arc<Live>, component: &Component) -> Infallible {
    let mut backoff = Backoff::default();
    loop {
        let current = live.current.load(Ordering::Acquire);
        let Some(notifier) = live.notifiers.get(current) else {
            component.degraded("no notifier is configured");
            return std::future::pending().await;
        };
        let error = match follow(live, notifier, component, &mut backoff).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        live.state.lock().stream_ended();
        live.is_ok.store(false, Ordering::Release);
        live.current.store((current + 1) % live.notifiers.len(), Ordering::Release);
        warn!(error = format!("{error:#}"), notifier = notifier.name(), "live stream ended");
        component.degraded(format!("events do not arrive: {error:#}"));
        sleep(backoff.next()).await;
    }
}

async fn follow(
    live: &Arc<Live>,
    notifier: &Pool,
    component: &Component,
    backoff: &mut Backoff,
) -> anyhow::Result<Infallible> {
    let (sender, receiver) = mpsc::channel(COMMANDS);
    live.state.lock().stream_began();
    tokio::select! {
        ended = tell(live, &sender) => ended,
        ended = hear(live, notifier, component, backoff, receiver) => ended,
    }
}

/// Tells the notifier which scopes are wanted.
async fn tell(live: &Live, sender: &mpsc::Sender<LiveRequest>) -> anyhow::Result<Infallible> {
    loop {
        let commands = live.state.lock().commands();
        for command in commands {
            let request = match command {
                Command::Subscribe { scope_id, scope, session } => Request::Subscribe(Subscribe {
                    scope_id,
                    scope: Some(scope.to_wire()),
                    token: session.token().to_owned(),
                }),
                Command::Unsubscribe { scope_id } => Request::Unsubscribe(Unsubscribe { scope_id }),
            };
            let request = LiveRequest { request: Some(request) };
            sender.send(request).await.context("the notifier takes nothing more")?;
        }
        live.commands.notified().await;
    }
}

/// Takes what the notifier says. A notifier that is silent for too long is dead.
async fn hear(
    live: &Arc<Live>,
    notifier: &Pool,
    component: &Component,
    backoff: &mut Backoff,
    requests: mpsc::Receiver<LiveRequest>,
) -> anyhow::Result<Infallible> {
    let mut client = NotifierServiceClient::new(notifier.without_deadline());
    let opening = timeout(live.silence, client.live(ReceiverStream::new(requests)));
    let stream = opening.await.context("no answer")??.into_inner();
    metrics::stream_opened();
    info!(notifier = notifier.name(), "live stream opened");
    let mut batches = stream.ready_chunks(BATCH);
    loop {
        let next = timeout(live.silence, batches.next()).await.context("no sign of life")?;
        let Some(batch) = next else { bail!("the notifier ended the stream") };
        backoff.reset();
        let mut messages = Vec::with_capacity(batch.len());
        let mut end = None;
        for message in batch {
            match message {
                Ok(message) => messages.extend(Message::read(message)),
                Err(status) => end = Some(status),
            }
        }
        take(live, messages, component);
        if let Some(status) = end {
            return Err(status).context("the stream broke");
        }
    }
}

/// What a notifier says, read and rendered before the lock is taken.
enum Message {
    Subscribed(u64, Places),
    Refused(u64, String),
    Event(Arc<Event>),
    Beat(Places, bool),
    Gap(mesh::cursor::Place, String),
}

impl Message {
    fn read(message: LiveResponse) -> Option<Self> {
        Some(match message.response? {
            Response::Subscribed(it) => Self::Subscribed(it.scope_id, Places::read(&it.places)),
            Response::Refused(it) => Self::Refused(it.scope_id, it.reason),
            Response::Event(it) => Self::Event(Arc::new(Event::read(it)?)),
            Response::Beat(it) => Self::Beat(Places::read(&it.places), it.store_reachable),
            Response::Gap(it) => Self::Gap(read_place(&it.place?), it.reason),
        })
    }
}

fn take(live: &Arc<Live>, messages: Vec<Message>, component: &Component) {
    let mut turn = Turn::default();
    let mut events = 0;
    // They last until the frames are written.
    let mut spans = Vec::new();
    let mut written = Vec::new();
    {
        let mut state = live.state.lock();
        for message in messages {
            match message {
                Message::Event(event) => {
                    events += 1;
                    let span = event.span(false);
                    let before = turn.deliveries;
                    state.event(&event, &mut turn);
                    let sockets = turn.deliveries - before;
                    spans.extend(span.inspect(|span| {
                        // A number for collectors, which know no unsigned ones.
                        span.record("sockets", i64::try_from(sockets).unwrap_or(i64::MAX));
                    }));
                    if sockets > 0 {
                        written.push(event.written);
                    }
                }
                Message::Subscribed(id, places) => state.joined(id, places, &mut turn),
                Message::Refused(id, reason) => state.refused(id, &reason, &mut turn),
                Message::Gap(place, reason) => state.gap(&place, &reason, &mut turn),
                Message::Beat(places, is_reachable) => {
                    beat(live, &mut state, &places, is_reachable, component);
                }
            }
        }
    }
    metrics::events(events);
    live.commands.notify_one();
    live.finish(turn);
    let now = live.clock.now();
    for at in written {
        metrics::event_lag(now.since(at));
    }
}

fn beat(
    live: &Live,
    state: &mut state::State,
    places: &Places,
    is_reachable: bool,
    component: &Component,
) {
    state.beat(places);
    live.is_ok.store(is_reachable, Ordering::Release);
    if is_reachable {
        component.ready();
    } else {
        component.degraded("the event log's store is away; events come late");
    }
}
