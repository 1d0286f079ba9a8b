//! Who may log in.

use mesh::caller::Scope;

use crate::domain::access::{Component, DEFAULT_ROLE, Level, Permissions, Realm};
use crate::domain::directory::StoreError;
use crate::domain::principal::{Credential, Principal, Subject};
use crate::domain::secret::Secret;
use crate::store::engine::{Pool, Row, Transaction, query, query_scalar};
use crate::store::sql::login as sql;

pub(super) async fn credentials(
    pool: &Pool,
    login: &str,
    realm: Option<Realm>,
) -> Result<Vec<Credential>, StoreError> {
    let rows = match realm {
        Some(realm) => {
            query(sql::BY_LOGIN_AND_REALM).bind(login).bind(realm.as_str()).fetch_all(pool).await
        }
        None => query(sql::BY_LOGIN).bind(login).fetch_all(pool).await,
    }?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        found.push(read(pool, row).await?);
    }
    Ok(found)
}

pub(super) async fn credential(
    pool: &Pool,
    subject: Subject,
) -> Result<Option<Credential>, StoreError> {
    let row = query(sql::BY_SUBJECT)
        .bind(subject.realm.as_str())
        .bind(subject.id)
        .fetch_optional(pool)
        .await?;
    match row {
        Some(row) => read(pool, &row).await.map(Some),
        None => Ok(None),
    }
}

async fn read(pool: &Pool, row: &Row) -> Result<Credential, StoreError> {
    let subject = Subject {
        realm: row
            .get::<String>("realm")?
            .parse()
            .map_err(|_unknown| StoreError::Corrupt { what: "realm" })?,
        id: row.get("subject")?,
    };
    let scope = match subject.realm {
        Realm::Admin => Scope::Everything,
        Realm::Reseller => Scope::Reseller { i_reseller: subject.id },
        Realm::Customer => Scope::Customer { i_customer: subject.id },
        Realm::Account => {
            Scope::Account { i_customer: row.get("account_customer")?, i_account: subject.id }
        }
    };
    let role: Option<String> = row.get("role")?;
    let is_super_user = row.flag("is_super_user")?;
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
            login: row.get("login")?,
            scope,
            role: role.unwrap_or_else(|| DEFAULT_ROLE.to_owned()),
            permissions,
            is_super_user,
            is_blocked: row.flag("is_blocked")?,
            must_change_password: row.flag("must_change_password")?,
            is_demo: row.flag("is_demo")?,
            epoch: row.get("epoch")?,
        },
        password_hash: Secret::new(row.get::<String>("password_hash")?),
        api_token_sha256: row.get::<Option<String>>("api_token_sha256")?.map(Secret::new),
    })
}

async fn grants(pool: &Pool, role: &str) -> Result<Vec<(Component, Level)>, StoreError> {
    query(sql::PERMISSIONS)
        .bind(role)
        .fetch_all(pool)
        .await?
        .iter()
        .map(|row| {
            let component: Component = row
                .get::<String>("component")?
                .parse()
                .map_err(|_unknown| StoreError::Corrupt { what: "component" })?;
            let level: Level = row
                .get::<String>("level")?
                .parse()
                .map_err(|_unknown| StoreError::Corrupt { what: "level" })?;
            Ok((component, level))
        })
        .collect()
}

pub(super) async fn is_empty(pool: &Pool) -> Result<bool, StoreError> {
    let is_empty: i64 = query_scalar(sql::IS_EMPTY).fetch_one(pool).await?;
    Ok(is_empty != 0)
}

pub(super) async fn set_password(
    connection: &mut Transaction,
    subject: Subject,
    password_hash: &Secret,
) -> Result<(), StoreError> {
    query(sql::SET_PASSWORD)
        .bind(subject.realm.as_str())
        .bind(subject.id)
        .bind(password_hash.expose())
        .execute(connection)
        .await?;
    Ok(())
}
