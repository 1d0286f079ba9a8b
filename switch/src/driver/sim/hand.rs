//! A person's hand: which call it acts on, and what it does to it.

use tokio::time::Instant;

use crate::driver::{Cause, ChannelId};

use super::PhonebookError;
use super::behaviour::DECLINED_BY_HAND;
use super::line::{Line, Stage};
use super::model::{Full, Model};

/// What a person does with a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// Answers the call that rings longest.
    Answer,
    /// Declines the call that rings longest.
    Decline,
    /// Ends all calls.
    Hangup,
    /// Holds the call spoken on.
    Hold,
    /// Takes the held call back.
    Resume,
}

/// Why a hand could not act.
#[derive(Debug, thiserror::Error)]
pub enum HandError {
    /// No account has this id.
    #[error("no account `{0}` has a phone")]
    NoPhone(String),
    /// The trunk knows no leg with this tag, or no longer.
    #[error("no leg `{0}` on the trunk")]
    NoLeg(String),
    /// The leg of the trunk has ended.
    #[error("the leg has ended")]
    LegEnded,
    /// Answer, decline: nothing rings.
    #[error("no call rings")]
    NothingRings,
    /// Hang up: there is no call.
    #[error("there is no call")]
    NoCall,
    /// Hold, keys: nobody is spoken with.
    #[error("no call is spoken on")]
    NothingSpokenOn,
    /// Resume: nothing was put on hold.
    #[error("no call is on hold")]
    NothingHeld,
    /// The engine refused a call that was placed.
    #[error("the switch refused the call")]
    CallRefused,
    /// The engine did not say in time what became of a call that was placed.
    #[error("the switch did not take the call in time")]
    CallNotTaken,
    /// The simulated switch is full.
    #[error("no channel is free")]
    Full,
    /// The directory could not be asked.
    #[error("the directory could not be asked for the account")]
    Phonebook(#[from] PhonebookError),
}

impl From<Full> for HandError {
    fn from(Full: Full) -> Self {
        Self::Full
    }
}

impl Model {
    /// A hand on a phone, on one of its calls or on the one that it would mean.
    pub(super) fn hand_on_phone(
        &mut self,
        now: Instant,
        account_id: &str,
        hand: Hand,
        call_id: Option<&str>,
    ) -> Result<(), HandError> {
        let channels = self.phone_channels(account_id).to_vec();
        self.hand_on(now, &channels, hand, call_id)
    }

    /// The far end's hand on a leg of the trunk.
    pub(super) fn hand_on_leg(
        &mut self,
        now: Instant,
        tag: &str,
        hand: Hand,
    ) -> Result<(), HandError> {
        let channel = self.living_leg(tag)?;
        self.hand_on(now, &[channel], hand, None)
    }

    /// The channel on which an account's phone sends keys.
    pub(super) fn keys_on_phone(
        &self,
        account_id: &str,
        call_id: Option<&str>,
    ) -> Result<ChannelId, HandError> {
        self.keys_on(self.phone_channels(account_id), call_id)
    }

    /// The channel on which the far end sends keys.
    pub(super) fn keys_on_leg(&self, tag: &str) -> Result<ChannelId, HandError> {
        self.keys_on(&[self.living_leg(tag)?], None)
    }

    fn hand_on(
        &mut self,
        now: Instant,
        channels: &[ChannelId],
        hand: Hand,
        call_id: Option<&str>,
    ) -> Result<(), HandError> {
        match hand {
            Hand::Answer => {
                let channel = self.ringing(channels, call_id)?;
                self.answer(now, &channel);
            }
            Hand::Decline => {
                let channel = self.ringing(channels, call_id)?;
                self.end(now, &channel, Cause::Refused(DECLINED_BY_HAND));
            }
            Hand::Hangup => {
                let all: Vec<ChannelId> =
                    self.among(channels, call_id).map(|(channel, _)| channel.clone()).collect();
                if all.is_empty() {
                    return Err(HandError::NoCall);
                }
                for channel in all {
                    self.hang_up_by_hand(now, &channel);
                }
            }
            Hand::Hold => {
                let is_spoken_on = |line: &Line| line.is_answered() && !line.is_holding();
                let channel = self
                    .nearest(channels, call_id, is_spoken_on)
                    .ok_or(HandError::NothingSpokenOn)?;
                self.hold(&channel, true);
            }
            Hand::Resume => {
                let channel = self
                    .nearest(channels, call_id, Line::is_holding)
                    .ok_or(HandError::NothingHeld)?;
                self.hold(&channel, false);
            }
        }
        Ok(())
    }

    fn hang_up_by_hand(&mut self, now: Instant, channel: &ChannelId) {
        let rings = self.lines.get(channel).is_some_and(Line::can_be_answered);
        let cause = if rings { Cause::Refused(DECLINED_BY_HAND) } else { Cause::HungUp };
        self.end(now, channel, cause);
    }

    fn living_leg(&self, tag: &str) -> Result<ChannelId, HandError> {
        let channel = self.legs.get(tag).ok_or_else(|| HandError::NoLeg(tag.to_owned()))?;
        if !self.lines.contains_key(channel) {
            return Err(HandError::LegEnded);
        }
        Ok(channel.clone())
    }

    fn keys_on(
        &self,
        channels: &[ChannelId],
        call_id: Option<&str>,
    ) -> Result<ChannelId, HandError> {
        self.nearest(channels, call_id, Line::is_on_the_line).ok_or(HandError::NothingSpokenOn)
    }

    /// The call that rings longest; one that is about to ring comes after those that do.
    fn ringing(
        &self,
        channels: &[ChannelId],
        call_id: Option<&str>,
    ) -> Result<ChannelId, HandError> {
        self.among(channels, call_id)
            .filter(|(_, line)| line.can_be_answered())
            .min_by_key(|(_, line)| (line.stage == Stage::Trying, line.stage, line.order))
            .map(|(channel, _)| channel.clone())
            .ok_or(HandError::NothingRings)
    }

    /// Of several fitting calls the one that the user is busy with; the newest of equals.
    fn nearest(
        &self,
        channels: &[ChannelId],
        call_id: Option<&str>,
        fits: impl Fn(&Line) -> bool,
    ) -> Option<ChannelId> {
        self.among(channels, call_id)
            .filter(|(_, line)| fits(line))
            .min_by_key(|(_, line)| (line.remoteness(), u64::MAX - line.order))
            .map(|(channel, _)| channel.clone())
    }

    fn among<'a>(
        &'a self,
        channels: &'a [ChannelId],
        call_id: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a ChannelId, &'a Line)> {
        channels
            .iter()
            .filter_map(|channel| Some((channel, self.lines.get(channel)?)))
            .filter(move |(_, line)| call_id.is_none_or(|id| line.label.call_id == id))
    }
}
