//! Ends the calls and conferences of a switch node that is gone, so that none stays in lists for
//! ever.
//!
//! Two use it: callcontrol's sweeper when a node is lost, and a switch that starts again, for
//! the calls of its own earlier epochs that it does not go on with. The node is fenced in every partition before anything is
//! read, so what is read is all that it will ever have written. Each call ends in one commit that
//! requires the records of its legs: of several who sweep the same node one ends each leg, and
//! each leg is terminated once.

mod conferences;
mod left;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use proto::call::v1::State;
use proto::switch::v1::{LegRecord, LogEntry, OpenCharge, PhoneRecord, log_entry};

use crate::calls_index::{self, Index};
use crate::clock::{Clock, Timestamp};
use crate::ledger::{Commit, CommitError, Committed, Ledger, Partition, StoreError, Writer};
use crate::phones_index;

pub use left::{Left, left_by};

/// Text of the reason with which legs of a lost node end.
pub const REASON: &str = "Switch Lost";

/// SIP code of that reason.
pub const REASON_CODE: i32 = 503;

/// Legs read at a time.
const PAGE: u64 = 500;

/// Times that one commit is sent before the sweep gives up.
const ATTEMPTS: u32 = 5;

/// Pause before a commit is sent again.
const PAUSE: Duration = Duration::from_millis(200);

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Calls ended.
    pub calls: u64,
    /// Legs ended.
    pub legs: u64,
}

/// What of a node's goes on: a sweep leaves it alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Ids of calls.
    pub calls: BTreeSet<String>,
    /// Ids of conferences.
    pub conferences: BTreeSet<String>,
    /// Accounts (`i_account`) whose phones are in these calls.
    pub phones: BTreeSet<i64>,
}

/// Why a sweep stopped. What it had ended stays ended; another sweep does the rest.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The store did not answer.
    #[error("store is unavailable")]
    Store(#[from] StoreError),
    /// The store did not take a commit.
    #[error("store did not take a commit")]
    Commit(#[source] CommitError),
    /// A process holds the node's name under a higher epoch: the calls are its own to end.
    #[error("node has come back")]
    CameBack,
}

/// Ends every call that `node` has in the store, with "Switch Lost" 503, and refuses whatever it
/// would still write under epochs up to `node_epoch`.
///
/// # Errors
/// When the store does not answer; try again later.
pub async fn end_calls_of(
    ledger: &dyn Ledger,
    node: &str,
    node_epoch: u64,
    clock: &Clock,
) -> Result<Swept, SweepError> {
    end_calls_but(ledger, node, node_epoch, clock, &Kept::default()).await
}

/// As [`end_calls_of`], for a node that starts again and goes on with what is `kept`. It has to be done
/// before the node writes anything under its name: all else that lies there ends.
///
/// # Errors
/// When the store does not answer; try again later.
pub async fn end_calls_but(
    ledger: &dyn Ledger,
    node: &str,
    node_epoch: u64,
    clock: &Clock,
    kept: &Kept,
) -> Result<Swept, SweepError> {
    Sweep { ledger, node, node_epoch, clock, kept, yields: false }.run().await
}

/// As [`end_calls_of`], for who does not hold the node's name: stops when a process takes it
/// under a higher epoch, and never ends a call that such a process began.
///
/// # Errors
/// When the store does not answer, or the node has come back.
pub async fn end_calls_of_lost(
    ledger: &dyn Ledger,
    node: &str,
    node_epoch: u64,
    clock: &Clock,
) -> Result<Swept, SweepError> {
    let kept = &Kept::default();
    Sweep { ledger, node, node_epoch, clock, kept, yields: true }.run().await
}

struct Sweep<'a> {
    ledger: &'a dyn Ledger,
    node: &'a str,
    node_epoch: u64,
    clock: &'a Clock,
    kept: &'a Kept,
    /// Whether a higher epoch of the node stops the sweep.
    yields: bool,
}

/// Records of the legs of one call by key.
type Legs = BTreeMap<String, LegRecord>;

impl Sweep<'_> {
    async fn run(&self) -> Result<Swept, SweepError> {
        for partition in 0..self.ledger.partitions() {
            self.ledger.fence(partition, self.node, self.node_epoch).await?;
        }
        let mut swept = Swept::default();
        // A name of its own for each sweep: no earlier commit bears it, so the store takes the
        // first one whatever epoch the log has.
        let name = format!("sweeper-{}", uuid::Uuid::now_v7().simple());
        for partition in 0..self.ledger.partitions() {
            let name = name.clone();
            let mut writer = Writer { node: name, node_epoch: 1, sequence: 1, log_epoch: None };
            self.partition(partition, &mut writer, &mut swept).await?;
            self.end_conferences(partition, &mut writer).await?;
        }
        Ok(swept)
    }

    async fn partition(
        &self,
        partition: Partition,
        writer: &mut Writer,
        swept: &mut Swept,
    ) -> Result<(), SweepError> {
        let index = Index::Node(self.node).to_string();
        // Calls that had nothing to end, so that what cannot be ended does not stop the rest.
        let mut passed = self.kept.calls.clone();
        let mut offset = 0;
        loop {
            let page = self.ledger.page(partition, &index, offset, PAGE).await?;
            // Asked after the page was read: the calls of a process that came later are not in it.
            self.check_gone().await?;
            let records = page.records.iter().filter(|(key, _)| !phones_index::is_key(key));
            let mut calls: BTreeSet<String> =
                records.filter_map(|(key, value)| call_id(&read(key, value)?)).collect();
            calls.retain(|call| !passed.contains(call));
            if calls.is_empty() {
                let mut phones = phones_of(&page.records, self.node);
                phones.retain(|phone| !self.kept.phones.contains(&phone.i_account));
                if self.free(partition, phones, writer).await? {
                    // What follows has moved up.
                    continue;
                }
                offset += PAGE;
                if offset >= page.total {
                    return Ok(());
                }
            }
            for call in calls {
                let legs = self.end_call(partition, &call, writer).await?;
                swept.legs += legs;
                swept.calls += u64::from(legs > 0);
                if legs == 0 {
                    passed.insert(call);
                }
            }
        }
    }

    async fn check_gone(&self) -> Result<(), SweepError> {
        if !self.yields {
            return Ok(());
        }
        let leases = self.ledger.leases().await?;
        let is_back =
            leases.iter().any(|lease| lease.node == self.node && lease.epoch > self.node_epoch);
        if is_back { Err(SweepError::CameBack) } else { Ok(()) }
    }

    /// Ends the legs of one call; says how many there were.
    async fn end_call(
        &self,
        partition: Partition,
        call_id: &str,
        writer: &mut Writer,
    ) -> Result<u64, SweepError> {
        for _ in 0..ATTEMPTS {
            let legs = self.legs_of(partition, call_id).await?;
            if legs.is_empty() {
                return Ok(0);
            }
            let commit = ending(partition, writer.clone(), &legs, self.clock.now());
            match self.send(&commit).await {
                Ok(done) => {
                    writer.sequence += 1;
                    writer.log_epoch = Some(done.epoch);
                    return Ok(u64::try_from(legs.len()).unwrap_or(u64::MAX));
                }
                // Another has ended some of them: read again.
                Err(CommitError::Conflict) => {}
                Err(CommitError::EpochChanged(epoch)) => {
                    writer.sequence = 1;
                    writer.log_epoch = Some(epoch);
                }
                Err(error @ (CommitError::Fenced | CommitError::Unavailable(_))) => {
                    return Err(SweepError::Commit(error));
                }
            }
        }
        Err(SweepError::Commit(CommitError::Conflict))
    }

    /// Removes what the node said of phones, now that it has no calls here: nobody knows better
    /// than that they are free. False when there was nothing.
    async fn free(
        &self,
        partition: Partition,
        phones: Vec<PhoneRecord>,
        writer: &mut Writer,
    ) -> Result<bool, SweepError> {
        if phones.is_empty() {
            return Ok(false);
        }
        for _ in 0..ATTEMPTS {
            let commit = freeing(partition, writer.clone(), &phones, self.clock.now());
            match self.send(&commit).await {
                Ok(done) => {
                    writer.sequence += 1;
                    writer.log_epoch = Some(done.epoch);
                    return Ok(true);
                }
                // Another has removed some of them: read again.
                Err(CommitError::Conflict) => return Ok(true),
                Err(CommitError::EpochChanged(epoch)) => {
                    writer.sequence = 1;
                    writer.log_epoch = Some(epoch);
                }
                Err(error @ (CommitError::Fenced | CommitError::Unavailable(_))) => {
                    return Err(SweepError::Commit(error));
                }
            }
        }
        Err(SweepError::Commit(CommitError::Conflict))
    }

    /// Commits. Without an answer the very same commit is sent again: it may have been applied.
    async fn send(&self, commit: &Commit) -> Result<Committed, CommitError> {
        let mut failures = 0;
        loop {
            let outcome = self.ledger.commit(commit).await;
            failures += 1;
            if failures == ATTEMPTS || !matches!(outcome, Err(CommitError::Unavailable(_))) {
                return outcome;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The living legs that the node has of a call.
    async fn legs_of(&self, partition: Partition, call_id: &str) -> Result<Legs, SweepError> {
        let index = Index::Call(call_id).to_string();
        let mut legs = Legs::new();
        let mut offset = 0;
        loop {
            let page = self.ledger.page(partition, &index, offset, PAGE).await?;
            let records = page.records.into_iter();
            let decoded =
                records.filter_map(|(key, value)| read(&key, &value).map(|leg| (key, leg)));
            legs.extend(decoded.filter(|(_, leg)| leg.node == self.node));
            offset += PAGE;
            if offset >= page.total {
                return Ok(legs);
            }
        }
    }
}

/// The record, unless it is damaged or lies under another key than its own.
fn read(key: &str, value: &Bytes) -> Option<LegRecord> {
    let record = LegRecord::decode(value.clone()).ok();
    let record = record.filter(|record| calls_index::key_of(record) == key);
    if record.is_none() {
        tracing::error!(key, "record of a leg cannot be read");
    }
    record
}

fn call_id(record: &LegRecord) -> Option<String> {
    record.call_info.as_ref()?.call.as_ref().map(|call| call.id.clone())
}

/// What the node has said of phones, as far as it can be read.
fn phones_of(records: &[(String, Bytes)], node: &str) -> Vec<PhoneRecord> {
    let phones = records.iter().filter(|(key, _)| phones_index::is_key(key));
    phones
        .filter_map(|(key, value)| {
            let record = PhoneRecord::decode(value.clone()).ok()?;
            (record.node == node && phones_index::key_of(&record) == *key).then_some(record)
        })
        .collect()
}

/// The commit that tells of all of `phones` that they are free.
fn freeing(partition: Partition, writer: Writer, phones: &[PhoneRecord], now: Timestamp) -> Commit {
    let mut commit = Commit {
        partition,
        writer,
        require: phones.iter().map(phones_index::key_of).collect(),
        state: Vec::new(),
        index: Vec::new(),
        events: Vec::new(),
        accounting: Vec::new(),
        renew_epoch: false,
    };
    for phone in phones {
        let availability = phones_index::AVAILABLE.to_owned();
        let free = PhoneRecord { availability, ..phone.clone() };
        let (state, index) = phones_index::changes(&free);
        commit.state.extend(state);
        commit.index.extend(index);
        let entry = phones_index::entry_of(&free, now, "");
        commit.events.push(entry.encode_to_vec().into());
    }
    commit
}

/// The commit that ends all of `legs`, which are those of one call.
fn ending(partition: Partition, writer: Writer, legs: &Legs, now: Timestamp) -> Commit {
    let mut commit = Commit {
        partition,
        writer,
        require: legs.keys().cloned().collect(),
        state: Vec::new(),
        index: Vec::new(),
        events: Vec::new(),
        accounting: Vec::new(),
        renew_epoch: false,
    };
    let newest = |record: &LegRecord| {
        let own = record.call_info.as_ref().map_or(0, |info| info.sequence);
        own.max(record.call_sequence)
    };
    let mut sequence = legs.values().map(newest).max().unwrap_or(0);
    for record in legs.values() {
        sequence += 1;
        let ended = ended(record, sequence, now);
        let (state, index) = calls_index::changes(Some(record), &ended);
        commit.accounting.extend(record.charges.iter().filter_map(|open| paid(open, now)));
        commit.state.extend(state);
        commit.index.extend(index);
        commit.events.push(entry(ended, now));
    }
    commit
}

/// The accounting record of a charge that ends now.
fn paid(open: &OpenCharge, now: Timestamp) -> Option<Bytes> {
    let mut record = open.record.clone()?;
    if open.running_since_us > 0 {
        let ran = now.since(Timestamp::from_micros(open.running_since_us));
        let ran = i64::try_from(ran.as_micros()).unwrap_or(i64::MAX);
        record.duration_us = record.duration_us.saturating_add(ran);
        record.disconnect_time_us = now.as_micros();
    }
    record.disconnect_cause = REASON_CODE;
    Some(record.encode_to_vec().into())
}

fn ended(record: &LegRecord, sequence: i64, now: Timestamp) -> LegRecord {
    let mut ended = record.clone();
    ended.charges.clear();
    if let Some(info) = &mut ended.call_info {
        info.set_state(State::Terminated);
        info.update_time = now.as_micros();
        info.duration = calls_index::duration_seconds(info, now);
        info.reason = Some(REASON.to_owned());
        info.reason_code = Some(REASON_CODE);
        info.caused_by = None;
        info.is_corrective = Some(true);
        info.sequence = sequence;
    }
    ended
}

fn entry(ended: LegRecord, now: Timestamp) -> Bytes {
    let callbacks = calls_index::callbacks(&ended);
    let info = ended.call_info.unwrap_or_default();
    let entry = LogEntry {
        i_customer: info.i_customer,
        i_reseller: ended.i_reseller,
        i_accounts: ended.i_accounts,
        access_numbers: ended.access_numbers,
        i_c_queues: ended.i_c_queues,
        time_us: now.as_micros(),
        traceparent: String::new(),
        callbacks,
        body: Some(log_entry::Body::CallState(info)),
    };
    entry.encode_to_vec().into()
}

#[cfg(test)]
mod tests;
