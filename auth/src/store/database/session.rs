//! Sessions, revocations and keys.

use mesh::clock::Timestamp;

use crate::domain::directory::StoreError;
use crate::domain::principal::Subject;
use crate::domain::secret::Secret;
use crate::domain::session::{
    Exchange, Exchanged, Grant, NewSession, OpenSession, Revocation, Revoked, SessionId, StoredKey,
};
use crate::store::engine::{Executor, Pool, Row, Transaction, query, query_scalar};
use crate::store::sql::{NEXT_ID, session as sql};

const CORRUPT_SUBJECT: StoreError = StoreError::Corrupt { what: "subject" };

pub(super) async fn open(
    connection: &mut Transaction,
    session: &NewSession,
) -> Result<bool, StoreError> {
    let proven_by = session.proven_by.as_ref().map(Secret::expose);
    if !lock_user(connection, session.subject, proven_by).await? {
        connection.give_up();
        return Ok(false);
    }
    query(sql::OPEN)
        .bind(&session.id.0)
        .bind(session.subject.realm.as_str())
        .bind(session.subject.id)
        .bind(session.opened_by.map(|opener| opener.to_string()))
        .bind(session.opened_at.as_micros())
        .bind(session.expires_at.as_micros())
        .execute(&mut *connection)
        .await?;
    let hash = &session.refresh_token_hash;
    add_refresh_token(connection, hash, &session.id, session.expires_at).await?;
    Ok(true)
}

/// False when there is no such user with this password.
async fn lock_user(
    connection: &mut Transaction,
    subject: Subject,
    password_hash: Option<&str>,
) -> Result<bool, StoreError> {
    let locked = query(sql::LOCK_USER)
        .bind(subject.realm.as_str())
        .bind(subject.id)
        .bind(password_hash)
        .execute(connection)
        .await?;
    Ok(locked > 0)
}

async fn add_refresh_token(
    connection: &mut Transaction,
    hash: &Secret,
    session: &SessionId,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    query(sql::ADD_REFRESH_TOKEN)
        .bind(hash.expose())
        .bind(&session.0)
        .bind(expires_at.as_micros())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn exchange(
    connection: &mut Transaction,
    exchange: &Exchange,
) -> Result<Exchanged, StoreError> {
    // Before the session is looked at: what ends it later has a higher position.
    let epoch = query_scalar(sql::REVOCATION_POSITION).fetch_one(&mut *connection).await?;
    let used = query(sql::USE_REFRESH_TOKEN)
        .bind(exchange.presented_hash.expose())
        .bind(exchange.at.as_micros())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(used) = used else { return Ok(Exchanged::Refused) };
    let session_id = SessionId(used.get("session_id")?);
    let used_at = Timestamp::from_micros(used.get("used_at")?);
    let expires_at = Timestamp::from_micros(used.get("expires_at")?);

    let session = query(sql::SESSION).bind(&session_id.0).fetch_one(&mut *connection).await?;
    let is_first_use = used_at == exchange.at;
    let is_over = session.get::<Option<i64>>("ended_at")?.is_some();
    // A token that was used and has expired since still tells that somebody kept a copy.
    if is_over || (is_first_use && expires_at <= exchange.at) {
        return Ok(Exchanged::Refused);
    }
    let grant = Grant {
        subject: subject(&session)?,
        opened_by: session
            .get::<Option<String>>("opened_by")?
            .map(|opener| opener.parse().map_err(|_unknown| CORRUPT_SUBJECT))
            .transpose()?,
        at: used_at,
        epoch,
        session_id,
    };

    if is_first_use {
        let id = &grant.session_id;
        add_refresh_token(connection, &exchange.successor_hash, id, exchange.expires_at).await?;
        query(sql::PROLONG)
            .bind(&id.0)
            .bind(exchange.expires_at.as_micros())
            .execute(connection)
            .await?;
        Ok(Exchanged::Rotated(grant))
    } else if exchange.at.since(used_at) <= exchange.tolerance {
        Ok(Exchanged::Repeated(grant))
    } else {
        end(connection, &grant.session_id, exchange.at).await?;
        Ok(Exchanged::Reused(grant.session_id))
    }
}

fn subject(row: &Row) -> Result<Subject, StoreError> {
    Ok(Subject {
        realm: row
            .get::<String>("realm")?
            .parse()
            .map_err(|_unknown| StoreError::Corrupt { what: "realm" })?,
        id: row.get("subject")?,
    })
}

pub(super) async fn find(pool: &Pool, id: &SessionId) -> Result<Option<OpenSession>, StoreError> {
    let session = query(sql::SESSION).bind(&id.0).fetch_optional(pool).await?;
    let Some(session) = session else { return Ok(None) };
    if session.get::<Option<i64>>("ended_at")?.is_some() {
        return Ok(None);
    }
    Ok(Some(OpenSession {
        subject: subject(&session)?,
        expires_at: Timestamp::from_micros(session.get("expires_at")?),
    }))
}

pub(super) async fn end(
    connection: &mut Transaction,
    id: &SessionId,
    at: Timestamp,
) -> Result<(), StoreError> {
    let ended = query(sql::END).bind(&id.0).bind(at.as_micros()).execute(&mut *connection).await?;
    if ended > 0 {
        revoke(connection, &Revoked::Session(id.clone()), true, at).await?;
    }
    Ok(())
}

/// Ends every session of a user, and those that it opened for others.
pub(super) async fn end_all(
    connection: &mut Transaction,
    subject: Subject,
    at: Timestamp,
) -> Result<(), StoreError> {
    lock_user(connection, subject, None).await?;
    query(sql::END_OF_SUBJECT)
        .bind(subject.realm.as_str())
        .bind(subject.id)
        .bind(at.as_micros())
        .execute(&mut *connection)
        .await?;
    revoke(connection, &Revoked::User(subject), true, at).await?;
    let opened: Vec<String> = query_scalar(sql::LIVE_OPENED_BY)
        .bind(subject.to_string())
        .bind(at.as_micros())
        .fetch_all(&mut *connection)
        .await?;
    for id in opened {
        end(connection, &SessionId(id), at).await?;
    }
    Ok(())
}

pub(super) async fn revoke(
    connection: &mut Transaction,
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
    query(sql::REVOKE)
        .bind(position)
        .bind(kind)
        .bind(subject)
        .bind(i64::from(ends))
        .bind(at.as_micros())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn next_id(
    connection: &mut Transaction,
    kind: &'static str,
) -> Result<i64, StoreError> {
    query_scalar(NEXT_ID).bind(kind).fetch_one(connection).await
}

pub(super) async fn revocations(
    pool: &Pool,
    position: i64,
    since: Timestamp,
) -> Result<Vec<Revocation>, StoreError> {
    query(sql::REVOCATIONS)
        .bind(position)
        .bind(since.as_micros())
        .fetch_all(pool)
        .await?
        .iter()
        .map(|row| {
            let subject: String = row.get("subject")?;
            Ok(Revocation {
                position: row.get("position")?,
                revoked: match row.get::<String>("kind")?.as_str() {
                    "session" => Revoked::Session(SessionId(subject)),
                    "user" => Revoked::User(subject.parse().map_err(|_unknown| CORRUPT_SUBJECT)?),
                    "role" => Revoked::Role(subject),
                    _ => return Err(StoreError::Corrupt { what: "kind of revocation" }),
                },
                ends: row.flag("ends")?,
                at: Timestamp::from_micros(row.get("revoked_at")?),
            })
        })
        .collect()
}

pub(super) async fn revocation_position(pool: &Pool) -> Result<i64, StoreError> {
    query_scalar(sql::REVOCATION_POSITION).fetch_one(pool).await
}

pub(super) async fn purge(
    connection: &mut Transaction,
    now: Timestamp,
    since: Timestamp,
) -> Result<(), StoreError> {
    for statement in [sql::PURGE_TOKENS, sql::PURGE_SESSIONS] {
        query(statement)
            .bind(now.as_micros())
            .bind(since.as_micros())
            .execute(&mut *connection)
            .await?;
    }
    query(sql::PURGE_REVOCATIONS).bind(since.as_micros()).execute(connection).await?;
    Ok(())
}

pub(super) async fn keys(executor: impl Executor) -> Result<Vec<StoredKey>, StoreError> {
    query(sql::KEYS)
        .fetch_all(executor)
        .await?
        .iter()
        .map(|row| {
            Ok(StoredKey {
                kid: row.get("kid")?,
                pkcs8: Secret::new(row.get::<String>("private_key")?),
                created_at: Timestamp::from_micros(row.get("created_at")?),
            })
        })
        .collect()
}

pub(super) async fn adopt_key(
    connection: &mut Transaction,
    key: &StoredKey,
    after: Option<Timestamp>,
) -> Result<(), StoreError> {
    query(sql::ADOPT_KEY)
        .bind(&key.kid)
        .bind(key.pkcs8.expose())
        .bind(key.created_at.as_micros())
        .bind(after.map(Timestamp::as_micros))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn forget_keys(
    connection: &mut Transaction,
    before: Timestamp,
) -> Result<(), StoreError> {
    query(sql::FORGET_KEYS).bind(before.as_micros()).execute(connection).await?;
    Ok(())
}

pub(super) async fn secret(
    connection: &mut Transaction,
    name: &str,
    proposed: &Secret,
) -> Result<Secret, StoreError> {
    query(sql::PROPOSE_SECRET).bind(name).bind(proposed.expose()).execute(&mut *connection).await?;
    let kept: String = query_scalar(sql::SECRET).bind(name).fetch_one(connection).await?;
    Ok(Secret::new(kept))
}
