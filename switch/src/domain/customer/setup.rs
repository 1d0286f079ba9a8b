//! How calls come to be and parties come together.
//!
//! | plan | what happens | next |
//! | --- | --- | --- |
//! | `AdmittingOrigination` | the destination is known | `CallingBack`: the caller's own phone is dialled |
//! | `AdmittingDialled` | the destination is known | `Reaching`: the destination is dialled |
//! | either | unknown, or not allowed | over (404, 403, 503) |
//! | `CallingBack` | the caller's phone answers | `Reaching` |
//! | `Reaching` | the destination answers | `Talking` |
//! | any | a leg ends | over |

use super::Customer;
use crate::domain::call::{Call, NewLeg, Plan};
use crate::domain::command::Originate;
use crate::domain::effect::{Effect, ResolveFailure, Route};
use crate::domain::leg::{Direction, End, Phase};
use crate::domain::names::{CallId, Tag};
use crate::domain::party::{Account, Party};
use crate::domain::reason::Standard;
use crate::driver::{ChannelId, Endpoint, Label, Op, Shown};

impl Customer {
    /// A new call for an account; its phone rings once the destination is known to be allowed.
    pub(super) fn set_up_origination(&mut self, originate: Originate) {
        let Originate { call_id, account, destination, caller_id, caller_name, timeout } =
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
                caller,
                callee: Party::number(destination),
                i_account: Some(account.i_account),
            },
        );
        self.live_legs += 1;
        self.calls.insert(call_id, call);
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
        self.settle(&call_id, None);
        self.effects.push(Effect::Resolve {
            call_id,
            i_account: account.i_account,
            number: dialled,
        });
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
        self.settle(&call_id, None);
        self.reach(&call_id, route);
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

    /// The directory has said what a call's destination is.
    pub(super) fn resolved(&mut self, call_id: &CallId, answer: Result<Route, ResolveFailure>) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        if !matches!(call.plan, Plan::AdmittingOrigination | Plan::AdmittingDialled) {
            return;
        }
        let failure = match &answer {
            Ok(Route::Nowhere) => Some(Standard::NotFound),
            Ok(Route::Unattended) => Some(Standard::NotAnswered),
            Ok(_) => None,
            Err(ResolveFailure::NotAllowed) => Some(Standard::NotAllowed),
            Err(ResolveFailure::Unavailable) => Some(Standard::Unavailable),
        };
        if let Some(failure) = failure {
            self.end_call(call_id, &failure.reason(), None);
            return;
        }
        let Ok(route) = answer else { return };
        let callee = callee_of(&route, &call.destination);
        if let Some(leg) = call.at_mut(End::Caller) {
            leg.callee = callee;
        }
        match call.plan {
            Plan::AdmittingOrigination => {
                call.plan = Plan::CallingBack(route);
                self.call_back(call_id);
            }
            Plan::AdmittingDialled => self.reach(call_id, &route),
            Plan::CallingBack(_) | Plan::Reaching | Plan::Talking => {}
        }
    }

    /// Dials the caller's own phone.
    fn call_back(&mut self, call_id: &CallId) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let id = call.id.clone();
        let Some(leg) = call.at_mut(End::Caller) else { return };
        let (tag, channel) = (leg.tag.clone(), leg.channel.clone());
        let account_id = leg.caller.account_id.clone().unwrap_or_default();
        let shown = leg.callee.shown();
        self.channels.insert(channel.clone(), (id.clone(), tag.clone()));
        self.effects.push(Effect::Drive(Op::Dial {
            channel,
            endpoint: Endpoint::Phone { account_id },
            shown,
            label: trying(&id, &tag),
        }));
        self.start_ringing_timer(call_id, &tag);
    }

    /// Dials the destination; the caller waits on the line.
    fn reach(&mut self, call_id: &CallId, route: &Route) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let (endpoint, i_account, is_external) = match route {
            Route::Account(account) => (Endpoint::from(account), Some(account.i_account), false),
            Route::Foreign { number } => (Endpoint::Join { number: number.clone() }, None, true),
            Route::Pstn { number } => (Endpoint::Trunk { number: number.clone() }, None, true),
            Route::Unattended => {
                self.end_call(call_id, &Standard::NotAnswered.reason(), None);
                return;
            }
            Route::Nowhere => {
                self.end_call(call_id, &Standard::NotFound.reason(), None);
                return;
            }
        };
        let (tag, channel) = self.names.leg();
        let id = call.id.clone();
        let caller = call.presented.clone();
        call.plan = Plan::Reaching;
        let callee = callee_of(route, &call.destination);
        call.add(
            self.now,
            NewLeg {
                tag: tag.clone(),
                channel: channel.clone(),
                awaits_answer: false,
                end: End::Callee,
                direction: if is_external { Direction::Outgoing } else { Direction::Incoming },
                is_external,
                caller: caller.clone(),
                callee,
                i_account,
            },
        );
        self.live_legs += 1;
        if let Some(leg) = call.at_mut(End::Caller) {
            leg.phase = Phase::Early;
        }
        self.channels.insert(channel.clone(), (id.clone(), tag.clone()));
        self.effects.push(Effect::Drive(Op::Dial {
            channel,
            endpoint,
            shown: caller.shown(),
            label: trying(&id, &tag),
        }));
        self.start_ringing_timer(call_id, &tag);
        self.settle(call_id, None);
    }

    /// A dialled party is alerted.
    pub(super) fn rings(&mut self, call_id: &CallId, tag: &Tag) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Some(leg) = call.leg_mut(tag).filter(|leg| leg.phase == Phase::Trying) else { return };
        leg.phase = Phase::Ringing;
        if leg.end == End::Callee
            && let Some(caller) = call.at_mut(End::Caller)
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
        let Some(leg) =
            call.leg_mut(tag).filter(|leg| matches!(leg.phase, Phase::Trying | Phase::Ringing))
        else {
            return;
        };
        let cause = leg.picked_up_by.take();
        match call.plan.clone() {
            Plan::CallingBack(route) => {
                if let Some(leg) = call.leg_mut(tag) {
                    leg.phase = Phase::Early;
                }
                self.stop_timer(call_id, tag);
                self.settle(call_id, cause.as_ref());
                self.reach(call_id, &route);
            }
            Plan::Reaching => {
                self.stop_timer(call_id, tag);
                self.connect(call_id);
                self.settle(call_id, cause.as_ref());
            }
            Plan::AdmittingOrigination | Plan::AdmittingDialled | Plan::Talking => {}
        }
    }

    /// Puts the two parties through to each other.
    fn connect(&mut self, call_id: &CallId) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(call_id) else { return };
        call.plan = Plan::Talking;
        for leg in call.legs.iter_mut().filter(|leg| leg.is_alive()) {
            leg.phase = Phase::Connected;
            leg.connect_time = Some(now);
            if std::mem::take(&mut leg.awaits_answer) {
                let channel = leg.channel.clone();
                self.effects.push(Effect::Drive(Op::Answer { channel }));
            }
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
        Route::Foreign { number } | Route::Pstn { number } => Party::number(number),
        Route::Unattended | Route::Nowhere => Party::number(dialled),
    }
}

fn trying(call_id: &CallId, tag: &Tag) -> Label {
    Label { call_id: call_id.0.clone(), tag: tag.0.clone(), state: "trying".to_owned() }
}
