//! Goes on with calls that an earlier process of the node has left, as
//! [`adoption`](crate::domain::adoption) says.

use super::Customer;
use super::timers::Timer;
use crate::domain::adoption::{GoesOn, IdleCharge, LeftConference, LeftLeg, Legacy};
use crate::domain::call::{Call, NewLeg, Parking, Plan};
use crate::domain::charge::{Charge, Charged};
use crate::domain::conference::{Conference, Participant};
use crate::domain::credit::Credit;
use crate::domain::customer::parking::PARK_TIMEOUT;
use crate::domain::leg::{Leg, Phase, Retold, State};
use crate::domain::names::{CallId, Tag};
use crate::driver::Cause;

impl Customer {
    /// Takes up calls and conferences. Nothing is told of what has not changed meanwhile; legs
    /// whose channels have gone end.
    pub(super) fn adopt(&mut self, legacy: Legacy) {
        let Legacy { calls, conferences } = legacy;
        let legs = calls.iter().flatten();
        let gone: Vec<(CallId, Tag)> = legs
            .filter(|leg| !leg.is_there)
            .map(|leg| (leg.view.call_id.clone(), leg.view.tag.clone()))
            .collect();
        for conference in conferences {
            let conference = restored(conference, calls.iter().flatten());
            self.changed_conferences.insert(conference.id.clone());
            self.conferences.insert(conference.id.clone(), conference);
        }
        let adopted: Vec<CallId> =
            calls.into_iter().filter_map(|legs| self.take_up(legs)).collect();

        for call_id in &adopted {
            self.end_left_recordings(call_id);
            self.settle(call_id, None);
            if let Some(mut call) = self.calls.remove(call_id) {
                self.refresh(&mut call);
                self.calls.insert(call_id.clone(), call);
            }
        }
        self.is_correcting = true;
        for (call_id, tag) in gone {
            self.ended(&call_id, &tag, &Cause::HungUp);
        }
        self.end_lost_participants();
    }

    /// Takes up one call; nothing follows from that yet.
    fn take_up(&mut self, mut legs: Vec<LeftLeg>) -> Option<CallId> {
        let goes_on = GoesOn::of(&legs)?;
        legs.sort_by_key(|leg| (leg.view.start_time, leg.view.sequence));
        let first = legs.first()?;
        let id = first.view.call_id.clone();
        let plan = match goes_on {
            GoesOn::Talking => Plan::Talking,
            GoesOn::Conferring(id) => Plan::Conferring(id),
            GoesOn::Parked => {
                let (slot, parker) = first.memo.parking.clone()?;
                let parked = first.view.tag.clone();
                self.slots.insert(slot.clone(), id.clone());
                let at = first.view.update_time.plus(PARK_TIMEOUT);
                self.timers.set(Timer::leg(&id, &parked), at);
                Plan::Parked(Parking { slot, parked, parker })
            }
        };
        let mut call = Call::new(
            self.owner,
            id.clone(),
            first.view.tracking_id.clone(),
            plan,
            first.memo.destination.clone(),
        );
        call.admission = None;
        call.previous_tracking_id.clone_from(&first.view.previous_tracking_id);
        call.redirects = first.memo.redirects;
        call.payer = first.memo.payer;
        call.placer = first.memo.placer;
        call.presented = first.memo.presented.clone();
        call.access_number.clone_from(&first.view.access_number);
        call.callback.clone_from(&first.view.callback);
        let told = |leg: &LeftLeg| leg.view.sequence.max(leg.call_sequence);
        call.sequence = legs.iter().map(told).max().unwrap_or(0);
        for leg in legs {
            self.channels.insert(leg.memo.channel.clone(), (id.clone(), leg.view.tag.clone()));
            self.live_legs += 1;
            call.take_up(leg);
        }
        self.calls.insert(id.clone(), call);
        Some(id)
    }

    /// What was recorded when the process ended is over, and kept.
    fn end_left_recordings(&mut self, call_id: &CallId) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let is_recorded =
            |leg: &&mut Leg| leg.recording.as_ref().is_some_and(|recording| recording.is_active);
        let mut tags = Vec::new();
        for leg in call.legs.iter_mut().filter(is_recorded) {
            leg.retold = Some(Retold::default());
            tags.push(leg.tag.clone());
        }
        for tag in tags {
            self.end_recording(call_id, &tag, false);
        }
    }

    /// Participants whose legs could not go on have left.
    fn end_lost_participants(&mut self) {
        let lost: Vec<_> = self
            .conferences
            .values()
            .flat_map(|conference| conference.living().map(|it| (conference.id.clone(), it)))
            .filter(|(_, it)| !self.calls.contains_key(&it.call_id))
            .map(|(id, it)| (id, it.tag.clone()))
            .collect();
        for (id, tag) in lost {
            self.participant_lost(&id, &tag);
        }
    }
}

impl Call {
    fn take_up(&mut self, left: LeftLeg) {
        let LeftLeg { view, memo, .. } = left;
        self.seen_by.i_accounts.extend(&view.seen_by.i_accounts);
        self.seen_by.access_numbers.extend(view.seen_by.access_numbers.iter().cloned());
        self.seen_by.i_c_queues.extend(&view.seen_by.i_c_queues);
        self.add(
            view.start_time,
            NewLeg {
                tag: view.tag.clone(),
                channel: memo.channel,
                awaits_answer: false,
                end: memo.end,
                direction: view.direction,
                is_external: view.is_external,
                caller: view.caller.clone(),
                callee: view.callee.clone(),
                party: memo.party,
                i_account: view.i_account,
            },
        );
        let Some(leg) = self.legs.last_mut() else { return };
        leg.phase = if view.state == State::Parked { Phase::Parked } else { Phase::Connected };
        leg.holds = view.state == State::Holding;
        leg.connect_time = view.connect_time;
        leg.update_time = view.update_time;
        leg.charges = charges(&view.charges, &memo.idle_charges);
        leg.recording.clone_from(&view.recording);
        leg.told = Some(Box::new(view));
    }
}

/// The charges of a leg: those that run or have run, and those that may begin.
fn charges(begun: &[Charged], idle: &[IdleCharge]) -> Vec<Charge> {
    let mut charges: Vec<Charge> = begun.iter().map(running).collect();
    for charge in idle {
        let begun =
            charges.iter().any(|it| it.payer == charge.payer && it.direction == charge.direction);
        if !begun {
            let of_voice = Charge::voice(charge.payer, charge.direction, &charge.cli, &charge.cld);
            let (rating, through) = (charge.rating, charge.through.clone());
            charges.push(Charge { rating, through, ..of_voice });
        }
    }
    charges
}

fn running(charged: &Charged) -> Charge {
    let of_voice = Charge::voice(charged.payer, charged.direction, &charged.cli, &charged.cld);
    Charge {
        service: charged.service,
        rating: charged.rating,
        began: Some(charged.connect_time),
        since: charged.running_since,
        until: charged.disconnect_time,
        accrued: charged.duration,
        credit: Credit::Unasked,
        ..of_voice
    }
}

/// A conference as it goes on with these legs.
fn restored<'a>(left: LeftConference, legs: impl Iterator<Item = &'a LeftLeg>) -> Conference {
    let LeftConference { view, owner } = left;
    let mut conference = Conference::new(view.id, view.name, owner, view.create_time);
    conference.seen_by = view.seen_by;
    let legs: Vec<_> = legs.collect();
    for participant in view.participants {
        let leg = legs.iter().find(|leg| leg.view.tag == participant.tag);
        conference.participants.push(Participant::restored(
            participant,
            leg.map(|leg| (&leg.memo, leg.view.state == State::Holding)),
        ));
    }
    conference
}
