//! Counters of failed logins.
//!
//! Failures are counted for each (login, address) pair, which a few lock, and for each address,
//! which many lock. A login that fails from many addresses is never locked, since anybody could
//! then lock anybody out: its attempts are slowed.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use mesh::clock::Timestamp;

/// When attempts are refused or slowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Failures of one pair within `window` that lock it.
    pub pair_failures: usize,
    /// Failures from one address within `window` that lock it.
    pub address_failures: usize,
    /// Failures of one login within `window` from which on its attempts are slowed.
    pub slow_after: usize,
    /// Time over which failures count together.
    pub window: Duration,
    /// How long a lock lasts.
    pub lock: Duration,
    /// Pairs, addresses and logins kept at most, each; the oldest is forgotten beyond that.
    pub capacity: usize,
}

impl Limits {
    /// What the longest lock that holds and the failures of the login amount to.
    pub(crate) fn verdict(&self, locked_for: Option<Duration>, failures: usize) -> Verdict {
        if let Some(rest) = locked_for {
            return Verdict::Locked(rest);
        }
        match failures.checked_sub(self.slow_after) {
            None | Some(0) => Verdict::Allowed,
            Some(above) => {
                let steps = u32::try_from(above).unwrap_or(u32::MAX);
                Verdict::Slowed(DELAY_STEP.saturating_mul(steps).min(MAX_DELAY))
            }
        }
    }
}

/// Slowest that a login gets.
const MAX_DELAY: Duration = Duration::from_secs(2);
/// What each failure above the limit adds.
const DELAY_STEP: Duration = Duration::from_millis(250);

/// Whether an attempt may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// At once.
    Allowed,
    /// After this time.
    Slowed(Duration),
    /// Not before this time has passed.
    Locked(Duration),
}

/// The counters.
#[derive(Debug)]
pub struct Lockout {
    limits: Limits,
    pairs: Counters<(String, String)>,
    addresses: Counters<String>,
    logins: Counters<String>,
}

impl Lockout {
    /// Counts nothing yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            pairs: Counters::default(),
            addresses: Counters::default(),
            logins: Counters::default(),
        }
    }

    /// Says whether `login` may be tried from `address`, before anything about it is checked.
    pub fn check(&mut self, login: &str, address: &str, now: Timestamp) -> Verdict {
        let pair = (login.to_owned(), address.to_owned());
        let locks = [self.pairs.locked_for(&pair, now), self.addresses.locked_for(address, now)];
        if let Some(rest) = locks.into_iter().flatten().max() {
            return Verdict::Locked(rest);
        }
        self.limits.verdict(None, self.logins.count(login, now, self.limits.window))
    }

    /// Counts a failed attempt. Attempts under way at the same time may exceed the limit by as
    /// many as the password pool holds; counting them before they fail would lock out a client
    /// that opens several sessions at once.
    pub fn failed(&mut self, login: &str, address: &str, now: Timestamp) {
        let limits = self.limits;
        self.pairs.add((login.to_owned(), address.to_owned()), now, &limits, limits.pair_failures);
        self.addresses.add(address.to_owned(), now, &limits, limits.address_failures);
        self.logins.add(login.to_owned(), now, &limits, usize::MAX);
    }

    /// Forgets the failures of a pair that has proved itself.
    pub fn succeeded(&mut self, login: &str, address: &str) {
        self.pairs.forget(&(login.to_owned(), address.to_owned()));
    }
}

#[derive(Debug)]
struct Counters<K> {
    entries: HashMap<K, Counter>,
    /// Keys by the order in which they were entered, for forgetting the oldest.
    order: VecDeque<K>,
}

#[derive(Debug, Default)]
struct Counter {
    failures: VecDeque<Timestamp>,
    locked_until: Option<Timestamp>,
}

impl<K> Default for Counters<K> {
    fn default() -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Hash + Eq + Clone> Counters<K> {
    fn locked_for<Q>(&self, key: &Q, now: Timestamp) -> Option<Duration>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let until = self.entries.get(key)?.locked_until?;
        (until > now).then(|| until.since(now))
    }

    fn count<Q>(&self, key: &Q, now: Timestamp, window: Duration) -> usize
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.entries.get(key).map_or(0, |counter| {
            counter.failures.iter().filter(|at| now.since(**at) < window).count()
        })
    }

    fn add(&mut self, key: K, now: Timestamp, limits: &Limits, lock_at: usize) {
        if !self.entries.contains_key(&key) {
            while self.entries.len() >= limits.capacity.max(1) {
                let Some(oldest) = self.order.pop_front() else { break };
                self.entries.remove(&oldest);
            }
            self.order.push_back(key.clone());
        }
        let counter = self.entries.entry(key).or_default();
        while counter.failures.front().is_some_and(|at| now.since(*at) >= limits.window) {
            counter.failures.pop_front();
        }
        counter.failures.push_back(now);
        if counter.failures.len() >= lock_at {
            counter.locked_until = Some(now.plus(limits.lock));
            counter.failures.clear();
        }
        // Enough to tell how slow to be; more would only cost memory.
        while counter.failures.len() > 256 {
            counter.failures.pop_front();
        }
    }

    fn forget(&mut self, key: &K) {
        // The key stays in `order`, with nothing to forget, until its turn comes.
        if let Some(counter) = self.entries.get_mut(key) {
            *counter = Counter::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        pair_failures: 5,
        address_failures: 50,
        slow_after: 10,
        window: Duration::from_mins(5),
        lock: Duration::from_mins(15),
        capacity: 1000,
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn five_failures_in_five_minutes_lock_the_pair_for_fifteen() {
        let mut lockout = Lockout::new(LIMITS);
        for second in 0..5 {
            assert_eq!(lockout.check("alice", "a", at(second)), Verdict::Allowed);
            lockout.failed("alice", "a", at(second));
        }

        assert_eq!(lockout.check("alice", "a", at(5)), Verdict::Locked(Duration::from_secs(899)));
        assert_eq!(lockout.check("alice", "b", at(5)), Verdict::Allowed);
        assert_eq!(lockout.check("bob", "a", at(5)), Verdict::Allowed);
        assert_eq!(lockout.check("alice", "a", at(904)), Verdict::Allowed);
    }

    #[test]
    fn failures_spread_over_more_than_the_window_do_not_lock() {
        let mut lockout = Lockout::new(LIMITS);
        for attempt in 0..20 {
            lockout.failed("alice", "a", at(attempt * 76));
        }

        assert_eq!(lockout.check("alice", "a", at(19 * 76)), Verdict::Allowed);
    }

    #[test]
    fn a_success_forgets_the_failures_of_its_pair() {
        let mut lockout = Lockout::new(LIMITS);
        for second in 0..4 {
            lockout.failed("alice", "a", at(second));
        }
        lockout.succeeded("alice", "a");
        lockout.failed("alice", "a", at(4));

        assert_eq!(lockout.check("alice", "a", at(5)), Verdict::Allowed);
    }

    #[test]
    fn fifty_failures_lock_the_address_for_every_login() {
        let mut lockout = Lockout::new(LIMITS);
        for attempt in 0..50 {
            lockout.failed(&format!("user{attempt}"), "a", at(1));
        }

        assert!(matches!(lockout.check("alice", "a", at(2)), Verdict::Locked(_)));
        assert_eq!(lockout.check("alice", "b", at(2)), Verdict::Allowed);
    }

    #[test]
    fn a_login_that_fails_from_many_addresses_is_only_slowed() {
        let mut lockout = Lockout::new(LIMITS);
        for attempt in 0..200 {
            lockout.failed("alice", &format!("address{attempt}"), at(1));
        }

        assert_eq!(lockout.check("alice", "home", at(2)), Verdict::Slowed(MAX_DELAY));
        assert_eq!(lockout.check("alice", "home", at(302)), Verdict::Allowed);
    }

    #[test]
    fn the_counters_stay_within_their_capacity() {
        let mut lockout = Lockout::new(Limits { capacity: 10, ..LIMITS });
        for attempt in 0..1000 {
            lockout.failed(&format!("user{attempt}"), &format!("address{attempt}"), at(1));
        }

        assert_eq!(lockout.pairs.entries.len(), 10);
        assert_eq!(lockout.pairs.order.len(), 10);
    }
}
