//! All calls of one customer as one state machine.
//!
//! Each input changes one call (or several), and then the call is *settled*: what
//! each leg hears and shows is derived anew, and only differences become effects.

mod adoption;
mod application;
mod charges;
mod commands;
mod conferences;
mod connection;
pub(super) mod credit;
mod dialogues;
mod endings;
mod parking;
mod queue;
mod recording;
mod redirect;
mod setup;
pub(super) mod timers;
mod transfer;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mesh::caller::Owner;
use mesh::clock::Timestamp;

use super::call::{Call, Plan};
use super::command::{Cause, Done, Refusal};
use super::conference::Conference;
use super::effect::{Effect, Input};
use super::leg::{Leg, State};
use super::media;
use super::names::{CallId, ConferenceId, Names, Tag};
use super::phone::{Phones, Use};
use super::queue::{Agents, Queue};
use super::reason::Standard;
use super::view::LegView;
use crate::driver::{self, ChannelId, Event, Label, Op, PlaybackEnd, PlaybackId, RecordingId};
use application::Watch;
pub(super) use conferences::Invite;
use credit::Which;
use timers::{Timer, Timers};

/// All calls of one customer.
#[derive(Debug)]
pub struct Customer {
    owner: Owner,
    names: Names,
    now: Timestamp,
    calls: HashMap<CallId, Call>,
    /// Legs that have not ended, over all calls.
    live_legs: usize,
    channels: HashMap<ChannelId, (CallId, Tag)>,
    /// Parked calls by slot.
    slots: BTreeMap<String, CallId>,
    /// Conferences that go on.
    conferences: BTreeMap<ConferenceId, Conference>,
    /// Those that are not what the store has of them.
    changed_conferences: BTreeSet<ConferenceId>,
    timers: Timers,
    /// Queues that have had a call, by `i_c_queue`.
    queues: BTreeMap<i64, Queue>,
    agents: Agents,
    /// Access numbers that have calls.
    access: BTreeMap<String, Watch>,
    phones: Phones,
    /// Something has changed for calls that wait, or for agents.
    must_serve: bool,
    /// What is told now was missed when it happened.
    is_correcting: bool,
    effects: Vec<Effect>,
}

impl Customer {
    /// A customer without calls.
    #[must_use]
    pub fn new(owner: Owner, names: Names) -> Self {
        Self {
            owner,
            names,
            now: Timestamp::default(),
            calls: HashMap::new(),
            live_legs: 0,
            channels: HashMap::new(),
            slots: BTreeMap::new(),
            conferences: BTreeMap::new(),
            changed_conferences: BTreeSet::new(),
            timers: Timers::default(),
            queues: BTreeMap::new(),
            agents: Agents::default(),
            access: BTreeMap::new(),
            phones: Phones::default(),
            must_serve: false,
            is_correcting: false,
            effects: Vec::new(),
        }
    }

    /// Whose calls they are.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Living legs.
    #[must_use]
    pub fn live_legs(&self) -> usize {
        self.live_legs
    }

    /// True when nothing of any call is left.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.calls.is_empty()
            && self.channels.is_empty()
            && self.queues.values().all(|queue| queue.waiting.is_empty())
            && self.agents.are_all_free()
            && self.access.is_empty()
            && self.slots.is_empty()
            && self.conferences.is_empty()
            && self.live_legs == 0
    }

    /// The calls in the slots.
    #[cfg(test)]
    pub(super) fn parked(&self) -> impl Iterator<Item = &CallId> {
        self.slots.values()
    }

    /// Channels of a call's living legs, as far as they have been made.
    pub fn channels_of(&self, call_id: &CallId) -> impl Iterator<Item = &ChannelId> {
        let legs = self.calls.get(call_id).into_iter().flat_map(Call::living);
        legs.map(|leg| &leg.channel).filter(|channel| self.channels.contains_key(*channel))
    }

    /// What the engine calls a channel now.
    #[must_use]
    pub fn label_of(&self, channel: &ChannelId) -> Option<Label> {
        let (call_id, tag) = self.channels.get(channel)?;
        let call = self.calls.get(call_id)?;
        let leg = call.leg(tag)?;
        Some(label(call_id, leg, call.state(leg)))
    }

    /// When [`Input::Tick`] is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.timers.first()
    }

    /// Takes in one input at the moment `now` and says what has to be done, in order.
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        self.now = self.now.max(now);
        match input {
            Input::Command(command) => self.command(command),
            Input::PhoneDials { channel, account, dialled } => {
                self.phone_dials(channel, &account, dialled);
            }
            Input::TrunkCall { channel, from, dialled, route } => {
                self.trunk_calls(channel, &from, dialled, &route);
            }
            Input::Channel(event) => self.channel(event),
            Input::Corrected(event) => {
                self.is_correcting = true;
                self.channel(event);
            }
            Input::Registered { account, is_registered } => {
                self.phones.registers(account.i_account, &account.account_id, is_registered);
            }
            Input::Resolved { call_id, answer } => self.resolved(&call_id, answer),
            Input::Looked { i_c_queue, answer } => self.looked(i_c_queue, answer),
            Input::Fetched { call_id, tag, playback, clip } => {
                self.fetched(&call_id, &tag, playback, clip);
            }
            Input::Listeners { number, call_id, answer } => {
                self.listeners(&number, call_id.as_ref(), answer);
            }
            Input::Reserved { call_id, tag, payer, service, answer } => {
                self.reserved(&call_id, &tag, Which { payer, service }, answer);
            }
            Input::Adopt(legacy) => self.adopt(*legacy),
            Input::Tick => self.tick(),
            Input::Stop => {
                let calls: BTreeSet<CallId> = self.calls.keys().cloned().collect();
                for call_id in calls {
                    self.end_call(&call_id, &Standard::SwitchLost.reason(), None);
                }
            }
        }
        self.serve_queues();
        self.is_correcting = false;
        self.keep_conferences();
        self.effects.extend(self.phones.news().into_iter().map(Effect::TellPhone));
        std::mem::take(&mut self.effects)
    }

    fn channel(&mut self, event: Event) {
        let (channel, happened) = match event {
            Event::Offered { .. } | Event::Registered { .. } => return,
            Event::Ringing { channel } => (channel, Happened::Ringing),
            Event::Answered { channel } => (channel, Happened::Answered),
            Event::Ended { channel, cause } => (channel, Happened::Ended(cause)),
            Event::Held { channel } => (channel, Happened::Held(true)),
            Event::Resumed { channel } => (channel, Happened::Held(false)),
            Event::Digit { channel, digit } => (channel, Happened::Digit(digit)),
            Event::RecordingEnded { channel, recording } => {
                (channel, Happened::Recorded(recording))
            }
            Event::RecordingFailed { channel, recording } => {
                (channel, Happened::NotRecorded(recording))
            }
            Event::PlaybackEnded { channel, playback, end } => {
                (channel, Happened::Played(playback, end))
            }
        };
        let Some((call_id, tag)) = self.channels.get(&channel).cloned() else { return };
        match happened {
            Happened::Ringing => self.rings(&call_id, &tag),
            Happened::Answered => self.answered(&call_id, &tag),
            Happened::Ended(cause) => self.ended(&call_id, &tag, &cause),
            Happened::Held(holds) => {
                self.set_hold(&call_id, &tag, holds);
                self.settle(&call_id, None);
            }
            Happened::Digit(digit) => {
                self.converse(&call_id, &tag, |dialogue, now| dialogue.key(now, digit));
            }
            Happened::Recorded(id) => self.recording_ended(&call_id, &tag, &id),
            Happened::NotRecorded(id) => self.recording_failed(&call_id, &tag, &id),
            Happened::Played(playback, end) => self.played(&call_id, &tag, &playback, end),
        }
    }

    /// Sets who holds; nothing happens unless the leg is through and it is a change.
    fn set_hold(&mut self, call_id: &CallId, tag: &Tag, holds: bool) {
        if let Some(leg) = self.calls.get_mut(call_id).and_then(|call| call.leg_mut(tag))
            && leg.is_connected()
        {
            leg.holds = holds;
        }
    }

    /// Lets a leg ring until its call's time-out.
    fn start_ringing_timer(&mut self, call_id: &CallId, tag: &Tag) {
        let Some(call) = self.calls.get(call_id) else { return };
        self.timers.set(Timer::leg(call_id, tag), self.now.plus(call.ring_timeout));
    }

    /// Derives what every leg of a call hears and shows, and tells the differences. Nothing is
    /// told of a call that has not been admitted.
    fn settle(&mut self, call_id: &CallId, cause: Option<&Cause>) {
        let Some(mut call) = self.calls.remove(call_id) else { return };
        if call.admission.is_some() {
            self.calls.insert(call_id.clone(), call);
            return;
        }
        let followed = self.follow(&mut call, cause);
        self.count_legs(&mut call);
        self.settle_charges(&mut call);
        self.watch(&mut call);
        self.settle_credit(&mut call);
        self.settle_media(&mut call);
        self.go_on_recording(&mut call);
        self.settle_states(&mut call, cause);
        self.settle_phones(&mut call);
        if !matches!(call.plan, Plan::Parked(_) | Plan::Retrieving { .. }) || call.is_over() {
            self.free_slot(call_id);
        }
        if call.is_over() {
            self.timers.forget(&call.id);
            self.effects.push(Effect::Over(call.id));
        } else {
            self.calls.insert(call_id.clone(), call);
        }
        if let Some(followed) = followed {
            self.followed(followed, cause);
        }
    }

    /// Notes which accounts have a leg, and which are free again.
    fn count_legs(&mut self, call: &mut Call) {
        for leg in &mut call.legs {
            let Some(i_account) = leg.i_account else { continue };
            if leg.is_alive() == leg.is_counted {
                continue;
            }
            leg.is_counted = !leg.is_counted;
            if leg.is_counted {
                self.agents.begins(i_account);
            } else {
                self.agents.ends(i_account, self.now);
            }
            self.must_serve = true;
        }
    }

    /// Tells a call's first events, and answers the command that started it.
    fn admit(&mut self, call_id: &CallId) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Some(admission) = call.admission.take() else { return };
        self.settle(call_id, admission.cause.as_ref());
        let legs = self.calls.get(call_id).map(|call| self.views(call)).unwrap_or_default();
        for command_id in admission.command_ids {
            let outcome = Ok(Done { legs: legs.clone(), ..Done::default() });
            self.effects.push(Effect::Reply { command_id, outcome });
        }
    }

    fn settle_media(&mut self, call: &mut Call) {
        for index in 0..call.legs.len() {
            let Some(leg) = call.legs.get(index).filter(|leg| leg.is_alive()) else { continue };
            let source = media::hears(call, leg);
            if source == leg.hears || !self.channels.contains_key(&leg.channel) {
                continue;
            }
            self.effects.push(Effect::Drive(Op::Hear {
                channel: leg.channel.clone(),
                source: source.clone(),
            }));
            if let Some(leg) = call.legs.get_mut(index) {
                leg.hears = source;
            }
        }
        for leg in call.legs.iter_mut().filter(|leg| leg.is_connected()) {
            let mix = leg.seat.as_ref().and_then(|seat| seat.speaks_in.clone());
            if mix != leg.speaks_in && self.channels.contains_key(&leg.channel) {
                leg.speaks_in.clone_from(&mix);
                let channel = leg.channel.clone();
                self.effects.push(Effect::Drive(Op::Speak { channel, mix }));
            }
        }
    }

    /// Notes what the legs mean for their accounts' phones.
    fn settle_phones(&mut self, call: &mut Call) {
        for index in 0..call.legs.len() {
            let Some(leg) = call.legs.get(index) else { continue };
            let Some(i_account) = leg.i_account else { continue };
            let (before, after) = (leg.use_of_phone, Use::of(call.state(leg), leg.awaits_answer));
            if before == after {
                continue;
            }
            let account_id = leg.party.account_id.as_deref().unwrap_or_default();
            self.phones.uses(i_account, account_id, before, after);
            if let Some(leg) = call.legs.get_mut(index) {
                leg.use_of_phone = after;
            }
        }
    }

    fn settle_states(&mut self, call: &mut Call, cause: Option<&Cause>) {
        let mut has_ended = false;
        for index in 0..call.legs.len() {
            let Some(leg) = call.legs.get(index) else { continue };
            let state = call.state(leg);
            let is_told = leg.told.as_ref().is_some_and(|told| told.state == state);
            if !is_told || leg.retold.is_some() {
                has_ended |= state == State::Terminated;
                self.end_prompt_of_connected(call, index, state);
                self.tell(call, index, cause);
            }
        }
        if has_ended {
            // Whoever ends the call for a lost node goes on counting from the living legs' records.
            self.refresh(call);
        }
    }

    /// Brings the records of a call's living legs up to date.
    fn refresh(&mut self, call: &mut Call) {
        let (call_sequence, stay, now) = (call.sequence, call.stay.clone(), self.now);
        let mut charges: Vec<_> = call.legs.iter().map(|leg| call.charged(leg)).collect();
        for (leg, charges) in call.legs.iter_mut().zip(&mut charges) {
            if !leg.is_alive() {
                continue;
            }
            let Some(told) = &mut leg.told else { continue };
            let stay = stay.as_ref().filter(|stay| stay.tag == leg.tag);
            told.queue_info = stay.map(|stay| stay.info(now));
            told.charges = std::mem::take(charges);
            self.effects.push(Effect::Refresh { view: told.clone(), call_sequence });
        }
    }

    /// Tells what one leg of a call shows.
    fn tell(&mut self, call: &mut Call, index: usize, cause: Option<&Cause>) {
        let now = self.now;
        call.sequence += 1;
        if let Some(leg) = call.legs.get_mut(index) {
            leg.update_time = now;
        }
        let Some(leg) = call.legs.get(index) else { return };
        let state = call.state(leg);
        let mut view = Box::new(call.view(leg, now, cause.cloned()));
        view.is_corrective = self.is_correcting;
        // A channel is dialled under its first label, and may have gone before its leg ends.
        let is_labelled = state == State::Trying && !leg.awaits_answer;
        if !is_labelled && self.channels.contains_key(&leg.channel) {
            self.effects.push(Effect::Drive(Op::Label {
                channel: leg.channel.clone(),
                label: label(&call.id, leg, state),
            }));
        }
        self.effects.push(Effect::Tell(view.clone()));
        if let Some(leg) = call.legs.get_mut(index) {
            leg.told = Some(view);
            leg.retold = None;
            self.reply_to_answerers(leg, state);
        }
    }

    /// Tells of one leg of a call before its others are settled.
    fn tell_leg(&mut self, call_id: &CallId, tag: &Tag, cause: Option<&Cause>) {
        let Some(mut call) = self.calls.remove(call_id) else { return };
        if let Some(index) = call.legs.iter().position(|leg| leg.tag == *tag) {
            self.tell(&mut call, index, cause);
        }
        self.calls.insert(call_id.clone(), call);
    }

    /// Answers the commands that wait for the leg to answer, once it has or never will.
    fn reply_to_answerers(&mut self, leg: &mut Leg, state: State) {
        let has_answered = match state {
            State::Trying | State::Ringing => return,
            State::Terminated => false,
            State::Early
            | State::Connected
            | State::Held
            | State::Holding
            | State::Parked
            | State::Queued
            | State::Dequeued
            | State::Transferred => true,
        };
        // One command answers a leg; the others came too late.
        for (index, command_id) in leg.waiting.drain(..).enumerate() {
            let outcome = if has_answered && index == 0 {
                Ok(Done::default())
            } else {
                Err(Refusal::WrongState { state, expected: &[State::Ringing] })
            };
            self.effects.push(Effect::Reply { command_id, outcome });
        }
    }

    /// The legs of a call as they were told last, with the time that has passed since.
    fn views(&self, call: &Call) -> Vec<LegView> {
        call.living()
            .filter_map(|leg| {
                let mut view = leg.told.as_deref()?.clone();
                view.duration_seconds =
                    view.connect_time.map_or(0, |since| self.now.since(since).as_secs());
                view.queue_info = call.queue_info(leg, self.now);
                Some(view)
            })
            .collect()
    }
}

/// What happened on a channel.
enum Happened {
    Ringing,
    Answered,
    Ended(driver::Cause),
    Held(bool),
    Digit(char),
    Played(PlaybackId, PlaybackEnd),
    Recorded(RecordingId),
    NotRecorded(RecordingId),
}

fn label(call_id: &CallId, leg: &Leg, state: State) -> Label {
    Label { call_id: call_id.0.clone(), tag: leg.tag.0.clone(), state: state.name().to_owned() }
}
