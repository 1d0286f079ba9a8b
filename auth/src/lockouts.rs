//! Where failed logins are counted: in Redis when there is one, so that all instances of auth
//! count together, and in this process always.
//!
//! What this process has seen decides alone while Redis does not answer: a lock-out may then take
//! as many failures as there are instances, and nobody waits for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mesh::clock::Timestamp;
use mesh::ledger::StoreError;
use mesh::ledger::redis::RedisLedger;
use parking_lot::Mutex;
use redis::Script;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use tracing::warn;

use crate::domain::lockout::{Limits, Lockout, Verdict};

/// How long Redis is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// The counters.
#[derive(Debug)]
pub(crate) struct Lockouts {
    limits: Limits,
    own: Mutex<Lockout>,
    shared: Option<Shared>,
}

impl Lockouts {
    pub(crate) fn new(limits: Limits, redis: Option<RedisLedger>) -> Self {
        Self { limits, own: Mutex::new(Lockout::new(limits)), shared: redis.map(Shared::new) }
    }

    /// Says whether `login` may be tried from `address`, before anything about it is checked.
    pub(crate) async fn check(&self, login: &str, address: &str, now: Timestamp) -> Verdict {
        let own = self.own.lock().check(login, address, now);
        match &self.shared {
            Some(shared) => shared.check(&self.limits, login, address, now).await.unwrap_or(own),
            None => own,
        }
    }

    /// Counts a failed attempt.
    pub(crate) async fn failed(&self, login: &str, address: &str, now: Timestamp) {
        self.own.lock().failed(login, address, now);
        if let Some(shared) = &self.shared {
            shared.failed(&self.limits, login, address, now).await;
        }
    }

    /// Forgets the failures of a pair that has proved itself.
    pub(crate) async fn succeeded(&self, login: &str, address: &str) {
        self.own.lock().succeeded(login, address);
        if let Some(shared) = &self.shared {
            shared.succeeded(login, address).await;
        }
    }
}

struct Shared {
    redis: RedisLedger,
    check: Script,
    failed: Script,
    succeeded: Script,
    is_away: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("redis", &self.redis).finish_non_exhaustive()
    }
}

impl Shared {
    fn new(redis: RedisLedger) -> Self {
        Self {
            redis,
            check: Script::new(include_str!("lockouts/check.lua")),
            failed: Script::new(include_str!("lockouts/failed.lua")),
            succeeded: Script::new("return redis.call('DEL', KEYS[1])"),
            is_away: AtomicBool::new(false),
        }
    }

    /// `None` while Redis does not answer.
    async fn check(
        &self,
        limits: &Limits,
        login: &str,
        address: &str,
        now: Timestamp,
    ) -> Option<Verdict> {
        let keys = Keys::of(login, address);
        let names = [keys.lock_of_pair(), keys.lock_of_address(), keys.login.clone()];
        let arguments = [now.as_millis().to_string(), limits.window.as_millis().to_string()];
        let (pair, address, failures): (u64, u64, usize) =
            self.ask(&self.check, &names, &arguments).await?;
        let rest = Duration::from_millis(pair.max(address));
        Some(limits.verdict((!rest.is_zero()).then_some(rest), failures))
    }

    async fn failed(&self, limits: &Limits, login: &str, address: &str, now: Timestamp) {
        let keys = Keys::of(login, address);
        let locks = (keys.lock_of_pair(), keys.lock_of_address());
        let names = [keys.pair, locks.0, keys.address, locks.1, keys.login];
        let arguments = [
            now.as_millis().to_string(),
            limits.window.as_millis().to_string(),
            limits.lock.as_millis().to_string(),
            limits.pair_failures.to_string(),
            limits.address_failures.to_string(),
            // Two failures of one moment are two.
            uuid::Uuid::new_v4().simple().to_string(),
        ];
        let _counted: Option<i64> = self.ask(&self.failed, &names, &arguments).await;
    }

    async fn succeeded(&self, login: &str, address: &str) {
        let keys = Keys::of(login, address);
        let _forgotten: Option<i64> = self.ask(&self.succeeded, &[keys.pair], &[]).await;
    }

    async fn ask<T: redis::FromRedisValue>(
        &self,
        script: &Script,
        keys: &[String],
        arguments: &[String],
    ) -> Option<T> {
        let answer = timeout(PATIENCE, self.redis.evaluate(script, keys, arguments)).await;
        let answer =
            answer.unwrap_or_else(|_elapsed| Err(StoreError { message: "timed out".to_owned() }));
        match answer {
            Ok(value) => {
                self.is_away.store(false, Ordering::Relaxed);
                T::from_redis_value(value).ok()
            }
            Err(error) => {
                if !self.is_away.swap(true, Ordering::Relaxed) {
                    warn!(%error, "failed logins are counted in this process alone");
                }
                None
            }
        }
    }
}

/// Names of counters. They are hashes: no login stands in Redis, and none is too long for it.
struct Keys {
    pair: String,
    address: String,
    login: String,
}

impl Keys {
    fn of(login: &str, address: &str) -> Self {
        let name = |kind: &str, parts: &[&str]| {
            let mut hash = Sha256::new();
            for part in parts {
                hash.update(part.len().to_be_bytes());
                hash.update(part.as_bytes());
            }
            format!("{{lockout}}:{kind}:{:x}", hash.finalize())
        };
        Self {
            pair: name("pair", &[login, address]),
            address: name("address", &[address]),
            login: name("login", &[login]),
        }
    }

    fn lock_of_pair(&self) -> String {
        format!("{}:lock", self.pair)
    }

    fn lock_of_address(&self) -> String {
        format!("{}:lock", self.address)
    }
}

#[cfg(test)]
mod tests {
    use mesh::ledger::redis::RedisConfig;
    use mesh::testing::redis::RedisServer;

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
        Timestamp::from_micros((1_700_000_000 + seconds) * 1_000_000)
    }

    async fn instance(server: &RedisServer) -> Lockouts {
        let config = RedisConfig { url: server.url(), ..RedisConfig::default() };
        Lockouts::new(LIMITS, Some(RedisLedger::connect(config).await.unwrap()))
    }

    #[tokio::test]
    async fn instances_count_together() {
        let server = RedisServer::start().await;
        let (one, other) = (instance(&server).await, instance(&server).await);

        for second in 0..4 {
            one.failed("101", "home", at(second)).await;
        }
        assert_eq!(other.check("101", "home", at(4)).await, Verdict::Allowed);
        other.failed("101", "home", at(4)).await;

        for instance in [&one, &other] {
            let rest = Duration::from_secs(15 * 60 - 1);
            assert_eq!(instance.check("101", "home", at(5)).await, Verdict::Locked(rest));
            assert_eq!(instance.check("101", "office", at(5)).await, Verdict::Allowed);
            assert_eq!(instance.check("102", "home", at(5)).await, Verdict::Allowed);
        }
        assert_eq!(other.check("101", "home", at(4 + 900)).await, Verdict::Allowed);
    }

    #[tokio::test]
    async fn failures_of_an_address_and_of_a_login_count_as_in_one_process() {
        let server = RedisServer::start().await;
        let shared = instance(&server).await;
        let alone = Lockouts::new(LIMITS, None);

        for number in 0..60 {
            let second = number * 7;
            let (login, address) = (format!("1{}", number % 13), format!("a{}", number % 3));
            for lockouts in [&shared, &alone] {
                lockouts.failed(&login, "one", at(second)).await;
                lockouts.failed("101", &address, at(second)).await;
            }
            for (login, address) in [(login.as_str(), "one"), ("101", address.as_str()), ("9", "z")]
            {
                assert_eq!(
                    shared.check(login, address, at(second + 1)).await,
                    alone.check(login, address, at(second + 1)).await,
                    "{login} from {address} after {number}"
                );
            }
        }
    }

    #[tokio::test]
    async fn a_login_that_succeeds_begins_anew() {
        let server = RedisServer::start().await;
        let (one, other) = (instance(&server).await, instance(&server).await);
        for second in 0..4 {
            one.failed("101", "home", at(second)).await;
        }

        other.succeeded("101", "home").await;

        one.failed("101", "home", at(5)).await;
        assert_eq!(other.check("101", "home", at(5)).await, Verdict::Allowed);
    }

    #[tokio::test]
    async fn without_redis_each_instance_counts_for_itself() {
        let mut server = RedisServer::start().await;
        let one = instance(&server).await;
        server.kill().await;

        for second in 0..5 {
            one.failed("101", "home", at(second)).await;
        }

        assert!(matches!(one.check("101", "home", at(5)).await, Verdict::Locked(_)));
    }
}
