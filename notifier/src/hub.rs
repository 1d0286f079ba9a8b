//! Where readers and live streams meet.
//!
//! Each partition has one lock, under which its reader hands out entries and
//! streams join and leave. A scope joins with the locks of all partitions that it
//! covers, and its `Subscribed` is put into the stream before they are released:
//! so every event after its places follows in the stream, and none before them
//! does. Locks are taken in the order of the partitions, outboxes last; none is
//! held over an await.

mod partition;
mod stream;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mesh::ledger::Partition as Number;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::domain::frame::Frame;
use crate::domain::outbox::Outbox;
use crate::domain::scope::{Access, Scope};
pub(crate) use partition::{Page, Partition};
pub(crate) use stream::LiveScopes;

/// What is known of the partitions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// Partitions that have been read up to where the log ended when this process came.
    pub(crate) started: u32,
    /// Partitions whose last read failed.
    pub(crate) unreachable: u32,
    /// The store was asked to take a write, and did not: it may be out of memory.
    pub(crate) is_read_only: bool,
}

impl Status {
    /// True while events come in time, as far as the store is concerned.
    pub(crate) const fn is_good(self) -> bool {
        self.unreachable == 0 && !self.is_read_only
    }
}

/// All partitions and all live streams of this process.
#[derive(Debug)]
pub(crate) struct Hub {
    partitions: Vec<Partition>,
    streams: Mutex<HashMap<u64, Arc<Outbox>>>,
    next_stream: AtomicU64,
    scopes: AtomicU64,
    status: watch::Sender<Status>,
}

/// Figures for the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Live streams.
    pub(crate) streams: u64,
    /// Scopes of all streams.
    pub(crate) scopes: u64,
    /// Bytes that wait for edges.
    pub(crate) buffered_bytes: u64,
}

impl Hub {
    /// Partitions that have not been read yet, and no streams.
    pub(crate) fn new(partitions: u32, window: Duration, max_bytes: usize) -> Arc<Self> {
        let partitions = partitions.max(1);
        let share = max_bytes / usize::try_from(partitions).unwrap_or(usize::MAX);
        Arc::new(Self {
            partitions: (0..partitions).map(|it| Partition::new(it, window, share)).collect(),
            streams: Mutex::default(),
            next_stream: AtomicU64::new(1),
            scopes: AtomicU64::new(0),
            status: watch::Sender::default(),
        })
    }

    /// Number of partitions.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.partitions.len()).unwrap_or(u32::MAX)
    }

    /// All partitions.
    pub(crate) fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// One partition.
    pub(crate) fn partition(&self, number: Number) -> Option<&Partition> {
        self.partitions.get(usize::try_from(number).ok()?)
    }

    /// The partitions that a scope covers, ascending.
    pub(crate) fn covered(&self, scope: &Scope) -> &[Partition] {
        let range = scope.covers(self.count());
        let bound = |number| usize::try_from(number).unwrap_or(usize::MAX);
        self.partitions.get(bound(range.start)..bound(range.end)).unwrap_or_default()
    }

    /// Changes what is known of the partitions together.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(change);
    }

    /// Follows what is known of the partitions together.
    pub(crate) fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Returns once every partition can be joined.
    pub(crate) async fn until_started(&self) {
        let count = self.count();
        // Fails only when the sender is gone, and `self` has it.
        self.status().wait_for(|status| status.started >= count).await.ok();
    }

    /// Opens a live stream, which gets beats from now on.
    pub(crate) fn open(&self, max_bytes: usize) -> Arc<Outbox> {
        let stream = self.next_stream.fetch_add(1, Ordering::Relaxed);
        let outbox = Arc::new(Outbox::new(stream, max_bytes));
        self.streams.lock().insert(stream, Arc::clone(&outbox));
        outbox
    }

    /// Forgets a live stream, whose scopes have left.
    pub(crate) fn close(&self, stream: u64) {
        self.streams.lock().remove(&stream);
    }

    /// Adds a scope to a stream and says so in it; or gives a scope of the stream to another
    /// caller, without a break. Every partition must have been started.
    pub(crate) fn join(
        &self,
        outbox: &Arc<Outbox>,
        scope_id: u64,
        access: &Access,
        former: Option<&Access>,
    ) {
        let mut covered: Vec<_> = self.covered(&access.scope).iter().map(Partition::lock).collect();
        for partition in &mut covered {
            if let Some(former) = former {
                partition.index.remove(outbox.stream, scope_id, former);
            }
            partition.index.add(outbox, scope_id, access);
        }
        let places = covered.iter().filter_map(|partition| partition.place.clone()).collect();
        outbox.push(Frame::Subscribed { scope_id, places });
        drop(covered);
        if former.is_none() {
            self.scopes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes a scope away from a stream.
    pub(crate) fn leave(&self, stream: u64, scope_id: u64, access: &Access) {
        for partition in self.covered(&access.scope) {
            partition.lock().index.remove(stream, scope_id, access);
        }
        self.scopes.fetch_sub(1, Ordering::Relaxed);
    }

    /// Gives every stream a sign of life.
    pub(crate) fn beat(&self) {
        let is_store_reachable = self.status.borrow().is_good();
        let places: Vec<_> =
            self.partitions.iter().filter_map(|partition| partition.lock().place.clone()).collect();
        let outboxes: Vec<_> = self.streams.lock().values().map(Arc::clone).collect();
        for outbox in outboxes {
            outbox.push_beat(Frame::Beat { places: places.clone(), is_store_reachable });
        }
    }

    /// Figures for the metrics.
    pub(crate) fn figures(&self) -> Figures {
        let outboxes: Vec<_> = self.streams.lock().values().map(Arc::clone).collect();
        let bytes: usize = outboxes.iter().map(|outbox| outbox.bytes()).sum();
        Figures {
            streams: u64::try_from(outboxes.len()).unwrap_or(u64::MAX),
            scopes: self.scopes.load(Ordering::Relaxed),
            buffered_bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests;
