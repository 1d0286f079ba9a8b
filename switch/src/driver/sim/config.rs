//! Settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the simulated switch.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Factor on all simulated times: 1 is lifelike, 0 makes them nothing.
    pub speed: f64,
    /// Milliseconds from dialling until the called party is alerted.
    pub setup_ms: u32,
    /// Milliseconds of ringing until a number of the public network answers.
    pub pstn_answer_ms: u32,
    /// Milliseconds of ringing until a party declines that does.
    pub refusal_ms: u32,
    /// Channels at once; further calls are refused.
    pub max_channels: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            speed: 1.0,
            setup_ms: 10,
            pstn_answer_ms: 500,
            refusal_ms: 200,
            max_channels: 65_536,
        }
    }
}

impl Config {
    /// Refuses a speed that is no factor.
    ///
    /// # Errors
    /// With a sentence that names the key.
    pub fn validate(&self) -> Result<(), String> {
        if self.speed.is_finite() && self.speed >= 0.0 {
            return Ok(());
        }
        Err(format!("speed must be 0 or more, not {}", self.speed))
    }
}
