//! The public network behind a trunk: it takes calls to any number, several at a time, and places
//! calls. It behaves as the simulator's does: numbers that end in 486, 603, 480 or 404 answer with
//! that code, those in 000 ring for ever, all others answer.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::agent::{Agent, Conduct, Error, Manner, Settings};

/// The far end of a trunk. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Provider {
    agent: Agent,
}

#[derive(Debug)]
struct Network {
    answers_after: Duration,
}

impl Conduct for Network {
    fn manner(&self, number: &str) -> Manner {
        for code in [486, 603, 480, 404] {
            if number.ends_with(&code.to_string()) {
                return Manner::Refuse(code);
            }
        }
        if number.ends_with("000") { Manner::Ring } else { Manner::AnswerAfter(self.answers_after) }
    }

    fn tone(&self, number: &str) -> f64 {
        Provider::tone(number)
    }
}

impl Provider {
    /// Starts one whose numbers answer after this time.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(settings: Settings, answers_after: Duration) -> Result<Self, Error> {
        Ok(Self { agent: Agent::start(settings, Arc::new(Network { answers_after })).await? })
    }

    /// The pitch of a number: from 1,900 hertz on, by its last two digits.
    #[must_use]
    pub fn tone(number: &str) -> f64 {
        let digits: Vec<u32> = number.chars().rev().filter_map(|one| one.to_digit(10)).collect();
        let last = |place: usize| digits.get(place).copied().unwrap_or_default();
        f64::from(1_900 + 10 * (last(0) + 10 * last(1)))
    }
}

impl Deref for Provider {
    type Target = Agent;

    fn deref(&self) -> &Agent {
        &self.agent
    }
}
