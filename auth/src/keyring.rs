//! The keys that sign access tokens, and those that still verify some.
//!
//! | a key is | from | its public half | signs |
//! | --- | --- | --- | --- |
//! | coming | it is made | published | no |
//! | signing | [`LEAD`] after it was made; the first one at once | published | yes |
//! | verifying | [`LEAD`] after the next one was made | published | no |
//! | over | the last token that it signed has expired, and the grace has passed | withdrawn | no |
//!
//! So every instance, and everybody who verifies, has a key before the first token that needs it,
//! and keeps it until the last. Keys are in the store; each instance reads them every second.

use std::sync::Arc;
use std::time::Duration;

use mesh::Clock;
use mesh::clock::Timestamp;
use mesh::token::{Claims, Verifier};
use parking_lot::RwLock;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::domain::directory::{Directory, StoreError};
use crate::domain::secret::Secret;
use crate::domain::session::StoredKey;
use crate::revocations::before_by;
use crate::tokens::{SigningKey, TokenError, jwks};

/// How long a key is published before it signs.
pub const LEAD: Duration = Duration::from_secs(5);

/// Time between two looks into the store.
const READ_EVERY: Duration = Duration::from_secs(1);

/// Why there is no other key.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// One was made so lately that it does not sign yet.
    #[error("the key `{0}` was made a moment ago and does not sign yet; wait for it")]
    TooEarly(String),
    /// No key could be made.
    #[error("no key could be made")]
    Key(#[from] TokenError),
    /// The store failed.
    #[error("the directory failed")]
    Store(#[from] StoreError),
}

/// What a key is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It is published and will sign.
    Coming,
    /// It signs.
    Signing,
    /// It verifies what it signed before.
    Verifying,
}

/// What each of the keys is good for; they and the answer are newest first.
#[must_use]
pub fn uses(keys: &[StoredKey], now: Timestamp) -> Vec<Use> {
    let signing = signing(keys.iter().map(|key| key.created_at), now);
    (0..keys.len())
        .map(|at| match at.cmp(&signing) {
            std::cmp::Ordering::Less => Use::Coming,
            std::cmp::Ordering::Equal => Use::Signing,
            std::cmp::Ordering::Greater => Use::Verifying,
        })
        .collect()
}

/// Which key signs, of those made at these times, newest first: the newest that is published for
/// long enough, else the oldest.
fn signing(made: impl ExactSizeIterator<Item = Timestamp>, now: Timestamp) -> usize {
    let last = made.len().saturating_sub(1);
    made.into_iter().position(|made| made.plus(LEAD) <= now).unwrap_or(last)
}

/// Makes another key, which signs from [`LEAD`] on. Nobody is logged out. Returns its name.
///
/// # Errors
/// When the newest key does not sign yet, or the store fails.
pub async fn rotate(directory: &dyn Directory, now: Timestamp) -> Result<String, RotateError> {
    let keys = directory.keys().await?;
    let newest = keys.first();
    if let Some(newest) = newest.filter(|key| keys.len() > 1 && key.created_at.plus(LEAD) > now) {
        return Err(RotateError::TooEarly(newest.kid.clone()));
    }
    let after = newest.map(|key| key.created_at);
    let next = after.map(|after| after.plus(Duration::from_micros(1)));
    let at = next.map_or(now, |next| next.max(now));
    let made = tokio::task::spawn_blocking(move || SigningKey::generate(at))
        .await
        .map_err(|_panicked| TokenError::Crypto)??;
    let keys = directory.adopt_key(&made, after).await?;
    match keys.into_iter().next() {
        Some(newest) if newest.kid == made.kid => Ok(newest.kid),
        Some(newest) => Err(RotateError::TooEarly(newest.kid)),
        None => Err(RotateError::Key(TokenError::Key)),
    }
}

/// The keys as this instance knows them.
#[derive(Debug)]
pub(crate) struct Keyring {
    directory: Arc<dyn Directory>,
    clock: Clock,
    /// Age at which a key is replaced.
    lifetime: Duration,
    /// How long a key verifies after it has signed.
    kept: Duration,
    known: RwLock<Known>,
}

#[derive(Debug)]
struct Known {
    /// Newest first; never empty.
    keys: Vec<Arc<Key>>,
    jwks: String,
}

#[derive(Debug)]
struct Key {
    kid: String,
    made: Timestamp,
    pair: SigningKey,
}

impl Keyring {
    /// With the keys of the store, newest first.
    pub(crate) fn new(
        directory: Arc<dyn Directory>,
        clock: Clock,
        lifetime: Duration,
        kept: Duration,
        stored: &[StoredKey],
    ) -> Result<Self, TokenError> {
        let known = Known { keys: Vec::new(), jwks: String::new() };
        let keyring = Self { directory, clock, lifetime, kept, known: RwLock::new(known) };
        keyring.take(stored)?;
        Ok(keyring)
    }

    /// The public halves, as a JWK set.
    pub(crate) fn jwks(&self) -> String {
        self.known.read().jwks.clone()
    }

    /// Signs claims with the key whose time it is.
    pub(crate) fn sign(&self, claims: &Claims) -> Result<Secret, TokenError> {
        let key = {
            let known = self.known.read();
            let at = signing(known.keys.iter().map(|key| key.made), self.clock.now());
            known.keys.get(at).map(Arc::clone).ok_or(TokenError::Key)?
        };
        key.pair.sign(claims)
    }

    /// Follows the store until `stop`, replaces keys that are too old, and has `verifier`, which
    /// is auth's own, know what everybody else is told.
    pub(crate) async fn run(self: Arc<Self>, verifier: Verifier, stop: CancellationToken) {
        let mut turns = interval(READ_EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(turns.tick()).await.is_some() {
            // What is known goes on while the store is away, and revocations tell that it is.
            let Ok(stored) = self.directory.keys().await else { continue };
            match self.take(&stored) {
                Ok(false) => {}
                Ok(true) => {
                    info!(keys = stored.len(), "signing keys changed");
                    if let Err(error) = verifier.set_keys(&self.jwks()) {
                        warn!(error = format!("{error:#}"), "own keys cannot be read");
                    }
                }
                Err(error) => warn!(error = mesh::fault::chain(&error), "keys not taken over"),
            }
            self.replace_old(&stored).await;
        }
    }

    /// Makes another key when the newest is too old. Of several instances one makes it.
    async fn replace_old(&self, stored: &[StoredKey]) {
        let now = self.clock.now();
        let is_old = |key: &StoredKey| key.created_at.plus(self.lifetime) <= now;
        if !stored.first().is_some_and(is_old) {
            return;
        }
        match rotate(&*self.directory, now).await {
            Ok(kid) => info!(kid, "signing key replaced for its age"),
            Err(RotateError::TooEarly(_)) => {}
            Err(error) => warn!(error = mesh::fault::chain(&error), "signing key not replaced"),
        }
    }

    /// The moment before which a key has to have been replaced, so that nobody needs it.
    pub(crate) fn needless_before(&self) -> Timestamp {
        before_by(self.clock.now(), self.kept + LEAD)
    }

    /// Knows these keys from now on; false when they are those that it knew.
    fn take(&self, stored: &[StoredKey]) -> Result<bool, TokenError> {
        let (before, is_same) = {
            let known = self.known.read();
            let kids = known.keys.iter().map(|key| &key.kid);
            (known.keys.clone(), kids.eq(stored.iter().map(|key| &key.kid)))
        };
        if is_same || stored.is_empty() {
            return Ok(false);
        }
        let keys = stored
            .iter()
            .map(|stored| match before.iter().find(|key| key.kid == stored.kid) {
                Some(key) => Ok(Arc::clone(key)),
                None => Ok(Arc::new(Key {
                    kid: stored.kid.clone(),
                    made: stored.created_at,
                    pair: SigningKey::read(stored)?,
                })),
            })
            .collect::<Result<Vec<_>, TokenError>>()?;
        let jwks = jwks(keys.iter().map(|key| &key.pair));
        *self.known.write() = Known { keys, jwks };
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_at(seconds: i64) -> StoredKey {
        StoredKey {
            kid: seconds.to_string(),
            pkcs8: Secret::new("unread"),
            created_at: at(seconds),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_key_signs_once_everybody_had_time_to_learn_it() {
        use Use::{Coming, Signing, Verifying};
        let keys = [made_at(100), made_at(50), made_at(0)];

        assert_eq!(uses(&keys, at(104)), [Coming, Signing, Verifying]);
        assert_eq!(uses(&keys, at(105)), [Signing, Verifying, Verifying]);
        assert_eq!(uses(&keys[1..], at(54)), [Coming, Signing]);
        assert_eq!(uses(&keys[..2], at(54)), [Coming, Signing], "the oldest there is");
        assert_eq!(uses(&keys[2..], at(0)), [Signing], "the first signs at once");
        assert!(uses(&[], at(0)).is_empty());
    }
}
