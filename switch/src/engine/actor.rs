//! One customer's actor: feeds its state machine and carries out what comes of it.
//!
//! The actor never waits for the switch or the store itself. Operations run one
//! after another in a lane beside it; commits queue in the outbox; a command is
//! answered when both are done. So a slow switch delays answers, never decisions.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use prost::Message as _;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::shared::Shared;
use crate::domain::{Command, Customer, Effect, Input, LegView, Outcome};
use crate::driver::{Cause, ChannelId, Event, Handled, Label, Op};
use crate::outbox::{Batch, Outbox};
use crate::wire;

/// How long the switch may take for one operation.
const OP_TIMEOUT: Duration = Duration::from_secs(5);

/// A command on its way to the actor.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) command: Command,
    pub(super) traceparent: String,
    pub(super) reply: oneshot::Sender<Outcome>,
}

/// An event on its way to the actor.
#[derive(Debug)]
pub(super) struct News {
    pub(super) input: Input,
    pub(super) handled: Option<oneshot::Sender<Handled>>,
}

/// Where a customer's actor is reached.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) news: mpsc::Sender<News>,
}

/// What is told when the operations and the commit of a step are done.
enum Waiter {
    Command { command_id: String, outcome: Outcome },
    Channel { handled: oneshot::Sender<Handled>, label: Option<Label> },
}

/// The operations of one step.
struct Batched {
    ops: Vec<Op>,
    done: oneshot::Sender<()>,
}

pub(super) struct Actor {
    shared: Arc<Shared>,
    customer: Customer,
    outbox: Outbox,
    orders: mpsc::Receiver<Order>,
    news: mpsc::Receiver<News>,
    /// Answers from the directory and failed operations, from the actor's own work.
    own: VecDeque<Input>,
    asking: FuturesUnordered<BoxFuture<'static, Input>>,
    finishing: FuturesUnordered<BoxFuture<'static, Vec<Waiter>>>,
    lane: VecDeque<Batched>,
    running: Option<BoxFuture<'static, Vec<Input>>>,
    /// Who waits for which command.
    replies: HashMap<String, oneshot::Sender<Outcome>>,
    traceparent: String,
}

impl Actor {
    pub(super) fn new(shared: Arc<Shared>, customer: Customer) -> (Handle, Self) {
        let (orders_tx, orders) = mpsc::channel(shared.bounds.commands);
        let (news_tx, news) = mpsc::channel(shared.bounds.signals);
        let outbox = shared.outbox_of(customer.owner().i_customer);
        let actor = Self {
            shared,
            customer,
            outbox,
            orders,
            news,
            own: VecDeque::new(),
            asking: FuturesUnordered::new(),
            finishing: FuturesUnordered::new(),
            lane: VecDeque::new(),
            running: None,
            replies: HashMap::new(),
            traceparent: String::new(),
        };
        (Handle { orders: orders_tx, news: news_tx }, actor)
    }

    /// Works until `stop`, then ends every call, or until `abandon`, and then drops everything.
    pub(super) async fn run(mut self, stop: CancellationToken, abandon: CancellationToken) {
        let mut stopping = false;
        loop {
            if let Some(input) = self.own.pop_front() {
                self.step(input, None);
                continue;
            }
            let deadline = self.customer.next_deadline();
            let at = deadline.map(|deadline| self.shared.clock.instant_of(deadline));
            tokio::select! {
                biased;
                () = abandon.cancelled() => return,
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    self.step(Input::Stop, None);
                }
                Some(inputs) = next_of(&mut self.running) => {
                    self.running = None;
                    self.own.extend(inputs);
                    self.run_lane();
                }
                Some(waiters) = self.finishing.next() => waiters.into_iter().for_each(|waiter| self.tell(waiter)),
                Some(input) = self.asking.next() => self.step(input, None),
                Some(News { input, handled }) = self.news.recv() => self.step(input, handled),
                () = sleep_until(at) => self.step(Input::Tick, None),
                Some(order) = self.orders.recv(), if self.lane.len() < self.shared.bounds.lane => {
                    self.order(order);
                }
                else => return,
            }
            if stopping && self.lane.is_empty() && self.running.is_none() {
                return;
            }
        }
    }

    fn order(&mut self, order: Order) {
        let Order { command, traceparent, reply } = order;
        self.replies.insert(command.id.clone(), reply);
        self.traceparent = traceparent;
        self.step(Input::Command(command), None);
        self.traceparent.clear();
    }

    /// Feeds the state machine and sets its effects going.
    fn step(&mut self, input: Input, handled: Option<oneshot::Sender<Handled>>) {
        let channel = match &input {
            Input::Channel(event) => channel_of(event).cloned(),
            _ => None,
        };
        let label = channel.as_ref().and_then(|channel| self.customer.label_of(channel));
        let now = self.shared.clock.now();
        let legs_before = self.customer.live_legs();
        let effects = self.customer.handle(now, input);
        let owner = self.customer.owner();

        let mut batch = Batch::default();
        let mut ops = Vec::new();
        let mut waiters = Vec::new();
        let mut accepted = None;
        for effect in effects {
            match effect {
                Effect::Drive(op) => {
                    self.shared.note_op(&op, owner.i_customer);
                    ops.push(op);
                }
                Effect::Tell(view) => {
                    self.shared.note_call(&view.call_id, owner.i_customer);
                    let record = wire::record(&view, &self.shared.place);
                    let entry = wire::entry_of(&record, now, &self.traceparent);
                    batch.events.push(Bytes::from(entry.encode_to_vec()));
                    batch.legs.push((key_of(&view), record));
                }
                Effect::TellIvr { call_id, tag, tracking_id, info, seen_by } => {
                    let ivr = (call_id, tag, tracking_id, info, seen_by);
                    let entry = wire::ivr_entry(ivr, owner, now, &self.traceparent);
                    batch.events.push(Bytes::from(entry.encode_to_vec()));
                }
                Effect::Resolve { call_id, i_account, number } => {
                    let directory = Arc::clone(&self.shared.directory);
                    let i_customer = owner.i_customer;
                    self.asking.push(Box::pin(async move {
                        let answer = directory.resolve(i_customer, i_account, &number).await;
                        Input::Resolved { call_id, answer }
                    }));
                }
                Effect::Reply { command_id, outcome } => {
                    waiters.push(Waiter::Command { command_id, outcome });
                }
                Effect::Accepted { channel, call_id, tag } => {
                    self.shared.note_call(&call_id, owner.i_customer);
                    self.shared.note_channel(&channel, owner.i_customer);
                    accepted = Some(Label {
                        call_id: call_id.0,
                        tag: tag.0,
                        state: "trying".to_owned(),
                    });
                }
                Effect::Over(call_id) => self.shared.forget_call(&call_id),
            }
        }
        self.shared.note_load(legs_before, self.customer.live_legs());
        if let Some(handled) = handled {
            let label = accepted.or(label);
            waiters.push(Waiter::Channel { handled, label });
        }
        self.finish(batch, ops, waiters);
    }

    /// Queues the outcome of a step, and its answers for when that is done.
    fn finish(&mut self, batch: Batch, ops: Vec<Op>, waiters: Vec<Waiter>) {
        let committed = (!batch.events.is_empty()).then(|| self.outbox.push(batch));
        let driven = if ops.is_empty() && self.lane.is_empty() && self.running.is_none() {
            None
        } else {
            let (done, driven) = oneshot::channel();
            self.lane.push_back(Batched { ops, done });
            Some(driven)
        };
        self.run_lane();
        if waiters.is_empty() {
            // The lane and the outbox go on by themselves.
            return;
        }
        self.finishing.push(Box::pin(async move {
            // A closed channel says that the wait is over as well.
            if let Some(driven) = driven {
                drop(driven.await);
            }
            if let Some(committed) = committed {
                drop(committed.await);
            }
            waiters
        }));
    }

    /// Starts the next operations of the lane, unless some are running.
    fn run_lane(&mut self) {
        if self.running.is_some() {
            return;
        }
        let Some(Batched { ops, done }) = self.lane.pop_front() else { return };
        let driver = Arc::clone(&self.shared.driver);
        self.running = Some(Box::pin(async move {
            let mut failed = Vec::new();
            for op in ops {
                let dialled = match &op {
                    Op::Dial { channel, .. } => Some(channel.clone()),
                    _ => None,
                };
                let outcome = tokio::time::timeout(OP_TIMEOUT, driver.run(op)).await;
                let error = match outcome {
                    Ok(Ok(())) => continue,
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "no answer in time".to_owned(),
                };
                tracing::warn!(error, "switch did not carry out an operation");
                failed.extend(dialled.map(|channel| {
                    Input::Channel(Event::Ended { channel, cause: Cause::Refused(503) })
                }));
            }
            // The step may have had nobody waiting.
            done.send(()).ok();
            failed
        }));
    }

    fn tell(&mut self, waiter: Waiter) {
        match waiter {
            Waiter::Command { command_id, outcome } => {
                if let Some(reply) = self.replies.remove(&command_id) {
                    // Whoever asked may have gone.
                    drop(reply.send(outcome));
                }
            }
            Waiter::Channel { handled, label } => {
                // Whoever waited may have gone.
                drop(handled.send(Handled { label }));
            }
        }
    }
}

/// The running batch, when there is one.
async fn next_of(running: &mut Option<BoxFuture<'static, Vec<Input>>>) -> Option<Vec<Input>> {
    match running {
        Some(running) => Some(running.await),
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Key of a leg's record in the store.
fn key_of(view: &LegView) -> String {
    mesh::calls_index::leg_key(&view.call_id.0, &view.tag.0)
}

fn channel_of(event: &Event) -> Option<&ChannelId> {
    match event {
        Event::Offered { .. } => None,
        Event::Ringing { channel }
        | Event::Answered { channel }
        | Event::Ended { channel, .. }
        | Event::Held { channel }
        | Event::Resumed { channel }
        | Event::Digit { channel, .. } => Some(channel),
    }
}
