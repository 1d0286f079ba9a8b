//! Parking, retrieving, picking up and listening in: commands that call an account's phone into
//! a conversation.

use std::time::Duration;

use super::Customer;
use super::timers::Timer;
use crate::domain::call::{Call, Parking, Plan};
use crate::domain::command::{CallerScope, Cause, Done, Parked, Refusal};
use crate::domain::effect::Route;
use crate::domain::leg::{End, Mode, Phase, State, Supervision};
use crate::domain::names::{CallId, Tag};
use crate::domain::party::{Account, Party};
use crate::domain::reason::Standard;

/// How long a party stays in a slot before the parker is called back.
pub(super) const PARK_TIMEOUT: Duration = Duration::from_mins(2);

/// Slots that are given when none is named.
const SLOTS: std::ops::RangeInclusive<u32> = 701..=799;

impl Customer {
    /// Parks the other party of a leg, which ends.
    pub(super) fn park(
        &mut self,
        call_id: &CallId,
        parker: &Tag,
        slot: Option<String>,
        cause: &Cause,
    ) -> Result<Done, Refusal> {
        let slot = match slot {
            Some(slot) if self.slots.contains_key(&slot) => return Err(Refusal::SlotTaken(slot)),
            Some(slot) => slot,
            None => SLOTS
                .map(|number| number.to_string())
                .find(|slot| !self.slots.contains_key(slot))
                .ok_or_else(|| Refusal::SlotTaken("701 to 799".to_owned()))?,
        };
        let at = self.now.plus(PARK_TIMEOUT);
        let Some(call) = self.calls.get_mut(call_id) else {
            return Err(Refusal::CallNotFound(call_id.clone()));
        };
        let by = call.leg(parker).map_or_else(Party::default, |leg| leg.party.clone());
        let Some(parked) = call.other_party(parker).map(|leg| leg.tag.clone()) else {
            return Err(Refusal::CallNotFound(call_id.clone()));
        };
        call.plan =
            Plan::Parked(Parking { slot: slot.clone(), parked: parked.clone(), parker: by });
        if let Some(leg) = call.leg_mut(&parked) {
            leg.phase = Phase::Parked;
            leg.holds = false;
        }
        let listeners: Vec<Tag> =
            call.living().filter(|leg| !leg.is_party()).map(|leg| leg.tag.clone()).collect();
        self.timers.set(Timer::leg(call_id, &parked), at);
        self.slots.insert(slot.clone(), call_id.clone());
        self.end_leg(call_id, parker, &Standard::ByApi.reason());
        for tag in listeners {
            self.end_leg(call_id, &tag, &Standard::ByApi.reason());
        }
        self.settle(call_id, Some(cause));
        Ok(Done { slot: Some(slot), ..Done::default() })
    }

    /// Calls an account's phone to take a parked party.
    pub(super) fn retrieve(
        &mut self,
        parked: &Parked,
        account: &Account,
        scope: &CallerScope,
        cause: &Cause,
    ) -> Result<Done, Refusal> {
        let call_id = match parked {
            Parked::Slot(slot) => self
                .slots
                .get(slot)
                .filter(|_| scope.reaches(self.owner))
                .cloned()
                .ok_or_else(|| Refusal::SlotNotFound(slot.clone()))?,
            Parked::Call(call_id) => call_id.clone(),
        };
        // A slot is there for everybody; a call is for those who may see it.
        let is_by_slot = matches!(parked, Parked::Slot(_));
        let call = self
            .calls
            .get(&call_id)
            .filter(|call| scope.reaches(self.owner) && (is_by_slot || call.is_visible_to(scope)))
            .ok_or_else(|| Refusal::CallNotFound(call_id.clone()))?;
        let Plan::Parked(parking) = call.plan.clone() else {
            // Of a call that somebody else is taking, it is that phone which is not in the slot.
            let other = call.living().find(|leg| leg.phase != Phase::Parked);
            let state = other.map_or(State::Terminated, |leg| call.state(leg));
            return Err(Refusal::WrongState { state, expected: &[State::Parked] });
        };
        self.call_phone_to(&call_id, parking, account.clone(), false, Some(cause))
    }

    /// The time in the slot is over: the parker is called back.
    pub(super) fn recall(&mut self, call_id: &CallId) {
        let Some(call) = self.calls.get(call_id) else { return };
        let Plan::Parked(parking) = call.plan.clone() else { return };
        let Some((i_account, account_id)) =
            parking.parker.i_account.zip(parking.parker.account_id.clone())
        else {
            // Somebody outside parked it: nobody can be called back.
            self.end_call(call_id, &Standard::NotAnswered.reason(), None);
            return;
        };
        let parker = Account {
            i_account,
            account_id,
            name: parking.parker.name.clone(),
            i_customer: self.owner.i_customer,
            i_reseller: self.owner.i_reseller,
            decision: None,
        };
        // A refusal cannot be: the call is there, and is parked.
        drop(self.call_phone_to(call_id, parking, parker, true, None));
    }

    fn call_phone_to(
        &mut self,
        call_id: &CallId,
        parking: Parking,
        account: Account,
        is_recall: bool,
        cause: Option<&Cause>,
    ) -> Result<Done, Refusal> {
        let caller = self
            .calls
            .get(call_id)
            .and_then(|call| call.leg(&parking.parked))
            .map(|leg| leg.party.clone())
            .unwrap_or_default();
        let not_found = || Refusal::CallNotFound(call_id.clone());
        let tag = self
            .dial(call_id, End::Callee, caller, &Route::Account(account))
            .map_err(|_| not_found())?;
        if let Some(call) = self.calls.get_mut(call_id) {
            call.plan = Plan::Retrieving { tag: tag.clone(), parking, is_recall };
        }
        self.settle(call_id, cause);
        self.leg_view(call_id, &tag).ok_or_else(not_found)
    }

    /// The phone has answered: it gets the parked party.
    pub(super) fn retrieved(&mut self, call_id: &CallId, tag: &Tag, cause: Option<&Cause>) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Plan::Retrieving { parking, .. } = call.plan.clone() else { return };
        call.plan = Plan::Talking;
        if let Some(leg) = call.leg_mut(&parking.parked) {
            leg.phase = Phase::Connected;
        }
        if let Some(leg) = call.leg_mut(tag) {
            leg.phase = Phase::Connected;
            leg.connect_time = Some(now);
        }
        call.pair(&parking.parked, tag);
        self.timers.stop(&Timer::leg(call_id, &parking.parked));
        self.settle(call_id, cause);
    }

    /// Calls an account's phone to take a call that rings elsewhere.
    pub(super) fn pick_up_call(
        &mut self,
        call_id: &CallId,
        account: Account,
        cause: &Cause,
    ) -> Result<Done, Refusal> {
        let not_found = || Refusal::CallNotFound(call_id.clone());
        let call = self.calls.get(call_id).ok_or_else(not_found)?;
        if !matches!(call.plan, Plan::Reaching | Plan::Queued) {
            // The phone that rings is not that of a called party.
            return Err(Refusal::WrongState { state: State::Trying, expected: &[State::Ringing] });
        }
        let caller = call.presented.clone();
        let tag = self
            .dial(call_id, End::Callee, caller, &Route::Account(account))
            .map_err(|_| not_found())?;
        self.settle(call_id, Some(cause));
        self.leg_view(call_id, &tag).ok_or_else(not_found)
    }

    /// Calls an account's phone to listen in on a leg. One that is called already, or listens in,
    /// does so in the new way from now on.
    pub(super) fn supervise(
        &mut self,
        call_id: &CallId,
        of: &Tag,
        mode: Mode,
        account: Account,
        cause: &Cause,
    ) -> Result<Done, Refusal> {
        let not_found = || Refusal::CallNotFound(call_id.clone());
        let call = self.calls.get_mut(call_id).ok_or_else(not_found)?;
        let supervision = Supervision { mode, of: of.clone() };
        let tag = if let Some((tag, present)) = call.supervision_by(account.i_account) {
            *present = supervision;
            tag
        } else {
            let caller = call.leg(of).map(|leg| leg.party.clone()).unwrap_or_default();
            let end = End::Supervisor(supervision);
            self.dial(call_id, end, caller, &Route::Account(account)).map_err(|_| not_found())?
        };
        self.settle(call_id, Some(cause));
        self.leg_view(call_id, &tag).ok_or_else(not_found)
    }

    /// A leg as the answer of the command that made it.
    fn leg_view(&self, call_id: &CallId, tag: &Tag) -> Option<Done> {
        let leg = self.calls.get(call_id)?.leg(tag)?;
        let view = leg.told.as_deref()?.clone();
        Some(Done { legs: vec![view], ..Done::default() })
    }

    /// Frees the slot of a call that is no longer parked.
    pub(super) fn free_slot(&mut self, call_id: &CallId) {
        self.slots.retain(|_, parked| parked != call_id);
    }
}

impl Call {
    /// How an account listens in, and with which leg; `None` when it does not.
    fn supervision_by(&mut self, i_account: i64) -> Option<(Tag, &mut Supervision)> {
        let legs = self.legs.iter_mut().filter(|leg| leg.is_alive());
        legs.filter(|leg| leg.i_account == Some(i_account)).find_map(|leg| match &mut leg.end {
            End::Supervisor(supervision) => Some((leg.tag.clone(), supervision)),
            End::Caller | End::Callee => None,
        })
    }
}
