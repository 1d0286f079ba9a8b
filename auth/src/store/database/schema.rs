//! Brings the schema up to date.

use mesh::clock::Timestamp;

use crate::domain::directory::StoreError;
use crate::store::engine::{Isolation, Pool, query, query_scalar, transaction};
use crate::store::migrations::{CREATE_TABLE, MIGRATIONS, NEWEST, RECORD};

/// Takes the steps that were not taken yet, all in one transaction: a process that starts at the
/// same time waits and then finds nothing to do.
pub(super) async fn migrate(pool: &Pool, now: Timestamp) -> Result<(), StoreError> {
    transaction!(pool, Isolation::RowLocks, tx, {
        pool.lock_schema(tx).await?;
        tx.script(pool.dialect(CREATE_TABLE)).await?;
        let found: i64 = query_scalar(NEWEST).fetch_one(&mut *tx).await?;
        let known = MIGRATIONS.last().map_or(0, |step| step.version);
        if found > known {
            return Err(StoreError::TooNew { found, known });
        }
        for step in MIGRATIONS.iter().filter(|step| step.version > found) {
            tx.script(pool.dialect(step.text)).await?;
            query(RECORD).bind(step.version).bind(now.as_micros()).execute(&mut *tx).await?;
        }
        Ok(())
    })
}
