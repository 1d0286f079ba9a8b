//! Faults as applications see them.
//!
//! One table turns a gRPC code and reason into a JSON-RPC code and a faultcode: first what the
//! method declares, then what every method can meet, then the code alone.

use std::time::Duration;

use mesh::fault::{self, Code};
use mesh::token::TokenError;
use proto::api::Method;
use proto::json::{Object, Problems, write_string};
use tonic::Status;

/// Text of a fault whose own text is not for applications.
const INTERNAL: &str = "internal error";

/// A refusal of a request.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// The JSON-RPC code.
    pub(crate) code: i32,
    /// The faultcode.
    pub(crate) faultcode: String,
    /// For people.
    pub(crate) message: String,
    /// The same request may succeed later.
    pub(crate) is_retryable: bool,
    /// Further members of `data`.
    pub(crate) details: Box<Details>,
}

/// Members of `data` that few faults have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    /// State of the call.
    state: Option<String>,
    /// States that would allow it.
    expected_states: Vec<String>,
    /// Params that are wrong.
    params: Vec<String>,
    /// When to try again.
    retry_after: Option<Duration>,
    /// `unknown` when the command may have been done.
    outcome: Option<String>,
}

/// JSON-RPC code of a gRPC code.
const fn number(code: Code) -> i32 {
    match code {
        Code::InvalidArgument => -32602,
        Code::NotFound => -32004,
        Code::FailedPrecondition => -32009,
        Code::Unauthenticated => -32001,
        Code::PermissionDenied => -32003,
        Code::ResourceExhausted => -32029,
        Code::Unavailable => -32050,
        Code::DeadlineExceeded => -32051,
        Code::Unimplemented => -32601,
        Code::Internal => -32603,
    }
}

/// The reason of the common fault that says what a code says.
const fn common_reason(code: Code) -> &'static str {
    match code {
        Code::InvalidArgument => "INVALID_PARAM",
        Code::NotFound => "NOT_FOUND",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Unauthenticated => "AUTH_FAILED",
        Code::PermissionDenied => "ACCESS_DENIED",
        Code::ResourceExhausted => "LIMIT_REACHED",
        Code::Unavailable => "UNAVAILABLE",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::Unimplemented => "NOT_IMPLEMENTED",
        Code::Internal => "INTERNAL",
    }
}

/// Whose mistake a code says it is.
const fn side(code: Code) -> &'static str {
    match code {
        Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition => "Client",
        Code::Unauthenticated
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Unimplemented
        | Code::Internal => "Server",
    }
}

impl Fault {
    /// A fault by its reason; the code decides what the method does not.
    pub(crate) fn new(
        method: &Method,
        code: Code,
        reason: &str,
        message: impl Into<String>,
    ) -> Self {
        let declared = method.fault(reason);
        let faultcode = declared.map_or_else(
            || {
                let (side, reason) = (side(code), reason.to_lowercase());
                format!("{side}.{}.{}.{reason}", method.service, method.verb)
            },
            |fault| fault.faultcode.to_owned(),
        );
        Self {
            code: declared.map_or(number(code), |fault| fault.code),
            faultcode,
            message: message.into(),
            is_retryable: code.is_retryable(),
            details: Box::default(),
        }
    }

    /// The frame is not JSON.
    pub(crate) fn not_json() -> Self {
        Self::plain(-32700, "Client.jsonrpc.parse_error", "the frame is not JSON")
    }

    /// The frame is no request.
    pub(crate) fn not_a_request(why: &str) -> Self {
        Self::plain(-32600, "Client.jsonrpc.invalid_request", why)
    }

    /// There is no such method, or not over this transport.
    pub(crate) fn no_such_method(name: &str) -> Self {
        // What the client sent is echoed only where it could be a name.
        let is_name = |part: &str| {
            (1..=64).contains(&part.len())
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        match name.split_once('/').filter(|(service, verb)| is_name(service) && is_name(verb)) {
            Some((service, verb)) => Self::plain(
                -32601,
                &format!("Client.{service}.{verb}.no_such_method"),
                &format!("there is no method `{service}/{verb}` here"),
            ),
            None => {
                Self::plain(-32601, "Client.jsonrpc.no_such_method", "there is no such method here")
            }
        }
    }

    fn plain(code: i32, faultcode: &str, message: &str) -> Self {
        Self {
            code,
            faultcode: faultcode.to_owned(),
            message: message.to_owned(),
            is_retryable: false,
            details: Box::default(),
        }
    }

    /// The socket has no session, or it has ended.
    pub(crate) fn not_authenticated(method: &Method) -> Self {
        Self::new(
            method,
            Code::Unauthenticated,
            "AUTH_FAILED",
            "not authenticated, or the session ended",
        )
    }

    /// The request carries nothing to authenticate it with.
    pub(crate) fn envelope_missed(method: &Method) -> Self {
        let message = "neither `auth_info` nor another credential is given";
        Self::new(method, Code::Unauthenticated, "ENVELOPE_MISSED", message)
    }

    /// The session id or token in the request names no live session.
    pub(crate) fn no_such_session(method: &Method) -> Self {
        let message = "the session id names no live session";
        Self::new(method, Code::Unauthenticated, "ACCESS_TOKEN_INVALID", message)
    }

    /// The installation runs without the API.
    pub(crate) fn standalone(method: &Method) -> Self {
        let message = "the installation runs in standalone mode";
        Self::new(method, Code::PermissionDenied, "STANDALONE_MODE", message)
    }

    /// The realm or the role does not allow the method.
    pub(crate) fn access_denied(method: &Method) -> Self {
        let message = "realm or role does not allow the method";
        Self::new(method, Code::PermissionDenied, "ACCESS_DENIED", message)
    }

    /// Nobody answers the method yet.
    pub(crate) fn not_implemented(method: &Method) -> Self {
        Self::new(method, Code::Unimplemented, "NOT_IMPLEMENTED", "not implemented yet")
    }

    /// A limit is reached.
    pub(crate) fn limit_reached(method: &Method, retry_after: Duration) -> Self {
        let mut fault =
            Self::new(method, Code::ResourceExhausted, "LIMIT_REACHED", "a limit is reached");
        fault.details.retry_after = Some(retry_after);
        fault
    }

    /// A part is not reachable.
    pub(crate) fn unavailable(method: &Method, what: &str) -> Self {
        Self::new(method, Code::Unavailable, "UNAVAILABLE", format!("{what} is not reachable"))
    }

    /// Something is broken here.
    pub(crate) fn internal(method: &Method) -> Self {
        Self::new(method, Code::Internal, "INTERNAL", INTERNAL)
    }

    /// Params are wrong.
    pub(crate) fn params(method: &Method, problems: &Problems) -> Self {
        let reason = problems.kind().map_or("INVALID_PARAM", proto::json::Kind::reason);
        let mut fault = Self::new(method, Code::InvalidArgument, reason, problems.to_string());
        fault.details.params =
            problems.reported().iter().map(|problem| problem.path.clone()).collect();
        fault
    }

    /// A token is not accepted.
    pub(crate) fn token(method: &Method, error: TokenError) -> Self {
        let reason = match error {
            TokenError::Malformed | TokenError::Expired => "ACCESS_TOKEN_INVALID",
            TokenError::BadSignature | TokenError::UnknownKey => "JWT_INVALID",
            TokenError::Revoked => "AUTH_FAILED",
            TokenError::KeysUnavailable => return Self::unavailable(method, "authentication"),
        };
        Self::new(method, Code::Unauthenticated, reason, error.to_string())
    }

    /// What a service answered.
    pub(crate) fn from_status(method: &Method, status: &Status) -> Self {
        let code = Code::from(status.code());
        let metadata = fault::metadata_of(status);
        let given = fault::reason_of(status);
        let reason = match given.as_deref() {
            Some(reason) if method.fault(reason).is_some() => reason,
            // A token that a service does not accept any more has ended between the check here
            // and there.
            Some(reason) if reason.starts_with("TOKEN_") => "AUTH_FAILED",
            Some(reason) if code == Code::InvalidArgument || !is_generic(code) => reason,
            _ => common_reason(code),
        };
        let message = match code {
            Code::Internal => INTERNAL.to_owned(),
            _ if status.message().is_empty() => reason.to_lowercase().replace('_', " "),
            _ => status.message().to_owned(),
        };
        let mut fault = Self::new(method, code, reason, message);
        let retry_after = fault::retry_after_of(status);
        fault.is_retryable |= retry_after.is_some();
        fault.details.retry_after = retry_after;
        fault.details.state = metadata.get("state").cloned();
        fault.details.outcome = metadata.get("outcome").cloned();
        if code == Code::DeadlineExceeded && method.mutates && fault.details.outcome.is_none() {
            fault.details.outcome = Some("unknown".to_owned());
        }
        let names = |key: &str| -> Vec<String> {
            let text = metadata.get(key).map(String::as_str).unwrap_or_default();
            text.split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect()
        };
        fault.details.expected_states = names("expected_states");
        fault.details.params = names("params");
        fault
    }

    /// With the params that are wrong.
    pub(crate) fn with_params(mut self, params: &[&str]) -> Self {
        self.details.params = params.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// Writes `{"code":…,"message":…,"data":{…}}`.
    pub(crate) fn write(&self, trace_id: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"code\":");
        out.extend_from_slice(self.code.to_string().as_bytes());
        out.extend_from_slice(b",\"message\":");
        write_string(out, &self.message);
        out.extend_from_slice(b",\"data\":");
        self.write_data(trace_id, out);
        out.push(b'}');
    }

    fn write_data(&self, trace_id: &str, out: &mut Vec<u8>) {
        let details = &self.details;
        let mut data = Object::begin(out);
        data.string("faultcode", &self.faultcode);
        data.boolean("retryable", self.is_retryable);
        data.string("trace_id", trace_id);
        if let Some(state) = &details.state {
            data.string("state", state);
            data.list("expected_states", |items| items.strings(&details.expected_states));
        }
        if !details.params.is_empty() {
            data.list("params", |items| items.strings(&details.params));
        }
        if let Some(outcome) = &details.outcome {
            data.string("outcome", outcome);
        }
        if let Some(delay) = details.retry_after {
            data.integer("retry_after_ms", i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
        }
        data.end();
    }
}

/// True for codes whose reasons say nothing to applications beyond the code.
const fn is_generic(code: Code) -> bool {
    matches!(
        code,
        Code::Internal
            | Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Unauthenticated
            | Code::ResourceExhausted
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mesh::fault::RpcError;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("refused because of {reason}")]
    struct Refusal {
        code: Code,
        reason: &'static str,
    }

    impl RpcError for Refusal {
        fn code(&self) -> Code {
            self.code
        }

        fn reason(&self) -> &'static str {
            self.reason
        }

        fn metadata(&self) -> BTreeMap<String, String> {
            [("state", "ringing"), ("expected_states", "connected, held")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into()
        }
    }

    fn method(name: &str) -> &'static Method {
        proto::api::method(name).unwrap()
    }

    fn fault_of(name: &str, code: Code, reason: &'static str) -> Fault {
        Fault::from_status(method(name), &mesh::status("test", &Refusal { code, reason }))
    }

    fn data_of(fault: &Fault) -> serde_json::Value {
        let mut out = Vec::new();
        fault.write("abc", &mut out);
        let error: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(error["code"], fault.code);
        assert_eq!(error["message"], fault.message);
        error["data"].clone()
    }

    #[test]
    fn a_declared_reason_has_its_faultcode() {
        let fault = fault_of("CallControl/hold_call", Code::NotFound, "CALL_NOT_FOUND");

        assert_eq!(fault.code, -32004);
        assert_eq!(fault.faultcode, "Client.CallControl.hold_call.call_not_found");
        assert_eq!(data_of(&fault)["retryable"], false);
        assert_eq!(data_of(&fault)["trace_id"], "abc");
    }

    #[test]
    fn a_wrong_state_tells_the_right_ones() {
        let fault = fault_of("CallControl/hold_call", Code::FailedPrecondition, "SOME_STATE");

        let data = data_of(&fault);
        assert_eq!(data["state"], "ringing");
        assert_eq!(data["expected_states"], serde_json::json!(["connected", "held"]));
        assert_eq!(data["faultcode"], "Client.CallControl.hold_call.some_state");
    }

    #[test]
    fn an_internal_fault_says_nothing_of_the_inside() {
        let fault =
            Fault::from_status(method("CallControl/hold_call"), &Status::internal("secret path"));

        assert_eq!((fault.code, fault.message.as_str()), (-32603, "internal error"));
        assert_eq!(fault.faultcode, "Server.CallControl.hold_call.internal_error");
    }

    #[test]
    fn a_command_without_answer_may_have_been_done() {
        let status = Status::deadline_exceeded("late");

        let fault = Fault::from_status(method("CallControl/hold_call"), &status);

        assert_eq!(fault.code, -32051);
        assert_eq!(data_of(&fault)["outcome"], "unknown");
        assert_eq!(data_of(&fault)["retryable"], true);
    }

    #[test]
    fn what_is_no_name_is_not_echoed() {
        assert_eq!(
            Fault::no_such_method("CallControl/nope").faultcode,
            "Client.CallControl.nope.no_such_method"
        );
        for name in ["", "x", "a/b/c", "<b>/x", "A/é"] {
            let fault = Fault::no_such_method(name);
            assert_eq!(fault.faultcode, "Client.jsonrpc.no_such_method", "{name}");
        }
    }

    #[test]
    fn an_ended_session_is_told_from_a_bad_token() {
        let method = method("CallControl/hold_call");

        let bad = Fault::token(method, TokenError::Malformed);
        let ended = Fault::token(method, TokenError::Revoked);

        assert_eq!(bad.faultcode, "Client.Session.check_auth.failed_to_process_access_token");
        assert_eq!(ended.faultcode, "Server.Session.check_auth.auth_failed");
        assert_eq!((bad.code, ended.code), (-32001, -32001));
    }
}
