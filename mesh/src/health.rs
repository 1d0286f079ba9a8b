//! What a process says of itself: which of its parts work.
//!
//! A process is ready when no part is down and none is still starting. A degraded part keeps it
//! ready: the rest goes on, and the report says what is missing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::watch;

/// State of one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "reason", rename_all = "snake_case")]
pub enum State {
    /// Not heard of yet.
    Starting,
    /// Works.
    Ready,
    /// Works in part; the reason says what does not.
    Degraded(String),
    /// Does not work.
    Down(String),
}

/// The parts of a process. Clones share them.
#[derive(Clone, Debug)]
pub struct Readiness {
    parts: Arc<watch::Sender<Parts>>,
}

#[derive(Debug, Default)]
struct Parts {
    next: u64,
    /// Two parts may have one name while one replaces the other.
    states: BTreeMap<(String, u64), State>,
}

impl Parts {
    fn is_ready(&self) -> bool {
        self.states.values().all(|state| matches!(state, State::Ready | State::Degraded(_)))
    }
}

/// One part's line in the report; it goes when this is dropped.
#[derive(Debug)]
pub struct Component {
    key: (String, u64),
    parts: Arc<watch::Sender<Parts>>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self { parts: Arc::new(watch::Sender::new(Parts::default())) }
    }
}

impl Readiness {
    /// A report without parts, which is ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part, which is starting until it says otherwise.
    #[must_use]
    pub fn component(&self, name: impl Into<String>) -> Component {
        let mut key = (name.into(), 0);
        self.parts.send_modify(|parts| {
            parts.next += 1;
            key.1 = parts.next;
            parts.states.insert(key.clone(), State::Starting);
        });
        Component { key, parts: Arc::clone(&self.parts) }
    }

    /// True when every part is ready or degraded.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.parts.borrow().is_ready()
    }

    /// State of the part `name`, the newest when there are several.
    #[must_use]
    pub fn state_of(&self, name: &str) -> Option<State> {
        let parts = self.parts.borrow();
        parts
            .states
            .iter()
            .rev()
            .find(|((part, _), _)| part == name)
            .map(|(_, state)| state.clone())
    }

    /// All parts: `{"ready":true,"components":{"store":{"state":"degraded","reason":".."}}}`.
    #[must_use]
    pub fn report(&self) -> serde_json::Value {
        let parts = self.parts.borrow();
        let components: BTreeMap<&str, &State> =
            parts.states.iter().map(|((name, _), state)| (name.as_str(), state)).collect();
        serde_json::json!({ "ready": parts.is_ready(), "components": components })
    }

    /// Sees each later change.
    #[must_use]
    pub fn watch(&self) -> Watch {
        let mut receiver = self.parts.subscribe();
        receiver.borrow_and_update();
        Watch { receiver }
    }

    /// Returns once every part is ready or degraded.
    pub async fn until_ready(&self) {
        // Fails only when all senders are gone, and `self` is one.
        self.parts.subscribe().wait_for(Parts::is_ready).await.ok();
    }
}

/// Sees the changes of a [`Readiness`].
#[derive(Debug)]
pub struct Watch {
    receiver: watch::Receiver<Parts>,
}

impl Watch {
    /// Waits for a change; false when no part and no report is left.
    pub async fn changed(&mut self) -> bool {
        self.receiver.changed().await.is_ok()
    }

    /// True when every part is ready or degraded.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.receiver.borrow().is_ready()
    }
}

impl Component {
    /// Says that the part works.
    pub fn ready(&self) {
        self.set(State::Ready);
    }

    /// Says what does not work while the rest does.
    pub fn degraded(&self, reason: impl Into<String>) {
        self.set(State::Degraded(reason.into()));
    }

    /// Says that the part does not work.
    pub fn down(&self, reason: impl Into<String>) {
        self.set(State::Down(reason.into()));
    }

    fn set(&self, state: State) {
        self.parts.send_if_modified(|parts| {
            let Some(present) = parts.states.get_mut(&self.key) else { return false };
            let is_changed = *present != state;
            *present = state;
            is_changed
        });
    }
}

impl Drop for Component {
    fn drop(&mut self) {
        self.parts.send_modify(|parts| {
            parts.states.remove(&self.key);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_starting_or_broken_part_makes_the_process_unready() {
        let readiness = Readiness::new();
        assert!(readiness.is_ready());

        let store = readiness.component("store");
        assert!(!readiness.is_ready());

        store.degraded("reads only");
        assert!(readiness.is_ready());
        store.down("gone");
        assert!(!readiness.is_ready());

        drop(store);
        assert!(readiness.is_ready());
    }

    #[test]
    fn the_report_names_each_part() {
        let readiness = Readiness::new();
        let store = readiness.component("store");
        store.down("connection refused");
        let _keys = readiness.component("keys");

        assert_eq!(
            readiness.report(),
            serde_json::json!({"ready": false, "components": {
                "store": {"state": "down", "reason": "connection refused"},
                "keys": {"state": "starting"},
            }})
        );
    }

    #[tokio::test]
    async fn waiting_ends_when_the_last_part_is_ready() {
        let readiness = Readiness::new();
        let store = readiness.component("store");
        let mut watch = readiness.watch();

        tokio::join!(readiness.until_ready(), async { store.ready() });

        assert!(watch.changed().await);
        assert!(watch.is_ready());
    }
}
