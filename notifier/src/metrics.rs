//! Every metric of the service.

use std::time::Duration;

use mesh::metrics::{Counter, Gauge, Histogram, Label, SECONDS};

use crate::domain::deliveries::Outcome;
use crate::domain::frame::Loss;
use crate::hub::Figures;

const LOSSES: Label = Label::of("reason", &["log_lost", "cursor_too_old"]);

mesh::metrics! {
    /// Every metric of the service.
    pub METRICS;
    EVENTS_READ: Counter<0> =
        Counter::new("notifier_events_read_total", "Entries read from the event log.", &[]);
    EVENTS_SENT: Counter<0> =
        Counter::new("notifier_events_sent_total", "Events put into live streams of edges.", &[]);
    EVENTS_UNREADABLE: Counter<0> = Counter::new(
        "notifier_events_unreadable_total",
        "Entries of the event log that could not be read and were left out.",
        &[],
    );
    EVENT_LAG: Histogram<0> = Histogram::new(
        "notifier_event_lag_seconds",
        "Age, when handed out, of the oldest entry of each read.",
        &SECONDS,
        &[],
    );
    STREAMS: Gauge<0> = Gauge::new("notifier_streams", "Live streams of edges.", &[]);
    SCOPES: Gauge<0> = Gauge::new("notifier_scopes", "Scopes of all live streams.", &[]);
    BUFFERED_BYTES: Gauge<0> =
        Gauge::new("notifier_buffered_bytes", "Bytes that wait for edges.", &[]);
    SLOW_EDGES: Counter<0> = Counter::new(
        "notifier_slow_edges_total",
        "Live streams ended because the edge was too slow.",
        &[],
    );
    GAPS: Counter<1> = Counter::new(
        "notifier_gaps_total",
        "Losses of a partition told to live streams, by reason.",
        &[LOSSES],
    );
    REPLAYS: Counter<1> = Counter::new(
        "notifier_replays_total",
        "Replays, by whether memory was enough or the log was read.",
        &[Label::of("source", &["memory", "log"])],
    );
    REPLAY_EVENTS: Counter<0> =
        Counter::new("notifier_replay_events_total", "Events replayed.", &[]);
    REPLAY_GAPS: Counter<1> = Counter::new(
        "notifier_replay_gaps_total",
        "Replays that ended in a gap, by reason.",
        &[LOSSES],
    );
    HISTORY: Gauge<0> = Gauge::new(
        "notifier_history_seconds",
        "How far back the partition with the shortest history reaches; an hour at most.",
        &[],
    );
    TRIMS_FAILED: Counter<0> =
        Counter::new("notifier_trims_failed_total", "Trims of the log that failed.", &[]);
    PRESENCE_FAILED: Counter<0> = Counter::new(
        "notifier_presence_failed_total",
        "Notes of who listens to an access number that were not written.",
        &[],
    );
    WEBHOOK_ATTEMPTS: Counter<1> = Counter::new(
        "notifier_webhook_attempts_total",
        "Attempts to post a webhook, by outcome.",
        &[Label::of("outcome", &["taken", "failed"])],
    );
    WEBHOOKS_GIVEN_UP: Counter<0> = Counter::new(
        "notifier_webhooks_given_up_total",
        "Webhooks that no attempt could deliver in their time.",
        &[],
    );
    WEBHOOKS_DROPPED: Counter<0> = Counter::new(
        "notifier_webhooks_dropped_total",
        "Webhooks dropped because too many waited.",
        &[],
    );
    WEBHOOK_BYTES: Gauge<0> =
        Gauge::new("notifier_webhook_bytes", "Bytes of webhooks that wait.", &[]);
    WEBHOOKS_IN_FLIGHT: Gauge<0> =
        Gauge::new("notifier_webhooks_in_flight", "Attempts to post that are in flight.", &[]);
    UNREACHABLE: Gauge<0> = Gauge::new(
        "notifier_partitions_unreachable",
        "Partitions of the log whose last read failed.",
        &[],
    );
}

/// Entries were read and handed out; `lag` is the age of the oldest.
pub(crate) fn published(read: u64, sent: u64, lag: Option<Duration>) {
    EVENTS_READ.add(read, []);
    EVENTS_SENT.add(sent, []);
    if let Some(lag) = lag {
        EVENT_LAG.record(lag, []);
    }
}

/// An entry could not be read.
pub(crate) fn unreadable() {
    EVENTS_UNREADABLE.add(1, []);
}

/// A partition lost events.
pub(crate) fn lost(loss: Loss) {
    GAPS.add(1, [loss.reason()]);
}

/// Figures of the streams.
pub(crate) fn figures(figures: Figures, unreachable: u32) {
    STREAMS.set_count(figures.streams, []);
    SCOPES.set_count(figures.scopes, []);
    BUFFERED_BYTES.set_count(figures.buffered_bytes, []);
    UNREACHABLE.set_count(unreachable.into(), []);
}

/// An edge was too slow.
pub(crate) fn slow_edge() {
    SLOW_EDGES.add(1, []);
}

/// A replay is over, after so many events.
pub(crate) fn replayed(read_log: bool, events: u64) {
    REPLAYS.add(1, [if read_log { "log" } else { "memory" }]);
    REPLAY_EVENTS.add(events, []);
}

/// A replay found its start gone.
pub(crate) fn replay_lost(loss: Loss) {
    REPLAY_GAPS.add(1, [loss.reason()]);
}

/// How far back the shortest history reaches.
pub(crate) fn history(shortest: Duration) {
    HISTORY.set(shortest.as_secs_f64(), []);
}

/// A trim failed.
pub(crate) fn trim_failed() {
    TRIMS_FAILED.add(1, []);
}

/// Who listens to an access number was not noted.
pub(crate) fn presence_failed() {
    PRESENCE_FAILED.add(1, []);
}

/// An attempt to post has ended.
pub(crate) fn webhook_attempted(outcome: Outcome) {
    let outcome = match outcome {
        Outcome::Taken => "taken",
        Outcome::Failed => "failed",
    };
    WEBHOOK_ATTEMPTS.add(1, [outcome]);
}

/// A webhook could not be delivered in its time.
pub(crate) fn webhook_given_up() {
    WEBHOOKS_GIVEN_UP.add(1, []);
}

/// Webhooks were dropped because too many waited.
pub(crate) fn webhooks_dropped(count: usize) {
    WEBHOOKS_DROPPED.add(u64::try_from(count).unwrap_or(u64::MAX), []);
}

/// What waits and what is in flight.
pub(crate) fn webhooks_waiting(bytes: usize, in_flight: usize) {
    WEBHOOK_BYTES.set_count(u64::try_from(bytes).unwrap_or(u64::MAX), []);
    WEBHOOKS_IN_FLIGHT.set_count(u64::try_from(in_flight).unwrap_or(u64::MAX), []);
}
