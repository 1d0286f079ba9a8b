//! Begins and ends recordings, as [`crate::domain::recording`] says.

use std::collections::BTreeSet;

use mesh::clock::Timestamp;

use super::Customer;
use crate::domain::call::Call;
use crate::domain::command::Cause;
use crate::domain::effect::Effect;
use crate::domain::leg::{Leg, Retold, State};
use crate::domain::names::{CallId, Tag};
use crate::domain::recording::{Recorded, Recording};
use crate::driver::{Op, RecordingId};

impl Call {
    /// Accounts that were through at that moment or later, and who had two numbers connected.
    fn through_since(&self, moment: Timestamp) -> BTreeSet<i64> {
        let was_through = |leg: &&Leg| {
            let has_long_ended = leg
                .told
                .as_ref()
                .is_some_and(|told| told.state == State::Terminated && told.update_time <= moment);
            leg.is_party() && leg.connect_time.is_some() && !has_long_ended
        };
        let parties = self.legs.iter().filter(was_through).filter_map(|leg| leg.i_account);
        parties.chain(self.second.as_ref().map(|second| second.i_account)).collect()
    }
}

impl Customer {
    /// Records a call that is not recorded yet, on this leg.
    pub(super) fn record(&mut self, call_id: &CallId, tag: &Tag, cause: &Cause) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        if call.is_recorded {
            return;
        }
        call.is_recorded = true;
        if let Some(mut call) = self.calls.remove(call_id) {
            self.begin_recording(&mut call, tag);
            self.calls.insert(call_id.clone(), call);
        }
        self.settle(call_id, Some(cause));
    }

    /// Records a call no longer.
    pub(super) fn stop_recording(&mut self, call_id: &CallId, cause: &Cause) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        call.is_recorded = false;
        let tags: Vec<Tag> = call.living().map(|leg| leg.tag.clone()).collect();
        for tag in tags {
            self.end_recording(call_id, &tag, true);
        }
        self.settle(call_id, Some(cause));
    }

    /// The switch does not record.
    pub(super) fn recording_failed(&mut self, call_id: &CallId, tag: &Tag, id: &RecordingId) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let is_it = |recording: &Recording| recording.is_active && recording.id == *id;
        let Some(leg) = call.leg_mut(tag) else { return };
        if !leg.recording.as_ref().is_some_and(is_it) {
            return;
        }
        leg.recording = None;
        leg.retold = Some(Retold::default());
        call.is_recorded = false;
        self.settle(call_id, None);
    }

    /// The switch records no longer, and has what it recorded.
    pub(super) fn recording_ended(&mut self, call_id: &CallId, tag: &Tag, id: &RecordingId) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let is_it = |recording: &Recording| recording.is_active && recording.id == *id;
        let Some(leg) = call.leg_mut(tag) else { return };
        if !leg.recording.as_ref().is_some_and(is_it) {
            return;
        }
        leg.retold = Some(Retold::default());
        call.is_recorded = false;
        self.end_recording(call_id, tag, false);
        self.settle(call_id, None);
    }

    /// What is recorded on a leg is over. `goes_on` while the leg itself is not.
    pub(super) fn end_recording(&mut self, call_id: &CallId, tag: &Tag, goes_on: bool) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let (tracking_id, owner) = (call.tracking_id.clone(), call.owner);
        let begun = call.leg(tag).and_then(|leg| leg.recording.as_ref()).map(|it| it.begun);
        let i_accounts = call.through_since(begun.unwrap_or(now));
        let Some(leg) = call.leg_mut(tag) else { return };
        let Some(recording) = leg.recording.as_mut().filter(|recording| recording.is_active) else {
            return;
        };
        recording.is_active = false;
        let (id, begun) = (recording.id.clone(), recording.begun);
        if goes_on {
            leg.retold.get_or_insert_default();
            let channel = leg.channel.clone();
            self.effects.push(Effect::Drive(Op::StopRecord { channel, recording: id.clone() }));
        }
        self.effects.push(Effect::Recorded(Box::new(Recorded {
            id,
            call_id: call_id.clone(),
            tag: tag.clone(),
            tracking_id,
            owner,
            account_id: leg.party.account_id.clone(),
            i_accounts,
            begun,
            ended: now,
        })));
    }

    /// A call that is recorded goes on being recorded on a party that is through.
    pub(super) fn go_on_recording(&mut self, call: &mut Call) {
        let is_active =
            |leg: &Leg| leg.recording.as_ref().is_some_and(|recording| recording.is_active);
        if !call.is_recorded || call.living().any(is_active) {
            return;
        }
        let through = || call.living().filter(|leg| leg.is_party() && leg.is_connected());
        let next = through().find(|leg| leg.i_account.is_some()).or_else(|| through().next());
        if let Some(tag) = next.map(|leg| leg.tag.clone()) {
            self.begin_recording(call, &tag);
        }
    }

    fn begin_recording(&mut self, call: &mut Call, tag: &Tag) {
        let id = self.names.recording();
        let Some(leg) = call.leg_mut(tag) else { return };
        leg.recording = Some(Recording { id: id.clone(), begun: self.now, is_active: true });
        leg.retold.get_or_insert_default();
        let channel = leg.channel.clone();
        self.effects.push(Effect::Drive(Op::Record { channel, recording: id }));
    }
}
