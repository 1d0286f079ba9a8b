//! A leg: one party's connection.
//!
//! # State table
//!
//! | phase | event or command | next phase |
//! | --- | --- | --- |
//! | `Trying` | its phone or far end is alerted | `Ringing` |
//! | `Trying` | (incoming caller) the called leg is dialled | `Early` |
//! | `Trying` | (caller) an application is asked to take it | `Ringing` |
//! | `Ringing` | (caller) no application takes it, or one sends it on | `Early` |
//! | `Trying`, `Ringing` | answers, and another end is there already | `Connected` |
//! | `Trying`, `Ringing` | answers first | `Early` |
//! | `Early` | the other end answers | `Connected` |
//! | `Trying`, `Early`, `Connected` | is put into a queue | `Queued` |
//! | `Queued` | an agent answers, or it goes elsewhere | `Dequeued` |
//! | `Dequeued` | an agent has answered (in the same step) | `Connected` |
//! | `Dequeued` | its way on is known | `Early`, `Queued` |
//! | `Connected` | is parked | `Parked` |
//! | `Parked` | is retrieved, or called back | `Connected` |
//! | `Connected` | hands its call over | `Transferred` |
//! | any but `Ended` | hang-up, refusal, time-out, command | `Ended` |
//!
//! Within `Connected` the shown state follows from who holds whom:
//! own hold `holding`, else the other's hold `held`, else `connected`. The party that
//! stays while its call is being transferred shows `early`.

use mesh::clock::Timestamp;

use super::charge::Charge;
use super::command::Cause;
use super::conference::ConferenceRef;
use super::dialogue::Dialogue;
use super::names::Tag;
use super::party::Party;
use super::phone::Use;
use super::recording::Recording;
use super::view::LegView;
use crate::driver::{ChannelId, MixId, Reason, Source};

/// State of a leg as the public API names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Being set up.
    Trying,
    /// Its own phone or far end is alerted.
    Ringing,
    /// On the line, waiting for the other end.
    Early,
    /// Through.
    Connected,
    /// Held by the other party.
    Held,
    /// Holds the other party.
    Holding,
    /// Waits in a parking slot.
    Parked,
    /// Waits in a call queue.
    Queued,
    /// Has left a call queue.
    Dequeued,
    /// Gone on under another call or party.
    Transferred,
    /// Over.
    Terminated,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 11] = [
        Self::Trying,
        Self::Ringing,
        Self::Early,
        Self::Connected,
        Self::Held,
        Self::Holding,
        Self::Parked,
        Self::Queued,
        Self::Dequeued,
        Self::Transferred,
        Self::Terminated,
    ];

    /// The public name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trying => "trying",
            Self::Ringing => "ringing",
            Self::Early => "early",
            Self::Connected => "connected",
            Self::Held => "held",
            Self::Holding => "holding",
            Self::Parked => "parked",
            Self::Queued => "queued",
            Self::Dequeued => "dequeued",
            Self::Transferred => "transferred",
            Self::Terminated => "terminated",
        }
    }
}

/// How far a leg is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Being set up.
    Trying,
    /// Alerted.
    Ringing,
    /// On the line, alone.
    Early,
    /// Through.
    Connected,
    /// In a parking slot.
    Parked,
    /// In a call queue.
    Queued,
    /// Has left a call queue, and goes on.
    Dequeued,
    /// Has handed its call over.
    Transferred,
    /// Over.
    Ended(Reason),
}

/// Which end of the call the leg is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The one who calls, or for whom the call was placed.
    Caller,
    /// The one who is called.
    Callee,
    /// One who listens in.
    Supervisor(Supervision),
}

/// What a supervisor hears and who hears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supervision {
    /// How.
    pub mode: Mode,
    /// The leg that is supervised.
    pub of: Tag,
}

/// How a supervisor takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Hears both parties, is heard by none.
    Spy,
    /// Hears both parties, is heard by the supervised one.
    Whisper,
    /// Hears both parties, is heard by both.
    Barge,
}

/// Why a leg's state is told although it is what it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Retold {
    /// Why it came back to this state.
    pub(super) reason: Option<Reason>,
}

/// What a leg's conference makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) conference: ConferenceRef,
    /// A command holds it.
    pub(super) is_held: bool,
    /// What it hears once it is through.
    pub(super) hears: Source,
    /// The room into which it speaks.
    pub(super) speaks_in: Option<MixId>,
}

/// Direction as the public API tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Was called, or came in over a trunk.
    Incoming,
    /// Placed the call, or goes out over a trunk.
    Outgoing,
}

/// One party's connection.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact that changes by itself")]
pub struct Leg {
    pub(super) tag: Tag,
    pub(super) channel: ChannelId,
    /// True for a channel that came in and has not been answered by the engine.
    pub(super) awaits_answer: bool,
    pub(super) end: End,
    pub(super) direction: Direction,
    pub(super) is_external: bool,
    pub(super) caller: Party,
    pub(super) callee: Party,
    /// Who is on it.
    pub(super) party: Party,
    /// The leg's own account.
    pub(super) i_account: Option<i64>,
    pub(super) phase: Phase,
    /// Holds the other party.
    pub(super) holds: bool,
    /// True while it counts as a leg of its account.
    pub(super) is_counted: bool,
    /// What it means for its account's phone, as noted last.
    pub(super) use_of_phone: Use,
    pub(super) start_time: Timestamp,
    pub(super) connect_time: Option<Timestamp>,
    pub(super) update_time: Timestamp,
    /// What is paid for it.
    pub(super) charges: Vec<Charge>,
    /// What the driver was last told that the leg hears.
    pub(super) hears: Source,
    /// Its newest recording.
    pub(super) recording: Option<Recording>,
    /// What an application plays to its party and collects from it.
    pub(super) dialogue: Dialogue,
    /// The room into which the driver was last told that it speaks.
    pub(super) speaks_in: Option<MixId>,
    /// Its place in a conference.
    pub(super) seat: Option<Seat>,
    /// The command that made this leg answer, until it does.
    pub(super) picked_up_by: Option<Cause>,
    /// Commands that wait for the answer.
    pub(super) waiting: Vec<String>,
    /// Is to be told at the next occasion, whatever its state.
    pub(super) retold: Option<Retold>,
    /// What was told of it last.
    pub(super) told: Option<Box<LegView>>,
}

impl Leg {
    /// Tag.
    #[must_use]
    pub fn tag(&self) -> &Tag {
        &self.tag
    }

    /// True until it has ended.
    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.phase, Phase::Ended(_))
    }

    /// True for the two ends of the conversation, false for those who listen in.
    pub(super) fn is_party(&self) -> bool {
        !matches!(self.end, End::Supervisor(_))
    }

    /// True when it has been connected and not ended.
    pub(super) fn is_connected(&self) -> bool {
        self.phase == Phase::Connected
    }

    /// The state that it shows by itself, given whether the other party holds it.
    pub(super) fn state(&self, is_held: bool) -> State {
        match self.phase {
            Phase::Parked => State::Parked,
            Phase::Queued => State::Queued,
            Phase::Dequeued => State::Dequeued,
            Phase::Transferred => State::Transferred,
            Phase::Trying => State::Trying,
            Phase::Ringing => State::Ringing,
            Phase::Early => State::Early,
            Phase::Connected if self.holds => State::Holding,
            Phase::Connected if is_held => State::Held,
            Phase::Connected => State::Connected,
            Phase::Ended(_) => State::Terminated,
        }
    }
}
