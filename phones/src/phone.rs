//! One account's phone: it behaves as its user says, and speaks with one tone.

use std::ops::Deref;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::agent::{Agent, Conduct, Error, Manner, Settings};

/// A phone. Its user part is an account's id. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Phone {
    agent: Agent,
    person: Arc<Person>,
}

#[derive(Debug)]
struct Person {
    manner: Mutex<Manner>,
    tone: f64,
}

impl Conduct for Person {
    fn manner(&self, _: &str) -> Manner {
        *self.manner.lock()
    }

    fn tone(&self, _: &str) -> f64 {
        self.tone
    }
}

impl Phone {
    /// Starts one that speaks with `tone` hertz, and answers.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(settings: Settings, tone: f64) -> Result<Self, Error> {
        let person = Arc::new(Person { manner: Mutex::new(Manner::Answer), tone });
        let conduct: Arc<dyn Conduct> = Arc::<Person>::clone(&person);
        let agent = Agent::start(settings, conduct).await?;
        Ok(Self { agent, person })
    }

    /// Its pitch.
    #[must_use]
    pub fn tone(&self) -> f64 {
        self.person.tone
    }

    /// What it does from now on when it is called.
    pub fn set_manner(&self, manner: Manner) {
        *self.person.manner.lock() = manner;
    }
}

impl Deref for Phone {
    type Target = Agent;

    fn deref(&self) -> &Agent {
        &self.agent
    }
}
