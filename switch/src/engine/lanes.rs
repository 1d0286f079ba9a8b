//! Operations on their way to the switch.
//!
//! Each channel has a lane: its operations are carried out one after another, those of
//! different channels at the same time. So a channel that the switch is slow on delays
//! its own call and no other.
//!
//! An operation that may be repeated without harm is tried three times. A dialled channel that
//! the switch did not take ends; if the switch may have it all the same, it is hung up there. A
//! playback that the switch did not take has failed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use mesh::trace;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Span, info_span};

use crate::domain::Standard;
use crate::driver::{Cause, ChannelId, Driver, DriverError, Event, Op, PlaybackEnd};
use crate::metrics;

/// How long the switch may take for one operation.
const OP_TIMEOUT: Duration = Duration::from_secs(5);

/// Pauses before an operation is tried again.
const RETRY_PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(250)];

/// Held by every operation of a step; the receiver hears when the last one lets go.
type Token = Arc<oneshot::Sender<()>>;

/// An operation, or none: then only its place in the lane counts.
struct Item {
    op: Option<Op>,
    step: Token,
    /// Where the operation's span belongs.
    trace: Option<trace::Context>,
}

/// What a lane has done.
struct Report {
    channel: ChannelId,
    items: usize,
    /// What follows from operations that were not carried out.
    failures: Vec<Event>,
}

/// The lanes of one customer.
pub(super) struct Lanes {
    driver: Arc<dyn Driver>,
    /// What waits behind the running operations; a channel without any has no lane.
    waiting: HashMap<ChannelId, VecDeque<Item>>,
    running: FuturesUnordered<BoxFuture<'static, Report>>,
    pending: usize,
}

impl Lanes {
    pub(super) fn new(driver: Arc<dyn Driver>) -> Self {
        Self { driver, waiting: HashMap::new(), running: FuturesUnordered::new(), pending: 0 }
    }

    /// Operations that have not been carried out.
    pub(super) fn pending(&self) -> usize {
        self.pending
    }

    /// Queues a step's operations. The receiver is told, by being closed, when they are done, and
    /// with them all that was queued before for their channels and for those `beside` them.
    /// `None` when there is nothing to wait for. `trace` is the step's, if it is exported.
    pub(super) fn push(
        &mut self,
        ops: Vec<Op>,
        beside: &[ChannelId],
        trace: Option<trace::Context>,
    ) -> Option<oneshot::Receiver<()>> {
        let (last, done) = oneshot::channel();
        let step = Arc::new(last);
        let mut is_waited_for = false;
        for channel in beside {
            if let Some(lane) = self.waiting.get_mut(channel) {
                lane.push_back(Item { op: None, step: Arc::clone(&step), trace });
                self.pending += 1;
                is_waited_for = true;
            }
        }
        for op in ops {
            let channel = op.channel().clone();
            let item = Item { op: Some(op), step: Arc::clone(&step), trace };
            self.pending += 1;
            is_waited_for = true;
            if let Some(lane) = self.waiting.get_mut(&channel) {
                lane.push_back(item);
            } else {
                self.waiting.insert(channel.clone(), VecDeque::from([item]));
                self.start(channel);
            }
        }
        is_waited_for.then_some(done)
    }

    /// Waits for the end of some operations; gives what follows from those that failed.
    /// Pends while there is nothing to do. Cancel safe.
    pub(super) async fn next(&mut self) -> Vec<Event> {
        let Some(Report { channel, items, failures }) = self.running.next().await else {
            return std::future::pending().await;
        };
        self.pending -= items;
        if self.waiting.get(&channel).is_some_and(VecDeque::is_empty) {
            self.waiting.remove(&channel);
        } else {
            self.start(channel);
        }
        failures
    }

    /// Sets going what waits in a lane.
    fn start(&mut self, channel: ChannelId) {
        let Some(lane) = self.waiting.get_mut(&channel) else { return };
        let items = std::mem::take(lane);
        let driver = Arc::clone(&self.driver);
        self.running.push(Box::pin(async move {
            let count = items.len();
            let mut failures = Vec::new();
            for Item { op, step, trace } in items {
                if let Some(op) = op {
                    let failure = failure_of(&op);
                    if !traced(driver.as_ref(), op, trace).await {
                        failures.extend(failure);
                    }
                }
                drop(step);
            }
            Report { channel, items: count, failures }
        }));
    }
}

/// What the engine is told when an operation is not carried out.
fn failure_of(op: &Op) -> Option<Event> {
    match op {
        Op::Dial { channel, .. } => {
            Some(Event::Ended { channel: channel.clone(), cause: Cause::Refused(503) })
        }
        Op::Play { channel, playback, .. } => Some(Event::PlaybackEnded {
            channel: channel.clone(),
            playback: playback.clone(),
            end: PlaybackEnd::Failed,
        }),
        Op::Ring { .. }
        | Op::Answer { .. }
        | Op::PickUp { .. }
        | Op::Hangup { .. }
        | Op::Hear { .. }
        | Op::Speak { .. }
        | Op::SendDigits { .. }
        | Op::StopPlay { .. }
        | Op::StopRecord { .. }
        | Op::Label { .. } => None,
        Op::Record { channel, recording } => {
            Some(Event::RecordingFailed { channel: channel.clone(), recording: recording.clone() })
        }
    }
}

/// Has the switch do it, in a span of its own when the trace is exported.
async fn traced(driver: &dyn Driver, op: Op, trace: Option<trace::Context>) -> bool {
    let Some(parent) = trace else { return carry_out(driver, op).await };
    let span = info_span!(parent: None, "switch driver", operation = op.name(), is_done = Empty);
    trace::in_span(span, Some(parent), async {
        let is_done = carry_out(driver, op).await;
        Span::current().record("is_done", is_done);
        is_done
    })
    .await
}

/// Has the switch do it, with patience; false when it did not.
async fn carry_out(driver: &dyn Driver, op: Op) -> bool {
    let channel = op.channel().clone();
    let is_repeatable = match op {
        Op::Ring { .. }
        | Op::Answer { .. }
        | Op::PickUp { .. }
        | Op::Hangup { .. }
        | Op::Hear { .. }
        | Op::StopPlay { .. }
        | Op::Speak { .. }
        | Op::StopRecord { .. }
        | Op::Label { .. } => true,
        Op::Dial { .. } | Op::SendDigits { .. } | Op::Play { .. } | Op::Record { .. } => false,
    };
    let mut pauses = RETRY_PAUSES.iter().filter(|_| is_repeatable);
    loop {
        let error = match attempt(driver, op.clone()).await {
            Ok(()) => return true,
            Err(error) => error,
        };
        let is_final = matches!(error, DriverError::Refused(_));
        if let Some(pause) = pauses.next().filter(|_| !is_final) {
            tokio::time::sleep(*pause).await;
            continue;
        }
        tracing::warn!(%error, "switch did not carry out an operation");
        if matches!(op, Op::Dial { .. }) && !is_final {
            // Whether the switch made the channel is unknown.
            let reason = Standard::SwitchLost.reason();
            attempt(driver, Op::Hangup { channel, reason }).await.ok();
        }
        return false;
    }
}

async fn attempt(driver: &dyn Driver, op: Op) -> Result<(), DriverError> {
    let (name, began) = (op.name(), Instant::now());
    let done = tokio::time::timeout(OP_TIMEOUT, driver.run(op)).await;
    metrics::OPERATION_DURATION.record(began.elapsed(), [name]);
    let outcome = match &done {
        Ok(Ok(())) => "done",
        Ok(Err(DriverError::Refused(_))) => "refused",
        Ok(Err(DriverError::Unreachable)) => "unreachable",
        Err(_) => "late",
    };
    metrics::OPERATIONS.add(1, [name, outcome]);
    done.unwrap_or(Err(DriverError::Unreachable))
}
