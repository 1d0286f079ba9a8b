//! How calls come to be and parties come together.
//!
//! | plan | what happens | next |
//! | --- | --- | --- |
//! | `AdmittingOrigination` | the destination is known | `CallingBack`: the caller's own phone is dialled |
//! | `AdmittingDialled`, `Redirecting` | the destination is known | `Reaching`: the destination is dialled |
//! | `AdmittingFirst` | the first number is known | `CallingFirst`: it is dialled |
//! | any of these | unknown, or not allowed | over (404, 403, 503) |
//! | `CallingBack` | the caller's phone answers | `Reaching` |
//! | `CallingFirst` | the first answers | `AdmittingSecond` |
//! | `AdmittingSecond` | the second number is known | `Reaching` |
//! | `AdmittingSecond` | unknown, or not allowed | `Announcing`, then over |
//! | `Reaching` | the destination is a queue | `Queued` |
//! | `Reaching` | the destination is an access number | `Offered` |
//! | `Reaching` | a called leg answers | `Talking`; the others end "Answered Elsewhere" |
//! | `Reaching` | an application sends the call on | `Redirecting` |
//!
//! How calls end is in `endings`, how they are handed over in `transfer`.

use super::Customer;
use super::timers::Timer;
use crate::domain::call::{Admission, Call, NewLeg, Plan};
use crate::domain::command::{Cause, Originate};
use crate::domain::effect::{Effect, ResolveFailure, Route};
use crate::domain::leg::{Direction, End, Leg, Phase};
use crate::domain::names::{CallId, Tag};
use crate::domain::party::{Account, Party};
use crate::domain::queue::Leave;
use crate::domain::reason::Standard;
use crate::driver::{ChannelId, Endpoint, Label, Op, Shown};

impl Customer {
    /// A new call for an account; its phone rings once the destination is known to be allowed.
    pub(super) fn set_up_origination(&mut self, originate: Originate, admission: Admission) {
        let Originate { call_id, account, destination, caller_id, caller_name, timeout, callback } =
            originate;
        let caller = Party::account(&account);
        let mut call = Call::new(
            self.owner,
            call_id.clone(),
            self.names.tracking_id(),
            Plan::AdmittingOrigination,
            destination.clone(),
        );
        call.ring_timeout = timeout;
        call.callback = callback;
        call.admission = Some(admission);
        call.presented = Party {
            number: caller_id.unwrap_or_else(|| caller.number.clone()),
            name: caller_name.unwrap_or_else(|| caller.name.clone()),
            ..caller.clone()
        };
        let (tag, channel) = self.names.leg();
        call.add(
            self.now,
            NewLeg {
                tag,
                channel,
                awaits_answer: false,
                end: End::Caller,
                direction: Direction::Outgoing,
                is_external: false,
                party: caller.clone(),
                caller,
                callee: Party::number(destination.clone()),
                i_account: Some(account.i_account),
            },
        );
        self.live_legs += 1;
        self.calls.insert(call_id.clone(), call);
        self.resolve(call_id, account.i_account, destination);
    }

    /// Asks what a number is, for the account that pays.
    pub(super) fn resolve(&mut self, call_id: CallId, i_account: i64, number: String) {
        if let Some(call) = self.calls.get_mut(&call_id) {
            call.payer = Some(i_account);
            call.placer = Some(i_account).filter(|i_account| *i_account != 0);
        }
        self.effects.push(Effect::Resolve { call_id, i_account, number });
    }

    /// An account's phone has dialled.
    pub(super) fn phone_dials(&mut self, channel: ChannelId, account: &Account, dialled: String) {
        if self.channels.contains_key(&channel) {
            // Offered once more.
            return;
        }
        let caller = Party::account(account);
        let call_id = self.new_incoming(
            channel,
            NewCaller {
                direction: Direction::Outgoing,
                is_external: false,
                caller,
                callee: Party::number(dialled.clone()),
                i_account: Some(account.i_account),
                destination: dialled.clone(),
            },
        );
        self.resolve(call_id, account.i_account, dialled);
    }

    /// A call has come in from outside.
    pub(super) fn trunk_calls(
        &mut self,
        channel: ChannelId,
        from: &Shown,
        dialled: String,
        route: &Route,
    ) {
        if self.channels.contains_key(&channel) {
            // Offered once more.
            return;
        }
        let call_id = self.new_incoming(
            channel,
            NewCaller {
                direction: Direction::Incoming,
                is_external: true,
                caller: Party::outside(from),
                callee: callee_of(route, &dialled),
                i_account: None,
                destination: dialled,
            },
        );
        if let Some(call) = self.calls.get_mut(&call_id) {
            call.payer = route.payer();
        }
        self.see(&call_id, route);
        self.admit(&call_id);
        self.reach(&call_id, route, None);
    }

    /// The called account sees the call from now on.
    pub(super) fn see(&mut self, call_id: &CallId, route: &Route) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        match route {
            Route::Account(account) => {
                call.seen_by.i_accounts.insert(account.i_account);
            }
            // An application sees what it may answer, and not the phone from which it is called.
            Route::Application(application)
                if !matches!(call.plan, Plan::AdmittingOrigination | Plan::AdmittingFirst) =>
            {
                call.goes_through(application);
            }
            _ => {}
        }
    }

    fn new_incoming(&mut self, channel: ChannelId, new: NewCaller) -> CallId {
        let call_id = self.names.call();
        let (tag, _) = self.names.leg();
        let mut call = Call::new(
            self.owner,
            call_id.clone(),
            self.names.tracking_id(),
            Plan::AdmittingDialled,
            new.destination,
        );
        call.presented = new.caller.clone();
        call.add(
            self.now,
            NewLeg {
                tag: tag.clone(),
                channel: channel.clone(),
                awaits_answer: true,
                end: End::Caller,
                direction: new.direction,
                is_external: new.is_external,
                party: new.caller.clone(),
                caller: new.caller,
                callee: new.callee,
                i_account: new.i_account,
            },
        );
        self.live_legs += 1;
        self.calls.insert(call_id.clone(), call);
        self.channels.insert(channel.clone(), (call_id.clone(), tag.clone()));
        self.effects.push(Effect::Accepted { channel, call_id: call_id.clone(), tag });
        call_id
    }

    /// The directory has said what a number is.
    pub(super) fn resolved(&mut self, call_id: &CallId, answer: Result<Route, ResolveFailure>) {
        let Some(call) = self.calls.get(call_id) else { return };
        let plan = call.plan.clone();
        let answer = match answer {
            Ok(Route::Nowhere) => Err(Standard::NotFound.reason()),
            Ok(route) => Ok(route),
            Err(ResolveFailure::NotAllowed) => Err(Standard::NotAllowed.reason()),
            Err(ResolveFailure::Unavailable) => Err(Standard::Unavailable.reason()),
        };
        match (plan, answer) {
            (
                Plan::CallingBack(_)
                | Plan::CallingFirst
                | Plan::Reaching
                | Plan::Queued
                | Plan::Offered(_)
                | Plan::Served(_)
                | Plan::Announcing { .. }
                | Plan::Talking
                | Plan::Conferring(_)
                | Plan::Parked(_)
                | Plan::Retrieving { .. },
                _,
            ) => {}
            (Plan::Inviting(_), answer) => self.invited(call_id, answer),
            (Plan::Transferring(transfer), answer) => {
                if transfer.target.is_none() && transfer.asked.is_none() {
                    self.dial_target(call_id, answer.as_ref());
                }
            }
            (Plan::AdmittingSecond, Err(reason)) => {
                self.announce(call_id, &reason);
                self.settle(call_id, None);
            }
            (Plan::Redirecting(cause), Err(reason)) => {
                self.end_call(call_id, &reason, cause.as_ref());
            }
            (_, Err(reason)) => self.end_call(call_id, &reason, None),
            (plan, Ok(route)) => self.go_on(call_id, &plan, route),
        }
    }

    /// Dials what the directory has found.
    fn go_on(&mut self, call_id: &CallId, plan: &Plan, route: Route) {
        self.see(call_id, &route);
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let callee = callee_of(&route, &call.destination);
        // The first of two numbers is the callee of its own leg, whoever is the second.
        let has_first = call.second.is_some();
        let is_first = *plan == Plan::AdmittingFirst;
        if let Some(leg) = call.at_mut(&End::Caller).filter(|_| is_first || !has_first) {
            leg.callee = callee.clone();
            if is_first {
                leg.party = callee;
                leg.is_external = !matches!(route, Route::Account(_));
                leg.i_account = route.i_account();
            }
        }
        if matches!(plan, Plan::AdmittingOrigination | Plan::AdmittingDialled) || is_first {
            self.charge_caller(call_id);
        }
        self.admit(call_id);
        match plan {
            Plan::AdmittingOrigination => {
                if let Some(call) = self.calls.get_mut(call_id) {
                    call.plan = Plan::CallingBack(route);
                }
                self.call_back(call_id);
            }
            Plan::AdmittingFirst => self.call_first(call_id, &route),
            Plan::Redirecting(cause) => {
                if let Some(leg) =
                    self.calls.get_mut(call_id).and_then(|call| call.at_mut(&End::Caller))
                {
                    leg.sent_on();
                }
                self.reach(call_id, &route, cause.as_ref());
            }
            _ => self.reach(call_id, &route, None),
        }
    }

    /// Dials the caller's own phone.
    fn call_back(&mut self, call_id: &CallId) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Some(leg) = call.at_mut(&End::Caller) else { return };
        let tag = leg.tag.clone();
        let account_id = leg.caller.account_id.clone().unwrap_or_default();
        let shown = leg.callee.shown();
        self.dial_leg(call_id, &tag, Endpoint::Phone { account_id }, shown);
    }

    /// Dials the destination; the caller waits on the line.
    fn reach(&mut self, call_id: &CallId, route: &Route, cause: Option<&Cause>) {
        if let Route::Application(application) = route {
            return self.offer_to_application(call_id, application, cause);
        }
        let Some(call) = self.calls.get_mut(call_id) else { return };
        call.plan = Plan::Reaching;
        let caller = call.presented.clone();
        if let Some(leg) = call.at_mut(&End::Caller) {
            leg.phase = Phase::Early;
        }
        if let Route::HuntGroup(group) = route {
            return self.ring_group(call_id, group, cause);
        }
        match self.dial(call_id, End::Callee, caller, route) {
            Ok(_) => self.settle(call_id, cause),
            Err(why) => self.end_call(call_id, &why.reason(), cause),
        }
    }

    /// Adds a leg to a call and dials it; nothing is told yet.
    pub(super) fn dial(
        &mut self,
        call_id: &CallId,
        end: End,
        caller: Party,
        route: &Route,
    ) -> Result<Tag, Standard> {
        let endpoint = endpoint_of(route)?;
        let (tag, channel) = self.names.leg();
        let call = self.calls.get_mut(call_id).ok_or(Standard::Unavailable)?;
        let is_external = !matches!(route, Route::Account(_));
        let callee = callee_of(route, &call.destination);
        let shown = caller.shown();
        let has_placer = end == End::Callee && !matches!(call.plan, Plan::Parked(_));
        let placer = call.placer.filter(|_| has_placer);
        // Who takes a parked party or listens in has nobody to send on.
        let is_called =
            end == End::Callee && matches!(call.plan, Plan::Reaching | Plan::Transferring(_));
        call.add(
            self.now,
            NewLeg {
                tag: tag.clone(),
                channel,
                awaits_answer: false,
                end,
                direction: if is_external { Direction::Outgoing } else { Direction::Incoming },
                is_external,
                caller,
                party: callee.clone(),
                callee,
                i_account: route.i_account(),
            },
        );
        self.live_legs += 1;
        self.charge_called(call_id, &tag, placer);
        self.dial_leg(call_id, &tag, endpoint, shown);
        if let (Route::Account(account), true) = (route, is_called) {
            self.set_decision(call_id, Some(&tag), account.decision.as_ref());
        }
        Ok(tag)
    }

    /// Dials a leg's channel.
    pub(super) fn dial_leg(
        &mut self,
        call_id: &CallId,
        tag: &Tag,
        endpoint: Endpoint,
        shown: Shown,
    ) {
        let Some(leg) = self.calls.get(call_id).and_then(|call| call.leg(tag)) else { return };
        let channel = leg.channel.clone();
        self.channels.insert(channel.clone(), (call_id.clone(), tag.clone()));
        let label = trying(call_id, tag);
        self.effects.push(Effect::Drive(Op::Dial { channel, endpoint, shown, label }));
        self.start_ringing_timer(call_id, tag);
    }

    /// A dialled party is alerted.
    pub(super) fn rings(&mut self, call_id: &CallId, tag: &Tag) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let is_dialled = |leg: &&mut Leg| leg.phase == Phase::Trying && !leg.awaits_answer;
        let Some(leg) = call.leg_mut(tag).filter(is_dialled) else { return };
        leg.phase = Phase::Ringing;
        if leg.end == End::Callee
            && let Some(caller) = call.at_mut(&End::Caller)
            && caller.awaits_answer
        {
            let channel = caller.channel.clone();
            self.effects.push(Effect::Drive(Op::Ring { channel }));
        }
        self.settle(call_id, None);
    }

    /// A dialled party has answered.
    pub(super) fn answered(&mut self, call_id: &CallId, tag: &Tag) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let is_dialled = |leg: &&mut Leg| {
            matches!(leg.phase, Phase::Trying | Phase::Ringing) && !leg.awaits_answer
        };
        let Some(leg) = call.leg_mut(tag).filter(is_dialled) else { return };
        let cause = leg.picked_up_by.take();
        self.timers.stop(&Timer::leg(call_id, tag));
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let plan = call.plan.clone();
        let Some(leg) = call.leg_mut(tag) else { return };
        if !leg.is_party() || matches!(plan, Plan::Conferring(_)) {
            leg.phase = Phase::Connected;
            leg.connect_time = Some(self.now);
            self.settle(call_id, cause.as_ref());
            return;
        }
        match plan {
            Plan::CallingBack(route) => {
                leg.phase = Phase::Early;
                self.see(call_id, &route);
                self.settle(call_id, cause.as_ref());
                self.reach(call_id, &route, None);
            }
            Plan::CallingFirst => {
                leg.phase = Phase::Early;
                self.settle(call_id, cause.as_ref());
                self.call_second(call_id);
            }
            Plan::Reaching | Plan::Queued => {
                self.leave_queue(call_id, Leave::Answered, cause.as_ref());
                self.connect(call_id, tag);
                self.settle(call_id, cause.as_ref());
            }
            Plan::Transferring(transfer) if transfer.target.as_ref() == Some(tag) => {
                self.complete_transfer(call_id, tag);
            }
            Plan::Retrieving { tag: new, .. } if new == *tag => {
                self.retrieved(call_id, tag, cause.as_ref());
            }
            Plan::AdmittingOrigination
            | Plan::AdmittingDialled
            | Plan::AdmittingFirst
            | Plan::AdmittingSecond
            | Plan::Redirecting(_)
            | Plan::Inviting(_)
            | Plan::Conferring(_)
            | Plan::Announcing { .. }
            | Plan::Offered(_)
            | Plan::Served(_)
            | Plan::Talking
            | Plan::Transferring(_)
            | Plan::Parked(_)
            | Plan::Retrieving { .. } => {}
        }
    }

    /// Puts the leg that answered through to the caller; others that ring end.
    fn connect(&mut self, call_id: &CallId, answered: &Tag) {
        let now = self.now;
        self.decided(call_id);
        let Some(call) = self.calls.get_mut(call_id) else { return };
        call.plan = Plan::Talking;
        let others: Vec<Tag> = call
            .living()
            .filter(|leg| leg.end == End::Callee && leg.tag != *answered)
            .map(|leg| leg.tag.clone())
            .collect();
        let reached = call.leg(answered).map(|leg| leg.party.clone());
        let is_connection = call.second.is_some();
        for leg in call.legs.iter_mut().filter(|leg| leg.is_alive()) {
            if leg.end == End::Callee && leg.tag != *answered {
                continue;
            }
            leg.phase = Phase::Connected;
            leg.connect_time.get_or_insert(now);
            if let (End::Caller, Some(reached), false) = (&leg.end, &reached, is_connection) {
                leg.callee = reached.clone();
            }
            if std::mem::take(&mut leg.awaits_answer) {
                let channel = leg.channel.clone();
                self.effects.push(Effect::Drive(Op::Answer { channel }));
            }
        }
        for other in others {
            self.end_leg(call_id, &other, &Standard::AnsweredElsewhere.reason());
        }
    }
}

/// The caller's leg of a call that came in.
struct NewCaller {
    direction: Direction,
    is_external: bool,
    caller: Party,
    callee: Party,
    i_account: Option<i64>,
    destination: String,
}

/// The called end as the call shows it.
fn callee_of(route: &Route, dialled: &str) -> Party {
    match route {
        Route::Account(account) => Party::account(account),
        Route::Foreign { number, name } => Party { name: name.clone(), ..Party::number(number) },
        Route::Pstn { number } => Party::number(number),
        Route::HuntGroup(group) => group.party(),
        Route::Application(application) => application.party(),
        Route::Nowhere => Party::number(dialled),
    }
}

/// Where a route is dialled to.
pub(super) fn endpoint_of(route: &Route) -> Result<Endpoint, Standard> {
    match route {
        Route::Account(account) => Ok(Endpoint::from(account)),
        Route::Foreign { number, .. } => Ok(Endpoint::Join { number: number.clone() }),
        Route::Pstn { number } => Ok(Endpoint::Trunk { number: number.clone() }),
        Route::HuntGroup(_) | Route::Application(_) => Err(Standard::NotAnswered),
        Route::Nowhere => Err(Standard::NotFound),
    }
}

fn trying(call_id: &CallId, tag: &Tag) -> Label {
    Label { call_id: call_id.0.clone(), tag: tag.0.clone(), state: "trying".to_owned() }
}
