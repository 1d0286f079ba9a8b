//! How a `PostgreSQL` database is opened, and what it calls things.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use super::{Isolation, failed};
use crate::config::Database;
use crate::domain::directory::StoreError;

/// How long a connection is used at most: so the load follows when servers change.
const MAX_LIFETIME: Duration = Duration::from_mins(30);
/// How long a connection that nobody needs is kept.
const IDLE_TIMEOUT: Duration = Duration::from_mins(5);

/// Held until the end of the transaction. The number is any that nobody else uses.
pub(super) const LOCK_SCHEMA: &str =
    "SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(4918232716303)";

/// Connects, so that what is wrong with the address is told at once.
pub(super) async fn open(settings: &Database) -> Result<PgPool, StoreError> {
    let options = options(settings).await?;
    let refused = |error: &sqlx::Error| StoreError::Address {
        url: shown(&options),
        reason: error.to_string(),
    };
    PgPoolOptions::new()
        .max_connections(settings.connections)
        .acquire_timeout(settings.acquire_timeout)
        .max_lifetime(MAX_LIFETIME)
        .idle_timeout(IDLE_TIMEOUT)
        .connect_with(options.clone())
        .await
        .map_err(|error| match &error {
            // No such user or password, no such database, no right to it; no TLS where it is
            // asked for.
            sqlx::Error::Database(cause)
                if matches!(
                    cause.code().as_deref(),
                    Some("28000" | "28P01" | "3D000" | "42501")
                ) =>
            {
                refused(&error)
            }
            sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => refused(&error),
            _ => failed(error),
        })
}

async fn options(settings: &Database) -> Result<PgConnectOptions, StoreError> {
    let url = settings.url.as_str();
    if !url.starts_with("postgres:") && !url.starts_with("postgresql:") {
        // The URL of another database may hold a password, so it is not repeated.
        let kind = url.split(':').next().unwrap_or_default();
        return Err(StoreError::Address {
            url: format!("{kind}:…"),
            reason: "only `sqlite://PATH`, `sqlite::memory:` and `postgres://USER@HOST/DATABASE` \
                     are known"
                .to_owned(),
        });
    }
    let mut options = PgConnectOptions::from_str(url).map_err(|error| StoreError::Address {
        url: "postgres:…".to_owned(),
        reason: error.to_string(),
    })?;
    if let Some(file) = &settings.password_file {
        let password =
            tokio::fs::read_to_string(file).await.map_err(|error| StoreError::Address {
                url: shown(&options),
                reason: format!("`database.password_file` {}: {error}", file.display()),
            })?;
        options = options.password(password.trim_end_matches(['\r', '\n']));
    }
    let millis = settings.statement_timeout.as_millis().to_string();
    Ok(options.application_name("cordboard").options([
        ("statement_timeout", millis.as_str()),
        // A process that lost its network while it held a lock must not hold it for long.
        ("idle_in_transaction_session_timeout", millis.as_str()),
    ]))
}

/// The address without its password.
fn shown(options: &PgConnectOptions) -> String {
    format!(
        "postgres://{}@{}:{}/{}",
        options.get_username(),
        options.get_host(),
        options.get_port(),
        options.get_database().unwrap_or(options.get_username())
    )
}

pub(super) const fn begin(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Snapshot => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        Isolation::RowLocks => "BEGIN ISOLATION LEVEL READ COMMITTED",
        Isolation::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE",
    }
}

/// A schema's text with the types of this database. Texts are compared and sorted byte by byte, as
/// `SQLite` does, whatever the database was made with.
pub(super) fn dialect(text: &str) -> String {
    text.replace(" TEXT", " TEXT COLLATE \"C\"").replace(" BLOB", " BYTEA")
}
