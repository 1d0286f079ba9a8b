//! A ledger whose operations fail, forget and lose their answers as a seed says.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mesh::ledger::memory::MemoryLedger;
use mesh::ledger::{
    Commit, CommitError, Committed, Home, LeaseError, Ledger, LogBounds, LogChunk, LogRead,
    NodeLease, Once, Page, Partition, Position, Presence, ReadFrom, StoreError,
};
use parking_lot::Mutex;

/// A small generator of numbers: the same for the same seed.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1))
    }

    /// A number below `sides`.
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// Nothing.
    Calm,
    /// Operations fail and answers are lost.
    Unreliable,
    /// The same, and what was written is forgotten.
    Forgetful,
}

#[derive(Debug)]
pub(super) struct Flaky {
    memory: Arc<MemoryLedger>,
    dice: Mutex<Dice>,
    mood: Mutex<Mood>,
}

impl Flaky {
    pub(super) fn new(memory: Arc<MemoryLedger>, seed: u64, mood: Mood) -> Self {
        Self { memory, dice: Mutex::new(Dice::new(seed)), mood: Mutex::new(mood) }
    }

    pub(super) fn calm_down(&self) {
        *self.mood.lock() = Mood::Calm;
    }

    /// Something may go wrong before an operation; true when its answer is lost.
    fn befall(&self) -> Result<bool, StoreError> {
        let mood = *self.mood.lock();
        if mood == Mood::Calm {
            return Ok(false);
        }
        let roll = self.dice.lock().roll(40);
        if mood == Mood::Forgetful {
            match roll {
                0 => self.memory.forget_everything(),
                1..=3 => {
                    self.memory.forget_last_commit(0);
                }
                _ => {}
            }
        }
        match roll {
            10..=17 => Err(StoreError { message: "away".to_owned() }),
            18..=22 => Ok(true),
            _ => Ok(false),
        }
    }
}

#[async_trait]
impl Ledger for Flaky {
    fn partitions(&self) -> u32 {
        self.memory.partitions()
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        let is_lost = self.befall().map_err(CommitError::Unavailable)?;
        let outcome = self.memory.commit(commit).await;
        if is_lost {
            let error = StoreError { message: "the answer was lost".to_owned() };
            return Err(CommitError::Unavailable(error));
        }
        // Others have their turn, as over a network.
        tokio::task::yield_now().await;
        outcome
    }

    async fn page(
        &self,
        partition: Partition,
        index: &str,
        offset: u64,
        limit: u64,
    ) -> Result<Page, StoreError> {
        self.befall()?;
        self.memory.page(partition, index, offset, limit).await
    }

    async fn read_log(
        &self,
        partition: Partition,
        from: &ReadFrom,
        limit: usize,
        wait: Duration,
    ) -> Result<LogRead, StoreError> {
        self.memory.read_log(partition, from, limit, wait).await
    }

    async fn log_bounds(&self, partition: Partition) -> Result<LogBounds, StoreError> {
        self.memory.log_bounds(partition).await
    }

    async fn trim_log(&self, partition: Partition) -> Result<(), StoreError> {
        self.memory.trim_log(partition).await
    }

    async fn get(&self, partition: Partition, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.memory.get(partition, key).await
    }

    async fn renew_lease(&self, lease: &NodeLease, ttl: Duration) -> Result<u64, LeaseError> {
        self.memory.renew_lease(lease, ttl).await
    }

    async fn leases(&self) -> Result<Vec<NodeLease>, StoreError> {
        self.memory.leases().await
    }

    async fn remove_lease(&self, node: &str, epoch: u64) -> Result<(), StoreError> {
        self.memory.remove_lease(node, epoch).await
    }

    async fn fence(&self, partition: Partition, node: &str, epoch: u64) -> Result<(), StoreError> {
        self.memory.fence(partition, node, epoch).await
    }

    async fn home(&self, i_customer: i64) -> Result<Option<Home>, StoreError> {
        self.memory.home(i_customer).await
    }

    async fn set_home(
        &self,
        i_customer: i64,
        expected: Option<&Home>,
        home: &Home,
    ) -> Result<Home, StoreError> {
        self.memory.set_home(i_customer, expected, home).await
    }

    async fn once(
        &self,
        i_customer: i64,
        key: &str,
        value: Bytes,
        ttl: Duration,
        cap: u64,
    ) -> Result<Once, StoreError> {
        self.memory.once(i_customer, key, value, ttl, cap).await
    }

    async fn forget(&self, i_customer: i64, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.memory.forget(i_customer, key, value).await
    }

    async fn replace(
        &self,
        i_customer: i64,
        key: &str,
        expected: &[u8],
        value: Bytes,
    ) -> Result<bool, StoreError> {
        self.memory.replace(i_customer, key, expected, value).await
    }

    async fn hold(
        &self,
        partition: Partition,
        name: &str,
        holder: &str,
        ttl: Duration,
        note: Option<Bytes>,
    ) -> Result<Option<Bytes>, StoreError> {
        self.befall()?;
        self.memory.hold(partition, name, holder, ttl, note).await
    }

    async fn note_presence(
        &self,
        i_customer: i64,
        access_number: &str,
        subscriber: &str,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        self.memory.note_presence(i_customer, access_number, subscriber, ttl).await
    }

    async fn presence(&self, i_customer: i64, access_number: &str) -> Result<Presence, StoreError> {
        self.memory.presence(i_customer, access_number).await
    }

    async fn read_accounting(
        &self,
        partition: Partition,
        after: Position,
        limit: usize,
    ) -> Result<LogChunk, StoreError> {
        self.memory.read_accounting(partition, after, limit).await
    }

    async fn trim_accounting(
        &self,
        partition: Partition,
        up_to: Position,
    ) -> Result<(), StoreError> {
        self.memory.trim_accounting(partition, up_to).await
    }

    async fn is_reachable(&self) -> bool {
        self.memory.is_reachable().await
    }
}
