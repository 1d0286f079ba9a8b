//! What is known of one recording.

use std::collections::BTreeSet;
use std::path::PathBuf;

use mesh::caller::{Owner, Scope};
use serde::{Deserialize, Serialize};

use crate::domain::Recorded;
use crate::driver::RecordingId;

/// A recording, as its own file says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id, `<node>.<unique part>`.
    pub id: String,
    /// The call.
    pub call_id: String,
    /// The leg that was recorded.
    pub tag: String,
    /// The conversation.
    pub tracking_id: String,
    /// Whose call it was.
    pub i_customer: i64,
    /// The reseller above.
    pub i_reseller: i64,
    /// Account id of that leg.
    pub account_id: Option<String>,
    /// Accounts that may have it.
    pub i_accounts: BTreeSet<i64>,
    /// When it began, microseconds since 1970 UTC.
    pub start_us: i64,
    /// How long it lasted, in milliseconds.
    pub millis: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

impl Entry {
    /// A recording whose file is not there yet.
    pub(super) fn of(recorded: Recorded) -> Self {
        Self {
            id: recorded.id.0,
            call_id: recorded.call_id.0,
            tag: recorded.tag.0,
            tracking_id: recorded.tracking_id,
            i_customer: recorded.owner.i_customer,
            i_reseller: recorded.owner.i_reseller,
            account_id: recorded.account_id,
            i_accounts: recorded.i_accounts,
            start_us: recorded.begun.as_micros(),
            millis: u64::try_from(recorded.ended.since(recorded.begun).as_millis())
                .unwrap_or(u64::MAX),
            bytes: 0,
        }
    }

    /// Its id as the driver knows it.
    pub(super) fn recording_id(&self) -> RecordingId {
        RecordingId(self.id.clone())
    }

    /// Where its file is in the recording folder.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(RecordingId(self.id.clone()).path(self.i_customer))
    }

    /// Whether a caller may have it.
    pub(super) fn is_visible_to(&self, scope: &Scope) -> bool {
        let owner = Owner { i_reseller: self.i_reseller, i_customer: self.i_customer };
        let may_see = scope.i_account().is_none_or(|own| self.i_accounts.contains(&own));
        scope.reaches(owner) && may_see
    }
}
