//! What applications may command, in which state, and what they are told.

use mesh::caller::Scope;

use super::leg::State;
use super::names::{CallId, Tag};
use super::party::Account;
use super::view::LegView;

/// Whose session commands.
pub type CallerScope = Scope;

/// The command that caused an event, as events tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    /// The caller's own id for the request.
    pub request_id: Option<String>,
    /// Login of the session.
    pub login: String,
    /// API method.
    pub method: String,
}

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Names the command.
    pub id: String,
    /// Whose session it is.
    pub scope: CallerScope,
    /// How events tell of it.
    pub cause: Cause,
    /// What to do.
    pub action: Action,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Starts a call.
    Originate(Box<Originate>),
    /// Reads the legs of a call.
    Get(CallId),
    /// Answers the ringing leg.
    Answer(CallId, Option<Tag>),
    /// Refuses the ringing leg with a SIP code, 603 by default.
    Reject(CallId, Option<Tag>, Option<u16>),
    /// Ends a call or one leg, with a SIP code, 487 by default.
    Terminate(CallId, Option<Tag>, Option<u16>),
    /// Holds the other party.
    Hold(CallId, Option<Tag>),
    /// Takes the other party back.
    Resume(CallId, Option<Tag>),
    /// Sends digits to a leg's party.
    SendDigits(CallId, Option<Tag>, String),
}

/// Starts a call: rings the account's phone, then dials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Originate {
    /// Id that the call gets.
    pub call_id: CallId,
    /// Whose phone rings first.
    pub account: Account,
    /// What is dialled then.
    pub destination: String,
    /// Number shown to the destination.
    pub caller_id: Option<String>,
    /// Name shown to the destination.
    pub caller_name: Option<String>,
    /// How long each leg may ring.
    pub timeout: std::time::Duration,
}

/// What became of a command: the legs that it made or read, or why it was refused.
pub type Outcome = Result<Vec<LegView>, Refusal>;

/// Why a command was refused; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such call or leg in the caller's scope.
    #[error("no call with id {0}")]
    CallNotFound(CallId),
    /// There is no such account in the caller's scope.
    #[error("no account with id {0}")]
    AccountNotFound(String),
    /// The leg is not in a state that allows it.
    #[error(
        "the leg is {}, and has to be {}",
        state.name(),
        expected.iter().map(|state| state.name()).collect::<Vec<_>>().join(" or ")
    )]
    WrongState {
        /// Its state.
        state: State,
        /// The states that allow the command.
        expected: &'static [State],
    },
    /// Several legs ring: the command has to say which one it means.
    #[error("several legs ring; name one of them by `call.tag`")]
    TagRequired,
}

impl Action {
    /// The call that it acts on.
    #[must_use]
    pub fn call_id(&self) -> &CallId {
        match self {
            Self::Originate(originate) => &originate.call_id,
            Self::Get(call_id)
            | Self::Answer(call_id, _)
            | Self::Reject(call_id, ..)
            | Self::Terminate(call_id, ..)
            | Self::Hold(call_id, _)
            | Self::Resume(call_id, _)
            | Self::SendDigits(call_id, ..) => call_id,
        }
    }
}

/// States of the leg acted on that allow a command: the one table of them.
#[must_use]
pub const fn allowed_states(action: &Action) -> &'static [State] {
    use State::{Connected, Early, Held, Holding, Ringing, Trying};
    match action {
        Action::Answer(..) | Action::Reject(..) => &[Ringing],
        Action::Hold(..) | Action::Resume(..) | Action::SendDigits(..) => {
            &[Connected, Held, Holding]
        }
        Action::Originate(_) | Action::Get(_) | Action::Terminate(..) => {
            &[Trying, Ringing, Early, Connected, Held, Holding]
        }
    }
}
