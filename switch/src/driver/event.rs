//! What a switch tells the engine.

use tokio::sync::oneshot;

use super::{ChannelId, Label, PlaybackEnd, PlaybackId, RecordingId, Shown};

/// Where an incoming channel comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An account's phone dials.
    Phone {
        /// The account's id.
        account_id: String,
    },
    /// A call from the public network.
    Trunk {
        /// Who calls.
        from: Shown,
    },
    /// A call from another customer's environment on this switch.
    Join {
        /// Who calls.
        from: Shown,
    },
}

/// Something that happened on the switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A new channel comes in and waits.
    Offered {
        /// The channel.
        channel: ChannelId,
        /// From where.
        origin: Origin,
        /// What it dialled.
        dialled: String,
    },
    /// The dialled party's phone rings.
    Ringing {
        /// The channel.
        channel: ChannelId,
    },
    /// The dialled party answered.
    Answered {
        /// The channel.
        channel: ChannelId,
    },
    /// The channel is gone: refused, not reached, or hung up by its party.
    Ended {
        /// The channel.
        channel: ChannelId,
        /// How.
        cause: Cause,
    },
    /// The party pressed hold on its phone.
    Held {
        /// The channel.
        channel: ChannelId,
    },
    /// The party took the call back on its phone.
    Resumed {
        /// The channel.
        channel: ChannelId,
    },
    /// The party pressed a key.
    Digit {
        /// The channel.
        channel: ChannelId,
        /// The key.
        digit: char,
    },
    /// A playback is over by itself.
    PlaybackEnded {
        /// The channel.
        channel: ChannelId,
        /// The playback.
        playback: PlaybackId,
        /// How.
        end: PlaybackEnd,
    },
    /// An account's phone can be reached from now on, or cannot.
    Registered {
        /// The account's id.
        account_id: String,
        /// Whether it can.
        is_registered: bool,
    },
    /// A recording is over by itself; what it has can be collected.
    RecordingEnded {
        /// The channel.
        channel: ChannelId,
        /// The recording.
        recording: RecordingId,
    },
    /// Nothing is recorded, or nothing more.
    RecordingFailed {
        /// The channel.
        channel: ChannelId,
        /// The recording.
        recording: RecordingId,
    },
}

impl Event {
    /// The channel that it is about; `None` for what is about a phone.
    #[must_use]
    pub fn channel(&self) -> Option<&ChannelId> {
        match self {
            Self::Registered { .. } => None,
            Self::Offered { channel, .. }
            | Self::Ringing { channel }
            | Self::Answered { channel }
            | Self::Ended { channel, .. }
            | Self::Held { channel }
            | Self::Resumed { channel }
            | Self::Digit { channel, .. }
            | Self::PlaybackEnded { channel, .. }
            | Self::RecordingEnded { channel, .. }
            | Self::RecordingFailed { channel, .. } => Some(channel),
        }
    }
}

/// How a channel ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its party hung up an answered call, or gave up an unanswered one.
    HungUp,
    /// The far end refused or could not be reached, with this SIP code: 486, 603, 480, 404, …
    Refused(u16),
    /// The switch itself lost it.
    Lost,
}

/// What the engine made of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handled {
    /// Name of the channel's call and leg; `None` when there is no such channel any more, or
    /// when an offer was refused.
    pub label: Option<Label>,
}

/// An event on its way to the engine.
#[derive(Debug)]
pub struct Signal {
    /// What happened.
    pub event: Event,
    /// Told when the engine has taken it in and its answer has been carried out.
    pub handled: Option<oneshot::Sender<Handled>>,
    /// True when it was missed when it happened, and found by a comparison.
    pub is_corrective: bool,
}

impl From<Event> for Signal {
    /// An event as it happens, for which nobody waits.
    fn from(event: Event) -> Self {
        Self { event, handled: None, is_corrective: false }
    }
}
