//! Who may log in.

use mesh::caller::Scope;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};

use super::failed;
use crate::domain::access::{Component, DEFAULT_ROLE, Level, Permissions, Realm};
use crate::domain::directory::StoreError;
use crate::domain::principal::{Credential, Principal, Subject};
use crate::domain::secret::Secret;
use crate::store::sql::login as sql;

pub(super) async fn credentials(
    pool: &SqlitePool,
    login: &str,
    realm: Option<Realm>,
) -> Result<Vec<Credential>, StoreError> {
    let rows = match realm {
        Some(realm) => {
            sqlx::query(sql::BY_LOGIN_AND_REALM)
                .bind(login)
                .bind(realm.as_str())
                .fetch_all(pool)
                .await
        }
        None => sqlx::query(sql::BY_LOGIN).bind(login).fetch_all(pool).await,
    }
    .map_err(failed)?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        found.push(read(pool, row).await?);
    }
    Ok(found)
}

pub(super) async fn credential(
    pool: &SqlitePool,
    subject: Subject,
) -> Result<Option<Credential>, StoreError> {
    let row = sqlx::query(sql::BY_SUBJECT)
        .bind(subject.realm.as_str())
        .bind(subject.id)
        .fetch_optional(pool)
        .await
        .map_err(failed)?;
    match row {
        Some(row) => read(pool, &row).await.map(Some),
        None => Ok(None),
    }
}

async fn read(pool: &SqlitePool, row: &SqliteRow) -> Result<Credential, StoreError> {
    let subject = Subject {
        realm: row
            .try_get::<&str, _>("realm")
            .map_err(failed)?
            .parse()
            .map_err(|_unknown| StoreError::Corrupt { what: "realm" })?,
        id: row.try_get("subject").map_err(failed)?,
    };
    let scope = match subject.realm {
        Realm::Admin => Scope::Everything,
        Realm::Reseller => Scope::Reseller { i_reseller: subject.id },
        Realm::Customer => Scope::Customer { i_customer: subject.id },
        Realm::Account => Scope::Account {
            i_customer: row.try_get("account_customer").map_err(failed)?,
            i_account: subject.id,
        },
    };
    let role: Option<String> = row.try_get("role").map_err(failed)?;
    let is_super_user = flag(row, "is_super_user")?;
    let permissions = match &role {
        _ if is_super_user => Permissions::all(),
        // Read after the epoch: when the role changes in between, its revocation has a higher
        // number and ends the token, whichever of the two it was made from.
        Some(role) => Permissions::of_realm(subject.realm).with(grants(pool, role).await?),
        None => Permissions::of_realm(subject.realm),
    };
    Ok(Credential {
        principal: Principal {
            subject,
            login: row.try_get("login").map_err(failed)?,
            scope,
            role: role.unwrap_or_else(|| DEFAULT_ROLE.to_owned()),
            permissions,
            is_super_user,
            is_blocked: flag(row, "is_blocked")?,
            must_change_password: flag(row, "must_change_password")?,
            is_demo: flag(row, "is_demo")?,
            epoch: row.try_get("epoch").map_err(failed)?,
        },
        password_hash: Secret::new(row.try_get::<String, _>("password_hash").map_err(failed)?),
        api_token_sha256: row
            .try_get::<Option<String>, _>("api_token_sha256")
            .map_err(failed)?
            .map(Secret::new),
    })
}

async fn grants(pool: &SqlitePool, role: &str) -> Result<Vec<(Component, Level)>, StoreError> {
    sqlx::query(sql::PERMISSIONS)
        .bind(role)
        .fetch_all(pool)
        .await
        .map_err(failed)?
        .iter()
        .map(|row| {
            let component: Component = row
                .try_get::<&str, _>("component")
                .map_err(failed)?
                .parse()
                .map_err(|_unknown| StoreError::Corrupt { what: "component" })?;
            let level: Level = row
                .try_get::<&str, _>("level")
                .map_err(failed)?
                .parse()
                .map_err(|_unknown| StoreError::Corrupt { what: "level" })?;
            Ok((component, level))
        })
        .collect()
}

pub(super) async fn is_empty(pool: &SqlitePool) -> Result<bool, StoreError> {
    let is_empty: i64 = sqlx::query_scalar(sql::IS_EMPTY).fetch_one(pool).await.map_err(failed)?;
    Ok(is_empty != 0)
}

pub(super) async fn set_password(
    connection: &mut SqliteConnection,
    subject: Subject,
    password_hash: &Secret,
) -> Result<(), StoreError> {
    sqlx::query(sql::SET_PASSWORD)
        .bind(subject.realm.as_str())
        .bind(subject.id)
        .bind(password_hash.expose())
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

/// Reads a column of 0 and 1.
pub(super) fn flag(row: &SqliteRow, column: &str) -> Result<bool, StoreError> {
    Ok(row.try_get::<i64, _>(column).map_err(failed)? != 0)
}
