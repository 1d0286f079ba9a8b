//! Prompts, digits and recordings.

use std::time::Duration;

use mesh::caller::Owner;
use mesh::clock::Timestamp;
use proto::call::v1 as call_pb;
use proto::switch::v1 as pb;

use super::{Malformed, entry, is_key};
use crate::domain::{CallId, DigitRules, IvrInfo, LegView, Media, Play, PlayCallback, Seen, Tag};

/// Most digits of an input.
const MAX_DIGITS: usize = 128;

pub(super) fn play(play: &pb::Play, media: Option<Media>) -> Result<Play, Malformed> {
    let media = media.ok_or(Malformed::Field("prompts or url, one of them"))?;
    let repeat = u32::try_from(play.repeat).map_err(|_| Malformed::Field("repeat is negative"))?;
    let callback = play.callback_url.as_ref().map(|url| PlayCallback {
        url: url.clone(),
        events: play.callback_on_events.iter().cloned().collect(),
    });
    Ok(Play { media, repeat, is_interruptible: play.interrupt_on_input, callback })
}

pub(super) fn rules(detect: pb::StartDtmfDetect) -> Result<DigitRules, Malformed> {
    let count = |digits: i32| usize::try_from(digits).unwrap_or(usize::MAX);
    let (max_digits, min_digits) = (count(detect.max_digits), count(detect.min_digits));
    if !(1..=MAX_DIGITS).contains(&max_digits) {
        return Err(Malformed::Field("max_digits is not 1 to 128"));
    }
    if min_digits > max_digits {
        return Err(Malformed::Field("min_digits is above max_digits"));
    }
    if !detect.terminators.chars().all(is_key) {
        return Err(Malformed::Field("terminators are some of 0-9, *, #, A-D"));
    }
    let time = |millis: i64| {
        let millis = u64::try_from(millis).map_err(|_| Malformed::Field("a time is negative"))?;
        Ok(Duration::from_millis(millis))
    };
    Ok(DigitRules {
        max_digits,
        min_digits,
        terminators: detect.terminators,
        first_digit: time(detect.first_digit_ms)?,
        inter_digit: time(detect.inter_digit_ms)?,
        total: time(detect.total_ms)?,
    })
}

/// The event that tells of a digit or a prompt.
pub(crate) fn ivr_entry(
    ivr: (CallId, Tag, String, IvrInfo, Seen),
    owner: Owner,
    at: Timestamp,
    traceparent: &str,
) -> pb::LogEntry {
    let (call_id, tag, tracking_id, info, seen_by) = ivr;
    let body = pb::log_entry::Body::IvrEvent(pb::IvrEvent {
        call: Some(call_pb::CallRef { id: call_id.0, tag: Some(tag.0) }),
        tracking_id,
        ivr_info: Some(pb::IvrInfo {
            event: info.event.to_owned(),
            digits: info.digits,
            terminator: info.terminator,
            reason: info.reason.map(str::to_owned),
        }),
    });
    pb::LogEntry {
        traceparent: traceparent.to_owned(),
        callbacks: info.callback.into_iter().collect(),
        ..entry(body, &seen_by, owner, at)
    }
}

/// The newest recording of a leg.
pub(super) fn recording(view: &LegView) -> Option<call_pb::RecordingRef> {
    view.recording.as_ref().map(|recording| call_pb::RecordingRef {
        i_recording: recording.id.0.clone(),
        path: recording.id.path(view.owner.i_customer),
        active: recording.is_active,
    })
}
