//! Ids of calls, legs and conversations, and where new ones come from.

use std::fmt;

use crate::driver::{ChannelId, PlaybackId, RecordingId};

/// A call's id, `<node>.<uuid v7>`: a command finds its node without a look-up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub String);

/// A conference's id, of the same form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConferenceId(pub String);

/// A leg's tag, unique in the environment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub String);

impl fmt::Display for CallId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for ConferenceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Makes new names. Injected, so that tests get the same names each time.
pub struct Names {
    node: String,
    fresh: Box<dyn FnMut() -> String + Send>,
}

impl fmt::Debug for Names {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Names").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Names {
    /// Names of `node`, made unique by `fresh`.
    pub fn new(node: impl Into<String>, fresh: impl FnMut() -> String + Send + 'static) -> Self {
        Self { node: node.into(), fresh: Box::new(fresh) }
    }

    /// Names made unique by UUID v7.
    pub fn unique(node: impl Into<String>) -> Self {
        Self::new(node, || uuid::Uuid::now_v7().simple().to_string())
    }

    /// A new call.
    pub(super) fn call(&mut self) -> CallId {
        CallId(format!("{}.{}", self.node, (self.fresh)()))
    }

    /// A new conference.
    pub(super) fn conference(&mut self) -> ConferenceId {
        ConferenceId(format!("{}.{}", self.node, (self.fresh)()))
    }

    /// A new leg and the channel that it will have when it is dialled.
    pub(super) fn leg(&mut self) -> (Tag, ChannelId) {
        let unique = (self.fresh)();
        (Tag(unique.clone()), ChannelId(unique))
    }

    /// A new playback.
    pub(super) fn playback(&mut self) -> PlaybackId {
        PlaybackId((self.fresh)())
    }

    /// A new recording.
    pub(super) fn recording(&mut self) -> RecordingId {
        RecordingId(format!("{}.{}", self.node, (self.fresh)()))
    }

    /// A new conversation.
    pub(super) fn tracking_id(&mut self) -> String {
        (self.fresh)()
    }
}
