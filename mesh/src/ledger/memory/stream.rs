//! Entries in order of their positions: a log, or the accounting records.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::ledger::Position;
use crate::ledger::protocol::{ENTRY_OVERHEAD_BYTES, next_position};

/// Appended at one end, trimmed at the other.
#[derive(Debug, Default)]
pub(super) struct Stream {
    entries: VecDeque<(Position, Bytes)>,
    /// The newest position given out, whether or not its entry is still there.
    last: Position,
    trimmed_to: Position,
    bytes: u64,
}

impl Stream {
    pub(super) fn last(&self) -> Position {
        self.last
    }

    pub(super) fn trimmed_to(&self) -> Position {
        self.trimmed_to
    }

    pub(super) fn append(&mut self, now_millis: u64, entry: Bytes) {
        self.last = next_position(self.last, now_millis);
        self.bytes += cost(&entry);
        self.entries.push_back((self.last, entry));
    }

    /// Up to `limit` entries after `place`.
    pub(super) fn after(&self, place: Position, limit: usize) -> Vec<(Position, Bytes)> {
        let start = self.entries.partition_point(|(position, _)| *position <= place);
        self.entries.iter().skip(start).take(limit).cloned().collect()
    }

    /// Drops entries up to and with `place`.
    pub(super) fn trim_to(&mut self, place: Position) {
        self.trim_while(|position, _| position <= place);
    }

    /// Drops entries older than `oldest_millis`, and the oldest beyond `max_bytes`; the newest is
    /// kept however large it is.
    pub(super) fn trim_to_retention(&mut self, oldest_millis: u64, max_bytes: u64) {
        self.trim_while(|position, _| position.millis < oldest_millis);
        self.trim_to_bytes(max_bytes);
    }

    /// Drops the oldest entries beyond `max_bytes`, but never the newest.
    pub(super) fn trim_to_bytes(&mut self, max_bytes: u64) {
        let last = self.last;
        self.trim_while(|position, bytes| bytes > max_bytes && position < last);
    }

    /// Forgets what was appended after `place`.
    pub(super) fn cut_after(&mut self, place: Position) {
        while self.entries.back().is_some_and(|(position, _)| *position > place) {
            if let Some((_, entry)) = self.entries.pop_back() {
                self.bytes = self.bytes.saturating_sub(cost(&entry));
            }
        }
        self.trimmed_to = self.trimmed_to.min(place);
        self.last = place;
    }

    /// Drops from the old end while `drop` says so of the oldest position and the bytes held.
    fn trim_while(&mut self, drop: impl Fn(Position, u64) -> bool) {
        while let Some((position, _)) = self.entries.front()
            && drop(*position, self.bytes)
            && let Some((position, entry)) = self.entries.pop_front()
        {
            self.trimmed_to = position;
            self.bytes = self.bytes.saturating_sub(cost(&entry));
        }
    }
}

fn cost(entry: &Bytes) -> u64 {
    u64::try_from(entry.len()).unwrap_or(u64::MAX).saturating_add(ENTRY_OVERHEAD_BYTES)
}
