//! Settings of the service.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How often the list of switch nodes is read.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub node_refresh: Duration,
    /// How long a node is kept that the store no longer lists, since a store that came back empty
    /// learns of the nodes one by one; at least the switch's lease.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub node_grace: Duration,
    /// Life of a `request_id`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub request_id_ttl: Duration,
    /// How many values of `request_id` are kept for a customer, calls' and conferences' together.
    pub request_id_cap: u64,
    /// Time for requests under way after the stop.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub drain_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            node_refresh: Duration::from_secs(1),
            node_grace: Duration::from_secs(15),
            request_id_ttl: Duration::from_hours(24),
            request_id_cap: 10_000,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// Refuses settings that make no sense.
    ///
    /// # Errors
    /// Says which.
    pub fn validate(&self) -> anyhow::Result<()> {
        anyhow::ensure!(!self.node_refresh.is_zero(), "node_refresh must not be zero");
        anyhow::ensure!(self.request_id_cap > 0, "request_id_cap must not be zero");
        Ok(())
    }
}
