//! What the metrics tell of a node at any moment: its load, its lease, what waits for the store.

use std::sync::Arc;
use std::time::Duration;

use mesh::ledger::LeaseError;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::engine::Engine;
use crate::metrics;
use crate::outbox::Outbox;

/// The node's lease as it was renewed last.
#[derive(Debug)]
pub(crate) struct Watch {
    lapses: Arc<Mutex<Option<Instant>>>,
    lease: Duration,
}

impl Watch {
    /// Tells of a node for as long as this is there.
    pub(crate) fn new(engine: Engine, outboxes: Vec<Outbox>, lease: Duration) -> Self {
        let lapses: Arc<Mutex<Option<Instant>>> = Arc::default();
        let present = Arc::downgrade(&lapses);
        mesh::metrics::on_render(move || {
            let Some(lapses) = present.upgrade() else { return false };
            let remaining = lapses.lock().map(|at| at.saturating_duration_since(Instant::now()));
            metrics::LEASE_REMAINING.set(remaining.unwrap_or_default().as_secs_f64(), []);
            metrics::LEGS.set_count(engine.load(), []);
            metrics::CONFERENCES.set_count(engine.conferences(), []);
            metrics::IS_FLOWING.set_count(engine.store_is_flowing().into(), []);
            let bytes: usize = outboxes.iter().map(Outbox::bytes).sum();
            metrics::BACKLOG_BYTES.set_count(bytes as u64, []);
            true
        });
        Self { lapses, lease }
    }

    /// The node tried to renew its lease.
    pub(crate) fn renewed(&self, outcome: &Result<u64, LeaseError>) {
        let (label, lapses) = match outcome {
            Ok(_) => ("renewed", Some(Instant::now() + self.lease)),
            Err(LeaseError::Unavailable(_)) => ("unavailable", *self.lapses.lock()),
            Err(LeaseError::Lost) => ("lost", None),
        };
        *self.lapses.lock() = lapses;
        metrics::LEASE_RENEWALS.add(1, [label]);
    }
}
