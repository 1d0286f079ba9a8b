//! Connecting two numbers for an account that pays: the first is called, when it has answered the
//! second, and then they are put through. What happens when the second fails is in `endings`.

use super::Customer;
use super::setup::endpoint_of;
use crate::domain::call::{Admission, Call, NewLeg, Plan, Second};
use crate::domain::command::ConnectTwo;
use crate::domain::effect::Route;
use crate::domain::leg::{Direction, End};
use crate::domain::names::CallId;
use crate::domain::party::Party;

impl Customer {
    /// A new call between two numbers; the first is called once it is known to be allowed.
    pub(super) fn set_up_connection(&mut self, connect: ConnectTwo, admission: Admission) {
        let account = Party::account(&connect.account);
        let i_account = connect.account.i_account;
        let mut call = Call::new(
            self.owner,
            connect.call_id.clone(),
            self.names.tracking_id(),
            Plan::AdmittingFirst,
            connect.first.clone(),
        );
        call.ring_timeout = connect.timeout;
        call.admission = Some(admission);
        call.seen_by.i_accounts.insert(i_account);
        call.presented = Party {
            number: connect.first_caller_id.unwrap_or_else(|| account.number.clone()),
            ..account
        };
        call.second = Some(Second {
            destination: connect.second,
            caller_id: connect.second_caller_id,
            i_account,
        });
        let (tag, channel) = self.names.leg();
        let first = Party::number(connect.first.clone());
        call.add(
            self.now,
            NewLeg {
                tag,
                channel,
                awaits_answer: false,
                end: End::Caller,
                direction: Direction::Outgoing,
                is_external: true,
                caller: call.presented.clone(),
                callee: first.clone(),
                party: first,
                i_account: None,
            },
        );
        self.live_legs += 1;
        self.calls.insert(connect.call_id.clone(), call);
        self.resolve(connect.call_id, i_account, connect.first);
    }

    /// Dials the first of two numbers.
    pub(super) fn call_first(&mut self, call_id: &CallId, route: &Route) {
        let endpoint = match endpoint_of(route) {
            Ok(endpoint) => endpoint,
            Err(why) => return self.end_call(call_id, &why.reason(), None),
        };
        let Some(call) = self.calls.get_mut(call_id) else { return };
        call.plan = Plan::CallingFirst;
        let shown = call.presented.shown();
        let Some(tag) = call.at_mut(&End::Caller).map(|leg| leg.tag.clone()) else { return };
        self.dial_leg(call_id, &tag, endpoint, shown);
    }

    /// The first of two numbers is on the line: what is the second?
    pub(super) fn call_second(&mut self, call_id: &CallId) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Some(second) = call.second.clone() else { return };
        call.plan = Plan::AdmittingSecond;
        let first = call.at_mut(&End::Caller).map(|leg| leg.party.clone()).unwrap_or_default();
        call.presented =
            Party { number: second.caller_id.unwrap_or_else(|| first.number.clone()), ..first };
        call.destination.clone_from(&second.destination);
        self.resolve(call_id.clone(), second.i_account, second.destination);
    }
}
