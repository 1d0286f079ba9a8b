//! Where the directory is kept: the forms of the port
//! [`Directory`].
//!
//! The texts in `sql` are good for `SQLite` and `PostgreSQL` alike; [`sqlite`] runs them. What every
//! form must do is in `conformance` (feature `testing`).

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod migrations;
mod sql;
pub mod sqlite;

use std::sync::Arc;

use mesh::Clock;

use crate::domain::directory::{Directory, StoreError};
use sqlite::SqliteDirectory;

/// Opens the database at `url` (`sqlite://PATH` or `sqlite::memory:`), creates it when it is not
/// there, and brings its schema up to date.
///
/// # Errors
/// When the URL is of no known kind, or the database cannot be opened or is newer than this
/// program.
pub async fn open(url: &str, clock: &Clock) -> Result<Arc<dyn Directory>, StoreError> {
    Ok(Arc::new(SqliteDirectory::open(url, clock.now()).await?))
}

/// True when the database is certainly not there yet; so is one in memory.
pub async fn is_new(url: &str) -> bool {
    if sqlite::is_in_memory(url) {
        return true;
    }
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let path = path.split('?').next().unwrap_or(path);
    matches!(tokio::fs::try_exists(path).await, Ok(false))
}
