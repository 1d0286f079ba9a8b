//! What commands do.

use super::Customer;
use crate::domain::call::{Admission, Plan};
use crate::domain::command::{Action, CallerScope, Cause, Command, Done, Outcome, Refusal};
use crate::domain::dialogue::Dialogue;
use crate::domain::effect::Effect;
use crate::domain::leg::{End, State};
use crate::domain::names::{CallId, Tag};
use crate::domain::party::Account;
use crate::domain::reason::{self, Standard};
use crate::driver::Op;

/// What is left to say after a command was carried out.
enum Answer {
    /// It is done.
    Now(Done),
    /// It will be answered when the directory has answered, or when the leg answers or ends.
    Later,
}

impl Customer {
    /// Carries out a command and answers it.
    pub(super) fn command(&mut self, command: Command) {
        let id = command.id.clone();
        match self.carry_out(command) {
            Ok(Answer::Now(done)) => self.reply(id, Ok(done)),
            Ok(Answer::Later) => {}
            Err(refusal) => self.reply(id, Err(refusal)),
        }
    }

    fn reply(&mut self, command_id: String, outcome: Outcome) {
        self.effects.push(Effect::Reply { command_id, outcome });
    }

    fn carry_out(&mut self, command: Command) -> Result<Answer, Refusal> {
        let Command { id, scope, cause, action } = command;
        match action {
            Action::Originate(originate) => {
                self.may_use(&scope, &originate.account)?;
                if self.calls.contains_key(&originate.call_id) {
                    return Ok(self.known(&originate.call_id, id));
                }
                let admission = Admission { command_ids: vec![id], cause: Some(cause) };
                self.set_up_origination(*originate, admission);
                Ok(Answer::Later)
            }
            Action::ConnectTwo(connect) => {
                self.may_use(&scope, &connect.account)?;
                if self.calls.contains_key(&connect.call_id) {
                    return Ok(self.known(&connect.call_id, id));
                }
                let admission = Admission { command_ids: vec![id], cause: Some(cause) };
                self.set_up_connection(*connect, admission);
                Ok(Answer::Later)
            }
            Action::Retrieve(parked, account) => {
                self.may_use(&scope, &account)?;
                self.retrieve(&parked, &account, &scope, &cause).map(Answer::Now)
            }
            action @ Action::Conference(_) => {
                let done = self.on_conference(id, &scope, &cause, &action)?;
                Ok(done.map_or(Answer::Later, Answer::Now))
            }
            action => self.on_call(id, &scope, cause, action),
        }
    }

    /// Whoever commands an account's phone is in this environment, and in the account realm it is
    /// the account itself.
    pub(super) fn may_use(&self, scope: &CallerScope, account: &Account) -> Result<(), Refusal> {
        let is_own = scope.i_account().is_none_or(|own| own == account.i_account);
        let is_here = account.i_customer == self.owner.i_customer;
        if scope.reaches(self.owner) && is_own && is_here {
            Ok(())
        } else {
            Err(Refusal::AccountNotFound(account.account_id.clone()))
        }
    }

    /// The legs of a call that is commanded once more, when it has been admitted.
    fn known(&mut self, call_id: &CallId, command_id: String) -> Answer {
        if let Some(call) = self.calls.get_mut(call_id)
            && let Some(admission) = &mut call.admission
        {
            admission.command_ids.push(command_id);
            return Answer::Later;
        }
        Answer::Now(self.legs_of(call_id))
    }

    fn legs_of(&self, call_id: &CallId) -> Done {
        let legs = self.calls.get(call_id).map(|call| self.views(call)).unwrap_or_default();
        Done { legs, ..Done::default() }
    }

    /// Carries out a command on a call.
    fn on_call(
        &mut self,
        id: String,
        scope: &CallerScope,
        cause: Cause,
        action: Action,
    ) -> Result<Answer, Refusal> {
        let Some(call_id) = action.call_id().cloned() else {
            return Ok(Answer::Now(Done::default()));
        };
        let owner = self.owner;
        let call = self
            .calls
            .get_mut(&call_id)
            .filter(|call| scope.reaches(owner) && call.is_visible_to(scope))
            // What has not been told of cannot be read.
            .filter(|call| call.admission.is_none() || !matches!(action, Action::Get(_)))
            .ok_or_else(|| Refusal::CallNotFound(call_id.clone()))?;
        let leg = call.target(scope, &action, action.tag())?;
        let (tag, channel) = (leg.tag.clone(), leg.channel.clone());
        if action.means_ringing_leg() && call.offered().is_some_and(|leg| leg.tag == tag) {
            self.on_offer(&call_id, &tag, action, &cause)?;
            return Ok(Answer::Now(Done::default()));
        }
        match action {
            Action::Originate(_)
            | Action::ConnectTwo(_)
            | Action::Retrieve(..)
            | Action::Conference(_) => {}
            Action::Get(_) => return Ok(Answer::Now(self.legs_of(&call_id))),
            Action::Answer(..) => {
                if let Some(leg) = call.leg_mut(&tag) {
                    leg.picked_up_by.get_or_insert(cause);
                    leg.waiting.push(id);
                }
                self.effects.push(Effect::Drive(Op::PickUp { channel }));
                return Ok(Answer::Later);
            }
            Action::Reject(_, _, code) => {
                let reason = reason::of_code(code.unwrap_or(603));
                self.leg_gone(&call_id, &tag, &reason, Some(&cause));
            }
            Action::Terminate(_, named, code) => {
                let mut reason = Standard::ByApi.reason();
                reason.code = code.unwrap_or(reason.code);
                // Who listens in ends that, and not the call of others.
                let in_conference = matches!(call.plan, Plan::Conferring(_));
                let is_alone = call.listener(scope).is_some()
                    // Of a call in a conference an account ends its own leg.
                    || (in_conference && scope.i_account().is_some());
                if self.is_others_seat(scope, &call_id, &tag) {
                    return Err(Refusal::NotOwner);
                }
                if named.is_some() || is_alone {
                    self.leg_gone(&call_id, &tag, &reason, Some(&cause));
                } else {
                    self.end_call(&call_id, &reason, Some(&cause));
                }
            }
            Action::Hold(..) => {
                self.set_hold(&call_id, &tag, true);
                self.settle(&call_id, Some(&cause));
            }
            Action::Resume(..) => {
                self.set_hold(&call_id, &tag, false);
                self.settle(&call_id, Some(&cause));
            }
            Action::SendDigits(_, _, digits) => {
                self.effects.push(Effect::Drive(Op::SendDigits { channel, digits }));
            }
            Action::Play(_, _, play) => {
                let playback = self.names.playback();
                self.converse(&call_id, &tag, |dialogue, _| dialogue.play(playback, play));
            }
            Action::StopPlay(..) => self.converse(&call_id, &tag, Dialogue::stop_playing),
            Action::Collect(_, _, rules) => {
                self.converse(&call_id, &tag, |dialogue, now| dialogue.collect(now, rules));
            }
            Action::StopCollect(..) => {
                self.converse(&call_id, &tag, |dialogue, _| dialogue.stop_collecting());
            }
            Action::Record(..) => self.record(&call_id, &tag, &cause),
            Action::StopRecord(..) => self.stop_recording(&call_id, &cause),
            Action::Redirect(_, _, destination) => {
                self.is_called(&call_id, &tag)?;
                self.send_on(&call_id, &tag, destination, Some(&cause));
            }
            Action::TransferBlind(_, _, ref destination) => {
                if call.served_by().is_none() {
                    call.conversation(&tag, &action)?;
                }
                let destination = destination.clone();
                let done = self.begin_transfer(&call_id, &tag, destination, &cause);
                return Ok(Answer::Now(done));
            }
            Action::TransferAttended(_, _, ref second) => {
                let second = second.clone();
                let done =
                    self.transfer_attended(&call_id, &tag, &second, scope, &action, &cause)?;
                return Ok(Answer::Now(done));
            }
            Action::Park(_, _, ref slot) => {
                call.conversation(&tag, &action)?;
                let slot = slot.clone();
                return self.park(&call_id, &tag, slot, &cause).map(Answer::Now);
            }
            Action::PickUpCall(_, _, account) => {
                self.may_use(scope, &account)?;
                return self.pick_up_call(&call_id, *account, &cause).map(Answer::Now);
            }
            Action::Supervise(_, _, mode, ref account) => {
                call.conversation(&tag, &action)?;
                self.may_use(scope, account)?;
                let account = account.as_ref().clone();
                return self.supervise(&call_id, &tag, mode, account, &cause).map(Answer::Now);
            }
        }
        Ok(Answer::Now(Done::default()))
    }

    /// Refuses unless the leg is that of a called party: a phone that is called back for its own
    /// account, takes a parked party or is to listen in has nobody to send on.
    fn is_called(&self, call_id: &CallId, tag: &Tag) -> Result<(), Refusal> {
        let is_called = self.calls.get(call_id).is_some_and(|call| match &call.plan {
            Plan::Reaching | Plan::Queued => {
                call.leg(tag).is_some_and(|leg| leg.end == End::Callee)
            }
            Plan::Transferring(transfer) => transfer.target.as_ref() == Some(tag),
            _ => false,
        });
        if is_called {
            return Ok(());
        }
        Err(Refusal::WrongState { state: State::Trying, expected: &[State::Ringing] })
    }
}
