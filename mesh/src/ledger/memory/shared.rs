//! Records outside the commit: leases, homes, what is written once, presence.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::ledger::{Home, NodeLease, Once, Presence};

/// Leases of the nodes.
#[derive(Debug, Default)]
pub(super) struct Leases {
    held: BTreeMap<String, (NodeLease, Timestamp)>,
    /// The highest epoch each node ever had; outlives its lease.
    epochs: HashMap<String, u64>,
}

impl Leases {
    /// Takes or renews; `None` when the lease is lost.
    pub(super) fn renew(
        &mut self,
        lease: &NodeLease,
        ttl: Duration,
        now: Timestamp,
    ) -> Option<u64> {
        let known = self.epochs.get(&lease.node).copied();
        let epoch = match (lease.epoch, known) {
            (0, known) => known.unwrap_or(0).saturating_add(1),
            (epoch, Some(known)) if known > epoch => return None,
            // Only a removal takes away the lease of an epoch that the store still knows.
            (epoch, Some(known)) if known == epoch && !self.held.contains_key(&lease.node) => {
                return None;
            }
            (epoch, _) => epoch,
        };
        self.epochs.insert(lease.node.clone(), epoch);
        let held = NodeLease { epoch, ..lease.clone() };
        self.held.insert(lease.node.clone(), (held, now.plus(ttl)));
        Some(epoch)
    }

    pub(super) fn list(&self, now: Timestamp) -> Vec<NodeLease> {
        self.held
            .values()
            .map(|(lease, expires)| NodeLease { remaining: expires.since(now), ..lease.clone() })
            .collect()
    }

    pub(super) fn remove(&mut self, node: &str, epoch: u64) {
        if self.held.get(node).is_some_and(|(lease, _)| lease.epoch == epoch) {
            self.held.remove(node);
        }
    }
}

/// Homes of the customers.
#[derive(Debug, Default)]
pub(super) struct Homes(HashMap<i64, Home>);

impl Homes {
    pub(super) fn get(&self, i_customer: i64) -> Option<Home> {
        self.0.get(&i_customer).cloned()
    }

    pub(super) fn set(&mut self, i_customer: i64, expected: Option<&Home>, home: &Home) -> Home {
        match self.0.get(&i_customer) {
            present if present == expected => {
                self.0.insert(i_customer, home.clone());
                home.clone()
            }
            Some(present) => present.clone(),
            // Expected a home where there is none: nothing stands, so the new one may.
            None => {
                self.0.insert(i_customer, home.clone());
                home.clone()
            }
        }
    }
}

/// What one customer wrote once.
#[derive(Debug, Default)]
pub(super) struct OnceBook {
    by_key: HashMap<String, OnceRecord>,
    by_age: BTreeMap<u64, String>,
    written: u64,
}

#[derive(Debug)]
struct OnceRecord {
    value: Bytes,
    expires: Timestamp,
    number: u64,
}

impl OnceBook {
    pub(super) fn write(
        &mut self,
        key: &str,
        value: Bytes,
        ttl: Duration,
        cap: u64,
        now: Timestamp,
    ) -> Once {
        match self.by_key.get(key) {
            Some(record) if record.expires > now => return Once::Existing(record.value.clone()),
            Some(_) => self.drop_key(key),
            None => {}
        }
        self.written += 1;
        let number = self.written;
        self.by_key.insert(key.to_owned(), OnceRecord { value, expires: now.plus(ttl), number });
        self.by_age.insert(number, key.to_owned());
        let cap = usize::try_from(cap.max(1)).unwrap_or(usize::MAX);
        while let Some((_, oldest)) = self.by_age.first_key_value()
            && (self.by_key.len() > cap
                || self.by_key.get(oldest).is_none_or(|record| record.expires <= now))
        {
            let oldest = oldest.clone();
            self.drop_key(&oldest);
        }
        Once::Written
    }

    pub(super) fn forget(&mut self, key: &str, value: &[u8]) {
        if self.by_key.get(key).is_some_and(|record| record.value == value) {
            self.drop_key(key);
        }
    }

    /// True when the record has `value` now.
    pub(super) fn replace(
        &mut self,
        key: &str,
        expected: &[u8],
        value: Bytes,
        now: Timestamp,
    ) -> bool {
        match self.by_key.get_mut(key) {
            Some(record) if record.expires <= now => false,
            Some(record) if record.value == expected => {
                record.value = value;
                true
            }
            Some(record) => record.value == value,
            None => false,
        }
    }

    fn drop_key(&mut self, key: &str) {
        if let Some(record) = self.by_key.remove(key) {
            self.by_age.remove(&record.number);
        }
    }
}

/// Who listens to which access number.
#[derive(Debug, Default)]
pub(super) struct Listeners(HashMap<(i64, String), HashMap<String, Timestamp>>);

impl Listeners {
    pub(super) fn note(
        &mut self,
        i_customer: i64,
        access_number: &str,
        subscriber: &str,
        expires: Timestamp,
    ) {
        let listeners = self.0.entry((i_customer, access_number.to_owned())).or_default();
        listeners.insert(subscriber.to_owned(), expires);
    }

    pub(super) fn of(&mut self, i_customer: i64, access_number: &str, now: Timestamp) -> Presence {
        let place = (i_customer, access_number.to_owned());
        let Some(listeners) = self.0.get_mut(&place) else { return Presence::default() };
        listeners.retain(|_, expires| *expires > now);
        let Some(last) = listeners.values().max().copied() else {
            self.0.remove(&place);
            return Presence::default();
        };
        Presence {
            listeners: u64::try_from(listeners.len()).unwrap_or(u64::MAX),
            remaining: last.since(now),
        }
    }
}
