//! What the parties of legs hear, as the switch was told last.

use super::Bench;
use crate::domain::Tag;
use crate::driver::{Event, MixId, Op, PlaybackEnd, PlaybackId, Source};

impl Bench {
    /// What a leg's party hears, as the switch was told last.
    pub(in crate::domain::tests) fn hears(&self, tag: &Tag) -> Source {
        let of = self.channel(tag);
        let mut ops = self.ops.iter().rev();
        ops.find_map(|op| match op {
            Op::Hear { channel, source } if *channel == of => Some(source.clone()),
            _ => None,
        })
        .unwrap_or_default()
    }

    /// What was last begun to be played to a leg's party.
    pub(in crate::domain::tests) fn played(&self, tag: &Tag) -> Vec<String> {
        self.last_played(tag).map(|(_, names)| names).unwrap_or_default()
    }

    /// That has been heard to its end.
    pub(in crate::domain::tests) fn prompt_ends(&mut self, tag: &Tag) {
        let (playback, _) = self.last_played(tag).expect("something is played");
        let end = PlaybackEnd::Completed;
        self.event(tag, |channel| Event::PlaybackEnded { channel, playback, end });
    }

    fn last_played(&self, tag: &Tag) -> Option<(PlaybackId, Vec<String>)> {
        let of = self.channel(tag);
        self.ops.iter().rev().find_map(|op| match op {
            Op::Play { channel, playback, clips, .. } if *channel == of => {
                Some((playback.clone(), clips.iter().map(|clip| clip.name.clone()).collect()))
            }
            _ => None,
        })
    }

    /// The room into which a leg's party speaks.
    pub(in crate::domain::tests) fn speaks(&self, tag: &Tag) -> Option<MixId> {
        let of = self.channel(tag);
        let mut ops = self.ops.iter().rev();
        let found = ops.find_map(|op| match op {
            Op::Speak { channel, mix } if *channel == of => Some(mix.clone()),
            _ => None,
        });
        found.flatten()
    }
}
