//! The audit log: who did what to which call, and what came of it.
//!
//! One line, under the target `audit`, for every request that changes something and has a session
//! or asks for one. It names users and calls by their ids alone: params, which hold numbers,
//! digits and passwords, are never in it.

use mesh::trace;
use proto::api::Method;
use serde_json::Value;
use tracing::info;
use uuid::Uuid;

use super::{Fault, Outcome};
use crate::session::Session;

/// Longest name of a node in a call's id.
const MAX_NODE_CHARS: usize = 63;

/// What is noted when the client went before its answer came: the command may have been done.
const GIVEN_UP: &str = "given_up";

/// One request; its line is written when this is dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    method: &'static Method,
    user: String,
    realm: &'static str,
    call_id: String,
    transport: &'static str,
    outcome: String,
    trace_id: String,
}

impl Entry {
    /// Begins the entry of a request; none for a request that only reads.
    pub(crate) fn begin(
        method: &'static Method,
        session: Option<&Session>,
        params: &Value,
        transport: &'static str,
    ) -> Option<Self> {
        method.mutates.then(|| Self {
            method,
            user: session.map(|session| session.caller.user.clone()).unwrap_or_default(),
            realm: session.map_or("", |session| realm(session)),
            call_id: call_id(params).unwrap_or_default().to_owned(),
            transport,
            outcome: GIVEN_UP.to_owned(),
            trace_id: trace::current_trace_id(),
        })
    }

    /// Notes the answer.
    pub(crate) fn finish(mut self, answer: &Result<Outcome, Fault>) {
        self.outcome = match answer {
            Ok(_) => "ok".to_owned(),
            Err(fault) => fault.faultcode.clone(),
        };
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        info!(
            target: "audit",
            user = self.user,
            realm = self.realm,
            method = self.method.name,
            call_id = self.call_id,
            transport = self.transport,
            outcome = self.outcome,
            trace_id = self.trace_id,
            "request"
        );
    }
}

fn realm(session: &Session) -> &'static str {
    let name = session.caller.scope.realm().as_str_name();
    name.strip_prefix("REALM_").unwrap_or(name)
}

/// The call that params name. What does not look like a call's id may be a number or a token
/// that a client put there by mistake.
fn call_id(params: &Value) -> Option<&str> {
    let text = params.get("call")?.get("id")?.as_str()?;
    let (node, uuid) = text.rsplit_once('.')?;
    let is_node = node.len() <= MAX_NODE_CHARS
        && node.starts_with(|first: char| first.is_ascii_alphabetic())
        && node.chars().all(|char| char.is_ascii_alphanumeric() || "-_.".contains(char));
    (is_node && Uuid::try_parse(uuid).is_ok()).then_some(text)
}

#[cfg(test)]
mod tests {
    use proto::api;
    use serde_json::json;

    use super::*;

    const CALL: &str = "sw1.01890a5d-ac96-774b-bcce-b302099a8057";

    fn begin(method: &str, params: &Value) -> Option<Entry> {
        Entry::begin(api::method(method).unwrap(), None, params, "rest")
    }

    #[test]
    fn a_command_is_noted_with_its_call_and_without_its_other_params() {
        let params = json!({"call": {"id": CALL, "tag": "secret"}, "to": "4930123456"});

        let entry = begin("CallControl/hold_call", &params).unwrap();

        assert_eq!((entry.call_id.as_str(), entry.outcome.as_str()), (CALL, GIVEN_UP));
        let noted = format!("{entry:?}");
        for kept_back in ["secret", "4930123456"] {
            assert!(!noted.contains(kept_back), "{noted}");
        }
    }

    #[test]
    fn what_is_no_call_id_is_not_noted() {
        for id in ["4930123456", "sw1.4930123456", "", "a b.01890a5d-ac96-774b-bcce-b302099a8057"] {
            let entry = begin("CallControl/hold_call", &json!({"call": {"id": id}})).unwrap();
            assert_eq!(entry.call_id, "", "{id}");
        }
    }

    #[test]
    fn what_only_reads_is_not_noted() {
        assert!(begin("CallControl/get_sip_calls_list", &json!({})).is_none());
    }
}
