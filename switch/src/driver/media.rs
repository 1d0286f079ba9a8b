//! What is played, recorded and mixed.

use std::time::Duration;

/// Names a playback on a channel; made by the engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlaybackId(pub String);

/// Something to play, known to be audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    /// Its path in the prompt folder, or the address that it was fetched from.
    pub name: String,
    /// How long it lasts; not nothing.
    pub duration: Duration,
    /// True when it is not in the prompt folder.
    pub is_fetched: bool,
}

/// Names a recording, `<node>.<unique part>`; made by the engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordingId(pub String);

impl RecordingId {
    /// Where its file is in the recording folder.
    #[must_use]
    pub fn path(&self, i_customer: i64) -> String {
        format!("{i_customer}/{}.wav", self.0)
    }
}

/// How a playback ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaybackEnd {
    /// All of it was played.
    Completed,
    /// The switch could not play it.
    Failed,
}

/// Names a room in which many hear each other; made by the engine, and there as long as somebody
/// speaks into it or hears it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MixId(pub String);
