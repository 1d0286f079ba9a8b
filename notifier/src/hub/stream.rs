//! The scopes of one live stream.

use std::collections::HashMap;
use std::sync::Arc;

use mesh::caller::Caller;

use super::Hub;
use crate::domain::frame::Frame;
use crate::domain::outbox::Outbox;
use crate::domain::scope::Access;
use crate::presence::Listening;

/// The scopes that one edge has on its live stream. When dropped, they leave and the stream ends.
#[derive(Debug)]
pub(crate) struct LiveScopes {
    hub: Arc<Hub>,
    outbox: Arc<Outbox>,
    scopes: HashMap<u64, Held>,
}

#[derive(Debug)]
struct Held {
    access: Access,
    caller: Arc<Caller>,
    /// Held while the scope is an access number's.
    _listening: Option<Listening>,
}

impl LiveScopes {
    /// No scopes yet.
    pub(crate) fn new(hub: Arc<Hub>, outbox: Arc<Outbox>) -> Self {
        Self { hub, outbox, scopes: HashMap::new() }
    }

    /// Number of scopes.
    pub(crate) fn len(&self) -> usize {
        self.scopes.len()
    }

    /// True when the edge has given this number to a scope.
    pub(crate) fn contains(&self, scope_id: u64) -> bool {
        self.scopes.contains_key(&scope_id)
    }

    /// Adds a scope; one that has this number already is replaced, without a break when it is the
    /// same scope for another caller.
    pub(crate) fn add(
        &mut self,
        scope_id: u64,
        access: Access,
        caller: Arc<Caller>,
        listening: Option<Listening>,
    ) {
        if self.scopes.get(&scope_id).is_some_and(|held| held.access.scope != access.scope) {
            self.remove(scope_id);
        }
        let former = self.scopes.get(&scope_id).map(|held| &held.access);
        self.hub.join(&self.outbox, scope_id, &access, former);
        self.scopes.insert(scope_id, Held { access, caller, _listening: listening });
    }

    /// Takes a scope away.
    pub(crate) fn remove(&mut self, scope_id: u64) {
        if let Some(held) = self.scopes.remove(&scope_id) {
            self.hub.leave(self.outbox.stream, scope_id, &held.access);
        }
    }

    /// Takes the scope away, if there is one, and says why.
    pub(crate) fn refuse(&mut self, scope_id: u64, reason: &'static str) {
        self.remove(scope_id);
        self.outbox.push(Frame::Refused { scope_id, reason });
    }

    /// Refuses the scopes of callers that `is_bad` holds of.
    pub(crate) fn refuse_callers(
        &mut self,
        reason: &'static str,
        is_bad: impl Fn(&Caller) -> bool,
    ) {
        let bad: Vec<u64> = self
            .scopes
            .iter()
            .filter(|(_, held)| is_bad(&held.caller))
            .map(|(scope_id, _)| *scope_id)
            .collect();
        for scope_id in bad {
            self.refuse(scope_id, reason);
        }
    }
}

impl Drop for LiveScopes {
    fn drop(&mut self) {
        for (scope_id, held) in self.scopes.drain() {
            self.hub.leave(self.outbox.stream, scope_id, &held.access);
        }
        self.hub.close(self.outbox.stream);
        self.outbox.close();
    }
}
