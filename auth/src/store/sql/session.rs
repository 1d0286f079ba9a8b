//! Sessions, revocations and keys.

pub(in crate::store) const OPEN: &str = "
    INSERT INTO sessions (session_id, realm, subject, opened_by, opened_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6)";

/// Locks a user, so that a session is opened before what ends all of them, or not at all. Changes
/// nothing, and finds nobody when the password is not `$3` any more.
pub(in crate::store) const LOCK_USER: &str = "
    UPDATE credentials SET login = login
    WHERE realm = $1 AND subject = $2 AND ($3 IS NULL OR password_hash = $3)";

pub(in crate::store) const ADD_REFRESH_TOKEN: &str = "
    INSERT INTO refresh_tokens (token_hash, session_id, expires_at) VALUES ($1, $2, $3)
    ON CONFLICT (token_hash) DO NOTHING";

/// Marks a token used, the first time only, and locks its row: of two exchanges at once, the
/// second sees what the first did.
pub(in crate::store) const USE_REFRESH_TOKEN: &str = "
    UPDATE refresh_tokens SET used_at = COALESCE(used_at, $2) WHERE token_hash = $1
    RETURNING session_id, expires_at, used_at";

pub(in crate::store) const SESSION: &str =
    "SELECT realm, subject, opened_by, expires_at, ended_at FROM sessions WHERE session_id = $1";

pub(in crate::store) const PROLONG: &str =
    "UPDATE sessions SET expires_at = $2 WHERE session_id = $1";

pub(in crate::store) const END: &str =
    "UPDATE sessions SET ended_at = $2 WHERE session_id = $1 AND ended_at IS NULL";

pub(in crate::store) const LIVE_OPENED_BY: &str = "
    SELECT session_id FROM sessions
    WHERE opened_by = $1 AND ended_at IS NULL AND expires_at > $2
    ORDER BY session_id";

pub(in crate::store) const END_OF_SUBJECT: &str = "
    UPDATE sessions SET ended_at = $3
    WHERE realm = $1 AND subject = $2 AND ended_at IS NULL";

pub(in crate::store) const REVOKE: &str = "
    INSERT INTO revocations (position, kind, subject, ends, revoked_at)
    VALUES ($1, $2, $3, $4, $5)";

pub(in crate::store) const REVOCATIONS: &str = "
    SELECT position, kind, subject, ends, revoked_at FROM revocations
    WHERE position > $1 AND revoked_at >= $2 ORDER BY position";

pub(in crate::store) const REVOCATION_POSITION: &str =
    "SELECT COALESCE((SELECT next - 1 FROM ids WHERE kind = 'revocation'), 0)";

/// What is over: `$1` is now, `$2` the moment before which nothing matters any more. A session
/// stays until the last access token made from it has lapsed, too.
pub(in crate::store) const PURGE_TOKENS: &str = "
    DELETE FROM refresh_tokens WHERE expires_at <= $1 OR session_id IN (
        SELECT session_id FROM sessions WHERE ended_at < $2)";
pub(in crate::store) const PURGE_SESSIONS: &str = "
    DELETE FROM sessions WHERE expires_at <= $1 AND NOT EXISTS (
            SELECT 1 FROM refresh_tokens t WHERE t.session_id = sessions.session_id)
        OR ended_at < $2";
pub(in crate::store) const PURGE_REVOCATIONS: &str =
    "DELETE FROM revocations WHERE revoked_at < $1";

pub(in crate::store) const KEYS: &str =
    "SELECT kid, private_key, created_at FROM signing_keys ORDER BY created_at DESC, kid";

/// Keeps a key unless there is one made after `$4`, or any.
pub(in crate::store) const ADOPT_KEY: &str = "
    INSERT INTO signing_keys (kid, private_key, created_at)
    SELECT $1, $2, $3 WHERE NOT EXISTS (
        SELECT 1 FROM signing_keys WHERE $4 IS NULL OR created_at > $4)";

pub(in crate::store) const FORGET_KEYS: &str = "
    DELETE FROM signing_keys WHERE EXISTS (
        SELECT 1 FROM signing_keys newer
        WHERE newer.created_at > signing_keys.created_at AND newer.created_at < $1)";

pub(in crate::store) const PROPOSE_SECRET: &str =
    "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";

pub(in crate::store) const SECRET: &str = "SELECT value FROM secrets WHERE name = $1";
