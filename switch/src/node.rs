//! The life of a node: its lease, its writers, and what happens when it was taken for lost.
//!
//! | state | event | next |
//! | --- | --- | --- |
//! | joining | the store gave a lease with a new epoch; calls of earlier epochs go on or are ended | member |
//! | joining | the store is away | joining; calls go on, events wait in the outboxes |
//! | member | the lease is renewed, or the store is away | member |
//! | member | a commit is fenced, or the lease is lost | cast out |
//! | cast out | every call is dropped and hung up | joining |
//! | member | stop, and calls may end by themselves | draining: other nodes take the customers without calls |
//! | draining | no call is left, or the time is over | calls end, as without it |
//! | any | stop | calls end, events are written, the lease is given back; with `keep_calls` calls and lease are left to the next process |

use std::sync::Arc;
use std::time::Duration;

use mesh::Clock;
use mesh::health::Component;
use mesh::ledger::{LeaseError, Ledger, NodeLease};
use mesh::sweep::{Kept, SweepError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::Engine;
use crate::outbox::{Ended, Outbox, Writing};
use crate::watch::Watch;

/// What a node's life needs.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) site: String,
    pub(crate) address: String,
    pub(crate) lease: Duration,
    pub(crate) drain_timeout: Duration,
    /// Time for calls to end by themselves.
    pub(crate) drain_calls: Duration,
    /// Leaves its calls, and its lease, to the next process.
    pub(crate) keeps_calls: bool,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) clock: Clock,
    pub(crate) engine: Engine,
    pub(crate) outboxes: Vec<Outbox>,
    pub(crate) store: Component,
    pub(crate) watch: Watch,
    pub(crate) tasks: TaskTracker,
}

/// A node that drains has no call when it had none for that long: others know by then that it takes
/// no customers.
const EMPTY_FOR: Duration = Duration::from_millis(500);

/// How often a node that drains looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Pause between tries to join.
const JOIN_PAUSE: Duration = Duration::from_millis(200);

impl Node {
    /// Lives until `stop`.
    pub(crate) async fn live(self, stop: CancellationToken) {
        loop {
            let Some(epoch) = self.join(&stop).await else {
                // Without a lease nothing can be written.
                self.end_calls(self.engine.stop()).await;
                return;
            };
            tracing::info!(node = self.name, epoch, "switch node joined");
            let writers = CancellationToken::new();
            let fenced = CancellationToken::new();
            let writing = self.start_writers(epoch, &writers, &fenced);
            let cast_out = tokio::select! {
                () = self.renew(epoch) => true,
                () = fenced.cancelled() => true,
                () = stop.cancelled() => false,
            };
            let cast_out = cast_out
                || tokio::select! {
                    () = self.renew(epoch) => true,
                    () = fenced.cancelled() => true,
                    () = self.drain(epoch) => false,
                };
            if !cast_out {
                let ended_and_written = async {
                    if self.keeps_calls {
                        self.engine.leave().await;
                    } else {
                        self.engine.stop().await;
                    }
                    for outbox in &self.outboxes {
                        outbox.drained().await;
                    }
                };
                tokio::select! {
                    () = self.end_calls(ended_and_written) => {}
                    () = fenced.cancelled() => {}
                }
            }
            writers.cancel();
            writing.close();
            writing.wait().await;
            if !cast_out {
                if self.keeps_calls {
                    return;
                }
                if let Err(error) = self.ledger.remove_lease(&self.name, epoch).await {
                    tracing::warn!(%error, "lease was not given back");
                }
                return;
            }
            tracing::error!(node = self.name, epoch, "node was taken for lost, drops its calls");
            self.engine.abandon().await;
        }
    }

    /// Lets calls end by themselves, while other nodes take the customers that have none.
    async fn drain(&self, epoch: u64) {
        if self.keeps_calls || self.drain_calls.is_zero() {
            return;
        }
        self.engine.drain();
        let renewed = self.ledger.renew_lease(&self.lease(epoch), self.lease).await;
        self.watch.renewed(&renewed);
        let emptied = async {
            let mut empty_since = None;
            loop {
                empty_since = match (self.engine.load(), empty_since) {
                    (0, None) => Some(Instant::now()),
                    (0, Some(since)) if since.elapsed() >= EMPTY_FOR => return,
                    (0, since) => since,
                    _ => None,
                };
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        if tokio::time::timeout(self.drain_calls, emptied).await.is_err() {
            tracing::warn!(legs = self.engine.load(), "stopped with calls that had not ended");
        }
    }

    /// Gives the end of the calls the time that stopping may take.
    async fn end_calls(&self, ending: impl Future<Output = ()>) {
        if tokio::time::timeout(self.drain_timeout, ending).await.is_err() {
            tracing::warn!("stopped before all calls had ended and their events were in the store");
        }
        self.engine.close().await;
    }

    fn lease(&self, epoch: u64) -> NodeLease {
        NodeLease {
            node: self.name.clone(),
            epoch,
            address: self.address.clone(),
            site: self.site.clone(),
            load: self.engine.load(),
            accepting: !self.engine.is_draining(),
            remaining: self.lease,
        }
    }

    /// Gets a lease under a new epoch and ends what earlier epochs left behind.
    async fn join(&self, stop: &CancellationToken) -> Option<u64> {
        let mut warned = false;
        loop {
            match self.try_join().await {
                Ok(epoch) => {
                    self.set_flowing(true);
                    self.store.ready();
                    return Some(epoch);
                }
                Err(error) if !warned => {
                    tracing::warn!(error, "store is away, events wait");
                    self.store.degraded("the store is away: events wait in memory");
                    warned = true;
                }
                Err(_) => {}
            }
            self.set_flowing(false);
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(JOIN_PAUSE) => {}
            }
        }
    }

    /// Says whether it is worth waiting for the store.
    fn set_flowing(&self, flowing: bool) {
        for outbox in &self.outboxes {
            outbox.set_flowing(flowing);
        }
    }

    async fn try_join(&self) -> Result<u64, String> {
        let epoch = self.ledger.renew_lease(&self.lease(0), self.lease).await;
        self.watch.renewed(&epoch);
        let epoch = epoch.map_err(|error| error.to_string())?;
        self.engine.set_node_epoch(epoch);
        if let Some(earlier) = epoch.checked_sub(1) {
            self.settle_legacy(earlier).await.map_err(|error| error.to_string())?;
        }
        self.engine.adoption_is_over();
        Ok(epoch)
    }

    /// Goes on with what earlier epochs have left, as far as that can be, and ends the rest.
    async fn settle_legacy(&self, earlier: u64) -> Result<(), SweepError> {
        let ledger = self.ledger.as_ref();
        let kept = if self.engine.may_adopt() {
            let left = mesh::sweep::left_by(ledger, &self.name, earlier).await?;
            // The lease is not renewed meanwhile.
            self.engine.adopt(left, self.lease / 2).await
        } else {
            Kept::default()
        };
        mesh::sweep::end_calls_but(ledger, &self.name, earlier, &self.clock, &kept).await?;
        Ok(())
    }

    /// Renews the lease until another process has the node's name.
    async fn renew(&self, epoch: u64) {
        loop {
            tokio::time::sleep(self.lease / 5).await;
            let renewed = self.ledger.renew_lease(&self.lease(epoch), self.lease).await;
            self.watch.renewed(&renewed);
            match renewed {
                Ok(_) if self.engine.store_is_flowing() => self.store.ready(),
                Ok(_) | Err(LeaseError::Unavailable(_)) => {
                    self.store.degraded("the store is away: events wait in memory");
                }
                Err(LeaseError::Lost) => return,
            }
        }
    }

    /// One writer a partition; the first that is fenced says so.
    fn start_writers(
        &self,
        node_epoch: u64,
        stop: &CancellationToken,
        fenced: &CancellationToken,
    ) -> TaskTracker {
        let running = TaskTracker::new();
        for (partition, outbox) in (0..).zip(&self.outboxes) {
            let writing = Writing {
                ledger: Arc::clone(&self.ledger),
                partition,
                node: self.name.clone(),
                node_epoch,
                clock: self.clock.clone(),
            };
            let (outbox, stop, fenced) = (outbox.clone(), stop.clone(), fenced.clone());
            let writer = running.track_future(async move {
                if writing.run(outbox, stop).await == Ended::Fenced {
                    fenced.cancel();
                }
            });
            self.tasks.spawn(writer);
        }
        running
    }
}
