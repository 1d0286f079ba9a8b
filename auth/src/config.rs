//! Settings of the service.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::lockout::Limits;

/// Settings of the service.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Refuses the published passwords of the demo directory; set in production.
    pub refuse_demo_passwords: bool,
    /// Where the directory is kept.
    pub database: Database,
    /// How long sessions live.
    pub session: Session,
    /// When failed logins lock out.
    pub lockout: Lockout,
    /// How many passwords are checked at a time.
    pub password: Password,
}

/// Where the directory is kept.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `sqlite://PATH`, which is created when it is not there, `sqlite::memory:`, or
    /// `postgres://USER@HOST/DATABASE`, optionally with `?sslmode=verify-full&sslrootcert=PATH`.
    pub url: String,
    /// File with the password of the database's user; a line break at its end does not count.
    pub password_file: Option<PathBuf>,
    /// Connections to `PostgreSQL` at most, for each instance.
    pub connections: u32,
    /// How long a request waits for a connection.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub acquire_timeout: Duration,
    /// How long one statement may take, waiting for others that write included.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub statement_timeout: Duration,
}

impl Database {
    /// The database at `url`, with the other settings as they are by default.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }
}

/// How long sessions live.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Session {
    /// Life of an access token.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub access_token_lifetime: Duration,
    /// Life of a refresh token; each exchange begins a new one.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub refresh_token_lifetime: Duration,
    /// How long after its use a refresh token is answered as before, for clients that lost the
    /// answer.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub refresh_tolerance: Duration,
    /// Age at which the key that signs access tokens is replaced. Nobody is logged out by it.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub key_lifetime: Duration,
}

/// When failed logins lock out.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lockout {
    /// Failures of one login from one address that lock this pair.
    pub failures: usize,
    /// Failures from one address, whatever the login, that lock the address.
    pub address_failures: usize,
    /// Failures of one login, from whatever address, from which on its attempts are slowed.
    pub slow_after: usize,
    /// Time over which failures count together.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub window: Duration,
    /// How long a lock lasts.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub lock: Duration,
}

/// How many passwords are checked at a time.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Password {
    /// Checks that run at the same time; 0 means one for each core.
    pub threads: usize,
    /// Checks that may wait for them; more are refused.
    pub queue: usize,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: "sqlite://cordboard-data/cordboard.db".to_owned(),
            password_file: None,
            connections: 10,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(5),
        }
    }
}

impl Default for Session {
    fn default() -> Self {
        Self {
            access_token_lifetime: Duration::from_mins(15),
            refresh_token_lifetime: Duration::from_hours(30 * 24),
            refresh_tolerance: Duration::from_secs(10),
            key_lifetime: Duration::from_hours(30 * 24),
        }
    }
}

impl Default for Lockout {
    fn default() -> Self {
        Self {
            failures: 5,
            address_failures: 50,
            slow_after: 20,
            window: Duration::from_mins(5),
            lock: Duration::from_mins(15),
        }
    }
}

impl Default for Password {
    fn default() -> Self {
        Self { threads: 0, queue: 64 }
    }
}

/// Pairs, addresses and logins whose failures are remembered, each.
const LOCKOUT_CAPACITY: usize = 100_000;

impl Lockout {
    /// The limits of the domain.
    pub(crate) const fn limits(&self) -> Limits {
        Limits {
            pair_failures: self.failures,
            address_failures: self.address_failures,
            slow_after: self.slow_after,
            window: self.window,
            lock: self.lock,
            capacity: LOCKOUT_CAPACITY,
        }
    }
}

impl Config {
    /// Refuses settings that cannot work together.
    ///
    /// # Errors
    /// Names the keys.
    pub fn validate(&self) -> anyhow::Result<()> {
        ensure!(self.database.connections > 0, "`database.connections` must be 1 or more");
        ensure!(
            self.database.acquire_timeout > Duration::ZERO
                && self.database.statement_timeout >= Duration::from_millis(1),
            "`database.acquire_timeout` and `database.statement_timeout` must be longer than nothing"
        );
        let session = &self.session;
        ensure!(
            session.access_token_lifetime >= Duration::from_secs(1),
            "`session.access_token_lifetime` must be a second or more"
        );
        ensure!(
            session.refresh_token_lifetime > session.access_token_lifetime,
            "`session.refresh_token_lifetime` must be longer than `session.access_token_lifetime`"
        );
        ensure!(
            session.refresh_tolerance < session.access_token_lifetime,
            "`session.refresh_tolerance` must be shorter than `session.access_token_lifetime`"
        );
        ensure!(
            session.key_lifetime >= session.access_token_lifetime
                && session.key_lifetime >= Duration::from_mins(1),
            "`session.key_lifetime` must be a minute or more, and not shorter than \
             `session.access_token_lifetime`"
        );
        ensure!(
            self.lockout.failures > 0 && self.lockout.address_failures > 0,
            "`lockout.failures` and `lockout.address_failures` must be 1 or more"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_good() {
        let config: Config = toml::from_str("").unwrap();

        config.validate().unwrap();
        assert_eq!(config.session.access_token_lifetime, Duration::from_mins(15));
        assert_eq!(config.session.refresh_token_lifetime, Duration::from_hours(30 * 24));
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Config>("[session]\nlifetime = \"1s\"\n").is_err());
    }

    #[test]
    fn a_refresh_token_outlives_the_access_token() {
        let config: Config =
            toml::from_str("[session]\nrefresh_token_lifetime = \"1m\"\n").unwrap();

        assert!(config.validate().unwrap_err().to_string().contains("refresh_token_lifetime"));
    }
}
