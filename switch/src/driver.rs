//! The port between the engine and whatever carries the voice.
//!
//! A driver knows channels (one party's connection each) and nothing of calls,
//! accounts' rights or the API. The engine names a channel before it exists and
//! tells the driver, per channel, what to do ([`Op`]); the driver tells the engine
//! what happened ([`Event`]). Two rules keep both sides simple:
//!
//! - **The engine's model is the truth.** A channel that the engine has hung up is
//!   gone for it at once; a late event about it is ignored. So an operation on a
//!   channel that no longer exists is no error.
//! - **Media is declared, not scripted.** [`Op::Hear`] says what a channel hears from
//!   now on, derived from the call's state; how to get there (bridges, music on hold,
//!   snooping) is the driver's matter.
//!
//! Events may be lost on a real switch. [`Driver::channels`] lists what is there, so
//! that the engine can compare and correct.

pub mod asterisk;
mod event;
mod media;
pub mod sim;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use async_trait::async_trait;

pub use event::{Cause, Event, Handled, Origin, Signal};
pub use media::{Clip, Content, MixId, PlaybackEnd, PlaybackId, RecordingId};

/// Names a channel: one party's connection to the switch. Made by the engine for channels that
/// it dials, by the driver for those that come in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(pub String);

impl fmt::Display for ChannelId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why a channel ended: the SIP code and the text that goes with it in the public API
/// (`../docs`: "Reasons"), e.g. 486 "Busy Here".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// SIP response code, or 487 for a party that hung up.
    pub code: u16,
    /// Public text.
    pub text: String,
}

/// Number and name that are shown to a party.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Number.
    pub number: String,
    /// Name; may be empty.
    pub name: String,
}

/// Whom to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// An account's phone.
    Phone {
        /// The account's id.
        account_id: String,
    },
    /// A number of the public network, through a trunk.
    Trunk {
        /// The number.
        number: String,
    },
    /// Another customer's environment on this switch, as over a trunk: the driver makes a pair
    /// of channels, dials with one and offers the other as [`Origin::Join`].
    Join {
        /// The number dialled there.
        number: String,
    },
}

/// What the engine calls a channel; a driver keeps it for people who look at the switch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// The call.
    pub call_id: String,
    /// The leg.
    pub tag: String,
    /// The leg's state as the API names it, e.g. `connected`.
    pub state: String,
}

/// What a channel hears.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Source {
    /// Nothing.
    #[default]
    Silence,
    /// The tone of a phone that rings at the other end.
    Ringback,
    /// Music on hold.
    Music,
    /// These channels, mixed; empty when there is nobody to hear.
    Parties(BTreeSet<ChannelId>),
    /// Everybody who speaks into a room, but itself; so whoever comes or goes there changes
    /// nothing here.
    Mix {
        /// The room.
        mix: MixId,
        /// Heard besides.
        beside: BTreeSet<ChannelId>,
        /// Not heard, although they speak into the room.
        except: BTreeSet<ChannelId>,
    },
}

/// Something that the engine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Makes a channel and alerts its party. Its end comes as [`Event::Ended`], at once when the
    /// party cannot be reached at all.
    Dial {
        /// Name for the new channel.
        channel: ChannelId,
        /// Whom.
        endpoint: Endpoint,
        /// What the party is shown.
        shown: Shown,
        /// What the engine calls it.
        label: Label,
    },
    /// Tells an incoming channel that the other end is being alerted.
    Ring {
        /// The channel.
        channel: ChannelId,
    },
    /// Answers an incoming channel; no [`Event::Answered`] follows.
    Answer {
        /// The channel.
        channel: ChannelId,
    },
    /// Makes the ringing phone of a dialled channel answer, as its user would;
    /// [`Event::Answered`] follows.
    PickUp {
        /// The channel.
        channel: ChannelId,
    },
    /// Ends a channel; no [`Event::Ended`] follows. An unanswered incoming channel is refused
    /// with the reason's code.
    Hangup {
        /// The channel.
        channel: ChannelId,
        /// Why.
        reason: Reason,
    },
    /// Sets what the channel's party hears from now on.
    Hear {
        /// The channel.
        channel: ChannelId,
        /// What.
        source: Source,
    },
    /// Sets into which room the channel's party speaks from now on.
    Speak {
        /// The channel.
        channel: ChannelId,
        /// The room; none when it speaks into none.
        mix: Option<MixId>,
    },
    /// Plays digits to the channel's party.
    SendDigits {
        /// The channel.
        channel: ChannelId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digits: String,
    },
    /// Plays clips to the channel's party, in place of what it hears by [`Op::Hear`];
    /// [`Event::PlaybackEnded`] follows unless it is stopped before.
    Play {
        /// The channel.
        channel: ChannelId,
        /// Name for the playback.
        playback: PlaybackId,
        /// What, one after the other; at least one.
        clips: Vec<Clip>,
        /// How often the whole; 0 until stopped.
        repeat: u32,
    },
    /// Ends a playback; no [`Event::PlaybackEnded`] follows. One that is over needs no end.
    StopPlay {
        /// The channel.
        channel: ChannelId,
        /// The playback.
        playback: PlaybackId,
    },
    /// Records what the channel's party says and hears, until [`Op::StopRecord`] or the channel's
    /// end; then [`Driver::collect`] has it.
    Record {
        /// The channel.
        channel: ChannelId,
        /// Name for the recording.
        recording: RecordingId,
    },
    /// Ends a recording.
    StopRecord {
        /// The channel.
        channel: ChannelId,
        /// The recording.
        recording: RecordingId,
    },
    /// Renames a channel.
    Label {
        /// The channel.
        channel: ChannelId,
        /// What the engine calls it from now on.
        label: Label,
    },
}

/// The names of all operations.
pub(crate) const OPERATIONS: [&str; 13] = [
    "dial",
    "ring",
    "answer",
    "pick_up",
    "hangup",
    "hear",
    "speak",
    "send_digits",
    "play",
    "stop_play",
    "record",
    "stop_record",
    "label",
];

impl Op {
    /// Its name in metrics and traces, one of [`OPERATIONS`].
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Dial { .. } => "dial",
            Self::Ring { .. } => "ring",
            Self::Answer { .. } => "answer",
            Self::PickUp { .. } => "pick_up",
            Self::Hangup { .. } => "hangup",
            Self::Hear { .. } => "hear",
            Self::Speak { .. } => "speak",
            Self::SendDigits { .. } => "send_digits",
            Self::Play { .. } => "play",
            Self::StopPlay { .. } => "stop_play",
            Self::Record { .. } => "record",
            Self::StopRecord { .. } => "stop_record",
            Self::Label { .. } => "label",
        }
    }

    /// The channel that it acts on.
    #[must_use]
    pub fn channel(&self) -> &ChannelId {
        match self {
            Self::Dial { channel, .. }
            | Self::Ring { channel }
            | Self::Answer { channel }
            | Self::PickUp { channel }
            | Self::Hangup { channel, .. }
            | Self::Hear { channel, .. }
            | Self::Speak { channel, .. }
            | Self::SendDigits { channel, .. }
            | Self::Play { channel, .. }
            | Self::StopPlay { channel, .. }
            | Self::Record { channel, .. }
            | Self::StopRecord { channel, .. }
            | Self::Label { channel, .. } => channel,
        }
    }
}

/// A channel as the switch sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its name.
    pub id: ChannelId,
    /// True when it has been answered.
    pub is_answered: bool,
    /// What the engine called it.
    pub label: Label,
}

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The switch does not answer.
    #[error("switch is not reachable")]
    Unreachable,
    /// The switch refused; the text is the switch's own.
    #[error("switch refused: {0}")]
    Refused(String),
}

/// A switch.
#[async_trait]
pub trait Driver: Send + Sync + fmt::Debug + 'static {
    /// Carries out one operation; when it returns, the effect is there. Operations on one channel
    /// are sent one after another; on different channels at the same time.
    ///
    /// # Errors
    /// When the switch did not do it. An operation on a channel that is gone succeeds.
    async fn run(&self, op: Op) -> Result<(), DriverError>;

    /// Lists the living channels that are this engine's own: those of them that belong to none of
    /// its calls, it hangs up.
    ///
    /// # Errors
    /// When the switch does not answer.
    async fn channels(&self) -> Result<Vec<Channel>, DriverError>;

    /// Hands a channel that was offered and not answered over to another node's switch, as it came.
    /// From then on it is no channel of this switch any more, and no event tells of it.
    ///
    /// # Errors
    /// When there is no way there; the channel is then still here.
    async fn hand_over(
        &self,
        channel: &ChannelId,
        node: &str,
        origin: &Origin,
        dialled: &str,
    ) -> Result<(), DriverError> {
        let _ = (channel, origin, dialled);
        Err(DriverError::Refused(format!("there is no way to node {node}")))
    }

    /// True when channels go on while no engine is there: they can be taken up after a restart of
    /// the process.
    fn keeps_channels(&self) -> bool {
        false
    }

    /// Waits until the switch is heard, so that nothing that happens after this is missed.
    async fn heard(&self) {}

    /// Lists the accounts whose phones cannot be reached, by their ids; none from a switch that
    /// does not know. Changes come as [`Event::Registered`].
    ///
    /// # Errors
    /// When the switch does not answer.
    async fn unregistered(&self) -> Result<Vec<String>, DriverError> {
        Ok(Vec::new())
    }

    /// Writes a recording that is over to a file, as WAV, and forgets it.
    ///
    /// # Errors
    /// When there is no such recording, or it cannot be had or written.
    /// [`DriverError::Unreachable`] says that it may be had later, and is not forgotten.
    async fn collect(&self, recording: &RecordingId, file: &Path) -> Result<(), DriverError>;

    /// Lists recordings that an earlier process has left with the switch; they may go on until they are
    /// collected or discarded.
    ///
    /// # Errors
    /// When the switch does not answer.
    async fn left_recordings(&self) -> Result<Vec<RecordingId>, DriverError> {
        Ok(Vec::new())
    }

    /// Has the switch forget a recording that is over and that nobody will collect.
    ///
    /// # Errors
    /// When the switch did not do it; one that it does not have is forgotten.
    async fn discard(&self, recording: &RecordingId) -> Result<(), DriverError> {
        let _ = recording;
        Ok(())
    }
}
