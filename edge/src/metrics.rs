//! Every metric of the edge.

use std::time::Duration;

use mesh::metrics::{Counter, Gauge, Histogram, Label, SECONDS, UpDown};
use tokio::time::Instant;

use crate::socket::close;

const TRANSPORT: Label = Label::of("transport", &["websocket", "rest"]);

/// What came of a request.
const OUTCOMES: [&str; 13] = [
    "ok",
    "bad_params",
    "no_such_method",
    "not_authenticated",
    "access_denied",
    "not_found",
    "wrong_state",
    "limit_reached",
    "unavailable",
    "timeout",
    "internal",
    "other",
    "cancelled",
];

/// Why a handshake was refused.
const HANDSHAKE_REASONS: [&str; 5] =
    ["malformed", "full", "user_full", "origin", "not_authenticated"];

mesh::metrics! {
    /// Every metric of the edge beside those that every RPC has.
    pub METRICS;
    REQUESTS: Counter<3> = Counter::new(
        "edge_requests_total",
        "Requests, by outcome: `ok`, or why they were refused.",
        &[Label::method(), TRANSPORT, Label::of("outcome", &OUTCOMES)],
    );
    REQUEST_DURATION: Histogram<1> = Histogram::new(
        "edge_request_duration_seconds",
        "Time until a request was answered.",
        &SECONDS,
        &[Label::method()],
    );
    REQUESTS_IN_FLIGHT: UpDown<1> =
        UpDown::new("edge_requests_in_flight", "Requests under way.", &[TRANSPORT]);
    FRAMES_REFUSED: Counter<1> = Counter::new(
        "edge_frames_refused_total",
        "Requests that were none, or of no method.",
        &[TRANSPORT],
    );
    SOCKETS: UpDown<0> = UpDown::new("edge_sockets", "WebSockets that are open.", &[]);
    SOCKETS_LIMIT: Gauge<0> =
        Gauge::new("edge_sockets_limit", "WebSockets that may be open.", &[]);
    SOCKETS_REFUSED: Counter<1> = Counter::new(
        "edge_sockets_refused_total",
        "Handshakes that were refused, by reason.",
        &[Label::of("reason", &HANDSHAKE_REASONS)],
    );
    SOCKETS_CLOSED: Counter<1> = Counter::new(
        "edge_sockets_closed_total",
        "WebSockets closed by the edge, by reason.",
        &[Label::of("reason", &close::LABELS)],
    );
    SUBSCRIPTIONS: UpDown<0> =
        UpDown::new("edge_subscriptions", "Subscriptions of sockets.", &[]);
    BACKLOG_BYTES: Gauge<0> =
        Gauge::new("edge_backlog_bytes", "Bytes that wait for sockets to take them.", &[]);
    BACKLOG_SOCKETS: Gauge<0> = Gauge::new(
        "edge_backlog_sockets",
        "WebSockets that have not taken all that was written to them.",
        &[],
    );
    EVENTS: Counter<0> =
        Counter::new("edge_events_total", "Events that came from the notifier.", &[]);
    EVENT_LAG: Histogram<0> = Histogram::new(
        "edge_event_lag_seconds",
        "Time from the making of an event in the switch to its writing to sockets.",
        &SECONDS,
        &[],
    );
    DELIVERIES: Counter<0> =
        Counter::new("edge_deliveries_total", "Events written to sockets.", &[]);
    GAPS: Counter<1> = Counter::new(
        "edge_gaps_total",
        "Gaps that were told to subscribers, by reason.",
        &[Label::of("reason", &["cursor_too_old", "log_lost", "slow_reader", "other"])],
    );
    RESUMES: Counter<0> =
        Counter::new("edge_resumes_total", "Subscriptions that began with a cursor.", &[]);
    REPLAYED: Counter<0> =
        Counter::new("edge_replayed_events_total", "Events that came from replays.", &[]);
    NOTIFIER_STREAMS: Counter<0> = Counter::new(
        "edge_notifier_streams_total",
        "Live streams from notifiers that were opened.",
        &[],
    );
}

/// Measures one request; one that is given up counts as cancelled.
#[derive(Debug)]
pub(crate) struct Timer {
    method: &'static str,
    transport: &'static str,
    start: Instant,
    outcome: &'static str,
}

impl Timer {
    /// Notes the JSON-RPC code, 0 for success.
    pub(crate) fn finish(mut self, code: i32) {
        self.outcome = outcome(code);
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        REQUESTS_IN_FLIGHT.add(-1, [self.transport]);
        REQUESTS.add(1, [self.method, self.transport, self.outcome]);
        REQUEST_DURATION.record(self.start.elapsed(), [self.method]);
    }
}

const fn outcome(code: i32) -> &'static str {
    match code {
        0 => "ok",
        -32700..=-32600 => match code {
            -32603 => "internal",
            -32601 => "no_such_method",
            _ => "bad_params",
        },
        -32001 => "not_authenticated",
        -32003 => "access_denied",
        -32004 => "not_found",
        -32009 => "wrong_state",
        -32029 => "limit_reached",
        -32050 => "unavailable",
        -32051 => "timeout",
        _ => "other",
    }
}

/// Begins to measure a request.
pub(crate) fn request(method: &'static str, transport: &'static str) -> Timer {
    REQUESTS_IN_FLIGHT.add(1, [transport]);
    Timer { method, transport, start: Instant::now(), outcome: "cancelled" }
}

/// So many sockets may be open.
pub(crate) fn sockets_limit(limit: usize) {
    SOCKETS_LIMIT.set_count(limit as u64, []);
}

/// A socket was opened.
pub(crate) fn socket_began() {
    SOCKETS.add(1, []);
}

/// A socket is gone.
pub(crate) fn socket_ended() {
    SOCKETS.add(-1, []);
}

/// A handshake was refused.
pub(crate) fn handshake_refused(reason: &'static str) {
    SOCKETS_REFUSED.add(1, [reason]);
}

/// The edge closes a socket.
pub(crate) fn closed(reason: &'static str) {
    SOCKETS_CLOSED.add(1, [reason]);
}

/// What came is no request, or of no method.
pub(crate) fn refused(transport: &'static str) {
    FRAMES_REFUSED.add(1, [transport]);
}

/// So many sockets have not taken so many bytes.
pub(crate) fn backlog(sockets: u64, bytes: u64) {
    BACKLOG_SOCKETS.set_count(sockets, []);
    BACKLOG_BYTES.set_count(bytes, []);
}

/// Events came from the notifier.
pub(crate) fn events(count: u64) {
    EVENTS.add(count, []);
}

/// An event was written to sockets so long after it was made.
pub(crate) fn event_lag(lag: Duration) {
    EVENT_LAG.record(lag, []);
}

/// Events were written to sockets.
pub(crate) fn deliveries(count: u64) {
    DELIVERIES.add(count, []);
}

/// Subscribers were told of a gap.
pub(crate) fn gaps(reason: &'static str, count: u64) {
    GAPS.add(count, [reason]);
}

/// A subscription began with a cursor.
pub(crate) fn resume() {
    RESUMES.add(1, []);
}

/// Events came from replays.
pub(crate) fn replayed(count: u64) {
    REPLAYED.add(count, []);
}

/// Subscriptions began, or ended.
pub(crate) fn subscriptions(change: i64) {
    SUBSCRIPTIONS.add(change, []);
}

/// A live stream was opened.
pub(crate) fn stream_opened() {
    NOTIFIER_STREAMS.add(1, []);
}
