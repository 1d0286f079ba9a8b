//! What is said to an edge.

use std::sync::Arc;

use super::entry::{Entry, Place};

/// Why events of a partition are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The store lost them: the log has another epoch, or ends before the reader's place.
    LogLost,
    /// They were trimmed away before they were read.
    TooOld,
}

impl Loss {
    /// As applications see it.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::LogLost => "log_lost",
            Self::TooOld => "cursor_too_old",
        }
    }
}

/// Events of a partition are gone; the log goes on from `place`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// Where the log goes on.
    pub(crate) place: Place,
    /// Why.
    pub(crate) loss: Loss,
}

/// One message of a live stream.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    /// A scope is live: every event after `places` comes.
    Subscribed {
        /// The edge's number of the scope.
        scope_id: u64,
        /// One for each partition that the scope covers.
        places: Vec<Place>,
    },
    /// A scope is not, or no longer, live.
    Refused {
        /// The edge's number of the scope.
        scope_id: u64,
        /// Stable reason.
        reason: &'static str,
    },
    /// An event, with the scopes that it matched, ascending.
    Event {
        /// The event.
        entry: Arc<Entry>,
        /// The edge's numbers of the scopes.
        scope_ids: Vec<u64>,
    },
    /// Sign of life: everything up to `places` has been said.
    Beat {
        /// One for each partition that has been read.
        places: Vec<Place>,
        /// False while the store is away.
        is_store_reachable: bool,
    },
    /// Events were lost.
    Gap(Gap),
}

impl Frame {
    /// What it takes on the wire, about; an event's bytes are shared with other streams but
    /// counted for each.
    pub(crate) fn weight(&self) -> usize {
        const BASE: usize = 64;
        match self {
            Self::Event { entry, scope_ids } => BASE + entry.raw.len() + scope_ids.len() * 8,
            Self::Subscribed { places, .. } | Self::Beat { places, .. } => {
                BASE + places.len() * BASE
            }
            Self::Refused { .. } | Self::Gap(_) => BASE,
        }
    }
}
