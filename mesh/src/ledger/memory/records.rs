//! Records with their times to live, and the sorted indexes over them.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::ledger::{IndexChange, Page, StateChange};

/// One record.
#[derive(Clone, Debug)]
pub(super) struct Record {
    value: Bytes,
    expires: Option<Timestamp>,
}

/// All records of a partition.
#[derive(Debug, Default)]
pub(super) struct Records {
    by_key: HashMap<String, Record>,
    by_expiry: BTreeSet<(Timestamp, String)>,
}

impl Records {
    pub(super) fn get(&self, key: &str, now: Timestamp) -> Option<&Bytes> {
        let record = self.by_key.get(key)?;
        (record.expires.is_none_or(|at| at > now)).then_some(&record.value)
    }

    /// Applies the change and returns the key with the record that it replaced.
    pub(super) fn apply(
        &mut self,
        change: &StateChange,
        now: Timestamp,
    ) -> (String, Option<Record>) {
        match change {
            StateChange::Put { key, value, ttl } => {
                let expires = ttl.map(|ttl| now.plus(ttl));
                let record = Record { value: value.clone(), expires };
                (key.clone(), self.replace(key.clone(), Some(record)))
            }
            StateChange::Delete { key } => (key.clone(), self.replace(key.clone(), None)),
        }
    }

    /// Puts `record` in place of what is under `key`, which is returned.
    pub(super) fn replace(&mut self, key: String, record: Option<Record>) -> Option<Record> {
        let old = self.by_key.remove(&key);
        if let Some(at) = old.as_ref().and_then(|old| old.expires) {
            self.by_expiry.remove(&(at, key.clone()));
        }
        if let Some(record) = record {
            if let Some(at) = record.expires {
                self.by_expiry.insert((at, key.clone()));
            }
            self.by_key.insert(key, record);
        }
        old
    }

    /// Frees what has expired.
    pub(super) fn expire(&mut self, now: Timestamp) {
        while self.by_expiry.first().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, key)) = self.by_expiry.pop_first() {
                self.by_key.remove(&key);
            }
        }
    }
}

/// All indexes of a partition.
#[derive(Debug, Default)]
pub(super) struct Indexes(HashMap<String, Index>);

#[derive(Debug, Default)]
struct Index {
    scores: HashMap<String, i64>,
    order: BTreeSet<(i64, String)>,
}

/// Index, member and the score it had before.
pub(super) type Displaced = (String, String, Option<i64>);

impl Indexes {
    /// Applies the change and returns what it displaced.
    pub(super) fn apply(&mut self, change: &IndexChange) -> Displaced {
        let (index, member, score) = match change {
            IndexChange::Add { index, member, score } => (index, member, Some(*score)),
            IndexChange::Remove { index, member } => (index, member, None),
        };
        (index.clone(), member.clone(), self.replace(index, member, score))
    }

    /// Gives the member `score`, or removes it; returns the score it had.
    pub(super) fn replace(&mut self, index: &str, member: &str, score: Option<i64>) -> Option<i64> {
        let entry = self.0.entry(index.to_owned()).or_default();
        let old = entry.scores.remove(member);
        if let Some(old) = old {
            entry.order.remove(&(old, member.to_owned()));
        }
        if let Some(score) = score {
            entry.scores.insert(member.to_owned(), score);
            entry.order.insert((score, member.to_owned()));
        }
        if entry.scores.is_empty() {
            self.0.remove(index);
        }
        old
    }

    /// Reads a page; members whose record is gone leave the index, so that the page is full and
    /// the index does not grow for ever.
    pub(super) fn page(
        &mut self,
        index: &str,
        records: &Records,
        offset: u64,
        limit: u64,
        now: Timestamp,
    ) -> Page {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut page = Page::default();
        let mut gone = Vec::new();
        if let Some(index) = self.0.get(index) {
            for (_, member) in index.order.iter().skip(offset) {
                if page.records.len() >= limit {
                    break;
                }
                match records.get(member, now) {
                    Some(value) => page.records.push((member.clone(), value.clone())),
                    None => gone.push(member.clone()),
                }
            }
        }
        for member in gone {
            self.replace(index, &member, None);
        }
        page.total = self
            .0
            .get(index)
            .map_or(0, |index| u64::try_from(index.scores.len()).unwrap_or(u64::MAX));
        page
    }
}
