//! The ledger in memory, seen by a notifier that may be cut off from it while
//! the engine is not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mesh::ledger::memory::MemoryLedger;
use mesh::ledger::{
    Commit, CommitError, Committed, Home, LeaseError, Ledger, LogBounds, LogChunk, LogRead,
    NodeLease, Once, Page, Partition, Position, Presence, ReadFrom, StoreError,
};
use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) memory: MemoryLedger,
    is_shut: watch::Sender<bool>,
    reads_at_once: AtomicU64,
    trims: AtomicU64,
}

impl Gate {
    pub(crate) fn new(memory: MemoryLedger) -> Self {
        Self {
            memory,
            is_shut: watch::Sender::new(false),
            reads_at_once: AtomicU64::new(0),
            trims: AtomicU64::new(0),
        }
    }

    /// Fails every look at the log (`true`), also those that wait, or lets them through again.
    pub(crate) fn shut(&self, is_shut: bool) {
        self.is_shut.send_replace(is_shut);
    }

    /// Reads of the log that were not ready to wait: those of replays.
    pub(crate) fn reads_at_once(&self) -> u64 {
        self.reads_at_once.load(Ordering::Relaxed)
    }

    /// Trims of the log.
    pub(crate) fn trims(&self) -> u64 {
        self.trims.load(Ordering::Relaxed)
    }

    fn check(&self) -> Result<(), StoreError> {
        if *self.is_shut.borrow() {
            return Err(StoreError { message: "cut off".to_owned() });
        }
        Ok(())
    }
}

#[async_trait]
impl Ledger for Gate {
    fn partitions(&self) -> u32 {
        self.memory.partitions()
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        self.memory.commit(commit).await
    }

    async fn read_log(
        &self,
        partition: Partition,
        from: &ReadFrom,
        limit: usize,
        wait: Duration,
    ) -> Result<LogRead, StoreError> {
        self.check()?;
        if wait.is_zero() {
            self.reads_at_once.fetch_add(1, Ordering::Relaxed);
        }
        let mut shut = self.is_shut.subscribe();
        tokio::select! {
            biased;
            Ok(_) = shut.wait_for(|is_shut| *is_shut) => {
                Err(StoreError { message: "cut off".to_owned() })
            }
            read = self.memory.read_log(partition, from, limit, wait) => read,
        }
    }

    async fn log_bounds(&self, partition: Partition) -> Result<LogBounds, StoreError> {
        self.check()?;
        self.memory.log_bounds(partition).await
    }

    async fn trim_log(&self, partition: Partition) -> Result<(), StoreError> {
        self.trims.fetch_add(1, Ordering::Relaxed);
        self.memory.trim_log(partition).await
    }

    async fn get(&self, partition: Partition, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.memory.get(partition, key).await
    }

    async fn page(
        &self,
        partition: Partition,
        index: &str,
        offset: u64,
        limit: u64,
    ) -> Result<Page, StoreError> {
        self.memory.page(partition, index, offset, limit).await
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

    async fn fence(
        &self,
        partition: Partition,
        node: &str,
        node_epoch: u64,
    ) -> Result<(), StoreError> {
        self.memory.fence(partition, node, node_epoch).await
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
        self.check()?;
        self.memory.hold(partition, name, holder, ttl, note).await
    }

    async fn note_presence(
        &self,
        i_customer: i64,
        access_number: &str,
        subscriber: &str,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        self.check()?;
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
