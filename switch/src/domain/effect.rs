//! What goes into the customer's state machine and what comes out of it.

use super::adoption::Legacy;
use super::application::{Application, Listeners};
use super::charge::{Charged, Service};
use super::command::{Command, Outcome};
use super::conference::{ConferenceNews, ConferenceView};
use super::credit::CreditAnswer;
use super::names::{CallId, Tag};
use super::party::Account;
use super::phone::PhoneNews;
use super::queue::{Figures, Group};
use super::recording::Recorded;
use super::view::{IvrInfo, LegView, Seen};
use crate::driver::{self, ChannelId, Clip, Op, PlaybackId, Shown};

/// Something that the customer's calls react to.
#[derive(Clone, Debug)]
pub enum Input {
    /// An application commands.
    Command(Command),
    /// An account's phone dials.
    PhoneDials {
        /// The waiting channel.
        channel: ChannelId,
        /// Whose phone.
        account: Account,
        /// What it dialled.
        dialled: String,
    },
    /// A call comes in from outside the environment; its number has been resolved.
    TrunkCall {
        /// The waiting channel.
        channel: ChannelId,
        /// Who calls.
        from: Shown,
        /// What was dialled.
        dialled: String,
        /// What that is.
        route: Route,
    },
    /// Something happened on a channel.
    Channel(driver::Event),
    /// The same, missed when it happened and found by a comparison: what is told of it says so.
    Corrected(driver::Event),
    /// An account's phone can be reached from now on, or cannot.
    Registered {
        /// Whose phone.
        account: Account,
        /// Whether it can.
        is_registered: bool,
    },
    /// The directory's answer to [`Effect::Resolve`].
    Resolved {
        /// The call that waits for it.
        call_id: CallId,
        /// What the number is.
        answer: Result<Route, ResolveFailure>,
    },
    /// The directory's answer to [`Effect::Look`].
    Looked {
        /// The queue.
        i_c_queue: i64,
        /// What its number is now.
        answer: Result<Route, ResolveFailure>,
    },
    /// The outcome of [`Effect::Fetch`]: the audio, when there is any.
    Fetched {
        /// The call.
        call_id: CallId,
        /// The leg.
        tag: Tag,
        /// The playback.
        playback: PlaybackId,
        /// What was fetched.
        clip: Option<Clip>,
    },
    /// The store's answer to [`Effect::AskListeners`].
    Listeners {
        /// The access number.
        number: String,
        /// The call for which it was asked.
        call_id: Option<CallId>,
        /// Who listens there.
        answer: Listeners,
    },
    /// Auth's answer to [`Effect::Reserve`].
    Reserved {
        /// The call in which the leg was.
        call_id: CallId,
        /// The leg.
        tag: Tag,
        /// Who pays.
        payer: i64,
        /// What for.
        service: Service,
        /// For how long there is credit.
        answer: CreditAnswer,
    },
    /// Calls of an earlier process go on; the first that a customer takes in.
    Adopt(Box<Legacy>),
    /// Time has passed [`super::Customer::next_deadline`].
    Tick,
    /// The node stops: every call ends with "Switch Lost".
    Stop,
}

impl Input {
    /// What happened on a channel, when it is that.
    #[must_use]
    pub fn event(&self) -> Option<&driver::Event> {
        match self {
            Self::Channel(event) | Self::Corrected(event) => Some(event),
            _ => None,
        }
    }
}

/// What a number is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// An account of this environment.
    Account(Account),
    /// A number of another environment on this switch.
    Foreign {
        /// The number.
        number: String,
        /// Whose it is, to be shown.
        name: String,
    },
    /// A number of the public network.
    Pstn {
        /// The number as a trunk takes it.
        number: String,
    },
    /// A hunt group of this environment.
    HuntGroup(Box<Group>),
    /// An access number of this environment.
    Application(Box<Application>),
    /// Nothing.
    Nowhere,
}

impl Route {
    /// The account that pays for a call from outside.
    #[must_use]
    pub fn payer(&self) -> Option<i64> {
        match self {
            Self::Application(application) => Some(application.owner.i_account),
            route => route.i_account(),
        }
    }

    /// The account whose phone it is.
    #[must_use]
    pub fn i_account(&self) -> Option<i64> {
        match self {
            Self::Account(account) => Some(account.i_account),
            Self::Foreign { .. }
            | Self::HuntGroup(_)
            | Self::Pstn { .. }
            | Self::Application(_)
            | Self::Nowhere => None,
        }
    }
}

/// Why a number was not resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolveFailure {
    /// The caller may not call: no credit, or blocked.
    NotAllowed,
    /// The directory does not answer.
    Unavailable,
}

/// Audio that is to be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// What is at this address.
    Url(String),
    /// The prompt with this path.
    Prompt(String),
}

/// What the customer's state machine wants done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Has the driver do it; in this order.
    Drive(Op),
    /// Tells of a leg's new state; the newest is also what lists show.
    Tell(Box<LegView>),
    /// Brings what lists show of a leg up to date; nothing is told.
    Refresh {
        /// The leg as it was told last, with what has changed without an event.
        view: Box<LegView>,
        /// Number of the call's newest event.
        call_sequence: u64,
    },
    /// Tells of a digit or a prompt.
    TellIvr {
        /// The call.
        call_id: CallId,
        /// The leg.
        tag: Tag,
        /// The conversation.
        tracking_id: String,
        /// What happened.
        info: IvrInfo,
        /// Who may see it.
        seen_by: Seen,
    },
    /// Accounts for what somebody paid for a leg that has ended.
    Account(Box<Charged>),
    /// Tells of a conference or a participant.
    TellConference(Box<ConferenceNews>),
    /// Has what the store has of a conference be this; one that has ended is over.
    KeepConference(Box<ConferenceView>),
    /// Asks auth to hold credit for a charge that runs; the answer comes as [`Input::Reserved`].
    Reserve {
        /// The charge.
        charge: Box<Charged>,
        /// Seconds in all, from its beginning.
        seconds: u64,
    },
    /// Asks the directory what a number is; the answer comes as [`Input::Resolved`].
    Resolve {
        /// The call that waits.
        call_id: CallId,
        /// Who dials and pays.
        i_account: i64,
        /// What is dialled.
        number: String,
    },
    /// Tells a queue's figures.
    TellQueue {
        /// The figures.
        figures: Figures,
        /// Who may see them.
        seen_by: Seen,
    },
    /// Tells whether a phone is free; the newest is also what lists show.
    TellPhone(PhoneNews),
    /// Asks the directory who takes part in a queue; the answer comes as [`Input::Looked`].
    Look {
        /// The queue.
        i_c_queue: i64,
        /// Number of its hunt group.
        number: String,
    },
    /// Looks for audio; the outcome comes as [`Input::Fetched`].
    Fetch {
        /// The call.
        call_id: CallId,
        /// The leg.
        tag: Tag,
        /// The playback that waits.
        playback: PlaybackId,
        /// Which.
        wanted: Wanted,
    },
    /// Asks the store who listens to an access number; the answer comes as [`Input::Listeners`].
    AskListeners {
        /// The number.
        number: String,
        /// The call that waits for the answer; none when it is about all that the number has.
        call_id: Option<CallId>,
    },
    /// A recording is over: it is to be taken from the switch when the operations before are done.
    Recorded(Box<Recorded>),
    /// Answers a command, when all effects before it are done.
    Reply {
        /// The command.
        command_id: String,
        /// Its outcome.
        outcome: Outcome,
    },
    /// Answers the driver's offer of a channel.
    Accepted {
        /// The channel.
        channel: ChannelId,
        /// The call that it became.
        call_id: CallId,
        /// Its leg.
        tag: Tag,
    },
    /// A call is over; nothing more will be told of it.
    Over(CallId),
}
