//! Access tokens: what they say, and whether they are still good.
//!
//! Every service verifies the token of a request itself, with auth's public keys and the
//! revocations that auth pushes; no request asks auth. [`Verifier`] keeps verified tokens by
//! hash until they expire, and asks the revocations anew each time.

mod cache;
mod claims;
mod keys;
mod revocation;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::{broadcast, watch as cell};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use claims::{AUDIENCE, Claims, ISSUER};
pub use revocation::{Revocation, Subject};

use crate::caller::Caller;
use crate::client::Pool;
use crate::clock::Clock;
use crate::fault::{Code, RpcError};
use crate::health::Component;
use cache::Cache;
use keys::Keys;
use revocation::Revocations;

/// Verified tokens kept.
const CACHED_TOKENS: usize = 65_536;

/// Revocations that a subscriber may lag behind; then it sees `Lagged`.
const REVOCATION_BACKLOG: usize = 4_096;

/// How long a request waits for a key that may be about to come.
const KEY_WAIT: Duration = Duration::from_secs(2);

/// How long tokens are good beyond their time while auth is lost, unless configured.
const LOST_GRACE: Duration = Duration::from_mins(15);

/// Auth gives a sign of life each second. After this silence it is lost.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// Time for everybody to refresh once auth is heard again.
const FOUND_AGAIN: Duration = Duration::from_secs(30);

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of ours: its form, algorithm, issuer, audience or claims are wrong.
    #[error("access token is malformed")]
    Malformed,
    /// The signature does not fit.
    #[error("access token has a bad signature")]
    BadSignature,
    /// Its time is over, or has not come.
    #[error("access token has expired")]
    Expired,
    /// The session was ended, or its scope changed.
    #[error("access token has been revoked")]
    Revoked,
    /// No public key has the token's key id.
    #[error("access token is signed with an unknown key")]
    UnknownKey,
    /// The public keys have not been fetched yet.
    #[error("public keys are not available")]
    KeysUnavailable,
}

impl RpcError for TokenError {
    fn code(&self) -> Code {
        match self {
            Self::Malformed
            | Self::BadSignature
            | Self::Expired
            | Self::Revoked
            | Self::UnknownKey => Code::Unauthenticated,
            Self::KeysUnavailable => Code::Unavailable,
        }
    }

    /// The common faults of the public API; `cause` in the metadata tells more.
    fn reason(&self) -> &'static str {
        match self {
            Self::Malformed | Self::BadSignature | Self::Expired | Self::UnknownKey => {
                "JWT_INVALID"
            }
            Self::Revoked => "AUTH_FAILED",
            Self::KeysUnavailable => "UNAVAILABLE",
        }
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        let cause = match self {
            Self::Malformed => "malformed",
            Self::BadSignature => "bad_signature",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::UnknownKey => "unknown_key",
            Self::KeysUnavailable => "keys_unavailable",
        };
        BTreeMap::from([("cause".to_owned(), cause.to_owned())])
    }
}

/// Verifies access tokens. Clones share keys, revocations and cache.
#[derive(Clone, Debug)]
pub struct Verifier(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    /// `None` when keys and revocations are given and not fetched.
    auth: Option<Pool>,
    keys: cell::Sender<Keys>,
    /// Asks the background task for the keys again.
    refetch: tokio::sync::Notify,
    revocations: parking_lot::RwLock<Revocations>,
    revoked: broadcast::Sender<Revocation>,
    cache: parking_lot::Mutex<Cache>,
    heard: parking_lot::Mutex<Heard>,
    /// Seconds.
    lost_grace: AtomicI64,
}

impl Verifier {
    /// A verifier that fetches keys and revocations from auth once [`Verifier::run`] runs.
    #[must_use]
    pub fn new(auth: Pool, clock: Clock) -> Self {
        Self::build(Some(auth), clock, Keys::default())
    }

    /// A verifier with these public keys (a JWK set), for auth itself and for tests. With an
    /// unreadable set it refuses every token.
    #[must_use]
    pub fn with_keys(jwks: &str) -> Self {
        Self::with_keys_and_clock(jwks, Clock::system())
    }

    /// As [`Verifier::with_keys`], with a clock of the caller's.
    #[must_use]
    pub fn with_keys_and_clock(jwks: &str, clock: Clock) -> Self {
        Self::build(None, clock, Keys::read(jwks).unwrap_or_default())
    }

    fn build(auth: Option<Pool>, clock: Clock, keys: Keys) -> Self {
        Self(Arc::new(Shared {
            clock,
            auth,
            keys: cell::Sender::new(keys),
            refetch: tokio::sync::Notify::new(),
            revocations: parking_lot::RwLock::default(),
            revoked: broadcast::Sender::new(REVOCATION_BACKLOG),
            cache: parking_lot::Mutex::new(Cache::new(CACHED_TOKENS)),
            heard: parking_lot::Mutex::default(),
            lost_grace: AtomicI64::new(seconds(LOST_GRACE)),
        }))
    }

    /// Fetches keys and follows revocations until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        self.run_reporting(None, stop).await;
    }

    /// As [`Verifier::run`], and keeps `component` ready while keys and revocations are there,
    /// degraded while revocations do not arrive.
    pub async fn run_with_health(self, component: Component, stop: CancellationToken) {
        self.run_reporting(Some(component), stop).await;
    }

    async fn run_reporting(self, component: Option<Component>, stop: CancellationToken) {
        let Some(auth) = self.0.auth.clone() else {
            if let Some(component) = &component {
                component.ready();
            }
            return stop.cancelled().await;
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = watch::keys(&self.0, &auth) => {}
            () = watch::revocations(&self.0, &auth, component.as_ref()) => {}
        }
    }

    /// Replaces the public keys (a JWK set); used by auth itself.
    ///
    /// # Errors
    /// When the set cannot be read or has no RS256 key; the former keys stay.
    pub fn set_keys(&self, jwks: &str) -> anyhow::Result<()> {
        self.0.keys.send_replace(Keys::read(jwks)?);
        Ok(())
    }

    /// Says whether a token is good, and whose. Waits at most two seconds for a key.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn verify(&self, token: &str) -> Result<Arc<Caller>, TokenError> {
        match self.verify_now(token) {
            Err(TokenError::UnknownKey | TokenError::KeysUnavailable) if self.0.auth.is_some() => {}
            outcome => return outcome,
        }
        let mut keys = self.0.keys.subscribe();
        self.0.refetch.notify_one();
        match self.verify_now(token) {
            // The next fetch brings the key or nobody knows it.
            Err(TokenError::UnknownKey | TokenError::KeysUnavailable) => {
                tokio::time::timeout(KEY_WAIT, keys.changed()).await.ok();
                self.verify_now(token)
            }
            // The keys came between the first attempt and the subscription.
            outcome => outcome,
        }
    }

    /// Says whether a token is good with what is known now, without waiting for a key.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn verify_now(&self, token: &str) -> Result<Arc<Caller>, TokenError> {
        let caller = self.read(token)?;
        self.still_good(&caller)?;
        Ok(caller)
    }

    /// Whose a token is that may be outdated, since rights of its session have changed; used by
    /// auth to say the new ones.
    ///
    /// # Errors
    /// See [`TokenError`]; `Revoked` when the session has ended.
    pub fn holder(&self, token: &str) -> Result<Arc<Caller>, TokenError> {
        let caller = self.read(token)?;
        match self.still_good(&caller) {
            Err(TokenError::Revoked) if self.is_outdated(&caller) => Ok(caller),
            outcome => outcome.map(|()| caller),
        }
    }

    /// True when the rights of a caller's session have changed since its token was made, and the
    /// session goes on.
    #[must_use]
    pub fn is_outdated(&self, caller: &Caller) -> bool {
        let revocations = self.0.revocations.read();
        revocations.covers(caller) && !revocations.end(caller)
    }

    fn read(&self, token: &str) -> Result<Arc<Caller>, TokenError> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let cached = self.0.cache.lock().get(&hash);
        cached.map_or_else(|| self.check(token, hash), Ok)
    }

    /// Says whether a token that was verified is still good.
    ///
    /// # Errors
    /// `Expired` or `Revoked`.
    pub fn still_good(&self, caller: &Caller) -> Result<(), TokenError> {
        if self.has_expired(caller) {
            return Err(TokenError::Expired);
        }
        if self.0.revocations.read().covers(caller) {
            return Err(TokenError::Revoked);
        }
        Ok(())
    }

    fn check(&self, token: &str, hash: [u8; 32]) -> Result<Arc<Caller>, TokenError> {
        let now = self.0.clock.now().as_seconds();
        let claims = self.0.keys.borrow().claims_of(token)?;
        if self.is_over(claims.exp) || claims.nbf.is_some_and(|not_before| not_before > now) {
            return Err(TokenError::Expired);
        }
        let life = claims.exp.saturating_sub(claims.iat);
        let grace = self.0.lost_grace.load(Ordering::Relaxed);
        self.0.revocations.write().note_life(life.saturating_add(grace));
        let caller = Arc::new(claims.into_caller()?);
        self.0.cache.lock().insert(hash, Arc::clone(&caller));
        Ok(caller)
    }

    /// Revokes from now on; used by auth itself and by tests.
    pub fn revoke(&self, revocation: Revocation) {
        let now = self.0.clock.now().as_seconds();
        self.0.revocations.write().add(revocation.clone(), now);
        // Nobody need listen.
        self.0.revoked.send(revocation).ok();
    }

    /// Each revocation from now on. A receiver that lags must check its callers with
    /// [`Verifier::still_good`].
    #[must_use]
    pub fn subscribe_revocations(&self) -> broadcast::Receiver<Revocation> {
        self.0.revoked.subscribe()
    }

    /// When auth was last heard: it sends a sign of life each second. `None` before the first.
    #[must_use]
    pub fn last_heard(&self) -> Option<Instant> {
        self.0.heard.lock().last
    }

    /// The same with another grace while auth is lost.
    #[must_use]
    pub fn with_lost_grace(self, grace: Duration) -> Self {
        self.0.lost_grace.store(seconds(grace), Ordering::Relaxed);
        self
    }

    /// Notes a sign of life of auth; auth itself notes that its directory answers.
    pub fn note_auth(&self) {
        self.0.note_auth();
    }

    /// True when the time of a token is over. While auth is lost nobody can get another one, so
    /// that time is then longer by the grace.
    #[must_use]
    pub fn has_expired(&self, caller: &Caller) -> bool {
        self.is_over(caller.expires_at)
    }

    fn is_over(&self, expires_at: i64) -> bool {
        let now = self.0.clock.now().as_seconds();
        if expires_at > now {
            return false;
        }
        let grace = self.0.lost_grace.load(Ordering::Relaxed);
        expires_at.saturating_add(grace) <= now || !self.0.heard.lock().is_lost()
    }

    /// True once there are public keys.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        !self.0.keys.borrow().is_empty()
    }
}

impl Shared {
    fn note_auth(&self) {
        let mut heard = self.heard.lock();
        let now = Instant::now();
        if heard.last.is_some_and(|last| last.elapsed() > LOST_AFTER) {
            heard.found_again = Some(now);
        }
        heard.last = Some(now);
    }
}

/// When auth was heard.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    last: Option<Instant>,
    /// The first sign of life after it had been lost.
    found_again: Option<Instant>,
}

impl Heard {
    fn is_lost(self) -> bool {
        self.last.is_some_and(|last| last.elapsed() > LOST_AFTER)
            || self.found_again.is_some_and(|found| found.elapsed() < FOUND_AGAIN)
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
