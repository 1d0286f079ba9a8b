//! What waits for the store, and what the store has of every living leg.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use mesh::Clock;
use mesh::clock::Timestamp;
use mesh::ledger::{IndexChange, StateChange};
use parking_lot::Mutex;
use proto::switch::v1::LegRecord;
use tokio::sync::{Notify, oneshot};

use super::{Bounds, retold};

/// The outcome of one transition.
#[derive(Debug, Default)]
pub struct Batch {
    /// New states of legs, each with the key of its record.
    pub legs: Vec<(String, LegRecord)>,
    /// Log entries, in order.
    pub events: Vec<Bytes>,
}

/// What one commit writes.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) state: Vec<StateChange>,
    pub(super) index: Vec<IndexChange>,
    pub(super) events: Vec<Bytes>,
    /// Events before this were dropped.
    pub(super) after_gap: bool,
}

#[derive(Debug)]
pub(super) struct Queue {
    bounds: Bounds,
    inner: Mutex<Inner>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<(Batch, oneshot::Sender<()>)>,
    bytes: usize,
    /// The newest state of each leg, once events had to be dropped.
    folded: Option<BTreeMap<String, LegRecord>>,
    /// What the store has, or will have after the commit under way.
    written: BTreeMap<String, LegRecord>,
    /// Receivers of the commit under way, told at once when the store goes away.
    is_away: bool,
    under_way: Vec<oneshot::Sender<()>>,
    is_working: bool,
}

impl Queue {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, inner: Mutex::default(), filled: Notify::new() }
    }

    pub(super) fn push(&self, batch: Batch) -> oneshot::Receiver<()> {
        let (ack, acknowledged) = oneshot::channel();
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        if let Some(folded) = &mut inner.folded {
            folded.extend(batch.legs);
            // The store is away, as the command is told by the closed channel.
            return acknowledged;
        }
        inner.bytes += batch.size();
        if inner.is_away {
            let (unheard, _) = oneshot::channel();
            inner.waiting.push_back((batch, unheard));
        } else {
            inner.waiting.push_back((batch, ack));
        }
        if inner.bytes > self.bounds.max_bytes {
            inner.fold();
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

    fn take(&self, now: Timestamp) -> Option<Work> {
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        let mut work = Work::default();
        let mut newest = BTreeMap::new();
        if let Some(folded) = inner.folded.take() {
            work.after_gap = true;
            work.events = folded.values().map(|record| retold(record, now)).collect();
            newest = folded;
            // Legs that did not change meanwhile are told again too: the log starts afresh.
            for (key, record) in &inner.written {
                if !newest.contains_key(key) {
                    work.events.push(retold(record, now));
                }
            }
        } else {
            while work.events.len() < self.bounds.commit_events
                && let Some((batch, ack)) = inner.waiting.pop_front()
            {
                inner.bytes = inner.bytes.saturating_sub(batch.size());
                newest.extend(batch.legs);
                work.events.extend(batch.events);
                inner.under_way.push(ack);
            }
        }
        if newest.is_empty() && work.events.is_empty() {
            return None;
        }
        for (key, record) in newest {
            let (state, index) =
                mesh::calls_index::changes(inner.written.get(&key), &record);
            work.state.extend(state);
            work.index.extend(index);
            if is_over(&record) {
                inner.written.remove(&key);
            } else {
                inner.written.insert(key, record);
            }
        }
        inner.is_working = true;
        Some(work)
    }

    /// The work is in the store.
    pub(super) fn finished(&self, work: Work) {
        drop(work);
        let mut inner = self.inner.lock();
        inner.is_working = false;
        for ack in inner.under_way.drain(..) {
            // Nobody may be waiting any more.
            ack.send(()).ok();
        }
    }

    /// Keys of the living legs that the store should have.
    pub(super) fn living(&self) -> Vec<String> {
        self.inner.lock().written.keys().cloned().collect()
    }

    /// Writes these legs as if the store had nothing of them.
    pub(super) fn everything(&self, keys: &[String], now: Timestamp) -> Work {
        let inner = self.inner.lock();
        let mut work = Work::default();
        for record in keys.iter().filter_map(|key| inner.written.get(key)) {
            let (state, index) = mesh::calls_index::changes(None, record);
            work.state.extend(state);
            work.index.extend(index);
            work.events.push(retold(record, now));
        }
        work
    }

    /// Removes records that the store has under this node's name and the engine has not: legs
    /// that ended in commits which the store lost.
    pub(super) fn without_strangers(&self, found: &[(String, Bytes)]) -> Work {
        let inner = self.inner.lock();
        let mut work = Work::default();
        for (key, value) in found.iter().filter(|(key, _)| !inner.written.contains_key(key)) {
            let Ok(stale) = <LegRecord as prost::Message>::decode(value.clone()) else {
                work.state.push(StateChange::Delete { key: key.clone() });
                continue;
            };
            let mut ended = stale.clone();
            if let Some(info) = &mut ended.call_info {
                info.set_state(proto::call::v1::State::Terminated);
            }
            let (state, index) = mesh::calls_index::changes(Some(&stale), &ended);
            work.state.extend(state);
            work.index.extend(index);
        }
        work
    }

    pub(super) fn set_flowing(&self, flowing: bool) {
        let mut inner = self.inner.lock();
        inner.is_away = !flowing;
        if !flowing {
            inner.under_way.clear();
            for (_, ack) in &mut inner.waiting {
                let (unheard, _) = oneshot::channel();
                drop(std::mem::replace(ack, unheard));
            }
        }
    }

    pub(super) fn is_flowing(&self) -> bool {
        !self.inner.lock().is_away
    }

    pub(super) fn is_empty(&self) -> bool {
        let inner = self.inner.lock();
        inner.waiting.is_empty() && inner.folded.is_none() && !inner.is_working
    }

    pub(super) fn clear(&self) {
        *self.inner.lock() = Inner::default();
    }
}

impl Inner {
    /// Drops the events that wait and keeps the newest state of each leg.
    fn fold(&mut self) {
        let mut newest = BTreeMap::new();
        for (batch, _) in self.waiting.drain(..) {
            newest.extend(batch.legs);
        }
        self.bytes = 0;
        self.folded = Some(newest);
    }
}

impl Batch {
    fn size(&self) -> usize {
        // A record is about as large as the event that tells it.
        self.events.iter().map(|event| event.len() * 2).sum::<usize>() + 64
    }
}

fn is_over(record: &LegRecord) -> bool {
    record
        .call_info
        .as_ref()
        .is_none_or(|info| info.state() == proto::call::v1::State::Terminated)
}
