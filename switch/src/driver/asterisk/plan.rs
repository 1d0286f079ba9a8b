//! Where each channel has to be so that its party hears what it is to hear: pure.
//!
//! Channels that hear each other share a room (a mixing bridge). Whoever is not meant to be
//! heard by somebody is never in a room with them; so where the wishes are not mutual (as
//! for a moment while they change, or for a listener who is not heard) there is silence
//! rather than a leak. Listeners of that kind need snoop channels, which are not made yet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::driver::{ChannelId, Source};

/// Name of a mixing bridge.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RoomId(pub(super) String);

impl fmt::Display for RoomId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Where a channel is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// Nothing has been done with it.
    Nowhere,
    /// In a bridge.
    Room(RoomId),
    /// Alone, with music.
    Music,
    /// Alone, with silence.
    Silence,
    /// Alone, with the tone of a phone that rings.
    Ringback,
    /// Asterisk has not said whether a move was made; it may be in this bridge.
    Unknown(Option<RoomId>),
}

impl Placed {
    /// The room that it is in, or may be in.
    pub(super) fn room(&self) -> Option<&RoomId> {
        match self {
            Self::Room(room) | Self::Unknown(Some(room)) => Some(room),
            Self::Nowhere | Self::Music | Self::Silence | Self::Ringback | Self::Unknown(None) => {
                None
            }
        }
    }
}

/// What has to be known of a channel.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    /// What its party is to hear; `None` while it is not up.
    pub(super) wanted: Option<Source>,
    /// Where it is.
    pub(super) placed: Placed,
}

/// One channel's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) channel: ChannelId,
    pub(super) from: Placed,
    pub(super) to: Placed,
}

/// What has to be done, in this order; what stands in one list may be done at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Out of rooms, and what goes on outside.
    pub(super) outside: Vec<Move>,
    /// Rooms to make.
    pub(super) new_rooms: Vec<RoomId>,
    /// From room to room.
    pub(super) across: Vec<Move>,
    /// Into rooms.
    pub(super) inside: Vec<Move>,
}

/// True when each is to hear the other.
pub(super) fn hear_each_other(a: (&ChannelId, &Seat), b: (&ChannelId, &Seat)) -> bool {
    wants(a.1, b.0) && wants(b.1, a.0)
}

fn wants(seat: &Seat, other: &ChannelId) -> bool {
    matches!(&seat.wanted, Some(Source::Parties(parties)) if parties.contains(other))
}

/// Finds the moves that bring every channel to its place; `fresh` names new rooms.
pub(super) fn plan(seats: &BTreeMap<ChannelId, Seat>, mut fresh: impl FnMut() -> RoomId) -> Plan {
    let mut plan = Plan::default();
    let mut goals: BTreeMap<&ChannelId, Placed> = BTreeMap::new();
    let mut taken: BTreeSet<RoomId> = BTreeSet::new();
    for group in groups(seats) {
        let room = room_of(&group, seats, &taken).unwrap_or_else(|| {
            let room = fresh();
            plan.new_rooms.push(room.clone());
            room
        });
        taken.insert(room.clone());
        goals.extend(group.into_iter().map(|channel| (channel, Placed::Room(room.clone()))));
    }
    for (channel, seat) in seats {
        let to = goals.remove(channel).unwrap_or(match &seat.wanted {
            None => Placed::Nowhere,
            Some(Source::Music) => Placed::Music,
            Some(Source::Ringback) => Placed::Ringback,
            Some(Source::Silence | Source::Parties(_) | Source::Mix { .. }) => Placed::Silence,
        });
        if to == seat.placed || to == Placed::Nowhere {
            continue;
        }
        let moves = match (&seat.placed, &to) {
            (Placed::Room(_) | Placed::Unknown(_), Placed::Room(_)) => &mut plan.across,
            (_, Placed::Room(_)) => &mut plan.inside,
            _ => &mut plan.outside,
        };
        moves.push(Move { channel: channel.clone(), from: seat.placed.clone(), to });
    }
    plan
}

/// Groups of two and more in which everybody is to hear everybody. Who shares a room and may stay
/// together stays; only who is left alone looks for company elsewhere. So a plan that has been
/// carried out asks for no further move.
fn groups(seats: &BTreeMap<ChannelId, Seat>) -> Vec<BTreeSet<&ChannelId>> {
    let mut rooms: BTreeMap<&RoomId, Vec<Group<'_>>> = BTreeMap::new();
    let mut alone = Vec::new();
    for one in seats {
        match one.1.placed.room() {
            Some(room) => join(rooms.entry(room).or_default(), one),
            None => alone.push(one),
        }
    }
    let (mut groups, singles): (Vec<_>, Vec<_>) =
        rooms.into_values().flatten().partition(|group| group.len() > 1);
    alone.extend(singles.into_iter().flatten());
    alone.sort_by_key(|(channel, _)| *channel);
    for one in alone {
        join(&mut groups, one);
    }
    let real = groups.into_iter().filter(|group| group.len() > 1);
    real.map(|group| group.into_iter().map(|(channel, _)| channel).collect()).collect()
}

/// Channels that are to hear each other.
type Group<'a> = Vec<(&'a ChannelId, &'a Seat)>;

/// Puts a channel into the first group that it fits into, else into one of its own.
fn join<'a>(groups: &mut Vec<Group<'a>>, one: (&'a ChannelId, &'a Seat)) {
    let fits = |group: &&mut Group<'a>| group.iter().all(|member| hear_each_other(*member, one));
    match groups.iter_mut().find(fits) {
        Some(group) => group.push(one),
        None => groups.push(vec![one]),
    }
}

/// The room in which most of a group are.
fn room_of(
    group: &BTreeSet<&ChannelId>,
    seats: &BTreeMap<ChannelId, Seat>,
    taken: &BTreeSet<RoomId>,
) -> Option<RoomId> {
    let mut counts: BTreeMap<&RoomId, usize> = BTreeMap::new();
    for channel in group {
        if let Some(Seat { placed: Placed::Room(room), .. }) = seats.get(*channel)
            && !taken.contains(room)
        {
            *counts.entry(room).or_default() += 1;
        }
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(room, _)| room.clone())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> ChannelId {
        ChannelId(text.to_owned())
    }

    fn room(text: &str) -> RoomId {
        RoomId(text.to_owned())
    }

    fn parties(names: &[&str]) -> Source {
        Source::Parties(names.iter().map(|name| id(name)).collect())
    }

    fn seats(list: &[(&str, Source, Placed)]) -> BTreeMap<ChannelId, Seat> {
        let seat = |(name, wanted, placed): &(&str, Source, Placed)| {
            (id(name), Seat { wanted: Some(wanted.clone()), placed: placed.clone() })
        };
        list.iter().map(seat).collect()
    }

    fn planned(list: &[(&str, Source, Placed)]) -> Plan {
        plan(&seats(list), || room("new"))
    }

    fn moved(channel: &str, from: Placed, to: Placed) -> Move {
        Move { channel: id(channel), from, to }
    }

    #[test]
    fn two_that_hear_each_other_get_a_room() {
        let plan = planned(&[
            ("a", parties(&["b"]), Placed::Ringback),
            ("b", parties(&["a"]), Placed::Nowhere),
        ]);

        let to = || Placed::Room(room("new"));
        assert_eq!(plan.new_rooms, [room("new")]);
        assert_eq!(
            plan.inside,
            [moved("a", Placed::Ringback, to()), moved("b", Placed::Nowhere, to())]
        );
        assert!(plan.outside.is_empty() && plan.across.is_empty());
    }

    #[test]
    fn nobody_is_heard_who_does_not_hear() {
        let plan = planned(&[
            ("a", parties(&["b"]), Placed::Nowhere),
            ("b", parties(&[]), Placed::Nowhere),
        ]);

        assert!(plan.inside.is_empty() && plan.new_rooms.is_empty());
        assert_eq!(plan.outside.len(), 2);
    }

    #[test]
    fn who_is_held_hears_music_outside_and_the_holder_silence() {
        let in_room = || Placed::Room(room("r"));
        let plan = planned(&[("a", Source::Silence, in_room()), ("b", Source::Music, in_room())]);

        assert_eq!(
            plan.outside,
            [moved("a", in_room(), Placed::Silence), moved("b", in_room(), Placed::Music)]
        );
    }

    #[test]
    fn a_third_joins_the_room_that_is_there() {
        let in_room = || Placed::Room(room("r"));
        let plan = planned(&[
            ("c", parties(&["a", "b"]), Placed::Silence),
            ("a", parties(&["b", "c"]), in_room()),
            ("b", parties(&["a", "c"]), in_room()),
        ]);

        assert_eq!(plan.inside, [moved("c", Placed::Silence, in_room())]);
        assert!(plan.new_rooms.is_empty() && plan.outside.is_empty());
    }

    #[test]
    fn nothing_is_done_with_a_channel_that_is_not_up() {
        let mut seats = seats(&[
            ("a", parties(&["b"]), Placed::Silence),
            ("b", parties(&["a"]), Placed::Nowhere),
        ]);
        seats.get_mut(&id("b")).unwrap().wanted = None;

        assert_eq!(plan(&seats, || room("new")), Plan::default());
    }

    proptest! {
        /// Whatever the wishes, nobody is brought together with somebody not to be heard, and
        /// what has been brought about needs no further move.
        #[test]
        fn rooms_never_leak(
            wishes in prop::collection::vec((any::<u8>(), 0..3_u8, 0..4_u8), 1..7),
        ) {
            let names: Vec<_> = (0..wishes.len()).map(|index| format!("c{index}")).collect();
            let mut seats: BTreeMap<_, _> = names
                .iter()
                .zip(&wishes)
                .map(|(name, (mask, kind, placed))| {
                    let heard = names
                        .iter()
                        .enumerate()
                        .filter(|(index, other)| mask >> index & 1 == 1 && *other != name);
                    let wanted = match kind {
                        0 => Source::Music,
                        _ => Source::Parties(heard.map(|(_, other)| id(other)).collect()),
                    };
                    let placed = match placed {
                        0 => Placed::Nowhere,
                        1 => Placed::Room(room("one")),
                        2 => Placed::Room(room("two")),
                        _ => Placed::Unknown(None),
                    };
                    (id(name), Seat { wanted: Some(wanted), placed })
                })
                .collect();
            let mut count = 0;
            let mut fresh = || {
                count += 1;
                room(&format!("new{count}"))
            };

            let first = plan(&seats, &mut fresh);
            for Move { channel, to, .. } in
                first.outside.into_iter().chain(first.across).chain(first.inside)
            {
                seats.get_mut(&channel).unwrap().placed = to;
            }

            for a in &seats {
                for b in seats.iter().filter(|b| b.0 != a.0) {
                    if a.1.placed.room().is_some() && a.1.placed.room() == b.1.placed.room() {
                        prop_assert!(hear_each_other(a, b), "{:?} and {:?}", a, b);
                    }
                }
            }
            prop_assert_eq!(plan(&seats, fresh), Plan::default());
        }
    }
}
