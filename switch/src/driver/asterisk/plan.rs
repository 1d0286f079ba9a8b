//! Where each channel has to be so that its party hears what it is to hear: pure.
//!
//! Channels that hear each other share a room (a mixing bridge); one that hears all who speak there
//! and is not to be heard by all of them listens: muted, or, when somebody else is to hear it, from
//! outside by a tap, since what a muted channel says reaches nobody. Whoever is not meant to be heard
//! by somebody never speaks in a room with them. Whom a party hears otherwise it hears by a feed: what
//! the other one says is whispered to it, and it alone. While the wishes change there is silence
//! rather than a leak: taps and feeds are cut before anybody moves, and laid when all have moved.
//!
//! Wishes that belong together come one after another: for a moment nearly everybody who is to hear
//! somebody is not to be heard by them. So a quick plan brings about mutual hearing alone and leaves
//! what listeners have; a settled one does everything.

mod rooms;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::driver::{ChannelId, Source};
use rooms::Gathering;

/// Name of a mixing bridge.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RoomId(pub(super) String);

impl fmt::Display for RoomId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How a channel is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// All others hear it.
    Speaking,
    /// It hears, and is not heard.
    Muted,
}

/// Where a channel is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// Nothing has been done with it.
    Nowhere,
    /// In a bridge.
    Room(RoomId, Presence),
    /// Alone, with music.
    Music,
    /// Alone, with silence.
    Silence,
    /// Alone, with the tone of a phone that rings.
    Ringback,
    /// Alone, while something is played to it.
    Playing,
    /// Asterisk has not said whether a move was made; it may be in this bridge.
    Unknown(Option<RoomId>),
}

impl Placed {
    /// The room that it is in, or may be in.
    pub(super) fn room(&self) -> Option<&RoomId> {
        match self {
            Self::Room(room, _) | Self::Unknown(Some(room)) => Some(room),
            Self::Nowhere
            | Self::Music
            | Self::Silence
            | Self::Ringback
            | Self::Playing
            | Self::Unknown(None) => None,
        }
    }
}

/// What has to be known of a channel.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    /// What its party is to hear; `None` while it is not up.
    pub(super) wanted: Option<Source>,
    /// Something is played to it: meanwhile it hears nothing else.
    pub(super) is_played_to: bool,
    /// Where it is.
    pub(super) placed: Placed,
    /// The room into which it may listen from outside; true when it does.
    pub(super) tap: Option<(RoomId, bool)>,
    /// Whom it may hear by a feed; true when it does.
    pub(super) feeds: BTreeMap<ChannelId, bool>,
}

impl Seat {
    /// Those that its party is to hear now.
    pub(super) fn parties(&self) -> Option<&BTreeSet<ChannelId>> {
        match &self.wanted {
            Some(Source::Parties(parties)) if !self.is_played_to => Some(parties),
            _ => None,
        }
    }

    fn wants(&self, other: &ChannelId) -> bool {
        self.parties().is_some_and(|parties| parties.contains(other))
    }

    /// The room in which it listens and is not heard.
    fn listens_in(&self) -> Option<&RoomId> {
        match &self.placed {
            Placed::Room(room, Presence::Muted) => Some(room),
            Placed::Room(_, Presence::Speaking) => None,
            _ => self.tap.as_ref().map(|(room, _)| room),
        }
    }
}

/// How much a plan is to bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// No more listening than there is: more wishes may come at once.
    Quick,
    /// Everything.
    Settled,
}

/// One channel's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) channel: ChannelId,
    pub(super) from: Placed,
    pub(super) to: Placed,
}

/// What one party says, whispered to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Feed {
    pub(super) listener: ChannelId,
    pub(super) speaker: ChannelId,
}

/// What has to be done, in this order; what stands in one list may be done at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Taps that end: of these.
    pub(super) untapped: Vec<ChannelId>,
    /// Feeds that end.
    pub(super) cut: Vec<Feed>,
    /// Out of rooms, and what goes on outside.
    pub(super) outside: Vec<Move>,
    /// Rooms to make.
    pub(super) new_rooms: Vec<RoomId>,
    /// From room to room, or from speaking to listening.
    pub(super) across: Vec<Move>,
    /// Into rooms.
    pub(super) inside: Vec<Move>,
    /// Taps that begin.
    pub(super) tapped: Vec<(ChannelId, RoomId)>,
    /// Feeds that begin; those of one listener come one after another.
    pub(super) laid: Vec<Feed>,
    /// Something is left for a settled plan.
    pub(super) is_rough: bool,
}

/// Finds the moves that bring every channel to its place; `fresh` names new rooms.
pub(super) fn plan(
    seats: &BTreeMap<ChannelId, Seat>,
    pace: Pace,
    mut fresh: impl FnMut() -> RoomId,
) -> Plan {
    let mut plan = Plan::default();
    let mut goals: BTreeMap<&ChannelId, Placed> = BTreeMap::new();
    let mut taps: BTreeMap<&ChannelId, RoomId> = BTreeMap::new();
    let mut speakers: BTreeMap<RoomId, BTreeSet<&ChannelId>> = BTreeMap::new();
    for mut gathering in rooms::gatherings(seats) {
        if pace == Pace::Quick && gathering.keep_listeners() {
            plan.is_rough = true;
            if gathering.speakers.len() == 1 && gathering.listeners.is_empty() {
                continue;
            }
        }
        let room = room_of(&gathering, &speakers).unwrap_or_else(|| {
            let room = fresh();
            plan.new_rooms.push(room.clone());
            room
        });
        let place = |presence| Placed::Room(room.clone(), presence);
        goals.extend(gathering.speakers.iter().map(|one| (one.0, place(Presence::Speaking))));
        for (listener, _) in &gathering.listeners {
            if seats.values().any(|seat| seat.wants(listener)) {
                taps.insert(listener, room.clone());
            } else {
                goals.insert(listener, place(Presence::Muted));
            }
        }
        speakers.insert(room, gathering.speakers.iter().map(|one| one.0).collect());
    }
    for (channel, seat) in seats {
        let to = goals.remove(channel).unwrap_or(match &seat.wanted {
            None => Placed::Nowhere,
            Some(_) if seat.is_played_to => Placed::Playing,
            Some(Source::Music) => Placed::Music,
            Some(Source::Ringback) => Placed::Ringback,
            Some(Source::Silence | Source::Parties(_) | Source::Mix { .. }) => Placed::Silence,
        });
        let tap = taps.remove(channel);
        let room = to.room().or(tap.as_ref());
        plan.feed(channel, seat, seats, room.and_then(|room| speakers.get(room)));
        plan.tap(channel, seat, tap);
        if to == seat.placed || to == Placed::Nowhere {
            continue;
        }
        let moves = match (&seat.placed, &to) {
            (Placed::Room(..) | Placed::Unknown(_), Placed::Room(..)) => &mut plan.across,
            (_, Placed::Room(..)) => &mut plan.inside,
            _ => &mut plan.outside,
        };
        moves.push(Move { channel: channel.clone(), from: seat.placed.clone(), to });
    }
    if pace == Pace::Quick {
        plan.is_rough |= !(plan.tapped.is_empty() && plan.laid.is_empty());
        plan.tapped.clear();
        plan.laid.clear();
    }
    plan
}

impl Plan {
    fn tap(&mut self, listener: &ChannelId, seat: &Seat, room: Option<RoomId>) {
        if seat.tap.as_ref().is_some_and(|(tapped, _)| Some(tapped) != room.as_ref()) {
            self.untapped.push(listener.clone());
        }
        if let Some(room) = room
            && seat.tap.as_ref() != Some(&(room.clone(), true))
        {
            self.tapped.push((listener.clone(), room));
        }
    }

    /// Whom a channel has to hear besides those who speak in its room.
    fn feed(
        &mut self,
        listener: &ChannelId,
        seat: &Seat,
        seats: &BTreeMap<ChannelId, Seat>,
        in_room: Option<&BTreeSet<&ChannelId>>,
    ) {
        let is_up = |id: &&ChannelId| seats.get(*id).is_some_and(|other| other.wanted.is_some());
        let is_by_feed = |id: &&ChannelId| {
            *id != listener && !in_room.is_some_and(|speakers| speakers.contains(*id))
        };
        let parties = seat.parties().into_iter().flatten();
        let heard: BTreeSet<_> = parties.filter(is_up).filter(is_by_feed).collect();
        let feed =
            |speaker: &ChannelId| Feed { listener: listener.clone(), speaker: speaker.clone() };
        self.cut.extend(seat.feeds.keys().filter(|id| !heard.contains(id)).map(feed));
        let lies = |id: &&&ChannelId| seat.feeds.get(**id).copied().unwrap_or_default();
        self.laid.extend(heard.iter().filter(|id| !lies(id)).map(|id| feed(id)));
    }
}

/// The room in which most of a gathering are, unless another has it.
fn room_of(
    gathering: &Gathering<'_>,
    taken: &BTreeMap<RoomId, BTreeSet<&ChannelId>>,
) -> Option<RoomId> {
    let mut counts: BTreeMap<&RoomId, usize> = BTreeMap::new();
    for (_, seat) in gathering.speakers.iter().chain(&gathering.listeners) {
        if let Placed::Room(room, _) = &seat.placed
            && !taken.contains_key(room)
        {
            *counts.entry(room).or_default() += 1;
        }
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(room, _)| room.clone())
}

#[cfg(test)]
mod tests;
