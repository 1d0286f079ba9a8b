//! Settings of webhooks.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of webhooks, section `webhooks` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether addresses that customers name (webhooks, audio to be played) may be private,
    /// loopback or link-local.
    pub allow_private: bool,
    /// File with the secrets that sign webhooks: a line `I_CUSTOMER = SECRET` for each customer,
    /// `* = SECRET` for all others. Posts of a customer without a secret are not signed.
    pub secret_file: Option<PathBuf>,
    /// Time for one attempt; well below `lease`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub attempt_timeout: Duration,
    /// How long after its event a post is tried again; each is tried once at least.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub retry_for: Duration,
    /// For how long one notifier holds the sending of a partition without renewing it.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub lease: Duration,
    /// Bytes of posts that wait in one notifier; over them the target for which most waits loses
    /// its newest.
    pub max_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow_private: false,
            secret_file: None,
            attempt_timeout: Duration::from_secs(10),
            retry_for: Duration::from_mins(5),
            lease: Duration::from_secs(30),
            max_bytes: 64 << 20,
        }
    }
}

impl Config {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self) -> anyhow::Result<()> {
        ensure!(!self.attempt_timeout.is_zero(), "webhooks.attempt_timeout must not be zero");
        ensure!(
            self.lease >= self.attempt_timeout * 2,
            "webhooks.lease must be twice webhooks.attempt_timeout or more"
        );
        ensure!(self.max_bytes > 0, "webhooks.max_bytes must not be zero");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_that_could_outlast_the_hold_is_refused() {
        Config::default().validate().unwrap();
        let lease = Duration::from_secs(19);
        assert!(Config { lease, ..Config::default() }.validate().is_err());
    }
}
