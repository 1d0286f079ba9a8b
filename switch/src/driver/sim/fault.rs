//! Faults that can be switched on, for reliability tests.

use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;

use crate::driver::DriverError;

/// Longest delay of an operation.
const MAX_SLOW_MS: u32 = 600_000;

/// A fault to be switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The node goes away without a word.
    NodeCrash {},
    /// Every operation takes so long from now on; 0 ends it.
    Slow {
        /// Milliseconds, at most ten minutes.
        ms: u32,
    },
    /// The next operations fail as if the switch did not answer; 0 ends it.
    DropCommands {
        /// How many.
        count: u32,
    },
}

/// The faults that are on.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<State>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    slow: Duration,
    drops: u32,
}

impl Faults {
    pub(super) fn slow(&self, ms: u32) {
        self.0.lock().slow = Duration::from_millis(ms.min(MAX_SLOW_MS).into());
    }

    pub(super) fn drop_commands(&self, count: u32) {
        self.0.lock().drops = count;
    }

    /// What an operation has to go through first.
    pub(super) async fn befall(&self) -> Result<(), DriverError> {
        let state = {
            let mut state = self.0.lock();
            let before = *state;
            state.drops = state.drops.saturating_sub(1);
            before
        };
        if !state.slow.is_zero() {
            tokio::time::sleep(state.slow).await;
        }
        if state.drops > 0 {
            return Err(DriverError::Unreachable);
        }
        Ok(())
    }
}
