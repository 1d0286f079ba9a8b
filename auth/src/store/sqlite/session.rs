//! Sessions, revocations and keys.

use mesh::clock::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};

use super::failed;
use super::login::flag;
use crate::domain::directory::StoreError;
use crate::domain::principal::Subject;
use crate::domain::secret::Secret;
use crate::domain::session::{
    Exchange, Exchanged, Grant, NewSession, OpenSession, Revocation, Revoked, SessionId, StoredKey,
};
use crate::store::sql::{NEXT_ID, session as sql};

const CORRUPT_SUBJECT: StoreError = StoreError::Corrupt { what: "subject" };

pub(super) async fn open(
    connection: &mut SqliteConnection,
    session: &NewSession,
) -> Result<(), StoreError> {
    sqlx::query(sql::OPEN)
        .bind(&session.id.0)
        .bind(session.subject.realm.as_str())
        .bind(session.subject.id)
        .bind(session.opened_by.map(|opener| opener.to_string()))
        .bind(session.opened_at.as_micros())
        .bind(session.expires_at.as_micros())
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    let hash = &session.refresh_token_hash;
    add_refresh_token(connection, hash, &session.id, session.expires_at).await
}

async fn add_refresh_token(
    connection: &mut SqliteConnection,
    hash: &Secret,
    session: &SessionId,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(sql::ADD_REFRESH_TOKEN)
        .bind(hash.expose())
        .bind(&session.0)
        .bind(expires_at.as_micros())
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

pub(super) async fn exchange(
    connection: &mut SqliteConnection,
    exchange: &Exchange,
) -> Result<Exchanged, StoreError> {
    let used = sqlx::query(sql::USE_REFRESH_TOKEN)
        .bind(exchange.presented_hash.expose())
        .bind(exchange.at.as_micros())
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
    let Some(used) = used else { return Ok(Exchanged::Refused) };
    let session_id = SessionId(used.try_get("session_id").map_err(failed)?);
    let used_at = Timestamp::from_micros(used.try_get("used_at").map_err(failed)?);
    let expires_at = Timestamp::from_micros(used.try_get("expires_at").map_err(failed)?);

    let session = sqlx::query(sql::SESSION)
        .bind(&session_id.0)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    let is_first_use = used_at == exchange.at;
    let is_over = session.try_get::<Option<i64>, _>("ended_at").map_err(failed)?.is_some();
    // A token that was used and has expired since still tells that somebody kept a copy.
    if is_over || (is_first_use && expires_at <= exchange.at) {
        return Ok(Exchanged::Refused);
    }
    let grant = Grant {
        subject: subject(&session)?,
        opened_by: session
            .try_get::<Option<&str>, _>("opened_by")
            .map_err(failed)?
            .map(|opener| opener.parse().map_err(|_unknown| CORRUPT_SUBJECT))
            .transpose()?,
        at: used_at,
        session_id,
    };

    if is_first_use {
        let id = &grant.session_id;
        add_refresh_token(connection, &exchange.successor_hash, id, exchange.expires_at).await?;
        sqlx::query(sql::PROLONG)
            .bind(&id.0)
            .bind(exchange.expires_at.as_micros())
            .execute(connection)
            .await
            .map_err(failed)?;
        Ok(Exchanged::Rotated(grant))
    } else if exchange.at.since(used_at) <= exchange.tolerance {
        Ok(Exchanged::Repeated(grant))
    } else {
        end(connection, &grant.session_id, exchange.at).await?;
        Ok(Exchanged::Reused(grant.session_id))
    }
}

fn subject(row: &SqliteRow) -> Result<Subject, StoreError> {
    Ok(Subject {
        realm: row
            .try_get::<&str, _>("realm")
            .map_err(failed)?
            .parse()
            .map_err(|_unknown| StoreError::Corrupt { what: "realm" })?,
        id: row.try_get("subject").map_err(failed)?,
    })
}

pub(super) async fn find(
    pool: &SqlitePool,
    id: &SessionId,
) -> Result<Option<OpenSession>, StoreError> {
    let session =
        sqlx::query(sql::SESSION).bind(&id.0).fetch_optional(pool).await.map_err(failed)?;
    let Some(session) = session else { return Ok(None) };
    if session.try_get::<Option<i64>, _>("ended_at").map_err(failed)?.is_some() {
        return Ok(None);
    }
    Ok(Some(OpenSession {
        subject: subject(&session)?,
        expires_at: Timestamp::from_micros(session.try_get("expires_at").map_err(failed)?),
    }))
}

pub(super) async fn end(
    connection: &mut SqliteConnection,
    id: &SessionId,
    at: Timestamp,
) -> Result<(), StoreError> {
    let ended = sqlx::query(sql::END)
        .bind(&id.0)
        .bind(at.as_micros())
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    if ended.rows_affected() > 0 {
        revoke(connection, &Revoked::Session(id.clone()), true, at).await?;
    }
    Ok(())
}

/// Ends every session of a user but one, each by a revocation of its own, so that the one kept
/// does not notice.
pub(super) async fn end_others(
    connection: &mut SqliteConnection,
    subject: Subject,
    kept: &SessionId,
    at: Timestamp,
) -> Result<(), StoreError> {
    let live: Vec<String> = sqlx::query_scalar(sql::LIVE_OF_SUBJECT)
        .bind(subject.realm.as_str())
        .bind(subject.id)
        .bind(at.as_micros())
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
    for id in live.into_iter().map(SessionId).filter(|id| id != kept) {
        end(connection, &id, at).await?;
    }
    Ok(())
}

/// Ends every session of a user, and those that it opened for others.
pub(super) async fn end_all(
    connection: &mut SqliteConnection,
    subject: Subject,
    at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(sql::END_OF_SUBJECT)
        .bind(subject.realm.as_str())
        .bind(subject.id)
        .bind(at.as_micros())
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    revoke(connection, &Revoked::User(subject), true, at).await?;
    let opened: Vec<String> = sqlx::query_scalar(sql::LIVE_OPENED_BY)
        .bind(subject.to_string())
        .bind(at.as_micros())
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
    for id in opened {
        end(connection, &SessionId(id), at).await?;
    }
    Ok(())
}

pub(super) async fn revoke(
    connection: &mut SqliteConnection,
    revoked: &Revoked,
    ends: bool,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (kind, subject) = match revoked {
        Revoked::Session(id) => ("session", id.0.clone()),
        Revoked::User(subject) => ("user", subject.to_string()),
        Revoked::Role(role) => ("role", role.clone()),
    };
    let position = next_id(connection, "revocation").await?;
    sqlx::query(sql::REVOKE)
        .bind(position)
        .bind(kind)
        .bind(subject)
        .bind(i64::from(ends))
        .bind(at.as_micros())
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

pub(super) async fn next_id(
    connection: &mut SqliteConnection,
    kind: &'static str,
) -> Result<i64, StoreError> {
    sqlx::query_scalar(NEXT_ID).bind(kind).fetch_one(connection).await.map_err(failed)
}

pub(super) async fn revocations(
    pool: &SqlitePool,
    position: i64,
    since: Timestamp,
) -> Result<Vec<Revocation>, StoreError> {
    sqlx::query(sql::REVOCATIONS)
        .bind(position)
        .bind(since.as_micros())
        .fetch_all(pool)
        .await
        .map_err(failed)?
        .iter()
        .map(|row| {
            let subject: String = row.try_get("subject").map_err(failed)?;
            Ok(Revocation {
                position: row.try_get("position").map_err(failed)?,
                revoked: match row.try_get::<&str, _>("kind").map_err(failed)? {
                    "session" => Revoked::Session(SessionId(subject)),
                    "user" => Revoked::User(subject.parse().map_err(|_unknown| CORRUPT_SUBJECT)?),
                    "role" => Revoked::Role(subject),
                    _ => return Err(StoreError::Corrupt { what: "kind of revocation" }),
                },
                ends: flag(row, "ends")?,
                at: Timestamp::from_micros(row.try_get("revoked_at").map_err(failed)?),
            })
        })
        .collect()
}

pub(super) async fn revocation_position(pool: &SqlitePool) -> Result<i64, StoreError> {
    sqlx::query_scalar(sql::REVOCATION_POSITION).fetch_one(pool).await.map_err(failed)
}

pub(super) async fn purge(
    connection: &mut SqliteConnection,
    now: Timestamp,
    since: Timestamp,
) -> Result<(), StoreError> {
    for statement in [sql::PURGE_TOKENS, sql::PURGE_SESSIONS] {
        sqlx::query(statement)
            .bind(now.as_micros())
            .bind(since.as_micros())
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    sqlx::query(sql::PURGE_REVOCATIONS)
        .bind(since.as_micros())
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

pub(super) async fn keys(connection: &mut SqliteConnection) -> Result<Vec<StoredKey>, StoreError> {
    sqlx::query(sql::KEYS)
        .fetch_all(connection)
        .await
        .map_err(failed)?
        .iter()
        .map(|row| {
            Ok(StoredKey {
                kid: row.try_get("kid").map_err(failed)?,
                pkcs8: Secret::new(row.try_get::<String, _>("private_key").map_err(failed)?),
                created_at: Timestamp::from_micros(row.try_get("created_at").map_err(failed)?),
            })
        })
        .collect()
}

pub(super) async fn adopt_key(
    connection: &mut SqliteConnection,
    key: &StoredKey,
) -> Result<(), StoreError> {
    sqlx::query(sql::ADOPT_KEY)
        .bind(&key.kid)
        .bind(key.pkcs8.expose())
        .bind(key.created_at.as_micros())
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

pub(super) async fn secret(
    connection: &mut SqliteConnection,
    name: &str,
    proposed: &Secret,
) -> Result<Secret, StoreError> {
    sqlx::query(sql::PROPOSE_SECRET)
        .bind(name)
        .bind(proposed.expose())
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    let kept: String =
        sqlx::query_scalar(sql::SECRET).bind(name).fetch_one(connection).await.map_err(failed)?;
    Ok(Secret::new(kept))
}
