//! What the engine's actors share: ports, bounds, and who holds which call and channel.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use mesh::Clock;
use mesh::ledger::{Ledger, partition_of};
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use super::Parts;
use crate::audio::Audio;
use crate::config::OnAuthLost;
use crate::directory::Directory;
use crate::domain::{CallId, ConferenceId, Recorded};
use crate::driver::{ChannelId, Driver, Op};
use crate::journal::Journal;
use crate::outbox::Outbox;
use crate::recordings::Recordings;
use crate::wire::Place;

/// Bounds of the engine's queues.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Commands that may wait for one customer; more are refused.
    pub commands: usize,
    /// Events that may wait for one customer; more hold the driver back.
    pub signals: usize,
    /// Operations of a customer that may wait for the switch before commands have to.
    pub lane: usize,
}

/// What every actor needs.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) place: Place,
    pub(super) driver: Arc<dyn Driver>,
    pub(super) directory: Arc<dyn Directory>,
    pub(super) audio: Arc<Audio>,
    pub(super) recordings: Arc<Recordings>,
    /// Runs what outlives an actor.
    pub(super) tasks: TaskTracker,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) clock: Clock,
    pub(super) bounds: Bounds,
    pub(super) on_auth_lost: OnAuthLost,
    pub(super) journal: Option<Journal>,
    pub(super) outboxes: Vec<Outbox>,
    calls: Mutex<HashMap<CallId, i64>>,
    conferences: Mutex<HashMap<ConferenceId, i64>>,
    channels: Mutex<HashMap<ChannelId, i64>>,
    load: AtomicI64,
    /// Whether calls are left as they are when the engine stops.
    leaves_calls: AtomicBool,
}

impl Shared {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            place: Place { node: parts.node, site: parts.site },
            driver: parts.driver,
            directory: parts.directory,
            audio: parts.audio,
            recordings: parts.recordings,
            tasks: parts.tasks,
            ledger: parts.ledger,
            clock: parts.clock,
            bounds: parts.bounds,
            on_auth_lost: parts.on_auth_lost,
            journal: parts.journal,
            outboxes: parts.outboxes,
            calls: Mutex::default(),
            conferences: Mutex::default(),
            channels: Mutex::default(),
            load: AtomicI64::new(0),
            leaves_calls: AtomicBool::new(false),
        }
    }

    /// The outbox of a customer's partition.
    pub(super) fn outbox_of(&self, i_customer: i64) -> Outbox {
        let partition = partition_of(i_customer, self.ledger.partitions()) as usize;
        #[expect(clippy::expect_used, reason = "there is one outbox a partition")]
        self.outboxes.get(partition).expect("an outbox for every partition").clone()
    }

    /// The customer that a call belongs to.
    pub(super) fn customer_of_call(&self, call_id: &CallId) -> Option<i64> {
        self.calls.lock().get(call_id).copied()
    }

    /// The customer that a conference belongs to.
    pub(super) fn customer_of_conference(&self, id: &ConferenceId) -> Option<i64> {
        self.conferences.lock().get(id).copied()
    }

    pub(super) fn note_conference(&self, id: ConferenceId, i_customer: i64) {
        self.conferences.lock().insert(id, i_customer);
    }

    pub(super) fn forget_conference(&self, id: &ConferenceId) {
        self.conferences.lock().remove(id);
    }

    /// The customer that a channel belongs to.
    pub(super) fn customer_of_channel(&self, channel: &ChannelId) -> Option<i64> {
        self.channels.lock().get(channel).copied()
    }

    #[cfg(test)]
    pub(super) fn calls(&self) -> Vec<CallId> {
        self.calls.lock().keys().cloned().collect()
    }

    /// The channels of all calls.
    pub(super) fn channels(&self) -> HashSet<ChannelId> {
        self.channels.lock().keys().cloned().collect()
    }

    pub(super) fn note_call(&self, call_id: &CallId, i_customer: i64) {
        let mut calls = self.calls.lock();
        if !calls.contains_key(call_id) {
            calls.insert(call_id.clone(), i_customer);
        }
    }

    pub(super) fn forget_call(&self, call_id: &CallId) {
        self.calls.lock().remove(call_id);
    }

    pub(super) fn note_channel(&self, channel: &ChannelId, i_customer: i64) {
        self.channels.lock().insert(channel.clone(), i_customer);
    }

    pub(super) fn forget_channel(&self, channel: &ChannelId) {
        self.channels.lock().remove(channel);
    }

    /// Keeps track of the channels that an operation makes or ends, before it is carried out.
    pub(super) fn note_op(&self, op: &Op, i_customer: i64) {
        match op {
            Op::Dial { channel, .. } => self.note_channel(channel, i_customer),
            // What still happens on it is of no interest.
            Op::Hangup { channel, .. } => self.forget_channel(channel),
            Op::Ring { .. }
            | Op::Answer { .. }
            | Op::PickUp { .. }
            | Op::Hear { .. }
            | Op::Speak { .. }
            | Op::SendDigits { .. }
            | Op::Play { .. }
            | Op::StopPlay { .. }
            | Op::Record { .. }
            | Op::StopRecord { .. }
            | Op::Label { .. } => {}
        }
    }

    /// Takes a recording that is over from the switch, beside whatever goes on.
    pub(super) fn keep(&self, recorded: Recorded) {
        let (recordings, driver) = (Arc::clone(&self.recordings), Arc::clone(&self.driver));
        self.tasks.spawn(async move { recordings.keep(driver.as_ref(), recorded).await });
    }

    pub(super) fn leave_calls(&self) {
        self.leaves_calls.store(true, Ordering::Release);
    }

    pub(super) fn leaves_calls(&self) -> bool {
        self.leaves_calls.load(Ordering::Acquire)
    }

    pub(super) fn note_load(&self, before: usize, after: usize) {
        let change = i64::try_from(after).unwrap_or(0) - i64::try_from(before).unwrap_or(0);
        self.load.fetch_add(change, Ordering::Relaxed);
    }

    /// Live legs of the node.
    pub(super) fn load(&self) -> u64 {
        u64::try_from(self.load.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Live conferences of the node.
    pub(super) fn conference_count(&self) -> u64 {
        self.conferences.lock().len() as u64
    }

    /// Forgets every call and channel: the node has been fenced.
    pub(super) fn clear(&self) {
        self.calls.lock().clear();
        self.conferences.lock().clear();
        self.channels.lock().clear();
        self.load.store(0, Ordering::Relaxed);
        for outbox in &self.outboxes {
            outbox.clear();
        }
    }
}
