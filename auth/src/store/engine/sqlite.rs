//! How a `SQLite` database is opened: write-ahead log, one writer, several readers.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tokio::fs::DirBuilder;

use super::failed;
use crate::config::Database;
use crate::domain::directory::StoreError;

/// Connections that read beside the one that writes.
const READERS: u32 = 4;

/// Where a `SQLite` database is.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Address<'a> {
    url: &'a str,
}

impl<'a> Address<'a> {
    /// The address that `url` is, unless it is one of another kind.
    pub(in crate::store) fn of(url: &'a str) -> Option<Self> {
        url.starts_with("sqlite:").then_some(Self { url })
    }

    /// True when the database ends with the process.
    pub(in crate::store) fn is_in_memory(self) -> bool {
        self.url.starts_with("sqlite::memory:") || self.url.contains("mode=memory")
    }

    /// True when the database is certainly not there yet; so is one in memory.
    pub(in crate::store) async fn is_new(self) -> bool {
        if self.is_in_memory() {
            return true;
        }
        let path = self.url.trim_start_matches("sqlite:").trim_start_matches("//");
        let path = path.split('?').next().unwrap_or(path);
        matches!(tokio::fs::try_exists(path).await, Ok(false))
    }

    /// Opens the one that writes, and those that read. A database in memory lives as long as its
    /// single connection.
    pub(super) async fn open(
        self,
        settings: &Database,
    ) -> Result<(SqlitePool, SqlitePool), StoreError> {
        let options = self.options(settings.statement_timeout)?;
        if let Some(folder) = options.get_filename().parent().filter(|_| !self.is_in_memory()) {
            // The database holds the key that signs tokens: a folder made for it is closed.
            let created = DirBuilder::new().recursive(true).mode(0o700).create(folder).await;
            created.map_err(|error| self.refused(error.to_string()))?;
        }
        let pool = |connections| pool(connections, settings.acquire_timeout);
        let write = pool(1).connect_with(options.clone()).await.map_err(failed)?;
        let read = if self.is_in_memory() {
            write.clone()
        } else {
            pool(READERS).connect_with(options.read_only(true)).await.map_err(failed)?
        };
        Ok((write, read))
    }

    fn options(self, busy_timeout: Duration) -> Result<SqliteConnectOptions, StoreError> {
        Ok(SqliteConnectOptions::from_str(self.url)
            .map_err(|error| self.refused(error.to_string()))?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // Safe with a write-ahead log: a power cut may lose the last commits, never the
            // database.
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(busy_timeout))
    }

    fn refused(self, reason: String) -> StoreError {
        StoreError::Address { url: self.url.to_owned(), reason }
    }
}

fn pool(connections: u32, acquire_timeout: Duration) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(acquire_timeout)
        // A connection that is never closed keeps its prepared statements, and a database in
        // memory its content.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}
