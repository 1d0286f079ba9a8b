//! Settings of the service.

use std::time::Duration;

use anyhow::ensure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::webhooks;

/// Settings of the service, section `notifier` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long events stay in memory after they were read: resumes from within this time never
    /// reach the store.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub recent_window: Duration,
    /// Bytes of events that stay in memory for resumes, over all partitions; the oldest go first.
    pub recent_max_bytes: usize,
    /// Bytes that wait for one edge; beyond them its stream is ended with `RESOURCE_EXHAUSTED`
    /// and the edge replays what it missed.
    pub edge_buffer_bytes: usize,
    /// Scopes that one edge may have at a time; more are refused.
    pub scopes_per_edge: usize,
    /// Time between two signs of life on a live stream.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub beat: Duration,
    /// Entries of one read of the log.
    pub read_page: usize,
    /// How long one read of the log waits for an entry. Bounds how late the news comes that a log
    /// without entries began anew.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub read_wait: Duration,
    /// Time for an answer of the store, beyond what it was asked to wait.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub store_timeout: Duration,
    /// Entries of one page of a replay.
    pub replay_page: usize,
    /// Pages that all replays together read from the store at the same time; the rest wait, so
    /// that resumes never delay live events.
    pub replay_concurrency: usize,
    /// Time between two trims of the log, shortened at random by up to half.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub trim_interval: Duration,
    /// Time for streams to end after the stop; below the pod's grace period.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub drain_timeout: Duration,
    /// Webhooks. The whole configuration's section `webhooks`.
    #[serde(skip)]
    pub webhooks: webhooks::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            recent_window: Duration::from_mins(1),
            recent_max_bytes: 64 << 20,
            edge_buffer_bytes: 16 << 20,
            scopes_per_edge: 100_000,
            beat: Duration::from_secs(1),
            read_page: 512,
            read_wait: Duration::from_secs(1),
            store_timeout: Duration::from_secs(3),
            replay_page: 256,
            replay_concurrency: 4,
            trim_interval: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
            webhooks: webhooks::Config::default(),
        }
    }
}

impl Config {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self) -> anyhow::Result<()> {
        ensure!(!self.beat.is_zero(), "notifier.beat must not be zero");
        ensure!(
            self.beat < Duration::from_secs(3),
            "notifier.beat must be below 3s: an edge takes a notifier without a beat for dead by then"
        );
        ensure!(!self.read_wait.is_zero(), "notifier.read_wait must not be zero");
        ensure!(!self.store_timeout.is_zero(), "notifier.store_timeout must not be zero");
        ensure!(!self.trim_interval.is_zero(), "notifier.trim_interval must not be zero");
        for (name, number) in [
            ("edge_buffer_bytes", self.edge_buffer_bytes),
            ("scopes_per_edge", self.scopes_per_edge),
            ("read_page", self.read_page),
            ("replay_page", self.replay_page),
            ("replay_concurrency", self.replay_concurrency),
        ] {
            ensure!(number > 0, "notifier.{name} must not be zero");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_accepted() {
        Config::default().validate().unwrap();
    }

    #[test]
    fn settings_are_read_by_name_and_unknown_ones_refused() {
        let read = |text: &str| serde_json::from_str::<Config>(text);

        let config = read(r#"{"recent_window":"5s","edge_buffer_bytes":1024}"#).unwrap();
        assert_eq!(config.recent_window, Duration::from_secs(5));
        assert_eq!(config.edge_buffer_bytes, 1024);
        assert_eq!(config.beat, Config::default().beat);

        assert!(read(r#"{"recent_windows":"5s"}"#).is_err());
    }

    #[test]
    fn a_beat_that_would_look_like_death_is_refused() {
        for beat in [Duration::ZERO, Duration::from_secs(3)] {
            assert!(Config { beat, ..Config::default() }.validate().is_err(), "{beat:?}");
        }
        assert!(Config { replay_page: 0, ..Config::default() }.validate().is_err());
    }
}
