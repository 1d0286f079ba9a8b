//! Who shares a room: those who hear each other, and those who listen to them.
//!
//! The choice is stable: a plan that has been carried out asks for no further move. So whoever
//! shares a room and may stay together stays, those who speak before those who listen; only who is
//! left alone looks for company elsewhere.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{RoomId, Seat};
use crate::driver::ChannelId;

/// A channel, and what is known of it.
pub(super) type One<'a> = (&'a ChannelId, &'a Seat);

/// Who shares a room.
#[derive(Debug)]
pub(super) struct Gathering<'a> {
    /// All of these hear each other.
    pub(super) speakers: Vec<One<'a>>,
    /// They hear all who speak, and are heard by nobody here.
    pub(super) listeners: Vec<One<'a>>,
}

impl<'a> Gathering<'a> {
    fn of(speakers: Vec<One<'a>>) -> Self {
        Self { speakers, listeners: Vec::new() }
    }

    /// True when `one` is to hear all who speak here.
    fn is_heard_by(&self, one: One<'_>) -> bool {
        self.speakers.iter().all(|speaker| one.1.wants(speaker.0))
    }

    /// Leaves out those who do not listen here yet; true when there are any.
    pub(super) fn keep_listeners(&mut self) -> bool {
        let all = self.listeners.len();
        let listeners = std::mem::take(&mut self.listeners);
        let stays = |one: &One<'_>| one.1.listens_in().is_some_and(|room| self.is_in(room));
        self.listeners = listeners.into_iter().filter(stays).collect();
        self.listeners.len() < all
    }

    /// True when somebody of it speaks in this room already.
    fn is_in(&self, room: &RoomId) -> bool {
        let speaks = |seat: &Seat| seat.placed.room() == Some(room) && seat.listens_in().is_none();
        self.speakers.iter().any(|one| speaks(one.1))
    }

    fn first(&self) -> Option<&'a ChannelId> {
        self.speakers.iter().map(|(id, _)| *id).min()
    }
}

/// All gatherings: of two and more who speak, or of one to whom two and more listen. One who speaks to
/// a single muted listener would get no audio at all, not even silence.
pub(super) fn gatherings(seats: &BTreeMap<ChannelId, Seat>) -> Vec<Gathering<'_>> {
    let (groups, mut alone) = groups(seats);
    alone.retain(|(_, seat)| seat.parties().is_some());
    let mut gatherings: Vec<_> = groups.into_iter().map(Gathering::of).collect();
    // Where they were says nothing here: so the choice is the same when it has been carried out.
    alone.retain(|one| {
        let hosts = gatherings.iter_mut().filter(|host| host.is_heard_by(*one));
        let host = hosts.max_by_key(|host| (host.speakers.len(), Reverse(host.first())));
        host.map(|host| host.listeners.push(*one)).is_none()
    });
    loop {
        let count = |host: &One<'_>| alone.iter().filter(|one| one.1.wants(host.0)).count();
        let counted = alone.iter().map(|one| (count(one), Reverse(one.0), *one));
        let best = counted.max_by_key(|(count, id, _)| (*count, *id));
        let Some((2.., _, host)) = best else { return gatherings };
        let mut gathering = Gathering::of(vec![host]);
        alone.retain(|one| {
            let listens = one.1.wants(host.0);
            gathering.listeners.extend(listens.then_some(*one));
            !listens && one.0 != host.0
        });
        gatherings.push(gathering);
    }
}

/// Groups of two and more in which everybody is to hear everybody, and who is in none.
fn groups(seats: &BTreeMap<ChannelId, Seat>) -> (Vec<Vec<One<'_>>>, Vec<One<'_>>) {
    let mut order: Vec<One<'_>> = seats.iter().collect();
    // Who is heard by many comes first: it belongs with them, and not with the one who is heard
    // by it alone.
    order.sort_by_cached_key(|one| {
        let partners = one.1.parties().into_iter().flatten();
        let partners = partners.filter(|id| seats.get(*id).is_some_and(|seat| seat.wants(one.0)));
        (one.1.listens_in().is_some(), Reverse(partners.count()), one.0)
    });
    let mut rooms: BTreeMap<&RoomId, Vec<Vec<One<'_>>>> = BTreeMap::new();
    let mut alone = Vec::new();
    for one in order {
        match one.1.placed.room() {
            Some(room) => join(rooms.entry(room).or_default(), one),
            None => alone.push(one),
        }
    }
    let (mut groups, singles): (Vec<_>, Vec<_>) =
        rooms.into_values().flatten().partition(|group| group.len() > 1);
    alone.extend(singles.into_iter().flatten());
    for one in alone {
        join(&mut groups, one);
    }
    let (groups, singles): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| group.len() > 1);
    (groups, singles.into_iter().flatten().collect())
}

/// Puts a channel into the first group that it fits into, else into one of its own.
fn join<'a>(groups: &mut Vec<Vec<One<'a>>>, one: One<'a>) {
    let fits = |group: &&mut Vec<One<'a>>| {
        group.iter().all(|member| member.1.wants(one.0) && one.1.wants(member.0))
    };
    match groups.iter_mut().find(fits) {
        Some(group) => group.push(one),
        None => groups.push(vec![one]),
    }
}
