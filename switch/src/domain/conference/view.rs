//! Conferences as they are kept, shown and told.

use std::collections::BTreeSet;

use mesh::caller::Owner;
use mesh::clock::Timestamp;

use super::matrix::Row;
use super::participant::{Interval, ParticipantState, Role};
use crate::domain::command::Cause;
use crate::domain::names::{CallId, ConferenceId, Tag};
use crate::domain::party::Party;
use crate::domain::view::Seen;

/// A conference as it is kept and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceView {
    /// Where it lies.
    pub environment: Owner,
    /// The conference.
    pub id: ConferenceId,
    /// Its name.
    pub name: String,
    /// Who owns it.
    pub owner_account_id: String,
    /// When it was created.
    pub create_time: Timestamp,
    /// When the last participant left; `None` while it goes on.
    pub end_time: Option<Timestamp>,
    /// Everybody who is or was in it, in the order in which they came.
    pub participants: Vec<ParticipantView>,
    /// Accounts that may see it: those that owned it or were in it.
    pub seen_by: BTreeSet<i64>,
}

/// A participant as it is kept and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantView {
    /// Its leg, which is its id.
    pub tag: Tag,
    /// Its call.
    pub call_id: CallId,
    /// Who it is.
    pub party: Party,
    /// What it is.
    pub role: Role,
    /// Whether it is in.
    pub state: ParticipantState,
    /// True when the others do not hear it.
    pub is_muted: bool,
    /// When it joined.
    pub join_time: Option<Timestamp>,
    /// When it left, or failed to come.
    pub leave_time: Option<Timestamp>,
    /// What it was when.
    pub intervals: Vec<Interval>,
    /// Whom it hears and who hears it.
    pub row: Row<Tag>,
}

/// Something that happened to a conference or to one of its participants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceNews {
    /// The conference.
    pub id: ConferenceId,
    /// Its name.
    pub name: String,
    /// The participant, when it is about one.
    pub participant: Option<Tag>,
    /// Public name of what happened.
    pub event: &'static str,
    /// The command that caused it.
    pub cause: Option<Cause>,
    /// Who may see it.
    pub seen_by: Seen,
}

/// The conference that a leg is in, as call objects show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceRef {
    /// The conference.
    pub id: ConferenceId,
    /// Its name.
    pub name: String,
}
