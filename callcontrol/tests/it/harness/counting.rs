//! A store that notes what is read of calls.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mesh::ledger::{
    Commit, CommitError, Committed, Home, LeaseError, Ledger, LogBounds, LogChunk, LogRead,
    NodeLease, Once, Page, Partition, Position, Presence, ReadFrom, StoreError,
};
use parking_lot::Mutex;

#[derive(Debug)]
pub(crate) struct Counting {
    store: Arc<dyn Ledger>,
    reads: Mutex<Vec<String>>,
}

impl Counting {
    pub(crate) fn new(store: Arc<dyn Ledger>) -> Self {
        Self { store, reads: Mutex::new(Vec::new()) }
    }

    /// What was read since the last time: `<records> of <index> in <partition>` for a page.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.reads.lock())
    }

    fn note(&self, read: String) {
        self.reads.lock().push(read);
    }
}

#[async_trait]
impl Ledger for Counting {
    fn partitions(&self) -> u32 {
        self.store.partitions()
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        self.store.commit(commit).await
    }

    async fn read_log(
        &self,
        partition: Partition,
        from: &ReadFrom,
        limit: usize,
        wait: Duration,
    ) -> Result<LogRead, StoreError> {
        self.note(format!("log {partition}"));
        self.store.read_log(partition, from, limit, wait).await
    }

    async fn log_bounds(&self, partition: Partition) -> Result<LogBounds, StoreError> {
        self.store.log_bounds(partition).await
    }

    async fn trim_log(&self, partition: Partition) -> Result<(), StoreError> {
        self.store.trim_log(partition).await
    }

    async fn get(&self, partition: Partition, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.note(format!("record {partition} {key}"));
        self.store.get(partition, key).await
    }

    async fn page(
        &self,
        partition: Partition,
        index: &str,
        offset: u64,
        limit: u64,
    ) -> Result<Page, StoreError> {
        let page = self.store.page(partition, index, offset, limit).await?;
        self.note(format!("{} of {index} in {partition}", page.records.len()));
        Ok(page)
    }

    async fn renew_lease(&self, lease: &NodeLease, ttl: Duration) -> Result<u64, LeaseError> {
        self.store.renew_lease(lease, ttl).await
    }

    async fn leases(&self) -> Result<Vec<NodeLease>, StoreError> {
        self.store.leases().await
    }

    async fn remove_lease(&self, node: &str, epoch: u64) -> Result<(), StoreError> {
        self.store.remove_lease(node, epoch).await
    }

    async fn fence(
        &self,
        partition: Partition,
        node: &str,
        node_epoch: u64,
    ) -> Result<(), StoreError> {
        self.store.fence(partition, node, node_epoch).await
    }

    async fn home(&self, i_customer: i64) -> Result<Option<Home>, StoreError> {
        self.store.home(i_customer).await
    }

    async fn set_home(
        &self,
        i_customer: i64,
        expected: Option<&Home>,
        home: &Home,
    ) -> Result<Home, StoreError> {
        self.store.set_home(i_customer, expected, home).await
    }

    async fn once(
        &self,
        i_customer: i64,
        key: &str,
        value: Bytes,
        ttl: Duration,
        cap: u64,
    ) -> Result<Once, StoreError> {
        self.store.once(i_customer, key, value, ttl, cap).await
    }

    async fn forget(&self, i_customer: i64, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.store.forget(i_customer, key, value).await
    }

    async fn replace(
        &self,
        i_customer: i64,
        key: &str,
        expected: &[u8],
        value: Bytes,
    ) -> Result<bool, StoreError> {
        self.store.replace(i_customer, key, expected, value).await
    }

    async fn hold(
        &self,
        partition: Partition,
        name: &str,
        holder: &str,
        ttl: Duration,
        note: Option<Bytes>,
    ) -> Result<Option<Bytes>, StoreError> {
        self.store.hold(partition, name, holder, ttl, note).await
    }

    async fn note_presence(
        &self,
        i_customer: i64,
        access_number: &str,
        subscriber: &str,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        self.store.note_presence(i_customer, access_number, subscriber, ttl).await
    }

    async fn presence(&self, i_customer: i64, access_number: &str) -> Result<Presence, StoreError> {
        self.store.presence(i_customer, access_number).await
    }

    async fn read_accounting(
        &self,
        partition: Partition,
        after: Position,
        limit: usize,
    ) -> Result<LogChunk, StoreError> {
        self.store.read_accounting(partition, after, limit).await
    }

    async fn trim_accounting(
        &self,
        partition: Partition,
        up_to: Position,
    ) -> Result<(), StoreError> {
        self.store.trim_accounting(partition, up_to).await
    }

    async fn is_reachable(&self) -> bool {
        self.store.is_reachable().await
    }
}
