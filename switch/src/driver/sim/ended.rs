//! The trunk's ended legs, which stay readable for a while.

use std::collections::{HashMap, VecDeque};

use tokio::time::{Duration, Instant};

use crate::driver::{ChannelId, Reason};

use super::line::EndedLine;

/// How long an ended leg can be read.
const READABLE: Duration = Duration::from_mins(10);

/// Legs remembered; under more load the oldest go before their time.
const MAX_ENDED: usize = 65_536;

/// The ended legs, oldest first.
#[derive(Debug, Default)]
pub(super) struct EndedLines {
    lines: HashMap<ChannelId, EndedLine>,
    expiry: VecDeque<(Instant, ChannelId)>,
}

impl EndedLines {
    pub(super) fn get(&self, channel: &ChannelId) -> Option<&EndedLine> {
        self.lines.get(channel)
    }

    pub(super) fn insert(&mut self, now: Instant, channel: ChannelId, tag: String, reason: Reason) {
        self.lines.insert(channel.clone(), EndedLine { tag, reason });
        self.expiry.push_back((now + READABLE, channel));
    }

    /// Names a leg that ended before the engine could; says whether there was one.
    pub(super) fn name(&mut self, channel: &ChannelId, tag: &str) -> bool {
        match self.lines.get_mut(channel) {
            Some(line) if line.tag.is_empty() => {
                tag.clone_into(&mut line.tag);
                true
            }
            _ => false,
        }
    }

    /// Takes out the oldest leg when its time is over, or when there are too many.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<(ChannelId, String)> {
        let is_due = |at: Instant| at <= now || self.expiry.len() > MAX_ENDED;
        if !self.expiry.front().is_some_and(|(at, _)| is_due(*at)) {
            return None;
        }
        let (_, channel) = self.expiry.pop_front()?;
        let line = self.lines.remove(&channel)?;
        Some((channel, line.tag))
    }
}
