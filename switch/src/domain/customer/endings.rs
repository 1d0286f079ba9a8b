//! How legs and calls end.
//!
//! | the call | a leg that ends | what follows |
//! | --- | --- | --- |
//! | any | a supervisor's | only that leg ends |
//! | is being transferred | the target's | the earlier conversation comes back, each leg told why |
//! | is being transferred | the transferor's | the transfer goes on |
//! | is reaching | a called leg, while others ring | only that leg ends |
//! | is reaching the second of two numbers | the called leg | the first hears why, and is then released |
//! | waits in a queue | the leg of an agent to whom it is offered | the call stays in the queue |
//! | is in a conference | any | only that leg ends |
//! | a phone takes a parked party | the phone's | the party stays parked; after a recall the call ends |
//! | any other | any | every leg ends, with the same reason |

use std::time::Duration;

use super::Customer;
use super::timers::{CallTimer, Timer};
use crate::domain::call::{Call, Plan, Transferor};
use crate::domain::command::Cause;
use crate::domain::dialogue::Dialogue;
use crate::domain::effect::{Effect, Wanted};
use crate::domain::leg::{End, Phase, Retold};
use crate::domain::names::{CallId, Tag};
use crate::domain::queue::Leave;
use crate::domain::reason::{self, Standard};
use crate::driver::{self, Clip, Op, PlaybackEnd, PlaybackId, Reason};

/// How soon it must be known what an announcement before the release is.
const FOUND_WITHIN: Duration = Duration::from_secs(2);

/// How much longer than it lasts the end of an announcement is waited for.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

impl Customer {
    /// The channel of a leg has gone by itself.
    pub(super) fn ended(&mut self, call_id: &CallId, tag: &Tag, cause: &driver::Cause) {
        let Some(leg) = self.calls.get(call_id).and_then(|call| call.leg(tag)) else { return };
        let is_answered =
            matches!(leg.phase, Phase::Connected | Phase::Parked | Phase::Queued | Phase::Dequeued);
        let was_on_line = is_answered
            || leg.phase == Phase::Early
            || (leg.end == End::Caller && leg.awaits_answer);
        let reason = match cause {
            driver::Cause::Lost => Standard::SwitchLost.reason(),
            driver::Cause::Refused(code) if !was_on_line => reason::of_code(*code),
            driver::Cause::HungUp if !was_on_line => reason::of_code(603),
            driver::Cause::HungUp | driver::Cause::Refused(_) if is_answered => {
                Standard::ByeReceived.reason()
            }
            driver::Cause::HungUp | driver::Cause::Refused(_) => Standard::GaveUp.reason(),
        };
        // The driver no longer knows the channel: it needs no hang-up.
        let channel = leg.channel.clone();
        self.channels.remove(&channel);
        self.leg_gone(call_id, tag, &reason, None);
    }

    /// Ends one leg, and what has to end with it.
    pub(super) fn leg_gone(
        &mut self,
        call_id: &CallId,
        tag: &Tag,
        reason: &Reason,
        cause: Option<&Cause>,
    ) {
        self.admit(call_id);
        let Some(call) = self.calls.get(call_id) else { return };
        match After::of(call, tag) {
            After::Nothing => {
                self.end_leg(call_id, tag, reason);
                self.end_listeners(call_id, tag, reason);
                self.settle(call_id, cause);
            }
            After::TransferFails => {
                self.end_leg(call_id, tag, reason);
                self.settle(call_id, cause);
                self.fail_transfer(call_id, reason, cause);
            }
            After::FirstHearsWhy => {
                self.end_leg(call_id, tag, reason);
                self.announce(call_id, reason);
                self.settle(call_id, cause);
            }
            After::StaysQueued => {
                self.end_leg(call_id, tag, reason);
                self.not_taken(call_id, tag);
                self.settle(call_id, cause);
            }
            After::StaysParked => {
                self.end_leg(call_id, tag, reason);
                self.park_again(call_id, cause);
            }
            After::CallEnds => self.end_call(call_id, reason, cause),
        }
    }

    /// Ends every living leg of a call with one reason.
    pub(super) fn end_call(&mut self, call_id: &CallId, reason: &Reason, cause: Option<&Cause>) {
        if self.end_invite(call_id) {
            return;
        }
        self.admit(call_id);
        self.leave_queue(call_id, Leave::Abandoned, cause);
        let Some(call) = self.calls.get(call_id) else { return };
        let tags: Vec<Tag> = call.living().map(|leg| leg.tag.clone()).collect();
        for tag in tags {
            self.end_leg(call_id, &tag, reason);
        }
        self.settle(call_id, cause);
    }

    /// Ends the legs that listen in on one that leaves its call.
    pub(super) fn end_listeners(&mut self, call_id: &CallId, of: &Tag, reason: &Reason) {
        let Some(call) = self.calls.get(call_id) else { return };
        let listeners: Vec<Tag> = call
            .living()
            .filter(|leg| matches!(&leg.end, End::Supervisor(supervision) if supervision.of == *of))
            .map(|leg| leg.tag.clone())
            .collect();
        for tag in listeners {
            self.end_leg(call_id, &tag, reason);
        }
    }

    /// Ends one leg; nothing is told yet.
    pub(super) fn end_leg(&mut self, call_id: &CallId, tag: &Tag, reason: &Reason) {
        self.timers.stop(&Timer::leg(call_id, tag));
        self.converse(call_id, tag, |dialogue, _| dialogue.end(true));
        self.end_recording(call_id, tag, false);
        let Some(leg) = self
            .calls
            .get_mut(call_id)
            .and_then(|call| call.leg_mut(tag))
            .filter(|leg| leg.is_alive())
        else {
            return;
        };
        leg.phase = Phase::Ended(reason.clone());
        leg.holds = false;
        leg.retold = None;
        self.live_legs -= 1;
        if self.channels.remove(&leg.channel).is_some() {
            self.effects.push(crate::domain::effect::Effect::Drive(Op::Hangup {
                channel: leg.channel.clone(),
                reason: reason.clone(),
            }));
        }
        self.account(call_id, tag);
    }

    /// The earlier conversation comes back.
    pub(super) fn fail_transfer(
        &mut self,
        call_id: &CallId,
        reason: &Reason,
        cause: Option<&Cause>,
    ) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Plan::Transferring(transfer) = call.plan.clone() else { return };
        let cause = cause.unwrap_or(&transfer.cause);
        match transfer.transferor {
            Transferor::Leg(tag) => {
                call.plan = Plan::Talking;
                if call.leg(&tag).is_none_or(|leg| !leg.is_alive()) {
                    self.end_call(call_id, reason, Some(cause));
                    return;
                }
            }
            Transferor::Application(application) => call.plan = Plan::Served(application),
        }
        for leg in call.legs.iter_mut().filter(|leg| leg.is_alive() && leg.is_party()) {
            leg.retold = Some(Retold { reason: Some(reason.clone()) });
        }
        self.settle(call_id, Some(cause));
    }

    /// The phone that was to take a parked party does not.
    fn park_again(&mut self, call_id: &CallId, cause: Option<&Cause>) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Plan::Retrieving { parking, .. } = call.plan.clone() else { return };
        let is_due = !self.timers.is_set(&Timer::leg(call_id, &parking.parked));
        call.plan = Plan::Parked(parking);
        self.settle(call_id, cause);
        if is_due {
            // The time in the slot has passed meanwhile.
            self.recall(call_id);
        }
    }

    /// Tells the first of two numbers why the second failed.
    pub(super) fn announce(&mut self, call_id: &CallId, reason: &Reason) {
        let prompt = if matches!(reason.code, 486 | 600) { "busy.au" } else { "no-answer.au" };
        self.release_after(call_id, prompt, reason);
    }

    /// Releases the caller after it has heard something to its end, or as soon as it turns out that
    /// there is nothing to hear.
    pub(super) fn release_after(&mut self, call_id: &CallId, prompt: &str, reason: &Reason) {
        let playback = self.names.playback();
        let Some(call) = self.calls.get_mut(call_id) else { return };
        call.plan = Plan::Announcing { playback: playback.clone(), reason: reason.clone() };
        let Some(leg) = call.at_mut(&End::Caller) else { return };
        let tag = leg.tag.clone();
        self.timers.set(Timer::leg(call_id, &tag), self.now.plus(FOUND_WITHIN));
        let wanted = Wanted::Prompt(prompt.to_owned());
        self.effects.push(Effect::Fetch { call_id: call_id.clone(), tag, playback, wanted });
    }

    /// Why the call is released after this playback, if it is.
    fn released_after(&self, call_id: &CallId, id: &PlaybackId) -> Option<Reason> {
        match &self.calls.get(call_id)?.plan {
            Plan::Announcing { playback, reason } if playback == id => Some(reason.clone()),
            _ => None,
        }
    }

    /// It is known what is played to a leg, or that there is nothing.
    pub(super) fn fetched(
        &mut self,
        call_id: &CallId,
        tag: &Tag,
        playback: PlaybackId,
        clip: Option<Clip>,
    ) {
        match (self.released_after(call_id, &playback), clip) {
            (None, clip) => {
                self.converse(call_id, tag, |dialogue, now| dialogue.fetched(now, &playback, clip));
            }
            (Some(reason), None) => self.end_call(call_id, &reason, None),
            (Some(_), Some(clip)) => {
                let leg = self.calls.get(call_id).and_then(|call| call.leg(tag));
                let Some(channel) = leg.map(|leg| leg.channel.clone()) else { return };
                let at = self.now.plus(clip.duration).plus(ENDS_WITHIN);
                self.timers.set(Timer::leg(call_id, tag), at);
                let play = Op::Play { channel, playback, clips: vec![clip], repeat: 1 };
                self.effects.push(Effect::Drive(play));
            }
        }
    }

    /// What was played to a leg is over.
    pub(super) fn played(
        &mut self,
        call_id: &CallId,
        tag: &Tag,
        playback: &PlaybackId,
        end: PlaybackEnd,
    ) {
        match self.released_after(call_id, playback) {
            None => {
                self.converse(call_id, tag, |dialogue, now| dialogue.played(now, playback, end));
            }
            Some(reason) => self.end_call(call_id, &reason, None),
        }
    }

    /// Does what is due at the moment.
    pub(super) fn tick(&mut self) {
        while let Some(timer) = self.timers.pop_due(self.now) {
            match timer {
                Timer::Call(call_id, CallTimer::Leg(tag)) => self.leg_waited(&call_id, &tag),
                Timer::Call(call_id, CallTimer::Digits(tag)) => {
                    self.converse(&call_id, &tag, Dialogue::expire);
                }
                Timer::Call(call_id, CallTimer::Waited) => self.waited(&call_id),
                Timer::Call(call_id, CallTimer::Decision(tag)) => {
                    self.undecided(&call_id, tag.as_ref());
                }
                Timer::Call(call_id, CallTimer::Offer) => self.not_attended(&call_id),
                Timer::AccessNumber(number) => self.look_at(number),
                Timer::Call(call_id, CallTimer::Invitation(tag)) => {
                    self.invitation_heard(&call_id, &tag);
                }
                Timer::Call(call_id, CallTimer::Credit(tag, which)) => {
                    self.credit_due(&call_id, &tag, which);
                }
                Timer::Queue(i_c_queue) => self.look_after(i_c_queue),
            }
        }
    }

    /// A leg's ringing or waiting is over.
    fn leg_waited(&mut self, call_id: &CallId, tag: &Tag) {
        let Some(call) = self.calls.get(call_id) else { return };
        let Some(leg) = call.leg(tag).filter(|leg| leg.is_alive()) else { return };
        match (&call.plan, &leg.phase) {
            (Plan::Announcing { reason, .. }, _) => {
                let reason = reason.clone();
                self.end_call(call_id, &reason, None);
            }
            (Plan::Parked(_), Phase::Parked) => self.recall(call_id),
            (_, Phase::Parked) => {}
            _ => self.leg_gone(call_id, tag, &Standard::NotAnswered.reason(), None),
        }
    }
}

/// What follows when a leg ends.
enum After {
    Nothing,
    TransferFails,
    FirstHearsWhy,
    StaysParked,
    StaysQueued,
    CallEnds,
}

impl After {
    fn of(call: &Call, tag: &Tag) -> Self {
        let Some(leg) = call.leg(tag) else { return Self::Nothing };
        if !leg.is_party() {
            return Self::Nothing;
        }
        match &call.plan {
            Plan::Transferring(transfer) if transfer.target.as_ref() == Some(tag) => {
                Self::TransferFails
            }
            Plan::Transferring(transfer) if transfer.transferor.is_leg(tag) => Self::Nothing,
            Plan::Reaching if leg.end == End::Callee => {
                let others =
                    call.living().any(|other| other.tag != *tag && other.end == End::Callee);
                if others {
                    Self::Nothing
                } else if call.second.is_some() {
                    Self::FirstHearsWhy
                } else {
                    Self::CallEnds
                }
            }
            Plan::Retrieving { tag: new, is_recall: false, .. } if new == tag => Self::StaysParked,
            Plan::Queued if leg.end == End::Callee => Self::StaysQueued,
            Plan::Conferring(_) => Self::Nothing,
            _ => Self::CallEnds,
        }
    }
}
