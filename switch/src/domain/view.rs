//! What a leg shows to applications: the domain's form of the public call object.

use std::collections::BTreeSet;

use mesh::caller::Owner;
use mesh::clock::Timestamp;

use super::adoption::Memo;
use super::charge::Charged;
use super::command::Cause;
use super::conference::ConferenceRef;
use super::leg::{Direction, State};
use super::names::{CallId, Tag};
use super::party::Party;
use super::queue::QueueInfo;
use super::recording::Recording;
use crate::driver::Reason;

/// One leg of a call as applications see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegView {
    /// Whose call it is.
    pub owner: Owner,
    /// The call.
    pub call_id: CallId,
    /// The leg.
    pub tag: Tag,
    /// The conversation.
    pub tracking_id: String,
    /// The conversation before a transfer.
    pub previous_tracking_id: Option<String>,
    /// State.
    pub state: State,
    /// Direction.
    pub direction: Direction,
    /// True on trunk legs.
    pub is_external: bool,
    /// Who called.
    pub caller: Party,
    /// Who was called.
    pub callee: Party,
    /// The leg's own account.
    pub i_account: Option<i64>,
    /// The access number through which the call came last.
    pub access_number: Option<String>,
    /// When the leg came to be.
    pub start_time: Timestamp,
    /// When it was connected first.
    pub connect_time: Option<Timestamp>,
    /// When this state began.
    pub update_time: Timestamp,
    /// Seconds since `connect_time`, 0 before.
    pub duration_seconds: u64,
    /// Why it ended.
    pub reason: Option<Reason>,
    /// The call under which the leg goes on.
    pub moved_to: Option<CallId>,
    /// The stay in a queue.
    pub queue_info: Option<QueueInfo>,
    /// The conference that the leg is in.
    pub conference: Option<ConferenceRef>,
    /// What is paid for it, for whoever has to end it for a lost node.
    pub charges: Vec<Charged>,
    /// Its newest recording.
    pub recording: Option<Recording>,
    /// The command that caused this state.
    pub caused_by: Option<Cause>,
    /// True when it was missed when it happened, and found by a comparison.
    pub is_corrective: bool,
    /// Number of the event among those of its call.
    pub sequence: u64,
    /// Who may see it.
    pub seen_by: Seen,
    /// Where it is posted.
    pub callback: Option<Callback>,
    /// What its node has to know to go on with it after a restart; absent while it could not.
    pub memo: Option<Box<Memo>>,
}

/// Where the states of a call are posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// The address.
    pub url: String,
    /// Which states; none means all.
    pub states: BTreeSet<State>,
}

/// Who may see a call, besides its customer and those above: everybody who ever was a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Accounts that are or were a party.
    pub i_accounts: BTreeSet<i64>,
    /// Access numbers through which it came.
    pub access_numbers: BTreeSet<String>,
    /// Queues in which it is or was.
    pub i_c_queues: BTreeSet<i64>,
}

/// What happened to a prompt or to digits on a leg.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IvrInfo {
    /// Public name of the event, e.g. `dtmf`.
    pub event: &'static str,
    /// The digits.
    pub digits: Option<String>,
    /// The key that ended the input.
    pub terminator: Option<String>,
    /// Why the input ended.
    pub reason: Option<&'static str>,
    /// Where it is posted.
    pub callback: Option<String>,
}

impl IvrInfo {
    /// A key was pressed.
    #[must_use]
    pub fn of_key(key: char) -> Self {
        Self { event: "dtmf", digits: Some(key.to_string()), ..Self::default() }
    }
}
