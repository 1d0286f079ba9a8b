//! The faults that every method can answer with, listed once.
//!
//! `<Service>` and `<method>` in a faultcode stand for those of the method called.

use crate::model::Method;
use crate::options::Fault;

/// Reason, faultcode, JSON-RPC code, and when it is raised.
const COMMON: [(&str, &str, i32, &str); 19] = [
    (
        "NOT_IMPLEMENTED",
        "Server.<Service>.<method>.not_implemented",
        -32601,
        "the service behind is older than the edge and does not know the method",
    ),
    (
        "STANDALONE_MODE",
        "standalone_mode",
        -32003,
        "the installation runs in standalone mode, without the API",
    ),
    (
        "ENVELOPE_MISSED",
        "Client.check_auth.envelope_missed",
        -32001,
        "the request carries nothing to authenticate it with",
    ),
    (
        "ACCESS_TOKEN_INVALID",
        "Client.Session.check_auth.failed_to_process_access_token",
        -32001,
        "the access token or session id is no live one",
    ),
    (
        "JWT_INVALID",
        "Client.Session.check_auth.failed_to_process_jwt",
        -32001,
        "the access token is malformed, expired, or not signed by this installation",
    ),
    (
        "AUTH_FAILED",
        "Server.Session.check_auth.auth_failed",
        -32001,
        "login and password, or token, given with the request do not match; or the session ended",
    ),
    (
        "MUST_CHANGE_PASSWORD",
        "Server.Session.alert_You_must_change_password",
        -32001,
        "login and password match, but the password must be changed first",
    ),
    (
        "LOCKED",
        "Server.Session.cannot_login_brute_force_activity",
        -32029,
        "too many failed logins; `data.retry_after_ms` says when to try again",
    ),
    (
        "REALM_REQUIRED",
        "Client.Session.login.realm_required",
        -32602,
        "login and password given with the request match in several realms",
    ),
    (
        "ACCESS_DENIED",
        "Server.<Service>.<method>.access_denied",
        -32003,
        "the realm, role or token scope does not allow the method",
    ),
    (
        "UNKNOWN_PARAM",
        "Client.<Service>.<method>.unknown_param",
        -32602,
        "the method has no such params; `data.params` names them",
    ),
    (
        "MISSING_PARAM",
        "Client.<Service>.<method>.missing_param",
        -32602,
        "required params are absent; `data.params` names them",
    ),
    (
        "INVALID_PARAM",
        "Client.<Service>.<method>.invalid_param",
        -32602,
        "params have a wrong type or value; `data.params` names them",
    ),
    (
        "LIMIT_REACHED",
        "Server.<Service>.<method>.limit_reached",
        -32029,
        "a limit is reached; `data.retry_after_ms` says when to try again",
    ),
    (
        "UNAVAILABLE",
        "Server.<Service>.<method>.unavailable",
        -32050,
        "the switch, the store or a service is not reachable; try again",
    ),
    (
        "DEADLINE_EXCEEDED",
        "Server.<Service>.<method>.timeout",
        -32051,
        "no answer came in time; `data.outcome` is `unknown` when the command may have been done",
    ),
    (
        "INTERNAL",
        "Server.<Service>.<method>.internal_error",
        -32603,
        "something is broken; tell the operator the `data.trace_id`",
    ),
    (
        "NO_SUCH_METHOD",
        "Client.<Service>.<method>.no_such_method",
        -32601,
        "there is no such method, or not over this transport",
    ),
    (
        "INVALID_REQUEST",
        "Client.<Service>.<method>.invalid_request",
        -32600,
        "the frame or body is no request",
    ),
];

/// Says in general what a code means.
pub(crate) const fn title(code: i32) -> &'static str {
    match code {
        -32600 => "not a request",
        -32601 => "no such method",
        -32602 => "the params are wrong",
        -32001 => "not authenticated",
        -32003 => "not allowed",
        -32004 => "no such object",
        -32009 => "not in this state",
        -32029 => "a limit is reached",
        -32050 => "not reachable",
        -32051 => "no answer in time",
        _ => "internal error",
    }
}

/// Returns the common faults, their faultcodes with placeholders.
pub(crate) fn templates() -> Vec<Fault> {
    COMMON
        .iter()
        .map(|(reason, faultcode, code, when)| Fault {
            reason: (*reason).to_owned(),
            faultcode: (*faultcode).to_owned(),
            code: *code,
            when: (*when).to_owned(),
        })
        .collect()
}

/// Returns the common faults of one method, but those that it declares itself or cannot meet.
pub(crate) fn of(method: &Method) -> Vec<Fault> {
    let api = &method.api;
    let mut faults = templates();
    faults.retain(|fault| {
        let can_happen = match fault.reason.as_str() {
            "NOT_IMPLEMENTED" => !api.is_edge,
            // These are raised before there is a method.
            "NO_SUCH_METHOD" | "INVALID_REQUEST" => false,
            "ENVELOPE_MISSED"
            | "MUST_CHANGE_PASSWORD"
            | "LOCKED"
            | "REALM_REQUIRED"
            | "ACCESS_DENIED" => !api.is_anonymous,
            _ => true,
        };
        can_happen && api.faults.iter().all(|own| own.reason != fault.reason)
    });
    for fault in &mut faults {
        fault.faultcode =
            fault.faultcode.replace("<Service>", &method.service).replace("<method>", &method.verb);
    }
    faults
}
