//! A store under test and what can be done to it, whichever form it has.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh::Clock;
use mesh::ledger::memory::{MemoryConfig, MemoryLedger};
use mesh::ledger::redis::{RedisConfig, RedisLedger};
use mesh::ledger::{
    Commit, CommitError, Committed, Epoch, IndexChange, Ledger, LogRead, Partition, Position,
    ReadFrom, StateChange, Writer,
};
use mesh::testing::redis::RedisServer;
use tokio::time::Instant;

/// How long a condition may take to come true.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Form of a store.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Memory { partitions: u32 },
    Redis,
}

/// What a log keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retention {
    pub(super) time: Duration,
    pub(super) max_bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { time: Duration::from_hours(1), max_bytes: 64 << 20 }
    }
}

/// A store under test.
#[derive(Debug)]
pub(super) enum Subject {
    Memory(Arc<MemoryLedger>),
    Redis(Arc<RedisLedger>, Box<RedisServer>),
}

impl Deref for Subject {
    type Target = dyn Ledger;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Memory(ledger) => &**ledger,
            Self::Redis(ledger, _) => &**ledger,
        }
    }
}

impl Subject {
    pub(super) async fn of(kind: Kind) -> Self {
        Self::retaining(kind, Retention::default()).await
    }

    pub(super) async fn retaining(kind: Kind, retention: Retention) -> Self {
        let Retention { time, max_bytes } = retention;
        match kind {
            Kind::Memory { partitions } => {
                let config = MemoryConfig { partitions, retention: time, max_bytes };
                Self::Memory(Arc::new(MemoryLedger::new(Clock::system(), config)))
            }
            Kind::Redis => {
                let server = RedisServer::start().await;
                let config = RedisConfig { retention: time, max_bytes, ..redis_config(&server) };
                Self::Redis(connect(config).await, Box::new(server))
            }
        }
    }

    /// The store loses all that it holds.
    pub(super) async fn come_back_empty(&mut self) {
        match self {
            Self::Memory(ledger) => ledger.forget_everything(),
            Self::Redis(_, server) => server.restart_empty().await,
        }
        self.until_reachable().await;
    }

    /// What has been written so far is durable; the next commit may be lost.
    pub(super) async fn make_durable(&self) {
        if let Self::Redis(_, server) = self {
            server.save().await;
        }
    }

    /// The store comes back without the last commit, the only one since [`Self::make_durable`].
    pub(super) async fn lose_last_commit(&mut self, partition: Partition) {
        match self {
            Self::Memory(ledger) => assert!(ledger.forget_last_commit(partition)),
            Self::Redis(_, server) => {
                server.kill().await;
                server.restart().await;
            }
        }
        self.until_reachable().await;
    }

    pub(super) async fn until_reachable(&self) {
        until("the store answers", async || self.is_reachable().await.then_some(())).await;
    }

    /// All entries of a log.
    pub(super) async fn events(&self, partition: Partition) -> Vec<Bytes> {
        entries(self.read_log(partition, &ReadFrom::Oldest, usize::MAX, Duration::ZERO).await)
            .into_iter()
            .map(|(_, event)| event)
            .collect()
    }

    pub(super) async fn epoch(&self, partition: Partition) -> Epoch {
        self.log_bounds(partition).await.unwrap().epoch
    }
}

pub(super) fn redis_config(server: &RedisServer) -> RedisConfig {
    RedisConfig { url: server.url(), ..RedisConfig::default() }
}

pub(super) async fn connect(config: RedisConfig) -> Arc<RedisLedger> {
    Arc::new(RedisLedger::connect(config).await.unwrap())
}

/// The entries of a read that gave entries.
pub(super) fn entries(read: Result<LogRead, mesh::ledger::StoreError>) -> Vec<(Position, Bytes)> {
    match read {
        Ok(LogRead::Entries(chunk)) => chunk.entries,
        other => panic!("expected entries, got {other:?}"),
    }
}

/// Asks until there is something, and fails with `what` when it takes too long.
pub(super) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A node that commits to one partition and counts as the port asks.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) partition: Partition,
    pub(super) writer: Writer,
}

impl Node {
    pub(super) fn new(name: &str) -> Self {
        Self::with_epoch(name, 1)
    }

    pub(super) fn with_epoch(name: &str, node_epoch: u64) -> Self {
        let writer = Writer { node: name.to_owned(), node_epoch, sequence: 1, log_epoch: None };
        Self { partition: 0, writer }
    }

    /// The next commit, still without content.
    pub(super) fn draft(&self) -> Commit {
        Commit {
            partition: self.partition,
            writer: self.writer.clone(),
            require: Vec::new(),
            state: Vec::new(),
            index: Vec::new(),
            events: Vec::new(),
            accounting: Vec::new(),
            renew_epoch: false,
        }
    }

    /// Sends the commit and draws the conclusions that every writer has to draw.
    pub(super) async fn send(
        &mut self,
        ledger: &dyn Ledger,
        commit: &Commit,
    ) -> Result<Committed, CommitError> {
        let outcome = ledger.commit(commit).await;
        match &outcome {
            Ok(committed) => {
                self.writer.sequence += 1;
                self.writer.log_epoch = Some(committed.epoch.clone());
            }
            Err(CommitError::EpochChanged(epoch)) => {
                self.writer.sequence = 1;
                self.writer.log_epoch = Some(epoch.clone());
            }
            Err(_) => {}
        }
        outcome
    }

    /// Commits one event.
    pub(super) async fn say(
        &mut self,
        ledger: &dyn Ledger,
        event: &str,
    ) -> Result<Committed, CommitError> {
        let commit = self.draft().event(event);
        self.send(ledger, &commit).await
    }
}

/// Fills a commit.
pub(super) trait Draft: Sized {
    fn put(self, key: &str, value: &str) -> Self;
    fn put_for(self, key: &str, value: &str, ttl: Duration) -> Self;
    fn delete(self, key: &str) -> Self;
    fn add(self, index: &str, member: &str, score: i64) -> Self;
    fn remove(self, index: &str, member: &str) -> Self;
    fn event(self, event: &str) -> Self;
    fn account(self, record: &str) -> Self;
    fn require(self, key: &str) -> Self;
    fn renewing(self) -> Self;
}

impl Draft for Commit {
    fn put(mut self, key: &str, value: &str) -> Self {
        self.state.push(StateChange::Put { key: key.to_owned(), value: bytes(value), ttl: None });
        self
    }

    fn put_for(mut self, key: &str, value: &str, ttl: Duration) -> Self {
        let ttl = Some(ttl);
        self.state.push(StateChange::Put { key: key.to_owned(), value: bytes(value), ttl });
        self
    }

    fn delete(mut self, key: &str) -> Self {
        self.state.push(StateChange::Delete { key: key.to_owned() });
        self
    }

    fn add(mut self, index: &str, member: &str, score: i64) -> Self {
        let (index, member) = (index.to_owned(), member.to_owned());
        self.index.push(IndexChange::Add { index, member, score });
        self
    }

    fn remove(mut self, index: &str, member: &str) -> Self {
        let (index, member) = (index.to_owned(), member.to_owned());
        self.index.push(IndexChange::Remove { index, member });
        self
    }

    fn event(mut self, event: &str) -> Self {
        self.events.push(bytes(event));
        self
    }

    fn account(mut self, record: &str) -> Self {
        self.accounting.push(bytes(record));
        self
    }

    fn require(mut self, key: &str) -> Self {
        self.require.push(key.to_owned());
        self
    }

    fn renewing(mut self) -> Self {
        self.renew_epoch = true;
        self
    }
}

pub(super) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// The epoch that a refused commit was told.
pub(super) fn told_epoch(outcome: Result<Committed, CommitError>) -> Epoch {
    match outcome {
        Err(CommitError::EpochChanged(epoch)) => epoch,
        other => panic!("expected another epoch, got {other:?}"),
    }
}
