//! A store that notes what is read of calls.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mesh::ledger::{Ledger, LogRead, Page, Partition, ReadFrom, StoreError};
use mesh::testing::overlay::Overlay;
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
impl Overlay for Counting {
    fn beneath(&self) -> &dyn Ledger {
        &*self.store
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
}
