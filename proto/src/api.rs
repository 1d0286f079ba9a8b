//! The methods of the public API, as the options in proto declare them.
//!
//! The edge dispatches by this table and knows no method by name but those it answers itself.

use std::fmt;

use bytes::Bytes;
use serde_json::Value;

use crate::json::{self, Problems};
use crate::options::v1::{Component, HandledBy, Level, Realm};

/// One method of the public API.
#[derive(Clone, Copy)]
pub struct Method {
    /// The name that applications call, `Service/method`.
    pub name: &'static str,
    /// The name under which it is declared: `name`, unless that is an alias.
    pub canonical: &'static str,
    /// Other names that reach the same method.
    pub aliases: &'static [&'static str],
    /// `CallControl` of `CallControl/hold_call`; `rpc` of `rpc.discover`.
    pub service: &'static str,
    /// `hold_call` of `CallControl/hold_call`; `discover` of `rpc.discover`.
    pub verb: &'static str,
    /// The realms that may call it.
    pub realms: &'static [Realm],
    /// What the caller's role must grant; unspecified when nothing.
    pub component: Component,
    /// How much the role must grant on `component`.
    pub level: Level,
    /// Who answers.
    pub handled_by: HandledBy,
    /// May be called without a session.
    pub anonymous: bool,
    /// The param with which it may be called without a session.
    pub anonymous_with: Option<&'static str>,
    /// Changes something.
    pub mutates: bool,
    /// Makes no sense over HTTP.
    pub websocket_only: bool,
    /// Takes `request_id`, which makes a repetition safe.
    pub takes_request_id: bool,
    /// Names of the params.
    pub params: &'static [&'static str],
    /// Names of the params that are never logged.
    pub secrets: &'static [&'static str],
    /// The faults that it declares.
    pub faults: &'static [Fault],
    /// The common faults that it can answer with, faultcodes filled in.
    pub common_faults: &'static [Fault],
    /// The service of the mesh that declares it, e.g. `callcontrol`.
    pub owner: &'static str,
    /// Full name of its gRPC service.
    pub grpc_service: &'static str,
    /// Path of its RPC, e.g. `/cordboard.callcontrol.v1.CallControlService/HoldCall`.
    pub grpc_path: &'static str,
    /// Checks the params and encodes them as the RPC's request; `null` is read as `{}`.
    pub read_params: fn(&Value) -> Result<Bytes, Problems>,
    /// Writes the RPC's encoded response as compact JSON.
    pub write_result: fn(&[u8]) -> Result<Vec<u8>, prost::DecodeError>,
}

/// One fault of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What services raise, e.g. `CALL_NOT_FOUND`.
    pub reason: &'static str,
    /// What applications see, e.g. `Client.CallControl.hold_call.call_not_found`.
    pub faultcode: &'static str,
    /// The JSON-RPC code.
    pub code: i32,
    /// When it is raised.
    pub when: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/table.rs"));

/// Finds a method by its name or an alias; case matters. By an alias it has that name, and its
/// faults too.
#[must_use]
pub fn method(name: &str) -> Option<&'static Method> {
    let found = INDEX.binary_search_by_key(&name, |(known, _)| *known).ok()?;
    let (_, index) = INDEX.get(found)?;
    METHODS.get(*index).or_else(|| ALIASED.get(index.checked_sub(METHODS.len())?))
}

impl Method {
    /// Finds what a reason means for this method: its own fault, else the common one.
    #[must_use]
    pub fn fault(&self, reason: &str) -> Option<&'static Fault> {
        self.faults.iter().chain(self.common_faults).find(|fault| fault.reason == reason)
    }

    /// Tells whether a realm may call it.
    #[must_use]
    pub fn is_open_to(&self, realm: Realm) -> bool {
        self.realms.contains(&realm)
    }

    /// Tells whether the edge answers it itself.
    #[must_use]
    pub fn is_handled_by_edge(&self) -> bool {
        self.handled_by == HandledBy::Edge
    }

    /// Returns the `request_id` among the params of a call, when the method takes one.
    #[must_use]
    pub fn request_id_of<'a>(&self, params: &'a Value) -> Option<&'a str> {
        if self.takes_request_id { params.get("request_id")?.as_str() } else { None }
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Method").field("name", &self.name).finish_non_exhaustive()
    }
}
