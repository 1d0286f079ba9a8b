//! Argon2id, on a bounded pool.
//!
//! A check takes tens of milliseconds of a core, so no more run at a time than there are cores,
//! few wait, and the rest is refused at once: a flood of logins cannot take the process down.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::domain::secret::Secret;
use crate::metrics;

/// Costliest parameters that are accepted: a hash with more would be a way to stop the service.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_ITERATIONS: u32 = 16;
const MAX_PARALLELISM: u32 = 16;

/// Parameters of the hashes that are made here (OWASP's second choice, 19 MiB).
const MEMORY_KIB: u32 = 19_456;
const ITERATIONS: u32 = 2;
const PARALLELISM: u32 = 1;

/// Shortest and longest password that may be chosen, in characters.
const CHARS: std::ops::RangeInclusive<usize> = 8..=256;

/// Why a password was not checked or hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The pool is full.
    #[error("too many passwords are being checked")]
    Busy,
    /// Hashing failed, for want of memory.
    #[error("the password could not be hashed")]
    Failed,
}

/// Checks and hashes passwords.
#[derive(Clone, Debug)]
pub struct Pool {
    /// One permit for each check that runs.
    running: Arc<Semaphore>,
    /// One permit for each check that runs or waits.
    admitted: Arc<Semaphore>,
    /// A hash that no password matches, checked in place of those that are not there.
    dummy: Secret,
}

impl Pool {
    /// A pool that runs `threads` checks at a time (0: one for each core) and lets `queue` more
    /// wait.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(threads: usize, queue: usize) -> Result<Self, PasswordError> {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = if threads == 0 { cores() } else { threads };
        Ok(Self {
            running: Arc::new(Semaphore::new(threads)),
            admitted: Arc::new(Semaphore::new(threads + queue)),
            dummy: hash(&Secret::new(uuid::Uuid::new_v4().to_string()))?,
        })
    }

    /// True when `password` is the one that `expected` was made of. Without `expected` a check of
    /// the same cost is made, and the answer is false: who asks learns nothing from the time.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] when the pool is full.
    pub async fn verify(
        &self,
        password: &Secret,
        expected: Option<&Secret>,
    ) -> Result<bool, PasswordError> {
        let is_known = expected.is_some();
        let expected = expected.unwrap_or(&self.dummy).clone();
        let password = password.clone();
        let matches = self.run(move || verify(&password, &expected)).await?;
        Ok(is_known && matches)
    }

    /// The PHC string of a password, with a salt of its own.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] when the pool is full.
    pub async fn hash(&self, password: &Secret) -> Result<Secret, PasswordError> {
        let password = password.clone();
        self.run(move || hash(&password)).await?
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let begun = Instant::now();
        let admitted =
            Arc::clone(&self.admitted).try_acquire_owned().map_err(|_full| PasswordError::Busy)?;
        let running = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(|_closed| PasswordError::Failed)?;
        let outcome = tokio::task::spawn_blocking(move || {
            // Held by the work and not by who waits for it: a client that goes away does not let
            // another check in beside the one that it left running.
            let _permits = (admitted, running);
            work()
        })
        .await
        .map_err(|_panicked| PasswordError::Failed);
        metrics::password_checked(begun.elapsed());
        outcome
    }
}

fn verify(password: &Secret, expected: &Secret) -> bool {
    PasswordHash::new(expected.expose()).is_ok_and(|expected| {
        Argon2::default().verify_password(password.expose().as_bytes(), &expected).is_ok()
    })
}

/// Hashes at once, on the caller's thread: for tools and tests.
///
/// # Errors
/// When the system gives no random bytes or no memory.
pub fn hash(password: &Secret) -> Result<Secret, PasswordError> {
    let params = Params::new(MEMORY_KIB, ITERATIONS, PARALLELISM, None)
        .map_err(|_impossible| PasswordError::Failed)?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(password.expose().as_bytes())
        .map(|hash| Secret::new(hash.to_string()))
        .map_err(|_error| PasswordError::Failed)
}

/// Checks that `login` may have a password.
///
/// # Errors
/// What it must be.
pub fn check_choice(password: &Secret, login: &str) -> Result<(), &'static str> {
    if !CHARS.contains(&password.expose().chars().count()) {
        return Err("must be 8 to 256 characters long");
    }
    if password.expose().eq_ignore_ascii_case(login) {
        return Err("must differ from the login");
    }
    Ok(())
}

/// Checks that a text is a hash that this program can and will check passwords against.
pub(crate) fn check_hash(text: &str) -> Result<(), &'static str> {
    let hash = PasswordHash::new(text).map_err(|_error| "no PHC string")?;
    if hash.algorithm.as_str() != "argon2id" {
        return Err("a hash of another kind than Argon2id");
    }
    if hash.hash.is_none() || hash.salt.is_none() {
        return Err("a PHC string without salt or hash");
    }
    let params = Params::try_from(&hash).map_err(|_error| "Argon2id with unknown parameters")?;
    if params.m_cost() > MAX_MEMORY_KIB
        || params.t_cost() > MAX_ITERATIONS
        || params.p_cost() > MAX_PARALLELISM
    {
        return Err("Argon2id with parameters that cost too much");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let pool = Pool::new(1, 1).unwrap();
        let hash = pool.hash(&Secret::new("cordboard")).await.unwrap();

        assert_eq!(check_hash(hash.expose()), Ok(()));
        assert_eq!(pool.verify(&Secret::new("cordboard"), Some(&hash)).await, Ok(true));
        assert_eq!(pool.verify(&Secret::new("cordbord"), Some(&hash)).await, Ok(false));
        assert_eq!(pool.verify(&Secret::new("cordboard"), None).await, Ok(false));
    }

    #[tokio::test]
    async fn beyond_its_queue_the_pool_refuses_at_once() {
        let pool = Pool::new(1, 1).unwrap();
        let password = Secret::new("cordboard");

        let (first, second, third) = tokio::join!(
            pool.verify(&password, None),
            pool.verify(&password, None),
            pool.verify(&password, None)
        );

        assert_eq!((first, second, third), (Ok(false), Ok(false), Err(PasswordError::Busy)));
    }

    #[test]
    fn hashes_of_other_kinds_and_costs_are_refused() {
        for (text, reason) in [
            ("cordboard", "no PHC string"),
            ("$argon2id$v=19$m=19456,t=2,p=1", "a PHC string without salt or hash"),
            (
                "$argon2i$v=19$m=65536,t=1,p=1$c29tZXNhbHQAAAAAAAAAAA$+r0d29hqEB0yasKr55ZgICsQGSkl0v0kgwhd+U3wyRo",
                "a hash of another kind than Argon2id",
            ),
            (
                "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQAAAAAAAAAAA$+r0d29hqEB0yasKr55ZgICsQGSkl0v0kgwhd+U3wyRo",
                "Argon2id with parameters that cost too much",
            ),
        ] {
            assert_eq!(check_hash(text), Err(reason), "{text}");
        }
    }
}
