//! Recordings: how long they last; there is nothing to hear on them.

use std::time::Duration;

use tokio::time::Instant;

use super::Model;
use crate::driver::{ChannelId, RecordingId};

/// A recording that nobody has collected yet.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    channel: ChannelId,
    begun: Instant,
    ended: Option<Instant>,
}

impl Model {
    pub(super) fn record(&mut self, now: Instant, channel: ChannelId, id: RecordingId) {
        if self.lines.contains_key(&channel) {
            self.recordings.insert(id, Recording { channel, begun: now, ended: None });
        }
    }

    pub(super) fn end_recording(&mut self, now: Instant, id: &RecordingId) {
        if let Some(recording) = self.recordings.get_mut(id) {
            recording.ended.get_or_insert(now);
        }
    }

    pub(super) fn end_recordings_of(&mut self, now: Instant, channel: &ChannelId) {
        let of_it = self.recordings.values_mut().filter(|recording| recording.channel == *channel);
        for recording in of_it {
            recording.ended.get_or_insert(now);
        }
    }

    /// Forgets a recording that is over, and says how long it lasted.
    pub(in crate::driver::sim) fn take_recording(&mut self, id: &RecordingId) -> Option<Duration> {
        let recording = self.recordings.get(id)?;
        let lasted = recording.ended?.duration_since(recording.begun);
        self.recordings.remove(id);
        Some(lasted)
    }
}
