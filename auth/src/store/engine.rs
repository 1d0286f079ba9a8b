//! Runs statements on `SQLite` and `PostgreSQL` alike, so that each operation is written once.
//!
//! There is one pool for each kind, with the types of its own; this module knows which, and
//! nobody above it does. What a statement takes and gives is 64 bit integers and texts, as the
//! schema has nothing else.
//!
//! A statement that the server does not answer in time fails as `Unavailable`. A transaction that
//! lost a race (`SQLSTATE` 40001 and its like) is run again by [`transaction!`], from its start.

mod failure;
mod postgres;
mod query;
mod row;
mod sqlite;

use std::time::Duration;

use sqlx::postgres::PgPool;
use sqlx::sqlite::SqlitePool;
use sqlx::{Postgres, Sqlite};
use tokio::time::timeout;

pub(super) use failure::{Attempts, failed};
pub(super) use query::{Query, query, query_as, query_scalar};
pub(super) use row::Row;

use crate::config::Database;
use crate::domain::directory::StoreError;

/// How much longer than the server's own limit a statement may take before the server counts as
/// away.
const MARGIN: Duration = Duration::from_secs(1);

/// What a transaction is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isolation {
    /// It only reads, and all of it at one moment.
    Snapshot,
    /// Rows that it has changed wait for it; what it reads besides may be newer than what it
    /// read before. For what is done often and says by its statements what it locks.
    RowLocks,
    /// It is as if it ran alone.
    Serializable,
}

/// The connections to a database.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    kind: Kind,
    patience: Duration,
}

#[derive(Clone, Debug)]
enum Kind {
    /// One connection writes, as the database takes one writer at a time; several read.
    Sqlite {
        write: SqlitePool,
        read: SqlitePool,
    },
    Postgres(PgPool),
}

/// A transaction. It is undone when it is dropped before it was finished.
#[derive(Debug)]
pub(super) struct Transaction {
    kind: Begun,
    patience: Duration,
    is_given_up: bool,
}

#[derive(Debug)]
enum Begun {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// What runs statements.
pub(super) trait Executor {
    /// Runs one that gives rows.
    fn rows(self, query: Query) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send;
}

impl Pool {
    /// Opens a database; its schema is left as it is.
    pub(super) async fn open(settings: &Database) -> Result<Self, StoreError> {
        let kind = match sqlite::Address::of(&settings.url) {
            Some(address) => {
                let (write, read) = address.open(settings).await?;
                Kind::Sqlite { write, read }
            }
            None => Kind::Postgres(postgres::open(settings).await?),
        };
        Ok(Self { kind, patience: settings.statement_timeout + MARGIN })
    }

    pub(super) async fn begin(&self, isolation: Isolation) -> Result<Transaction, StoreError> {
        let begin = async {
            Ok(match (&self.kind, isolation) {
                (Kind::Sqlite { read, .. }, Isolation::Snapshot) => {
                    Begun::Sqlite(read.begin().await.map_err(failed)?)
                }
                // Locking at once, it never fails half-way because another writer came between.
                (Kind::Sqlite { write, .. }, _) => {
                    Begun::Sqlite(write.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?)
                }
                (Kind::Postgres(pool), isolation) => {
                    let statement = postgres::begin(isolation);
                    Begun::Postgres(pool.begin_with(statement).await.map_err(failed)?)
                }
            })
        };
        let kind = answered(self.patience, begin).await?;
        Ok(Transaction { kind, patience: self.patience, is_given_up: false })
    }

    /// Waits for other processes that bring the same schema up to date, inside `tx`.
    pub(super) async fn lock_schema(&self, tx: &mut Transaction) -> Result<(), StoreError> {
        match &self.kind {
            // Its transactions exclude each other anyway.
            Kind::Sqlite { .. } => Ok(()),
            Kind::Postgres(_) => tx.script(postgres::LOCK_SCHEMA).await,
        }
    }

    /// The types of a schema's text as this database calls them.
    pub(super) fn dialect(&self, text: &'static str) -> String {
        match &self.kind {
            Kind::Sqlite { .. } => text.to_owned(),
            Kind::Postgres(_) => postgres::dialect(text),
        }
    }
}

impl Transaction {
    /// Has [`Self::finish`] undo what was done, with no error.
    pub(super) const fn give_up(&mut self) {
        self.is_given_up = true;
    }

    pub(super) async fn finish(self) -> Result<(), StoreError> {
        let end = async {
            match (self.kind, self.is_given_up) {
                (Begun::Sqlite(tx), false) => tx.commit().await,
                (Begun::Sqlite(tx), true) => tx.rollback().await,
                (Begun::Postgres(tx), false) => tx.commit().await,
                (Begun::Postgres(tx), true) => tx.rollback().await,
            }
            .map_err(failed)
        };
        answered(self.patience, end).await
    }

    /// Runs a statement that changes rows; says how many.
    async fn changes(&mut self, query: Query) -> Result<u64, StoreError> {
        let patience = self.patience;
        let changes = async {
            match &mut self.kind {
                Begun::Sqlite(tx) => {
                    query.for_sqlite().execute(&mut **tx).await.map(|done| done.rows_affected())
                }
                Begun::Postgres(tx) => {
                    query.for_postgres().execute(&mut **tx).await.map(|done| done.rows_affected())
                }
            }
            .map_err(failed)
        };
        answered(patience, changes).await
    }

    /// Runs statements that take and give nothing, for as long as it takes.
    pub(super) async fn script(&mut self, text: impl Into<String>) -> Result<(), StoreError> {
        let script = sqlx::raw_sql(sqlx::AssertSqlSafe(text.into()));
        match &mut self.kind {
            Begun::Sqlite(tx) => script.execute(&mut **tx).await.map(|_done| ()),
            Begun::Postgres(tx) => script.execute(&mut **tx).await.map(|_done| ()),
        }
        .map_err(failed)
    }
}

impl Executor for &Pool {
    async fn rows(self, query: Query) -> Result<Vec<Row>, StoreError> {
        let rows = async {
            match &self.kind {
                Kind::Sqlite { read, .. } => {
                    let rows = query.for_sqlite().fetch_all(read).await;
                    rows.map(|rows| rows.into_iter().map(Row::Sqlite).collect())
                }
                Kind::Postgres(pool) => {
                    let rows = query.for_postgres().fetch_all(pool).await;
                    rows.map(|rows| rows.into_iter().map(Row::Postgres).collect())
                }
            }
            .map_err(failed)
        };
        answered(self.patience, rows).await
    }
}

impl Executor for &mut Transaction {
    async fn rows(self, query: Query) -> Result<Vec<Row>, StoreError> {
        let patience = self.patience;
        let rows = async {
            match &mut self.kind {
                Begun::Sqlite(tx) => {
                    let rows = query.for_sqlite().fetch_all(&mut **tx).await;
                    rows.map(|rows| rows.into_iter().map(Row::Sqlite).collect())
                }
                Begun::Postgres(tx) => {
                    let rows = query.for_postgres().fetch_all(&mut **tx).await;
                    rows.map(|rows| rows.into_iter().map(Row::Postgres).collect())
                }
            }
            .map_err(failed)
        };
        answered(patience, rows).await
    }
}

/// True when the database is certainly not there yet; so is one in memory.
pub(super) async fn is_new(url: &str) -> bool {
    match sqlite::Address::of(url) {
        Some(address) => address.is_new().await,
        None => false,
    }
}

async fn answered<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    timeout(patience, work)
        .await
        .unwrap_or_else(|elapsed| Err(StoreError::Unavailable(Box::new(elapsed))))
}

/// Runs a block in a transaction, again when it lost a race: `transaction!(pool, isolation, tx,
/// { … })`. The block uses `tx: &mut Transaction`, gives a `Result<_, StoreError>`, and may run
/// several times.
macro_rules! transaction {
    ($pool:expr, $isolation:expr, $tx:ident, $work:block) => {{
        let mut attempts = $crate::store::engine::Attempts::default();
        loop {
            let attempt = async {
                let mut begun = $pool.begin($isolation).await?;
                let outcome = async {
                    let $tx = &mut begun;
                    $work
                };
                let outcome = outcome.await?;
                begun.finish().await?;
                Ok::<_, $crate::domain::directory::StoreError>(outcome)
            };
            match attempt.await {
                Err(error) if attempts.again(&error).await => {}
                outcome => break outcome,
            }
        }
    }};
}

pub(super) use transaction;
