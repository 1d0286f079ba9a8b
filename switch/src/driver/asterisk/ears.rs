//! What reaches a party by whispers: feeds, by which it hears another who is heard by nobody else in
//! its room, as a supervisor; and taps, by which it listens into a room in which it is not.

use std::collections::BTreeMap;

use super::Inner;
use super::ari::{AriError, Path};
use super::lines::{Debris, Ear, Lines, Mouth, Tap};
use super::media::{all, over};
use super::plan::{Feed, RoomId};
use super::snoop::{SnoopId, Use};
use crate::driver::ChannelId;

impl Inner {
    /// Ends taps and feeds; when it returns, nobody hears anything by them.
    pub(super) async fn cut(&self, untapped: &[ChannelId], feeds: &[Feed]) -> Result<(), AriError> {
        let mut debris = Debris::default();
        {
            let mut book = self.book.lock();
            for listener in untapped {
                book.untap(listener, &mut debris);
            }
            for feed in feeds {
                book.cut(feed, &mut debris);
            }
        }
        self.remove(debris).await
    }

    /// Has a party listen into a room in which it is not.
    pub(super) async fn tap(&self, listener: ChannelId, room: RoomId) -> Result<(), AriError> {
        let snoop = self.fresh_snoop();
        let old = {
            let mut book = self.book.lock();
            let Some(line) = book.lines.get_mut(&listener) else { return Ok(()) };
            let tap = Tap { room: room.clone(), snoop: snoop.clone(), is_ready: false };
            line.tap.replace(tap).map(|old| old.snoop)
        };
        self.take_down(Debris { snoops: old.into_iter().collect(), rooms: Vec::new() });
        if !self.snoop(&listener, &snoop, Use::Ear).await? {
            return Ok(());
        }
        self.enter(&room, &snoop).await?;
        let made = Debris { snoops: vec![snoop.clone()], ..Debris::default() };
        self.confirm(made, |book| {
            let tap = book.lines.get_mut(&listener)?.tap.as_mut()?;
            (tap.snoop == snoop).then_some(&mut tap.is_ready)
        });
        Ok(())
    }

    /// Begins feeds.
    pub(super) async fn lay(&self, feeds: Vec<Feed>) -> Result<(), AriError> {
        let mut speakers: BTreeMap<ChannelId, Vec<ChannelId>> = BTreeMap::new();
        for Feed { listener, speaker } in feeds {
            speakers.entry(listener).or_default().push(speaker);
        }
        let listeners = speakers.into_iter();
        let laid = listeners.map(|(listener, speakers)| self.lay_all(listener, speakers));
        all(laid).await
    }

    async fn lay_all(&self, listener: ChannelId, speakers: Vec<ChannelId>) -> Result<(), AriError> {
        let opened = self.open_ear(&listener).await;
        if !matches!(opened, Ok(Some(_))) {
            let debris = self.book.lock().scrap_idle(&listener);
            self.take_down(debris);
        }
        let Some(room) = opened? else { return Ok(()) };
        let laid = speakers.into_iter().map(|speaker| {
            let feed = Feed { listener: listener.clone(), speaker };
            self.lay_one(feed, &room)
        });
        let laid = all(laid).await;
        let debris = self.book.lock().scrap_idle(&listener);
        self.take_down(debris);
        laid
    }

    /// The bridge of a party's ear, which is made when there is none; `None` when the party is gone.
    async fn open_ear(&self, listener: &ChannelId) -> Result<Option<RoomId>, AriError> {
        let room = self.fresh_room();
        let snoop = self.fresh_snoop();
        let old = {
            let mut book = self.book.lock();
            let Some(line) = book.lines.get_mut(listener) else { return Ok(None) };
            if let Some(ear) = line.ear.as_ref().filter(|ear| ear.is_ready) {
                return Ok(Some(ear.room.clone()));
            }
            let (room, snoop) = (room.clone(), snoop.clone());
            let ear = Ear { room: room.clone(), snoop, is_ready: false, mouths: BTreeMap::new() };
            let old = line.ear.replace(ear);
            book.rooms.insert(room);
            let mut debris = Debris::default();
            if let Some(old) = old {
                book.scrap(old, &mut debris);
            }
            debris
        };
        self.take_down(old);
        self.make_room(&room).await?;
        if !self.snoop(listener, &snoop, Use::Ear).await? {
            return Ok(None);
        }
        self.enter(&room, &snoop).await?;
        let made = Debris { snoops: vec![snoop.clone()], rooms: vec![room.clone()] };
        let is_wanted = self.confirm(made, |book| {
            let ear = book.lines.get_mut(listener)?.ear.as_mut()?;
            (ear.snoop == snoop).then_some(&mut ear.is_ready)
        });
        Ok(is_wanted.then_some(room))
    }

    async fn lay_one(&self, feed: Feed, room: &RoomId) -> Result<(), AriError> {
        let Feed { listener, speaker } = &feed;
        let snoop = self.fresh_snoop();
        let old = {
            let mut book = self.book.lock();
            if !book.lines.contains_key(speaker) {
                return Ok(());
            }
            let ear = book.lines.get_mut(listener).and_then(|line| line.ear.as_mut());
            let Some(ear) = ear.filter(|ear| ear.room == *room) else { return Ok(()) };
            let mouth = Mouth { snoop: snoop.clone(), is_heard: false };
            ear.mouths.insert(speaker.clone(), mouth).map(|old| old.snoop)
        };
        self.take_down(Debris { snoops: old.into_iter().collect(), rooms: Vec::new() });
        if !self.snoop(speaker, &snoop, Use::Mouth).await? {
            return Ok(());
        }
        self.enter(room, &snoop).await?;
        let made = Debris { snoops: vec![snoop.clone()], ..Debris::default() };
        self.confirm(made, |book| {
            let ear = book.lines.get_mut(listener)?.ear.as_mut()?;
            let mouth = ear.mouths.get_mut(speaker)?;
            (mouth.snoop == snoop).then_some(&mut mouth.is_heard)
        });
        Ok(())
    }

    /// Notes that what was made does what it is for; false when nobody wants it any more: then it is
    /// taken down.
    fn confirm(&self, made: Debris, flag: impl FnOnce(&mut Lines) -> Option<&mut bool>) -> bool {
        let is_wanted = flag(&mut self.book.lock()).map(|flag| *flag = true).is_some();
        if !is_wanted {
            self.take_down(made);
        }
        is_wanted
    }

    /// Puts a snoop channel into a bridge. One that has gone meanwhile went with its channel.
    async fn enter(&self, room: &RoomId, snoop: &SnoopId) -> Result<(), AriError> {
        let path = Path::new(&["bridges", &room.0, "addChannel"]).with("channel", &snoop.0);
        match self.ari.post(&path).await {
            Err(error) if error.says_bridge_is_gone() => Err(error),
            entered => over(entered),
        }
    }
}
