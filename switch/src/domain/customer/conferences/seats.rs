//! Conferences follow their legs, and legs their conferences.
//!
//! A participant's state follows from its leg: whenever a call is settled, what became of its
//! legs is noted in the conference, whatever the reason. What a leg shows and hears in turn
//! follows from the conference: it is noted at the leg as its seat.

use std::collections::BTreeSet;

use mesh::clock::Timestamp;

use super::Customer;
use crate::domain::call::{Call, Plan};
use crate::domain::command::Cause;
use crate::domain::conference::{Conference, ConferenceRef, Ear, Happened, Participant};
use crate::domain::customer::timers::{CallTimer, Timer};
use crate::domain::effect::Effect;
use crate::domain::leg::{Leg, Phase, Seat};
use crate::domain::names::{CallId, ConferenceId, Tag};
use crate::domain::reason::Standard;
use crate::driver::{MixId, Op, PlaybackId, Source};

/// What became of a conference when a call was settled.
#[derive(Debug)]
pub(in crate::domain::customer) struct Followed {
    id: ConferenceId,
    happened: Vec<(Tag, Happened)>,
    /// Legs of other calls that are to show or hear something else.
    others: Vec<Tag>,
}

impl Customer {
    /// Notes in the conference what became of the legs of a call, and at these legs what follows.
    pub(in crate::domain::customer) fn follow(
        &mut self,
        call: &mut Call,
        cause: Option<&Cause>,
    ) -> Option<Followed> {
        let Plan::Conferring(id) = &call.plan else { return None };
        let now = self.now;
        let conference = self.conferences.get_mut(id)?;
        let mut happened = Vec::new();
        for leg in &mut call.legs {
            let owner = conference.owner.clone();
            let Some(participant) = conference.participant_mut(&leg.tag) else { continue };
            let is_new = !std::mem::replace(&mut participant.is_told, true);
            let news = match leg.phase {
                Phase::Ended(_) => participant.gone(now, cause),
                Phase::Connected => participant.on_line(now, cause),
                _ => None,
            };
            // Who is in at once has not been invited.
            if is_new && news != Some(Happened::Joined) {
                happened.push((leg.tag.clone(), Happened::Invited));
            }
            if news == Some(Happened::Joined) {
                charge_for(leg, &owner, participant, now);
            }
            happened.extend(news.map(|it| (leg.tag.clone(), it)));
            let holds = leg.is_connected() && leg.holds;
            let held = participant.phone_holds(holds, now, cause);
            if is_new && participant.is_held() && participant.is_living() {
                happened.push((leg.tag.clone(), Happened::Held));
            }
            happened.extend(held.map(|it| (leg.tag.clone(), it)));
            let timer = Timer::Call(call.id.clone(), CallTimer::Invitation(leg.tag.clone()));
            if let Some(invitation) = participant.invitation()
                && !self.timers.is_set(&timer)
            {
                let length = invitation.iter().map(|clip| clip.duration).sum();
                self.timers.set(timer, now.plus(length));
                self.effects.push(Effect::Drive(Op::Play {
                    channel: leg.channel.clone(),
                    playback: playback(&leg.tag),
                    clips: invitation.to_vec(),
                    repeat: 1,
                }));
            }
        }
        for leg in &call.legs {
            let holds = |by: &Tag| call.leg(by).is_some_and(|it| it.is_connected() && it.holds);
            if let Some(participant) = conference.participant_mut(&leg.tag)
                && participant.held_by().is_some_and(|by| !holds(by))
            {
                let news = participant.released(now, cause);
                happened.extend(news.map(|it| (leg.tag.clone(), it)));
            }
        }
        let others = if conference.is_ending { Vec::new() } else { conference.arrange() };
        for leg in call.legs.iter_mut().filter(|leg| leg.is_alive()) {
            if let Some(participant) = conference.participant(&leg.tag) {
                leg.seat = Some(seat(conference, participant));
            }
        }
        if !happened.is_empty() || !others.is_empty() {
            self.changed_conferences.insert(id.clone());
        }
        let is_other = |tag: &Tag| call.leg(tag).is_none();
        let others = others.into_iter().filter(is_other).collect();
        Some(Followed { id: id.clone(), happened, others })
    }

    /// Notes in the conference whether a participant hears a prompt in place of the others.
    pub(in crate::domain::customer) fn prompt_in_conference(&mut self, call: &Call, tag: &Tag) {
        let Plan::Conferring(id) = &call.plan else { return };
        let hears_prompt = call.leg(tag).is_some_and(|leg| leg.dialogue.is_heard());
        let conference = self.conferences.get_mut(id);
        if let Some(participant) = conference.and_then(|it| it.participant_mut(tag))
            && participant.hears_prompt != hears_prompt
        {
            participant.hears_prompt = hears_prompt;
            self.changed_conferences.insert(id.clone());
        }
    }

    /// A participant's leg could not go on after a restart.
    pub(in crate::domain::customer) fn participant_lost(&mut self, id: &ConferenceId, tag: &Tag) {
        let now = self.now;
        let Some(conference) = self.conferences.get_mut(id) else { return };
        let Some(participant) = conference.participant_mut(tag) else { return };
        let Some(news) = participant.gone(now, None) else { return };
        self.conference_changed(id, &[(tag.clone(), news)], &[], None);
        self.end_if_empty(id, None);
    }

    /// Tells what became of a conference, and settles the other calls in it.
    pub(in crate::domain::customer) fn followed(
        &mut self,
        followed: Followed,
        cause: Option<&Cause>,
    ) {
        let Followed { id, happened, others } = followed;
        self.tell_participants(&id, &happened, cause);
        self.seat_all(&id, &others, cause);
        self.end_if_empty(&id, cause);
    }

    /// A command has changed a conference: settles the calls of `subjects`, which show it, and of
    /// all who hear something else now.
    pub(super) fn conference_changed(
        &mut self,
        id: &ConferenceId,
        happened: &[(Tag, Happened)],
        subjects: &[Tag],
        cause: Option<&Cause>,
    ) {
        let Some(conference) = self.conferences.get_mut(id) else { return };
        let mut legs = conference.arrange();
        legs.extend_from_slice(subjects);
        self.changed_conferences.insert(id.clone());
        self.seat_all(id, &legs, cause);
        self.tell_participants(id, happened, cause);
    }

    /// An invitation has been heard.
    pub(in crate::domain::customer) fn invitation_heard(&mut self, call_id: &CallId, tag: &Tag) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Plan::Conferring(id) = call.plan.clone() else { return };
        let Some(conference) = self.conferences.get_mut(&id) else { return };
        let owner = conference.owner.clone();
        let Some(participant) = conference.participant_mut(tag) else { return };
        let happened = participant.invitation_heard(now);
        if happened.is_some()
            && let Some(leg) = call.leg_mut(tag)
        {
            charge_for(leg, &owner, participant, now);
            let channel = leg.channel.clone();
            self.effects.push(Effect::Drive(Op::StopPlay { channel, playback: playback(tag) }));
        }
        let happened: Vec<_> = happened.map(|it| (tag.clone(), it)).into_iter().collect();
        self.conference_changed(&id, &happened, std::slice::from_ref(tag), None);
    }

    fn tell_participants(
        &mut self,
        id: &ConferenceId,
        happened: &[(Tag, Happened)],
        cause: Option<&Cause>,
    ) {
        for (tag, what) in happened {
            self.tell_of_conference(id, Some(tag), what.name(), cause);
        }
    }

    /// Notes at legs what follows from the conference, and settles their calls.
    fn seat_all(&mut self, id: &ConferenceId, tags: &[Tag], cause: Option<&Cause>) {
        let Some(conference) = self.conferences.get(id) else { return };
        let mut calls: BTreeSet<CallId> = BTreeSet::new();
        for participant in tags.iter().filter_map(|tag| conference.participant(tag)) {
            let Some(call) = self.calls.get_mut(&participant.call_id) else { continue };
            if let Some(leg) = call.leg_mut(&participant.tag) {
                leg.seat = Some(seat(conference, participant));
                calls.insert(participant.call_id.clone());
            }
        }
        for call_id in calls {
            self.settle(&call_id, cause);
        }
    }

    /// Nobody is on the line any more: phones that still ring stop, and the conference ends.
    fn end_if_empty(&mut self, id: &ConferenceId, cause: Option<&Cause>) {
        let is_empty = self.conferences.get(id).is_some_and(|conference| {
            !conference.is_ending && !conference.living().any(Participant::is_on_line)
        });
        if is_empty {
            self.end_conference(id, &Standard::GaveUp.reason(), cause);
        }
    }
}

/// What a leg shows and hears.
fn seat(conference: &Conference, participant: &Participant) -> Seat {
    let mix = MixId(conference.id.0.clone());
    let hears = match &participant.row.ear {
        Ear::Silence => Source::Silence,
        Ear::Music => Source::Music,
        Ear::Room { beside, except } => {
            Source::Mix { mix: mix.clone(), beside: beside.clone(), except: except.clone() }
        }
    };
    Seat {
        conference: ConferenceRef { id: conference.id.clone(), name: conference.name.clone() },
        is_held: participant.is_held(),
        hears,
        speaks_in: participant.row.speaks.then_some(mix),
    }
}

/// The conference's owner pays for a participant from now on.
pub(super) fn charge(
    leg: &mut Leg,
    conference: &Conference,
    participant: &Participant,
    now: Timestamp,
) {
    charge_for(leg, &conference.owner, participant, now);
}

fn charge_for(
    leg: &mut Leg,
    owner: &crate::domain::Account,
    participant: &Participant,
    now: Timestamp,
) {
    leg.begin_conferencing(owner.i_account, &owner.account_id, &participant.party.number, now);
}

/// Names the invitation that a leg hears: there is one at most.
fn playback(tag: &Tag) -> PlaybackId {
    PlaybackId(format!("invitation-{tag}"))
}
