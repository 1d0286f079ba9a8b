//! The schema, in the steps by which it came about. A step that was released is never edited.

/// One step.
#[derive(Debug)]
pub(super) struct Migration {
    /// Counts from 1.
    pub(super) version: i64,
    /// Its statements.
    pub(super) text: &'static str,
}

/// Every step, in order.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, text: include_str!("../../migrations/0001_directory.sql") },
    Migration { version: 2, text: include_str!("../../migrations/0002_sessions.sql") },
    Migration { version: 3, text: include_str!("../../migrations/0003_queues.sql") },
    Migration { version: 4, text: include_str!("../../migrations/0004_accounting.sql") },
    Migration { version: 5, text: include_str!("../../migrations/0005_held_credit.sql") },
];

/// Remembers which steps were taken.
pub(super) const CREATE_TABLE: &str = "
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version BIGINT NOT NULL PRIMARY KEY,
        applied_at BIGINT NOT NULL
    )";
pub(super) const NEWEST: &str = "SELECT COALESCE(MAX(version), 0) FROM schema_migrations";
pub(super) const RECORD: &str =
    "INSERT INTO schema_migrations (version, applied_at) VALUES ($1, $2)";
