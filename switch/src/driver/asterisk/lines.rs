//! The driver's own book of channels: what makes every event come once.
//!
//! A channel is in the book from the moment when it is dialled or offered until its end
//! has been told or the engine has hung it up. What Asterisk says about a channel that is
//! not in the book is of no interest, be it late, foreign, or told twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::plan::{Feed, Placed, RoomId};
use super::playing::Playback;
use super::snoop::SnoopId;
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
    /// The room into which it listens from outside.
    pub(super) tap: Option<Tap>,
    /// What is whispered to it besides.
    pub(super) ear: Option<Ear>,
    /// What is played to it, and it alone.
    pub(super) playback: Option<Playback>,
    /// Another node has handed it over.
    pub(super) is_handed: bool,
    /// Somebody is moving it.
    pub(super) is_claimed: bool,
    /// The other half, when this is the dialled half of a pair.
    inner: Option<ChannelId>,
    /// The code with which the other half was refused.
    pub(super) refusal: Option<u16>,
}

/// Through which a party hears others whom nobody else in its room hears: a snoop channel that
/// whispers to it, in a bridge with one snoop channel for each speaker.
#[derive(Debug)]
pub(super) struct Ear {
    pub(super) room: RoomId,
    pub(super) snoop: SnoopId,
    /// True when Asterisk has confirmed that it whispers.
    pub(super) is_ready: bool,
    pub(super) mouths: BTreeMap<ChannelId, Mouth>,
}

/// A snoop channel in a room that whispers to a party outside what it hears there.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) room: RoomId,
    pub(super) snoop: SnoopId,
    /// True when Asterisk has confirmed that it whispers.
    pub(super) is_ready: bool,
}

/// One speaker.
#[derive(Debug)]
pub(super) struct Mouth {
    pub(super) snoop: SnoopId,
    /// True when Asterisk has confirmed that it is in the bridge.
    pub(super) is_heard: bool,
}

impl Ear {
    /// Whom it may carry; true for those who are heard.
    pub(super) fn feeds(&self) -> BTreeMap<ChannelId, bool> {
        let feed =
            |(id, mouth): (&ChannelId, &Mouth)| (id.clone(), self.is_ready && mouth.is_heard);
        self.mouths.iter().map(feed).collect()
    }

    fn snoops(self) -> impl Iterator<Item = SnoopId> {
        self.mouths.into_values().map(|mouth| mouth.snoop).chain([self.snoop])
    }
}

/// What is no longer in the book, and has to be taken down in Asterisk.
#[derive(Debug, Default)]
pub(super) struct Debris {
    pub(super) snoops: Vec<SnoopId>,
    /// After the snoop channels.
    pub(super) rooms: Vec<RoomId>,
}

impl Debris {
    pub(super) fn is_empty(&self) -> bool {
        self.snoops.is_empty() && self.rooms.is_empty()
    }
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
            tap: None,
            ear: None,
            playback: None,
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

    /// The channel has ended: strikes it out. What this leaves behind is no longer in the book and
    /// has to be taken down by the caller.
    pub(super) fn strike(&mut self, id: &ChannelId) -> Option<(Line, Debris)> {
        let mut line = self.lines.remove(id)?;
        let mut debris = Debris::default();
        match &line.placed {
            // Whoever is moving it looks after the room.
            _ if line.is_claimed => {}
            Placed::Room(room, _) | Placed::Unknown(Some(room)) => {
                self.take_if_empty(room, &mut debris);
            }
            _ => {}
        }
        debris.snoops.extend(line.tap.take().map(|tap| tap.snoop));
        if let Some(ear) = line.ear.take() {
            self.scrap(ear, &mut debris);
        }
        let hears_it =
            |line: &Line| line.ear.as_ref().is_some_and(|ear| ear.mouths.contains_key(id));
        let listeners = self.lines.iter().filter(|(_, line)| hears_it(line));
        let listeners: Vec<_> = listeners.map(|(listener, _)| listener.clone()).collect();
        for listener in listeners {
            self.cut(&Feed { listener, speaker: id.clone() }, &mut debris);
        }
        Some((line, debris))
    }

    /// One of the few whom `gone` has left in its room without anybody saying what they hear from now
    /// on, which is so for those who speak into a mix. They may be too few for a room.
    pub(super) fn left_with(&self, gone: &Line) -> Option<ChannelId> {
        let room = gone.placed.room().filter(|_| gone.speaks_in.is_some())?;
        let left = self.lines.iter().filter(|(_, line)| line.placed.room() == Some(room));
        let mut left = left.map(|(id, _)| id.clone()).take(3);
        let (first, _, third) = (left.next(), left.next(), left.next());
        first.filter(|_| third.is_none())
    }

    /// One is no longer heard by another; an ear without anybody to hear goes.
    pub(super) fn cut(&mut self, feed: &Feed, debris: &mut Debris) {
        let Some(line) = self.lines.get_mut(&feed.listener) else { return };
        let Some(ear) = &mut line.ear else { return };
        if let Some(mouth) = ear.mouths.remove(&feed.speaker) {
            debris.snoops.push(mouth.snoop);
        }
        if ear.mouths.is_empty()
            && let Some(ear) = line.ear.take()
        {
            self.scrap(ear, debris);
        }
    }

    pub(super) fn scrap(&mut self, ear: Ear, debris: &mut Debris) {
        debris.rooms.extend(self.rooms.take(&ear.room));
        debris.snoops.extend(ear.snoops());
    }

    /// Takes an ear out of the book that does not whisper, or has nobody to hear.
    pub(super) fn scrap_idle(&mut self, id: &ChannelId) -> Debris {
        let mut debris = Debris::default();
        let line = self.lines.get_mut(id);
        if let Some(ear) =
            line.and_then(|line| line.ear.take_if(|ear| !ear.is_ready || ear.mouths.is_empty()))
        {
            self.scrap(ear, &mut debris);
        }
        debris
    }

    /// A snoop channel is gone, and not because of us. Gives who hears less for it.
    pub(super) fn lose_snoop(&mut self, snoop: &SnoopId) -> Option<ChannelId> {
        for (id, line) in &mut self.lines {
            if let Some(tap) = line.tap.as_mut().filter(|tap| tap.snoop == *snoop) {
                tap.is_ready = false;
                return Some(id.clone());
            }
            let Some(ear) = &mut line.ear else { continue };
            if ear.snoop == *snoop {
                ear.is_ready = false;
                return Some(id.clone());
            }
            if let Some(mouth) = ear.mouths.values_mut().find(|mouth| mouth.snoop == *snoop) {
                mouth.is_heard = false;
                return Some(id.clone());
            }
        }
        None
    }

    /// Every snoop channel through which somebody hears somebody.
    pub(super) fn snoops(&self) -> BTreeSet<SnoopId> {
        let ears = self.lines.values().filter_map(|line| line.ear.as_ref());
        let of_ear = |ear: &Ear| {
            let mouths = ear.mouths.values().map(|mouth| mouth.snoop.clone());
            mouths.chain([ear.snoop.clone()]).collect::<Vec<_>>()
        };
        let taps = self.lines.values().filter_map(|line| line.tap.as_ref());
        ears.flat_map(of_ear).chain(taps.map(|tap| tap.snoop.clone())).collect()
    }

    /// Takes a room out of the book when nobody is in it, and with it the taps into it.
    pub(super) fn take_if_empty(&mut self, room: &RoomId, debris: &mut Debris) {
        if self.lines.values().any(|line| line.placed.room() == Some(room)) {
            return;
        }
        debris.rooms.extend(self.rooms.take(room));
        for line in self.lines.values_mut() {
            let tap = line.tap.take_if(|tap| tap.room == *room);
            debris.snoops.extend(tap.map(|tap| tap.snoop));
        }
    }

    /// A party listens no longer from outside.
    pub(super) fn untap(&mut self, id: &ChannelId, debris: &mut Debris) {
        let tap = self.lines.get_mut(id).and_then(|line| line.tap.take());
        debris.snoops.extend(tap.map(|tap| tap.snoop));
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

    /// Whether a channel is to hear another, as far as it is up to the first.
    pub(super) fn wants(&self, id: &ChannelId, line: &Line, other: &ChannelId) -> bool {
        match &line.wanted {
            Source::Parties(parties) => parties.contains(other),
            Source::Mix { mix, beside, except } => {
                let speaks =
                    self.lines.get(other).is_some_and(|it| it.speaks_in.as_ref() == Some(mix));
                beside.contains(other) || (speaks && id != other && !except.contains(other))
            }
            Source::Silence | Source::Ringback | Source::Music => false,
        }
    }

    /// A room is gone, and not because of us: nobody is in it any more. Gives those who were.
    pub(super) fn lose_room(&mut self, room: &RoomId) -> Vec<ChannelId> {
        if !self.rooms.remove(room) {
            return Vec::new();
        }
        let is_ear = |line: &Line| line.ear.as_ref().is_some_and(|ear| ear.room == *room);
        let mut concerned = Vec::new();
        for (id, line) in &mut self.lines {
            if line.placed.room() == Some(room) {
                line.placed = Placed::Unknown(None);
                concerned.push(id.clone());
            } else if let Some(tap) = line.tap.as_mut().filter(|tap| tap.room == *room) {
                tap.is_ready = false;
                concerned.push(id.clone());
            } else if is_ear(line)
                && let Some(ear) = &mut line.ear
            {
                ear.is_ready = false;
                concerned.push(id.clone());
            }
        }
        concerned
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
    use super::super::plan::Presence;
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
            book.lines.get_mut(&id(name)).unwrap().placed =
                Placed::Room(room.clone(), Presence::Speaking);
        }

        assert_eq!(book.strike(&id("a")).unwrap().1.rooms, []);
        assert_eq!(book.strike(&id("b")).unwrap().1.rooms, [room]);
    }

    #[test]
    fn an_ear_goes_with_its_party_and_with_the_last_whom_it_carries() {
        for gone in ["listener", "speaker"] {
            let mut book = Lines::default();
            for name in ["listener", "speaker"] {
                book.enter(&id(name), Way::Dialled, Stage::Answered, Label::default());
            }
            let (room, snoop) = (RoomId("r".to_owned()), |name: &str| SnoopId(name.to_owned()));
            book.rooms.insert(room.clone());
            let mouth = Mouth { snoop: snoop("mouth"), is_heard: true };
            let mouths = [(id("speaker"), mouth)].into();
            let ear = Ear { room: room.clone(), snoop: snoop("ear"), is_ready: true, mouths };
            book.lines.get_mut(&id("listener")).unwrap().ear = Some(ear);

            let debris = book.strike(&id(gone)).unwrap().1;

            assert_eq!(
                (debris.rooms, debris.snoops),
                (vec![room], vec![snoop("mouth"), snoop("ear")])
            );
            assert!(book.snoops().is_empty() && book.rooms.is_empty());
        }
    }
}
