//! A ledger that is another one but for what a test makes of it.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::ledger::{
    Commit, CommitError, Committed, Home, LeaseError, Ledger, LogBounds, LogChunk, LogRead,
    NodeLease, Once, Page, Partition, Position, Presence, ReadFrom, StoreError,
};

/// A [`Ledger`] over another one. What it does not implement itself, the one beneath does.
#[async_trait]
pub trait Overlay: Send + Sync + std::fmt::Debug + 'static {
    /// The ledger beneath.
    fn beneath(&self) -> &dyn Ledger;

    /// See [`Ledger::partitions`].
    fn partitions(&self) -> u32 {
        self.beneath().partitions()
    }

    /// See [`Ledger::commit`].
    async fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        self.beneath().commit(commit).await
    }

    /// See [`Ledger::read_log`].
    async fn read_log(
        &self,
        partition: Partition,
        from: &ReadFrom,
        limit: usize,
        wait: Duration,
    ) -> Result<LogRead, StoreError> {
        self.beneath().read_log(partition, from, limit, wait).await
    }

    /// See [`Ledger::log_bounds`].
    async fn log_bounds(&self, partition: Partition) -> Result<LogBounds, StoreError> {
        self.beneath().log_bounds(partition).await
    }

    /// See [`Ledger::trim_log`].
    async fn trim_log(&self, partition: Partition) -> Result<(), StoreError> {
        self.beneath().trim_log(partition).await
    }

    /// See [`Ledger::get`].
    async fn get(&self, partition: Partition, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.beneath().get(partition, key).await
    }

    /// See [`Ledger::page`].
    async fn page(
        &self,
        partition: Partition,
        index: &str,
        offset: u64,
        limit: u64,
    ) -> Result<Page, StoreError> {
        self.beneath().page(partition, index, offset, limit).await
    }

    /// See [`Ledger::renew_lease`].
    async fn renew_lease(&self, lease: &NodeLease, ttl: Duration) -> Result<u64, LeaseError> {
        self.beneath().renew_lease(lease, ttl).await
    }

    /// See [`Ledger::leases`].
    async fn leases(&self) -> Result<Vec<NodeLease>, StoreError> {
        self.beneath().leases().await
    }

    /// See [`Ledger::remove_lease`].
    async fn remove_lease(&self, node: &str, epoch: u64) -> Result<(), StoreError> {
        self.beneath().remove_lease(node, epoch).await
    }

    /// See [`Ledger::fence`].
    async fn fence(
        &self,
        partition: Partition,
        node: &str,
        node_epoch: u64,
    ) -> Result<(), StoreError> {
        self.beneath().fence(partition, node, node_epoch).await
    }

    /// See [`Ledger::home`].
    async fn home(&self, i_customer: i64) -> Result<Option<Home>, StoreError> {
        self.beneath().home(i_customer).await
    }

    /// See [`Ledger::set_home`].
    async fn set_home(
        &self,
        i_customer: i64,
        expected: Option<&Home>,
        home: &Home,
    ) -> Result<Home, StoreError> {
        self.beneath().set_home(i_customer, expected, home).await
    }

    /// See [`Ledger::once`].
    async fn once(
        &self,
        i_customer: i64,
        key: &str,
        value: Bytes,
        ttl: Duration,
        cap: u64,
    ) -> Result<Once, StoreError> {
        self.beneath().once(i_customer, key, value, ttl, cap).await
    }

    /// See [`Ledger::forget`].
    async fn forget(&self, i_customer: i64, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.beneath().forget(i_customer, key, value).await
    }

    /// See [`Ledger::replace`].
    async fn replace(
        &self,
        i_customer: i64,
        key: &str,
        expected: &[u8],
        value: Bytes,
    ) -> Result<bool, StoreError> {
        self.beneath().replace(i_customer, key, expected, value).await
    }

    /// See [`Ledger::hold`].
    async fn hold(
        &self,
        partition: Partition,
        name: &str,
        holder: &str,
        ttl: Duration,
        note: Option<Bytes>,
    ) -> Result<Option<Bytes>, StoreError> {
        self.beneath().hold(partition, name, holder, ttl, note).await
    }

    /// See [`Ledger::note_presence`].
    async fn note_presence(
        &self,
        i_customer: i64,
        access_number: &str,
        subscriber: &str,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        self.beneath().note_presence(i_customer, access_number, subscriber, ttl).await
    }

    /// See [`Ledger::presence`].
    async fn presence(&self, i_customer: i64, access_number: &str) -> Result<Presence, StoreError> {
        self.beneath().presence(i_customer, access_number).await
    }

    /// See [`Ledger::read_accounting`].
    async fn read_accounting(
        &self,
        partition: Partition,
        after: Position,
        limit: usize,
    ) -> Result<LogChunk, StoreError> {
        self.beneath().read_accounting(partition, after, limit).await
    }

    /// See [`Ledger::trim_accounting`].
    async fn trim_accounting(
        &self,
        partition: Partition,
        up_to: Position,
    ) -> Result<(), StoreError> {
        self.beneath().trim_accounting(partition, up_to).await
    }

    /// See [`Ledger::is_reachable`].
    async fn is_reachable(&self) -> bool {
        self.beneath().is_reachable().await
    }
}

#[async_trait]
impl<T: Overlay> Ledger for T {
    fn partitions(&self) -> u32 {
        Overlay::partitions(self)
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        Overlay::commit(self, commit).await
    }

    async fn read_log(
        &self,
        partition: Partition,
        from: &ReadFrom,
        limit: usize,
        wait: Duration,
    ) -> Result<LogRead, StoreError> {
        Overlay::read_log(self, partition, from, limit, wait).await
    }

    async fn log_bounds(&self, partition: Partition) -> Result<LogBounds, StoreError> {
        Overlay::log_bounds(self, partition).await
    }

    async fn trim_log(&self, partition: Partition) -> Result<(), StoreError> {
        Overlay::trim_log(self, partition).await
    }

    async fn get(&self, partition: Partition, key: &str) -> Result<Option<Bytes>, StoreError> {
        Overlay::get(self, partition, key).await
    }

    async fn page(
        &self,
        partition: Partition,
        index: &str,
        offset: u64,
        limit: u64,
    ) -> Result<Page, StoreError> {
        Overlay::page(self, partition, index, offset, limit).await
    }

    async fn renew_lease(&self, lease: &NodeLease, ttl: Duration) -> Result<u64, LeaseError> {
        Overlay::renew_lease(self, lease, ttl).await
    }

    async fn leases(&self) -> Result<Vec<NodeLease>, StoreError> {
        Overlay::leases(self).await
    }

    async fn remove_lease(&self, node: &str, epoch: u64) -> Result<(), StoreError> {
        Overlay::remove_lease(self, node, epoch).await
    }

    async fn fence(
        &self,
        partition: Partition,
        node: &str,
        node_epoch: u64,
    ) -> Result<(), StoreError> {
        Overlay::fence(self, partition, node, node_epoch).await
    }

    async fn home(&self, i_customer: i64) -> Result<Option<Home>, StoreError> {
        Overlay::home(self, i_customer).await
    }

    async fn set_home(
        &self,
        i_customer: i64,
        expected: Option<&Home>,
        home: &Home,
    ) -> Result<Home, StoreError> {
        Overlay::set_home(self, i_customer, expected, home).await
    }

    async fn once(
        &self,
        i_customer: i64,
        key: &str,
        value: Bytes,
        ttl: Duration,
        cap: u64,
    ) -> Result<Once, StoreError> {
        Overlay::once(self, i_customer, key, value, ttl, cap).await
    }

    async fn forget(&self, i_customer: i64, key: &str, value: &[u8]) -> Result<(), StoreError> {
        Overlay::forget(self, i_customer, key, value).await
    }

    async fn replace(
        &self,
        i_customer: i64,
        key: &str,
        expected: &[u8],
        value: Bytes,
    ) -> Result<bool, StoreError> {
        Overlay::replace(self, i_customer, key, expected, value).await
    }

    async fn hold(
        &self,
        partition: Partition,
        name: &str,
        holder: &str,
        ttl: Duration,
        note: Option<Bytes>,
    ) -> Result<Option<Bytes>, StoreError> {
        Overlay::hold(self, partition, name, holder, ttl, note).await
    }

    async fn note_presence(
        &self,
        i_customer: i64,
        access_number: &str,
        subscriber: &str,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        Overlay::note_presence(self, i_customer, access_number, subscriber, ttl).await
    }

    async fn presence(&self, i_customer: i64, access_number: &str) -> Result<Presence, StoreError> {
        Overlay::presence(self, i_customer, access_number).await
    }

    async fn read_accounting(
        &self,
        partition: Partition,
        after: Position,
        limit: usize,
    ) -> Result<LogChunk, StoreError> {
        Overlay::read_accounting(self, partition, after, limit).await
    }

    async fn trim_accounting(
        &self,
        partition: Partition,
        up_to: Position,
    ) -> Result<(), StoreError> {
        Overlay::trim_accounting(self, partition, up_to).await
    }

    async fn is_reachable(&self) -> bool {
        Overlay::is_reachable(self).await
    }
}
