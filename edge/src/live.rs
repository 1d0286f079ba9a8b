//! Events from the notifier to the sockets that subscribed to them.
//!
//! The edge keeps one live stream to one notifier. On it each scope stands once, however many
//! subscribe; each event comes once and is rendered once for each subscription id. When the
//! stream ends the edge goes to the next notifier and brings every scope from where it stood to
//! where the new stream takes over, by a replay; so nothing is lost and nothing comes twice.
//! Sockets that resume, or that have fallen behind, are caught up by replays of their own.
//!
//! Invariants: for each member of a subscription, what was pushed and what is to come (pending,
//! replay, live) is always the whole log after its cursor, in order of the partition. An answer
//! is sent before the first event of its subscription, since a member is held until then.

mod catch_up;
mod dispatch;
mod entry;
mod event;
mod explain;
pub(crate) mod filter;
mod member;
mod place;
mod recover;
mod replay;
pub(crate) mod scope;
mod state;
mod stream;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mesh::Clock;
use mesh::client::Pool;
use mesh::cursor::Cursor;
use mesh::health::Component;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::metrics;
use crate::session::Session;
use crate::socket::Socket;
use filter::Filter;
use place::{From, Places};
use scope::Scope;
use state::{State, Turn, Who};

/// How long a request waits for a scope to be live.
const JOIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Events from the notifier to the sockets.
#[derive(Debug)]
pub(crate) struct Live {
    state: Mutex<State>,
    /// Told when the notifier is to be told something.
    commands: Notify,
    notifiers: Vec<Pool>,
    /// The notifier of the live stream.
    current: AtomicUsize,
    is_ok: AtomicBool,
    replays: Semaphore,
    /// Sockets for which the notifier accepts no token, by number, until somebody looks after them.
    refused: Mutex<HashMap<u64, Arc<Socket>>>,
    is_refused: Notify,
    silence: Duration,
    slow_reader_timeout: Duration,
    clock: Clock,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Lets the events of a subscription follow its answer.
#[derive(Debug)]
pub(crate) struct Activation(Who);

/// A subscription that was made.
#[derive(Debug)]
pub(crate) struct Subscribed {
    /// Everything after it comes.
    pub(crate) cursor: String,
    /// The socket did not have the subscription before.
    pub(crate) is_new: bool,
    /// To be used when the answer is sent.
    pub(crate) activation: Option<Activation>,
}

/// Why there is no subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JoinError {
    /// The notifier refuses the scope, with this reason.
    Refused(String),
    /// No notifier answers.
    Unavailable,
    /// The socket is gone, or its session was replaced.
    Gone,
}

/// Holds a scope live while a request is about to subscribe to it.
#[derive(Debug)]
pub(crate) struct Joined {
    live: Arc<Live>,
    id: u64,
    scope: Scope,
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.live.state.lock().release(self.id);
        self.live.commands.notify_one();
    }
}

impl Joined {
    /// The cursor of the scope now.
    pub(crate) fn cursor(&self) -> String {
        let place = self.live.state.lock().place_of(self.id).unwrap_or_default();
        place.cursor(&self.scope)
    }
}

/// What a new subscription begins with.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) filter: Filter,
    pub(crate) resume_from: Option<Cursor>,
    /// Generation of the socket's session.
    pub(crate) generation: u64,
}

impl Live {
    pub(crate) fn new(
        config: &Config,
        notifiers: Vec<Pool>,
        clock: Clock,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self {
            state: Mutex::new(State::new(config.outbound_event_bytes)),
            commands: Notify::new(),
            notifiers,
            current: AtomicUsize::new(0),
            is_ok: AtomicBool::new(false),
            replays: Semaphore::new(config.max_replays),
            refused: Mutex::default(),
            is_refused: Notify::new(),
            silence: config.notifier_silence,
            slow_reader_timeout: config.slow_reader_timeout,
            clock,
            tasks,
            stop,
        }
    }

    /// Keeps the live stream until the edge stops.
    pub(crate) async fn run(self: Arc<Self>, component: Component) {
        let stop = self.stop.clone();
        stop.run_until_cancelled(stream::run(&self, &component)).await;
    }

    /// True while events come in time.
    pub(crate) fn is_ok(&self) -> bool {
        self.is_ok.load(Ordering::Acquire)
    }

    /// Makes a scope live, if it is not yet.
    pub(crate) async fn join(
        self: &Arc<Self>,
        scope: Scope,
        session: &Arc<Session>,
    ) -> Result<Joined, JoinError> {
        let (id, joining) = self.state.lock().join(&scope, session);
        let joined = Joined { live: Arc::clone(self), id, scope };
        self.commands.notify_one();
        let Some(joining) = joining else { return Ok(joined) };
        match timeout(JOIN_TIMEOUT, joining).await {
            Ok(Ok(Ok(()))) => Ok(joined),
            Ok(Ok(Err(reason))) => Err(JoinError::Refused(reason)),
            Ok(Err(_)) | Err(_) => Err(JoinError::Unavailable),
        }
    }

    /// Subscribes a socket. Its events wait until the activation is used.
    pub(crate) fn subscribe(
        &self,
        joined: &Joined,
        socket: &Arc<Socket>,
        session: &Session,
        subscription_id: &str,
        wanted: Wanted,
    ) -> Result<Subscribed, JoinError> {
        let Wanted { filter, resume_from, generation } = wanted;
        let who = Who {
            socket: Arc::clone(socket),
            scope: joined.id,
            subscription: subscription_id.into(),
        };
        if resume_from.is_some() {
            metrics::resume();
        }
        let begin = |scope: &Scope, here: &Places| {
            let Some(cursor) = resume_from else { return (None, None) };
            match Places::of_cursor(cursor, scope, here) {
                From::Places(from) if from.until(here).is_none() => (None, None),
                From::Places(from) => (Some(from), None),
                From::Lost => {
                    metrics::gaps("log_lost", 1);
                    (None, Some(event::gap(subscription_id, "log_lost", here.cursor(scope))))
                }
            }
        };
        let added = self.state.lock().add(&who, filter, session, generation, begin);
        let added = added.ok_or(JoinError::Gone)?;
        if added.is_new {
            metrics::subscriptions(1);
        }
        Ok(Subscribed {
            cursor: added.cursor,
            is_new: added.is_new,
            activation: added.is_held.then_some(Activation(who)),
        })
    }

    /// Lets the events of a subscription follow, now that its answer is sent.
    pub(crate) fn activate(self: &Arc<Self>, Activation(who): Activation) {
        let mut turn = Turn::default();
        self.state.lock().activate(&who, &mut turn);
        self.finish(turn);
    }

    /// Ends a subscription of a socket, or all; false when there was none.
    pub(crate) fn unsubscribe(&self, socket: u64, subscription_id: Option<&str>) -> bool {
        let ended = self.state.lock().remove(socket, subscription_id);
        self.commands.notify_one();
        metrics::subscriptions(-i64::try_from(ended).unwrap_or(0));
        ended > 0
    }

    /// Ends all subscriptions of a socket.
    pub(crate) fn leave(&self, socket: u64) {
        self.unsubscribe(socket, None);
    }

    /// Waits for sockets for which the notifier accepts no token: it may have heard earlier than
    /// this edge that their session has ended, or what it may now.
    pub(crate) async fn refused(&self) -> Vec<Arc<Socket>> {
        loop {
            let refused = std::mem::take(&mut *self.refused.lock());
            if !refused.is_empty() {
                return refused.into_values().collect();
            }
            self.is_refused.notified().await;
        }
    }

    /// The scopes that a socket is subscribed to.
    pub(crate) fn scopes_of(&self, socket: u64) -> Vec<Scope> {
        self.state.lock().scopes_of(socket)
    }

    /// Ends the subscriptions of a socket to a scope.
    pub(crate) fn unsubscribe_scope(&self, socket: u64, scope: &Scope) {
        let ended = self.state.lock().remove_scope(socket, scope);
        self.commands.notify_one();
        metrics::subscriptions(-i64::try_from(ended).unwrap_or(0));
    }

    /// Gives the notifier new tokens for what a socket is subscribed to, since the former ones of
    /// its session are good no more.
    pub(crate) fn renewed(&self, socket: u64) {
        self.state.lock().renewed(socket);
        self.commands.notify_one();
    }

    /// Does what could not be done under the lock.
    fn finish(self: &Arc<Self>, turn: Turn) {
        for socket in &turn.dirty {
            socket.outbound.flush();
        }
        if !turn.refused.is_empty() {
            let refused = turn.refused.into_iter().map(|socket| (socket.id, socket));
            self.refused.lock().extend(refused);
            self.is_refused.notify_one();
        }
        for who in turn.behind {
            let live = Arc::clone(self);
            self.spawn(async move { catch_up::run(&live, who).await });
        }
        for (scope, round) in turn.recover {
            let live = Arc::clone(self);
            self.spawn(async move { recover::run(&live, scope, round).await });
        }
        if turn.deliveries > 0 {
            metrics::deliveries(turn.deliveries);
        }
        for (reason, count) in turn.gaps {
            metrics::gaps(reason, count);
        }
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(work).await;
        });
    }
}
