//! What the metrics tell of a node at any moment: its load, its lease, what waits for the store.

use std::sync::Arc;
use std::time::Duration;

use mesh::ledger::LeaseError;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::engine::Engine;
use crate::metrics;
use crate::outbox::Outbox;

/// What the metrics tell of a node for as long as this is there.
#[derive(Debug)]
pub(crate) struct Watch(Arc<Watched>);

/// Held by nobody else: the engine has connections that end with it.
#[derive(Debug)]
struct Watched {
    engine: Engine,
    outboxes: Vec<Outbox>,
    lease: Duration,
    lapses: Mutex<Option<Instant>>,
}

impl Watch {
    /// Tells of a node from now on.
    pub(crate) fn new(engine: Engine, outboxes: Vec<Outbox>, lease: Duration) -> Self {
        let watched = Arc::new(Watched { engine, outboxes, lease, lapses: Mutex::default() });
        let present = Arc::downgrade(&watched);
        mesh::metrics::on_render(move || {
            let watched = present.upgrade();
            if let Some(watched) = &watched {
                watched.tell();
            }
            watched.is_some()
        });
        Self(watched)
    }

    /// The node tried to renew its lease.
    pub(crate) fn renewed(&self, outcome: &Result<u64, LeaseError>) {
        let mut lapses = self.0.lapses.lock();
        let label = match outcome {
            Ok(_) => {
                *lapses = Some(Instant::now() + self.0.lease);
                "renewed"
            }
            Err(LeaseError::Unavailable(_)) => "unavailable",
            Err(LeaseError::Lost) => {
                *lapses = None;
                "lost"
            }
        };
        metrics::LEASE_RENEWALS.add(1, [label]);
    }
}

impl Watched {
    fn tell(&self) {
        let remaining = self.lapses.lock().map(|at| at.saturating_duration_since(Instant::now()));
        metrics::LEASE_REMAINING.set(remaining.unwrap_or_default().as_secs_f64(), []);
        metrics::LEGS.set_count(self.engine.load(), []);
        metrics::CONFERENCES.set_count(self.engine.conferences(), []);
        metrics::IS_FLOWING.set_count(self.engine.store_is_flowing().into(), []);
        let bytes: usize = self.outboxes.iter().map(Outbox::bytes).sum();
        metrics::BACKLOG_BYTES.set_count(bytes as u64, []);
    }
}
