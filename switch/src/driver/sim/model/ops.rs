//! What the engine orders.

use tokio::time::Instant;

use crate::driver::{
    Cause, ChannelId, DriverError, Endpoint, Event, Label, Op, Origin, Reason, Shown,
};

use super::{Full, Model, Step};
use crate::driver::sim::behaviour::{Behaviour, UNAVAILABLE};
use crate::driver::sim::line::{Line, Party, Playing, Stage};

impl Model {
    /// Does what the engine wants. An operation on a channel that is gone has no effect.
    pub(in crate::driver::sim) fn apply(
        &mut self,
        now: Instant,
        op: Op,
    ) -> Result<(), DriverError> {
        match op {
            Op::Dial { channel, endpoint, shown, label } => {
                self.dial(now, channel, endpoint, shown, label)?;
            }
            Op::Ring { channel } => self.ring(&channel)?,
            Op::Answer { channel } => self.answer_incoming(&channel)?,
            Op::PickUp { channel } => self.pick_up(now, &channel)?,
            Op::Hangup { channel, reason } => self.hang_up(now, &channel, reason),
            Op::Hear { channel, source } => {
                if let Some(line) = self.lines.get_mut(&channel) {
                    line.source = source;
                }
            }
            Op::Speak { channel, mix } => {
                if let Some(line) = self.lines.get_mut(&channel) {
                    line.speaks_in = mix;
                }
            }
            Op::SendDigits { channel, digits } => self.send_digits(&channel, &digits),
            Op::Play { channel, playback, clips, repeat } => {
                self.play(now, &channel, Playing::new(playback, clips, repeat));
            }
            Op::StopPlay { channel, playback } => {
                let line = self.lines.get(&channel);
                let playing = line.and_then(|line| line.playing.as_ref());
                if playing.is_some_and(|playing| playing.id == playback) {
                    self.stop_playing(&channel);
                }
            }
            Op::Record { channel, recording } => self.record(now, channel, recording),
            Op::StopRecord { recording, .. } => self.end_recording(now, &recording),
            Op::Label { channel, label } => self.label(&channel, label),
        }
        Ok(())
    }

    fn dial(
        &mut self,
        now: Instant,
        channel: ChannelId,
        endpoint: Endpoint,
        shown: Shown,
        label: Label,
    ) -> Result<(), DriverError> {
        if self.lines.contains_key(&channel) {
            return Err(DriverError::Refused(format!("channel {channel} exists")));
        }
        if self.lines.len() >= self.max_channels {
            return Err(DriverError::Refused(Full.to_string()));
        }
        match endpoint {
            Endpoint::Phone { account_id } => {
                let is_unregistered = self.behaviour(&account_id) == Behaviour::Unregistered {};
                self.insert(channel.clone(), Party::Phone(account_id), Some(shown), label);
                if is_unregistered {
                    self.end(now, &channel, Cause::Refused(UNAVAILABLE));
                } else {
                    self.schedule(now, &channel, self.times.setup, Step::Alert);
                }
            }
            Endpoint::Trunk { number } => {
                self.insert(channel.clone(), Party::Trunk(number), Some(shown), label);
                self.schedule(now, &channel, self.times.setup, Step::Alert);
            }
            Endpoint::Join { number } => {
                let inner = self.new_channel_id();
                let (from, outer) = (shown.clone(), channel.clone());
                self.insert(channel, Party::Join(inner.clone()), Some(shown), label);
                self.insert(inner.clone(), Party::Join(outer), None, Label::default());
                self.events.push(Event::Offered {
                    channel: inner,
                    origin: Origin::Join { from },
                    dialled: number,
                });
            }
        }
        Ok(())
    }

    fn ring(&mut self, channel: &ChannelId) -> Result<(), DriverError> {
        let order = self.next();
        let Some(line) = self.incoming(channel)? else { return Ok(()) };
        if line.stage != Stage::Trying {
            return Ok(());
        }
        line.stage = Stage::Ringing(order);
        if let Party::Join(outer) = line.party.clone()
            && let Some(half) = self.lines.get_mut(&outer)
        {
            half.stage = Stage::Ringing(order);
            self.events.push(Event::Ringing { channel: outer });
        }
        Ok(())
    }

    fn answer_incoming(&mut self, channel: &ChannelId) -> Result<(), DriverError> {
        let Some(line) = self.incoming(channel)? else { return Ok(()) };
        if line.is_answered() {
            return Ok(());
        }
        line.stage = Stage::Answered;
        if let Party::Join(outer) = line.party.clone()
            && let Some(half) = self.lines.get_mut(&outer)
        {
            half.stage = Stage::Answered;
            self.events.push(Event::Answered { channel: outer });
        }
        Ok(())
    }

    fn pick_up(&mut self, now: Instant, channel: &ChannelId) -> Result<(), DriverError> {
        let Some(line) = self.lines.get(channel) else { return Ok(()) };
        if !matches!(line.party, Party::Phone(_)) || !line.is_dialled {
            return Err(DriverError::Refused(format!("channel {channel} is no called phone")));
        }
        self.answer(now, channel);
        Ok(())
    }

    fn hang_up(&mut self, now: Instant, channel: &ChannelId, reason: Reason) {
        let Some(line) = self.remove(now, channel) else { return };
        if let Party::Join(other_half) = &line.party {
            let is_refusal = !line.is_dialled && !line.is_answered();
            let cause = if is_refusal { Cause::Refused(reason.code) } else { Cause::HungUp };
            self.end(now, other_half, cause);
        }
        self.remember_ended(now, channel, line, reason);
    }

    fn send_digits(&mut self, channel: &ChannelId, digits: &str) {
        let Some(line) = self.lines.get_mut(channel) else { return };
        line.remember_digits(digits);
        if let Party::Join(other_half) = line.party.clone() {
            for digit in digits.chars() {
                self.press(&other_half, digit);
            }
        }
    }

    pub(super) fn label(&mut self, channel: &ChannelId, label: Label) {
        let Some(line) = self.lines.get_mut(channel) else { return };
        if matches!(line.party, Party::Trunk(_)) && line.label.tag != label.tag {
            if self.legs.get(&line.label.tag) == Some(channel) {
                self.legs.remove(&line.label.tag);
            }
            if !label.tag.is_empty() {
                self.legs.insert(label.tag.clone(), channel.clone());
            }
        }
        let (was_held, is_held) = (is_held(&line.label), is_held(&label));
        line.label = label;
        if let Party::Join(other_half) = line.party.clone()
            && was_held != is_held
        {
            // As over a trunk, where the far end is told of a hold.
            let channel = other_half;
            self.events.push(if is_held {
                Event::Held { channel }
            } else {
                Event::Resumed { channel }
            });
        }
    }

    fn incoming(&mut self, channel: &ChannelId) -> Result<Option<&mut Line>, DriverError> {
        match self.lines.get_mut(channel) {
            Some(line) if line.is_dialled => {
                Err(DriverError::Refused(format!("channel {channel} did not come in")))
            }
            line => Ok(line),
        }
    }
}

/// True when the party of a channel is held by the one that it talks to.
fn is_held(label: &Label) -> bool {
    label.state == "held"
}
