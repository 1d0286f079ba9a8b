//! The engine: brings commands and events to the customer's actor.
//!
//! - A **command** on a call goes to the actor of the call's customer; one that starts a
//!   call goes to the actor of the account's customer, which is made when there is none.
//! - An **event** about a channel goes to the actor that has the channel.
//! - An **offer** of a new channel goes over the front desk: whose phone is it, or whose
//!   number was dialled? What happens on the channel meanwhile waits there.

mod actor;
mod adoption;
mod audit;
mod census;
mod front_desk;
mod homes;
mod lanes;
mod outcomes;
mod registrations;
mod shared;
mod signals;
#[cfg(test)]
mod tests;
mod traces;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use mesh::Clock;
use mesh::caller::Owner;
use mesh::ledger::Ledger;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::shared::Bounds;

use self::actor::{Actor, Handle, Order};
use self::adoption::Adoption;
use self::front_desk::FrontDesk;
use self::homes::Homes;
use self::outcomes::{Outcomes, Repeat};
use self::registrations::Registrations;
use self::shared::Shared;
use crate::audio::Audio;
use crate::config::OnAuthLost;
use crate::directory::Directory;
use crate::domain::{Command, Customer, Names, Outcome, Refusal, Standard};
use crate::driver::{ChannelId, Driver, Op};
use crate::journal::Journal;
use crate::outbox::Outbox;
use crate::recordings::Recordings;
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
    /// Prompts, and audio from elsewhere.
    pub audio: Arc<Audio>,
    /// Recordings.
    pub recordings: Arc<Recordings>,
    /// The store, for customers' homes.
    pub ledger: Arc<dyn Ledger>,
    /// One outbox a partition.
    pub outboxes: Vec<Outbox>,
    /// Wall time.
    pub clock: Clock,
    /// Bounds of the queues.
    pub bounds: Bounds,
    /// What becomes of running calls when no credit can be asked for.
    pub on_auth_lost: OnAuthLost,
    /// Where accounting records are kept until auth has them.
    pub journal: Option<Journal>,
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
    registrations: Registrations,
    adoption: Adoption,
    tasks: TaskTracker,
    state: Mutex<State>,
}

/// The actors of this life of the engine.
#[derive(Debug, Default)]
struct State {
    life: Life,
    customers: HashMap<i64, Handle>,
    actors: TaskTracker,
    /// Ends the actors after they have ended their calls.
    stop: CancellationToken,
    /// Ends the actors at once.
    abandon: CancellationToken,
    /// True while the engine begins nothing: it stops, or drops its calls.
    is_closed: bool,
}

/// Number of a life of the engine, which ends when the node is taken for lost.
type Life = u64;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The call's own machine refused it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many commands wait for this customer.
    #[error("too many commands wait for this customer; try again in a moment")]
    Busy,
    /// The node is stopping, has just been told that it was taken for lost, or does not know yet
    /// whether the call of its earlier process goes on.
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
        let homes = Homes::new(Arc::clone(&parts.ledger), parts.node.clone(), parts.site.clone());
        let tasks = parts.tasks.clone();
        let adoption = Adoption::new(parts.driver.keeps_channels());
        Self(Arc::new(Inner {
            shared: Arc::new(Shared::new(parts)),
            homes,
            front_desk: FrontDesk::default(),
            outcomes: Outcomes::default(),
            registrations: Registrations::default(),
            adoption,
            tasks,
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
        let call_id = command.action.call_id().cloned();
        let handle = if let Some(owner) = owner {
            self.0.homes.settle(owner.i_customer).await.map_err(Rejection::Elsewhere)?;
            self.actor_of(owner, None).ok_or(Rejection::Stopping)?
        } else {
            let shared = &self.0.shared;
            let conference = command.action.conference_id();
            let i_customer = match conference {
                Some(id) => shared.customer_of_conference(id),
                None => call_id.as_ref().and_then(|id| shared.customer_of_call(id)),
            };
            let found = i_customer.and_then(|i_customer| self.existing(i_customer));
            if found.is_none() && self.may_adopt() {
                return Err(Rejection::Stopping);
            }
            found.ok_or_else(|| {
                Rejection::Refused(match conference {
                    Some(id) => Refusal::ConferenceNotFound(id.clone()),
                    None => Refusal::CallNotFound(call_id.unwrap_or_default()),
                })
            })?
        };
        let (reply, answer) = oneshot::channel();
        let order = Order { command, traceparent, reply };
        handle.orders.try_send(order).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Rejection::Busy,
            mpsc::error::TrySendError::Closed(_) => Rejection::Stopping,
        })?;
        answer.await.map_err(|_| Rejection::Stopping)
    }

    fn existing(&self, i_customer: i64) -> Option<Handle> {
        self.0.state.lock().customers.get(&i_customer).cloned()
    }

    /// The customer's actor, made when there is none; `None` while the engine begins nothing, and
    /// for who comes from an earlier life than the present one.
    fn actor_of(&self, owner: Owner, from: Option<Life>) -> Option<Handle> {
        let mut state = self.0.state.lock();
        if state.is_closed || from.is_some_and(|life| life != state.life) {
            return None;
        }
        if let Some(handle) = state.customers.get(&owner.i_customer) {
            return Some(handle.clone());
        }
        let names = Names::unique(self.0.shared.place.node.clone());
        let (handle, actor) = Actor::new(Arc::clone(&self.0.shared), Customer::new(owner, names));
        let running = actor.run(state.stop.clone(), state.abandon.clone());
        self.0.tasks.spawn(state.actors.track_future(running));
        state.customers.insert(owner.i_customer, handle.clone());
        Some(handle)
    }

    fn life(&self) -> Life {
        self.0.state.lock().life
    }

    /// What can be played.
    pub(crate) fn audio(&self) -> &Audio {
        &self.0.shared.audio
    }

    /// What was recorded.
    pub(crate) fn recordings(&self) -> &Recordings {
        &self.0.shared.recordings
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

    /// Live conferences.
    #[must_use]
    pub(crate) fn conferences(&self) -> u64 {
        self.0.shared.conference_count()
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

    /// From now on customers without calls go to other nodes.
    pub(crate) fn drain(&self) {
        self.0.homes.drain();
    }

    /// True since [`Engine::drain`].
    pub(crate) fn is_draining(&self) -> bool {
        self.0.homes.is_draining()
    }

    /// Ends every call with "Switch Lost" and takes no more. Returns when the switch has carried
    /// out what that means and nobody waits for an answer.
    pub async fn stop(&self) {
        let actors = {
            let mut state = self.0.state.lock();
            state.is_closed = true;
            state.stop.cancel();
            state.actors.clone()
        };
        actors.close();
        actors.wait().await;
    }

    /// As [`Engine::stop`], but leaves the calls as they are to the next process.
    pub async fn leave(&self) {
        self.0.shared.leave_calls();
        self.stop().await;
    }

    /// Ends what is left of [`Engine::stop`] when there is no time for it.
    pub async fn close(&self) {
        self.end_actors().await;
    }

    /// The node was taken for lost: drops every call without a word, and hangs up what the switch
    /// still has. Takes nothing meanwhile, and then begins anew.
    pub async fn abandon(&self) {
        self.end_actors().await;
        self.0.shared.clear();
        self.0.homes.clear();
        self.0.registrations.clear();
        self.0.adoption.finish();
        match self.0.shared.driver.channels().await {
            Ok(channels) => {
                let ending = channels.into_iter().map(|channel| self.hang_up(channel.id));
                futures::stream::iter(ending).for_each_concurrent(HANG_UPS, |done| done).await;
            }
            Err(error) => tracing::warn!(%error, "channels cannot be listed"),
        }
        {
            let mut state = self.0.state.lock();
            *state = State { life: state.life + 1, ..State::default() };
        }
        // A new life knows nothing of the phones.
        self.compare_phones().await;
    }

    /// Ends the actors at once, and waits until they have: none of them writes any more.
    async fn end_actors(&self) {
        let actors = {
            let mut state = self.0.state.lock();
            state.is_closed = true;
            state.abandon.cancel();
            state.customers.clear();
            state.actors.clone()
        };
        actors.close();
        actors.wait().await;
    }

    /// Hangs up a channel that belongs to no call.
    async fn hang_up(&self, channel: ChannelId) {
        self.refuse(channel, Standard::SwitchLost).await;
    }

    /// Has the switch end a channel without the help of an actor.
    async fn refuse(&self, channel: ChannelId, reason: Standard) {
        let hang_up = Op::Hangup { channel, reason: reason.reason() };
        let done = tokio::time::timeout(HANG_UP_TIMEOUT, self.0.shared.driver.run(hang_up)).await;
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "channel was not hung up"),
            Err(_) => tracing::warn!("channel was not hung up in time"),
        }
    }
}

/// Channels that are hung up at the same time when the node was taken for lost.
const HANG_UPS: usize = 64;

/// How long the switch may take for that.
const HANG_UP_TIMEOUT: Duration = Duration::from_secs(5);
