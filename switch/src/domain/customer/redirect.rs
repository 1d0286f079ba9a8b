//! Sending a ringing call on, as a phone's own 302 would do, and as the directory says when
//! nobody decides about it.

use super::Customer;
use super::timers::{CallTimer, Timer};
use crate::domain::call::Plan;
use crate::domain::command::Cause;
use crate::domain::leg::{End, Leg, Phase, Retold};
use crate::domain::names::{CallId, Tag};
use crate::domain::queue::{Decision, Leave};
use crate::domain::reason::Standard;

/// A call that was sent on more often goes in circles.
pub(super) const MAX_REDIRECTS: u32 = 5;

impl Customer {
    /// Sends a ringing call on: that of the caller, or that of a transfer.
    pub(super) fn send_on(
        &mut self,
        call_id: &CallId,
        tag: &Tag,
        destination: String,
        cause: Option<&Cause>,
    ) {
        self.leave_queue(call_id, Leave::Redirected, cause);
        self.decided(call_id);
        let Some(call) = self.calls.get_mut(call_id) else { return };
        call.redirects += 1;
        let is_loop = call.redirects > MAX_REDIRECTS;
        let payer = call.leg(tag).and_then(|leg| leg.i_account);
        call.destination.clone_from(&destination);
        match &mut call.plan {
            Plan::Transferring(transfer) => {
                transfer.target = None;
                transfer.asked = None;
            }
            plan => *plan = Plan::Redirecting(cause.cloned()),
        }
        let is_transfer = matches!(call.plan, Plan::Transferring(_));
        let others: Vec<Tag> = call
            .living()
            .filter(|leg| leg.end == End::Callee && leg.tag != *tag && !is_transfer)
            .map(|leg| leg.tag.clone())
            .collect();
        self.end_leg(call_id, tag, &Standard::Redirected.reason());
        for other in others {
            self.end_leg(call_id, &other, &Standard::ByApi.reason());
        }
        self.settle(call_id, cause);
        match (is_loop, is_transfer) {
            (false, _) => self.resolve(call_id.clone(), payer.unwrap_or_default(), destination),
            (true, false) => self.end_call(call_id, &Standard::Loop.reason(), cause),
            (true, true) => self.fail_transfer(call_id, &Standard::Loop.reason(), cause),
        }
    }
    /// A call is to go on to another number unless somebody decides before: whoever is called on
    /// `tag`, or in a queue or group.
    pub(super) fn set_decision(
        &mut self,
        call_id: &CallId,
        tag: Option<&Tag>,
        decision: Option<&Decision>,
    ) {
        let Some(decision) = decision else { return };
        let at = self.now.plus(decision.timeout);
        if let Some(call) = self.calls.get_mut(call_id) {
            call.fallbacks.insert(tag.cloned(), decision.fallback.clone());
            self.timers.set(Timer::Call(call_id.clone(), CallTimer::Decision(tag.cloned())), at);
        }
    }

    /// Nobody has decided in time.
    pub(super) fn undecided(&mut self, call_id: &CallId, tag: Option<&Tag>) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Some(fallback) = call.fallbacks.remove(&tag.cloned()) else { return };
        let is_alerted = |leg: &&Leg| matches!(leg.phase, Phase::Trying | Phase::Ringing);
        let called = call.living().filter(|leg| leg.end == End::Callee);
        let of_it: Vec<&Leg> = called.filter(|leg| tag.is_none_or(|tag| leg.tag == *tag)).collect();
        if of_it.iter().any(|leg| !leg.waiting.is_empty()) {
            // Somebody has: the phone is being answered.
            return;
        }
        let ringing = of_it.into_iter().find(is_alerted).map(|leg| leg.tag.clone());
        match (&call.plan, ringing) {
            (Plan::Queued, _) if tag.is_none() => {
                self.leave_queue(call_id, Leave::Redirected, None);
                self.go_elsewhere(call_id, Some(fallback));
            }
            (Plan::Reaching | Plan::Transferring(_), Some(ringing)) => {
                self.send_on(call_id, &ringing, fallback, None);
            }
            _ => {}
        }
    }

    /// A call to a group has been decided about, whatever becomes of it.
    pub(super) fn decided(&mut self, call_id: &CallId) {
        if let Some(call) = self.calls.get_mut(call_id) {
            call.fallbacks.remove(&None);
            self.timers.stop(&Timer::Call(call_id.clone(), CallTimer::Decision(None)));
        }
    }
}

impl Leg {
    /// It is known whom the party that waits on this leg is sent on to.
    pub(super) fn sent_on(&mut self) {
        if self.phase == Phase::Dequeued {
            self.phase = Phase::Early;
        } else {
            self.retold = Some(Retold::default());
        }
    }
}
