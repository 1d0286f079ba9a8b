//! How a refusal crosses the mesh: a gRPC status with a stable reason.
//!
//! A service's error enum implements [`RpcError`]; [`status`] is the only place
//! that builds a `tonic::Status` from it. Clients branch on `(code, reason)`,
//! never on text.

mod code;
mod limit;

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};
use tracing::{error, warn};

pub use code::Code;
pub(crate) use code::{CODE_NAMES, code_name};

/// Domain of the refusals that this crate itself raises.
pub const DOMAIN: &str = "mesh.cordboard";

/// What a caller sees of an internal fault; the cause is in the log only.
const INTERNAL_MESSAGE: &str = "internal error";

/// A refusal that crosses a service boundary.
pub trait RpcError: std::error::Error {
    /// The code.
    fn code(&self) -> Code;
    /// Stable reason in upper snake case, e.g. `CALL_NOT_FOUND`.
    fn reason(&self) -> &'static str;
    /// The variable parts by name, e.g. `state`.
    fn metadata(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
    /// When trying again may help.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// Builds the status of a refusal: `ErrorInfo` with reason, `domain` and metadata, `RetryInfo`
/// when trying again may help. Logs what went wrong inside (an internal fault as an error, an
/// unreachable part as a warning) once, with all sources, but at most ten a second of one reason;
/// the caller must not log it again.
pub fn status(domain: &str, refusal: &impl RpcError) -> Status {
    let (code, reason) = (refusal.code(), refusal.reason());
    let message = match code {
        Code::Internal => {
            if let Some(suppressed) = limit::may_log(reason) {
                error!(error = chain(refusal), reason, domain, suppressed, "internal fault");
            }
            INTERNAL_MESSAGE.to_owned()
        }
        Code::Unavailable | Code::DeadlineExceeded => {
            if let Some(suppressed) = limit::may_log(reason) {
                warn!(error = chain(refusal), reason, domain, suppressed, "request failed");
            }
            refusal.to_string()
        }
        _ => refusal.to_string(),
    };
    build(code, reason, message, domain, refusal.metadata(), refusal.retry_after())
}

/// Builds a status of this crate's own domain; `reason` is stable.
pub(crate) fn own(code: Code, reason: &'static str, message: impl Into<String>) -> Status {
    // A request whose outcome is unknown is not to be repeated just so.
    let is_unknown = code == Code::DeadlineExceeded;
    let metadata = is_unknown.then(|| ("outcome".to_owned(), "unknown".to_owned()));
    let retry_after = (code.is_retryable() && !is_unknown).then_some(Duration::from_secs(1));
    build(code, reason, message.into(), DOMAIN, metadata.into_iter().collect(), retry_after)
}

fn build(
    code: Code,
    reason: &str,
    message: String,
    domain: &str,
    metadata: BTreeMap<String, String>,
    retry_after: Option<Duration>,
) -> Status {
    let metadata: HashMap<_, _> = metadata.into_iter().collect();
    let mut details = ErrorDetails::with_error_info(reason, domain, metadata);
    if let Some(delay) = retry_after {
        details.set_retry_info(Some(delay));
    }
    Status::with_error_details(code.into(), message, details)
}

/// The reason of a status, when it has one.
#[must_use]
pub fn reason_of(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

/// The domain that raised a status, when it says so.
#[must_use]
pub fn domain_of(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.domain)
}

/// The variable parts of a status by name.
#[must_use]
pub fn metadata_of(status: &Status) -> BTreeMap<String, String> {
    status
        .get_details_error_info()
        .map(|info| info.metadata.into_iter().collect())
        .unwrap_or_default()
}

/// When trying again may help, as the status says.
#[must_use]
pub fn retry_after_of(status: &Status) -> Option<Duration> {
    status.get_details_retry_info().and_then(|info| info.retry_delay)
}

/// An error and all its sources, for a log field.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Some libraries repeat their source in their own text; a log line needs it once.
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            write!(text, ": {cause_text}").ok();
        }
        source = cause.source();
    }
    text
}

/// The answer of a service that passes on what another answered: code, reason, metadata and retry
/// hint are kept, and the domain stays that of the first. Not logged: the first did.
#[must_use]
pub fn pass_on(status: &Status) -> Status {
    let code = Code::from(status.code());
    let message = if code == Code::Internal {
        INTERNAL_MESSAGE.to_owned()
    } else {
        status.message().to_owned()
    };
    match (reason_of(status), domain_of(status)) {
        (Some(reason), Some(domain)) => {
            build(code, &reason, message, &domain, metadata_of(status), retry_after_of(status))
        }
        _ => own(code, code.default_reason(), message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Refusal {
        #[error("call `{0}` not found")]
        NotFound(String),
        #[error("switch refused the command")]
        Switch(#[source] std::io::Error),
    }

    impl RpcError for Refusal {
        fn code(&self) -> Code {
            match self {
                Self::NotFound(_) => Code::NotFound,
                Self::Switch(_) => Code::Internal,
            }
        }

        fn reason(&self) -> &'static str {
            match self {
                Self::NotFound(_) => "CALL_NOT_FOUND",
                Self::Switch(_) => "SWITCH_FAILED",
            }
        }

        fn metadata(&self) -> BTreeMap<String, String> {
            match self {
                Self::NotFound(call) => BTreeMap::from([("call".to_owned(), call.clone())]),
                Self::Switch(_) => BTreeMap::new(),
            }
        }

        fn retry_after(&self) -> Option<Duration> {
            matches!(self, Self::Switch(_)).then_some(Duration::from_millis(250))
        }
    }

    #[test]
    fn a_status_carries_reason_and_metadata() {
        let status = status("callcontrol", &Refusal::NotFound("c1".to_owned()));

        assert_eq!(status.code(), tonic::Code::NotFound);
        assert_eq!(reason_of(&status).as_deref(), Some("CALL_NOT_FOUND"));
        assert_eq!(metadata_of(&status).get("call").map(String::as_str), Some("c1"));
        assert_eq!(retry_after_of(&status), None);
    }

    #[test]
    fn the_text_of_an_internal_fault_is_hidden() {
        let refusal = Refusal::Switch(std::io::Error::other("secret path"));

        let status = status("callcontrol", &refusal);

        assert_eq!(status.message(), "internal error");
        assert_eq!(retry_after_of(&status), Some(Duration::from_millis(250)));
        assert_eq!(chain(&refusal), "switch refused the command: secret path");
    }

    #[test]
    fn a_status_passed_on_keeps_its_reason() {
        let first = status("callcontrol", &Refusal::NotFound("c1".to_owned()));

        let second = pass_on(&first);

        assert_eq!(second.code(), first.code());
        assert_eq!(domain_of(&second).as_deref(), Some("callcontrol"));
        assert_eq!(metadata_of(&second), metadata_of(&first));
    }
}
