//! Logins of REST requests that were good a moment ago, so that a client that sends its password
//! with every request does not have it hashed with every request.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

/// Logins that are remembered; beyond it all are forgotten, and asked for again.
const CAPACITY: usize = 4_096;

/// Good logins by keyed hash. Never holds a password.
#[derive(Debug)]
pub(crate) struct Remembered {
    key: [u8; 32],
    lasts: Duration,
    tokens: Mutex<HashMap<[u8; 32], (String, Instant)>>,
}

impl Remembered {
    pub(crate) fn new(lasts: Duration) -> Self {
        let mut key = [0; 32];
        let random = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
        key.iter_mut().zip(random).for_each(|(place, byte)| *place = byte);
        Self { key, lasts, tokens: Mutex::default() }
    }

    /// The name under which a login is remembered.
    pub(super) fn name(&self, parts: &[&str]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.key);
        for part in parts {
            hash.update(part.len().to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.update(self.key);
        hash.finalize().into()
    }

    /// The token of a login that was good.
    pub(super) fn get(&self, name: &[u8; 32]) -> Option<String> {
        let tokens = self.tokens.lock();
        let (token, until) = tokens.get(name)?;
        (*until > Instant::now()).then(|| token.clone())
    }

    /// Remembers a good login.
    pub(super) fn put(&self, name: [u8; 32], token: String) {
        let mut tokens = self.tokens.lock();
        if tokens.len() >= CAPACITY {
            let now = Instant::now();
            tokens.retain(|_, (_, until)| *until > now);
            if tokens.len() >= CAPACITY {
                tokens.clear();
            }
        }
        tokens.insert(name, (token, Instant::now() + self.lasts));
    }

    /// Forgets a login whose session is over.
    pub(super) fn forget(&self, name: &[u8; 32]) {
        self.tokens.lock().remove(name);
    }

    /// Forgets the login that a token came from.
    pub(crate) fn forget_session(&self, token: &str) {
        self.tokens.lock().retain(|_, (remembered, _)| remembered != token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_good_login_is_remembered_for_a_while() {
        let remembered = Remembered::new(Duration::from_mins(1));
        let name = remembered.name(&["101", "secret"]);
        remembered.put(name, "t".to_owned());

        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(remembered.get(&name).as_deref(), Some("t"));

        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(remembered.get(&name), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_forgotten_by_its_token() {
        let remembered = Remembered::new(Duration::from_mins(1));
        let (one, other) = (remembered.name(&["101", "a"]), remembered.name(&["102", "b"]));
        remembered.put(one, "t".to_owned());
        remembered.put(other, "u".to_owned());

        remembered.forget_session("t");

        assert_eq!((remembered.get(&one), remembered.get(&other)), (None, Some("u".to_owned())));
    }

    #[test]
    fn parts_cannot_be_shifted() {
        let remembered = Remembered::new(Duration::from_mins(1));

        assert_ne!(remembered.name(&["ab", "c"]), remembered.name(&["a", "bc"]));
    }
}
