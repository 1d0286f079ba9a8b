//! Who hears whom: derived from the state of a call, and all that a driver is told about media.

use super::call::{Call, Plan};
use super::leg::{End, Leg, Mode, Phase};
use crate::driver::Source;

/// What a leg's party hears now.
///
/// | leg | hears |
/// | --- | --- |
/// | trying, ringing, ended, or handing over | silence (it is not on the line, or waits unheard) |
/// | calling, while an application is alerted | ringback |
/// | any that is on the line, before it is released | silence, over which the announcement is played |
/// | early, or staying while its call is transferred | ringback |
/// | parked, queued | music |
/// | connected, in a conference | silence if it holds, else what the conference's matrix says |
/// | connected and holds | silence |
/// | connected and held | music |
/// | connected | every other connected leg that does not hold, is not being transferred, and may be heard |
pub(super) fn hears(call: &Call, leg: &Leg) -> Source {
    if let (Phase::Connected, Some(seat)) = (&leg.phase, &leg.seat) {
        return if leg.holds { Source::Silence } else { seat.hears.clone() };
    }
    if call.waits_for_target(leg) {
        return Source::Ringback;
    }
    if matches!(call.plan, Plan::Announcing { .. }) && leg.is_party() {
        return Source::Silence;
    }
    match leg.phase {
        Phase::Ringing if leg.awaits_answer => Source::Ringback,
        Phase::Trying | Phase::Ringing | Phase::Transferred | Phase::Ended(_) => Source::Silence,
        Phase::Early | Phase::Dequeued => Source::Ringback,
        Phase::Parked | Phase::Queued => Source::Music,
        Phase::Connected if leg.holds || call.hands_over(leg) => Source::Silence,
        Phase::Connected if leg.is_party() && call.is_held(leg) => Source::Music,
        Phase::Connected => Source::Parties(
            call.living()
                .filter(|other| other.tag != leg.tag && call.is_heard(other))
                .filter(|other| may_hear(leg, other))
                .map(|other| other.channel.clone())
                .collect(),
        ),
    }
}

/// Whether a connected leg hears another one.
fn may_hear(leg: &Leg, other: &Leg) -> bool {
    match &other.end {
        End::Caller | End::Callee => true,
        End::Supervisor(supervision) => match supervision.mode {
            Mode::Spy => false,
            Mode::Whisper => supervision.of == leg.tag,
            Mode::Barge => true,
        },
    }
}
