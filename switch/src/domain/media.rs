//! Who hears whom: derived from the state of a call, and all that a driver is told about media.

use std::collections::BTreeSet;

use super::call::Call;
use super::leg::{Leg, Phase};
use crate::driver::Source;

/// What a leg's party hears now.
///
/// | leg | hears |
/// | --- | --- |
/// | trying, ringing, ended | silence (it is not on the line) |
/// | early | ringback |
/// | connected and holds | silence |
/// | connected and held | music |
/// | connected | every other connected leg that does not hold |
pub(super) fn hears(call: &Call, leg: &Leg) -> Source {
    match leg.phase {
        Phase::Trying | Phase::Ringing | Phase::Ended(_) => Source::Silence,
        Phase::Early => Source::Ringback,
        Phase::Connected if leg.holds => Source::Silence,
        Phase::Connected if call.is_held(leg) => Source::Music,
        Phase::Connected => {
            let others: BTreeSet<_> = call
                .living()
                .filter(|other| other.tag != leg.tag && other.is_connected() && !other.holds)
                .map(|other| other.channel.clone())
                .collect();
            Source::Parties(others)
        }
    }
}
