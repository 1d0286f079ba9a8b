//! Sessions as this edge knows them: who a token names, and what all sockets and REST requests of
//! one session share.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use mesh::caller::Caller;
use mesh::client::Credential;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::limit::{Bucket, Rate, Verdict};

/// Seconds for which a session is remembered after its token has expired: time for a refresh.
const GRACE: i64 = 900;

/// A verified token.
#[derive(Clone)]
pub(crate) struct Session {
    /// Whose.
    pub(crate) caller: Arc<Caller>,
    /// The token, as services are given it.
    pub(crate) credential: Credential,
    /// What all sockets and requests of the session share.
    pub(crate) shared: Arc<Shared>,
}

/// Never shows the token.
impl fmt::Debug for Session {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Session").field("user", &self.caller.user).finish_non_exhaustive()
    }
}

impl Session {
    /// The access token.
    pub(crate) fn token(&self) -> &str {
        self.credential.token()
    }

    /// Id of the session.
    pub(crate) fn id(&self) -> &str {
        &self.caller.session_id
    }

    /// True when the session has a subscription, on any socket of this edge or made over REST.
    pub(crate) fn is_subscribed(&self) -> bool {
        self.shared.on_sockets.load(Ordering::Relaxed) > 0
            || !self.shared.over_rest.lock().is_empty()
    }

    /// True when this edge has seen a token of the session that ends later.
    pub(crate) fn is_refreshed(&self) -> bool {
        self.shared.expires_at.load(Ordering::Relaxed) > self.caller.expires_at
    }

    /// Seconds until the token expires, at `now` in seconds.
    pub(crate) fn expires_in(&self, now: i64) -> i64 {
        (self.caller.expires_at - now).max(0)
    }
}

/// What all sockets and requests of one session share.
pub(crate) struct Shared {
    bucket: Mutex<Bucket>,
    /// Subscriptions on sockets.
    on_sockets: AtomicUsize,
    /// Ids of subscriptions made over REST; they last as long as the session.
    over_rest: Mutex<Vec<String>>,
    /// When the newest token expires, seconds since 1970 UTC.
    expires_at: AtomicI64,
    /// Epoch of the newest token: a higher one says newer rights.
    epoch: AtomicI64,
    /// Until when the mesh has been told that the session is subscribed here; 0 for not.
    noted_until: AtomicI64,
    /// One at a time asks for new rights; the others take what it got.
    turn: Semaphore,
    /// The newest token, for who names the session by its id.
    credential: Mutex<Credential>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// Waits for the turn to ask for new rights; it lasts as long as what is returned.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // Fails only when it is closed, which it never is.
        self.turn.acquire().await.ok()
    }

    /// Sets until when the mesh knows of subscriptions here; returns what was set before.
    pub(crate) fn set_noted_until(&self, until: i64) -> i64 {
        self.noted_until.swap(until, Ordering::Relaxed)
    }

    /// True when the mesh has been told of subscriptions here.
    pub(crate) fn is_noted(&self) -> bool {
        self.noted_until.load(Ordering::Relaxed) != 0
    }

    /// Counts one request.
    pub(crate) fn take(&self, now: Instant, rate: Rate) -> Verdict {
        self.bucket.lock().take(now, rate)
    }

    /// Counts a subscription on a socket.
    pub(crate) fn subscribed(&self) {
        self.on_sockets.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the end of a subscription on a socket.
    pub(crate) fn unsubscribed(&self) {
        self.on_sockets.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes a subscription made over REST.
    pub(crate) fn subscribe_over_rest(&self, id: &str) {
        let mut ids = self.over_rest.lock();
        if !ids.iter().any(|known| known == id) {
            ids.push(id.to_owned());
        }
    }

    /// Ends a subscription made over REST, or all; false when there is none.
    pub(crate) fn unsubscribe_over_rest(&self, id: Option<&str>) -> bool {
        let mut ids = self.over_rest.lock();
        let before = ids.len();
        ids.retain(|known| id.is_some_and(|id| id != known));
        id.is_none() || ids.len() < before
    }
}

/// The sessions that are alive on this edge.
#[derive(Debug)]
pub(crate) struct Sessions {
    known: Mutex<HashMap<String, Arc<Shared>>>,
    swept_at: AtomicI64,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { known: Mutex::default(), swept_at: AtomicI64::new(0) }
    }
}

impl Sessions {
    /// The session of a verified token; `None` for a token that no header can carry.
    pub(crate) fn open(&self, caller: Arc<Caller>, token: &str) -> Option<Arc<Session>> {
        let known = self.known.lock().get(&caller.session_id).map(Arc::clone);
        // The same token is the same credential on every socket and for every REST request.
        let credential = known
            .map(|shared| shared.credential.lock().clone())
            .filter(|newest| newest.token() == token);
        let credential = credential.or_else(|| Credential::new(token))?;
        let shared = {
            let mut known = self.known.lock();
            let entry = known.entry(caller.session_id.clone()).or_insert_with(|| {
                Arc::new(Shared {
                    bucket: Mutex::new(Bucket::new(Instant::now())),
                    on_sockets: AtomicUsize::new(0),
                    over_rest: Mutex::default(),
                    expires_at: AtomicI64::new(0),
                    epoch: AtomicI64::new(i64::MIN),
                    noted_until: AtomicI64::new(0),
                    turn: Semaphore::new(1),
                    credential: Mutex::new(credential.clone()),
                })
            });
            Arc::clone(entry)
        };
        let is_longer =
            shared.expires_at.fetch_max(caller.expires_at, Ordering::Relaxed) < caller.expires_at;
        if shared.epoch.fetch_max(caller.epoch, Ordering::Relaxed) < caller.epoch || is_longer {
            *shared.credential.lock() = credential.clone();
        }
        Some(Arc::new(Session { caller, credential, shared }))
    }

    /// The newest token of a session that this edge has seen.
    pub(crate) fn token_of(&self, session_id: &str) -> Option<String> {
        let shared = Arc::clone(self.known.lock().get(session_id)?);
        let credential = shared.credential.lock();
        Some(credential.token().to_owned())
    }

    /// Forgets a session that was ended.
    pub(crate) fn forget(&self, session_id: &str) {
        self.known.lock().remove(session_id);
    }

    /// Forgets sessions that are over, at `now` in seconds; at most every ten seconds.
    pub(crate) fn sweep(&self, now: i64) {
        if now - self.swept_at.load(Ordering::Relaxed) < 10 {
            return;
        }
        self.swept_at.store(now, Ordering::Relaxed);
        self.known.lock().retain(|_, shared| {
            Arc::strong_count(shared) > 1 || shared.expires_at.load(Ordering::Relaxed) + GRACE > now
        });
    }
}

#[cfg(test)]
mod tests {
    use mesh::caller::Scope;

    use super::*;

    fn caller(session_id: &str, expires_at: i64) -> Arc<Caller> {
        Arc::new(Caller {
            session_id: session_id.to_owned(),
            user: "account:1".to_owned(),
            login: "101".to_owned(),
            scope: Scope::Account { i_customer: 1, i_account: 1 },
            role: "agent".to_owned(),
            permissions: Vec::new(),
            is_super_user: false,
            epoch: 0,
            expires_at,
        })
    }

    #[test]
    fn tokens_of_one_session_share_its_subscriptions() {
        let sessions = Sessions::default();
        let first = sessions.open(caller("s", 10), "t1").unwrap();
        let second = sessions.open(caller("s", 20), "t2").unwrap();
        let other = sessions.open(caller("o", 20), "t3").unwrap();

        first.shared.subscribe_over_rest("x");

        assert!(second.is_subscribed() && !other.is_subscribed());
        assert_eq!(sessions.token_of("s").as_deref(), Some("t2"));
        assert!(second.shared.unsubscribe_over_rest(Some("x")) && !first.is_subscribed());
        assert!(!first.shared.unsubscribe_over_rest(Some("x")));
    }

    #[test]
    fn the_same_token_is_the_same_credential() {
        let sessions = Sessions::default();
        let number = |token| {
            let session = sessions.open(caller("s", 10), token).unwrap();
            format!("{:?}", session.credential)
        };

        assert_eq!(number("t1"), number("t1"));
        assert_ne!(number("t1"), number("t2"));
    }

    #[test]
    fn a_session_is_forgotten_some_time_after_its_last_token() {
        let sessions = Sessions::default();
        sessions.open(caller("s", 100), "t").unwrap();

        sessions.sweep(500);
        assert!(sessions.token_of("s").is_some());

        sessions.sweep(1_001);
        assert!(sessions.token_of("s").is_none());
    }

    #[test]
    fn a_session_does_not_show_its_token() {
        let session = Sessions::default().open(caller("s", 100), "secret").unwrap();

        assert_eq!(session.token(), "secret");
        assert!(!format!("{session:?}").contains("secret"));
    }
}
