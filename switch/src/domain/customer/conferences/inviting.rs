//! Calling people into a conference: each is a call of its own, with one leg.
//!
//! The directory is asked first who the number is, and whether the owner may call it. Nothing is
//! told until it has answered, so that the called account sees the call from its first event on;
//! the command is answered then. Who cannot be called has failed, which is an event and no fault.

use super::Customer;
use crate::domain::call::{Admission, Call, NewLeg, Plan};
use crate::domain::command::{Cause, Done, Refusal};
use crate::domain::conference::{JoinMode, Participant};
use crate::domain::effect::{Effect, Route};
use crate::domain::leg::{Direction, End};
use crate::domain::names::{CallId, ConferenceId, Tag};
use crate::domain::party::Party;
use crate::driver::{Clip, Reason};

/// Somebody who is to be called in, until it is known who that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::domain) struct Invite {
    pub(in crate::domain) conference: ConferenceId,
    /// The command that waits.
    pub(super) command_id: String,
    pub(super) mode: JoinMode,
    pub(super) prompts: Vec<Clip>,
    pub(super) cause: Cause,
}

impl Invite {
    pub(super) fn new(command_id: String, cause: &Cause, prompts: Vec<Clip>) -> Self {
        Self {
            conference: ConferenceId::default(),
            command_id,
            mode: JoinMode::Full,
            prompts,
            cause: cause.clone(),
        }
    }
}

impl Customer {
    /// Asks who a number is that is to be called in.
    pub(super) fn invite(&mut self, id: &ConferenceId, number: String, mut invite: Invite) {
        let call_id = self.names.call();
        let tracking_id = self.names.tracking_id();
        let Some(conference) = self.conferences.get_mut(id) else { return };
        invite.conference = id.clone();
        let cause = invite.cause.clone();
        let mut call = Call::new(
            self.owner,
            call_id.clone(),
            tracking_id,
            Plan::Inviting(Box::new(invite)),
            number.clone(),
        );
        call.admission = Some(Admission { command_ids: Vec::new(), cause: Some(cause) });
        call.presented = Party::account(&conference.owner);
        call.seen_by.i_accounts.insert(conference.owner.i_account);
        conference.asking.insert(call_id.clone());
        let payer = conference.owner.i_account;
        self.calls.insert(call_id.clone(), call);
        self.resolve(call_id, payer, number);
    }

    /// The directory has said who is to be called in.
    pub(in crate::domain::customer) fn invited(
        &mut self,
        call_id: &CallId,
        answer: Result<Route, Reason>,
    ) {
        let Some(call) = self.calls.get(call_id) else { return };
        let Plan::Inviting(invite) = call.plan.clone() else { return };
        let caller = call.presented.clone();
        let id = invite.conference.clone();
        if let Some(conference) = self.conferences.get_mut(&id) {
            conference.asking.remove(call_id);
        }
        if let Ok(Route::Account(account)) = &answer
            && let Err(refusal) = self.is_not_in(&id, account.i_account)
        {
            // Another command was first.
            return self.drop_invite(call_id, refusal);
        }
        if let Ok(route) = &answer {
            self.see(call_id, route);
        }
        let Some(call) = self.calls.get_mut(call_id) else { return };
        call.plan = Plan::Conferring(id.clone());
        let dialled = answer.and_then(|route| {
            let dialled = self.dial(call_id, End::Callee, caller.clone(), &route);
            dialled.map_err(crate::domain::reason::Standard::reason)
        });
        let (tag, failure) = match dialled {
            Ok(tag) => (Some(tag), None),
            Err(reason) => (self.add_unreached(call_id, caller), Some(reason)),
        };
        let leg = tag.and_then(|tag| self.calls.get(call_id)?.leg(&tag));
        let Some(leg) = leg else { return };
        let (tag, party) = (leg.tag.clone(), leg.party.clone());
        let name = (call_id.clone(), tag.clone(), leg.channel.clone());
        let participant =
            Participant::new(name, party, invite.mode, invite.prompts).brought_by(&invite.cause);
        if let Some(conference) = self.conferences.get_mut(&id) {
            conference.add(participant);
        }
        self.admit(call_id);
        if let Some(reason) = failure {
            self.leg_gone(call_id, &tag, &reason, None);
        }
        let outcome = Ok(self.participant_done(&id, &tag));
        self.effects.push(Effect::Reply { command_id: invite.command_id, outcome });
    }

    /// The leg of somebody who cannot be called.
    fn add_unreached(&mut self, call_id: &CallId, caller: Party) -> Option<Tag> {
        let (tag, channel) = self.names.leg();
        let now = self.now;
        let call = self.calls.get_mut(call_id)?;
        let callee = Party::number(call.destination.clone());
        call.add(
            now,
            NewLeg {
                tag: tag.clone(),
                channel,
                awaits_answer: false,
                end: End::Callee,
                direction: Direction::Incoming,
                // It never crosses the border.
                is_external: false,
                caller,
                party: callee.clone(),
                callee,
                i_account: None,
            },
        );
        self.live_legs += 1;
        Some(tag)
    }

    /// Nobody is called in after all, and nothing is told; true when the call was one for that.
    pub(in crate::domain::customer) fn end_invite(&mut self, call_id: &CallId) -> bool {
        let Some(Plan::Inviting(invite)) = self.calls.get(call_id).map(|call| &call.plan) else {
            return false;
        };
        let gone = Refusal::ConferenceNotFound(invite.conference.clone());
        self.drop_invite(call_id, gone);
        true
    }

    fn drop_invite(&mut self, call_id: &CallId, refusal: Refusal) {
        let Some(call) = self.calls.remove(call_id) else { return };
        let Plan::Inviting(invite) = call.plan else { return };
        if let Some(conference) = self.conferences.get_mut(&invite.conference) {
            conference.asking.remove(call_id);
        }
        let outcome: Result<Done, Refusal> = Err(refusal);
        self.effects.push(Effect::Reply { command_id: invite.command_id, outcome });
    }
}
