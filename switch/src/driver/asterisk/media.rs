//! Brings about what channels are to hear.
//!
//! Wishes come for one channel at a time and for several at once. Each time, all channels that
//! share a room or hear each other with the one in question are claimed together, the way
//! from where they are to where they should be is planned afresh, and the moves are made.
//! Claims are taken all at once or waited for, so none blocks another for good; and a claim
//! is let go even when the operation is abandoned half way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tracing::{debug, warn};

use super::Inner;
use super::ari::{AriError, Path};
use super::lines::{Debris, Ear, Line, Lines, Stage};
use super::plan::{self, Move, Pace, Placed, Plan, Presence, RoomId, Seat};
use super::snoop::SnoopId;
use crate::driver::{ChannelId, Source};

/// How long more wishes are waited for, and, after a failure, until the next try.
const SETTLE_PAUSES: [Duration; 3] =
    [Duration::from_millis(50), Duration::from_millis(500), Duration::from_secs(2)];

/// Channels that nobody else moves; let go when dropped.
struct Claim<'a> {
    switch: &'a Inner,
    channels: BTreeSet<ChannelId>,
    /// Rooms that the moves are from and to.
    rooms: BTreeSet<RoomId>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut debris = Debris::default();
        {
            let mut book = self.switch.book.lock();
            for channel in &self.channels {
                if let Some(line) = book.lines.get_mut(channel) {
                    line.is_claimed = false;
                }
            }
            for room in &self.rooms {
                book.take_if_empty(room, &mut debris);
            }
        }
        self.switch.take_down(debris);
        self.switch.unclaimed.notify_waiters();
    }
}

impl Inner {
    /// Brings a channel, and those that belong together with it, to where they should be. Whom it
    /// hears who does not hear it comes a little later, unless more wishes come.
    pub(super) async fn arrange(&self, channel: &ChannelId) -> Result<(), AriError> {
        let is_rough = self.arranged(channel, Pace::Quick).await?;
        if is_rough && let Some(switch) = self.own.upgrade() {
            let channel = channel.clone();
            self.tasks.spawn(async move { switch.settle(&channel).await });
        }
        Ok(())
    }

    async fn settle(&self, channel: &ChannelId) {
        for pause in SETTLE_PAUSES {
            tokio::time::sleep(pause).await;
            match self.arranged(channel, Pace::Settled).await {
                Ok(_) => return,
                Err(error) => warn!(%error, "not everybody hears whom they should"),
            }
        }
    }

    /// True when something is left for a settled plan.
    async fn arranged(&self, channel: &ChannelId, pace: Pace) -> Result<bool, AriError> {
        let mut arranged = self.try_arrange(channel, pace).await;
        if let Err(Failed::RoomGone) = arranged {
            // A room was taken down behind our back: once more, with a new one.
            arranged = self.try_arrange(channel, pace).await;
        }
        arranged.map_err(|failed| match failed {
            Failed::Ari(error) => error,
            Failed::RoomGone => AriError::Timeout,
        })
    }

    async fn try_arrange(&self, channel: &ChannelId, pace: Pace) -> Result<bool, Failed> {
        let (_claim, plan) = loop {
            let mut unclaimed = std::pin::pin!(self.unclaimed.notified());
            unclaimed.as_mut().enable();
            match self.claim(channel, pace) {
                Some(claimed) => break claimed,
                None => unclaimed.await,
            }
        };
        let Plan { untapped, cut, outside, new_rooms, across, inside, tapped, laid, is_rough } =
            plan;
        self.cut(&untapped, &cut).await.map_err(Failed::Ari)?;
        all(outside.into_iter().map(|one| self.make_move(one))).await?;
        for room in &new_rooms {
            self.make_room(room).await.map_err(Failed::Ari)?;
        }
        // All are out before anybody comes in: who passes on the way is heard by nobody.
        all(across.iter().cloned().map(|one| async move { self.step_out(&one).await })).await?;
        all(across.into_iter().map(|one| async move { self.step_in(&one).await })).await?;
        all(inside.into_iter().map(|one| self.make_move(one))).await?;
        let tapped = tapped.into_iter().map(|(listener, room)| self.tap(listener, room));
        all(tapped).await.map_err(Failed::Ari)?;
        self.lay(laid).await.map_err(Failed::Ari)?;
        Ok(is_rough)
    }

    /// Claims what belongs together with a channel and plans the moves; `None` while another has
    /// some of it.
    fn claim(&self, channel: &ChannelId, pace: Pace) -> Option<(Claim<'_>, Plan)> {
        let mut book = self.book.lock();
        let seats = together(&book, channel)?;
        let plan = plan::plan(&seats, pace, || self.fresh_room());
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

    async fn make_move(&self, one: Move) -> Result<(), Failed> {
        self.step_out(&one).await?;
        self.step_in(&one).await
    }

    /// Ends what a channel hears where it is. Until Asterisk has confirmed it, it may still be there.
    async fn step_out(&self, one: &Move) -> Result<(), Failed> {
        let Move { channel, from, .. } = one;
        self.note_place(channel, Placed::Unknown(from.room().cloned()));
        self.leave(channel, from).await.map_err(Failed::Ari)?;
        self.note_place(channel, Placed::Nowhere);
        Ok(())
    }

    /// Has a channel hear what it is to hear. Until Asterisk has confirmed it, it may be there already.
    async fn step_in(&self, one: &Move) -> Result<(), Failed> {
        let Move { channel, to, .. } = one;
        self.note_place(channel, Placed::Unknown(to.room().cloned()));
        let start = match to {
            Placed::Room(room, presence) => {
                let path = Path::new(&["bridges", &room.0, "addChannel"]);
                let path = path.with("channel", &channel.0);
                let is_muted = *presence == Presence::Muted;
                let path = if is_muted { path.with("mute", "true") } else { path };
                self.ari.post(&path).await
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
            Placed::Nowhere | Placed::Playing | Placed::Unknown(_) => Ok(()),
        };
        if let (Placed::Room(room, _), Err(error)) = (to, &start)
            && error.says_bridge_is_gone()
        {
            self.book.lock().lose_room(room);
            return Err(Failed::RoomGone);
        }
        self.unless_gone(channel, start).await.map_err(Failed::Ari)?;
        self.note_place(channel, to.clone());
        Ok(())
    }

    async fn leave(&self, channel: &ChannelId, from: &Placed) -> Result<(), AriError> {
        let playing: &[&str] = match from {
            Placed::Nowhere | Placed::Playing | Placed::Room(..) => &[],
            Placed::Music => &["moh"],
            Placed::Silence => &["silence"],
            Placed::Ringback => &["ring"],
            Placed::Unknown(_) => &["moh", "silence", "ring"],
        };
        for what in playing {
            let stop = self.ari.delete(&Path::new(&["channels", &channel.0, what])).await;
            over(stop)?;
        }
        if let Some(room) = from.room() {
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

    /// A snoop channel is gone, and not because of us: who heard by it gets another.
    pub(super) fn lost_snoop(self: &Arc<Self>, snoop: &SnoopId) {
        let listener = self.book.lock().lose_snoop(snoop);
        if let Some(listener) = listener {
            self.arrange_apart(listener);
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

    /// Has [`Inner::keep_tidy`] look for bridges left behind.
    pub(super) fn tidy_later(&self) {
        self.untidy.notify_one();
    }

    /// Takes down bridges and snoop channels that are left behind, for as long as it is awaited. What Asterisk has not
    /// answered in time it may do later, so there is a second look.
    pub(super) async fn keep_tidy(&self) {
        loop {
            self.untidy.notified().await;
            let mut looks = 0;
            while looks < 2 {
                tokio::time::sleep(self.ari.timeout()).await;
                match self.sweep().await {
                    Ok(()) => looks += 1,
                    Err(error) => debug!(%error, "what is left behind was not looked for"),
                }
            }
        }
    }
}

/// Requests that one arrangement has under way at once: Asterisk takes no more than a hundred connections.
const AT_ONCE: usize = 8;

/// Does everything, some at a time.
pub(super) async fn all<E>(
    work: impl IntoIterator<Item = impl Future<Output = Result<(), E>>>,
) -> Result<(), E> {
    stream::iter(work).map(Ok).try_for_each_concurrent(AT_ONCE, |one| one).await
}

/// Why an arrangement was not made.
enum Failed {
    /// A room that should be there is not.
    RoomGone,
    /// Asterisk did not do it.
    Ari(AriError),
}

/// What is to be ended is over, also when it was before.
pub(super) fn over(outcome: Result<(), AriError>) -> Result<(), AriError> {
    match outcome {
        Err(error) if matches!(error.status(), Some(400 | 404 | 409 | 412 | 422)) => Ok(()),
        outcome => outcome,
    }
}

/// All channels that are connected with one by a room, or by one hearing the other; `None` when somebody
/// moves one of them. Of many who wait for the same claim all but one find that out: at the first
/// such channel, not when all have been looked at.
fn together(book: &Lines, channel: &ChannelId) -> Option<BTreeMap<ChannelId, Seat>> {
    let mut seats = BTreeMap::new();
    let mut rooms = BTreeSet::new();
    let mut next = vec![channel.clone()];
    while let Some(id) = next.pop() {
        if seats.contains_key(&id) {
            continue;
        }
        let Some(line) = book.lines.get(&id) else { continue };
        if line.is_claimed {
            return None;
        }
        let is_up = line.stage == Stage::Answered;
        let seat = Seat {
            wanted: is_up.then(|| book.spelt_out(&id, &line.wanted)),
            is_played_to: line.playback.is_some(),
            placed: line.placed.clone(),
            tap: line.tap.as_ref().map(|tap| (tap.room.clone(), tap.is_ready)),
            feeds: line.ear.as_ref().map(Ear::feeds).unwrap_or_default(),
        };
        let room = seat.placed.room().filter(|room| rooms.insert((*room).clone()));
        let is_with_it = |(other, it): &(&ChannelId, &Line)| {
            (room.is_some() && it.placed.room() == room)
                || (it.stage == Stage::Answered && book.wants(other, it, &id))
        };
        next.extend(book.lines.iter().filter(is_with_it).map(|(other, _)| other.clone()));
        if let Some(Source::Parties(parties)) = &seat.wanted {
            next.extend(parties.iter().cloned());
        }
        next.extend(seat.feeds.keys().cloned());
        seats.insert(id, seat);
    }
    Some(seats)
}

#[cfg(test)]
mod tests {
    use super::super::lines::Way;
    use super::*;
    use crate::driver::Label;

    /// Channels that are up, each with those that it is to hear.
    fn book(wishes: &[(&str, &[&str])]) -> Lines {
        let id = |name: &str| ChannelId(name.to_owned());
        let mut book = Lines::default();
        for (name, wish) in wishes {
            book.enter(&id(name), Way::Dialled, Stage::Answered, Label::default());
            if let Some(line) = book.lines.get_mut(&id(name)) {
                line.wanted = Source::Parties(wish.iter().map(|name| id(name)).collect());
            }
        }
        book
    }

    #[test]
    fn those_who_hear_each_other_by_others_belong_together_unless_one_is_moved() {
        let wishes: [(&str, &[&str]); 5] =
            [("a", &["b"]), ("b", &["c"]), ("c", &[]), ("d", &["e"]), ("e", &[])];
        let names = ["a", "b", "c"].map(|name| ChannelId(name.to_owned()));

        for channel in &names {
            let mut book = book(&wishes);
            let found = together(&book, channel).unwrap();
            assert_eq!(found.into_keys().collect::<Vec<_>>(), names);
            for moved in &names {
                book.lines.get_mut(moved).unwrap().is_claimed = true;
                assert!(together(&book, channel).is_none(), "{channel}, {moved} is moved");
                book.lines.get_mut(moved).unwrap().is_claimed = false;
            }
            book.lines.get_mut(&ChannelId("d".to_owned())).unwrap().is_claimed = true;
            assert!(together(&book, channel).is_some(), "d has nothing to do with it");
        }
    }
}
