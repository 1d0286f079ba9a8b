//! Prompts and digits on the legs of calls: what [`Dialogue`] decides is told and done here.

use mesh::clock::Timestamp;

use super::Customer;
use super::timers::{CallTimer, Timer};
use crate::domain::call::Call;
use crate::domain::dialogue::{Act, Dialogue};
use crate::domain::effect::{Effect, Wanted};
use crate::domain::leg::State;
use crate::domain::names::{CallId, Tag};
use crate::driver::Op;

impl Customer {
    /// Something happens to the dialogue of a living leg. Nothing does on a call that has not been
    /// admitted: nobody knows of it.
    pub(super) fn converse(
        &mut self,
        call_id: &CallId,
        tag: &Tag,
        happen: impl FnOnce(&mut Dialogue, Timestamp) -> Vec<Act>,
    ) {
        let Some(mut call) = self.calls.remove(call_id) else { return };
        if call.admission.is_none() {
            self.converse_in(&mut call, tag, happen);
        }
        self.calls.insert(call_id.clone(), call);
    }

    fn converse_in(
        &mut self,
        call: &mut Call,
        tag: &Tag,
        happen: impl FnOnce(&mut Dialogue, Timestamp) -> Vec<Act>,
    ) {
        let now = self.now;
        let Some(leg) = call.leg_mut(tag).filter(|leg| leg.is_alive()) else { return };
        let acts = happen(&mut leg.dialogue, now);
        let channel = leg.channel.clone();
        let timer = Timer::Call(call.id.clone(), CallTimer::Digits(tag.clone()));
        match call.leg(tag).and_then(|leg| leg.dialogue.next_deadline()) {
            Some(at) => self.timers.set(timer, at),
            None => self.timers.stop(&timer),
        }
        for act in acts {
            let channel = channel.clone();
            self.effects.push(match act {
                Act::Tell(info) => Effect::TellIvr {
                    call_id: call.id.clone(),
                    tag: tag.clone(),
                    tracking_id: call.tracking_id.clone(),
                    info,
                    seen_by: call.seen_by.clone(),
                },
                Act::Fetch(playback, url) => Effect::Fetch {
                    call_id: call.id.clone(),
                    tag: tag.clone(),
                    playback,
                    wanted: Wanted::Url(url),
                },
                Act::Play(playback, clips, repeat) => {
                    Effect::Drive(Op::Play { channel, playback, clips, repeat })
                }
                Act::Stop(playback) => Effect::Drive(Op::StopPlay { channel, playback }),
            });
        }
        self.prompt_in_conference(call, tag);
    }

    /// A party that has waited and is put through hears the other one, and no prompt any more.
    pub(super) fn end_prompt_of_connected(&mut self, call: &mut Call, index: usize, state: State) {
        let Some(leg) = call.legs.get(index) else { return };
        let has_waited = leg.told.as_ref().is_some_and(|told| {
            matches!(told.state, State::Early | State::Queued | State::Dequeued | State::Parked)
        });
        if has_waited && state == State::Connected {
            let tag = leg.tag.clone();
            self.converse_in(call, &tag, Dialogue::stop_playing);
        }
    }
}
