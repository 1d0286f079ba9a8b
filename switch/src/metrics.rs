//! Every metric of the service.

use mesh::metrics::{Counter, Gauge, Histogram, Label, MINUTES, SECONDS, UpDown};

/// What came of a command: `done`, or the kind of its refusal.
const COMMAND_OUTCOMES: [&str; 8] = [
    "done",
    "invalid",
    "not_found",
    "wrong_state",
    "not_allowed",
    "overloaded",
    "unavailable",
    "late",
];

/// What the driver is told to do; see `Op::name`.
const OPERATION: Label = Label::of("operation", &crate::driver::OPERATIONS);

/// SIP codes with which legs end; the rest is `other`.
const END_CODES: [&str; 13] =
    ["200", "302", "402", "403", "404", "408", "480", "482", "486", "487", "503", "603", "other"];

mesh::metrics! {
    /// Every metric of the service.
    pub METRICS;
    COMMANDS: Counter<2> = Counter::new(
        "switch_commands_total",
        "Commands answered, by the API method that they carry out and outcome.",
        &[Label::method(), Label::of("outcome", &COMMAND_OUTCOMES)],
    );
    COMMAND_DURATION: Histogram<1> = Histogram::new(
        "switch_command_duration_seconds",
        "Time from a command's coming to its answer, with what it made the switch do.",
        &SECONDS,
        &[Label::method()],
    );
    COMMANDS_UNKNOWN: Counter<0> = Counter::new(
        "switch_commands_unknown_total",
        "Commands that could not be read, or name no method of the API.",
        &[],
    );
    CALLS: UpDown<0> = UpDown::new("switch_calls", "Calls that live.", &[]);
    LEGS: Gauge<0> = Gauge::new("switch_legs", "Legs that live.", &[]);
    CONFERENCES: Gauge<0> = Gauge::new("switch_conferences", "Conferences that live.", &[]);
    CUSTOMERS: UpDown<0> =
        UpDown::new("switch_customers", "Customers whose calls live on this node.", &[]);
    CALLS_ENDED: Counter<0> = Counter::new("switch_calls_ended_total", "Calls that are over.", &[]);
    LEGS_ENDED: Counter<1> = Counter::new(
        "switch_legs_ended_total",
        "Legs that have ended, by SIP code.",
        &[Label::of("code", &END_CODES)],
    );
    QUEUED_CALLS: UpDown<0> = UpDown::new("switch_queued_calls", "Calls that wait in queues.", &[]);
    QUEUE_LEFT: Counter<1> = Counter::new(
        "switch_queue_left_total",
        "Calls that have left a queue, by reason.",
        &[Label::of("reason", &crate::domain::LEAVES)],
    );
    QUEUE_WAIT: Histogram<0> = Histogram::new(
        "switch_queue_wait_seconds",
        "Time that calls waited in a queue.",
        &MINUTES,
        &[],
    );
    OPERATIONS: Counter<2> = Counter::new(
        "switch_driver_operations_total",
        "Operations that the driver was given, by outcome of each try.",
        &[OPERATION, Label::of("outcome", &["done", "refused", "unreachable", "late"])],
    );
    OPERATION_DURATION: Histogram<1> = Histogram::new(
        "switch_driver_operation_duration_seconds",
        "Time that the switch took for an operation.",
        &SECONDS,
        &[OPERATION],
    );
    SIGNALS: Counter<0> =
        Counter::new("switch_driver_signals_total", "Events that came from the driver.", &[]);
    COMMITS: Counter<1> = Counter::new(
        "switch_commits_total",
        "Tries to write to the store, by outcome.",
        &[Label::of(
            "outcome",
            &["done", "epoch_changed", "fenced", "conflict", "unavailable"],
        )],
    );
    COMMIT_DURATION: Histogram<0> = Histogram::new(
        "switch_commit_duration_seconds",
        "Time that the store took for a commit.",
        &SECONDS,
        &[],
    );
    COMMITTED_EVENTS: Counter<0> =
        Counter::new("switch_events_total", "Events written to the log.", &[]);
    BACKLOG_BYTES: Gauge<0> = Gauge::new(
        "switch_outbox_bytes",
        "Bytes, about, that wait to be written to the store.",
        &[],
    );
    FOLDED: Counter<0> = Counter::new(
        "switch_outbox_folded_total",
        "Times that events were dropped since the store was away for too long; readers are told.",
        &[],
    );
    LEASE_RENEWALS: Counter<1> = Counter::new(
        "switch_lease_renewals_total",
        "Tries to renew the node's lease, by outcome.",
        &[Label::of("outcome", &["renewed", "unavailable", "lost"])],
    );
    LEASE_REMAINING: Gauge<0> = Gauge::new(
        "switch_lease_remaining_seconds",
        "Time until the node's lease lapses; 0 without one.",
        &[],
    );
    IS_FLOWING: Gauge<0> = Gauge::new(
        "switch_store_reachable",
        "1 while the store takes what the node writes, else 0.",
        &[],
    );
}

/// The label of the SIP code with which a leg ended.
pub(crate) fn end_code(code: u16) -> &'static str {
    let text = code.to_string();
    END_CODES.into_iter().find(|known| *known == text).unwrap_or("other")
}

/// The label of what came of a command.
pub(crate) const fn outcome(code: tonic::Code) -> &'static str {
    match code {
        tonic::Code::Ok => "done",
        tonic::Code::NotFound => "not_found",
        tonic::Code::FailedPrecondition | tonic::Code::Aborted | tonic::Code::AlreadyExists => {
            "wrong_state"
        }
        tonic::Code::PermissionDenied | tonic::Code::Unauthenticated => "not_allowed",
        tonic::Code::ResourceExhausted => "overloaded",
        tonic::Code::DeadlineExceeded | tonic::Code::Cancelled => "late",
        tonic::Code::InvalidArgument | tonic::Code::OutOfRange | tonic::Code::Unimplemented => {
            "invalid"
        }
        tonic::Code::Unavailable
        | tonic::Code::Internal
        | tonic::Code::Unknown
        | tonic::Code::DataLoss => "unavailable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_and_code_is_a_declared_value() {
        for code in 0..=16 {
            assert!(COMMAND_OUTCOMES.contains(&outcome(tonic::Code::from_i32(code))), "{code}");
        }
        assert_eq!((end_code(486), end_code(599)), ("486", "other"));
    }
}
