//! Finds lost nodes and ends their calls.
//!
//! A node is lost when three things hold at once: its lease has lapsed; its command API does not
//! answer either; and this sweeper has had the store for one whole lease without a break, so that
//! every living node has had the time to renew its lease there. Every callcontrol sweeps; of
//! several that find the same node lost, one ends each leg.

use std::sync::Arc;
use std::time::Duration;

use mesh::Clock;
use mesh::command::{Nodes, SwitchClient};
use mesh::fault::chain;
use mesh::ledger::{Ledger, NodeLease, StoreError};
use mesh::sweep::{self, SweepError};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::metrics;

/// Finds lost nodes.
#[derive(Debug)]
pub(crate) struct Sweeper {
    /// The store.
    pub(crate) ledger: Arc<dyn Ledger>,
    /// The clock.
    pub(crate) clock: Clock,
    /// The nodes that commands go to; a lost one is removed.
    pub(crate) nodes: Nodes,
    /// The way to the nodes.
    pub(crate) switch: SwitchClient,
    /// How often to look.
    pub(crate) interval: Duration,
    /// A node's lease.
    pub(crate) lease: Duration,
    /// How long a node may take to answer.
    pub(crate) probe_timeout: Duration,
}

/// Since when the store has answered every look.
#[derive(Clone, Copy, Debug)]
struct Unbroken {
    since: Instant,
    last: Instant,
}

impl Sweeper {
    /// Looks until `stop`.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        let mut ticks = interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unbroken = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.look(&mut unbroken) => {}
            }
        }
    }

    async fn look(&self, unbroken: &mut Option<Unbroken>) {
        let Ok(Ok(leases)) = timeout(self.lease / 2, self.ledger.leases()).await else {
            *unbroken = None;
            return;
        };
        let now = Instant::now();
        // A sweeper that itself stood still knows nothing of the time between.
        let (interval, longest_gap) = (self.interval, self.lease / 2);
        let held = unbroken.filter(|held| now - held.last <= longest_gap.max(interval * 2));
        let held = Unbroken { since: held.map_or(now, |held| held.since), last: now };
        *unbroken = Some(held);
        if now - held.since < self.lease {
            return;
        }
        for lease in leases.iter().filter(|lease| lease.remaining.is_zero()) {
            if !self.is_silent(lease).await {
                tracing::warn!(node = lease.node, "lease has lapsed, but the node answers");
                continue;
            }
            if let Err(error) = self.sweep(lease).await {
                tracing::warn!(node = lease.node, error = chain(&error), "sweep not finished");
                *unbroken = None;
                return;
            }
        }
        // Sweeping takes time in which the store was used, but not looked at.
        *unbroken = Some(Unbroken { last: Instant::now(), ..held });
    }

    async fn is_silent(&self, lease: &NodeLease) -> bool {
        match lease.address.parse() {
            Ok(target) => !self.switch.answers(&target, self.probe_timeout).await,
            // Nobody can ever reach it.
            Err(_) => true,
        }
    }

    async fn sweep(&self, lease: &NodeLease) -> Result<(), SweepError> {
        let ledger = self.ledger.as_ref();
        let (node, epoch) = (lease.node.as_str(), lease.epoch);
        if self.has_come_back(lease).await? {
            return Ok(());
        }
        tracing::error!(node, epoch, "switch node is lost");
        let swept = sweep::end_calls_of_lost(ledger, node, epoch, &self.clock).await?;
        ledger.remove_lease(node, epoch).await?;
        self.nodes.forget(node, epoch);
        metrics::NODES_SWEPT.add(1, []);
        metrics::LEGS_SWEPT.add(swept.legs, []);
        tracing::warn!(node, epoch, calls = swept.calls, legs = swept.legs, "ended its calls");
        Ok(())
    }

    /// Asks once more, since the probe took its time.
    async fn has_come_back(&self, lease: &NodeLease) -> Result<bool, StoreError> {
        let leases = self.ledger.leases().await?;
        let now = leases.iter().find(|now| now.node == lease.node);
        Ok(now.is_none_or(|now| now.epoch != lease.epoch || !now.remaining.is_zero()))
    }
}

#[cfg(test)]
mod tests;
