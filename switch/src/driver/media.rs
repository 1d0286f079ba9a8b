//! What is played, recorded and mixed.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

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
    /// The audio itself, in one of the formats of prompts.
    pub content: Content,
}

/// Audio as it is in a file: `au`, `wav` or `g729`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Content(Bytes);

impl Content {
    /// Audio from a file.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// As in a file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The extension that a file of it has, told from how it begins.
    #[must_use]
    pub fn extension(&self) -> &'static str {
        if self.0.starts_with(b".snd") {
            "au"
        } else if self.0.starts_with(b"RIFF") {
            "wav"
        } else {
            "g729"
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bytes", self.0.len())
    }
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
