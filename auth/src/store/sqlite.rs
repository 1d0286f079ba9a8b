//! The directory in `SQLite`: write-ahead log, one writer, several readers.

mod admin;
mod apply;
mod login;
mod party;
mod schema;
mod session;
mod snapshot;

use std::str::FromStr as _;
use std::time::Duration;

use async_trait::async_trait;
use mesh::clock::Timestamp;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};
use tokio::fs::DirBuilder;

use crate::domain::access::{Component, Level, Realm};
use crate::domain::directory::{
    AccountKey, Applied, ApplyError, CustomerKey, Directory, Page, StoreError, Within,
};
use crate::domain::id::{IAccount, ICGroup, ICQueue};
use crate::domain::party::{AccountDetails, Customer, Entry, HuntGroup, Standing};
use crate::domain::plan::Plan;
use crate::domain::principal::{Credential, Subject};
use crate::domain::secret::Secret;
use crate::domain::session::{
    Exchange, Exchanged, NewSession, OpenSession, Revocation, SessionId, StoredKey,
};
use crate::domain::snapshot::Snapshot;

/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that read beside the one that writes.
const READERS: u32 = 4;

/// The directory in one `SQLite` database.
#[derive(Clone, Debug)]
pub struct SqliteDirectory {
    write: SqlitePool,
    read: SqlitePool,
}

impl SqliteDirectory {
    /// Opens the database and brings its schema up to date. A database in memory lives as long as
    /// this value and has a single connection.
    ///
    /// # Errors
    /// When it cannot be opened, is not ours, or is newer than this program.
    pub async fn open(url: &str, now: Timestamp) -> Result<Self, StoreError> {
        let is_in_memory = is_in_memory(url);
        let options = options(url)?;
        if let Some(folder) = options.get_filename().parent().filter(|_| !is_in_memory) {
            // The database holds the key that signs tokens: a folder made for it is closed.
            let created = DirBuilder::new().recursive(true).mode(0o700).create(folder).await;
            created.map_err(|error| StoreError::Address {
                url: url.to_owned(),
                reason: error.to_string(),
            })?;
        }

        let write = pool(1).connect_with(options.clone()).await.map_err(failed)?;
        schema::migrate(&write, now).await?;
        let read = if is_in_memory {
            write.clone()
        } else {
            pool(READERS).connect_with(options.read_only(true)).await.map_err(failed)?
        };
        Ok(Self { write, read })
    }

    /// Begins a transaction that may write. Locking at once, it never fails half-way because
    /// another writer came between.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.write.begin_with("BEGIN IMMEDIATE").await.map_err(failed)
    }
}

/// True when `url` names a database that ends with the process.
pub(crate) fn is_in_memory(url: &str) -> bool {
    url.starts_with("sqlite::memory:") || url.contains("mode=memory")
}

fn options(url: &str) -> Result<SqliteConnectOptions, StoreError> {
    let refused = |reason: String| StoreError::Address { url: url.to_owned(), reason };
    if !url.starts_with("sqlite:") {
        // The URL of another database may hold a password, so it is not repeated.
        let kind = url.split(':').next().unwrap_or_default().to_owned();
        return Err(StoreError::Address {
            url: format!("{kind}:…"),
            reason: "only `sqlite://PATH` and `sqlite::memory:` are known".to_owned(),
        });
    }
    Ok(SqliteConnectOptions::from_str(url)
        .map_err(|error| refused(error.to_string()))?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // Safe with a write-ahead log: a power cut may lose the last commits, never the database.
        .synchronous(SqliteSynchronous::Normal)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT))
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A connection that is never closed keeps its prepared statements, and a database in
        // memory its content.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// Tells what passes by itself from what does not.
fn failed(error: sqlx::Error) -> StoreError {
    let is_passing = match &error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Io(_) => true,
        // SQLITE_BUSY and SQLITE_LOCKED with their extended codes.
        sqlx::Error::Database(error) => error
            .code()
            .and_then(|code| code.parse::<i32>().ok())
            .is_some_and(|code| matches!(code & 0xff, 5 | 6)),
        _ => false,
    };
    if is_passing {
        StoreError::Unavailable(Box::new(error))
    } else {
        StoreError::Failed(Box::new(error))
    }
}

#[async_trait]
impl Directory for SqliteDirectory {
    async fn credentials(
        &self,
        login: &str,
        realm: Option<Realm>,
    ) -> Result<Vec<Credential>, StoreError> {
        login::credentials(&self.read, login, realm).await
    }

    async fn credential(&self, subject: Subject) -> Result<Option<Credential>, StoreError> {
        login::credential(&self.read, subject).await
    }

    async fn set_password(
        &self,
        subject: Subject,
        password_hash: &Secret,
        kept: &SessionId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        login::set_password(&mut tx, subject, password_hash).await?;
        session::end_others(&mut tx, subject, kept, at).await?;
        tx.commit().await.map_err(failed)
    }

    async fn open_session(&self, session: &NewSession) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        session::open(&mut tx, session).await?;
        tx.commit().await.map_err(failed)
    }

    async fn exchange(&self, exchange: &Exchange) -> Result<Exchanged, StoreError> {
        let mut tx = self.begin().await?;
        let exchanged = session::exchange(&mut tx, exchange).await?;
        if exchanged == Exchanged::Refused {
            tx.rollback().await.map_err(failed)?;
        } else {
            tx.commit().await.map_err(failed)?;
        }
        Ok(exchanged)
    }

    async fn session(&self, id: &SessionId) -> Result<Option<OpenSession>, StoreError> {
        session::find(&self.read, id).await
    }

    async fn end_session(&self, id: &SessionId, at: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        session::end(&mut tx, id, at).await?;
        tx.commit().await.map_err(failed)
    }

    async fn revocations(
        &self,
        position: i64,
        since: Timestamp,
    ) -> Result<Vec<Revocation>, StoreError> {
        session::revocations(&self.read, position, since).await
    }

    async fn revocation_position(&self) -> Result<i64, StoreError> {
        session::revocation_position(&self.read).await
    }

    async fn purge(&self, now: Timestamp, since: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        session::purge(&mut tx, now, since).await?;
        tx.commit().await.map_err(failed)
    }

    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        session::keys(&mut *self.read.acquire().await.map_err(failed)?).await
    }

    async fn adopt_key(&self, key: &StoredKey) -> Result<Vec<StoredKey>, StoreError> {
        let mut tx = self.begin().await?;
        session::adopt_key(&mut tx, key).await?;
        let keys = session::keys(&mut tx).await?;
        tx.commit().await.map_err(failed)?;
        Ok(keys)
    }

    async fn secret(&self, name: &str, proposed: &Secret) -> Result<Secret, StoreError> {
        let mut tx = self.begin().await?;
        let secret = session::secret(&mut tx, name, proposed).await?;
        tx.commit().await.map_err(failed)?;
        Ok(secret)
    }

    async fn number(&self, number: &str) -> Result<Option<Entry>, StoreError> {
        party::number(&self.read, number).await
    }

    async fn account(&self, key: AccountKey<'_>) -> Result<Option<AccountDetails>, StoreError> {
        party::account(&self.read, key).await
    }

    async fn standing(&self, i_account: IAccount) -> Result<Option<Standing>, StoreError> {
        party::standing(&self.read, i_account).await
    }

    async fn customer(&self, key: CustomerKey<'_>) -> Result<Option<Customer>, StoreError> {
        party::customer(&self.read, key).await
    }

    async fn accounts(
        &self,
        within: Within,
        id: Option<&str>,
        page: Page,
    ) -> Result<Vec<AccountDetails>, StoreError> {
        party::accounts(&self.read, within, id, page).await
    }

    async fn count_accounts(&self, within: Within, id: Option<&str>) -> Result<i64, StoreError> {
        party::count_accounts(&self.read, within, id).await
    }

    async fn hunt_groups(&self, within: Within, page: Page) -> Result<Vec<HuntGroup>, StoreError> {
        party::hunt_groups(&self.read, within, page).await
    }

    async fn count_hunt_groups(&self, within: Within) -> Result<i64, StoreError> {
        party::count_hunt_groups(&self.read, within).await
    }

    async fn queues(&self, within: Within, page: Page) -> Result<Vec<HuntGroup>, StoreError> {
        party::queues(&self.read, within, page).await
    }

    async fn count_queues(&self, within: Within) -> Result<i64, StoreError> {
        party::count_queues(&self.read, within).await
    }

    async fn set_hunting(
        &self,
        i_account: IAccount,
        subscribe: &[ICGroup],
        unsubscribe: &[ICGroup],
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if !party::set_hunting(&mut tx, i_account, subscribe, unsubscribe).await? {
            return Ok(false);
        }
        tx.commit().await.map_err(failed)?;
        Ok(true)
    }

    async fn hunt_group_of(&self, i_c_queue: ICQueue) -> Result<Option<HuntGroup>, StoreError> {
        party::hunt_group_of(&self.read, i_c_queue).await
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        login::is_empty(&self.read).await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let mut tx = self.read.begin().await.map_err(failed)?;
        let snapshot = snapshot::snapshot(&mut tx).await?;
        tx.commit().await.map_err(failed)?;
        Ok(snapshot)
    }

    async fn set_blocked(
        &self,
        party: Subject,
        is_blocked: bool,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let is_changed = admin::set_blocked(&mut tx, party, is_blocked, at).await?;
        tx.commit().await.map_err(failed)?;
        Ok(is_changed)
    }

    async fn reset_password(
        &self,
        subject: Subject,
        password_hash: &Secret,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        login::set_password(&mut tx, subject, password_hash).await?;
        session::end_all(&mut tx, subject, at).await?;
        tx.commit().await.map_err(failed)
    }

    async fn set_role(
        &self,
        subject: Subject,
        role: Option<&str>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let is_changed = admin::set_role(&mut tx, subject, role, at).await?;
        tx.commit().await.map_err(failed)?;
        Ok(is_changed)
    }

    async fn grant(
        &self,
        role: &str,
        grants: &[(Component, Option<Level>)],
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let is_changed = admin::grant(&mut tx, role, grants, at).await?;
        tx.commit().await.map_err(failed)?;
        Ok(is_changed)
    }

    async fn apply(&self, plan: &Plan, at: Timestamp) -> Result<Applied, ApplyError> {
        let mut tx = self.begin().await?;
        let applied = apply::apply(&mut tx, plan, at).await?;
        tx.commit().await.map_err(failed)?;
        Ok(applied)
    }
}

#[cfg(test)]
mod tests;
