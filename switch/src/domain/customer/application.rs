//! Calls to access numbers: an application takes them, without a leg of its own.
//!
//! | the call | what happens | next |
//! | --- | --- | --- |
//! | reaches an access number | | `Offered`: who listens there? |
//! | `Offered` | somebody listens, or the store does not say | the party's leg is `ringing` (stays `early` when it was on the line before), for [`ANSWER_TIME`] |
//! | `Offered` | the first `answer_call` | `Served`: the leg is connected |
//! | `Offered` | `reject_call` | over (603, or the code given) |
//! | `Offered` | `redirect_call` | `Redirecting`, at the owner's cost |
//! | `Offered` | nobody listens (any more), or the time is over | `Announcing` the fallback prompt, then over (480) |
//! | `Offered`, second of two numbers | the same | `Announcing` to the first why, then over (480) |
//! | `Served` | nobody has listened for as long as an application may be away | as [`OnAppGone`] says: `Announcing`, over (480), or nothing |
//! | `Served` | `transfer_call` | `Transferring`, at the owner's cost; when that fails, `Served` again |
//! | `Transferring` to an access number | the first `answer_call` | `Served` |
//! | `Transferring` to an access number | `reject_call`, nobody listens, or the time is over | the transfer fails |
//! | any of these | the party hangs up | over |
//!
//! Who listens is asked for each call when it is offered, and once in [`LOOK`] for each number that
//! has calls. What was heard last holds until it expires: "nobody" is not believed earlier, since
//! then the store has lost what it knew. While the store does not say, nobody is taken for gone.

use std::collections::BTreeSet;
use std::time::Duration;

use mesh::clock::Timestamp;

use super::Customer;
use super::redirect::MAX_REDIRECTS;
use super::timers::{CallTimer, Timer};
use crate::domain::application::{Application, Asked, Listeners, OnAppGone};
use crate::domain::call::{Call, Plan};
use crate::domain::command::{Action, Cause, Refusal};
use crate::domain::dialogue::Dialogue;
use crate::domain::effect::Effect;
use crate::domain::leg::{End, Phase, Retold, State};
use crate::domain::names::{CallId, Tag};
use crate::domain::reason::{self, Standard};
use crate::driver::Op;

/// How long an application may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// How often it is asked who listens to a number that has calls.
const LOOK: Duration = Duration::from_secs(1);

/// What a caller hears for whom there is no application.
const FALLBACK: &str = "ivr/fallback.au";

/// An access number that has calls.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) calls: BTreeSet<CallId>,
    is_asking: bool,
    /// Until when somebody is known to listen.
    until: Timestamp,
}

impl Customer {
    /// A call has reached an access number.
    pub(super) fn offer_to_application(
        &mut self,
        call_id: &CallId,
        application: &Application,
        cause: Option<&Cause>,
    ) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        call.plan = Plan::Offered(Asked::new(Box::new(application.clone())));
        call.goes_through(application);
        let number = application.number.clone();
        if let Some(leg) = call.at_mut(&End::Caller) {
            leg.tell_number(&number);
        }
        self.settle(call_id, cause);
        self.ask_for(call_id, number);
    }

    /// Asks who listens, for a call that waits for the answer.
    pub(super) fn ask_for(&mut self, call_id: &CallId, number: String) {
        let call_id = Some(call_id.clone());
        self.effects.push(Effect::AskListeners { number, call_id });
    }

    /// The store has said who listens to a number: for one call, or for all that it has.
    pub(super) fn listeners(&mut self, number: &str, call_id: Option<&CallId>, answer: Listeners) {
        let now = self.now;
        let is_nobody = answer == Listeners::Nobody
            && self.access.get(number).is_none_or(|watch| watch.until <= now);
        if let Some(call_id) = call_id {
            self.asked_for(call_id, number, is_nobody);
        } else if let Some(watch) = self.access.get_mut(number) {
            watch.is_asking = false;
            let calls = if is_nobody { watch.calls.clone() } else { BTreeSet::new() };
            for call_id in calls {
                self.application_gone(&call_id);
            }
        }
        if let (Listeners::Somebody(time), Some(watch)) = (answer, self.access.get_mut(number)) {
            watch.until = watch.until.max(now.plus(time));
        }
    }

    /// The first answer for a call that is offered.
    fn asked_for(&mut self, call_id: &CallId, number: &str, is_nobody: bool) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Some(asked) = call.asked_mut().filter(|asked| asked.application.number == number)
        else {
            return;
        };
        if std::mem::replace(&mut asked.is_alerted, true) {
            return;
        }
        if is_nobody {
            return self.not_attended(call_id);
        }
        if let Some(leg) = call.at_mut(&End::Caller) {
            if leg.phase == Phase::Trying {
                leg.phase = Phase::Ringing;
            }
            if leg.awaits_answer {
                let channel = leg.channel.clone();
                self.effects.push(Effect::Drive(Op::Ring { channel }));
            }
        }
        let timer = Timer::Call(call_id.clone(), CallTimer::Offer);
        self.timers.set(timer, self.now.plus(ANSWER_TIME));
        self.settle(call_id, None);
    }

    /// Nobody listens any more to the number of a call that is offered, or that an application
    /// has.
    fn application_gone(&mut self, call_id: &CallId) {
        let Some(call) = self.calls.get(call_id) else { return };
        match &call.plan {
            Plan::Served(application) => match application.on_app_gone {
                OnAppGone::Fallback => self.fall_back(call_id),
                OnAppGone::Terminate => {
                    self.end_call(call_id, &Standard::NotAnswered.reason(), None);
                }
                OnAppGone::Continue => {}
            },
            _ => self.not_attended(call_id),
        }
    }

    /// No application takes a call that was offered.
    pub(super) fn not_attended(&mut self, call_id: &CallId) {
        self.timers.stop(&Timer::Call(call_id.clone(), CallTimer::Offer));
        let Some(call) = self.calls.get(call_id) else { return };
        let reason = Standard::NotAnswered.reason();
        match &call.plan {
            Plan::Offered(_) if call.second.is_some() => {
                self.announce(call_id, &reason);
                self.settle(call_id, None);
            }
            Plan::Offered(_) => self.fall_back(call_id),
            Plan::Transferring(transfer) if transfer.asked.is_some() => {
                self.fail_transfer(call_id, &reason, None);
            }
            _ => {}
        }
    }

    /// The party hears the fallback prompt and is then released.
    fn fall_back(&mut self, call_id: &CallId) {
        let Some(leg) = self.calls.get_mut(call_id).and_then(|call| call.at_mut(&End::Caller))
        else {
            return;
        };
        if matches!(leg.phase, Phase::Trying | Phase::Ringing) {
            leg.phase = Phase::Early;
        }
        let tag = leg.tag.clone();
        self.converse(call_id, &tag, Dialogue::stop_playing);
        self.release_after(call_id, FALLBACK, &Standard::NotAnswered.reason());
        self.settle(call_id, None);
    }

    /// Carries out a command that means the leg which rings, on a call that is offered.
    pub(super) fn on_offer(
        &mut self,
        call_id: &CallId,
        tag: &Tag,
        action: Action,
        cause: &Cause,
    ) -> Result<(), Refusal> {
        match action {
            Action::Answer(..) => self.take(call_id, cause),
            Action::Reject(_, _, code) => {
                let reason = reason::of_code(code.unwrap_or(603));
                self.timers.stop(&Timer::Call(call_id.clone(), CallTimer::Offer));
                let Some(call) = self.calls.get(call_id) else { return Ok(()) };
                match &call.plan {
                    Plan::Transferring(_) => self.fail_transfer(call_id, &reason, Some(cause)),
                    _ if call.second.is_some() => {
                        self.announce(call_id, &reason);
                        self.settle(call_id, Some(cause));
                    }
                    _ => self.leg_gone(call_id, tag, &reason, Some(cause)),
                }
            }
            Action::Redirect(_, _, destination) => {
                self.send_on_offered(call_id, destination, cause);
            }
            _ => {
                // An application has no phone from which the call could be taken away.
                let (state, expected) = (State::Trying, [State::Ringing].as_slice());
                return Err(Refusal::WrongState { state, expected });
            }
        }
        Ok(())
    }

    /// An application takes a call that was offered.
    fn take(&mut self, call_id: &CallId, cause: &Cause) {
        let now = self.now;
        self.timers.stop(&Timer::Call(call_id.clone(), CallTimer::Offer));
        let Some(call) = self.calls.get_mut(call_id) else { return };
        match call.plan.clone() {
            Plan::Offered(asked) => {
                let owner = asked.application.owner.i_account;
                call.plan = Plan::Served(asked.application);
                if let Some(leg) = call.at_mut(&End::Caller) {
                    leg.phase = Phase::Connected;
                    leg.connect_time.get_or_insert(now);
                    if std::mem::take(&mut leg.awaits_answer) {
                        let channel = leg.channel.clone();
                        self.effects.push(Effect::Drive(Op::Answer { channel }));
                    }
                    let tag = leg.tag.clone();
                    self.charge_application(call_id, &tag, owner);
                }
                self.settle(call_id, Some(cause));
            }
            Plan::Transferring(transfer) => {
                let Some(asked) = transfer.asked.clone() else { return };
                self.transfer_to_application(call_id, transfer, asked.application);
            }
            _ => {}
        }
    }

    /// Sends a call that was offered on to another number, at the owner's cost.
    fn send_on_offered(&mut self, call_id: &CallId, destination: String, cause: &Cause) {
        self.timers.stop(&Timer::Call(call_id.clone(), CallTimer::Offer));
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Some(payer) = call.asked_mut().map(|asked| asked.application.owner.i_account) else {
            return;
        };
        call.redirects += 1;
        call.destination.clone_from(&destination);
        let is_loop = call.redirects > MAX_REDIRECTS;
        let is_transfer = match &mut call.plan {
            Plan::Transferring(transfer) => {
                transfer.asked = None;
                true
            }
            plan => {
                *plan = Plan::Redirecting(Some(cause.clone()));
                false
            }
        };
        if let Some(leg) = call.at_mut(&End::Caller).filter(|leg| leg.phase == Phase::Ringing) {
            leg.phase = Phase::Early;
        }
        self.settle(call_id, Some(cause));
        match (is_loop, is_transfer) {
            (false, _) => self.resolve(call_id.clone(), payer, destination),
            (true, false) => self.end_call(call_id, &Standard::Loop.reason(), Some(cause)),
            (true, true) => self.fail_transfer(call_id, &Standard::Loop.reason(), Some(cause)),
        }
    }

    /// Notes which access number a call is watched for.
    pub(super) fn watch(&mut self, call: &mut Call) {
        let number = call.watched_number().map(str::to_owned);
        if call.watched == number {
            return;
        }
        if let Some(before) = std::mem::replace(&mut call.watched, number.clone())
            && let Some(watch) = self.access.get_mut(&before)
        {
            watch.calls.remove(&call.id);
            if watch.calls.is_empty() {
                self.access.remove(&before);
                self.timers.stop(&Timer::AccessNumber(before));
            }
        }
        if let Some(number) = number {
            let at = self.now.plus(LOOK);
            self.timers.set_unless_set(Timer::AccessNumber(number.clone()), at);
            self.access.entry(number).or_default().calls.insert(call.id.clone());
        }
    }

    /// It is time to ask who listens to a number that has calls.
    pub(super) fn look_at(&mut self, number: String) {
        let Some(watch) = self.access.get_mut(&number) else { return };
        let is_asking = std::mem::replace(&mut watch.is_asking, true);
        self.timers.set(Timer::AccessNumber(number.clone()), self.now.plus(LOOK));
        if !is_asking {
            self.effects.push(Effect::AskListeners { number, call_id: None });
        }
    }
}

impl Call {
    /// Whoever listens to the application's number sees the call from now on, and so does the
    /// owner.
    pub(in crate::domain) fn goes_through(&mut self, application: &Application) {
        self.access_number = Some(application.number.clone());
        self.seen_by.access_numbers.insert(application.number.clone());
        self.seen_by.i_accounts.insert(application.owner.i_account);
    }

    /// The application that is asked to take the call's party.
    pub(in crate::domain) fn asked(&self) -> Option<&Asked> {
        match &self.plan {
            Plan::Offered(asked) => Some(asked),
            Plan::Transferring(transfer) => transfer.asked.as_ref(),
            _ => None,
        }
    }

    fn asked_mut(&mut self) -> Option<&mut Asked> {
        match &mut self.plan {
            Plan::Offered(asked) => Some(asked),
            Plan::Transferring(transfer) => transfer.asked.as_mut(),
            _ => None,
        }
    }

    /// The number whose listeners matter to the call.
    fn watched_number(&self) -> Option<&str> {
        if self.is_over() {
            return None;
        }
        match &self.plan {
            Plan::Served(application) => Some(&application.number),
            _ => self
                .asked()
                .filter(|asked| asked.is_alerted)
                .map(|asked| asked.application.number.as_str()),
        }
    }

    /// The application that has the call's party.
    pub(in crate::domain) fn served_by(&self) -> Option<&Application> {
        match &self.plan {
            Plan::Served(application) => Some(application),
            _ => None,
        }
    }
}

impl crate::domain::leg::Leg {
    /// The leg is told once more, unless it was told with this access number.
    fn tell_number(&mut self, number: &str) {
        let told = self.told.as_ref().and_then(|told| told.access_number.as_deref());
        if told != Some(number) {
            self.retold.get_or_insert_with(Retold::default);
        }
    }
}
