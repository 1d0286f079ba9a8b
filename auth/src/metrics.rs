//! Every metric of the service beside those that every RPC has.

use std::sync::LazyLock;
use std::time::Duration;

use mesh::metrics::{SECONDS, meter};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram};

struct Instruments {
    logins: Counter<u64>,
    refreshes: Counter<u64>,
    revocations: Counter<u64>,
    password_check: Histogram<f64>,
}

static INSTRUMENTS: LazyLock<Instruments> = LazyLock::new(|| {
    let meter = meter("auth");
    let counter = |name: &'static str, description: &'static str| {
        meter.u64_counter(name).with_description(description).build()
    };
    Instruments {
        logins: counter("auth_logins", "Attempts to open a session, by outcome."),
        refreshes: counter("auth_refreshes", "Refresh tokens presented, by outcome."),
        revocations: counter("auth_revocations", "Revocations read from the store."),
        password_check: meter
            .f64_histogram("auth_password_check_duration")
            .with_unit("s")
            .with_description("Time from asking for a password check to its end.")
            .with_boundaries(SECONDS.to_vec())
            .build(),
    }
});

/// Counts an attempt to open a session; `outcome` is `opened` or a reason of a refusal.
pub(crate) fn login(outcome: &'static str) {
    INSTRUMENTS.logins.add(1, &[KeyValue::new("outcome", outcome)]);
}

/// Counts a refresh token that was presented; `outcome` is one of a few words.
pub(crate) fn refresh(outcome: &'static str) {
    INSTRUMENTS.refreshes.add(1, &[KeyValue::new("outcome", outcome)]);
}

/// Counts revocations read from the store.
pub(crate) fn revoked(count: usize) {
    INSTRUMENTS.revocations.add(u64::try_from(count).unwrap_or(u64::MAX), &[]);
}

/// Notes how long a password check took, with the wait before it.
pub(crate) fn password_checked(took: Duration) {
    INSTRUMENTS.password_check.record(took.as_secs_f64(), &[]);
}
