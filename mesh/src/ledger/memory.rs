//! The ledger in memory: the store of `cordboard up` without Redis, and of tests.
//!
//! One mutex holds everything, so every operation is atomic; times to live and
//! positions follow the [`Clock`]. What the process holds dies with it: after a
//! restart every writer learns a new epoch, as from a Redis that came back empty.
//!
//! Tests play a store that fails ([`MemoryLedger::set_reachable`],
//! [`MemoryLedger::lose_answers`]), that comes back empty
//! ([`MemoryLedger::forget_everything`]) or that loses its tail
//! ([`MemoryLedger::forget_last_commit`]).

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::time::Instant;

use self::holds::Holds;
use self::partition::Partition as Held;
use self::shared::{Homes, Leases, Listeners, OnceBook};
use super::{
    Commit, CommitError, Committed, Home, LeaseError, Ledger, LogBounds, LogChunk, LogRead,
    NodeLease, Once, Page, Partition, Position, Presence, ReadFrom, StoreError,
};
use crate::clock::{Clock, Timestamp};

mod holds;
mod partition;
mod records;
mod shared;
mod stream;

/// Keeps a deadline within what a clock can say.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// Settings of the store in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MemoryConfig {
    /// Number of partitions of the log.
    pub partitions: u32,
    /// How long events stay in the log.
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    /// Bytes of events that a partition's log holds at most.
    pub max_bytes: u64,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self { partitions: 1, retention: Duration::from_hours(1), max_bytes: 64 << 20 }
    }
}

/// The store in memory.
#[derive(Debug)]
pub struct MemoryLedger {
    clock: Clock,
    config: MemoryConfig,
    held: Mutex<Everything>,
    /// One for each partition: its log has grown, begun anew, or can no longer be asked.
    changed: Vec<Notify>,
}

#[derive(Debug)]
struct Everything {
    partitions: Vec<Held>,
    leases: Leases,
    homes: Homes,
    once: HashMap<i64, OnceBook>,
    holds: Holds,
    listeners: Listeners,
    is_reachable: bool,
    answers_to_lose: u32,
}

impl Everything {
    fn empty(partitions: u32) -> Self {
        Self {
            partitions: (0..partitions).map(|_| Held::default()).collect(),
            leases: Leases::default(),
            homes: Homes::default(),
            once: HashMap::new(),
            holds: Holds::default(),
            listeners: Listeners::default(),
            is_reachable: true,
            answers_to_lose: 0,
        }
    }

    fn partition(&mut self, partition: Partition) -> Result<&mut Held, StoreError> {
        usize::try_from(partition)
            .ok()
            .and_then(|place| self.partitions.get_mut(place))
            .ok_or_else(|| StoreError { message: format!("no partition {partition}") })
    }
}

impl MemoryLedger {
    /// An empty store. At least one partition is made.
    #[must_use]
    pub fn new(clock: Clock, config: MemoryConfig) -> Self {
        let config = MemoryConfig { partitions: config.partitions.max(1), ..config };
        let held = Mutex::new(Everything::empty(config.partitions));
        let changed = (0..config.partitions).map(|_| Notify::new()).collect();
        Self { clock, config, held, changed }
    }

    /// From now on every operation fails (`false`) or works again. Readers that wait fail at once.
    pub fn set_reachable(&self, is_reachable: bool) {
        self.held.lock().is_reachable = is_reachable;
        self.wake_all();
    }

    /// Applies the next `count` commits but says that the store did not answer.
    pub fn lose_answers(&self, count: u32) {
        self.held.lock().answers_to_lose = count;
    }

    /// Comes back empty: records, logs, leases, homes, everything is gone.
    pub fn forget_everything(&self) {
        let mut held = self.held.lock();
        let is_reachable = held.is_reachable;
        *held = Everything { is_reachable, ..Everything::empty(self.config.partitions) };
        drop(held);
        self.wake_all();
    }

    /// Undoes the last commit of the partition, as a store does that had acknowledged it and
    /// failed before it was durable. False when there is none to undo: only the very last commit
    /// is remembered, and none across a change of epoch that the store itself began.
    pub fn forget_last_commit(&self, partition: Partition) -> bool {
        self.held.lock().partition(partition).is_ok_and(Held::forget_last_commit)
    }

    fn wake(&self, partition: Partition) {
        if let Some(changed) = usize::try_from(partition).ok().and_then(|at| self.changed.get(at)) {
            changed.notify_waiters();
        }
    }

    fn wake_all(&self) {
        for changed in &self.changed {
            changed.notify_waiters();
        }
    }

    /// Everything and the present moment, unless the store cannot be reached.
    fn reach(&self) -> Result<(MutexGuard<'_, Everything>, Timestamp), StoreError> {
        let held = self.held.lock();
        if held.is_reachable {
            Ok((held, self.clock.now()))
        } else {
            Err(StoreError { message: "cannot be reached".to_owned() })
        }
    }

    fn write(&self, commit: &Commit) -> Result<Committed, CommitError> {
        let (mut held, now) = self.reach().map_err(CommitError::Unavailable)?;
        let partition = held.partition(commit.partition).map_err(CommitError::Unavailable)?;
        let outcome = partition.commit(commit, now, self.config.max_bytes);
        if held.answers_to_lose > 0 {
            held.answers_to_lose -= 1;
            let error = StoreError { message: "the answer was lost".to_owned() };
            return Err(CommitError::Unavailable(error));
        }
        outcome
    }

    fn read(
        &self,
        partition: Partition,
        from: &ReadFrom,
        limit: usize,
    ) -> Result<LogRead, StoreError> {
        let (mut held, now) = self.reach()?;
        Ok(held.partition(partition)?.read_log(from, limit, now))
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    fn partitions(&self) -> u32 {
        self.config.partitions
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        let outcome = self.write(commit);
        // Also after a failure: an epoch may have begun, or only the answer was lost.
        self.wake(commit.partition);
        outcome
    }

    async fn read_log(
        &self,
        partition: Partition,
        from: &ReadFrom,
        limit: usize,
        wait: Duration,
    ) -> Result<LogRead, StoreError> {
        let deadline = Instant::now() + wait.min(LONGEST_WAIT);
        let place = usize::try_from(partition).ok();
        loop {
            let changed = place.and_then(|place| self.changed.get(place)).map(Notify::notified);
            // Asked after `notified`, so that no change can fall between.
            let read = self.read(partition, from, limit)?;
            let is_empty = matches!(&read, LogRead::Entries(chunk) if chunk.entries.is_empty());
            let Some(changed) = changed.filter(|_| is_empty) else { return Ok(read) };
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return Ok(read);
            }
        }
    }

    async fn log_bounds(&self, partition: Partition) -> Result<LogBounds, StoreError> {
        let (mut held, now) = self.reach()?;
        Ok(held.partition(partition)?.bounds(now))
    }

    async fn trim_log(&self, partition: Partition) -> Result<(), StoreError> {
        let (mut held, now) = self.reach()?;
        let retention = u64::try_from(self.config.retention.as_millis()).unwrap_or(u64::MAX);
        let oldest_millis = now.as_millis().saturating_sub(retention);
        held.partition(partition)?.trim_log(now, oldest_millis, self.config.max_bytes);
        Ok(())
    }

    async fn get(&self, partition: Partition, key: &str) -> Result<Option<Bytes>, StoreError> {
        let (mut held, now) = self.reach()?;
        Ok(held.partition(partition)?.get(key, now))
    }

    async fn page(
        &self,
        partition: Partition,
        index: &str,
        offset: u64,
        limit: u64,
    ) -> Result<Page, StoreError> {
        let (mut held, now) = self.reach()?;
        Ok(held.partition(partition)?.page(index, offset, limit, now))
    }

    async fn renew_lease(&self, lease: &NodeLease, ttl: Duration) -> Result<u64, LeaseError> {
        let (mut held, now) = self.reach().map_err(LeaseError::Unavailable)?;
        held.leases.renew(lease, ttl, now).ok_or(LeaseError::Lost)
    }

    async fn leases(&self) -> Result<Vec<NodeLease>, StoreError> {
        let (held, now) = self.reach()?;
        Ok(held.leases.list(now))
    }

    async fn remove_lease(&self, node: &str, epoch: u64) -> Result<(), StoreError> {
        let (mut held, _) = self.reach()?;
        held.leases.remove(node, epoch);
        Ok(())
    }

    async fn fence(
        &self,
        partition: Partition,
        node: &str,
        node_epoch: u64,
    ) -> Result<(), StoreError> {
        let (mut held, _) = self.reach()?;
        held.partition(partition)?.fence(node, node_epoch);
        Ok(())
    }

    async fn home(&self, i_customer: i64) -> Result<Option<Home>, StoreError> {
        let (held, _) = self.reach()?;
        Ok(held.homes.get(i_customer))
    }

    async fn set_home(
        &self,
        i_customer: i64,
        expected: Option<&Home>,
        home: &Home,
    ) -> Result<Home, StoreError> {
        let (mut held, _) = self.reach()?;
        Ok(held.homes.set(i_customer, expected, home))
    }

    async fn once(
        &self,
        i_customer: i64,
        key: &str,
        value: Bytes,
        ttl: Duration,
        cap: u64,
    ) -> Result<Once, StoreError> {
        let (mut held, now) = self.reach()?;
        Ok(held.once.entry(i_customer).or_default().write(key, value, ttl, cap, now))
    }

    async fn forget(&self, i_customer: i64, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let (mut held, _) = self.reach()?;
        if let Some(book) = held.once.get_mut(&i_customer) {
            book.forget(key, value);
        }
        Ok(())
    }

    async fn replace(
        &self,
        i_customer: i64,
        key: &str,
        expected: &[u8],
        value: Bytes,
    ) -> Result<bool, StoreError> {
        let (mut held, now) = self.reach()?;
        let book = held.once.get_mut(&i_customer);
        Ok(book.is_some_and(|book| book.replace(key, expected, value, now)))
    }

    async fn hold(
        &self,
        partition: Partition,
        name: &str,
        holder: &str,
        ttl: Duration,
        note: Option<Bytes>,
    ) -> Result<Option<Bytes>, StoreError> {
        let (mut held, now) = self.reach()?;
        held.partition(partition)?;
        Ok(held.holds.hold((partition, name), holder, ttl, note, now))
    }

    async fn note_presence(
        &self,
        i_customer: i64,
        access_number: &str,
        subscriber: &str,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let (mut held, now) = self.reach()?;
        held.listeners.note(i_customer, access_number, subscriber, now.plus(ttl));
        Ok(())
    }

    async fn presence(&self, i_customer: i64, access_number: &str) -> Result<Presence, StoreError> {
        let (mut held, now) = self.reach()?;
        Ok(held.listeners.of(i_customer, access_number, now))
    }

    async fn read_accounting(
        &self,
        partition: Partition,
        after: Position,
        limit: usize,
    ) -> Result<LogChunk, StoreError> {
        let (mut held, now) = self.reach()?;
        Ok(held.partition(partition)?.read_accounting(after, limit, now))
    }

    async fn trim_accounting(
        &self,
        partition: Partition,
        up_to: Position,
    ) -> Result<(), StoreError> {
        let (mut held, _) = self.reach()?;
        held.partition(partition)?.trim_accounting(up_to);
        Ok(())
    }

    async fn is_reachable(&self) -> bool {
        self.held.lock().is_reachable
    }
}
