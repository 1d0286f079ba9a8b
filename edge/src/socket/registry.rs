//! The sockets of this edge.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::Socket;
use crate::entrance::Entrance;
use crate::wire::Outbound;

/// Locks among which the sockets are spread.
const SHARDS: u64 = 16;

/// The sockets of this edge, and how many each user has.
#[derive(Debug)]
pub(crate) struct Sockets {
    shards: Vec<Mutex<HashMap<u64, Arc<Socket>>>>,
    users: Mutex<HashMap<String, usize>>,
    next: AtomicU64,
    open: AtomicUsize,
    limit: usize,
    limit_per_user: usize,
    start: Instant,
}

/// A place for one more socket; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Sockets>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A place for one more socket of a user; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct UserPlace {
    sockets: Arc<Sockets>,
    user: String,
}

impl UserPlace {
    /// Whose place it is.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }
}

impl Drop for UserPlace {
    fn drop(&mut self) {
        let mut users = self.sockets.users.lock();
        if let Some(count) = users.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                users.remove(&self.user);
            }
        }
    }
}

impl Sockets {
    pub(crate) fn new(limit: usize, limit_per_user: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            users: Mutex::default(),
            next: AtomicU64::new(1),
            open: AtomicUsize::new(0),
            limit,
            limit_per_user,
            start: Instant::now(),
        }
    }

    /// Milliseconds since the edge began, never 0.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Takes a place, or `None` when all are taken.
    pub(crate) fn reserve(self: &Arc<Self>) -> Option<Place> {
        if self.open.fetch_add(1, Ordering::AcqRel) >= self.limit {
            self.open.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        Some(Place(Arc::clone(self)))
    }

    /// Takes a place of a user, or `None` when all of its are taken.
    pub(crate) fn reserve_for(self: &Arc<Self>, user: &str) -> Option<UserPlace> {
        let mut users = self.users.lock();
        let count = users.entry(user.to_owned()).or_insert(0);
        if *count >= self.limit_per_user {
            return None;
        }
        *count += 1;
        Some(UserPlace { sockets: Arc::clone(self), user: user.to_owned() })
    }

    /// Adds a socket.
    pub(crate) fn add(&self, entrance: Entrance, outbound: Arc<Outbound>) -> Arc<Socket> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let socket = Arc::new(Socket::new(id, entrance, outbound, self.now()));
        if let Some(shard) = self.shard(id) {
            shard.lock().insert(id, Arc::clone(&socket));
        }
        socket
    }

    /// Removes a socket.
    pub(crate) fn remove(&self, id: u64) {
        if let Some(shard) = self.shard(id) {
            shard.lock().remove(&id);
        }
    }

    /// Looks at every socket; `look` runs under no lock.
    pub(crate) fn for_each(&self, mut look: impl FnMut(&Arc<Socket>)) {
        let mut sockets = Vec::new();
        for shard in &self.shards {
            sockets.extend(shard.lock().values().cloned());
            sockets.iter().for_each(&mut look);
            sockets.clear();
        }
    }

    /// Sockets that are open.
    pub(crate) fn count(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    fn shard(&self, id: u64) -> Option<&Mutex<HashMap<u64, Arc<Socket>>>> {
        self.shards.get(usize::try_from(id % SHARDS).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let sockets = Arc::new(Sockets::new(2, 1));
        let first = sockets.reserve();
        let second = sockets.reserve();

        assert!(first.is_some() && second.is_some() && sockets.reserve().is_none());

        drop(first);
        assert!(sockets.reserve().is_some());
    }

    #[test]
    fn places_of_a_user_are_bounded() {
        let sockets = Arc::new(Sockets::new(10, 1));
        let first = sockets.reserve_for("account:1");

        assert!(first.is_some());
        assert!(sockets.reserve_for("account:1").is_none());
        assert!(sockets.reserve_for("account:2").is_some());

        drop(first);
        assert!(sockets.reserve_for("account:1").is_some());
        assert!(sockets.users.lock().is_empty());
    }
}
