//! Who hears whom: turns the sources that the engine declared per channel into what
//! a person at the phone would tell.
//!
//! A channel of a joined pair is heard as whatever its other half hears, so that two
//! customers' parties see through the join. Pairs may form rings; each channel is
//! visited once.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Serialize, Serializer};

use crate::driver::{ChannelId, Source};

use super::line::{Line, Party};

/// What somebody hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hears {
    /// Nothing at all, as the one who holds a call.
    Silence,
    /// The tone of a phone that rings at the other end.
    Ringback,
    /// Music on hold.
    Music,
    /// This prompt.
    Prompt(String),
    /// These parties: account ids, and numbers of the public network. Empty when there is nobody.
    Parties(BTreeSet<String>),
}

impl Hears {
    /// What one hears who has nobody to hear.
    pub(super) const fn nobody() -> Self {
        Self::Parties(BTreeSet::new())
    }
}

impl Serialize for Hears {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Silence => serializer.serialize_str("silence"),
            Self::Ringback => serializer.serialize_str("ringback"),
            Self::Music => serializer.serialize_str("music"),
            Self::Prompt(path) => serializer.collect_str(&format_args!("prompt:{path}")),
            Self::Parties(parties) => parties.serialize(serializer),
        }
    }
}

/// All that reaches one ear, before it is told in one word.
#[derive(Debug, Default)]
struct Mix {
    parties: BTreeSet<String>,
    is_ringback: bool,
    is_music: bool,
    prompt: Option<String>,
    /// True when the ear is open to parties, whether there are any or not.
    is_listening: bool,
}

impl Mix {
    /// Voices drown tones.
    fn told(self) -> Hears {
        if !self.parties.is_empty() {
            Hears::Parties(self.parties)
        } else if let Some(prompt) = self.prompt {
            Hears::Prompt(prompt)
        } else if self.is_ringback {
            Hears::Ringback
        } else if self.is_music {
            Hears::Music
        } else if self.is_listening {
            Hears::nobody()
        } else {
            Hears::Silence
        }
    }
}

/// What the party of one channel hears.
pub(super) fn of_channel(lines: &HashMap<ChannelId, Line>, channel: &ChannelId) -> Hears {
    of_channels(lines, std::slice::from_ref(channel))
}

/// What the user of a phone hears of all its channels: of those that are not on hold, or, when
/// all are, of them.
pub(super) fn of_phone(lines: &HashMap<ChannelId, Line>, channels: &[ChannelId]) -> Hears {
    let is_active = |channel: &&ChannelId| {
        lines.get(*channel).is_some_and(|line| line.is_on_the_line() && !line.is_on_hold())
    };
    let active: Vec<ChannelId> = channels.iter().filter(is_active).cloned().collect();
    of_channels(lines, if active.is_empty() { channels } else { &active })
}

fn of_channels(lines: &HashMap<ChannelId, Line>, channels: &[ChannelId]) -> Hears {
    let mut mix = Mix::default();
    let mut is_anybody_there = false;
    for channel in channels {
        let Some(line) = lines.get(channel) else { continue };
        if line.is_on_the_line() {
            is_anybody_there = true;
            add(lines, channel, &mut mix);
        }
    }
    if is_anybody_there { mix.told() } else { Hears::nobody() }
}

/// Adds what reaches `listener`.
fn add(lines: &HashMap<ChannelId, Line>, listener: &ChannelId, mix: &mut Mix) {
    // A channel can be met in both roles: what its party says, and what its party hears.
    let mut heard: HashSet<&ChannelId> = HashSet::from([listener]);
    let mut hearing: HashSet<&ChannelId> = HashSet::from([listener]);
    let mut ears = vec![listener];
    while let Some(ear) = ears.pop() {
        let Some(line) = lines.get(ear) else { continue };
        if let Some(clip) = line.clip_heard() {
            mix.prompt = Some(clip.to_owned());
            continue;
        }
        match &line.source {
            Source::Silence => {}
            Source::Ringback => mix.is_ringback = true,
            Source::Music => mix.is_music = true,
            source @ (Source::Parties(_) | Source::Mix { .. }) => {
                mix.is_listening = true;
                for speaker in speakers(lines, ear, source) {
                    let Some(line) = lines.get(speaker).filter(|line| line.is_answered()) else {
                        continue;
                    };
                    if !heard.insert(speaker) {
                        continue;
                    }
                    match &line.party {
                        Party::Phone(name) | Party::Trunk(name) => {
                            mix.parties.insert(name.clone());
                        }
                        Party::Join(other_half) => {
                            if hearing.insert(other_half) {
                                ears.push(other_half);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Whose voices a source carries to `ear`, whether they have answered or not.
fn speakers<'a>(
    lines: &'a HashMap<ChannelId, Line>,
    ear: &ChannelId,
    source: &'a Source,
) -> Vec<&'a ChannelId> {
    match source {
        Source::Parties(speakers) => speakers.iter().collect(),
        Source::Mix { mix, beside, except } => {
            let speaks = |(id, line): &(&ChannelId, &Line)| {
                line.speaks_in.as_ref() == Some(mix) && *id != ear && !except.contains(*id)
            };
            lines.iter().filter(speaks).map(|(id, _)| id).chain(beside).collect()
        }
        Source::Silence | Source::Ringback | Source::Music => Vec::new(),
    }
}

/// Whether the voice of one channel reaches the ear of another.
pub(super) fn is_heard(
    lines: &HashMap<ChannelId, Line>,
    ear: &ChannelId,
    speaker: &ChannelId,
) -> bool {
    lines.get(ear).is_some_and(|line| match &line.source {
        Source::Mix { mix, beside, except } => {
            let speaks = |line: &Line| line.speaks_in.as_ref() == Some(mix);
            let in_room = ear != speaker && !except.contains(speaker);
            beside.contains(speaker) || (in_room && lines.get(speaker).is_some_and(speaks))
        }
        Source::Parties(speakers) => speakers.contains(speaker),
        Source::Silence | Source::Ringback | Source::Music => false,
    })
}
