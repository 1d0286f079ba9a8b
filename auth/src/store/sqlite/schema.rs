//! Brings the schema up to date.

use mesh::clock::Timestamp;
use sqlx::sqlite::SqlitePool;

use super::failed;
use crate::domain::directory::StoreError;
use crate::store::migrations::{CREATE_TABLE, MIGRATIONS, NEWEST, RECORD};

/// Takes the steps that were not taken yet, all in one transaction: a process that starts at the
/// same time waits and then finds nothing to do.
pub(super) async fn migrate(pool: &SqlitePool, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    sqlx::query(CREATE_TABLE).execute(&mut *tx).await.map_err(failed)?;
    let found: i64 = sqlx::query_scalar(NEWEST).fetch_one(&mut *tx).await.map_err(failed)?;
    let known = MIGRATIONS.last().map_or(0, |step| step.version);
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    for step in MIGRATIONS.iter().filter(|step| step.version > found) {
        sqlx::raw_sql(step.text).execute(&mut *tx).await.map_err(failed)?;
        sqlx::query(RECORD)
            .bind(step.version)
            .bind(now.as_micros())
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
    }
    tx.commit().await.map_err(failed)
}
