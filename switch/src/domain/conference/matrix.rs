//! Who hears whom in a conference: one explicit matrix.
//!
//! | of whom (down), who hears (across) | the moderator | who talks privately | all others |
//! | --- | --- | --- | --- |
//! | the moderator, while nobody talks privately | yes | yes | yes |
//! | the moderator, while somebody talks privately | – | yes | no |
//! | who talks privately | yes | no | no |
//! | who listens only | no | no | no |
//! | who takes part in full | yes | yes | yes |
//!
//! On top of it: only who is in hears and is heard; who is muted is not heard; who is held or holds
//! neither hears nor is heard, and has music or silence instead; two legs of one account do not
//! hear each other, since one person has both at the ear. The moderator is the owner; a moderator
//! who chose to listen only is not heard.
//!
//! A conference of many is not told pair by pair. [`rows`] gives the matrix in the form that the
//! switch carries out: who speaks into the room that all share, and, for each who hears the room,
//! whom besides, and whom not. So somebody who comes or goes changes one row, however many there
//! are.

use std::collections::{BTreeMap, BTreeSet};

use super::JoinMode;

/// What the matrix has to know of one participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact that changes by itself")]
pub(in crate::domain) struct Place {
    /// Is in: neither invited nor gone.
    pub(in crate::domain) is_in: bool,
    pub(in crate::domain) is_moderator: bool,
    pub(in crate::domain) mode: JoinMode,
    pub(in crate::domain) is_muted: bool,
    /// Is held by a command.
    pub(in crate::domain) is_held: bool,
    /// Holds the conference at its own phone.
    pub(in crate::domain) holds: bool,
    pub(in crate::domain) i_account: Option<i64>,
}

impl Place {
    fn is_attending(&self) -> bool {
        self.is_in && !self.is_held && !self.holds
    }

    /// Makes the moderator's talk a private one, also while it is interrupted by a hold.
    fn talks_privately(&self) -> bool {
        self.is_in && self.mode == JoinMode::PrivateTalk && !self.is_moderator
    }
}

/// What reaches a participant's ear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ear<K: Ord> {
    /// Nothing.
    #[default]
    Silence,
    /// Music.
    Music,
    /// The room: who speaks into it, but oneself.
    Room {
        /// Heard besides.
        beside: BTreeSet<K>,
        /// Not heard, although they speak into the room.
        except: BTreeSet<K>,
    },
}

/// One participant's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<K: Ord> {
    /// True for who is heard by everybody in the room.
    pub speaks: bool,
    /// What it hears.
    pub ear: Ear<K>,
}

impl<K: Ord> Default for Row<K> {
    fn default() -> Self {
        Self { speaks: false, ear: Ear::Silence }
    }
}

/// The matrix, a row a participant, in the same order.
pub(in crate::domain) fn rows<K: Ord + Clone>(places: &[(K, Place)]) -> Vec<Row<K>> {
    let is_private = places.iter().any(|(_, place)| place.talks_privately());
    let speaks = |place: &Place| {
        place.is_attending()
            && !place.is_muted
            && (place.mode == JoinMode::Full && !(place.is_moderator && is_private))
    };
    // Those who are heard, and not by everybody: whoever talks privately, and the moderator then.
    let apart: Vec<&(K, Place)> = places
        .iter()
        .filter(|(_, place)| place.is_attending() && !place.is_muted && !speaks(place))
        .collect();
    let mut by_account: BTreeMap<i64, Vec<&(K, Place)>> = BTreeMap::new();
    for one in places {
        if let Some(i_account) = one.1.i_account {
            by_account.entry(i_account).or_default().push(one);
        }
    }
    let of = |(key, place): &(K, Place)| {
        let ear = if !place.is_in || place.holds {
            Ear::Silence
        } else if place.is_held {
            Ear::Music
        } else {
            let beside = apart.iter().filter(|(other, of)| {
                let is_pair = (place.is_moderator && of.talks_privately())
                    || (place.talks_privately() && of.is_moderator && of.mode == JoinMode::Full);
                other != key && is_pair && !is_same(place, of)
            });
            let own = place.i_account.and_then(|i_account| by_account.get(&i_account));
            let except = own.into_iter().flatten().filter(|(other, of)| other != key && speaks(of));
            Ear::Room {
                beside: beside.map(|(other, _)| other.clone()).collect(),
                except: except.map(|(other, _)| other.clone()).collect(),
            }
        };
        Row { speaks: speaks(place), ear }
    };
    places.iter().map(of).collect()
}

fn is_same(one: &Place, other: &Place) -> bool {
    one.i_account.is_some() && one.i_account == other.i_account
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the module's head, pair by pair.
    fn hears(places: &[Place], listener: usize, speaker: usize) -> bool {
        let (ear, voice) = (&places[listener], &places[speaker]);
        let attends = |place: &Place| place.is_in && !place.is_held && !place.holds;
        if listener == speaker || !attends(ear) || !attends(voice) || voice.is_muted {
            return false;
        }
        if ear.i_account.is_some() && ear.i_account == voice.i_account {
            return false;
        }
        let private = |place: &Place| {
            place.is_in && !place.is_moderator && place.mode == JoinMode::PrivateTalk
        };
        let somebody_talks_privately = places.iter().any(private);
        match (voice.is_moderator, voice.mode) {
            (_, JoinMode::ListenOnly) | (true, JoinMode::PrivateTalk) => false,
            (true, JoinMode::Full) if somebody_talks_privately => private(ear),
            (false, JoinMode::PrivateTalk) => ear.is_moderator,
            (_, JoinMode::Full) => true,
        }
    }

    fn told(rows: &[Row<usize>], listener: usize, speaker: usize) -> bool {
        match &rows[listener].ear {
            Ear::Silence | Ear::Music => false,
            Ear::Room { beside, except } => {
                let in_room = rows[speaker].speaks && !except.contains(&speaker);
                listener != speaker && (in_room || beside.contains(&speaker))
            }
        }
    }

    /// Everything that one participant can be.
    fn all(i_account: Option<i64>, is_moderator: bool) -> Vec<Place> {
        let mut all = Vec::new();
        for mode in [JoinMode::Full, JoinMode::ListenOnly, JoinMode::PrivateTalk] {
            for bits in 0..16_u8 {
                all.push(Place {
                    is_in: bits & 1 == 0,
                    is_moderator,
                    mode,
                    is_muted: bits & 2 != 0,
                    is_held: bits & 4 != 0,
                    holds: bits & 8 != 0,
                    i_account,
                });
            }
        }
        all
    }

    fn check(places: &[Place]) {
        let keyed: Vec<_> = places.iter().copied().enumerate().collect();
        let rows = rows(&keyed);
        for listener in 0..places.len() {
            for speaker in 0..places.len() {
                assert_eq!(
                    told(&rows, listener, speaker),
                    hears(places, listener, speaker),
                    "{listener} hears {speaker} in {places:?}"
                );
            }
            let place = &places[listener];
            assert_eq!(
                rows[listener].ear == Ear::Music,
                place.is_in && place.is_held && !place.holds
            );
        }
    }

    #[test]
    fn every_conference_of_three_is_as_the_table_says() {
        let owner = all(Some(1), true);
        for second in all(Some(2), false) {
            for third in all(None, false) {
                for owner in &owner {
                    check(&[*owner, second, third]);
                }
                // The owner has hung up, or has not come.
                check(&[second, third]);
            }
        }
    }

    #[test]
    fn every_conference_of_four_attending_is_as_the_table_says() {
        let attending = |i_account, is_moderator| {
            all(i_account, is_moderator)
                .into_iter()
                .filter(|it| it.is_in && !it.is_held && !it.holds)
        };
        for owner in attending(Some(1), true) {
            for second in attending(Some(2), false) {
                for third in attending(Some(3), false) {
                    for fourth in attending(None, false).chain(attending(Some(1), true)) {
                        check(&[owner, second, third, fourth]);
                    }
                }
            }
        }
    }

    #[test]
    fn a_private_talk_is_heard_by_nobody_else_and_both_hear_the_room() {
        let full = Place {
            is_in: true,
            is_moderator: false,
            mode: JoinMode::Full,
            is_muted: false,
            is_held: false,
            holds: false,
            i_account: None,
        };
        let moderator = Place { is_moderator: true, i_account: Some(1), ..full };
        let private = Place { mode: JoinMode::PrivateTalk, i_account: Some(2), ..full };
        let keyed: Vec<_> = [moderator, full, full, private].into_iter().enumerate().collect();

        let rows = rows(&keyed);

        let heard = |listener| (0..4).filter(|speaker| told(&rows, listener, *speaker)).collect();
        let (moderator, one, other, private): (Vec<_>, Vec<_>, Vec<_>, Vec<_>) =
            (heard(0), heard(1), heard(2), heard(3));
        assert_eq!((moderator, private), (vec![1, 2, 3], vec![0, 1, 2]));
        assert_eq!((one, other), (vec![2], vec![1]));
    }
}
