//! The ledger on Redis 6.2 or later: one server, or the master that sentinels name.
//!
//! Every write is one Lua script over keys of one hash tag, so it is atomic, and
//! `commit.lua` decides by the same table as the store in memory (see
//! `ledger/protocol.rs`). Times are the server's, so the clocks of the nodes do
//! not matter. Nothing waits longer than the command time-out (a waiting read:
//! its wait and the command time-out); after that the answer is "unavailable",
//! and the next command connects anew.
//!
//! The server must not evict keys (`maxmemory-policy noeviction`); a warning
//! says so if it may. Scores of indexes are exact up to 2^53.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::{Cmd, Script, Value};
use serde::{Deserialize, Serialize};
use tracing::warn;

pub use self::config::RedisConfig;

use self::answer::{
    array, bounds, bytes, count, entries, items, read, show_position, ttl_millis, unexpected,
};
use self::keys::Keys;
use self::link::{Again, Link, Request};
use self::reader::{Reader, Readers};
use self::scripts::Scripts;
use self::source::Source;
use super::protocol::{ENTRY_OVERHEAD_BYTES, nonce};
use super::{
    Commit, CommitError, Committed, Home, LeaseError, Ledger, LogBounds, LogChunk, LogRead,
    NodeLease, Once, Page, Partition, Position, Presence, ReadFrom, StoreError, partition_of,
};
use crate::config::{Secret, read_secret};

mod answer;
mod commit;
mod config;
mod keys;
mod link;
mod reader;
mod scripts;
mod source;

/// Entries that one call of the trimming script drops at most, so that it does not hold up others.
const TRIM_STEP: u64 = 512;

/// The store on Redis.
#[derive(Debug)]
pub struct RedisLedger {
    config: RedisConfig,
    keys: Keys,
    scripts: Scripts,
    link: Link,
    readers: Readers,
}

/// What a lease says besides its epoch and expiry.
#[derive(Debug, Serialize, Deserialize)]
struct LeaseDetails {
    address: String,
    site: String,
    load: u64,
    accepting: bool,
}

impl RedisLedger {
    /// Makes a ledger and tries a first connection. A server that cannot be reached now is no
    /// error: each operation connects when there is no connection.
    ///
    /// # Errors
    /// When the configuration is wrong: a malformed URL or prefix, no partitions, a password
    /// file that cannot be read.
    pub async fn connect(config: RedisConfig) -> Result<Self, StoreError> {
        let refuse = |what: &str| Err(StoreError { message: what.to_owned() });
        if config.partitions == 0 {
            return refuse("at least one partition is needed");
        }
        if config.key_prefix.contains(['{', '}']) {
            return refuse("the key prefix must not contain braces");
        }
        let password = match config.password_file.as_deref().map(read_secret) {
            Some(Err(_)) => return refuse("the password file cannot be read"),
            Some(Ok(password)) => Some(password),
            None => None,
        };
        let source = Source::parse(&config.url, password.as_ref().map(Secret::expose))?;
        let ledger = Self {
            keys: Keys::new(&config.key_prefix),
            scripts: Scripts::new(),
            link: Link::new(source, config.command_timeout),
            readers: Readers::default(),
            config,
        };
        if let Err(error) = ledger.ping().await {
            warn!(%error, "redis cannot be reached yet");
        }
        Ok(ledger)
    }

    /// Runs a script of a service's own, over keys that nobody else uses: they get the prefix of
    /// the store. A script that could not be answered for may have run.
    ///
    /// # Errors
    /// When the store does not answer or refuses.
    pub async fn evaluate(
        &self,
        script: &Script,
        keys: &[String],
        arguments: &[String],
    ) -> Result<Value, StoreError> {
        let prefix = &self.config.key_prefix;
        let keys: Vec<_> = keys.iter().map(|key| format!("{prefix}:{key}")).collect();
        let give = |command: &mut Cmd| {
            command.arg(arguments);
        };
        self.run(script, &keys, give, Again::Never).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.ask(redis::cmd("PING"), Again::Harmless).await.map(drop)
    }

    async fn ask(&self, command: Cmd, again: Again) -> Result<Value, StoreError> {
        self.link.ask(&Request::Command(command), again).await
    }

    async fn run(
        &self,
        script: &Script,
        keys: &[String],
        arguments: impl FnOnce(&mut Cmd) + Send,
        again: Again,
    ) -> Result<Value, StoreError> {
        let mut command = scripts::run(script, keys);
        arguments(&mut command);
        self.link.ask(&Request::Script(script, command), again).await
    }

    fn check(&self, partition: Partition) -> Result<(), StoreError> {
        if partition < self.config.partitions {
            Ok(())
        } else {
            Err(StoreError { message: format!("no partition {partition}") })
        }
    }

    fn partition_of(&self, i_customer: i64) -> Partition {
        partition_of(i_customer, self.config.partitions)
    }

    fn log_keys(&self, partition: Partition) -> [String; 2] {
        [self.keys.log(partition), self.keys.events(partition)]
    }

    fn once_keys(&self, i_customer: i64) -> [String; 2] {
        let partition = self.partition_of(i_customer);
        [self.keys.once(partition, i_customer), self.keys.once_ages(partition, i_customer)]
    }

    fn presence_key(&self, i_customer: i64, access_number: &str) -> [String; 1] {
        [self.keys.presence(self.partition_of(i_customer), i_customer, access_number)]
    }
}

#[async_trait]
impl Ledger for RedisLedger {
    fn partitions(&self) -> u32 {
        self.config.partitions
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        self.check(commit.partition).map_err(CommitError::Unavailable)?;
        let script = &self.scripts.commit;
        let command = commit::command(commit, &self.keys, script, self.config.max_bytes);
        // The sequence tells the second of two from the first.
        let request = Request::Script(script, command);
        commit::outcome(self.link.ask(&request, Again::Harmless).await)
    }

    async fn read_log(
        &self,
        partition: Partition,
        from: &ReadFrom,
        limit: usize,
        wait: Duration,
    ) -> Result<LogRead, StoreError> {
        self.check(partition)?;
        let limit = limit.clamp(1, 1 << 20);
        let Self { link, keys, readers, .. } = self;
        let read_script = &self.scripts.read;
        let reader = Reader { link, keys, readers, read_script, partition, limit };
        if let Some(read) = reader.read(from, wait).await? {
            return Ok(read);
        }
        // An empty store: the first epoch begins, and whoever knew another hears of it.
        self.log_bounds(partition).await?;
        reader.read(from, wait).await?.ok_or_else(unexpected)
    }

    async fn log_bounds(&self, partition: Partition) -> Result<LogBounds, StoreError> {
        self.check(partition)?;
        let keys = self.log_keys(partition);
        let arguments = |command: &mut Cmd| {
            command.arg(nonce());
        };
        let answer = self.run(&self.scripts.bounds, &keys, arguments, Again::Harmless).await?;
        bounds(answer)?.ok_or_else(unexpected)
    }

    async fn trim_log(&self, partition: Partition) -> Result<(), StoreError> {
        self.check(partition)?;
        let keys = self.log_keys(partition);
        loop {
            let arguments = |command: &mut Cmd| {
                command
                    .arg(ttl_millis(self.config.retention))
                    .arg(self.config.max_bytes)
                    .arg(ENTRY_OVERHEAD_BYTES)
                    .arg(TRIM_STEP);
            };
            let script = &self.scripts.trim_log;
            let dropped: u64 = read(self.run(script, &keys, arguments, Again::Harmless).await?)?;
            if dropped < TRIM_STEP {
                return Ok(());
            }
        }
    }

    async fn get(&self, partition: Partition, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.check(partition)?;
        let mut command = redis::cmd("GET");
        command.arg(self.keys.record(partition, key));
        bytes(self.ask(command, Again::Harmless).await?)
    }

    async fn page(
        &self,
        partition: Partition,
        index: &str,
        offset: u64,
        limit: u64,
    ) -> Result<Page, StoreError> {
        self.check(partition)?;
        let keys = [self.keys.index(partition, index)];
        let prefix = self.keys.record(partition, "");
        let arguments = |command: &mut Cmd| {
            command.arg(prefix).arg(count(offset)).arg(count(limit));
        };
        let answer = self.run(&self.scripts.page, &keys, arguments, Again::Harmless).await?;
        let mut answer = array(answer)?.into_iter();
        let total = read(answer.next().ok_or_else(unexpected)?)?;
        let mut records = Vec::with_capacity(answer.len() / 2);
        while let (Some(member), Some(record)) = (answer.next(), answer.next()) {
            records.push((read(member)?, bytes(record)?.ok_or_else(unexpected)?));
        }
        Ok(Page { total, records })
    }

    async fn renew_lease(&self, lease: &NodeLease, ttl: Duration) -> Result<u64, LeaseError> {
        let keys = [self.keys.leases(), self.keys.lease_epochs()];
        let details = LeaseDetails {
            address: lease.address.clone(),
            site: lease.site.clone(),
            load: lease.load,
            accepting: lease.accepting,
        };
        let details =
            serde_json::to_vec(&details).map_err(|_| LeaseError::Unavailable(unexpected()))?;
        let arguments = |command: &mut Cmd| {
            command.arg(&lease.node).arg(lease.epoch).arg(ttl_millis(ttl)).arg(details);
        };
        let epoch: Option<u64> = self
            .run(&self.scripts.renew_lease, &keys, arguments, Again::Harmless)
            .await
            .and_then(read)
            .map_err(LeaseError::Unavailable)?;
        epoch.ok_or(LeaseError::Lost)
    }

    async fn leases(&self) -> Result<Vec<NodeLease>, StoreError> {
        let mut pipeline = redis::pipe();
        pipeline.atomic().cmd("TIME").cmd("HGETALL").arg(self.keys.leases());
        let answer = self.link.ask(&Request::Pipeline(pipeline), Again::Harmless).await?;
        let [time, held] = items(answer)?;
        let (seconds, micros): (u64, u64) = read(time)?;
        let now_millis = seconds * 1000 + micros / 1000;
        let held: HashMap<String, Vec<u8>> = read(held)?;
        let mut leases: Vec<NodeLease> = held
            .into_iter()
            .map(|(node, lease)| parse_lease(node, &lease, now_millis).ok_or_else(unexpected))
            .collect::<Result<_, _>>()?;
        leases.sort_by(|a, b| a.node.cmp(&b.node));
        Ok(leases)
    }

    async fn remove_lease(&self, node: &str, epoch: u64) -> Result<(), StoreError> {
        let arguments = |command: &mut Cmd| {
            command.arg(node).arg(epoch);
        };
        let keys = [self.keys.leases()];
        self.run(&self.scripts.remove_lease, &keys, arguments, Again::Harmless).await.map(drop)
    }

    async fn fence(
        &self,
        partition: Partition,
        node: &str,
        node_epoch: u64,
    ) -> Result<(), StoreError> {
        self.check(partition)?;
        let arguments = |command: &mut Cmd| {
            command.arg(node).arg(node_epoch);
        };
        let keys = [self.keys.log(partition)];
        self.run(&self.scripts.fence, &keys, arguments, Again::Harmless).await.map(drop)
    }

    async fn home(&self, i_customer: i64) -> Result<Option<Home>, StoreError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.keys.homes(self.partition_of(i_customer))).arg(i_customer);
        let home: Option<String> = read(self.ask(command, Again::Harmless).await?)?;
        home.map(|home| parse_home(&home)).transpose()
    }

    async fn set_home(
        &self,
        i_customer: i64,
        expected: Option<&Home>,
        home: &Home,
    ) -> Result<Home, StoreError> {
        let keys = [self.keys.homes(self.partition_of(i_customer))];
        let arguments = |command: &mut Cmd| {
            let expected = expected.map(show_home).unwrap_or_default();
            command.arg(i_customer).arg(expected).arg(show_home(home));
        };
        let answer = self.run(&self.scripts.set_home, &keys, arguments, Again::Harmless).await?;
        parse_home(&read::<String>(answer)?)
    }

    async fn once(
        &self,
        i_customer: i64,
        key: &str,
        value: Bytes,
        ttl: Duration,
        cap: u64,
    ) -> Result<Once, StoreError> {
        let keys = self.once_keys(i_customer);
        let arguments = |command: &mut Cmd| {
            let ttl_micros = ttl_millis(ttl).saturating_mul(1000);
            command.arg(key).arg(&*value).arg(ttl_micros).arg(count(cap.max(1)));
        };
        let answer = self.run(&self.scripts.once, &keys, arguments, Again::Never).await?;
        Ok(bytes(answer)?.map_or(Once::Written, Once::Existing))
    }

    async fn forget(&self, i_customer: i64, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let keys = self.once_keys(i_customer);
        let arguments = |command: &mut Cmd| {
            command.arg(key).arg(value);
        };
        self.run(&self.scripts.forget, &keys, arguments, Again::Harmless).await.map(drop)
    }

    async fn replace(
        &self,
        i_customer: i64,
        key: &str,
        expected: &[u8],
        value: Bytes,
    ) -> Result<bool, StoreError> {
        let keys = self.once_keys(i_customer);
        let arguments = |command: &mut Cmd| {
            command.arg(key).arg(expected).arg(&*value);
        };
        let script = &self.scripts.replace;
        // The second of two finds the new value there and says so.
        read(self.run(script, &keys[..1], arguments, Again::Harmless).await?)
    }

    async fn hold(
        &self,
        partition: Partition,
        name: &str,
        holder: &str,
        ttl: Duration,
        note: Option<Bytes>,
    ) -> Result<Option<Bytes>, StoreError> {
        self.check(partition)?;
        let keys = [self.keys.hold(partition, name)];
        let arguments = |command: &mut Cmd| {
            let ttl = if ttl.is_zero() { 0 } else { ttl_millis(ttl) };
            command.arg(holder).arg(ttl);
            if let Some(note) = &note {
                command.arg(&**note);
            }
        };
        bytes(self.run(&self.scripts.hold, &keys, arguments, Again::Harmless).await?)
    }

    async fn note_presence(
        &self,
        i_customer: i64,
        access_number: &str,
        subscriber: &str,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let keys = self.presence_key(i_customer, access_number);
        let arguments = |command: &mut Cmd| {
            command.arg(subscriber).arg(ttl_millis(ttl));
        };
        self.run(&self.scripts.note_presence, &keys, arguments, Again::Harmless).await.map(drop)
    }

    async fn presence(&self, i_customer: i64, access_number: &str) -> Result<Presence, StoreError> {
        let keys = self.presence_key(i_customer, access_number);
        let answer = self.run(&self.scripts.presence, &keys, |_| (), Again::Harmless).await?;
        let (listeners, remaining_millis) = read(answer)?;
        Ok(Presence { listeners, remaining: Duration::from_millis(remaining_millis) })
    }

    async fn read_accounting(
        &self,
        partition: Partition,
        after: Position,
        limit: usize,
    ) -> Result<LogChunk, StoreError> {
        self.check(partition)?;
        let keys = [self.keys.log(partition), self.keys.accounting(partition)];
        let arguments = |command: &mut Cmd| {
            command.arg(format!("({}", show_position(after))).arg(limit.clamp(1, 1 << 20));
        };
        let answer = self.run(&self.scripts.read, &keys, arguments, Again::Harmless).await?;
        let [its_bounds, records] = items(answer)?;
        let epoch = match bounds(its_bounds)? {
            Some(bounds) => bounds.epoch,
            None => self.log_bounds(partition).await?.epoch,
        };
        Ok(LogChunk { epoch, entries: entries(records)? })
    }

    async fn trim_accounting(
        &self,
        partition: Partition,
        up_to: Position,
    ) -> Result<(), StoreError> {
        self.check(partition)?;
        let first_kept = Position { sequence: up_to.sequence.saturating_add(1), ..up_to };
        let mut command = redis::cmd("XTRIM");
        command
            .arg(self.keys.accounting(partition))
            .arg("MINID")
            .arg("=")
            .arg(show_position(first_kept));
        self.ask(command, Again::Harmless).await.map(drop)
    }

    async fn is_reachable(&self) -> bool {
        self.ping().await.is_ok()
    }
}

/// Reads `<epoch> <expiry in milliseconds> <details>`.
fn parse_lease(node: String, held: &[u8], now_millis: u64) -> Option<NodeLease> {
    let held = std::str::from_utf8(held).ok()?;
    let mut words = held.splitn(3, ' ');
    let epoch = words.next()?.parse().ok()?;
    let expires_millis: u64 = words.next()?.parse().ok()?;
    let LeaseDetails { address, site, load, accepting } =
        serde_json::from_str(words.next()?).ok()?;
    let remaining = Duration::from_millis(expires_millis.saturating_sub(now_millis));
    Some(NodeLease { node, epoch, address, site, load, accepting, remaining })
}

fn show_home(home: &Home) -> String {
    format!("{} {}", home.node_epoch, home.node)
}

fn parse_home(text: &str) -> Result<Home, StoreError> {
    let (node_epoch, node) = text.split_once(' ').ok_or_else(unexpected)?;
    let node_epoch = node_epoch.parse().map_err(|_| unexpected())?;
    Ok(Home { node: node.to_owned(), node_epoch })
}
