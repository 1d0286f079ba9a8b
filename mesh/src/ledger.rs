//! The ledger: the store's side of the engine. One atomic [`Ledger::commit`]
//! writes state, indexes, events and accounting of one partition; everything
//! else reads, or keeps small shared records (leases, homes, idempotency,
//! presence).
//!
//! Two forms implement the port, in memory and on Redis; one conformance suite
//! runs against both.
//!
//! # Partitions, epochs, positions
//!
//! Keys and events of a customer live in partition `hash(i_customer) % partitions`.
//! Each partition has a log with an *epoch*: a name that is new whenever the store
//! came back empty or without a commit that it had acknowledged. A [`Position`] means
//! something only together with its epoch.
//!
//! # What a writer does
//!
//! It begins with `sequence` 1 and no `log_epoch`, one commit of a partition after the
//! other. What it is told decides the next:
//!
//! | answer | next |
//! |---|---|
//! | `Ok` | `sequence + 1`, `log_epoch` as answered |
//! | [`CommitError::Unavailable`] | the same commit again |
//! | [`CommitError::Conflict`] | another commit with the same `sequence` |
//! | [`CommitError::EpochChanged`] | its whole state, from `sequence` 1, with the told epoch |
//! | [`CommitError::Fenced`] | nothing more |
//!
//! An epoch empties the log alone. Records and index members stay, also those whose
//! removal the store forgot, so a writer that sends its whole state removes as well what
//! it finds of its own and does not have any more.
//!
//! The store keeps a note of each writer's name in each partition it wrote to: names are
//! to be used again, not made up for each commit.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

mod epoch;
pub mod memory;
mod protocol;
pub mod redis;

pub use epoch::{Epoch, NotAnEpoch};

/// Number of a partition, from 0.
pub type Partition = u32;

/// Place of an entry in a partition's log; 0-0 is before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Milliseconds since 1970 UTC by the store's clock.
    pub millis: u64,
    /// Distinguishes entries of one millisecond.
    pub sequence: u64,
}

/// Who commits. A node counts its commits in each partition, so that a commit whose answer was
/// lost can be sent again without being applied twice, and a store that forgot one is found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// Name of the node; a sweeper writes under a name of its own. A process that wrote under a
    /// lower node epoch of the same name is refused as fenced.
    pub node: String,
    /// The node's lease epoch; below the fence of the partition every commit is refused.
    pub node_epoch: u64,
    /// Number of this commit by this node epoch in this partition, from 1.
    pub sequence: u64,
    /// The log's epoch as the writer last saw it; `None` before its first commit.
    pub log_epoch: Option<Epoch>,
}

/// A change of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// Writes the record.
    Put {
        /// Key, unique in the partition.
        key: String,
        /// New value.
        value: Bytes,
        /// How long the record is kept; `None` for ever.
        ttl: Option<Duration>,
    },
    /// Removes the record.
    Delete {
        /// Key.
        key: String,
    },
}

/// A change of one sorted index, whose members are keys of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexChange {
    /// Adds the member, or moves it to `score`.
    Add {
        /// The index.
        index: String,
        /// The member.
        member: String,
        /// Order in the index, ascending; ties by member. Exact within 2^53 either way.
        score: i64,
    },
    /// Removes the member.
    Remove {
        /// The index.
        index: String,
        /// The member.
        member: String,
    },
}

/// One atomic write to one partition.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The partition.
    pub partition: Partition,
    /// Who writes.
    pub writer: Writer,
    /// Keys that must exist, else nothing is written ([`CommitError::Conflict`]). A sweeper uses
    /// it so that a leg ends once.
    pub require: Vec<String>,
    /// Records.
    pub state: Vec<StateChange>,
    /// Indexes.
    pub index: Vec<IndexChange>,
    /// Events, appended in this order.
    pub events: Vec<Bytes>,
    /// Accounting records, appended in this order; kept until auth trims them.
    pub accounting: Vec<Bytes>,
    /// Begins a new epoch with this commit, although the store lost nothing: the writer had to
    /// drop events. The log starts afresh.
    pub renew_epoch: bool,
}

/// What a commit came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The log's epoch.
    pub epoch: Epoch,
    /// Position of the last event written; of the log's end when there was none.
    pub last: Position,
}

/// Why a commit was not applied.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The node has been declared lost; it must write nothing more.
    #[error("node is fenced in this partition")]
    Fenced,
    /// The store came back empty, without an acknowledged commit, or with another epoch than the
    /// writer knew. Nothing was written. The writer sends its whole state again, with
    /// `log_epoch` set to this epoch and `sequence` 1.
    #[error("log has another epoch")]
    EpochChanged(Epoch),
    /// A required key does not exist; nothing was written, and the sequence is still free.
    #[error("required record is gone")]
    Conflict,
    /// The store did not answer. Whether the commit was applied is unknown; sending it again
    /// with the same sequence is safe.
    #[error("store is unavailable")]
    Unavailable(#[source] StoreError),
}

/// The store could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("store: {message}")]
pub struct StoreError {
    /// What went wrong, without addresses or credentials.
    pub message: String,
}

/// Entries of a log, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogChunk {
    /// The log's epoch; entries of another epoch are not mixed in.
    pub epoch: Epoch,
    /// The entries.
    pub entries: Vec<(Position, Bytes)>,
}

/// Ends of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogBounds {
    /// The epoch.
    pub epoch: Epoch,
    /// Everything after this place is still there; 0-0 when nothing was ever trimmed.
    pub trimmed_to: Position,
    /// The newest entry; 0-0 in an empty log.
    pub last: Position,
}

/// Where a reader stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    /// After this place of this epoch.
    After(Epoch, Position),
    /// From the oldest entry of whatever epoch there is; in an empty log, from the next.
    Oldest,
}

/// What a read of the log gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogRead {
    /// Entries, possibly none.
    Entries(LogChunk),
    /// The log has another epoch than the reader: what lay between is lost. Go on from `Oldest`.
    EpochChanged(Epoch),
    /// The reader's place has been trimmed away, or lies beyond the end of a log that lost its
    /// tail. Go on from `Oldest`.
    Trimmed(LogBounds),
}

/// A page of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Members in the whole index.
    pub total: u64,
    /// Keys and records of the page in the index's order; records that expired are left out, and
    /// their members leave the index.
    pub records: Vec<(String, Bytes)>,
}

/// A node's sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeLease {
    /// Name of the node.
    pub node: String,
    /// Epoch of the lease: one higher at each start of the process, or after the lease was lost.
    pub epoch: u64,
    /// Where its command API listens, as `mesh::net` understands it.
    pub address: String,
    /// Its site.
    pub site: String,
    /// Live legs, for placement.
    pub load: u64,
    /// False while it drains: no new customers.
    pub accepting: bool,
    /// Time left; zero for a lapsed lease, which is listed until it is removed.
    pub remaining: Duration,
}

/// A customer's home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The node.
    pub node: String,
    /// The node's epoch when it became the home.
    pub node_epoch: u64,
}

/// Who listens to an access number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// How many.
    pub listeners: u64,
    /// How long it is at least until the last of them is forgotten, unless one is noted again.
    pub remaining: Duration,
}

/// What became of a record that is written once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Once {
    /// It was written now.
    Written,
    /// It was there already, with this value.
    Existing(Bytes),
}

/// The store.
#[async_trait]
pub trait Ledger: Send + Sync + std::fmt::Debug + 'static {
    /// Number of partitions.
    fn partitions(&self) -> u32;

    /// Writes all or nothing.
    ///
    /// # Errors
    /// See [`CommitError`].
    async fn commit(&self, commit: &Commit) -> Result<Committed, CommitError>;

    /// Reads up to `limit` entries; waits up to `wait` for the first when there is none. Any other
    /// answer comes at once; only an epoch that begins while a read waits may be told no sooner
    /// than its first entry, or the end of the wait.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn read_log(
        &self,
        partition: Partition,
        from: &ReadFrom,
        limit: usize,
        wait: Duration,
    ) -> Result<LogRead, StoreError>;

    /// The ends of a log; begins the first epoch when there is none.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn log_bounds(&self, partition: Partition) -> Result<LogBounds, StoreError>;

    /// Drops entries older than the retention (time and bytes) of the store's configuration. To
    /// be called now and then: commits by themselves keep to the bytes, not to the time.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn trim_log(&self, partition: Partition) -> Result<(), StoreError>;

    /// Reads one record.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn get(&self, partition: Partition, key: &str) -> Result<Option<Bytes>, StoreError>;

    /// Reads one page of an index with its records.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn page(
        &self,
        partition: Partition,
        index: &str,
        offset: u64,
        limit: u64,
    ) -> Result<Page, StoreError>;

    /// Takes or renews a node's lease for `ttl`. `epoch` 0 asks for a new epoch, one above all
    /// that the node ever had; otherwise the lease is renewed under it. A store that came back
    /// empty takes the given epoch as it is.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] when another process took the node's name with a higher epoch, or the
    /// lease of this epoch was removed.
    async fn renew_lease(&self, lease: &NodeLease, ttl: Duration) -> Result<u64, LeaseError>;

    /// All leases, lapsed ones included.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn leases(&self) -> Result<Vec<NodeLease>, StoreError>;

    /// Removes a lease of this epoch: the node has stopped or has been swept.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn remove_lease(&self, node: &str, epoch: u64) -> Result<(), StoreError>;

    /// From now on refuses commits in `partition` by `node` under epochs up to `node_epoch`.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn fence(
        &self,
        partition: Partition,
        node: &str,
        node_epoch: u64,
    ) -> Result<(), StoreError>;

    /// A customer's home, if it has one.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn home(&self, i_customer: i64) -> Result<Option<Home>, StoreError>;

    /// Makes `home` the customer's home if the present one is `expected`, or if there is none;
    /// returns the home that stands afterwards.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn set_home(
        &self,
        i_customer: i64,
        expected: Option<&Home>,
        home: &Home,
    ) -> Result<Home, StoreError>;

    /// Writes a small record of a customer once, for `ttl`; at most `cap` such records are kept
    /// for a customer, the oldest go first. Used for `request_id`.
    ///
    /// # Errors
    /// When the store cannot be asked. Whether it was written is then unknown: a second try may
    /// find the first one's value.
    async fn once(
        &self,
        i_customer: i64,
        key: &str,
        value: Bytes,
        ttl: Duration,
        cap: u64,
    ) -> Result<Once, StoreError>;

    /// Forgets a record written by [`Ledger::once`] if it still has `value`.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn forget(&self, i_customer: i64, key: &str, value: &[u8]) -> Result<(), StoreError>;

    /// Gives a record written by [`Ledger::once`] another value if it still has `expected`; it is
    /// kept as long as before. True when it has `value` now, also from an earlier attempt; false
    /// when it has another one, was never written, or is gone.
    ///
    /// # Errors
    /// When the store cannot be asked. Asking again is safe.
    async fn replace(
        &self,
        i_customer: i64,
        key: &str,
        expected: &[u8],
        value: Bytes,
    ) -> Result<bool, StoreError>;

    /// Takes or keeps for `ttl` something of the partition that one holder has at a time, such as
    /// the sending of its webhooks; a `ttl` of zero gives it back. Somebody else gets it when it was
    /// given back, or when its time is over.
    ///
    /// Returns the note that goes with it, empty in the beginning; `None` when another holds it. A
    /// `note` replaces it, but only of who held it before: who takes it over learns what the last
    /// holder has noted.
    ///
    /// # Errors
    /// When the store cannot be asked. Asking again is safe.
    async fn hold(
        &self,
        partition: Partition,
        name: &str,
        holder: &str,
        ttl: Duration,
        note: Option<Bytes>,
    ) -> Result<Option<Bytes>, StoreError>;

    /// Notes that `subscriber` listens to `access_number` of the customer, for `ttl`.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn note_presence(
        &self,
        i_customer: i64,
        access_number: &str,
        subscriber: &str,
        ttl: Duration,
    ) -> Result<(), StoreError>;

    /// Who listens to `access_number` now.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn presence(&self, i_customer: i64, access_number: &str) -> Result<Presence, StoreError>;

    /// Accounting records after `after`, oldest first, up to `limit`. Their positions go on from
    /// epoch to epoch.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn read_accounting(
        &self,
        partition: Partition,
        after: Position,
        limit: usize,
    ) -> Result<LogChunk, StoreError>;

    /// Drops accounting records up to and with `up_to`: they are in SQL.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn trim_accounting(
        &self,
        partition: Partition,
        up_to: Position,
    ) -> Result<(), StoreError>;

    /// True while the store answers.
    async fn is_reachable(&self) -> bool;
}

/// Why a lease was not renewed.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another process has the node's name under a higher epoch.
    #[error("another process holds the lease")]
    Lost,
    /// The store did not answer.
    #[error("store is unavailable")]
    Unavailable(#[source] StoreError),
}

/// The partition of a customer: stable for ever, the same in every service.
#[must_use]
pub fn partition_of(i_customer: i64, partitions: u32) -> Partition {
    crc32fast::hash(&i_customer.to_be_bytes()) % partitions.max(1)
}
