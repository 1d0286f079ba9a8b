//! Brings about what channels are to hear.
//!
//! Wishes come for one channel at a time and for several at once. Each time, all channels that
//! share a room or hear each other with the one in question are claimed together, the way
//! from where they are to where they should be is planned afresh, and the moves are made.
//! Claims are taken all at once or waited for, so none blocks another for good; and a claim
//! is let go even when the operation is abandoned half way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future;
use tracing::{debug, warn};

use super::Inner;
use super::ari::{AriError, Path};
use super::lines::{Lines, Stage};
use super::plan::{self, Move, Placed, Plan, RoomId, Seat};
use crate::driver::{ChannelId, Source};

/// Channels that nobody else moves; let go when dropped.
struct Claim<'a> {
    switch: &'a Inner,
    channels: BTreeSet<ChannelId>,
    /// Rooms that the moves are from and to.
    rooms: BTreeSet<RoomId>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut empty = Vec::new();
        {
            let mut book = self.switch.book.lock();
            for channel in &self.channels {
                if let Some(line) = book.lines.get_mut(channel) {
                    line.is_claimed = false;
                }
            }
            for room in &self.rooms {
                empty.extend(book.take_if_empty(room));
            }
        }
        self.switch.take_down(empty);
        self.switch.unclaimed.notify_waiters();
    }
}

impl Inner {
    /// Brings a channel, and those that belong together with it, to where they should be.
    pub(super) async fn arrange(&self, channel: &ChannelId) -> Result<(), AriError> {
        match self.try_arrange(channel).await {
            // A room was taken down behind our back: once more, with a new one.
            Err(Failed::RoomGone) => match self.try_arrange(channel).await {
                Err(Failed::Ari(error)) => Err(error),
                Err(Failed::RoomGone) => Err(AriError::Timeout),
                Ok(()) => Ok(()),
            },
            Err(Failed::Ari(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    async fn try_arrange(&self, channel: &ChannelId) -> Result<(), Failed> {
        let (_claim, plan) = loop {
            let mut unclaimed = std::pin::pin!(self.unclaimed.notified());
            unclaimed.as_mut().enable();
            match self.claim(channel) {
                Some(claimed) => break claimed,
                None => unclaimed.await,
            }
        };
        let Plan { outside, new_rooms, across, inside } = plan;
        future::try_join_all(outside.iter().map(|one| self.make_move(one))).await?;
        for room in &new_rooms {
            let path = Path::new(&["bridges"])
                .with("type", "mixing,dtmf_events")
                .with("bridgeId", &room.0)
                .with("name", &room.0);
            if let Err(error) = self.ari.post(&path).await {
                // It may have been made all the same.
                self.tidy_later();
                return Err(Failed::Ari(error));
            }
        }
        future::try_join_all(across.iter().map(|one| self.make_move(one))).await?;
        future::try_join_all(inside.iter().map(|one| self.make_move(one))).await?;
        Ok(())
    }

    /// Claims what belongs together with a channel and plans the moves; `None` while another has
    /// some of it.
    fn claim(&self, channel: &ChannelId) -> Option<(Claim<'_>, Plan)> {
        let mut book = self.book.lock();
        let seats = together(&book, channel);
        if seats.keys().any(|id| book.lines.get(id).is_some_and(|line| line.is_claimed)) {
            return None;
        }
        let plan = plan::plan(&seats, || {
            RoomId(format!("{}-{}", self.app, uuid::Uuid::now_v7().simple()))
        });
        let mut rooms: BTreeSet<_> =
            seats.values().filter_map(|seat| seat.placed.room().cloned()).collect();
        rooms.extend(plan.new_rooms.iter().cloned());
        book.rooms.extend(plan.new_rooms.iter().cloned());
        for id in seats.keys() {
            if let Some(line) = book.lines.get_mut(id) {
                line.is_claimed = true;
            }
        }
        let channels = seats.into_keys().collect();
        Some((Claim { switch: self, channels, rooms }, plan))
    }

    /// Moves one channel. Until it is known to be where it should, it may be anywhere.
    async fn make_move(&self, one: &Move) -> Result<(), Failed> {
        let Move { channel, from, to } = one;
        let may_be_in = to.room().or(from.room()).cloned();
        self.note_place(channel, Placed::Unknown(may_be_in));
        self.leave(channel, from, to).await.map_err(Failed::Ari)?;
        let start = match to {
            Placed::Room(room) => {
                let path = Path::new(&["bridges", &room.0, "addChannel"]);
                self.ari.post(&path.with("channel", &channel.0)).await
            }
            Placed::Music => {
                let path = Path::new(&["channels", &channel.0, "moh"]);
                let class = self.music_class.as_str();
                let path = if class.is_empty() { path } else { path.with("mohClass", class) };
                self.ari.post(&path).await
            }
            Placed::Ringback => self.ari.post(&Path::new(&["channels", &channel.0, "ring"])).await,
            Placed::Silence => {
                self.ari.post(&Path::new(&["channels", &channel.0, "silence"])).await
            }
            Placed::Nowhere | Placed::Unknown(_) => Ok(()),
        };
        if let (Placed::Room(room), Err(error)) = (to, &start)
            && error.says_bridge_is_gone()
        {
            self.book.lock().lose_room(room);
            return Err(Failed::RoomGone);
        }
        self.unless_gone(channel, start).await.map_err(Failed::Ari)?;
        self.note_place(channel, to.clone());
        Ok(())
    }

    /// Ends what a channel hears where it is. Going into a bridge takes it out of another.
    async fn leave(&self, channel: &ChannelId, from: &Placed, to: &Placed) -> Result<(), AriError> {
        let playing: &[&str] = match from {
            Placed::Nowhere | Placed::Room(_) => &[],
            Placed::Music => &["moh"],
            Placed::Silence => &["silence"],
            Placed::Ringback => &["ring"],
            Placed::Unknown(_) => &["moh", "silence", "ring"],
        };
        for what in playing {
            let stop = self.ari.delete(&Path::new(&["channels", &channel.0, what])).await;
            over(stop)?;
        }
        if let Some(room) = from.room().filter(|_| to.room().is_none()) {
            let path = Path::new(&["bridges", &room.0, "removeChannel"]);
            over(self.ari.post(&path.with("channel", &channel.0)).await)?;
        }
        Ok(())
    }

    fn note_place(&self, channel: &ChannelId, placed: Placed) {
        if let Some(line) = self.book.lock().lines.get_mut(channel) {
            line.placed = placed;
        }
    }

    /// A bridge is gone, and not because of us: those in it get another.
    pub(super) fn lost_room(self: &Arc<Self>, room: &RoomId) {
        let members = self.book.lock().lose_room(room);
        if let Some(channel) = members.into_iter().next() {
            warn!(bridge = %room, "somebody has taken a bridge down");
            self.arrange_apart(channel);
        }
    }

    /// Brings a channel to where it should be, beside whatever goes on.
    pub(super) fn arrange_apart(self: &Arc<Self>, channel: ChannelId) {
        let switch = Arc::clone(self);
        self.tasks.spawn(async move {
            if let Err(error) = switch.arrange(&channel).await {
                warn!(%error, "channel was not put through");
            }
        });
    }

    /// Takes bridges down that nobody is in, beside whatever goes on.
    pub(super) fn take_down(&self, rooms: Vec<RoomId>) {
        if rooms.is_empty() {
            return;
        }
        let Some(switch) = self.own.upgrade() else { return };
        self.tasks.spawn(async move {
            for room in rooms {
                let path = Path::new(&["bridges", &room.0]);
                if let Err(error) = over(switch.ari.delete(&path).await) {
                    debug!(%error, "bridge was not taken down");
                    switch.tidy_later();
                }
            }
        });
    }

    /// Has [`Inner::keep_tidy`] look for bridges left behind.
    fn tidy_later(&self) {
        self.untidy.notify_one();
    }

    /// Takes down bridges that are left behind, for as long as it is awaited. What Asterisk has not
    /// answered in time it may do later, so there is a second look.
    pub(super) async fn keep_tidy(&self) {
        loop {
            self.untidy.notified().await;
            let mut looks = 0;
            while looks < 2 {
                tokio::time::sleep(self.ari.timeout()).await;
                match self.sweep_bridges().await {
                    Ok(()) => looks += 1,
                    Err(error) => debug!(%error, "bridges were not looked through"),
                }
            }
        }
    }
}

/// Why an arrangement was not made.
enum Failed {
    /// A room that should be there is not.
    RoomGone,
    /// Asterisk did not do it.
    Ari(AriError),
}

/// What is to be ended is over, also when it was before.
fn over(outcome: Result<(), AriError>) -> Result<(), AriError> {
    match outcome {
        Err(error) if matches!(error.status(), Some(400 | 404 | 409 | 412 | 422)) => Ok(()),
        outcome => outcome,
    }
}

/// All channels that are connected with one by a room or by hearing each other.
fn together(book: &Lines, channel: &ChannelId) -> BTreeMap<ChannelId, Seat> {
    let seat_of = |id: &ChannelId| {
        let line = book.lines.get(id)?;
        let wanted = (line.stage == Stage::Answered).then(|| book.spelt_out(id, &line.wanted));
        Some(Seat { wanted, placed: line.placed.clone() })
    };
    let mut seats = BTreeMap::new();
    let mut next = vec![channel.clone()];
    while let Some(id) = next.pop() {
        if seats.contains_key(&id) {
            continue;
        }
        let Some(seat) = seat_of(&id) else { continue };
        if let Some(room) = seat.placed.room() {
            let sharing = book.lines.iter().filter(|(_, line)| line.placed.room() == Some(room));
            next.extend(sharing.map(|(other, _)| other.clone()));
        }
        if let Some(Source::Parties(parties)) = &seat.wanted {
            let heard = parties.iter().filter(|other| {
                seat_of(other)
                    .is_some_and(|theirs| plan::hear_each_other((&id, &seat), (other, &theirs)))
            });
            next.extend(heard.cloned());
        }
        seats.insert(id, seat);
    }
    seats
}
