//! Settings of the switch service.

use std::path::PathBuf;
use std::time::Duration;

use mesh::outward::Rules;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::driver::{asterisk, sim};
use crate::{audio, recordings};

/// Settings of the switch service.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Name of the node; the first part of every call id. Unique in the environment.
    pub node: String,
    /// Site of the node: commands of a site go to its own nodes. The whole configuration's `site`.
    #[serde(skip)]
    pub site: String,
    /// Credit of running calls. The whole configuration's `credit`.
    #[serde(skip)]
    pub credit: Credit,
    /// Where others reach the command API, when it is not where it listens,
    /// e.g. `http://switch-0.switch:7105`.
    pub advertise: Option<String>,
    /// The switch to drive: `sim` or `asterisk`.
    pub driver: Driver,
    /// Life of the node's lease in the store; a node is lost when it has lapsed and more.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub lease: Duration,
    /// Commands that may wait for one customer; more are refused.
    pub max_waiting_commands: usize,
    /// Bytes of events that may wait for the store in each partition; beyond them only the newest
    /// state of each leg is kept, and readers are told of the gap.
    pub outbox_bytes: usize,
    /// Folder for the journal of accounting records, which keeps them until auth has made xDRs of
    /// them. Without it, what the store forgets before that is not charged. `cordboard up` keeps
    /// it in its data folder, `cordboard switch` in `cordboard-data/accounting`.
    pub journal: Option<PathBuf>,
    /// Time that stopping may take until the store knows of every ended call.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub drain_timeout: Duration,
    /// How long the calls of a node that is told to stop go on, at most, until they have ended by
    /// themselves; meanwhile customers without calls go to other nodes. 0 ends them at once. Calls
    /// that outlive the process (`asterisk.keep_calls`) need no such time.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub drain_calls: Duration,
    /// Prompts, and audio from addresses that customers name.
    pub prompts: audio::Config,
    /// Recordings of calls.
    pub recordings: recordings::Config,
    /// Which addresses those may be. The whole configuration's `webhooks`.
    #[serde(skip)]
    pub outward: Rules,
    /// The simulator.
    pub sim: sim::Config,
    /// Asterisk.
    pub asterisk: asterisk::Config,
}

/// Credit of running calls.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Credit {
    /// What becomes of running calls when auth cannot be asked for more credit: `continue`, or
    /// `terminate` with the end of the last grant.
    pub on_auth_lost: OnAuthLost,
}

/// What becomes of running calls when auth cannot be asked for more credit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnAuthLost {
    /// They go on, and auth is asked again.
    #[default]
    Continue,
    /// They end with their last grant.
    Terminate,
}

/// The switch to drive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// The built-in simulator.
    #[default]
    Sim,
    /// Asterisk 18 or newer.
    Asterisk,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            node: "switch-1".to_owned(),
            site: "main".to_owned(),
            credit: Credit::default(),
            advertise: None,
            driver: Driver::Sim,
            lease: Duration::from_secs(15),
            max_waiting_commands: 1024,
            outbox_bytes: 64 * 1024 * 1024,
            journal: None,
            drain_timeout: Duration::from_secs(5),
            drain_calls: Duration::ZERO,
            prompts: audio::Config::default(),
            recordings: recordings::Config::default(),
            outward: Rules::default(),
            sim: sim::Config::default(),
            asterisk: asterisk::Config::default(),
        }
    }
}

impl Config {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// With a sentence that names the key and what would be right.
    pub fn validate(&self) -> Result<(), String> {
        if self.node.is_empty() || !self.node.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        {
            return Err("switch.node has to be letters, digits and hyphens, without a dot".into());
        }
        if self.lease < Duration::from_secs(1) {
            return Err("switch.lease has to be at least 1s".into());
        }
        if self.max_waiting_commands == 0 {
            return Err("switch.max_waiting_commands has to be above 0".into());
        }
        if self.prompts.max_bytes == 0 || self.prompts.fetch_timeout.is_zero() {
            return Err("switch.prompts.max_bytes and fetch_timeout have to be above 0".into());
        }
        match self.driver {
            Driver::Sim => self.sim.validate().map_err(|error| format!("switch.sim.{error}")),
            Driver::Asterisk => {
                self.asterisk.validate().map_err(|error| format!("switch.asterisk.{error}"))
            }
        }
    }
}
