//! Rows of either kind of database.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Row as _, TypeInfo as _, ValueRef as _};

use super::failed;
use crate::domain::directory::StoreError;

/// A row that a statement gave.
pub(in crate::store) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// What a column is read as.
pub(in crate::store) trait Column: Sized {
    fn read<I>(row: &Row, index: I) -> Result<Self, sqlx::Error>
    where
        I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow> + Copy;
}

/// What a whole row is read as.
pub(in crate::store) trait FromRow: Sized {
    fn from_row(row: &Row) -> Result<Self, StoreError>;
}

impl Row {
    /// The column of this name.
    pub(in crate::store) fn get<T: Column>(&self, column: &str) -> Result<T, StoreError> {
        T::read(self, column).map_err(failed)
    }

    /// A column of 0 and 1.
    pub(in crate::store) fn flag(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.get::<i64>(column)? != 0)
    }

    fn at<T: Column>(&self, position: usize) -> Result<T, StoreError> {
        T::read(self, position).map_err(failed)
    }
}

impl Column for i64 {
    fn read<I>(row: &Row, index: I) -> Result<Self, sqlx::Error>
    where
        I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow> + Copy,
    {
        Option::<Self>::read(row, index)?
            .ok_or(sqlx::Error::Decode("NULL where a number is".into()))
    }
}

impl Column for Option<i64> {
    fn read<I>(row: &Row, index: I) -> Result<Self, sqlx::Error>
    where
        I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow> + Copy,
    {
        match row {
            Row::Sqlite(row) => row.try_get(index),
            // Numbers that a statement itself names (`THEN 1 ELSE 0`) have 32 bits there.
            Row::Postgres(row) if row.try_get_raw(index)?.type_info().name() == "INT4" => {
                Ok(row.try_get::<Option<i32>, _>(index)?.map(i64::from))
            }
            Row::Postgres(row) => row.try_get(index),
        }
    }
}

macro_rules! column {
    ($($kind:ty),+) => {$(
        impl Column for $kind {
            fn read<I>(row: &Row, index: I) -> Result<Self, sqlx::Error>
            where
                I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow> + Copy,
            {
                match row {
                    Row::Sqlite(row) => row.try_get(index),
                    Row::Postgres(row) => row.try_get(index),
                }
            }
        }
    )+};
}

column!(String, Option<String>);

impl<A: Column> FromRow for A {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        row.at(0)
    }
}

impl<A: Column, B: Column> FromRow for (A, B) {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok((row.at(0)?, row.at(1)?))
    }
}

impl<A: Column, B: Column, C: Column> FromRow for (A, B, C) {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok((row.at(0)?, row.at(1)?, row.at(2)?))
    }
}
