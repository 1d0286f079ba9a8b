//! Sending a ringing call on, as a phone's own 302 would do, and as the directory says when
//! nobody decides about it.

use super::Customer;
use super::queue::MAX_REDIRECTS;
use crate::domain::call::Plan;
use crate::domain::command::Cause;
use crate::domain::leg::{End, Phase};
use crate::domain::names::{CallId, Tag};
use crate::domain::queue::Leave;
use crate::domain::reason::Standard;

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
        let Some(call) = self.calls.get_mut(call_id) else { return };
        call.redirects += 1;
        let is_loop = call.redirects > MAX_REDIRECTS;
        let payer = call.leg(tag).and_then(|leg| leg.i_account);
        call.destination.clone_from(&destination);
        match &mut call.plan {
            Plan::Transferring(transfer) => transfer.target = None,
            plan => *plan = Plan::Redirecting(cause.cloned()),
        }
        if let Some(leg) = call.at_mut(&End::Caller).filter(|leg| leg.phase == Phase::Dequeued) {
            leg.phase = Phase::Early;
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
}
