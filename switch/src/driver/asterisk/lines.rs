//! The driver's own book of channels: what makes every event come once.
//!
//! A channel is in the book from the moment when it is dialled or offered until its end
//! has been told or the engine has hung it up. What Asterisk says about a channel that is
//! not in the book is of no interest, be it late, foreign, or told twice.

use std::collections::{BTreeSet, HashMap};

use super::plan::{Placed, RoomId};
use crate::driver::{ChannelId, Label, MixId, Source};

/// Who made a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The engine dialled it.
    Dialled,
    /// It came in.
    Incoming,
}

/// How far a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Asterisk has been asked to dial and has not said yes.
    Asked,
    /// It is there.
    Made,
    /// Its party is alerted.
    Ringing,
    /// It is up, and under the application's control.
    Answered,
}

/// One channel.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) way: Way,
    pub(super) stage: Stage,
    pub(super) label: Label,
    /// What its party is to hear.
    pub(super) wanted: Source,
    /// The room into which its party speaks.
    pub(super) speaks_in: Option<MixId>,
    /// What it hears, as far as Asterisk has confirmed it.
    pub(super) placed: Placed,
    /// Another node has handed it over.
    pub(super) is_handed: bool,
    /// Somebody is moving it.
    pub(super) is_claimed: bool,
    /// The other half, when this is the dialled half of a pair.
    inner: Option<ChannelId>,
    /// The code with which the other half was refused.
    pub(super) refusal: Option<u16>,
}

/// All channels, and the bridges that the driver has made.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) lines: HashMap<ChannelId, Line>,
    pub(super) rooms: BTreeSet<RoomId>,
}

impl Lines {
    /// Enters a channel; false when it is there already.
    pub(super) fn enter(&mut self, id: &ChannelId, way: Way, stage: Stage, label: Label) -> bool {
        if self.lines.contains_key(id) {
            return false;
        }
        let line = Line {
            way,
            stage,
            label,
            wanted: Source::default(),
            speaks_in: None,
            placed: Placed::Nowhere,
            is_handed: false,
            is_claimed: false,
            inner: None,
            refusal: None,
        };
        self.lines.insert(id.clone(), line);
        true
    }

    /// Brings a channel further; false when it was that far, or is not there.
    pub(super) fn advance(&mut self, id: &ChannelId, stage: Stage) -> bool {
        match self.lines.get_mut(id).filter(|line| line.stage < stage) {
            Some(line) => {
                line.stage = stage;
                true
            }
            None => false,
        }
    }

    /// The channel has ended: strikes it out. The rooms that this leaves empty are no longer in
    /// the book and have to be taken down by the caller.
    pub(super) fn strike(&mut self, id: &ChannelId) -> Option<(Line, Vec<RoomId>)> {
        let line = self.lines.remove(id)?;
        let empty = match &line.placed {
            // Whoever is moving it looks after the room.
            _ if line.is_claimed => Vec::new(),
            Placed::Room(room) | Placed::Unknown(Some(room)) => self.take_if_empty(room),
            _ => Vec::new(),
        };
        Some((line, empty))
    }

    /// Takes a room out of the book when nobody is in it.
    pub(super) fn take_if_empty(&mut self, room: &RoomId) -> Vec<RoomId> {
        let is_used = self.lines.values().any(|line| line.placed.room() == Some(room));
        if is_used { Vec::new() } else { self.rooms.take(room).into_iter().collect() }
    }

    /// What a channel hears, a mix given as those who speak in it.
    pub(super) fn spelt_out(&self, channel: &ChannelId, source: &Source) -> Source {
        let Source::Mix { mix, beside, except } = source else { return source.clone() };
        let speaks = |(id, line): &(&ChannelId, &Line)| {
            line.speaks_in.as_ref() == Some(mix) && *id != channel && !except.contains(*id)
        };
        let speakers = self.lines.iter().filter(speaks).map(|(id, _)| id.clone());
        Source::Parties(speakers.chain(beside.iter().cloned()).collect())
    }

    /// A room is gone, and not because of us: nobody is in it any more. Gives those who were.
    pub(super) fn lose_room(&mut self, room: &RoomId) -> Vec<ChannelId> {
        if !self.rooms.remove(room) {
            return Vec::new();
        }
        let inside = self.lines.iter_mut().filter(|(_, line)| line.placed.room() == Some(room));
        inside
            .map(|(id, line)| {
                line.placed = Placed::Unknown(None);
                id.clone()
            })
            .collect()
    }

    /// Notes that `outer`, which was dialled, is one half of a pair; `inner` will be offered.
    pub(super) fn pair(&mut self, outer: &ChannelId, inner: ChannelId) {
        if let Some(line) = self.lines.get_mut(outer) {
            line.inner = Some(inner);
        }
    }

    /// `inner` is hung up with this SIP code: if it is half of a pair that nobody has answered,
    /// the other half ends with it. Asterisk has fewer causes than SIP has codes.
    pub(super) fn refuse_pair(&mut self, inner: &ChannelId, code: u16) {
        let is_incoming = |line: &Line| line.way == Way::Incoming && line.stage < Stage::Answered;
        if self.lines.get(inner).is_some_and(is_incoming)
            && let Some(outer) =
                self.lines.values_mut().find(|line| line.inner.as_ref() == Some(inner))
        {
            outer.refusal = Some(code);
        }
    }

    /// Channels whose absence in a list made from now on says that they have gone.
    pub(super) fn confirmed(&self) -> BTreeSet<ChannelId> {
        let made = self.lines.iter().filter(|(_, line)| line.stage > Stage::Asked);
        made.map(|(id, _)| id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ChannelId {
        ChannelId(text.to_owned())
    }

    #[test]
    fn a_channel_ends_once() {
        let mut book = Lines::default();
        assert!(book.enter(&id("a"), Way::Dialled, Stage::Asked, Label::default()));
        assert!(!book.enter(&id("a"), Way::Dialled, Stage::Asked, Label::default()));

        assert!(book.strike(&id("a")).is_some());
        assert!(book.strike(&id("a")).is_none());
    }

    #[test]
    fn stages_only_go_forward() {
        let mut book = Lines::default();
        book.enter(&id("a"), Way::Dialled, Stage::Made, Label::default());

        assert!(book.advance(&id("a"), Stage::Ringing));
        assert!(!book.advance(&id("a"), Stage::Ringing));
        assert!(book.advance(&id("a"), Stage::Answered));
        assert!(!book.advance(&id("a"), Stage::Ringing));
        assert!(!book.advance(&id("b"), Stage::Ringing));
    }

    #[test]
    fn the_last_to_leave_gives_the_room_back() {
        let mut book = Lines::default();
        let room = RoomId("r".to_owned());
        book.rooms.insert(room.clone());
        for name in ["a", "b"] {
            book.enter(&id(name), Way::Dialled, Stage::Answered, Label::default());
            book.lines.get_mut(&id(name)).unwrap().placed = Placed::Room(room.clone());
        }

        assert_eq!(book.strike(&id("a")).unwrap().1, []);
        assert_eq!(book.strike(&id("b")).unwrap().1, [room]);
    }
}
