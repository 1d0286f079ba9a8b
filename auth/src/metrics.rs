//! Every metric of the service beside those that every RPC has.

use std::time::Duration;

use mesh::metrics::{Counter, Histogram, Label, SECONDS};

/// How an attempt to open a session ended.
const LOGIN_OUTCOMES: [&str; 11] = [
    "opened",
    "AUTH_FAILED",
    "MUST_CHANGE_PASSWORD",
    "REALM_REQUIRED",
    "PASSWORD_REFUSED",
    "LOCKED",
    "LIMIT_REACHED",
    "LOGIN_NOT_FOUND",
    "ACCESS_DENIED",
    "INTERNAL",
    "UNAVAILABLE",
];

mesh::metrics! {
    /// Every metric of the service beside those that every RPC has.
    pub METRICS;
    LOGINS: Counter<1> = Counter::new(
        "auth_logins_total",
        "Attempts to open a session, by outcome.",
        &[Label::of("outcome", &LOGIN_OUTCOMES)],
    );
    REFRESHES: Counter<1> = Counter::new(
        "auth_refreshes_total",
        "Refresh tokens presented, by outcome.",
        &[Label::of("outcome", &["rotated", "repeated", "reused", "refused"])],
    );
    REVOCATIONS: Counter<0> =
        Counter::new("auth_revocations_total", "Revocations read from the store.", &[]);
    ACCOUNTED: Counter<1> = Counter::new(
        "auth_accounting_records_total",
        "Accounting records read, by outcome.",
        &[Label::of("outcome", &["written", "repeated", "refused"])],
    );
    PASSWORD_CHECK: Histogram<0> = Histogram::new(
        "auth_password_check_duration_seconds",
        "Time from asking for a password check to its end.",
        &SECONDS,
        &[],
    );
}

/// Counts an attempt to open a session; `outcome` is `opened` or a reason of a refusal.
pub(crate) fn login(outcome: &'static str) {
    LOGINS.add(1, [outcome]);
}

/// Counts a refresh token that was presented; `outcome` is one of a few words.
pub(crate) fn refresh(outcome: &'static str) {
    REFRESHES.add(1, [outcome]);
}

/// Counts revocations read from the store.
pub(crate) fn revoked(count: usize) {
    REVOCATIONS.add(u64::try_from(count).unwrap_or(u64::MAX), []);
}

/// Notes how long a password check took, with the wait before it.
pub(crate) fn password_checked(took: Duration) {
    PASSWORD_CHECK.record(took, []);
}

/// Counts accounting records; `outcome` is one of a few words.
pub(crate) fn accounted(outcome: &'static str, count: usize) {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    ACCOUNTED.add(count, [outcome]);
}
