//! When charges begin, pause and are accounted; the rules are in [`charge`](crate::domain::charge).

use super::Customer;
use crate::domain::call::Call;
use crate::domain::charge::{Charge, Charged, Rating, Service};
use crate::domain::effect::Effect;
use crate::domain::leg::{Direction, End, Leg, Phase};
use crate::domain::names::{CallId, Tag};

impl Customer {
    /// Who places the call pays for the caller's leg, from when it is known whom it reaches.
    pub(super) fn charge_caller(&mut self, call_id: &CallId) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let placer = call.second.as_ref().map(|second| second.i_account);
        let Some(leg) = call.at_mut(&End::Caller) else { return };
        let (cli, cld) = (leg.caller.number.clone(), leg.callee.number.clone());
        match (placer, leg.i_account) {
            // The first of two numbers is called, and who connects them pays. That is what the
            // access code is for which the product has to have.
            (Some(placer), own) => {
                let mut placed = Charge::voice(placer, Direction::Outgoing, &cli, &cld);
                placed.rating = Rating::Incoming;
                leg.charges.push(placed);
                if let Some(own) = own.filter(|own| *own != placer) {
                    leg.charges.push(Charge::voice(own, Direction::Incoming, &cli, &cld));
                }
            }
            (None, Some(own)) => {
                leg.charges.push(Charge::voice(own, Direction::Outgoing, &leg.party.number, &cld));
            }
            (None, None) => {}
        }
    }

    /// Who is called pays for its own leg, and whoever had it called as long as that is not paid
    /// through a leg of its own. `placer` is nobody for a phone that is called for its own
    /// account's sake: to take a parked party, or to listen in.
    pub(super) fn charge_called(&mut self, call_id: &CallId, tag: &Tag, placer: Option<i64>) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let through = call.pays(placer).map(|leg| leg.tag.clone());
        let Some(leg) = call.leg_mut(tag) else { return };
        let (cli, cld) = (leg.caller.number.clone(), leg.callee.number.clone());
        if let Some(placer) = placer.filter(|placer| Some(*placer) != leg.i_account) {
            let placed = Charge::voice(placer, Direction::Outgoing, &cli, &cld);
            leg.charges.push(Charge { through, ..placed });
        }
        if let Some(own) = leg.i_account {
            leg.charges.push(Charge::voice(own, Direction::Incoming, &cli, &cld));
        }
    }

    /// The owner of an application pays for the calls that it takes, as who is called; from now
    /// on, or on again.
    pub(super) fn charge_application(&mut self, call_id: &CallId, tag: &Tag, owner: i64) {
        let now = self.now;
        let Some(leg) = self.calls.get_mut(call_id).and_then(|call| call.leg_mut(tag)) else {
            return;
        };
        if let Some(charge) = leg.voice_charge_of(owner) {
            charge.run(now);
            return;
        }
        let (cli, cld) = (leg.caller.number.clone(), leg.callee.number.clone());
        leg.charges.push(Charge::voice(owner, Direction::Incoming, &cli, &cld));
    }

    /// The owner of an application has handed a call over that it was paying for.
    pub(super) fn uncharge_application(&mut self, call_id: &CallId, tag: &Tag, owner: i64) {
        let now = self.now;
        let leg = self.calls.get_mut(call_id).and_then(|call| call.leg_mut(tag));
        if let Some(charge) = leg.and_then(|leg| leg.voice_charge_of(owner))
            && charge.direction == Direction::Incoming
        {
            charge.pause(now);
        }
    }

    /// Has the charges of a call's legs begin that are due to.
    pub(super) fn settle_charges(&mut self, call: &mut Call) {
        let now = self.now;
        let living: Vec<Tag> = call.living().map(|leg| leg.tag.clone()).collect();
        let through_or_waiting = |leg: &&mut Leg| leg.connect_time.is_some() && leg.is_alive();
        for leg in call.legs.iter_mut().filter(through_or_waiting) {
            for charge in &mut leg.charges {
                if charge.through.as_ref().is_some_and(|through| !living.contains(through)) {
                    charge.through = None;
                }
                if charge.through.is_none() && charge.began.is_none() {
                    charge.run(now);
                }
            }
        }
    }

    /// Accounts for what was paid for a leg that has ended.
    pub(super) fn account(&mut self, call_id: &CallId, tag: &Tag) {
        let now = self.now;
        self.stop_credit(call_id, tag);
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Some(leg) = call.leg_mut(tag) else { return };
        for charge in &mut leg.charges {
            charge.pause(now);
        }
        let Some(leg) = call.leg(tag) else { return };
        for charged in call.charged(leg) {
            self.effects.push(Effect::Account(Box::new(charged)));
        }
    }
}

impl Leg {
    fn voice_charge_of(&mut self, payer: i64) -> Option<&mut Charge> {
        let is_it =
            |charge: &&mut Charge| charge.payer == payer && charge.service == Service::Voice;
        self.charges.iter_mut().find(is_it)
    }
}

impl Call {
    /// The caller's leg, when it is `payer`'s own and pays for what it places.
    fn pays(&self, payer: Option<i64>) -> Option<&Leg> {
        let leg = self.living().find(|leg| leg.end == End::Caller)?;
        let is_own = |charge: &Charge| {
            Some(charge.payer) == payer
                && charge.service == Service::Voice
                && charge.direction == Direction::Outgoing
        };
        (leg.i_account == payer && leg.charges.iter().any(is_own)).then_some(leg)
    }

    /// The charges of a leg that run or have run, as they stand.
    pub(in crate::domain) fn charged(&self, leg: &Leg) -> Vec<Charged> {
        let disconnect_cause = match &leg.phase {
            Phase::Ended(reason) => reason.code,
            _ => 0,
        };
        let charges = leg.charges.iter().filter_map(|charge| charge.began.map(|at| (charge, at)));
        charges
            .map(|(charge, connect_time)| Charged {
                owner: self.owner,
                call_id: self.id.clone(),
                tag: leg.tag.clone(),
                tracking_id: self.tracking_id.clone(),
                payer: charge.payer,
                service: charge.service,
                direction: charge.direction,
                rating: charge.rating,
                cli: charge.cli.clone(),
                cld: charge.cld.clone(),
                connect_time,
                disconnect_time: charge.until,
                duration: charge.accrued,
                running_since: charge.since,
                disconnect_cause,
                recording: leg.recording.as_ref().map(|recording| recording.id.clone()),
            })
            .collect()
    }
}
