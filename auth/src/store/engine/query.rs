//! Statements with their values, for either kind of database.

use std::marker::PhantomData;

use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Postgres, Sqlite};

use super::row::{Column, FromRow};
use super::{Executor, Row, Transaction, failed};
use crate::domain::directory::StoreError;

/// A value that goes into a statement.
#[derive(Clone, Debug)]
pub(in crate::store) enum Value {
    Integer(Option<i64>),
    Text(Option<String>),
}

/// A statement with its values.
#[derive(Clone, Debug)]
pub(in crate::store) struct Query {
    text: &'static str,
    values: Vec<Value>,
}

/// A statement whose rows are read as `T`.
#[derive(Clone, Debug)]
pub(in crate::store) struct Typed<T> {
    query: Query,
    read_as: PhantomData<fn() -> T>,
}

/// A statement.
pub(in crate::store) const fn query(text: &'static str) -> Query {
    Query { text, values: Vec::new() }
}

/// A statement whose rows are read as tuples, by position.
pub(in crate::store) const fn query_as<T: FromRow>(text: &'static str) -> Typed<T> {
    Typed { query: query(text), read_as: PhantomData }
}

/// A statement whose rows are single values.
pub(in crate::store) const fn query_scalar<T: Column>(text: &'static str) -> Typed<T> {
    query_as(text)
}

macro_rules! for_database {
    ($query:expr, $database:ty) => {
        $query.values.into_iter().fold(sqlx::query::<$database>($query.text), |query, value| {
            match value {
                Value::Integer(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
            }
        })
    };
}

impl Query {
    /// The value of the next `$n`.
    pub(in crate::store) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    pub(in crate::store) async fn fetch_all(
        self,
        executor: impl Executor,
    ) -> Result<Vec<Row>, StoreError> {
        executor.rows(self).await
    }

    /// The only row, as what is looked up this way has a key.
    pub(in crate::store) async fn fetch_optional(
        self,
        executor: impl Executor,
    ) -> Result<Option<Row>, StoreError> {
        Ok(executor.rows(self).await?.into_iter().next())
    }

    pub(in crate::store) async fn fetch_one(
        self,
        executor: impl Executor,
    ) -> Result<Row, StoreError> {
        self.fetch_optional(executor).await?.ok_or_else(|| failed(sqlx::Error::RowNotFound))
    }

    /// Runs it; says how many rows it changed.
    pub(in crate::store) async fn execute(self, tx: &mut Transaction) -> Result<u64, StoreError> {
        tx.changes(self).await
    }

    pub(super) fn for_sqlite(self) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
        for_database!(self, Sqlite)
    }

    pub(super) fn for_postgres(self) -> sqlx::query::Query<'static, Postgres, PgArguments> {
        for_database!(self, Postgres)
    }
}

impl<T: FromRow> Typed<T> {
    /// The value of the next `$n`.
    pub(in crate::store) fn bind(self, value: impl Into<Value>) -> Self {
        Self { query: self.query.bind(value), ..self }
    }

    pub(in crate::store) async fn fetch_all(
        self,
        executor: impl Executor,
    ) -> Result<Vec<T>, StoreError> {
        self.query.fetch_all(executor).await?.iter().map(T::from_row).collect()
    }

    pub(in crate::store) async fn fetch_optional(
        self,
        executor: impl Executor,
    ) -> Result<Option<T>, StoreError> {
        self.query.fetch_optional(executor).await?.as_ref().map(T::from_row).transpose()
    }

    pub(in crate::store) async fn fetch_one(
        self,
        executor: impl Executor,
    ) -> Result<T, StoreError> {
        T::from_row(&self.query.fetch_one(executor).await?)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(Some(value))
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::from(Some(value))
    }
}

impl From<Option<&str>> for Value {
    /// `PostgreSQL` takes no NUL in a text, and nothing here has one: it becomes what stands for
    /// characters that are none, so that whoever asks for such a name is told that it is not there.
    fn from(value: Option<&str>) -> Self {
        Self::Text(value.map(|value| value.replace('\0', "\u{fffd}")))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::from(value.as_str())
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::from(value.as_str())
    }
}

impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Self {
        Self::from(value.as_deref())
    }
}

impl From<Option<&String>> for Value {
    fn from(value: Option<&String>) -> Self {
        Self::from(value.map(String::as_str))
    }
}

impl From<&Option<String>> for Value {
    fn from(value: &Option<String>) -> Self {
        Self::from(value.as_deref())
    }
}
