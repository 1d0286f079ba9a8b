//! The ledger in memory, seen by a notifier that may be cut off from it while
//! the engine is not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mesh::ledger::memory::MemoryLedger;
use mesh::ledger::{Ledger, LogBounds, LogRead, Partition, ReadFrom, StoreError};
use mesh::testing::overlay::Overlay;
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
impl Overlay for Gate {
    fn beneath(&self) -> &dyn Ledger {
        &self.memory
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
}
