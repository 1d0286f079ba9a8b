//! Events as the edge passes them on: rendered once, then only the subscription's id is put in.

use mesh::clock::Timestamp;
use mesh::cursor::{Cursor, Place};
use mesh::trace;
use proto::call::v1::State;
use proto::callcontrol::v1::NotificationKind as Kind;
use proto::json::{Message as _, write_string};
use proto::notifier::v1 as wire;
use proto::session::v1::{
    AvailabilityNotification, CallStateNotification, ConferenceEventNotification,
    IvrEventNotification, NotificationsGapNotification, QueueStatsNotification,
};
use proto::switch::v1::log_entry::Body;
use tracing::field::Empty;
use tracing::{Span, info_span};

use super::place::read_place;
use crate::wire::Frame;
use crate::wire::frame::TextFrame;

/// Begin of the params of every notification of a subscription: proto gives the field the number
/// 1, so it is written first.
const PARAMS_BEGIN: &[u8] = b"{\"subscription_id\":\"\"";

/// One event.
#[derive(Debug)]
pub(crate) struct Event {
    /// Where it stands in the log.
    pub(crate) place: Place,
    /// The scopes of the stream that it matched.
    pub(crate) scope_ids: Vec<u64>,
    pub(crate) kind: Kind,
    /// That of a `call_state`.
    pub(crate) state: State,
    /// When the engine wrote it.
    pub(crate) written: Timestamp,
    method: &'static str,
    /// The params after the subscription's id.
    rest: Vec<u8>,
    /// What caused it, as a `traceparent`.
    cause: String,
}

impl Event {
    /// Reads the notifier's event; `None` for a kind that is not known here.
    pub(crate) fn read(event: wire::Event) -> Option<Self> {
        let place = read_place(&event.place?);
        let mut entry = event.entry?;
        let written = Timestamp::from_micros(entry.time_us);
        let cause = std::mem::take(&mut entry.traceparent);
        let cursor = Cursor::One { i_customer: entry.i_customer, place: place.clone() };
        let (method, kind, state, params) = render(entry.body?, cursor.encode());
        let rest = params.strip_prefix(PARAMS_BEGIN)?.to_vec();
        let scope_ids = event.scope_ids;
        Some(Self { place, scope_ids, kind, state, written, method, rest, cause })
    }

    /// A span for passing the event on to sockets, in the trace of what caused it.
    pub(crate) fn span(&self, is_replay: bool) -> Option<Span> {
        trace::following(
            &self.cause,
            || info_span!(parent: None, "deliver", method = self.method, is_replay, sockets = Empty),
        )
    }

    /// The frame for the sockets of one subscription.
    pub(crate) fn frame(&self, subscription_id: &str) -> Frame {
        let mut frame = TextFrame::with_capacity(self.rest.len() + 128);
        let out = frame.payload();
        out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"method\":\"");
        out.extend_from_slice(self.method.as_bytes());
        out.extend_from_slice(b"\",\"params\":{\"subscription_id\":");
        write_string(out, subscription_id);
        out.extend_from_slice(&self.rest);
        out.push(b'}');
        frame.finish()
    }
}

fn render(body: Body, event_id: String) -> (&'static str, Kind, State, Vec<u8>) {
    let subscription_id = String::new();
    match body {
        Body::CallState(call_info) => {
            let state = call_info.state();
            let params =
                CallStateNotification { subscription_id, event_id, call_info: Some(call_info) };
            ("CallControl/call_state", Kind::CallState, state, params.to_json())
        }
        Body::IvrEvent(event) => {
            let params = IvrEventNotification {
                subscription_id,
                event_id,
                call: event.call,
                tracking_id: event.tracking_id,
                ivr_info: event.ivr_info,
            };
            ("CallControl/ivr_event", Kind::IvrEvent, State::Unspecified, params.to_json())
        }
        Body::ConferenceEvent(event) => {
            let params = ConferenceEventNotification {
                subscription_id,
                event_id,
                conference: event.conference,
                participant: event.participant,
                event: event.event,
                caused_by: event.caused_by,
            };
            let kind = Kind::ConferenceEvent;
            ("CallControl/conference_event", kind, State::Unspecified, params.to_json())
        }
        Body::QueueStats(stats) => {
            let params = QueueStatsNotification { subscription_id, event_id, queue: stats.queue };
            ("CallControl/queue_stats", Kind::QueueStats, State::Unspecified, params.to_json())
        }
        Body::Availability(availability) => {
            let params = AvailabilityNotification {
                subscription_id,
                event_id,
                account_id: availability.account_id,
                availability: availability.availability,
            };
            ("CallControl/availability", Kind::Availability, State::Unspecified, params.to_json())
        }
    }
}

/// The frame that tells a subscriber of lost events.
pub(crate) fn gap(subscription_id: &str, reason: &str, cursor: String) -> Frame {
    let params = NotificationsGapNotification {
        subscription_id: subscription_id.to_owned(),
        reason: reason.to_owned(),
        cursor,
    };
    let mut frame = TextFrame::with_capacity(256);
    let out = frame.payload();
    out.extend_from_slice(
        b"{\"jsonrpc\":\"2.0\",\"method\":\"CallControl/notifications_gap\",\"params\":",
    );
    params.write(out);
    out.push(b'}');
    frame.finish()
}

/// The reason of a gap as a label of a closed set.
pub(crate) fn gap_label(reason: &str) -> &'static str {
    match reason {
        "cursor_too_old" => "cursor_too_old",
        "log_lost" => "log_lost",
        "slow_reader" => "slow_reader",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use proto::api::NOTIFICATIONS;
    use proto::call::v1::CallInfo;
    use proto::switch::v1::{Availability, ConferenceEvent, IvrEvent, LogEntry, QueueStats};

    use super::*;

    fn event(body: Body) -> Event {
        let place =
            wire::Place { partition: 2, epoch: "5-000000ff".to_owned(), millis: 9, sequence: 1 };
        let entry = LogEntry { i_customer: 7, body: Some(body), ..LogEntry::default() };
        let event = wire::Event { place: Some(place), scope_ids: vec![1], entry: Some(entry) };
        Event::read(event).unwrap()
    }

    fn json(frame: &Frame) -> serde_json::Value {
        let bytes = frame.as_slice();
        let begin = bytes.iter().position(|byte| *byte == b'{').unwrap();
        serde_json::from_slice(&bytes[begin..]).unwrap()
    }

    #[test]
    fn each_kind_is_a_notification_of_the_contract() {
        let bodies = [
            Body::CallState(CallInfo::default()),
            Body::IvrEvent(IvrEvent::default()),
            Body::ConferenceEvent(ConferenceEvent::default()),
            Body::QueueStats(QueueStats::default()),
            Body::Availability(Availability::default()),
        ];
        for body in bodies {
            let message = json(&event(body).frame("a\"b"));

            let method = message["method"].as_str().unwrap();
            assert!(NOTIFICATIONS.contains(&method), "{method}");
            assert_eq!(message["params"]["subscription_id"], "a\"b", "{method}");
        }
    }

    #[test]
    fn an_event_id_is_the_same_in_every_subscription_and_names_the_place() {
        let event = event(Body::CallState(CallInfo::default()));

        let first = json(&event.frame("a"))["params"]["event_id"].clone();
        let second = json(&event.frame("b"))["params"]["event_id"].clone();

        assert_eq!(first, second);
        let cursor = Cursor::decode(first.as_str().unwrap()).unwrap();
        assert_eq!(cursor, Cursor::One { i_customer: 7, place: event.place });
    }

    #[test]
    fn a_gap_is_a_notification_of_the_contract() {
        let message = json(&gap("s", "log_lost", "c".to_owned()));

        assert!(NOTIFICATIONS.contains(&message["method"].as_str().unwrap()));
        assert_eq!(message["params"]["reason"], "log_lost");
    }
}
