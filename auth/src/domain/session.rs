//! Sessions, refresh tokens and revocations.

use std::time::Duration;

use mesh::clock::Timestamp;

use crate::domain::principal::Subject;
use crate::domain::secret::Secret;

/// Id of a session, claim `jti`. It may stand in for a token in REST's `auth_info`, so it is
/// made of 122 random bits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub String);

/// A session to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub subject: Subject,
    /// Who opened it for another, an admin or reseller.
    pub opened_by: Option<Subject>,
    /// Hash of the password that opened it, as it was read.
    pub proven_by: Option<Secret>,
    /// Hash of its first refresh token.
    pub refresh_token_hash: Secret,
    /// When it began.
    pub opened_at: Timestamp,
    /// Until when the refresh token is good.
    pub expires_at: Timestamp,
}

/// A session that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// Whose it is.
    pub subject: Subject,
    /// Until when its newest refresh token is good.
    pub expires_at: Timestamp,
}

/// An attempt to exchange a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Hash of the token presented.
    pub presented_hash: Secret,
    /// Hash of the token that follows it.
    pub successor_hash: Secret,
    /// Now.
    pub at: Timestamp,
    /// How long after its use a token is answered as before.
    pub tolerance: Duration,
    /// Until when the successor is good.
    pub expires_at: Timestamp,
}

/// What became of an [`Exchange`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchanged {
    /// The token was good; the successor is in its place.
    Rotated(Grant),
    /// The token was used within the tolerance: the answer is the one given then.
    Repeated(Grant),
    /// The token was used before: its session has been ended by this attempt.
    Reused(SessionId),
    /// No such token, too old, or its session has ended.
    Refused,
}

/// What an exchanged refresh token entitles to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The session.
    pub session_id: SessionId,
    /// Whose it is.
    pub subject: Subject,
    /// Who opened it for another.
    pub opened_by: Option<Subject>,
    /// When the token was exchanged first: access tokens count their life from here.
    pub at: Timestamp,
    /// Position of the newest revocation at a moment at which the session was not over yet. A
    /// token must not claim a higher epoch: then the end of the session would not reach it.
    pub epoch: i64,
}

/// What is revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// One session.
    Session(SessionId),
    /// Tokens of a user with a lower epoch.
    User(Subject),
    /// Tokens of a role with a lower epoch.
    Role(String),
}

/// A revocation. Its position is also the lowest epoch that is still good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Counts up over all revocations, in the order of their commits.
    pub position: i64,
    /// What is revoked.
    pub revoked: Revoked,
    /// True when the holder must be cut off, false when its permissions changed.
    pub ends: bool,
    /// When.
    pub at: Timestamp,
}

/// A key that signs access tokens, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// Its name in token headers.
    pub kid: String,
    /// PKCS#8, base64.
    pub pkcs8: Secret,
    /// When it was made.
    pub created_at: Timestamp,
}
