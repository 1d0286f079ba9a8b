//! What commands do.

use super::Customer;
use crate::domain::command::{Action, Cause, Command, Originate, Outcome, Refusal};
use crate::domain::effect::Effect;
use crate::domain::leg::End;
use crate::domain::names::Tag;
use crate::domain::reason::{self, Standard};
use crate::domain::view::LegView;
use crate::driver::Op;

/// What is left to say after a command was carried out.
enum Answer {
    /// It is done; these legs are the answer.
    Now(Outcome),
    /// It will be answered when the leg answers or ends.
    Later,
}

impl Customer {
    /// Carries out a command and answers it.
    pub(super) fn command(&mut self, command: Command) {
        let id = command.id.clone();
        match self.carry_out(command) {
            Ok(Answer::Now(outcome)) => self.reply(id, outcome),
            Ok(Answer::Later) => {}
            Err(refusal) => self.reply(id, Err(refusal)),
        }
    }

    fn reply(&mut self, command_id: String, outcome: Outcome) {
        self.effects.push(Effect::Reply { command_id, outcome });
    }

    fn carry_out(&mut self, command: Command) -> Result<Answer, Refusal> {
        let Command { id, scope, cause, action } = command;
        let owner = self.owner;
        if let Action::Originate(originate) = action {
            // Whoever may command this account's phone is in this environment, and in the account
            // realm it is the account itself.
            let own = scope.i_account().is_none_or(|own| own == originate.account.i_account);
            if !scope.reaches(owner) || !own {
                return Err(Refusal::AccountNotFound(originate.account.account_id));
            }
            let legs = self.originate(*originate, &cause);
            return Ok(Answer::Now(Ok(legs)));
        }
        let call_id = action.call_id().clone();
        let call = self
            .calls
            .get_mut(&call_id)
            .filter(|call| scope.reaches(owner) && call.is_visible_to(&scope))
            .ok_or_else(|| Refusal::CallNotFound(call_id.clone()))?;
        let tag = named_tag(&action);
        let leg = call.target(&scope, &action, tag)?;
        let (leg_tag, channel) = (leg.tag.clone(), leg.channel.clone());
        match action {
            Action::Originate(_) => {}
            Action::Get(_) => {
                let legs = self.calls.get(&call_id).map(|call| self.views(call));
                return Ok(Answer::Now(Ok(legs.unwrap_or_default())));
            }
            Action::Answer(..) => {
                if let Some(leg) = call.leg_mut(&leg_tag) {
                    leg.picked_up_by.get_or_insert(cause);
                    leg.waiting.push(id);
                }
                self.effects.push(Effect::Drive(Op::PickUp { channel }));
                return Ok(Answer::Later);
            }
            Action::Reject(_, _, code) => {
                self.end_call(&call_id, &reason::of_code(code.unwrap_or(603)), Some(&cause));
            }
            Action::Terminate(_, _, code) => {
                let mut reason = Standard::ByApi.reason();
                reason.code = code.unwrap_or(reason.code);
                self.end_call(&call_id, &reason, Some(&cause));
            }
            Action::Hold(..) => {
                self.set_hold(&call_id, &leg_tag, true);
                self.settle(&call_id, Some(&cause));
            }
            Action::Resume(..) => {
                self.set_hold(&call_id, &leg_tag, false);
                self.settle(&call_id, Some(&cause));
            }
            Action::SendDigits(_, _, digits) => {
                self.effects.push(Effect::Drive(Op::SendDigits { channel, digits }));
            }
        }
        Ok(Answer::Now(Ok(Vec::new())))
    }

    fn originate(&mut self, originate: Originate, cause: &Cause) -> Vec<LegView> {
        let call_id = originate.call_id.clone();
        if let Some(call) = self.calls.get(&call_id) {
            // Commanded once more.
            return self.views(call);
        }
        self.set_up_origination(originate);
        self.settle(&call_id, Some(cause));
        let Some(call) = self.calls.get_mut(&call_id) else { return Vec::new() };
        let i_account = call.at_mut(End::Caller).and_then(|leg| leg.i_account);
        let number = call.destination.clone();
        self.effects.push(Effect::Resolve {
            call_id: call_id.clone(),
            i_account: i_account.unwrap_or_default(),
            number,
        });
        self.calls.get(&call_id).map(|call| self.views(call)).unwrap_or_default()
    }
}

fn named_tag(action: &Action) -> Option<&Tag> {
    match action {
        Action::Originate(_) | Action::Get(_) => None,
        Action::Answer(_, tag)
        | Action::Reject(_, tag, _)
        | Action::Terminate(_, tag, _)
        | Action::Hold(_, tag)
        | Action::Resume(_, tag)
        | Action::SendDigits(_, tag, _) => tag.as_ref(),
    }
}
