//! Who listens to access numbers, for the engine that offers calls there.
//!
//! A number is noted in the store while a live stream has its scope: before the scope's
//! `Subscribed`, so that whoever has been told that it listens is known to do so; then again and
//! again, before the note expires; and once more when the last stream has left it, so that an
//! application that comes back within [`AWAY`] was never away. A notifier that dies leaves notes
//! that expire by themselves.
//!
//! The notes are the notifier's own, one a number: how many edges and sockets listen behind it
//! makes no difference. While the store is away nothing is noted, and the engine takes nobody for
//! gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use mesh::fault::chain;
use mesh::ledger::Ledger;
use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::task::TaskTracker;
use tracing::debug;

use crate::metrics;

/// How long a note lasts: as long as an application may be away.
const AWAY: Duration = Duration::from_secs(10);

/// How often notes are renewed.
const RENEW: Duration = Duration::from_secs(3);

/// Notes that are written at the same time.
const AT_ONCE: usize = 64;

/// An access number of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Number {
    pub(crate) i_customer: i64,
    pub(crate) access_number: String,
}

/// The numbers to which this notifier's streams listen.
#[derive(Debug)]
pub(crate) struct Presence {
    ledger: Arc<dyn Ledger>,
    store_timeout: Duration,
    tasks: TaskTracker,
    /// Names this notifier among those that note the same number.
    name: String,
    /// The last note was not written: nobody waits for the next.
    is_store_away: AtomicBool,
    /// Streams by number.
    streams: Mutex<HashMap<Number, usize>>,
}

impl Presence {
    /// Nobody listens yet.
    pub(crate) fn new(
        ledger: Arc<dyn Ledger>,
        store_timeout: Duration,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            ledger,
            store_timeout,
            tasks,
            name: uuid::Uuid::now_v7().simple().to_string(),
            is_store_away: AtomicBool::new(false),
            streams: Mutex::default(),
        }
    }

    /// A stream begins to listen; returns when that is noted, or cannot be.
    pub(crate) async fn enter(self: &Arc<Self>, number: Number) -> Listening {
        *self.streams.lock().entry(number.clone()).or_default() += 1;
        let listening = Listening { presence: Arc::clone(self), number: number.clone() };
        if self.is_store_away.load(Ordering::Relaxed) {
            let presence = Arc::clone(self);
            self.tasks.spawn(async move { presence.note(number).await });
        } else {
            self.note(number).await;
        }
        listening
    }

    /// Renews the notes again and again, for ever.
    pub(crate) async fn renew(self: Arc<Self>) {
        let mut turns = interval(RENEW);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            let numbers: Vec<Number> = self.streams.lock().keys().cloned().collect();
            let notes = numbers.into_iter().map(|number| self.note(number));
            futures::stream::iter(notes).for_each_concurrent(AT_ONCE, |done| done).await;
        }
    }

    async fn note(&self, number: Number) {
        let Number { i_customer, access_number } = number;
        let noting = self.ledger.note_presence(i_customer, &access_number, &self.name, AWAY);
        match timeout(self.store_timeout.min(RENEW), noting).await {
            Ok(Ok(())) => return self.is_store_away.store(false, Ordering::Relaxed),
            Ok(Err(error)) => debug!(error = chain(&error), "presence was not noted"),
            Err(_elapsed) => debug!("presence was not noted in time"),
        }
        self.is_store_away.store(true, Ordering::Relaxed);
        metrics::presence_failed();
    }

    fn leave(self: &Arc<Self>, number: &Number) {
        let mut streams = self.streams.lock();
        let Some(count) = streams.get_mut(number) else { return };
        *count -= 1;
        if *count > 0 {
            return;
        }
        streams.remove(number);
        drop(streams);
        let (presence, number) = (Arc::clone(self), number.clone());
        self.tasks.spawn(async move { presence.note(number).await });
    }
}

/// A stream that listens to a number, until it is dropped.
#[derive(Debug)]
pub(crate) struct Listening {
    presence: Arc<Presence>,
    number: Number,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.presence.leave(&self.number);
    }
}
