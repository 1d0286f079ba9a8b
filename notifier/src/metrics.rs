//! Every metric of the service.

use std::sync::LazyLock;
use std::time::Duration;

use mesh::metrics::{SECONDS, meter};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram};

use crate::domain::frame::Loss;
use crate::hub::Figures;

struct Instruments {
    events_read: Counter<u64>,
    events_sent: Counter<u64>,
    events_unreadable: Counter<u64>,
    event_lag: Histogram<f64>,
    streams: Gauge<u64>,
    scopes: Gauge<u64>,
    buffered_bytes: Gauge<u64>,
    slow_edges: Counter<u64>,
    gaps: Counter<u64>,
    replays: Counter<u64>,
    replay_events: Counter<u64>,
    replay_gaps: Counter<u64>,
    trims_failed: Counter<u64>,
    presence_failed: Counter<u64>,
}

static INSTRUMENTS: LazyLock<Instruments> = LazyLock::new(|| {
    let meter = meter("notifier");
    let counter = |name: &'static str, description: &'static str| {
        meter.u64_counter(name).with_description(description).build()
    };
    let gauge = |name: &'static str, description: &'static str| {
        meter.u64_gauge(name).with_description(description).build()
    };
    Instruments {
        events_read: counter("notifier_events_read", "Entries read from the event log."),
        events_sent: counter("notifier_events_sent", "Events put into live streams of edges."),
        events_unreadable: counter(
            "notifier_events_unreadable",
            "Entries of the event log that could not be read and were left out.",
        ),
        event_lag: meter
            .f64_histogram("notifier_event_lag")
            .with_unit("s")
            .with_description("Age, when handed out, of the oldest entry of each read.")
            .with_boundaries(SECONDS.to_vec())
            .build(),
        streams: gauge("notifier_streams", "Live streams of edges."),
        scopes: gauge("notifier_scopes", "Scopes of all live streams."),
        buffered_bytes: gauge("notifier_buffered_bytes", "Bytes that wait for edges."),
        slow_edges: counter(
            "notifier_slow_edges",
            "Live streams ended because the edge was too slow.",
        ),
        gaps: counter("notifier_gaps", "Losses of a partition told to live streams, by reason."),
        replays: counter(
            "notifier_replays",
            "Replays begun, by whether memory was enough or the log was read.",
        ),
        replay_events: counter("notifier_replay_events", "Events replayed."),
        replay_gaps: counter("notifier_replay_gaps", "Replays that ended in a gap, by reason."),
        trims_failed: counter("notifier_trims_failed", "Trims of the log that failed."),
        presence_failed: counter(
            "notifier_presence_failed",
            "Notes of who listens to an access number that were not written.",
        ),
    }
});

/// Entries were read and handed out; `lag` is the age of the oldest.
pub(crate) fn published(read: u64, sent: u64, lag: Option<Duration>) {
    INSTRUMENTS.events_read.add(read, &[]);
    INSTRUMENTS.events_sent.add(sent, &[]);
    if let Some(lag) = lag {
        INSTRUMENTS.event_lag.record(lag.as_secs_f64(), &[]);
    }
}

/// An entry could not be read.
pub(crate) fn unreadable() {
    INSTRUMENTS.events_unreadable.add(1, &[]);
}

/// A partition lost events.
pub(crate) fn lost(loss: Loss) {
    INSTRUMENTS.gaps.add(1, &[KeyValue::new("reason", loss.reason())]);
}

/// Figures of the streams.
pub(crate) fn figures(figures: Figures) {
    INSTRUMENTS.streams.record(figures.streams, &[]);
    INSTRUMENTS.scopes.record(figures.scopes, &[]);
    INSTRUMENTS.buffered_bytes.record(figures.buffered_bytes, &[]);
}

/// An edge was too slow.
pub(crate) fn slow_edge() {
    INSTRUMENTS.slow_edges.add(1, &[]);
}

/// A replay is over, after so many events.
pub(crate) fn replayed(read_log: bool, events: u64) {
    let source = if read_log { "log" } else { "memory" };
    INSTRUMENTS.replays.add(1, &[KeyValue::new("source", source)]);
    INSTRUMENTS.replay_events.add(events, &[]);
}

/// A replay found its start gone.
pub(crate) fn replay_lost(loss: Loss) {
    INSTRUMENTS.replay_gaps.add(1, &[KeyValue::new("reason", loss.reason())]);
}

/// A trim failed.
pub(crate) fn trim_failed() {
    INSTRUMENTS.trims_failed.add(1, &[]);
}

/// Who listens to an access number was not noted.
pub(crate) fn presence_failed() {
    INSTRUMENTS.presence_failed.add(1, &[]);
}
