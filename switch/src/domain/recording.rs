//! Recording a call.
//!
//! | the call | what happens | what follows |
//! | --- | --- | --- |
//! | is not recorded | a command starts it | the leg that is meant is recorded, and told of |
//! | is recorded | a command starts it | nothing |
//! | is recorded | the leg that is recorded ends, and a party stays | that recording is over; when a party is through again, the next begins on its leg |
//! | is recorded | a command stops it | the recording is over, and told of |
//! | is recorded | the last leg ends, or the recorded one moves to another call | the recording is over |
//! | is recorded | the switch ends it by itself | the recording is over and kept, and told of |
//! | is recorded | the switch cannot | it is not recorded, which is told of |
//!
//! So a recording is of one leg: what its party says and hears, music and prompts included.

use std::collections::BTreeSet;

use mesh::caller::Owner;
use mesh::clock::Timestamp;

use super::names::{CallId, Tag};
use crate::driver::RecordingId;

/// The newest recording of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Its name.
    pub id: RecordingId,
    /// When it began.
    pub begun: Timestamp,
    /// False when it is over.
    pub is_active: bool,
}

/// A recording that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its name.
    pub id: RecordingId,
    /// The call.
    pub call_id: CallId,
    /// The leg.
    pub tag: Tag,
    /// The conversation.
    pub tracking_id: String,
    /// Whose call it is.
    pub owner: Owner,
    /// Account id of the leg.
    pub account_id: Option<String>,
    /// Accounts that may have it: those that were through while it went on, and who had the two
    /// numbers connected.
    pub i_accounts: BTreeSet<i64>,
    /// When it began.
    pub begun: Timestamp,
    /// When it was over.
    pub ended: Timestamp,
}
