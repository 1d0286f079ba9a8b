//! One channel as the simulator keeps it, and what stays of it when it has ended.

use tokio::time::Instant;

use crate::driver::{Cause, ChannelId, Clip, Label, MixId, PlaybackId, Reason, Shown, Source};

use super::behaviour::text_of;

/// Digits remembered per channel; the oldest go first.
const MAX_DIGITS: usize = 1024;

/// Who is at the far end of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Party {
    /// An account's phone.
    Phone(String),
    /// A number of the public network.
    Trunk(String),
    /// Another customer's environment: the other half of the pair.
    Join(ChannelId),
}

/// How far a channel has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Trying,
    /// The moment, as a running number, orders the calls that ring at one phone.
    Ringing(u64),
    Answered,
}

/// A living channel.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) party: Party,
    /// True when the switch dialled it, false when it came in.
    pub(super) is_dialled: bool,
    pub(super) stage: Stage,
    pub(super) source: Source,
    /// The room into which its party speaks.
    pub(super) speaks_in: Option<MixId>,
    pub(super) label: Label,
    /// What a dialled party is shown.
    pub(super) shown: Option<Shown>,
    /// Digits that the switch played to the party.
    pub(super) digits: String,
    /// Running number of its making.
    pub(super) order: u64,
    /// Key of the timer of its set-up.
    pub(super) timer: Option<(Instant, u64)>,
    /// What is played to the party.
    pub(super) playing: Option<Playing>,
}

/// What is played to a party.
#[derive(Clone, Debug)]
pub(super) struct Playing {
    pub(super) id: PlaybackId,
    pub(super) clips: Vec<Clip>,
    /// Which of them is heard.
    pub(super) index: usize,
    /// How often the whole is to be played, this time included; 0 until stopped.
    pub(super) repeat: u32,
    /// Key of the timer that ends the clip.
    pub(super) timer: Option<(Instant, u64)>,
}

impl Line {
    pub(super) fn is_answered(&self) -> bool {
        self.stage == Stage::Answered
    }

    /// Whether the party is on the line: it can hear and press keys. A dialled party is from its
    /// answer on, one that called from the beginning.
    pub(super) fn is_on_the_line(&self) -> bool {
        !self.is_dialled || self.is_answered()
    }

    /// Whether its own phone or far end is alerted, or about to be.
    pub(super) fn can_be_answered(&self) -> bool {
        self.is_dialled && !self.is_answered() && !matches!(self.party, Party::Join(_))
    }

    /// Whether this party has put the other one on hold, by hand or by command.
    pub(super) fn is_holding(&self) -> bool {
        self.label.state == "holding"
    }

    /// Whether this party holds or is held.
    pub(super) fn is_on_hold(&self) -> bool {
        self.is_holding() || self.label.state == "held"
    }

    /// How near the user is to this call: the lowest is the one that he is busy with.
    pub(super) fn remoteness(&self) -> u8 {
        match self.label.state.as_str() {
            "connected" => 0,
            "held" => 2,
            "holding" => 3,
            _ if self.is_on_the_line() => 1,
            _ => 4,
        }
    }

    /// Name of the clip that the party hears, if one is played.
    pub(super) fn clip_heard(&self) -> Option<&str> {
        let playing = self.playing.as_ref()?;
        playing.clips.get(playing.index).map(|clip| clip.name.as_str())
    }

    pub(super) fn remember_digits(&mut self, digits: &str) {
        self.digits.push_str(digits);
        let surplus = self.digits.len().saturating_sub(MAX_DIGITS);
        if surplus > 0 {
            self.digits = self.digits.chars().skip(surplus).collect();
        }
    }

    /// The public reason when the channel ends by itself.
    pub(super) fn reason_of(&self, cause: &Cause) -> Reason {
        let (code, text) = match cause {
            Cause::HungUp if self.is_answered() => (487, "BYE Received"),
            Cause::HungUp => (487, text_of(487)),
            Cause::Refused(code) => (*code, text_of(*code)),
            Cause::Lost => (503, text_of(503)),
        };
        Reason { code, text: text.to_owned() }
    }
}

/// A channel that has ended and can still be read.
#[derive(Clone, Debug)]
pub(super) struct EndedLine {
    /// Empty when the engine had not named it.
    pub(super) tag: String,
    pub(super) reason: Reason,
}
