//! Posts what happened to the addresses that customers named (webhooks).
//!
//! The posts of a partition are sent by the notifier that holds it: `follower` holds a partition,
//! reads what is to be posted off its log, and notes in the store up to where everything is done,
//! so that whoever holds it next goes on there. [`deliveries`](crate::domain::deliveries) says
//! which post is next; `sender` makes the attempts. Nothing new is begun so close to the end of a
//! hold that an attempt might outlast it: so no two notifiers ever post for one call at a time.

mod config;
mod follower;
mod post;
mod secrets;
mod sender;

use std::collections::HashMap;
use std::sync::Arc;

use mesh::Clock;
use mesh::ledger::{Ledger, Partition, Position};
use mesh::outward::{Client, Rules};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use config::Config;

use crate::domain::deliveries::{Attempt, Deliveries, Fate, Outcome, Post};
use crate::hub::Hub;
use crate::metrics;
use secrets::Secrets;

/// What the sending of webhooks needs.
#[derive(Debug)]
pub(crate) struct Webhooks {
    hub: Arc<Hub>,
    ledger: Arc<dyn Ledger>,
    clock: Clock,
    config: Config,
    /// How long the store may take for an answer.
    store_timeout: std::time::Duration,
    client: Client,
    secrets: Secrets,
    /// Names this process to the store.
    holder: String,
    desk: Desk,
}

/// Where posts wait.
#[derive(Debug)]
struct Desk {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug)]
struct Inner {
    deliveries: Deliveries,
    /// Until when attempts of a partition may begin.
    held: HashMap<Partition, Instant>,
}

/// The hold of a partition was found to be over.
#[derive(Clone, Copy, Debug)]
struct Lapsed;

impl Webhooks {
    /// Reads the secrets.
    ///
    /// # Errors
    /// When their file cannot be read.
    pub(crate) fn new(
        hub: Arc<Hub>,
        ledger: Arc<dyn Ledger>,
        clock: Clock,
        config: Config,
        store_timeout: std::time::Duration,
    ) -> anyhow::Result<Self> {
        config.validate()?;
        let secrets = Secrets::load(config.secret_file.as_deref())?;
        if config.secret_file.is_none() {
            tracing::warn!("webhooks are not signed: `webhooks.secret_file` is not given");
        }
        let client = Client::new(Rules { allow_private: config.allow_private });
        let deliveries = Deliveries::new(config.max_bytes);
        let inner = Mutex::new(Inner { deliveries, held: HashMap::new() });
        let holder = Uuid::now_v7().simple().to_string();
        let desk = Desk { inner, changed: Notify::new() };
        Ok(Self { hub, ledger, clock, config, store_timeout, client, secrets, holder, desk })
    }

    /// Sends until `stop`; then ends what is in flight, notes how far it came, and gives the
    /// partitions back.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let drained = CancellationToken::new();
        let followers = self.hub.partitions().iter().map(|partition| {
            follower::Follower::new(&self, partition, stop.clone(), drained.clone()).run()
        });
        let sending = async {
            self.send(stop.clone()).await;
            drained.cancel();
        };
        tokio::join!(futures::future::join_all(followers), sending);
    }
}

impl Desk {
    fn push(&self, post: Post, until: Instant) {
        let dropped = self.inner.lock().deliveries.push(post, until);
        if dropped > 0 {
            metrics::webhooks_dropped(dropped);
            tracing::warn!(dropped, "webhooks dropped, too many wait");
        }
        self.changed.notify_one();
    }

    fn next(&self, now: Instant) -> Option<(Attempt, Arc<Post>)> {
        let mut inner = self.inner.lock();
        let Inner { deliveries, held } = &mut *inner;
        // A process that stood still must not go on where another has taken over.
        let over: Vec<_> =
            held.iter().filter(|(_, until)| **until <= now).map(|(number, _)| *number).collect();
        for partition in over {
            held.remove(&partition);
            deliveries.let_go(partition);
        }
        deliveries.next(now)
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.inner.lock().deliveries.next_deadline()
    }

    fn ended(&self, attempt: &Attempt, outcome: Outcome, now: Instant) -> Fate {
        let mut inner = self.inner.lock();
        let fate = inner.deliveries.ended(attempt, outcome, now, mesh::client::jitter);
        metrics::webhooks_waiting(inner.deliveries.bytes(), inner.deliveries.in_flight());
        fate
    }

    /// The partition is held: attempts may begin until then.
    fn begin(&self, partition: Partition, until: Instant) {
        self.inner.lock().held.insert(partition, until);
    }

    /// The partition is held for longer; false when the hold was found to be over before.
    fn extend(&self, partition: Partition, until: Instant) -> bool {
        let mut inner = self.inner.lock();
        let held = inner.held.get_mut(&partition);
        held.is_some_and(|held| {
            *held = until;
            true
        })
    }

    fn let_go(&self, partition: Partition) {
        let mut inner = self.inner.lock();
        inner.held.remove(&partition);
        inner.deliveries.let_go(partition);
    }

    /// The first position that is not done, if any.
    fn first_open(&self, partition: Partition, life: u64) -> Result<Option<Position>, Lapsed> {
        let inner = self.inner.lock();
        if inner.held.contains_key(&partition) {
            Ok(inner.deliveries.first_open(partition, life))
        } else {
            Err(Lapsed)
        }
    }
}
