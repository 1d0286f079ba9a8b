//! What commands do.

use super::Customer;
use crate::domain::call::{Admission, Plan};
use crate::domain::command::{
    Action, CallerScope, Cause, Command, Done, Outcome, Refusal, allowed_states,
};
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
                if let Some(known) = self.known(&originate.call_id) {
                    return Ok(Answer::Now(known));
                }
                let admission = Admission { command_id: Some(id), cause: Some(cause) };
                self.set_up_origination(*originate, admission);
                Ok(Answer::Later)
            }
            Action::ConnectTwo(connect) => {
                self.may_use(&scope, &connect.account)?;
                if let Some(known) = self.known(&connect.call_id) {
                    return Ok(Answer::Now(known));
                }
                let admission = Admission { command_id: Some(id), cause: Some(cause) };
                self.set_up_connection(*connect, admission);
                Ok(Answer::Later)
            }
            Action::Retrieve(parked, account) => {
                self.may_use(&scope, &account)?;
                self.retrieve(&parked, &account, &scope, &cause).map(Answer::Now)
            }
            action => self.on_call(id, &scope, cause, action),
        }
    }

    /// Whoever commands an account's phone is in this environment, and in the account realm it is
    /// the account itself.
    fn may_use(&self, scope: &CallerScope, account: &Account) -> Result<(), Refusal> {
        let is_own = scope.i_account().is_none_or(|own| own == account.i_account);
        if scope.reaches(self.owner) && is_own {
            Ok(())
        } else {
            Err(Refusal::AccountNotFound(account.account_id.clone()))
        }
    }

    /// The legs of a call that is commanded once more.
    fn known(&self, call_id: &CallId) -> Option<Done> {
        let call = self.calls.get(call_id)?;
        Some(Done { legs: self.views(call), ..Done::default() })
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
            .ok_or_else(|| Refusal::CallNotFound(call_id.clone()))?;
        let leg = call.target(scope, &action, action.tag())?;
        let (tag, channel) = (leg.tag.clone(), leg.channel.clone());
        match action {
            Action::Originate(_) | Action::ConnectTwo(_) | Action::Retrieve(..) => {}
            Action::Get(_) => return Ok(Answer::Now(self.known(&call_id).unwrap_or_default())),
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
                if named.is_some() {
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
            Action::Redirect(_, _, destination) => {
                self.is_called(&call_id, &tag)?;
                self.redirect(&call_id, &tag, destination, &cause);
            }
            Action::TransferBlind(_, _, ref destination) => {
                self.is_talking(&call_id, &tag, &action)?;
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
                self.is_talking(&call_id, &tag, &action)?;
                let slot = slot.clone();
                return self.park(&call_id, &tag, slot, &cause).map(Answer::Now);
            }
            Action::PickUpCall(_, _, account) => {
                self.may_use(scope, &account)?;
                return self.pick_up_call(&call_id, *account, &cause).map(Answer::Now);
            }
            Action::Supervise(_, _, mode, ref account) => {
                self.may_use(scope, account)?;
                self.is_talking(&call_id, &tag, &action)?;
                let account = account.as_ref().clone();
                return self.supervise(&call_id, &tag, mode, account, &cause).map(Answer::Now);
            }
        }
        Ok(Answer::Now(Done::default()))
    }

    /// Refuses unless two parties talk and the leg is one of them.
    fn is_talking(&self, call_id: &CallId, tag: &Tag, action: &Action) -> Result<(), Refusal> {
        let not_found = || Refusal::CallNotFound(call_id.clone());
        let call = self.calls.get(call_id).ok_or_else(not_found)?;
        if call.plan == Plan::Talking && call.other_party(tag).is_some() {
            return Ok(());
        }
        // The leg's own state allows it; what does not is how far the other party is.
        let other = call.living().find(|leg| leg.tag != *tag && leg.is_party());
        let state = other.map_or(State::Terminated, |leg| call.state(leg));
        Err(Refusal::WrongState { state, expected: allowed_states(action) })
    }

    /// Refuses unless the leg is that of a called party: a phone that is called back for its own
    /// account has nobody to send on.
    fn is_called(&self, call_id: &CallId, tag: &Tag) -> Result<(), Refusal> {
        let call = self.calls.get(call_id);
        let is_called = call.is_some_and(|call| {
            call.plan == Plan::Reaching && call.leg(tag).is_some_and(|leg| leg.end == End::Callee)
        });
        if is_called {
            return Ok(());
        }
        Err(Refusal::WrongState { state: State::Trying, expected: &[State::Ringing] })
    }
}
