//! The simulated switch as one value: phones, channels, timers. Pure and
//! synchronous; it is told the time and collects the events that it causes.
//!
//! Invariants: both halves of a joined pair live and die together; a channel has at
//! most one pending timer of its set-up and one of what is played to it; after a
//! channel's end nothing more is told of it.

mod ops;
mod playback;
mod recording;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem;

use tokio::time::{Duration, Instant};

use crate::driver::{
    Cause, Channel, ChannelId, Event, Label, Origin, Reason, RecordingId, Shown, Source,
};

use super::behaviour::{Behaviour, Outcome, Plan, Times};
use super::ended::EndedLines;
use super::hears;
use super::line::{Line, Party, Stage};
use recording::Recording;

/// A phone that has calls or was told to behave.
#[derive(Debug, Default)]
pub(super) struct Phone {
    pub(super) behaviour: Behaviour,
    /// Its channels, oldest first.
    pub(super) channels: Vec<ChannelId>,
}

/// What a timer does.
#[derive(Clone, Copy, Debug)]
enum Step {
    Alert,
    Finish(Outcome),
    EndClip,
}

/// The whole simulated switch.
#[derive(Debug)]
pub(super) struct Model {
    times: Times,
    max_channels: usize,
    /// Makes the names of this model's channels differ from those of any other.
    prefix: String,
    /// Channels that it named.
    named: u64,
    /// Orders what happens at one moment.
    counter: u64,
    pub(super) lines: HashMap<ChannelId, Line>,
    pub(super) phones: HashMap<String, Phone>,
    /// Channels of joined pairs.
    joins: HashSet<ChannelId>,
    recordings: HashMap<RecordingId, Recording>,
    /// Channels of the trunk by their leg's tag, ended ones included.
    pub(super) legs: HashMap<String, ChannelId>,
    pub(super) ended: EndedLines,
    timers: BTreeMap<(Instant, u64), (ChannelId, Step)>,
    events: Vec<Event>,
}

/// Why no further channel was made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no channel is free")]
pub(super) struct Full;

impl Model {
    pub(super) fn new(times: Times, max_channels: usize, prefix: String) -> Self {
        Self {
            times,
            max_channels,
            prefix,
            named: 0,
            counter: 0,
            lines: HashMap::new(),
            phones: HashMap::new(),
            joins: HashSet::new(),
            recordings: HashMap::new(),
            legs: HashMap::new(),
            ended: EndedLines::default(),
            timers: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    pub(super) fn times(&self) -> Times {
        self.times
    }

    /// What has happened since the last time that this was asked, in order.
    pub(super) fn take_events(&mut self) -> Vec<Event> {
        mem::take(&mut self.events)
    }

    /// When [`Model::advance`] has something to do.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.timers.keys().next().map(|(at, _)| *at)
    }

    #[cfg(test)]
    pub(super) fn pending_timers(&self) -> usize {
        self.timers.len()
    }

    /// Does what was due until `now`.
    pub(super) fn advance(&mut self, now: Instant) {
        while let Some(timer) = self.timers.first_entry().filter(|timer| timer.key().0 <= now) {
            let (channel, step) = timer.remove();
            match (step, self.lines.get_mut(&channel)) {
                (Step::Alert | Step::Finish(_), Some(line)) => line.timer = None,
                (Step::EndClip, _) | (_, None) => {}
            }
            self.step(now, &channel, step);
        }
    }

    /// The living channels.
    pub(super) fn channels(&self) -> Vec<Channel> {
        let channel = |(id, line): (&ChannelId, &Line)| Channel {
            id: id.clone(),
            is_answered: line.is_answered(),
            label: line.label.clone(),
        };
        self.lines.iter().map(channel).collect()
    }

    /// Sets how a phone behaves from the next ringing on.
    pub(super) fn set_behaviour(&mut self, account_id: &str, behaviour: Behaviour) {
        let phone = self.phones.entry(account_id.to_owned()).or_default();
        let before = mem::replace(&mut phone.behaviour, behaviour);
        self.forget_idle_phone(account_id);
        if before.is_registered() != behaviour.is_registered() {
            self.events.push(Event::Registered {
                account_id: account_id.to_owned(),
                is_registered: behaviour.is_registered(),
            });
        }
    }

    /// Accounts whose phones cannot be reached.
    pub(super) fn unregistered(&self) -> Vec<String> {
        let phones = self.phones.iter().filter(|(_, phone)| !phone.behaviour.is_registered());
        phones.map(|(account_id, _)| account_id.clone()).collect()
    }

    /// Makes an incoming channel of a phone or the trunk and offers it to the engine.
    pub(super) fn offer(
        &mut self,
        party: Party,
        origin: Origin,
        dialled: String,
    ) -> Result<ChannelId, Full> {
        if self.lines.len() >= self.max_channels {
            return Err(Full);
        }
        let channel = self.new_channel_id();
        self.insert(channel.clone(), party, None, Label::default());
        self.events.push(Event::Offered { channel: channel.clone(), origin, dialled });
        Ok(channel)
    }

    /// Takes over the engine's name of an offered channel, unless it has been named in another
    /// way since; also for one that has ended already, so that it can be read.
    pub(super) fn name_offered(&mut self, channel: &ChannelId, label: Label) {
        if let Some(line) = self.lines.get(channel) {
            if line.label.tag.is_empty() {
                self.label(channel, label);
            }
        } else if self.ended.name(channel, &label.tag) {
            self.legs.insert(label.tag, channel.clone());
        }
    }

    /// Its party answers a channel that the switch dialled.
    pub(super) fn answer(&mut self, now: Instant, channel: &ChannelId) {
        self.cancel_timer(channel);
        if self.lines.get(channel).is_some_and(|line| line.stage == Stage::Trying) {
            self.step(now, channel, Step::Alert);
            self.cancel_timer(channel);
        }
        let rings = |line: &&mut Line| matches!(line.stage, Stage::Ringing(_));
        if let Some(line) = self.lines.get_mut(channel).filter(rings) {
            line.stage = Stage::Answered;
            self.events.push(Event::Answered { channel: channel.clone() });
        }
    }

    /// A channel ends by itself.
    pub(super) fn end(&mut self, now: Instant, channel: &ChannelId, cause: Cause) {
        if let Some(line) = self.remove(now, channel) {
            let reason = line.reason_of(&cause);
            self.remember_ended(now, channel, line, reason);
            self.events.push(Event::Ended { channel: channel.clone(), cause });
        }
    }

    /// A party presses hold or takes the call back.
    pub(super) fn hold(&mut self, channel: &ChannelId, is_held: bool) {
        let channel = channel.clone();
        self.events.push(if is_held {
            Event::Held { channel }
        } else {
            Event::Resumed { channel }
        });
    }

    /// The party of a channel presses a key. Joined environments whose half of a pair hears that
    /// party get the key too. False when the channel is gone.
    pub(super) fn press(&mut self, channel: &ChannelId, digit: char) -> bool {
        if !self.lines.contains_key(channel) {
            return false;
        }
        let mut seen = HashSet::from([channel.clone()]);
        let mut pressed = vec![channel.clone()];
        while let Some(channel) = pressed.pop() {
            let hears = |id: &&ChannelId| hears::is_heard(&self.lines, id, &channel);
            for half in self.joins.iter().filter(hears) {
                if let Some(Line { party: Party::Join(other_half), .. }) = self.lines.get(half)
                    && seen.insert(other_half.clone())
                {
                    pressed.push(other_half.clone());
                }
            }
            self.events.push(Event::Digit { channel, digit });
        }
        true
    }

    fn step(&mut self, now: Instant, channel: &ChannelId, step: Step) {
        match step {
            Step::Alert => self.alert(now, channel),
            Step::EndClip => self.end_clip(now, channel),
            Step::Finish(Outcome::Answer) => self.answer(now, channel),
            Step::Finish(Outcome::Refuse(code)) => self.end(now, channel, Cause::Refused(code)),
        }
    }

    fn alert(&mut self, now: Instant, channel: &ChannelId) {
        let Some(line) = self.lines.get(channel) else { return };
        let plan = match &line.party {
            Party::Phone(account_id) => self.times.of_phone(self.behaviour(account_id)),
            Party::Trunk(number) => self.times.of_number(number),
            Party::Join(_) => return,
        };
        match plan {
            Plan::Refuse(code) => self.end(now, channel, Cause::Refused(code)),
            Plan::Ring(then) => {
                let order = self.next();
                if let Some(line) = self.lines.get_mut(channel) {
                    line.stage = Stage::Ringing(order);
                }
                self.events.push(Event::Ringing { channel: channel.clone() });
                if let Some((after, outcome)) = then {
                    self.schedule(now, channel, after, Step::Finish(outcome));
                }
            }
        }
    }

    /// Does the step after a while; at once when that is nothing.
    fn schedule(&mut self, now: Instant, channel: &ChannelId, after: Duration, step: Step) {
        if after.is_zero() {
            self.step(now, channel, step);
            return;
        }
        let Some(at) = now.checked_add(after) else { return };
        let key = (at, self.next());
        if let Some(line) = self.lines.get_mut(channel) {
            line.timer = Some(key);
            self.timers.insert(key, (channel.clone(), step));
        }
    }

    fn cancel_timer(&mut self, channel: &ChannelId) {
        if let Some(key) = self.lines.get_mut(channel).and_then(|line| line.timer.take()) {
            self.timers.remove(&key);
        }
    }

    fn insert(&mut self, channel: ChannelId, party: Party, shown: Option<Shown>, label: Label) {
        match &party {
            Party::Phone(account_id) => {
                let phone = self.phones.entry(account_id.clone()).or_default();
                phone.channels.push(channel.clone());
            }
            Party::Trunk(_) if !label.tag.is_empty() => {
                self.legs.insert(label.tag.clone(), channel.clone());
            }
            Party::Trunk(_) => {}
            Party::Join(_) => {
                self.joins.insert(channel.clone());
            }
        }
        let line = Line {
            party,
            is_dialled: shown.is_some(),
            stage: Stage::Trying,
            source: Source::Silence,
            speaks_in: None,
            label,
            shown,
            digits: String::new(),
            order: self.next(),
            timer: None,
            playing: None,
        };
        self.lines.insert(channel, line);
    }

    fn remove(&mut self, now: Instant, channel: &ChannelId) -> Option<Line> {
        self.cancel_timer(channel);
        self.end_recordings_of(now, channel);
        self.stop_playing(channel);
        let line = self.lines.remove(channel)?;
        match &line.party {
            Party::Phone(account_id) => {
                if let Some(phone) = self.phones.get_mut(account_id) {
                    phone.channels.retain(|other| other != channel);
                }
                self.forget_idle_phone(account_id);
            }
            Party::Trunk(_) => {}
            Party::Join(_) => {
                self.joins.remove(channel);
            }
        }
        Some(line)
    }

    /// Legs of the trunk can be read for a while after their end.
    fn remember_ended(&mut self, now: Instant, channel: &ChannelId, line: Line, reason: Reason) {
        if matches!(line.party, Party::Trunk(_)) {
            self.ended.insert(now, channel.clone(), line.label.tag, reason);
            self.forget_ended(now);
        }
    }

    /// Forgets the ended legs whose time is over.
    pub(super) fn forget_ended(&mut self, now: Instant) {
        while let Some((channel, tag)) = self.ended.pop_expired(now) {
            if self.legs.get(&tag) == Some(&channel) {
                self.legs.remove(&tag);
            }
        }
    }

    fn forget_idle_phone(&mut self, account_id: &str) {
        let is_idle =
            |phone: &Phone| phone.channels.is_empty() && phone.behaviour == Behaviour::default();
        if self.phones.get(account_id).is_some_and(is_idle) {
            self.phones.remove(account_id);
        }
    }

    pub(super) fn behaviour(&self, account_id: &str) -> Behaviour {
        self.phones.get(account_id).map(|phone| phone.behaviour).unwrap_or_default()
    }

    fn new_channel_id(&mut self) -> ChannelId {
        self.named += 1;
        ChannelId(format!("sim-{}-{}", self.prefix, self.named))
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}
