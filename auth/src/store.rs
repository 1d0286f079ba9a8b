//! Where the directory is kept: the forms of the port
//! [`Directory`].
//!
//! The texts in `sql` are good for `SQLite` and `PostgreSQL` alike; `engine` runs them on either,
//! [`database`] says which make up an operation. What every form must do is in `conformance`
//! (feature `testing`).

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
pub mod database;
mod engine;
mod migrations;
mod sql;

use std::sync::Arc;

use mesh::Clock;

use crate::config::Database;
use crate::domain::directory::{Directory, StoreError};
use database::SqlDirectory;

/// Opens the database, creates it when it is a file that is not there, and brings its schema up
/// to date.
///
/// # Errors
/// When the URL is of no known kind, or the database cannot be opened or is newer than this
/// program.
pub async fn open(settings: &Database, clock: &Clock) -> Result<Arc<dyn Directory>, StoreError> {
    Ok(Arc::new(SqlDirectory::open(settings, clock.now()).await?))
}

/// True when the database is certainly not there yet; so is one in memory.
pub async fn is_new(settings: &Database) -> bool {
    engine::is_new(&settings.url).await
}
