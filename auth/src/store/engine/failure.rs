//! What errors of a database mean, and when to try again.

use std::time::Duration;

use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

use crate::domain::directory::StoreError;

/// Runs of a transaction that loses its races.
const ATTEMPTS: u32 = 10;
/// Longest wait before the second run; it doubles with each.
const FIRST_DELAY: Duration = Duration::from_millis(4);

/// Tells what passes by itself from what does not.
pub(in crate::store) fn failed(error: sqlx::Error) -> StoreError {
    if is_passing(&error) {
        StoreError::Unavailable(Box::new(error))
    } else {
        StoreError::Failed(Box::new(error))
    }
}

fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            if error.try_downcast_ref::<SqliteError>().is_some() {
                // SQLITE_BUSY and SQLITE_LOCKED with their extended codes.
                return code.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6));
            }
            // Connection exceptions, out of resources, and operators who intervene; races that
            // were lost; a lock or an answer that took too long; a server that only reads, as one
            // does that is not the primary any more.
            matches!(code.get(..2), Some("08" | "53" | "57"))
                || matches!(code.as_ref(), "40001" | "40P01" | "55P03" | "25006")
        }
        _ => false,
    }
}

/// Whether a transaction failed only because of another one, so that it may do what it was asked
/// when it runs again. Of two that add the same key, `PostgreSQL` may tell the second of the key
/// instead of the race.
fn is_lost_race(error: &StoreError) -> bool {
    let (StoreError::Unavailable(source) | StoreError::Failed(source)) = error else {
        return false;
    };
    let Some(sqlx::Error::Database(error)) = source.downcast_ref() else { return false };
    error.try_downcast_ref::<PgDatabaseError>().is_some()
        && matches!(error.code().as_deref(), Some("40001" | "40P01" | "23505"))
}

/// Counts the runs of a transaction.
#[derive(Debug, Default)]
pub(in crate::store) struct Attempts {
    made: u32,
}

impl Attempts {
    /// Whether to run again after an error; waits for a moment first.
    pub(in crate::store) async fn again(&mut self, error: &StoreError) -> bool {
        self.made += 1;
        if self.made >= ATTEMPTS || !is_lost_race(error) {
            return false;
        }
        // Whoever lost to each other must not meet again.
        let longest = FIRST_DELAY * 2_u32.pow(self.made - 1);
        tokio::time::sleep(longest.mul_f64(fraction())).await;
        true
    }
}

/// Between 0 and 1, another each time.
fn fraction() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}
