//! What applications may command, in which state, and what they are told.

use mesh::caller::Scope;

use super::conference::{ConferenceView, JoinMode, ParticipantView};
use super::dialogue::{DigitRules, Play};
use super::leg::{Mode, State};
use super::names::{CallId, ConferenceId, Tag};
use super::party::Account;
use super::view::{Callback, LegView};
use crate::driver::Clip;

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
    /// Plays something to a leg's party.
    Play(CallId, Option<Tag>, Play),
    /// Stops what is played.
    StopPlay(CallId, Option<Tag>),
    /// Collects digits from a leg's party.
    Collect(CallId, Option<Tag>, DigitRules),
    /// Stops collecting.
    StopCollect(CallId, Option<Tag>),
    /// Records a call, on this leg unless it is recorded already.
    Record(CallId, Option<Tag>),
    /// Stops recording a call.
    StopRecord(CallId, Option<Tag>),
    /// Connects two numbers for an account that pays.
    ConnectTwo(Box<ConnectTwo>),
    /// Dials somebody for the other party and hands it over when that answers.
    TransferBlind(CallId, Option<Tag>, String),
    /// Hands the other party over to the other party of a second call.
    TransferAttended(CallId, Option<Tag>, CallId),
    /// Sends a ringing call on.
    Redirect(CallId, Option<Tag>, String),
    /// Parks the other party, in this slot or a free one.
    Park(CallId, Option<Tag>, Option<String>),
    /// Takes a parked party with an account's phone.
    Retrieve(Parked, Box<Account>),
    /// Takes a ringing call with an account's phone.
    PickUpCall(CallId, Option<Tag>, Box<Account>),
    /// Listens in on a leg with an account's phone.
    Supervise(CallId, Option<Tag>, Mode, Box<Account>),
    /// Does something to a conference.
    Conference(Box<ConferenceAction>),
}

/// What to do to a conference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConferenceAction {
    /// Turns a call into one.
    Create(CreateConference),
    /// Brings somebody in, who hears these prompts first.
    Add(ConferenceId, Whom, Vec<Clip>),
    /// Mutes or holds a participant, or ends that.
    Update {
        /// The conference.
        id: ConferenceId,
        /// The participant.
        participant: Tag,
        /// Whether the others are not to hear it.
        mute: Option<bool>,
        /// Whether it is to be held.
        hold: Option<bool>,
    },
    /// Takes a participant out.
    Delete(ConferenceId, Tag),
    /// Takes an account out.
    Leave(ConferenceId, Account),
    /// Calls an account's phone in, or changes how it takes part.
    Join(ConferenceId, Account, JoinMode),
    /// Ends it.
    Terminate(ConferenceId),
    /// Gives it another owner or name.
    Change {
        /// The conference.
        id: ConferenceId,
        /// The new owner.
        owner: Option<NewOwner>,
        /// The new name.
        name: Option<String>,
    },
    /// Moves everybody from one into another.
    Merge {
        /// The one that goes on.
        id: ConferenceId,
        /// The one that ends.
        from: ConferenceId,
    },
}

/// Turns a call into a conference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateConference {
    /// The call.
    pub call_id: CallId,
    /// The converting leg.
    pub tag: Option<Tag>,
    /// Its name.
    pub name: String,
    /// Who owns it.
    pub owner: NewOwner,
    /// The invitation.
    pub prompts: Vec<Clip>,
}

/// An account that is to own a conference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOwner {
    /// The account.
    pub account: Account,
    /// True when its service configuration includes conferencing.
    pub may_confer: bool,
    /// True when it has credit left to pay for participants.
    pub has_credit: bool,
}

impl NewOwner {
    /// Whether it may own one, before anything changes.
    pub(super) const fn may_own(&self) -> Result<(), Refusal> {
        match self {
            Self { may_confer: false, .. } => Err(Refusal::ServiceDisabled),
            Self { has_credit: false, .. } => Err(Refusal::NoCredit),
            Self { .. } => Ok(()),
        }
    }
}

/// Who is brought into a conference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Whoever has this number.
    Number(String),
    /// An account of the environment.
    Account(Account),
    /// The parties of a call.
    Call(CallId, Option<Tag>),
}

/// How a parked call is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parked {
    /// By its slot.
    Slot(String),
    /// By its id.
    Call(CallId),
}

/// Connects two numbers: the first is called, then the second, then they are put through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectTwo {
    /// Id that the call gets.
    pub call_id: CallId,
    /// Who pays.
    pub account: Account,
    /// Who is called first.
    pub first: String,
    /// Number shown to the first.
    pub first_caller_id: Option<String>,
    /// Who is called then.
    pub second: String,
    /// Number shown to the second.
    pub second_caller_id: Option<String>,
    /// How long each leg may ring.
    pub timeout: std::time::Duration,
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
    /// Where the call's states are posted.
    pub callback: Option<Callback>,
}

/// What a command came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The legs that it made or read, the caller's first.
    pub legs: Vec<LegView>,
    /// The conversation's id from the transfer on, and before.
    pub tracking: Option<(String, String)>,
    /// Where a call was parked.
    pub slot: Option<String>,
    /// The conference that came to be.
    pub conference: Option<Box<ConferenceView>>,
    /// The participant that was brought in.
    pub participant: Option<Box<ParticipantView>>,
}

/// What became of a command, or why it was refused.
pub type Outcome = Result<Done, Refusal>;

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
    /// The leg's state would allow it, but its party talks with nobody.
    #[error("the call has no second party, which this needs; the leg is {}", .0.name())]
    NoSecondParty(State),
    /// Nothing is parked there.
    #[error("nothing is parked in slot {0}")]
    SlotNotFound(String),
    /// Another call is parked there.
    #[error("another call is parked in slot {0}; leave `slot` out to get a free one")]
    SlotTaken(String),
    /// The two calls of an attended transfer have no account in common.
    #[error("`target_call` has to be another call of the transferor's own account")]
    NotTransferable,
    /// Several legs ring: the command has to say which one it means.
    #[error("several legs ring; name one of them by `call.tag`")]
    TagRequired,
    /// There is no such conference in the caller's scope.
    #[error("no conference with id {0}")]
    ConferenceNotFound(ConferenceId),
    /// There is no such participant, or it has left.
    #[error("no participant with id {0}")]
    ParticipantNotFound(Tag),
    /// Only the owner may do it.
    #[error("only the owner of the conference may do this")]
    NotOwner,
    /// The owner's service configuration does not include conferencing.
    #[error("the owner's service configuration does not include conferencing")]
    ServiceDisabled,
    /// The owner could not pay.
    #[error("the owner has no credit left to pay for participants")]
    NoCredit,
    /// The call is in a conference.
    #[error("the call is in a conference")]
    InConference(State),
    /// The account is in the conference already, or is being called in.
    #[error("the account is in the conference already")]
    AlreadyIn,
    /// Too many have been in the conference.
    #[error("the conference has had as many participants as it may")]
    ConferenceFull,
    /// A conference cannot be merged with itself.
    #[error("`from_i_conference` has to be another conference")]
    SameConference,
    /// The owner is the moderator.
    #[error("the moderator cannot talk privately with itself")]
    TalksWithItself,
}

impl Action {
    /// The call that it acts on.
    #[must_use]
    pub fn call_id(&self) -> Option<&CallId> {
        match self {
            Self::Originate(originate) => Some(&originate.call_id),
            Self::ConnectTwo(connect) => Some(&connect.call_id),
            Self::Retrieve(Parked::Slot(_), _) => None,
            Self::Conference(action) => match action.as_ref() {
                ConferenceAction::Create(create) => Some(&create.call_id),
                ConferenceAction::Add(_, Whom::Call(call_id, _), _) => Some(call_id),
                _ => None,
            },
            Self::Retrieve(Parked::Call(call_id), _)
            | Self::Get(call_id)
            | Self::Answer(call_id, _)
            | Self::Reject(call_id, ..)
            | Self::Terminate(call_id, ..)
            | Self::Hold(call_id, _)
            | Self::Resume(call_id, _)
            | Self::SendDigits(call_id, ..)
            | Self::Play(call_id, ..)
            | Self::StopPlay(call_id, _)
            | Self::Collect(call_id, ..)
            | Self::StopCollect(call_id, _)
            | Self::Record(call_id, _)
            | Self::StopRecord(call_id, _)
            | Self::TransferBlind(call_id, ..)
            | Self::TransferAttended(call_id, ..)
            | Self::Redirect(call_id, ..)
            | Self::Park(call_id, ..)
            | Self::PickUpCall(call_id, ..)
            | Self::Supervise(call_id, ..) => Some(call_id),
        }
    }

    /// The conference that it acts on.
    #[must_use]
    pub fn conference_id(&self) -> Option<&ConferenceId> {
        let Self::Conference(action) = self else { return None };
        match action.as_ref() {
            ConferenceAction::Create(_) => None,
            ConferenceAction::Add(id, ..)
            | ConferenceAction::Update { id, .. }
            | ConferenceAction::Delete(id, _)
            | ConferenceAction::Leave(id, _)
            | ConferenceAction::Join(id, ..)
            | ConferenceAction::Terminate(id)
            | ConferenceAction::Change { id, .. }
            | ConferenceAction::Merge { id, .. } => Some(id),
        }
    }

    /// The leg that it names.
    pub(super) fn tag(&self) -> Option<&Tag> {
        match self {
            Self::Originate(_)
            | Self::ConnectTwo(_)
            | Self::Retrieve(..)
            | Self::Get(_)
            | Self::Conference(_) => None,
            Self::Answer(_, tag)
            | Self::Reject(_, tag, _)
            | Self::Terminate(_, tag, _)
            | Self::Hold(_, tag)
            | Self::Resume(_, tag)
            | Self::SendDigits(_, tag, _)
            | Self::Play(_, tag, _)
            | Self::StopPlay(_, tag)
            | Self::Collect(_, tag, _)
            | Self::StopCollect(_, tag)
            | Self::Record(_, tag)
            | Self::StopRecord(_, tag)
            | Self::TransferBlind(_, tag, _)
            | Self::TransferAttended(_, tag, _)
            | Self::Redirect(_, tag, _)
            | Self::Park(_, tag, _)
            | Self::PickUpCall(_, tag, _)
            | Self::Supervise(_, tag, ..) => tag.as_ref(),
        }
    }

    /// True for the commands that mean the leg that rings.
    pub(super) const fn means_ringing_leg(&self) -> bool {
        matches!(
            self,
            Self::Answer(..) | Self::Reject(..) | Self::Redirect(..) | Self::PickUpCall(..)
        )
    }
}

/// States of the leg acted on that allow a command: the one table of them.
#[must_use]
pub const fn allowed_states(action: &Action) -> &'static [State] {
    use State::{Connected, Early, Held, Holding, Parked, Queued, Ringing, Trying};
    match action {
        Action::Answer(..) | Action::Reject(..) | Action::Redirect(..) | Action::PickUpCall(..) => {
            &[Ringing]
        }
        Action::Hold(..)
        | Action::Resume(..)
        | Action::SendDigits(..)
        | Action::TransferBlind(..)
        | Action::TransferAttended(..)
        | Action::Park(..)
        | Action::Conference(_)
        | Action::Record(..)
        | Action::Supervise(..) => &[Connected, Held, Holding],
        // The party is on the line, whoever else is.
        Action::Play(..)
        | Action::StopPlay(..)
        | Action::Collect(..)
        | Action::StopCollect(..)
        | Action::StopRecord(..) => &[Early, Connected, Held, Holding, Parked, Queued],
        Action::Retrieve(..) => &[Parked],
        Action::Originate(_) | Action::ConnectTwo(_) | Action::Get(_) | Action::Terminate(..) => {
            &[Trying, Ringing, Early, Connected, Held, Holding, Parked, Queued]
        }
    }
}
