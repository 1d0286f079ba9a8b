//! What waits for the store, and what the store has of every living leg and every phone that is not
//! free.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use mesh::Clock;
use mesh::clock::Timestamp;
use mesh::ledger::{IndexChange, StateChange};
use parking_lot::Mutex;
use proto::switch::v1::{ConferenceRecord, LegRecord, PhoneRecord};
use tokio::sync::{Notify, oneshot};

use super::Bounds;
use super::conferences::Conferences;
use super::record::Record;
use crate::metrics;

/// The outcome of one transition.
#[derive(Debug, Default)]
pub struct Batch {
    /// New states of legs, each with the key of its record.
    pub legs: Vec<(String, LegRecord)>,
    /// What phones are now.
    pub phones: Vec<PhoneRecord>,
    /// Log entries, in order.
    pub events: Vec<Bytes>,
    /// Accounting records, in order.
    pub accounting: Vec<Bytes>,
    /// New states of conferences.
    pub conferences: Vec<ConferenceRecord>,
}

/// What one commit writes.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) state: Vec<StateChange>,
    pub(super) index: Vec<IndexChange>,
    pub(super) events: Vec<Bytes>,
    pub(super) accounting: Vec<Bytes>,
    pub(super) conferences: Vec<ConferenceRecord>,
    /// Events before this were dropped.
    pub(super) after_gap: bool,
}

impl Work {
    pub(super) fn is_empty(&self) -> bool {
        self.state.is_empty()
            && self.index.is_empty()
            && self.events.is_empty()
            && self.accounting.is_empty()
            && self.conferences.is_empty()
            && !self.after_gap
    }

    fn change(&mut self, (state, index): (Vec<StateChange>, Vec<IndexChange>)) {
        self.state.extend(state);
        self.index.extend(index);
    }
}

/// Newest state of legs and phones, by the key of the record.
pub(super) type Records = BTreeMap<String, Record>;

#[derive(Debug)]
pub(super) struct Queue {
    bounds: Bounds,
    inner: Mutex<Inner>,
    filled: Notify,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// In the order in which they are written: what is told again after a gap,
    retelling: VecDeque<(String, Record)>,
    /// and what has happened since.
    waiting: VecDeque<(Batch, oneshot::Sender<()>)>,
    /// Of what is waiting.
    bytes: usize,
    /// The newest state of each leg, once events had to be dropped; nothing waits then.
    folded: Option<Records>,
    /// Accounting records of what was folded: events may be dropped, charges may not.
    unpaid: VecDeque<Bytes>,
    /// Of those.
    unpaid_bytes: usize,
    /// What the store has, or will have after the commit under way.
    written: Records,
    conferences: Conferences,
    /// True while nobody is told, since it may take long.
    is_away: bool,
    /// Who waits for the commit under way.
    under_way: Vec<oneshot::Sender<()>>,
    is_working: bool,
}

impl Queue {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, inner: Mutex::default(), filled: Notify::new(), emptied: Notify::new() }
    }

    pub(super) fn push(&self, batch: Batch) -> oneshot::Receiver<()> {
        let (ack, acknowledged) = oneshot::channel();
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        if inner.folded.is_some() {
            inner.keep_unpaid(batch.accounting, self.bounds.max_bytes);
            inner.conferences.fold(batch.conferences);
            inner.fold_in(records(batch.legs, batch.phones));
            // The store is away, as the closed channel tells who waits.
            return acknowledged;
        }
        inner.bytes += batch.size();
        let ack = if inner.is_away { oneshot::channel().0 } else { ack };
        inner.waiting.push_back((batch, ack));
        if inner.bytes > self.bounds.max_bytes {
            inner.fold(self.bounds.max_bytes);
        }
        self.filled.notify_one();
        acknowledged
    }

    /// Waits for something to write and takes it.
    pub(super) async fn next(&self, clock: &Clock) -> Work {
        loop {
            if let Some(work) = self.take(clock.now()) {
                return work;
            }
            self.filled.notified().await;
        }
    }

    pub(super) fn take(&self, now: Timestamp) -> Option<Work> {
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        let mut work = Work::default();
        if let Some(folded) = inner.folded.take() {
            work.after_gap = true;
            inner.begin_retelling(folded);
        }
        let mut newest = Vec::new();
        let mut conferences = Vec::new();
        if inner.retelling.is_empty() && !work.after_gap {
            while work.events.len() < self.bounds.commit_events
                && let Some((batch, ack)) = inner.waiting.pop_front()
            {
                inner.bytes = inner.bytes.saturating_sub(batch.size());
                conferences.extend(batch.conferences);
                work.events.extend(batch.events);
                work.accounting.extend(batch.accounting);
                newest.extend(records(batch.legs, batch.phones));
                inner.under_way.push(ack);
            }
        } else {
            let count = inner.retelling.len().min(super::SNAPSHOT_LEGS);
            newest.extend(inner.retelling.drain(..count));
            work.events = newest.iter().map(|(_, record)| record.retold(now)).collect();
        }
        work.conferences = inner.conferences.take(conferences);
        let room = self.bounds.commit_events.saturating_sub(work.accounting.len());
        let count = inner.unpaid.len().min(room);
        work.accounting.extend(inner.unpaid.drain(..count));
        if inner.unpaid.is_empty() {
            inner.unpaid_bytes = 0;
        }
        for (key, record) in newest.into_iter().collect::<Records>() {
            work.change(record.changes(inner.written.get(&key)));
            if record.is_over() {
                inner.written.remove(&key);
            } else {
                inner.written.insert(key, record);
            }
        }
        if work.is_empty() {
            return None;
        }
        inner.is_working = true;
        Some(work)
    }

    /// Bytes, about, that wait.
    pub(super) fn bytes(&self) -> usize {
        self.inner.lock().bytes
    }

    /// The work is in the store.
    pub(super) fn finished(&self) {
        let mut inner = self.inner.lock();
        inner.is_working = false;
        for ack in inner.under_way.drain(..) {
            // Nobody may be waiting any more.
            ack.send(()).ok();
        }
        if inner.is_empty() {
            self.emptied.notify_waiters();
        }
    }

    /// True while the store has legs of ours, or should have.
    pub(super) fn has_living(&self) -> bool {
        !self.inner.lock().written.is_empty()
    }

    /// Keys of the living legs that the store should have, those of one call in the order of
    /// their events.
    pub(super) fn living(&self) -> Vec<String> {
        let inner = self.inner.lock();
        let mut living: Vec<_> = inner.written.iter().collect();
        living.sort_by_cached_key(|(_, record)| record.place());
        living.into_iter().map(|(key, _)| key.clone()).collect()
    }

    /// Writes these legs whatever the store has of them, which is `found`.
    pub(super) fn everything(&self, keys: &[String], found: &Records, now: Timestamp) -> Work {
        let inner = self.inner.lock();
        let mut work = Work::default();
        for record in keys.iter().filter_map(|key| inner.written.get(key)) {
            let (_, index) = record.changes(found.get(&record.key()));
            let left =
                index.into_iter().filter(|change| matches!(change, IndexChange::Remove { .. }));
            work.index.extend(left);
            work.change(record.changes(None));
            work.events.push(record.retold(now));
        }
        work
    }

    /// Removes records that the store has under this node's name and the engine has not: legs
    /// that ended in commits which the store lost.
    pub(super) fn without_strangers(&self, found: &Records) -> Work {
        let inner = self.inner.lock();
        let mut work = Work::default();
        for (_, stale) in found.iter().filter(|(key, _)| !inner.written.contains_key(*key)) {
            work.change(stale.removal());
        }
        work
    }

    /// Writes the conferences again that go on, some at a time.
    pub(super) fn living_conferences(&self) -> Vec<Work> {
        let living = self.inner.lock().conferences.living();
        let chunks = living.chunks(super::SNAPSHOT_LEGS);
        chunks.map(|some| Work { conferences: some.to_vec(), ..Work::default() }).collect()
    }

    pub(super) fn set_flowing(&self, flowing: bool) {
        let mut inner = self.inner.lock();
        inner.is_away = !flowing;
        if !flowing {
            inner.under_way.clear();
            for (_, ack) in &mut inner.waiting {
                *ack = oneshot::channel().0;
            }
        }
    }

    pub(super) fn is_flowing(&self) -> bool {
        !self.inner.lock().is_away
    }

    /// Waits until everything is in the store.
    pub(super) async fn drained(&self) {
        loop {
            let emptied = self.emptied.notified();
            // Asked after `notified`, so that no change can fall between.
            if self.inner.lock().is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// Legs of which something is kept for the store.
    #[cfg(test)]
    pub(super) fn kept_legs(&self) -> usize {
        let inner = self.inner.lock();
        inner.folded.as_ref().map_or(0, Records::len) + inner.waiting.len() + inner.retelling.len()
    }

    pub(super) fn clear(&self) {
        *self.inner.lock() = Inner::default();
        self.emptied.notify_waiters();
    }
}

impl Inner {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
            && self.retelling.is_empty()
            && self.folded.is_none()
            && self.unpaid.is_empty()
            && self.conferences.is_empty()
            && !self.is_working
    }

    /// Drops the events that wait and keeps the newest state of each leg.
    fn fold(&mut self, max_bytes: usize) {
        metrics::FOLDED.add(1, []);
        self.folded = Some(Records::new());
        let retelling = std::mem::take(&mut self.retelling);
        self.fold_in(retelling);
        for (batch, _) in std::mem::take(&mut self.waiting) {
            self.keep_unpaid(batch.accounting, max_bytes);
            self.conferences.fold(batch.conferences);
            self.fold_in(records(batch.legs, batch.phones));
        }
        self.bytes = 0;
    }

    /// Keeps accounting records, as many as there is room for; the journal has the others.
    fn keep_unpaid(&mut self, records: Vec<Bytes>, max_bytes: usize) {
        for record in records {
            if self.unpaid_bytes + record.len() > max_bytes {
                tracing::error!("accounting record is left to the journal, the store is away");
                continue;
            }
            self.unpaid_bytes += record.len();
            self.unpaid.push_back(record);
        }
    }

    /// Keeps the newest state of legs. One that came and went while the store was away leaves
    /// nothing, so that what is kept does not grow with the length of an outage.
    fn fold_in(&mut self, records: impl IntoIterator<Item = (String, Record)>) {
        let Some(folded) = &mut self.folded else { return };
        for (key, record) in records {
            if record.is_over() && !self.written.contains_key(&key) {
                folded.remove(&key);
            } else {
                folded.insert(key, record);
            }
        }
    }

    /// The log starts afresh: also legs that did not change meanwhile are told again.
    fn begin_retelling(&mut self, folded: Records) {
        let unchanged = self.written.iter().filter(|(key, _)| !folded.contains_key(*key));
        let unchanged = unchanged.map(|(key, record)| (key.clone(), record.clone()));
        let mut legs: Vec<_> = unchanged.collect();
        legs.extend(folded);
        legs.sort_by_cached_key(|(_, record)| record.place());
        self.retelling = legs.into();
    }
}

impl Batch {
    /// True when it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.legs.is_empty()
            && self.phones.is_empty()
            && self.events.is_empty()
            && self.accounting.is_empty()
            && self.conferences.is_empty()
    }

    fn size(&self) -> usize {
        // A record is about as large as the event that tells it.
        let accounting = self.accounting.iter().map(Bytes::len).sum::<usize>();
        let conferences =
            self.conferences.iter().map(|it| it.participants.len() * 256).sum::<usize>();
        let events = self.events.iter().map(|event| event.len() * 2).sum::<usize>();
        events + accounting + conferences + 64
    }
}

fn records(
    legs: Vec<(String, LegRecord)>,
    phones: Vec<PhoneRecord>,
) -> impl Iterator<Item = (String, Record)> {
    let legs = legs.into_iter().map(|(key, record)| (key, Record::Leg(Box::new(record))));
    let phones = phones.into_iter().map(Record::Phone);
    legs.chain(phones.map(|record| (record.key(), record)))
}
