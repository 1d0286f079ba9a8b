//! Prompts: which clip a party hears, and when it is over.

use std::time::Duration;

use tokio::time::Instant;

use super::{Model, Step};
use crate::driver::sim::line::Playing;
use crate::driver::{ChannelId, Clip, Event, PlaybackEnd, PlaybackId};

impl Playing {
    pub(super) fn new(id: PlaybackId, clips: Vec<Clip>, repeat: u32) -> Self {
        Self { id, clips, index: 0, repeat, timer: None }
    }

    /// Goes on to the next clip; false when all has been played.
    fn advance(&mut self) -> bool {
        self.index += 1;
        if self.index < self.clips.len() {
            return true;
        }
        self.index = 0;
        match self.repeat {
            0 => true,
            1 => false,
            more => {
                self.repeat = more - 1;
                true
            }
        }
    }
}

impl Model {
    /// Plays to the party of a channel, in place of what is played now.
    pub(super) fn play(&mut self, now: Instant, channel: &ChannelId, playing: Playing) {
        self.stop_playing(channel);
        let Some(line) = self.lines.get_mut(channel) else { return };
        line.playing = Some(playing);
        self.time_clip(now, channel);
    }

    /// Ends what is played without a word.
    pub(super) fn stop_playing(&mut self, channel: &ChannelId) {
        let playing = self.lines.get_mut(channel).and_then(|line| line.playing.take());
        if let Some(key) = playing.and_then(|playing| playing.timer) {
            self.timers.remove(&key);
        }
    }

    /// A clip has been heard.
    pub(super) fn end_clip(&mut self, now: Instant, channel: &ChannelId) {
        let Some(line) = self.lines.get_mut(channel) else { return };
        let Some(playing) = &mut line.playing else { return };
        playing.timer = None;
        if playing.advance() {
            self.time_clip(now, channel);
        } else if let Some(playing) = line.playing.take() {
            self.events.push(Event::PlaybackEnded {
                channel: channel.clone(),
                playback: playing.id,
                end: PlaybackEnd::Completed,
            });
        }
    }

    /// Sets the timer of the clip that is heard now.
    fn time_clip(&mut self, now: Instant, channel: &ChannelId) {
        let order = self.next();
        let Some(playing) = self.lines.get_mut(channel).and_then(|line| line.playing.as_mut())
        else {
            return;
        };
        let clip = playing.clips.get(playing.index);
        // A clip takes some time, or one that is repeated for ever would take all of it.
        let duration = clip.map_or(SHORTEST, |clip| clip.duration.max(SHORTEST));
        let Some(at) = now.checked_add(duration) else { return };
        playing.timer = Some((at, order));
        self.timers.insert((at, order), (channel.clone(), Step::EndClip));
    }
}

/// No clip is over sooner.
const SHORTEST: Duration = Duration::from_millis(10);
