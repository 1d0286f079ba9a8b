//! One customer's actor: feeds its state machine and carries out what comes of it.
//!
//! The actor never waits for the switch or the store itself. Operations run in
//! [`lanes`](super::lanes) beside it; commits queue in the outbox; a command is
//! answered when both are done. So a slow switch delays answers, never decisions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use mesh::ledger::Presence;
use prost::Message as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::census::Census;
use super::lanes::Lanes;
use super::shared::Shared;
use super::traces::Traces;
use crate::config::OnAuthLost;
use crate::domain::{
    CallId, Charged, Command, CreditAnswer, Customer, Effect, Input, LegView, Listeners, Outcome,
    Recorded, Standard, Wanted,
};
use crate::driver::{ChannelId, Event, Handled, Label, Op};
use crate::outbox::{Batch, Outbox};
use crate::wire;

/// How long a call that is offered waits for the store to say who listens.
const PRESENCE_TIMEOUT: Duration = Duration::from_secs(1);

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
    Recorded(Box<Recorded>),
}

pub(super) struct Actor {
    shared: Arc<Shared>,
    customer: Customer,
    outbox: Outbox,
    orders: mpsc::Receiver<Order>,
    news: mpsc::Receiver<News>,
    asking: FuturesUnordered<BoxFuture<'static, Input>>,
    finishing: FuturesUnordered<BoxFuture<'static, Vec<Waiter>>>,
    lanes: Lanes,
    /// Who waits for which command.
    replies: HashMap<String, Vec<oneshot::Sender<Outcome>>>,
    traces: Traces,
    census: Census,
}

/// How far an actor is in stopping.
#[derive(Default)]
struct Stopping {
    has_begun: bool,
    are_orders_over: bool,
    are_news_over: bool,
}

impl Actor {
    pub(super) fn new(shared: Arc<Shared>, customer: Customer) -> (Handle, Self) {
        let (orders_tx, orders) = mpsc::channel(shared.bounds.commands);
        let (news_tx, news) = mpsc::channel(shared.bounds.signals);
        let outbox = shared.outbox_of(customer.owner().i_customer);
        let lanes = Lanes::new(Arc::clone(&shared.driver));
        let actor = Self {
            shared,
            customer,
            outbox,
            orders,
            news,
            asking: FuturesUnordered::new(),
            finishing: FuturesUnordered::new(),
            lanes,
            replies: HashMap::new(),
            traces: Traces::default(),
            census: Census::new(),
        };
        (Handle { orders: orders_tx, news: news_tx }, actor)
    }

    /// Works until `stop`, then ends every call and finishes what it began, or until `abandon`,
    /// and then drops everything.
    pub(super) async fn run(mut self, stop: CancellationToken, abandon: CancellationToken) {
        let mut stopping = Stopping::default();
        while !self.has_stopped(&stopping) {
            let deadline = self.customer.next_deadline();
            let at = deadline.map(|deadline| self.shared.clock.instant_of(deadline));
            let has_room = self.lanes.pending() < self.shared.bounds.lane;
            // What takes no time to do comes before what brings more to do.
            tokio::select! {
                biased;
                () = abandon.cancelled() => return,
                () = stop.cancelled(), if !stopping.has_begun => {
                    stopping.has_begun = true;
                    self.orders.close();
                    self.news.close();
                    if !self.shared.leaves_calls() {
                        self.step(Input::Stop, None);
                    }
                }
                failures = self.lanes.next() => {
                    for failure in failures {
                        self.step(Input::Channel(failure), None);
                    }
                }
                Some(waiters) = self.finishing.next() => {
                    for waiter in waiters {
                        self.tell(waiter);
                    }
                }
                Some(input) = self.asking.next() => self.step(input, None),
                () = sleep_until(at) => self.step(Input::Tick, None),
                news = self.news.recv(), if !stopping.are_news_over => match news {
                    Some(news) => self.news(news, stopping.has_begun),
                    None => stopping.are_news_over = true,
                },
                order = self.orders.recv(), if !stopping.are_orders_over && has_room => {
                    match order {
                        // Its reply is dropped, which says so.
                        Some(_) if stopping.has_begun => {}
                        Some(order) => self.order(order),
                        None => stopping.are_orders_over = true,
                    }
                }
            }
        }
    }

    fn has_stopped(&self, stopping: &Stopping) -> bool {
        stopping.are_news_over
            && stopping.are_orders_over
            && self.lanes.pending() == 0
            && self.finishing.is_empty()
    }

    fn news(&mut self, News { input, handled }: News, is_stopping: bool) {
        match input {
            Input::PhoneDials { channel, .. } | Input::TrunkCall { channel, .. } if is_stopping => {
                self.shared.forget_channel(&channel);
                let reason = Standard::Unavailable.reason();
                drop(self.lanes.push(vec![Op::Hangup { channel, reason }], &[], None));
            }
            input => self.step(input, handled),
        }
    }

    fn order(&mut self, order: Order) {
        let Order { command, traceparent, reply } = order;
        if reply.is_closed() {
            // Whoever asked has been told that it came too late; so nothing must be done.
            return;
        }
        let askers = self.replies.entry(command.id.clone()).or_default();
        askers.push(reply);
        if askers.len() > 1 {
            // The same command is under way: both get its outcome.
            return;
        }
        self.traces.begin_command(traceparent);
        self.step(Input::Command(command), None);
    }

    /// Feeds the state machine and sets its effects going.
    fn step(&mut self, input: Input, handled: Option<oneshot::Sender<Handled>>) {
        let mut label = None;
        let mut gone = None;
        let beside = match &input {
            Input::Channel(event) | Input::Corrected(event) => {
                label = event.channel().and_then(|channel| self.customer.label_of(channel));
                if let Event::Ended { channel, .. } = event {
                    gone = Some(channel.clone());
                }
                let call_id = label.as_ref().map(|label| CallId(label.call_id.clone()));
                call_id.map(|call_id| self.channels_of(&call_id)).unwrap_or_default()
            }
            Input::Command(command) => {
                let call_id = command.action.call_id();
                call_id.map(|call_id| self.channels_of(call_id)).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        let is_adoption = matches!(input, Input::Adopt(_));
        let _span = self.traces.begin(&input, label.as_ref());
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
                    self.census.told(&view);
                    self.shared.note_call(&view.call_id, owner.i_customer);
                    let record = wire::record(&view, &self.shared.place);
                    let entry = wire::entry_of(&record, now, self.traces.of(&view.call_id));
                    batch.events.push(Bytes::from(entry.encode_to_vec()));
                    batch.legs.push((key_of(&view), record));
                }
                Effect::Refresh { view, call_sequence } => {
                    self.census.told(&view);
                    let mut record = wire::record(&view, &self.shared.place);
                    record.call_sequence = i64::try_from(call_sequence).unwrap_or(i64::MAX);
                    batch.legs.push((key_of(&view), record));
                }
                Effect::TellIvr { call_id, tag, tracking_id, info, seen_by } => {
                    let traceparent = self.traces.of(&call_id).to_owned();
                    let ivr = (call_id, tag, tracking_id, info, seen_by);
                    let entry = wire::ivr_entry(ivr, owner, now, &traceparent);
                    batch.events.push(Bytes::from(entry.encode_to_vec()));
                }
                Effect::Account(charged) => {
                    let record = wire::accounting::record(&charged);
                    batch.accounting.push(Bytes::from(record.encode_to_vec()));
                }
                Effect::Reserve { charge, seconds } => {
                    let directory = Arc::clone(&self.shared.directory);
                    let goes_on = self.shared.on_auth_lost == OnAuthLost::Continue;
                    self.asking.push(Box::pin(async move {
                        let record = wire::accounting::record(&charge);
                        let answer = match directory.reserve(record, seconds).await {
                            Ok(Some(seconds)) => CreditAnswer::Seconds(seconds),
                            Ok(None) => CreditAnswer::Unlimited,
                            Err(error) => {
                                tracing::warn!(error = %error.0, "no credit can be asked for");
                                CreditAnswer::Lost { goes_on }
                            }
                        };
                        let Charged { call_id, tag, payer, service, .. } = *charge;
                        Input::Reserved { call_id, tag, payer, service, answer }
                    }));
                }
                Effect::Resolve { call_id, i_account, number } => {
                    let directory = Arc::clone(&self.shared.directory);
                    let i_customer = owner.i_customer;
                    self.asking.push(self.traces.asking(&call_id.clone(), async move {
                        let answer = directory.resolve(i_customer, i_account, &number).await;
                        Input::Resolved { call_id, answer }
                    }));
                }
                Effect::TellConference(news) => {
                    let entry = wire::conference::news(&news, owner, now, self.traces.current());
                    batch.events.push(Bytes::from(entry.encode_to_vec()));
                }
                Effect::KeepConference(view) => {
                    let record = wire::conference::record(&view, &self.shared.place);
                    batch.conferences.push(record);
                    if view.end_time.is_none() {
                        self.shared.note_conference(view.id, owner.i_customer);
                    } else {
                        self.shared.forget_conference(&view.id);
                    }
                }
                Effect::TellQueue { figures, seen_by } => {
                    let entry = wire::queue_entry(figures, &seen_by, owner, now);
                    batch.events.push(Bytes::from(entry.encode_to_vec()));
                }
                Effect::TellPhone(news) => {
                    let record = wire::phone_record(&news, owner, &self.shared.place, now);
                    let entry = mesh::phones_index::entry_of(&record, now, self.traces.current());
                    batch.events.push(Bytes::from(entry.encode_to_vec()));
                    batch.phones.push(record);
                }
                Effect::Look { i_c_queue, number } => {
                    let directory = Arc::clone(&self.shared.directory);
                    let i_customer = owner.i_customer;
                    self.asking.push(Box::pin(async move {
                        let answer = directory.resolve(i_customer, 0, &number).await;
                        Input::Looked { i_c_queue, answer }
                    }));
                }
                Effect::Fetch { call_id, tag, playback, wanted } => {
                    let audio = Arc::clone(&self.shared.audio);
                    self.asking.push(Box::pin(async move {
                        let clip = match wanted {
                            Wanted::Url(url) => audio.fetch(&url).await,
                            Wanted::Prompt(path) => audio.usual(path).await,
                        };
                        Input::Fetched { call_id, tag, playback, clip }
                    }));
                }
                Effect::AskListeners { number, call_id } => {
                    let ledger = Arc::clone(&self.shared.ledger);
                    let i_customer = owner.i_customer;
                    self.asking.push(Box::pin(async move {
                        let asking = ledger.presence(i_customer, &number);
                        let answer = timeout(PRESENCE_TIMEOUT, asking).await;
                        let answer =
                            answer.ok().and_then(Result::ok).map_or(Listeners::Unknown, listeners);
                        Input::Listeners { number, call_id, answer }
                    }));
                }
                Effect::Recorded(recorded) => waiters.push(Waiter::Recorded(recorded)),
                Effect::Reply { command_id, outcome } => {
                    waiters.push(Waiter::Command { command_id, outcome });
                }
                Effect::Accepted { channel, call_id, tag } => {
                    self.shared.note_call(&call_id, owner.i_customer);
                    self.shared.note_channel(&channel, owner.i_customer);
                    accepted =
                        Some(Label { call_id: call_id.0, tag: tag.0, state: "trying".to_owned() });
                }
                Effect::Over(call_id) => {
                    self.traces.forget(&call_id);
                    self.census.over(&call_id);
                    self.shared.forget_call(&call_id);
                }
            }
        }
        if let Some(journal) = &self.shared.journal {
            journal.note(&batch.accounting);
        }
        if let Some(channel) = gone {
            self.shared.forget_channel(&channel);
        }
        self.shared.note_load(legs_before, self.customer.live_legs());
        match handled {
            // The store is written when all has been taken up.
            Some(handled) if is_adoption => drop(handled.send(Handled::default())),
            Some(handled) => {
                waiters.push(Waiter::Channel { handled, label: accepted.or(label) });
            }
            None => {}
        }
        self.finish(batch, ops, &beside, waiters);
        self.traces.end();
    }

    /// Channels of a call with operations that a step on the call has to wait for.
    fn channels_of(&self, call_id: &CallId) -> Vec<ChannelId> {
        if self.lanes.pending() == 0 {
            return Vec::new();
        }
        self.customer.channels_of(call_id).cloned().collect()
    }

    /// Queues the outcome of a step, and its answers for when that is done.
    fn finish(&mut self, batch: Batch, ops: Vec<Op>, beside: &[ChannelId], waiters: Vec<Waiter>) {
        let committed = (!batch.is_empty()).then(|| self.outbox.push(batch));
        let beside = if waiters.is_empty() { &[] } else { beside };
        let driven = self.lanes.push(ops, beside, self.traces.exported());
        if waiters.is_empty() {
            // The lanes and the outbox go on by themselves.
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

    fn tell(&mut self, waiter: Waiter) {
        match waiter {
            Waiter::Command { command_id, outcome } => {
                for reply in self.replies.remove(&command_id).unwrap_or_default() {
                    // Whoever asked may have gone.
                    drop(reply.send(outcome.clone()));
                }
            }
            Waiter::Recorded(recorded) => self.shared.keep(*recorded),
            Waiter::Channel { handled, label } => {
                // Whoever waited may have gone.
                drop(handled.send(Handled { label }));
            }
        }
    }
}

/// What the store's answer says of who listens.
fn listeners(presence: Presence) -> Listeners {
    match presence {
        Presence { listeners: 0, .. } => Listeners::Nobody,
        Presence { remaining, .. } => Listeners::Somebody(remaining),
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
