//! All calls of one customer as one state machine.
//!
//! Each input changes one call (or several), and then the call is *settled*: what
//! each leg hears and shows is derived anew, and only differences become effects.

mod commands;
mod setup;

use std::collections::{BTreeSet, HashMap};

use mesh::caller::Owner;
use mesh::clock::Timestamp;

use super::call::Call;
use super::command::{Cause, Refusal};
use super::effect::{Effect, Input};
use super::leg::{End, Leg, Phase, State};
use super::media;
use super::names::{CallId, Names, Tag};
use super::reason::{self, Standard};
use super::view::{IvrInfo, LegView};
use crate::driver::{self, ChannelId, Event, Label, Op, Reason};

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
    /// When ringing ends; entries whose leg has moved on are skipped.
    deadlines: BTreeSet<(Timestamp, CallId, Tag)>,
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
            deadlines: BTreeSet::new(),
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
            && self.deadlines.is_empty()
            && self.live_legs == 0
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
        self.deadlines.first().map(|(at, ..)| *at)
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
            Input::Resolved { call_id, answer } => self.resolved(&call_id, answer),
            Input::Tick => self.tick(),
            Input::Stop => {
                let calls: BTreeSet<CallId> = self.calls.keys().cloned().collect();
                for call_id in calls {
                    self.end_call(&call_id, &Standard::SwitchLost.reason(), None);
                }
            }
        }
        std::mem::take(&mut self.effects)
    }

    fn channel(&mut self, event: Event) {
        let (channel, happened) = match event {
            Event::Offered { .. } => return,
            Event::Ringing { channel } => (channel, Happened::Ringing),
            Event::Answered { channel } => (channel, Happened::Answered),
            Event::Ended { channel, cause } => (channel, Happened::Ended(cause)),
            Event::Held { channel } => (channel, Happened::Held(true)),
            Event::Resumed { channel } => (channel, Happened::Held(false)),
            Event::Digit { channel, digit } => (channel, Happened::Digit(digit)),
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
            Happened::Digit(digit) => self.digit(&call_id, tag, digit),
        }
    }

    fn digit(&mut self, call_id: &CallId, tag: Tag, digit: char) {
        let Some(call) = self.calls.get(call_id) else { return };
        self.effects.push(Effect::TellIvr {
            call_id: call_id.clone(),
            tag,
            tracking_id: call.tracking_id.clone(),
            info: IvrInfo { event: "dtmf", digits: Some(digit.to_string()) },
            seen_by: call.seen_by.clone(),
        });
    }

    /// Sets who holds; nothing happens unless the leg is through and it is a change.
    fn set_hold(&mut self, call_id: &CallId, tag: &Tag, holds: bool) {
        if let Some(leg) = self.calls.get_mut(call_id).and_then(|call| call.leg_mut(tag))
            && leg.is_connected()
        {
            leg.holds = holds;
        }
    }

    /// The channel of a leg has gone by itself.
    fn ended(&mut self, call_id: &CallId, tag: &Tag, cause: &driver::Cause) {
        let Some(leg) = self.calls.get(call_id).and_then(|call| call.leg(tag)) else { return };
        let was_on_line = matches!(leg.phase, Phase::Connected | Phase::Early)
            || (leg.end == End::Caller && leg.awaits_answer);
        let reason = match cause {
            driver::Cause::Lost => Standard::SwitchLost.reason(),
            driver::Cause::Refused(code) if !was_on_line => reason::of_code(*code),
            driver::Cause::HungUp if !was_on_line => reason::of_code(603),
            driver::Cause::HungUp | driver::Cause::Refused(_) if leg.is_connected() => {
                Standard::ByeReceived.reason()
            }
            driver::Cause::HungUp | driver::Cause::Refused(_) => Standard::GaveUp.reason(),
        };
        self.forget_channel(call_id, tag);
        self.end_call(call_id, &reason, None);
    }

    /// Ends every living leg of a call with one reason.
    fn end_call(&mut self, call_id: &CallId, reason: &Reason, cause: Option<&Cause>) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        for leg in call.legs.iter_mut().filter(|leg| leg.is_alive()) {
            leg.phase = Phase::Ended(reason.clone());
            leg.holds = false;
            self.live_legs -= 1;
            if self.channels.remove(&leg.channel).is_some() {
                self.effects.push(Effect::Drive(Op::Hangup {
                    channel: leg.channel.clone(),
                    reason: reason.clone(),
                }));
            }
        }
        self.settle(call_id, cause);
    }

    /// The driver no longer knows the leg's channel: it needs no hang-up.
    fn forget_channel(&mut self, call_id: &CallId, tag: &Tag) {
        if let Some(leg) = self.calls.get(call_id).and_then(|call| call.leg(tag)) {
            self.channels.remove(&leg.channel);
        }
    }

    fn tick(&mut self) {
        while let Some((at, call_id, tag)) = self.deadlines.first().cloned()
            && at <= self.now
        {
            self.deadlines.pop_first();
            let is_due = self
                .calls
                .get(&call_id)
                .and_then(|call| call.leg(&tag))
                .is_some_and(|leg| leg.is_alive() && leg.deadline == Some(at));
            if is_due {
                self.end_call(&call_id, &Standard::NotAnswered.reason(), None);
            }
        }
    }

    /// Lets a leg ring until its call's time-out.
    fn start_ringing_timer(&mut self, call_id: &CallId, tag: &Tag) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let at = now.plus(call.ring_timeout);
        if let Some(leg) = call.leg_mut(tag) {
            leg.deadline = Some(at);
            self.deadlines.insert((at, call_id.clone(), tag.clone()));
        }
    }

    fn stop_timer(&mut self, call_id: &CallId, tag: &Tag) {
        if let Some(leg) = self.calls.get_mut(call_id).and_then(|call| call.leg_mut(tag))
            && let Some(at) = leg.deadline.take()
        {
            self.deadlines.remove(&(at, call_id.clone(), tag.clone()));
        }
    }

    /// Derives what every leg of a call hears and shows, and tells the differences.
    fn settle(&mut self, call_id: &CallId, cause: Option<&Cause>) {
        let Some(mut call) = self.calls.remove(call_id) else { return };
        self.settle_media(&mut call);
        self.settle_states(&mut call, cause);
        if call.is_over() {
            for leg in &call.legs {
                if let Some(at) = leg.deadline {
                    self.deadlines.remove(&(at, call.id.clone(), leg.tag.clone()));
                }
            }
            self.effects.push(Effect::Over(call.id));
        } else {
            self.calls.insert(call_id.clone(), call);
        }
    }

    fn settle_media(&mut self, call: &mut Call) {
        for index in 0..call.legs.len() {
            let Some(leg) = call.legs.get(index).filter(|leg| leg.is_alive()) else { continue };
            let source = media::hears(call, leg);
            if source == leg.hears {
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
    }

    fn settle_states(&mut self, call: &mut Call, cause: Option<&Cause>) {
        for index in 0..call.legs.len() {
            let Some(leg) = call.legs.get(index) else { continue };
            let state = call.state(leg);
            if leg.told.as_ref().is_some_and(|told| told.state == state) {
                continue;
            }
            call.sequence += 1;
            if let Some(leg) = call.legs.get_mut(index) {
                leg.update_time = self.now;
            }
            let Some(leg) = call.legs.get(index) else { continue };
            let view = Box::new(call.view(leg, self.now, cause.cloned()));
            // A channel is dialled under its first label.
            let is_labelled = state == State::Trying && !leg.awaits_answer;
            if leg.is_alive() && !is_labelled {
                self.effects.push(Effect::Drive(Op::Label {
                    channel: leg.channel.clone(),
                    label: label(&call.id, leg, state),
                }));
            }
            self.effects.push(Effect::Tell(view.clone()));
            if let Some(leg) = call.legs.get_mut(index) {
                leg.told = Some(view);
                self.reply_to_answerers(leg, state);
            }
        }
    }

    /// Answers the commands that wait for the leg to answer, once it has or never will.
    fn reply_to_answerers(&mut self, leg: &mut Leg, state: State) {
        let outcome = match state {
            State::Trying | State::Ringing => return,
            State::Terminated => Err(Refusal::WrongState { state, expected: &[State::Ringing] }),
            State::Early | State::Connected | State::Held | State::Holding => Ok(Vec::new()),
        };
        for command_id in leg.waiting.drain(..) {
            self.effects.push(Effect::Reply { command_id, outcome: outcome.clone() });
        }
    }

    /// The legs of a call as they were told last, with the time that has passed since.
    fn views(&self, call: &Call) -> Vec<LegView> {
        call.living()
            .filter_map(|leg| {
                let mut view = leg.told.as_deref()?.clone();
                view.duration_seconds =
                    view.connect_time.map_or(0, |since| self.now.since(since).as_secs());
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
}

fn label(call_id: &CallId, leg: &Leg, state: State) -> Label {
    Label { call_id: call_id.0.clone(), tag: leg.tag.0.clone(), state: state.name().to_owned() }
}
