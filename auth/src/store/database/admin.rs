//! Single changes that operators make, and whom they cut off.

use mesh::clock::Timestamp;

use super::apply::end_below;
use super::session::revoke;
use crate::domain::access::{Component, Level, Realm};
use crate::domain::directory::StoreError;
use crate::domain::principal::Subject;
use crate::domain::session::Revoked;
use crate::store::engine::{Transaction, query, query_scalar};
use crate::store::sql::{admin as sql, import as import_sql};

pub(super) async fn set_blocked(
    connection: &mut Transaction,
    party: Subject,
    is_blocked: bool,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let statement = match party.realm {
        Realm::Admin => sql::BLOCK_USER,
        Realm::Reseller => sql::BLOCK_RESELLER,
        Realm::Customer => sql::BLOCK_CUSTOMER,
        Realm::Account => sql::BLOCK_ACCOUNT,
    };
    let changed = query(statement)
        .bind(party.id)
        .bind(i64::from(is_blocked))
        .execute(&mut *connection)
        .await?;
    let is_changed = changed > 0;
    if is_changed && is_blocked {
        end_below(connection, party, at).await?;
    }
    Ok(is_changed)
}

pub(super) async fn set_role(
    connection: &mut Transaction,
    subject: Subject,
    role: Option<&str>,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let changed = query(sql::SET_ROLE)
        .bind(subject.realm.as_str())
        .bind(subject.id)
        .bind(role)
        .execute(&mut *connection)
        .await?;
    let is_changed = changed > 0;
    if is_changed {
        revoke(connection, &Revoked::User(subject), false, at).await?;
    }
    Ok(is_changed)
}

pub(super) async fn grant(
    connection: &mut Transaction,
    role: &str,
    grants: &[(Component, Option<Level>)],
    at: Timestamp,
) -> Result<bool, StoreError> {
    let present: Option<String> =
        query_scalar(import_sql::ROLE).bind(role).fetch_optional(&mut *connection).await?;
    query(sql::PUT_ROLE).bind(role).execute(&mut *connection).await?;
    let mut is_changed = false;
    for (component, level) in grants {
        let query = match level {
            Some(level) => {
                query(sql::GRANT).bind(role).bind(component.as_str()).bind(level.as_str())
            }
            None => query(sql::LEAVE_TO_REALM).bind(role).bind(component.as_str()),
        };
        let changed = query.execute(&mut *connection).await?;
        is_changed |= changed > 0;
    }
    if is_changed && present.is_some() {
        revoke(connection, &Revoked::Role(role.to_owned()), false, at).await?;
    }
    Ok(is_changed || present.is_none())
}
