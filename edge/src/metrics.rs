//! Every metric of the edge.

use std::sync::LazyLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, UpDownCounter};
use tokio::time::Instant;

static INSTRUMENTS: LazyLock<Metrics> = LazyLock::new(Metrics::declare);

/// Every metric of the edge.
#[derive(Debug)]
pub(crate) struct Metrics {
    sockets: UpDownCounter<i64>,
    sockets_refused: Counter<u64>,
    sockets_closed: Counter<u64>,
    requests: Counter<u64>,
    request_seconds: Histogram<f64>,
    frames_refused: Counter<u64>,
    events: Counter<u64>,
    deliveries: Counter<u64>,
    gaps: Counter<u64>,
    resumes: Counter<u64>,
    replayed: Counter<u64>,
    subscriptions: UpDownCounter<i64>,
    notifier_streams: Counter<u64>,
}

/// Measures one request; one that is given up counts as cancelled.
#[derive(Debug)]
pub(crate) struct Timer {
    metrics: &'static Metrics,
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
        self.metrics.requests.add(
            1,
            &[
                KeyValue::new("method", self.method),
                KeyValue::new("transport", self.transport),
                KeyValue::new("outcome", self.outcome),
            ],
        );
        self.metrics
            .request_seconds
            .record(self.start.elapsed().as_secs_f64(), &[KeyValue::new("method", self.method)]);
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

/// The metrics of this process.
pub(crate) fn metrics() -> &'static Metrics {
    &INSTRUMENTS
}

impl Metrics {
    fn declare() -> Self {
        let meter = mesh::metrics::meter("edge");
        let counter = |name: &'static str, what: &'static str| {
            meter.u64_counter(name).with_description(what).build()
        };
        let gauge = |name: &'static str, what: &'static str| {
            meter.i64_up_down_counter(name).with_description(what).build()
        };
        Self {
            sockets: gauge("edge_sockets", "WebSockets that are open."),
            sockets_refused: counter(
                "edge_sockets_refused",
                "Handshakes that were refused, by reason.",
            ),
            sockets_closed: counter(
                "edge_sockets_closed",
                "WebSockets closed by the edge, by reason.",
            ),
            requests: counter("edge_requests", "Requests, by method, transport and outcome."),
            request_seconds: meter
                .f64_histogram("edge_request_duration")
                .with_unit("s")
                .with_description("Time until a request was answered, by method.")
                .with_boundaries(mesh::metrics::SECONDS.to_vec())
                .build(),
            frames_refused: counter(
                "edge_frames_refused",
                "Requests that were none, or of no method.",
            ),
            events: counter("edge_events", "Events that came from the notifier."),
            deliveries: counter("edge_deliveries", "Events queued to sockets."),
            gaps: counter("edge_gaps", "Gaps that were told to subscribers, by reason."),
            resumes: counter("edge_resumes", "Subscriptions that began with a cursor."),
            replayed: counter("edge_replayed_events", "Events that came from replays."),
            subscriptions: gauge("edge_subscriptions", "Subscriptions of sockets."),
            notifier_streams: counter("edge_notifier_streams", "Live streams that were opened."),
        }
    }

    /// Begins to measure a request.
    pub(crate) fn request(&'static self, method: &'static str, transport: &'static str) -> Timer {
        Timer { metrics: self, method, transport, start: Instant::now(), outcome: "cancelled" }
    }

    pub(crate) fn socket_began(&self) {
        self.sockets.add(1, &[]);
    }

    pub(crate) fn socket_ended(&self) {
        self.sockets.add(-1, &[]);
    }

    pub(crate) fn handshake_refused(&self, reason: &'static str) {
        self.sockets_refused.add(1, &[KeyValue::new("reason", reason)]);
    }

    pub(crate) fn closed(&self, reason: &'static str) {
        self.sockets_closed.add(1, &[KeyValue::new("reason", reason)]);
    }

    pub(crate) fn refused(&self, transport: &'static str) {
        self.frames_refused.add(1, &[KeyValue::new("transport", transport)]);
    }

    pub(crate) fn events(&self, count: u64) {
        self.events.add(count, &[]);
    }

    pub(crate) fn deliveries(&self, count: u64) {
        self.deliveries.add(count, &[]);
    }

    pub(crate) fn gaps(&self, reason: &'static str, count: u64) {
        self.gaps.add(count, &[KeyValue::new("reason", reason)]);
    }

    pub(crate) fn resume(&self) {
        self.resumes.add(1, &[]);
    }

    pub(crate) fn replayed(&self, count: u64) {
        self.replayed.add(count, &[]);
    }

    pub(crate) fn subscriptions(&self, change: i64) {
        self.subscriptions.add(change, &[]);
    }

    pub(crate) fn stream_opened(&self) {
        self.notifier_streams.add(1, &[]);
    }
}
