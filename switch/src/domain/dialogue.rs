//! What an application plays to one party, and the digits that it collects from it.
//!
//! # State table: playback
//!
//! | state | what happens | next | told |
//! | --- | --- | --- | --- |
//! | silent | prompts are to be played | playing | |
//! | silent | a URL is to be played | fetching | |
//! | fetching | the audio is there | playing | |
//! | fetching | there is no audio to be had | silent | `prompt_playback_failed` |
//! | playing | the switch has played it all, or cannot | silent | `prompt_playback_completed`, `prompt_playback_failed` |
//! | fetching, playing | something else is to be played | fetching, playing | `prompt_playback_interrupted`, of the earlier |
//! | fetching, playing | stopped, a key that may interrupt, put through to somebody, the leg ends | silent | `prompt_playback_interrupted` |
//!
//! So each command has one end event. What the switch says of an earlier playback is ignored.
//!
//! The collection of digits has a state table of its own, in [`digits`]. Keys that are pressed
//! while none is under way are *typed ahead*: the next collection begins with them, as far as
//! they are not older than [`TYPED_AHEAD`]. Of all that a key leads to, `dtmf` is told first, then
//! the end of an interruptible playback, then the result.

pub(super) mod digits;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use mesh::clock::Timestamp;

pub use self::digits::DigitRules;
use self::digits::{Collector, Ending, Input};
use super::view::IvrInfo;
use crate::driver::{Clip, PlaybackEnd, PlaybackId};

/// How long keys that nobody waits for are kept.
const TYPED_AHEAD: Duration = Duration::from_mins(1);

/// How many of them; the oldest go first.
const MAX_TYPED_AHEAD: usize = 128;

/// What to play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// Prompts, one after the other.
    Clips(Vec<Clip>),
    /// The audio at this address.
    Url(String),
}

/// A playback as it is commanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Play {
    /// What.
    pub media: Media,
    /// How often the whole is played; 0 until stopped.
    pub repeat: u32,
    /// A key ends it.
    pub is_interruptible: bool,
    /// Where its end, and keys pressed meanwhile, are posted.
    pub callback: Option<PlayCallback>,
}

/// Where the events of a playback are posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayCallback {
    /// The address.
    pub url: String,
    /// Which events, by their public names; none means all.
    pub events: BTreeSet<String>,
}

impl PlayCallback {
    /// The address, when the event is wanted.
    fn of(callback: Option<&Self>, event: &str) -> Option<String> {
        let is_wanted = |it: &&Self| it.events.is_empty() || it.events.contains(event);
        callback.filter(is_wanted).map(|callback| callback.url.clone())
    }
}

/// What is to be done for a dialogue, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Tells applications.
    Tell(IvrInfo),
    /// Has the audio fetched.
    Fetch(PlaybackId, String),
    /// Has the switch play it.
    Play(PlaybackId, Vec<Clip>, u32),
    /// Has the switch stop.
    Stop(PlaybackId),
}

/// A playback under way.
#[derive(Clone, Debug)]
struct Playback {
    id: PlaybackId,
    repeat: u32,
    is_interruptible: bool,
    callback: Option<PlayCallback>,
    /// The switch has been told to play it.
    is_heard: bool,
}

/// The playback and the collection of digits on one leg.
#[derive(Clone, Debug, Default)]
pub(super) struct Dialogue {
    playback: Option<Playback>,
    collector: Option<Collector>,
    typed_ahead: VecDeque<(Timestamp, char)>,
}

impl Dialogue {
    /// True while the switch plays something to the leg.
    pub(super) fn is_heard(&self) -> bool {
        self.playback.as_ref().is_some_and(|playback| playback.is_heard)
    }

    /// Plays something, in place of what is played now.
    pub(super) fn play(&mut self, id: PlaybackId, play: Play) -> Vec<Act> {
        let mut acts = Vec::new();
        self.end_playback("prompt_playback_interrupted", &mut acts);
        let Play { media, repeat, is_interruptible, callback } = play;
        let is_heard = matches!(media, Media::Clips(_));
        acts.push(match media {
            Media::Clips(clips) => Act::Play(id.clone(), clips, repeat),
            Media::Url(url) => Act::Fetch(id.clone(), url),
        });
        self.playback = Some(Playback { id, repeat, is_interruptible, callback, is_heard });
        if let Some(collector) = &mut self.collector {
            collector.prompt_begins();
        }
        acts
    }

    /// The audio of a playback is there, or is not to be had.
    pub(super) fn fetched(
        &mut self,
        now: Timestamp,
        id: &PlaybackId,
        clip: Option<Clip>,
    ) -> Vec<Act> {
        let Some(playback) = self.playback.as_mut().filter(|playback| playback.id == *id) else {
            return Vec::new();
        };
        match clip {
            Some(clip) => {
                playback.is_heard = true;
                vec![Act::Play(id.clone(), vec![clip], playback.repeat)]
            }
            None => self.played(now, id, PlaybackEnd::Failed),
        }
    }

    /// The switch has played it all, or cannot.
    pub(super) fn played(&mut self, now: Timestamp, id: &PlaybackId, end: PlaybackEnd) -> Vec<Act> {
        let mut acts = Vec::new();
        if let Some(playback) = self.playback.as_mut().filter(|playback| playback.id == *id) {
            playback.is_heard = false;
            let event = match end {
                PlaybackEnd::Completed => "prompt_playback_completed",
                PlaybackEnd::Failed => "prompt_playback_failed",
            };
            self.end_playback(event, &mut acts);
            self.prompt_is_over(now);
        }
        acts
    }

    /// Ends what is played; nothing when nothing is.
    pub(super) fn stop_playing(&mut self, now: Timestamp) -> Vec<Act> {
        let mut acts = Vec::new();
        self.end_playback("prompt_playback_interrupted", &mut acts);
        self.prompt_is_over(now);
        acts
    }

    /// Collects digits anew; a collection under way ends.
    pub(super) fn collect(&mut self, now: Timestamp, rules: DigitRules) -> Vec<Act> {
        let mut acts = self.stop_collecting();
        let is_prompted = self.playback.is_some();
        self.collector = Some(Collector::new(rules, now, is_prompted));
        while let Some((at, key)) = self.typed_ahead.pop_front() {
            if now.since(at) > TYPED_AHEAD {
                continue;
            }
            self.take(now, key, &mut acts);
            if self.collector.is_none() {
                break;
            }
        }
        acts
    }

    /// Ends the collection of digits; nothing when none is under way.
    pub(super) fn stop_collecting(&mut self) -> Vec<Act> {
        let stopped = self.collector.take().map(|collector| collector.end(Ending::Stopped));
        stopped.iter().map(Act::of_input).collect()
    }

    /// The party has pressed a key.
    pub(super) fn key(&mut self, now: Timestamp, key: char) -> Vec<Act> {
        // What was due before comes first.
        let mut acts = self.expire(now);
        let callback = self.playback.as_ref().and_then(|playback| playback.callback.as_ref());
        let callback = PlayCallback::of(callback, "dtmf");
        acts.push(Act::Tell(IvrInfo { callback, ..IvrInfo::of_key(key) }));
        if self.collector.is_some() {
            self.take(now, key, &mut acts);
        } else {
            self.interrupt(now, &mut acts);
            if self.typed_ahead.len() == MAX_TYPED_AHEAD {
                self.typed_ahead.pop_front();
            }
            self.typed_ahead.push_back((now, key));
        }
        acts
    }

    /// Ends the collection when its time is over.
    pub(super) fn expire(&mut self, now: Timestamp) -> Vec<Act> {
        let Some(ending) = self.collector.as_ref().and_then(|collector| collector.due(now)) else {
            return Vec::new();
        };
        let over = self.collector.take().map(|collector| collector.end(ending));
        over.iter().map(Act::of_input).collect()
    }

    /// The leg has ended, or goes on under another call. With its channel, what is played ends by
    /// itself.
    pub(super) fn end(&mut self, is_channel_over: bool) -> Vec<Act> {
        let mut acts = Vec::new();
        if let Some(playback) = self.playback.as_mut().filter(|_| is_channel_over) {
            playback.is_heard = false;
        }
        self.end_playback("prompt_playback_interrupted", &mut acts);
        let over = self.collector.take().map(|collector| collector.end(Ending::CallEnded));
        acts.extend(over.iter().map(Act::of_input));
        acts
    }

    /// When [`Dialogue::expire`] has something to do.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.collector.as_ref().and_then(Collector::next_deadline)
    }

    /// A key goes to the collection.
    fn take(&mut self, now: Timestamp, key: char, acts: &mut Vec<Act>) {
        self.interrupt(now, acts);
        let Some(collector) = &mut self.collector else { return };
        if let Some(ending) = collector.key(now, key) {
            let over = self.collector.take().map(|collector| collector.end(ending));
            acts.extend(over.iter().map(Act::of_input));
        }
    }

    /// A key ends what may be interrupted.
    fn interrupt(&mut self, now: Timestamp, acts: &mut Vec<Act>) {
        if self.playback.as_ref().is_some_and(|playback| playback.is_interruptible) {
            self.end_playback("prompt_playback_interrupted", acts);
            self.prompt_is_over(now);
        }
    }

    fn end_playback(&mut self, event: &'static str, acts: &mut Vec<Act>) {
        let Some(playback) = self.playback.take() else { return };
        if playback.is_heard {
            acts.push(Act::Stop(playback.id));
        }
        let callback = PlayCallback::of(playback.callback.as_ref(), event);
        acts.push(Act::Tell(IvrInfo { event, callback, ..IvrInfo::default() }));
    }

    fn prompt_is_over(&mut self, now: Timestamp) {
        if let Some(collector) = &mut self.collector {
            collector.prompt_ends(now);
        }
    }
}

impl Act {
    fn of_input(input: &Input) -> Self {
        Self::Tell(IvrInfo {
            event: if input.is_collected { "input_collected" } else { "input_timeout" },
            digits: Some(input.digits.clone()),
            terminator: input.terminator.map(String::from),
            reason: Some(input.reason),
            callback: None,
        })
    }
}
