//! Credit for the charges that run; the rules are in [`credit`](crate::domain::credit).

use super::Customer;
use super::timers::{CallTimer, Timer};
use crate::domain::call::Call;
use crate::domain::charge::{Charge, Service};
use crate::domain::credit::{CreditAnswer, Due};
use crate::domain::effect::Effect;
use crate::domain::names::{CallId, Tag};
use crate::domain::reason::Standard;

/// Which of a leg's charges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::domain) struct Which {
    pub(in crate::domain) payer: i64,
    pub(in crate::domain) service: Service,
}

impl Which {
    pub(super) fn of(charge: &Charge) -> Self {
        Self { payer: charge.payer, service: charge.service }
    }
}

impl Customer {
    /// Asks for what has not been asked for yet, and sees to it that every charge is looked after
    /// under the call in which its leg is now.
    pub(super) fn settle_credit(&mut self, call: &mut Call) {
        for index in 0..call.legs.len() {
            let Some(leg) = call.legs.get_mut(index).filter(|leg| leg.is_alive()) else { continue };
            let tag = leg.tag.clone();
            let unasked: Vec<Which> =
                leg.charges.iter().filter(|charge| charge.is_unasked()).map(Which::of).collect();
            let looked_after: Vec<_> = leg
                .charges
                .iter()
                .filter(|charge| charge.since.is_some())
                .filter_map(|charge| Some((Which::of(charge), charge.look_at?)))
                .collect();
            for (which, at) in looked_after {
                self.timers.set_unless_set(timer(&call.id, &tag, which), at);
            }
            for which in unasked {
                self.look(call, &tag, which);
            }
        }
    }

    /// Auth has said for how long there is credit.
    pub(super) fn reserved(
        &mut self,
        call_id: &CallId,
        tag: &Tag,
        which: Which,
        answer: CreditAnswer,
    ) {
        let now = self.now;
        // The leg may have moved to another call meanwhile.
        let has_leg = |call: &&mut Call| call.leg(tag).is_some();
        let call = if self.calls.contains_key(call_id) {
            self.calls.get_mut(call_id)
        } else {
            self.calls.values_mut().find(has_leg)
        };
        let Some(call) = call else { return };
        let call_id = call.id.clone();
        let Some(charge) = charge_of(call, tag, which) else { return };
        charge.answered(answer, now);
        match charge.look_at {
            Some(at) => self.timers.set(timer(&call_id, tag, which), at),
            None => self.timers.stop(&timer(&call_id, tag, which)),
        }
        self.credit_due(&call_id, tag, which);
    }

    /// Asks for more credit, or ends the leg, when that is due.
    pub(super) fn credit_due(&mut self, call_id: &CallId, tag: &Tag, which: Which) {
        let now = self.now;
        let Some(mut call) = self.calls.remove(call_id) else { return };
        let look_at = charge_of(&mut call, tag, which).and_then(|charge| charge.look_at);
        let due = look_at.is_some_and(|at| at <= now);
        let ended = if due { self.look(&mut call, tag, which) } else { None };
        self.calls.insert(call_id.clone(), call);
        if let Some(reason) = ended {
            self.leg_gone(call_id, tag, &reason.reason(), None);
        }
    }

    /// Does what is due about a charge; says with what its leg has to end.
    fn look(&mut self, call: &mut Call, tag: &Tag, which: Which) -> Option<Standard> {
        let now = self.now;
        let charge = charge_of(call, tag, which)?;
        let due = charge.due(now);
        let look_at = charge.look_at;
        match due {
            Due::Nothing => None,
            Due::End(reason) => Some(reason),
            Due::Ask(seconds) => {
                if let Some(at) = look_at {
                    self.timers.set(timer(&call.id, tag, which), at);
                }
                let leg = call.leg(tag)?;
                let asked = call.charged(leg).into_iter();
                let asked = asked.filter(|charged| {
                    charged.payer == which.payer && charged.service == which.service
                });
                for charge in asked {
                    self.effects.push(Effect::Reserve { charge: Box::new(charge), seconds });
                }
                None
            }
        }
    }

    /// Nobody looks after a leg's charges any more.
    pub(super) fn stop_credit(&mut self, call_id: &CallId, tag: &Tag) {
        let Some(leg) = self.calls.get(call_id).and_then(|call| call.leg(tag)) else { return };
        for charge in &leg.charges {
            self.timers.stop(&timer(call_id, tag, Which::of(charge)));
        }
    }
}

fn charge_of<'a>(call: &'a mut Call, tag: &Tag, which: Which) -> Option<&'a mut Charge> {
    let leg = call.leg_mut(tag).filter(|leg| leg.is_alive())?;
    leg.charges.iter_mut().find(|charge| charge.since.is_some() && Which::of(charge) == which)
}

fn timer(call_id: &CallId, tag: &Tag, which: Which) -> Timer {
    Timer::Call(call_id.clone(), CallTimer::Credit(tag.clone(), which))
}
