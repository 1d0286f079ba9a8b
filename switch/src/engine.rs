//! The engine: brings commands and events to the customer's actor.
//!
//! - A **command** on a call goes to the actor of the call's customer; one that starts a
//!   call goes to the actor of the account's customer, which is made when there is none.
//! - An **event** about a channel goes to the actor that has the channel.
//! - An **offer** of a new channel goes over the front desk: whose phone is it, or whose
//!   number was dialled? What happens on the channel meanwhile waits there.

mod actor;
mod front_desk;
mod homes;
mod outcomes;
mod shared;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mesh::Clock;
use mesh::caller::Owner;
use mesh::ledger::Ledger;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::shared::Bounds;

use self::actor::{Actor, Handle, News, Order};
use self::front_desk::FrontDesk;
use self::homes::Homes;
use self::outcomes::{Outcomes, Repeat};
use self::shared::Shared;
use crate::directory::Directory;
use crate::domain::{Command, Customer, Input, Names, Outcome, Refusal};
use crate::driver::{Driver, Event, Handled, Op, Signal};
use crate::outbox::Outbox;
use crate::wire::Place;

/// What the engine is made of.
#[derive(Debug)]
pub struct Parts {
    /// Name of the node.
    pub node: String,
    /// Its site.
    pub site: String,
    /// The switch.
    pub driver: Arc<dyn Driver>,
    /// Who is who.
    pub directory: Arc<dyn Directory>,
    /// The store, for customers' homes.
    pub ledger: Arc<dyn Ledger>,
    /// One outbox a partition.
    pub outboxes: Vec<Outbox>,
    /// Wall time.
    pub clock: Clock,
    /// Bounds of the queues.
    pub bounds: Bounds,
    /// Runs the actors.
    pub tasks: TaskTracker,
}

/// The engine of one node. Clones share it.
#[derive(Clone, Debug)]
pub struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    homes: Homes,
    front_desk: FrontDesk,
    outcomes: Outcomes,
    tasks: TaskTracker,
    state: Mutex<State>,
}

/// The actors of this life of the engine.
#[derive(Debug, Default)]
struct State {
    customers: HashMap<i64, Handle>,
    /// Ends the actors after they have ended their calls.
    stop: CancellationToken,
    /// Ends the actors at once.
    abandon: CancellationToken,
    is_stopping: bool,
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The call's own machine refused it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many commands wait for this customer.
    #[error("too many commands wait for this customer; try again in a moment")]
    Busy,
    /// The node is stopping, or has just been told that it was taken for lost.
    #[error("the switch node takes no commands now")]
    Stopping,
    /// The customer's calls live on another node.
    #[error("the customer's calls are on node `{0}`")]
    Elsewhere(String),
}

impl Engine {
    /// An engine without calls.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let place = Place { node: parts.node.clone(), site: parts.site };
        let homes = Homes::new(Arc::clone(&parts.ledger), parts.node);
        let shared = Shared::new(
            place,
            parts.driver,
            parts.directory,
            parts.ledger,
            parts.clock,
            parts.bounds,
            parts.outboxes,
        );
        Self(Arc::new(Inner {
            shared: Arc::new(shared),
            homes,
            front_desk: FrontDesk::default(),
            outcomes: Outcomes::default(),
            tasks: parts.tasks,
            state: Mutex::default(),
        }))
    }

    /// Carries out a command. `owner` names the customer of a new call.
    ///
    /// # Errors
    /// See [`Rejection`].
    pub async fn command(
        &self,
        command: Command,
        owner: Option<Owner>,
        traceparent: String,
    ) -> Result<Outcome, Rejection> {
        if command.cause.request_id.is_none() {
            return self.carry_out(command, owner, traceparent).await;
        }
        let command_id = command.id.clone();
        match self.0.outcomes.begin(&command_id) {
            Repeat::Finished(outcome) => Ok(outcome),
            Repeat::UnderWay(outcome) => outcome.await.map_err(|_| Rejection::Stopping),
            Repeat::First => {
                // A task of its own, so that the outcome is kept even if the asker goes away.
                let engine = self.clone();
                let (done, outcome) = oneshot::channel();
                self.0.tasks.spawn(async move {
                    let outcome = engine.carry_out(command, owner, traceparent).await;
                    match &outcome {
                        Ok(outcome) => engine.0.outcomes.finish(&command_id, outcome),
                        Err(_) => engine.0.outcomes.forget(&command_id),
                    }
                    // The asker may have gone.
                    drop(done.send(outcome));
                });
                outcome.await.unwrap_or(Err(Rejection::Stopping))
            }
        }
    }

    async fn carry_out(
        &self,
        command: Command,
        owner: Option<Owner>,
        traceparent: String,
    ) -> Result<Outcome, Rejection> {
        let call_id = command.action.call_id().clone();
        let not_found = || Rejection::Refused(Refusal::CallNotFound(call_id.clone()));
        let handle = if let Some(owner) = owner {
            self.0.homes.settle(owner.i_customer).await.map_err(Rejection::Elsewhere)?;
            self.actor_of(owner).ok_or(Rejection::Stopping)?
        } else {
            let i_customer = self.0.shared.customer_of_call(&call_id).ok_or_else(not_found)?;
            self.existing(i_customer).ok_or_else(not_found)?
        };
        let (reply, answer) = oneshot::channel();
        let order = Order { command, traceparent, reply };
        handle.orders.try_send(order).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Rejection::Busy,
            mpsc::error::TrySendError::Closed(_) => Rejection::Stopping,
        })?;
        answer.await.map_err(|_| Rejection::Stopping)
    }

    /// Takes events in until the driver has no more, or until `stop`.
    pub async fn listen(self, mut signals: mpsc::Receiver<Signal>, stop: CancellationToken) {
        loop {
            let signal = tokio::select! {
                signal = signals.recv() => signal,
                () = stop.cancelled() => return,
            };
            match signal {
                Some(signal) => self.signal(signal).await,
                None => return,
            }
        }
    }

    async fn signal(&self, signal: Signal) {
        let Signal { event, handled } = signal;
        let channel = match event {
            Event::Offered { channel, origin, dialled } => {
                if !self.0.front_desk.begin(&channel) {
                    return;
                }
                let desk = self.clone();
                self.0.tasks.spawn(async move {
                    front_desk::receive(&desk, channel.clone(), origin, dialled, handled).await;
                    for news in desk.0.front_desk.end(&channel) {
                        desk.deliver(news).await;
                    }
                });
                return;
            }
            Event::Ringing { ref channel }
            | Event::Answered { ref channel }
            | Event::Ended { ref channel, .. }
            | Event::Held { ref channel }
            | Event::Resumed { ref channel }
            | Event::Digit { ref channel, .. } => channel.clone(),
        };
        let news = News { input: Input::Channel(event), handled };
        if let Some(news) = self.0.front_desk.keep(&channel, news) {
            self.deliver(news).await;
        }
    }

    /// Gives an event to the actor that has its channel; without one it is of no interest any more.
    async fn deliver(&self, news: News) {
        let Input::Channel(event) = &news.input else { return };
        let channel = match event {
            Event::Offered { .. } => return,
            Event::Ringing { channel }
            | Event::Answered { channel }
            | Event::Ended { channel, .. }
            | Event::Held { channel }
            | Event::Resumed { channel }
            | Event::Digit { channel, .. } => channel.clone(),
        };
        let has_ended = matches!(event, Event::Ended { .. });
        let actor = self.0.shared.customer_of_channel(&channel).and_then(|of| self.existing(of));
        if let Some(actor) = actor {
            // An actor that has stopped has ended its calls.
            drop(actor.news.send(news).await);
        } else if let Some(handled) = news.handled {
            drop(handled.send(Handled::default()));
        }
        if has_ended {
            self.0.shared.forget_channel(&channel);
        }
    }

    fn existing(&self, i_customer: i64) -> Option<Handle> {
        self.0.state.lock().customers.get(&i_customer).cloned()
    }

    /// The customer's actor, made when there is none; `None` while the engine stops.
    fn actor_of(&self, owner: Owner) -> Option<Handle> {
        let mut state = self.0.state.lock();
        if state.is_stopping {
            return None;
        }
        if let Some(handle) = state.customers.get(&owner.i_customer) {
            return Some(handle.clone());
        }
        let names = Names::unique(self.0.shared.place.node.clone());
        let (handle, actor) = Actor::new(Arc::clone(&self.0.shared), Customer::new(owner, names));
        self.0.tasks.spawn(actor.run(state.stop.clone(), state.abandon.clone()));
        state.customers.insert(owner.i_customer, handle.clone());
        Some(handle)
    }

    /// Where the engine runs.
    pub(crate) fn place(&self) -> &Place {
        &self.0.shared.place
    }

    /// Live legs.
    #[must_use]
    pub fn load(&self) -> u64 {
        self.0.shared.load()
    }

    /// True while every partition of the store takes commits.
    #[must_use]
    pub fn store_is_flowing(&self) -> bool {
        self.0.shared.outboxes.iter().all(Outbox::is_flowing)
    }

    /// The epoch under which this node may be a customer's home.
    pub fn set_node_epoch(&self, epoch: u64) {
        self.0.homes.set_node_epoch(epoch);
    }

    /// Ends every call with "Switch Lost" and takes no more; waits up to `patience` until the
    /// store knows.
    pub async fn stop(&self, patience: Duration) {
        {
            let mut state = self.0.state.lock();
            state.is_stopping = true;
            state.stop.cancel();
        }
        let flushed = async {
            while !self.0.shared.outboxes.iter().all(Outbox::is_empty) || self.load() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(patience, flushed).await.is_err() {
            tracing::warn!("stopped before every event was in the store");
        }
    }

    /// The node was taken for lost: drops every call without a word, and hangs up what the switch
    /// still has.
    pub async fn abandon(&self) {
        {
            let mut state = self.0.state.lock();
            state.abandon.cancel();
            let is_stopping = state.is_stopping;
            *state = State { is_stopping, ..State::default() };
        }
        self.0.shared.clear();
        self.0.homes.clear();
        match self.0.shared.driver.channels().await {
            Ok(channels) => {
                for channel in channels {
                    let reason = crate::domain::Standard::SwitchLost.reason();
                    let hang_up = Op::Hangup { channel: channel.id, reason };
                    if let Err(error) = self.0.shared.driver.run(hang_up).await {
                        tracing::warn!(%error, "channel was not hung up");
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "channels cannot be listed"),
        }
    }
}
