//! Plays clips to a party.
//!
//! Meanwhile its channel is in no bridge, so that the party hears nothing else; those who hear the
//! party hear it by a feed. Each round of a playback is one of Asterisk's, `<playback>.<round>`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tracing::{debug, warn};

use super::Inner;
use super::ari::{AriError, Path};
use super::media::over;
use super::message;
use super::plan::Placed;
use super::spool::Spooled;
use crate::driver::{ChannelId, Clip, DriverError, Event, PlaybackEnd, PlaybackId};

/// How long after the end of its playback or recording Asterisk may tell that a party has hung up.
pub(super) const HANG_UP: Duration = Duration::from_millis(200);

/// A playback under way.
#[derive(Debug)]
pub(super) struct Playback {
    pub(super) id: PlaybackId,
    /// What is played, there as long as it is.
    files: Arc<[Spooled]>,
    /// The round that is played, from 0.
    round: u32,
    /// How many there are; 0 until stopped.
    rounds: u32,
    /// Asterisk has said that it plays this round.
    is_confirmed: bool,
}

impl Playback {
    /// Asterisk's name for the round that is played.
    fn name(&self) -> String {
        format!("{}.{}", self.id.0, self.round)
    }

    fn advance(&mut self) {
        self.round = self.round.wrapping_add(1);
        self.is_confirmed = false;
    }

    fn has_more(&self) -> bool {
        self.rounds == 0 || self.round + 1 < self.rounds
    }
}

/// A playback that is no longer in the book: ended beside whatever goes on, should the operation be
/// abandoned half way.
struct Ended<'a> {
    switch: &'a Inner,
    channel: &'a ChannelId,
    playback: Option<Playback>,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        if let Some(playback) = self.playback.take() {
            self.switch.abandon(playback, self.channel.clone());
        }
    }
}

/// Takes a playback back that has not begun, also when the operation is abandoned half way.
struct Begun<'a> {
    switch: &'a Inner,
    channel: &'a ChannelId,
    playback: &'a PlaybackId,
    is_so: bool,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if !self.is_so
            && let Some(playback) = self.switch.take(self.channel, self.playback)
        {
            self.switch.abandon(playback, self.channel.clone());
        }
    }
}

impl Inner {
    pub(super) async fn play(
        &self,
        channel: &ChannelId,
        playback: PlaybackId,
        clips: &[Clip],
        repeat: u32,
    ) -> Result<(), DriverError> {
        if !self.knows(channel) {
            return Ok(());
        }
        let Some(spool) = &self.spool else {
            return Err(DriverError::Refused("media_folder is not set".to_owned()));
        };
        let files = spool.write(clips).await;
        let files = files.map_err(|error| DriverError::Refused(error.to_string()))?.into();
        let fresh =
            Playback { id: playback.clone(), files, round: 0, rounds: repeat, is_confirmed: false };
        let old = match self.book.lock().lines.get_mut(channel) {
            Some(line) => line.playback.replace(fresh),
            None => return Ok(()),
        };
        let mut begun = Begun { switch: self, channel, playback: &playback, is_so: false };
        if let Some(old) = old {
            self.end(&old).await?;
        }
        self.arrange(channel).await?;
        self.play_round(channel).await?;
        begun.is_so = true;
        Ok(())
    }

    pub(super) async fn stop_play(
        &self,
        channel: &ChannelId,
        playback: &PlaybackId,
    ) -> Result<(), DriverError> {
        let Some(taken) = self.take(channel, playback) else { return Ok(()) };
        let mut ended = Ended { switch: self, channel, playback: Some(taken) };
        if let Some(taken) = &ended.playback {
            self.end(taken).await?;
        }
        self.arrange(channel).await?;
        ended.playback = None;
        Ok(())
    }

    /// Something has been played, or cannot be.
    pub(super) fn played(self: &Arc<Self>, played: &message::Playback) -> Option<Event> {
        let is_it = |playback: &Playback| playback.name() == played.id;
        let (channel, id, has_more) = {
            let mut book = self.book.lock();
            let mut lines = book.lines.iter_mut();
            let (id, line) = lines.find(|(_, line)| line.playback.as_ref().is_some_and(is_it))?;
            let playback = line.playback.as_mut()?;
            let has_more = played.state == "done" && playback.has_more();
            playback.advance();
            (id.clone(), playback.id.clone(), has_more)
        };
        if played.state == "failed" {
            // So it is when the party has hung up; then that is all there is to tell.
            let switch = Arc::clone(self);
            self.tasks.spawn(async move {
                tokio::time::sleep(HANG_UP).await;
                switch.over(channel, id, PlaybackEnd::Failed).await;
            });
            return None;
        }
        if has_more {
            self.go_on(channel, id);
            return None;
        }
        self.take(&channel, &id)?;
        self.arrange_apart(channel.clone());
        Some(Event::PlaybackEnded { channel, playback: id, end: PlaybackEnd::Completed })
    }

    /// Ends what has ended while nothing was heard.
    pub(super) async fn compare_playbacks(self: &Arc<Self>) -> Result<(), AriError> {
        let under_way: Vec<_> = {
            let book = self.book.lock();
            let playback = |(id, line): (&ChannelId, &super::lines::Line)| {
                let playback = line.playback.as_ref().filter(|it| it.is_confirmed)?;
                Some((id.clone(), playback.id.clone(), playback.name()))
            };
            book.lines.iter().filter_map(playback).collect()
        };
        for (channel, id, name) in under_way {
            let path = Path::new(&["playbacks", &name]);
            match self.ari.get::<message::Playback>(&path).await {
                Err(error) if error.status() == Some(404) => {
                    if self.has_next_round(&channel, &name) {
                        self.go_on(channel, id);
                    } else if self.take(&channel, &id).is_some() {
                        let end = PlaybackEnd::Completed;
                        self.correct(Event::PlaybackEnded { channel, playback: id, end }).await;
                    }
                }
                there => drop(there?),
            }
        }
        Ok(())
    }

    /// Advances a playback whose round of this name is over; false when that was the last.
    fn has_next_round(&self, channel: &ChannelId, name: &str) -> bool {
        let mut book = self.book.lock();
        let line = book.lines.get_mut(channel);
        let playback = line.and_then(|line| line.playback.as_mut());
        let playback = playback.filter(|it| it.name() == name && it.has_more());
        playback.map(Playback::advance).is_some()
    }

    /// Plays the next round, beside whatever goes on.
    fn go_on(self: &Arc<Self>, channel: ChannelId, playback: PlaybackId) {
        let switch = Arc::clone(self);
        self.tasks.spawn(async move {
            if let Err(error) = switch.play_round(&channel).await {
                warn!(%error, "a playback does not go on");
                switch.over(channel, playback, PlaybackEnd::Failed).await;
            }
        });
    }

    async fn over(self: &Arc<Self>, channel: ChannelId, playback: PlaybackId, end: PlaybackEnd) {
        if self.take(&channel, &playback).is_some() {
            self.arrange_apart(channel.clone());
            self.tell(Event::PlaybackEnded { channel, playback, end }).await;
        }
    }

    async fn play_round(&self, channel: &ChannelId) -> Result<(), AriError> {
        let (name, media) = {
            let book = self.book.lock();
            let Some(line) = book.lines.get(channel) else { return Ok(()) };
            let Some(playback) = &line.playback else { return Ok(()) };
            let media: Vec<_> = playback.files.iter().map(Spooled::media).collect();
            (playback.name(), media)
        };
        let path = Path::new(&["channels", &channel.0, "play", &name]);
        // In the body: Asterisk takes no more than 4 KiB as a request's first line.
        let begun = self.ari.post_json(&path, &json!({ "media": media })).await;
        self.unless_gone(channel, begun).await?;
        let is_wanted = {
            let mut book = self.book.lock();
            let line = book.lines.get_mut(channel);
            let playback = line.and_then(|line| line.playback.as_mut());
            let playback = playback.filter(|playback| playback.name() == name);
            playback.map(|playback| playback.is_confirmed = true).is_some()
        };
        if is_wanted {
            return Ok(());
        }
        // Stopped meanwhile, or over already.
        over(self.ari.delete(&Path::new(&["playbacks", &name])).await)
    }

    /// Takes a playback out of the book. Where its channel is then is not known: what went on before
    /// the playback has ended with it.
    fn take(&self, channel: &ChannelId, playback: &PlaybackId) -> Option<Playback> {
        let mut book = self.book.lock();
        let line = book.lines.get_mut(channel)?;
        let taken = line.playback.take_if(|it| it.id == *playback)?;
        if line.placed == Placed::Playing {
            line.placed = Placed::Unknown(None);
        }
        Some(taken)
    }

    async fn end(&self, playback: &Playback) -> Result<(), AriError> {
        debug!(playback = playback.id.0, "playback ended");
        over(self.ari.delete(&Path::new(&["playbacks", &playback.name()])).await)
    }

    /// Ends what may have begun all the same, beside whatever goes on.
    fn abandon(&self, playback: Playback, channel: ChannelId) {
        let Some(switch) = self.own.upgrade() else { return };
        self.tasks.spawn(async move {
            if let Err(error) = switch.end(&playback).await {
                debug!(%error, "playback was not ended");
            }
            switch.arrange_apart(channel);
        });
    }
}
