//! Settings of the service.

use std::time::Duration;

use mesh::outward::Rules;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The site of this process: new customers get a home here, when a node here takes them. The
    /// whole configuration's `site`.
    #[serde(skip)]
    pub site: String,
    /// How often the list of switch nodes is read.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub node_refresh: Duration,
    /// How long a node is kept that the store no longer lists, since a store that came back empty
    /// learns of the nodes one by one; at least the switch's lease.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub node_grace: Duration,
    /// How long a customer's home is believed without asking the store.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub home_cache: Duration,
    /// Life of a `request_id`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub request_id_ttl: Duration,
    /// How many values of `request_id` are kept for a customer.
    pub request_id_cap: u64,
    /// Whether this process ends the calls of lost nodes.
    pub sweep: bool,
    /// How often it looks for lost nodes.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub sweep_interval: Duration,
    /// How long the store must have answered without a break before a node may be called lost: a
    /// node's whole lease, so that each living node has had the time to renew it. The whole
    /// configuration's `switch.lease`.
    #[serde(skip)]
    pub lease: Duration,
    /// Which addresses may be named for callbacks. The whole configuration's
    /// `webhooks.allow_private`.
    #[serde(skip)]
    pub outward: Rules,
    /// How long a node whose lease has lapsed may take to answer `GET /v1/health`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub probe_timeout: Duration,
    /// Time for requests under way after the stop.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub drain_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            site: "main".to_owned(),
            node_refresh: Duration::from_secs(1),
            node_grace: Duration::from_secs(15),
            home_cache: Duration::from_secs(5),
            request_id_ttl: Duration::from_hours(24),
            request_id_cap: 10_000,
            sweep: true,
            sweep_interval: Duration::from_secs(1),
            lease: Duration::from_secs(15),
            outward: Rules::default(),
            probe_timeout: Duration::from_secs(2),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// Refuses settings that contradict each other.
    ///
    /// # Errors
    /// Says which.
    pub fn validate(&self) -> anyhow::Result<()> {
        anyhow::ensure!(!self.node_refresh.is_zero(), "node_refresh must not be zero");
        anyhow::ensure!(!self.sweep_interval.is_zero(), "sweep_interval must not be zero");
        anyhow::ensure!(
            self.lease >= self.sweep_interval * 2,
            "switch.lease must be at least twice callcontrol.sweep_interval"
        );
        anyhow::ensure!(self.request_id_cap > 0, "request_id_cap must not be zero");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        let config: Config = toml::from_str("").unwrap();

        assert_eq!(config, Config::default());
        config.validate().unwrap();
    }

    #[test]
    fn unknown_keys_are_refused() {
        for text in ["sites = \"main\"", "site = \"main\"", "lease = \"15s\""] {
            assert!(toml::from_str::<Config>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_lease_shorter_than_two_looks_is_refused() {
        let config = Config { lease: Duration::from_secs(1), ..Config::default() };

        assert!(config.validate().is_err());
    }
}
