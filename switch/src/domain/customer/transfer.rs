//! Handing a conversation over.
//!
//! **Blind.** The party that stays waits (`early`) while the target is dialled; the
//! transferor waits unheard. When the target answers, the transferor's leg shows
//! `transferred` and ends, and the conversation has a new tracking id. When it does
//! not, everything is as before, holds included, and each leg is told why.
//!
//! **Attended.** One transition: both legs of the transferor show `transferred` and
//! end, and the other party of the second call moves to the first.

use super::Customer;
use crate::domain::application::{Application, Asked};
use crate::domain::call::{Plan, Transfer, Transferor};
use crate::domain::command::{Action, CallerScope, Cause, Done, Refusal};
use crate::domain::effect::{Effect, Route};
use crate::domain::leg::{End, Leg, Phase, Retold};
use crate::domain::names::{CallId, Tag};
use crate::domain::party::Party;
use crate::domain::queue::Group;
use crate::domain::reason::Standard;
use crate::driver::Reason;

impl Customer {
    /// Begins a blind transfer by the party of a leg, or by the application that has it.
    pub(super) fn begin_transfer(
        &mut self,
        call_id: &CallId,
        tag: &Tag,
        destination: String,
        cause: &Cause,
    ) -> Done {
        let tracking_id = self.names.tracking_id();
        let Some(call) = self.calls.get_mut(call_id) else { return Done::default() };
        let (transferor, staying, payer) = if let Some(application) = call.served_by() {
            let payer = Some(application.owner.i_account);
            (Transferor::Application(Box::new(application.clone())), tag.clone(), payer)
        } else {
            let Some(staying) = call.other_party(tag) else { return Done::default() };
            let payer = call.leg(tag).and_then(|leg| leg.i_account).or(staying.i_account);
            (Transferor::Leg(tag.clone()), staying.tag.clone(), payer)
        };
        let payer = payer.or(call.payer);
        let previous = call.tracking_id.clone();
        call.destination.clone_from(&destination);
        call.plan = Plan::Transferring(Transfer {
            transferor,
            staying,
            target: None,
            asked: None,
            tracking_id: tracking_id.clone(),
            cause: cause.clone(),
        });
        self.settle(call_id, Some(cause));
        self.resolve(call_id.clone(), payer.unwrap_or_default(), destination);
        Done { tracking: Some((tracking_id, previous)), ..Done::default() }
    }

    /// The directory has said where the target is.
    pub(super) fn dial_target(&mut self, call_id: &CallId, answer: Result<&Route, &Reason>) {
        let Some(call) = self.calls.get(call_id) else { return };
        let Plan::Transferring(transfer) = call.plan.clone() else { return };
        let caller = call.leg(&transfer.staying).map(|leg| leg.party.clone()).unwrap_or_default();
        if let Ok(Route::HuntGroup(group)) = answer {
            if group.queue.is_some() {
                return self.transfer_to_queue(call_id, transfer, group);
            }
            // Without a queue the first who is free, else the first, stands for the group.
            let free = self.agents.free(&group.agents, self.now).first().copied().cloned();
            return match free.or_else(|| group.agents.first().cloned()) {
                Some(agent) => self.dial_target(call_id, Ok(&Route::Account(agent))),
                None => self.fail_transfer(call_id, &Standard::NotAnswered.reason(), None),
            };
        }
        if let Ok(Route::Application(application)) = answer {
            return self.ask_to_take_over(call_id, &transfer.staying, application, &transfer.cause);
        }
        let dialled = answer.map_err(Clone::clone).and_then(|route| {
            self.dial(call_id, End::Callee, caller, route).map_err(Standard::reason)
        });
        match dialled {
            Ok(tag) => {
                if let Some(call) = self.calls.get_mut(call_id)
                    && let Plan::Transferring(transfer) = &mut call.plan
                {
                    transfer.target = Some(tag);
                }
                self.settle(call_id, Some(&transfer.cause));
            }
            Err(reason) => self.fail_transfer(call_id, &reason, None),
        }
    }

    /// An application is asked to take the party that stays.
    fn ask_to_take_over(
        &mut self,
        call_id: &CallId,
        staying: &Tag,
        application: &Application,
        cause: &Cause,
    ) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        if let Plan::Transferring(transfer) = &mut call.plan {
            transfer.asked = Some(Asked::new(Box::new(application.clone())));
        }
        call.goes_through(application);
        if let Some(leg) = call.leg_mut(staying) {
            leg.retold = Some(Retold::default());
        }
        self.settle(call_id, Some(cause));
        self.ask_for(call_id, application.number.clone());
    }

    /// An application has taken the party that stays.
    pub(super) fn transfer_to_application(
        &mut self,
        call_id: &CallId,
        transfer: Transfer,
        application: Box<Application>,
    ) {
        self.hand_over(call_id, &transfer);
        let Some(call) = self.calls.get_mut(call_id) else { return };
        call.follow(transfer.tracking_id);
        if let Some(leg) = call.leg_mut(&transfer.staying) {
            leg.end = End::Caller;
            leg.holds = false;
            leg.caller = leg.party.clone();
            leg.callee = application.party();
            call.presented = leg.party.clone();
        }
        let owner = application.owner.i_account;
        call.plan = Plan::Served(application);
        self.charge_application(call_id, &transfer.staying, owner);
        self.settle(call_id, Some(&transfer.cause));
    }

    /// A queue answers at once: the transferor has done its part, and the other party waits there.
    fn transfer_to_queue(&mut self, call_id: &CallId, transfer: Transfer, group: &Group) {
        self.hand_over(call_id, &transfer);
        let Some(call) = self.calls.get_mut(call_id) else { return };
        call.follow(transfer.tracking_id);
        if let Some(leg) = call.leg_mut(&transfer.staying) {
            leg.end = End::Caller;
            leg.holds = false;
            leg.caller = leg.party.clone();
            call.presented = leg.party.clone();
        }
        self.enqueue(call_id, &transfer.staying, group, Some(&transfer.cause));
    }

    /// The target has answered.
    pub(super) fn complete_transfer(&mut self, call_id: &CallId, target: &Tag) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Plan::Transferring(transfer) = call.plan.clone() else { return };
        self.hand_over(call_id, &transfer);
        let Some(call) = self.calls.get_mut(call_id) else { return };
        call.follow(transfer.tracking_id);
        call.plan = Plan::Talking;
        if let Some(leg) = call.leg_mut(target) {
            leg.phase = Phase::Connected;
            leg.connect_time = Some(now);
        }
        call.pair(&transfer.staying, target);
        self.settle(call_id, Some(&transfer.cause));
    }

    /// The transferor has done its part.
    fn hand_over(&mut self, call_id: &CallId, transfer: &Transfer) {
        match &transfer.transferor {
            Transferor::Leg(tag) => self.hand_over_leg(call_id, tag, &transfer.cause),
            // An application has no leg that would end.
            Transferor::Application(application) => {
                let owner = application.owner.i_account;
                self.uncharge_application(call_id, &transfer.staying, owner);
            }
        }
    }

    /// The transferor's leg shows `transferred` and ends; of the others nothing is told yet.
    fn hand_over_leg(&mut self, call_id: &CallId, tag: &Tag, cause: &Cause) {
        let Some(leg) = self.calls.get_mut(call_id).and_then(|call| call.leg_mut(tag)) else {
            return;
        };
        if !leg.is_alive() {
            return;
        }
        leg.phase = Phase::Transferred;
        let reason = Standard::Transferred.reason();
        self.tell_leg(call_id, tag, Some(cause));
        self.end_leg(call_id, tag, &reason);
        self.tell_leg(call_id, tag, Some(cause));
        self.end_listeners(call_id, tag, &reason);
    }

    /// Joins the other parties of two calls of one account.
    pub(super) fn transfer_attended(
        &mut self,
        call_id: &CallId,
        tag: &Tag,
        second_id: &CallId,
        scope: &CallerScope,
        action: &Action,
        cause: &Cause,
    ) -> Result<Done, Refusal> {
        let (staying, own, moving) = self.attended_legs(call_id, tag, second_id, scope, action)?;
        let tracking_id = self.names.tracking_id();
        self.hand_over_leg(call_id, tag, cause);
        self.hand_over_leg(second_id, &own, cause);
        let Some(leg) = self.move_out(second_id, &moving, call_id, cause) else {
            return Err(Refusal::CallNotFound(second_id.clone()));
        };
        let Some(call) = self.calls.get_mut(call_id) else {
            return Err(Refusal::CallNotFound(call_id.clone()));
        };
        let previous = call.tracking_id.clone();
        call.follow(tracking_id.clone());
        call.seen_by.i_accounts.extend(leg.i_account);
        call.legs.push(leg);
        call.pair(&staying, &moving);
        if let Some(leg) = call.leg_mut(&staying) {
            leg.retold = Some(Retold::default());
        }
        self.settle(call_id, Some(cause));
        Ok(Done { tracking: Some((tracking_id, previous)), ..Done::default() })
    }

    /// Checks an attended transfer: who stays, the transferor's second leg, who moves.
    fn attended_legs(
        &self,
        call_id: &CallId,
        tag: &Tag,
        second_id: &CallId,
        scope: &CallerScope,
        action: &Action,
    ) -> Result<(Tag, Tag, Tag), Refusal> {
        let first = self.calls.get(call_id).ok_or(Refusal::NotTransferable)?;
        let second = self
            .calls
            .get(second_id)
            .filter(|call| call.is_visible_to(scope))
            .ok_or_else(|| Refusal::CallNotFound(second_id.clone()))?;
        let i_account = first.leg(tag).and_then(|leg| leg.i_account);
        let own = second
            .living()
            .find(|leg| leg.i_account == i_account && i_account.is_some() && leg.is_party())
            .filter(|_| call_id != second_id)
            .ok_or(Refusal::NotTransferable)?;
        let staying = first.conversation(tag, action)?.tag.clone();
        let moving = second.conversation(&own.tag, action)?.tag.clone();
        Ok((staying, own.tag.clone(), moving))
    }

    /// Takes a leg out of a call, which is over then: its last event under the old id says where
    /// it goes on.
    fn move_out(&mut self, from: &CallId, tag: &Tag, to: &CallId, cause: &Cause) -> Option<Leg> {
        self.converse(from, tag, |dialogue, _| dialogue.end(false));
        self.end_recording(from, tag, true);
        let call = self.calls.get_mut(from)?;
        let index = call.legs.iter().position(|leg| leg.tag == *tag)?;
        call.sequence += 1;
        let mut leg = call.legs.remove(index);
        leg.phase = Phase::Transferred;
        leg.update_time = self.now;
        let mut view = call.view(&leg, self.now, Some(cause.clone()));
        view.moved_to = Some(to.clone());
        self.effects.push(Effect::Tell(Box::new(view)));
        leg.phase = Phase::Connected;
        leg.recording = None;
        leg.told = None;
        self.channels.insert(leg.channel.clone(), (to.clone(), tag.clone()));
        // Those who listened in have nobody to listen to.
        let listeners: Vec<Tag> = call.living().map(|leg| leg.tag.clone()).collect();
        for listener in listeners {
            self.end_leg(from, &listener, &Standard::Transferred.reason());
        }
        self.settle(from, Some(cause));
        Some(leg)
    }
}

impl crate::domain::call::Call {
    /// The conversation goes on under a new id.
    fn follow(&mut self, tracking_id: String) {
        self.previous_tracking_id = Some(std::mem::replace(&mut self.tracking_id, tracking_id));
    }

    /// Makes two legs the ends of the conversation, neither of which holds the other.
    pub(in crate::domain) fn pair(&mut self, caller: &Tag, callee: &Tag) {
        let party_of = |call: &Self, tag: &Tag| {
            call.leg(tag).map_or_else(Party::default, |leg| leg.party.clone())
        };
        let (calling, called) = (party_of(self, caller), party_of(self, callee));
        for (tag, end) in [(caller, End::Caller), (callee, End::Callee)] {
            if let Some(leg) = self.leg_mut(tag) {
                leg.end = end;
                leg.holds = false;
                leg.caller = calling.clone();
                leg.callee = called.clone();
            }
        }
    }
}
