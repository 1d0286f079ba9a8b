//! Why a request is refused, and how that crosses the mesh.
#![warn(clippy::wildcard_enum_match_arm)]

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crate::fault::{self, Code, RpcError};
use crate::ledger::StoreError;
use crate::outward::Forbidden;
use tonic::Status;

/// Domain of these refusals.
const DOMAIN: &str = "command.cordboard";

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such call in the caller's scope.
    #[error("no call with id {0}")]
    CallNotFound(String),
    /// There is no such conference in the caller's scope.
    #[error("no conference with id {0}")]
    ConferenceNotFound(String),
    /// There is no such second call in the caller's scope.
    #[error("no target call with id {0}")]
    TargetCallNotFound(String),
    /// There is no such recording in the caller's scope.
    #[error("no such recording")]
    RecordingNotFound,
    /// There is no such account in the caller's scope.
    #[error("no such account")]
    AccountNotFound,
    /// There is no such customer in the caller's scope.
    #[error("no such customer")]
    CustomerNotFound,
    /// There is no such queue in the caller's scope.
    #[error("no such queue")]
    QueueNotFound,
    /// The list needs a subscription.
    #[error("no subscription in this session; call `CallControl/enable_api_notifications` first")]
    NotSubscribed,
    /// A param is needed.
    #[error("`{0}` is missing")]
    MissingParam(&'static str),
    /// A param has a value that is not allowed.
    #[error("`{param}` {rule}")]
    InvalidParam {
        /// The param.
        param: &'static str,
        /// What it has to be.
        rule: &'static str,
    },
    /// Of these params exactly one has to be given, and none is.
    #[error("one of `{}` has to be given", .0.join("`, `"))]
    NoneOf(&'static [&'static str]),
    /// Of these params exactly one has to be given, and several are.
    #[error("only one of `{}` may be given", .0.join("`, `"))]
    SeveralOf(&'static [&'static str]),
    /// The role does not allow the method.
    #[error("the realm or role does not allow it")]
    AccessDenied,
    /// The account's product does not let it connect two numbers; nothing was done.
    #[error("the account's product has no rating entry with the access code `INCOMING`")]
    MayNotConnectTwo,
    /// The address of a callback may not be used: the param, and why.
    #[error("`{0}` {1}")]
    CallbackRefused(&'static str, Forbidden),
    /// The address of what is to be played may not be used.
    #[error("`url` {0}")]
    UrlRefused(Forbidden),
    /// The `request_id` names another command.
    #[error("`request_id` was used before with other params")]
    RequestIdReused,
    /// The store cannot be asked; nothing was done.
    #[error("store is not reachable")]
    Store(#[source] StoreError),
    /// The node cannot be reached; nothing was done.
    #[error("switch is not reachable")]
    SwitchUnreachable(#[source] io::Error),
    /// No node takes the customer's calls; nothing was done.
    #[error("no switch takes new calls")]
    NoSwitch,
    /// The customer's calls live on another node; nothing was done.
    #[error("the customer's calls have moved to another switch")]
    WrongNode,
    /// The node was asked to do something and did not answer in time: it may have done it.
    #[error("no answer from the switch in time")]
    NoAnswer,
    /// The node was asked to tell something and did not answer in time.
    #[error("no answer from the switch in time")]
    NotTold,
    /// The command was given before, and the process that had it is gone: whether it was done
    /// cannot be found out, and it is not done again.
    #[error("the switch that had this command is gone")]
    OutcomeUnknown,
    /// The engine refused the command.
    #[error("{message}")]
    Engine {
        /// Code.
        code: Code,
        /// Stable reason.
        reason: &'static str,
        /// What is wrong.
        message: String,
        /// Details by name.
        metadata: BTreeMap<String, String>,
    },
    /// The switch's answer makes no sense.
    #[error("switch answered {0}")]
    BadAnswer(String),
    /// Auth refused or could not be asked.
    #[error("directory did not answer")]
    Directory(#[source] Status),
    /// Nobody answers this method here.
    #[error("not implemented")]
    NotImplemented,
}

impl Refusal {
    /// What the engine's fault is here. Its reason is one of those that the contract knows;
    /// another one becomes the code's own.
    #[must_use]
    pub fn of_engine(fault: proto::switch::v1::Fault) -> Self {
        let code = Code::from(tonic::Code::from_i32(fault.code));
        if fault.reason == WRONG_NODE {
            return Self::WrongNode;
        }
        if code == Code::DeadlineExceeded {
            // It may be under way there.
            return Self::NoAnswer;
        }
        Self::Engine {
            code,
            reason: known(&fault.reason).unwrap_or(code.default_reason()),
            message: fault.message,
            metadata: fault.metadata.into_iter().collect(),
        }
    }

    /// The engine's fault again, when it is final: the command will never have another outcome.
    #[must_use]
    pub fn final_fault(&self) -> Option<proto::switch::v1::Fault> {
        let Self::Engine { code, reason, message, metadata } = self else { return None };
        (!code.is_retryable()).then(|| proto::switch::v1::Fault {
            code: tonic::Code::from(*code).into(),
            reason: (*reason).to_owned(),
            message: message.clone(),
            metadata: metadata.clone().into_iter().collect(),
        })
    }

    /// True when the same request may succeed later and nothing has been done.
    #[must_use]
    pub fn is_undone(&self) -> bool {
        matches!(self.code(), Code::Unavailable | Code::ResourceExhausted)
    }
}

/// Reason of the engine's refusal of a new call of a customer whose home is another node.
const WRONG_NODE: &str = "WRONG_NODE";

/// The contract's own copy of a reason.
fn known(reason: &str) -> Option<&'static str> {
    let methods = proto::api::METHODS.iter();
    let mut faults = methods.flat_map(|method| method.faults.iter().chain(method.common_faults));
    faults.find(|fault| fault.reason == reason).map(|fault| fault.reason)
}

impl RpcError for Refusal {
    fn code(&self) -> Code {
        match self {
            Self::CallNotFound(_)
            | Self::ConferenceNotFound(_)
            | Self::TargetCallNotFound(_)
            | Self::RecordingNotFound
            | Self::AccountNotFound
            | Self::CustomerNotFound
            | Self::QueueNotFound => Code::NotFound,
            Self::NotSubscribed => Code::FailedPrecondition,
            Self::MissingParam(_)
            | Self::InvalidParam { .. }
            | Self::NoneOf(_)
            | Self::SeveralOf(_)
            | Self::CallbackRefused(..)
            | Self::UrlRefused(_)
            | Self::RequestIdReused => Code::InvalidArgument,
            Self::AccessDenied | Self::MayNotConnectTwo => Code::PermissionDenied,
            Self::Store(_) | Self::SwitchUnreachable(_) | Self::NoSwitch | Self::WrongNode => {
                Code::Unavailable
            }
            Self::NoAnswer | Self::NotTold | Self::OutcomeUnknown => Code::DeadlineExceeded,
            Self::Engine { code, .. } => *code,
            Self::BadAnswer(_) => Code::Internal,
            Self::Directory(status) => status.code().into(),
            Self::NotImplemented => Code::Unimplemented,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::CallNotFound(_) => "CALL_NOT_FOUND",
            Self::ConferenceNotFound(_) => "CONFERENCE_NOT_FOUND",
            Self::TargetCallNotFound(_) => "TARGET_CALL_NOT_FOUND",
            Self::RecordingNotFound => "RECORDING_NOT_FOUND",
            Self::AccountNotFound => "ACCOUNT_NOT_FOUND",
            Self::CustomerNotFound => "CUSTOMER_NOT_FOUND",
            Self::QueueNotFound => "QUEUE_NOT_FOUND",
            Self::NotSubscribed => "DISABLED_API_NOTIFICATIONS",
            Self::MissingParam(_) | Self::NoneOf(_) => "MISSING_PARAM",
            Self::InvalidParam { .. } | Self::SeveralOf(_) => "INVALID_PARAM",
            Self::AccessDenied => "ACCESS_DENIED",
            Self::MayNotConnectTwo => "NOT_ALLOWED",
            Self::CallbackRefused(..) => "CALLBACK_REFUSED",
            Self::UrlRefused(_) => "URL_REFUSED",
            Self::RequestIdReused => "REQUEST_ID_REUSED",
            Self::Store(_) => "STORE_UNREACHABLE",
            Self::SwitchUnreachable(_) | Self::NoSwitch | Self::WrongNode => "SWITCH_UNREACHABLE",
            Self::NoAnswer | Self::NotTold => "DEADLINE_EXCEEDED",
            Self::OutcomeUnknown => "OUTCOME_UNKNOWN",
            Self::Engine { reason, .. } => reason,
            Self::BadAnswer(_) => "SWITCH_FAILED",
            Self::Directory(status) => Code::from(status.code()).default_reason(),
            Self::NotImplemented => "NOT_IMPLEMENTED",
        }
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        let one = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        match self {
            Self::CallNotFound(call) | Self::TargetCallNotFound(call) => one("call", call),
            Self::ConferenceNotFound(conference) => one("conference", conference),
            Self::MissingParam(param)
            | Self::InvalidParam { param, .. }
            | Self::CallbackRefused(param, _) => one("params", param),
            Self::NoneOf(params) | Self::SeveralOf(params) => one("params", &params.join(",")),
            Self::UrlRefused(_) => one("params", "url"),
            Self::RequestIdReused => one("params", "request_id"),
            Self::NoAnswer | Self::OutcomeUnknown => one("outcome", "unknown"),
            Self::Engine { metadata, .. } => metadata.clone(),
            Self::RecordingNotFound
            | Self::AccountNotFound
            | Self::CustomerNotFound
            | Self::QueueNotFound
            | Self::NotSubscribed
            | Self::AccessDenied
            | Self::MayNotConnectTwo
            | Self::Store(_)
            | Self::SwitchUnreachable(_)
            | Self::NoSwitch
            | Self::WrongNode
            | Self::NotTold
            | Self::BadAnswer(_)
            | Self::Directory(_)
            | Self::NotImplemented => BTreeMap::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        let metadata = self.metadata();
        let told = metadata.get("retry_after_ms").and_then(|millis| millis.parse().ok());
        let delay = told.map_or(Duration::from_secs(1), Duration::from_millis);
        self.code().is_retryable().then_some(delay)
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            // Said once already by who refused.
            Refusal::Directory(status) => fault::pass_on(&status),
            refusal @ (Refusal::CallNotFound(_)
            | Refusal::ConferenceNotFound(_)
            | Refusal::TargetCallNotFound(_)
            | Refusal::RecordingNotFound
            | Refusal::AccountNotFound
            | Refusal::CustomerNotFound
            | Refusal::QueueNotFound
            | Refusal::NotSubscribed
            | Refusal::MissingParam(_)
            | Refusal::InvalidParam { .. }
            | Refusal::NoneOf(_)
            | Refusal::SeveralOf(_)
            | Refusal::AccessDenied
            | Refusal::MayNotConnectTwo
            | Refusal::CallbackRefused(..)
            | Refusal::UrlRefused(_)
            | Refusal::RequestIdReused
            | Refusal::Store(_)
            | Refusal::SwitchUnreachable(_)
            | Refusal::NoSwitch
            | Refusal::WrongNode
            | Refusal::NoAnswer
            | Refusal::NotTold
            | Refusal::OutcomeUnknown
            | Refusal::Engine { .. }
            | Refusal::BadAnswer(_)
            | Refusal::NotImplemented) => crate::status(DOMAIN, &refusal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(code: tonic::Code, reason: &str) -> proto::switch::v1::Fault {
        proto::switch::v1::Fault {
            code: code as i32,
            reason: reason.to_owned(),
            message: "the leg is ringing".to_owned(),
            metadata: [("state".to_owned(), "ringing".to_owned())].into(),
        }
    }

    #[test]
    fn the_engine_s_refusal_is_passed_on_whole() {
        let refusal = Refusal::of_engine(fault(tonic::Code::FailedPrecondition, "WRONG_STATE"));

        let status = Status::from(refusal);

        assert_eq!(status.code(), tonic::Code::FailedPrecondition);
        assert_eq!(fault::reason_of(&status).as_deref(), Some("WRONG_STATE"));
        assert_eq!(fault::metadata_of(&status).get("state").map(String::as_str), Some("ringing"));
        assert_eq!(status.message(), "the leg is ringing");
    }

    #[test]
    fn an_unknown_reason_of_the_engine_becomes_the_code_s_own() {
        let refusal = Refusal::of_engine(fault(tonic::Code::Unavailable, "MOON_IS_FULL"));

        assert_eq!(refusal.reason(), "UNAVAILABLE");
        assert!(refusal.is_undone());
    }

    #[test]
    fn a_command_that_the_engine_was_late_with_may_have_been_done() {
        let refusal = Refusal::of_engine(fault(tonic::Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));

        assert!(!refusal.is_undone());
        assert_eq!(refusal.metadata().get("outcome").map(String::as_str), Some("unknown"));
    }

    #[test]
    fn the_engine_says_when_to_try_again() {
        let mut busy = fault(tonic::Code::ResourceExhausted, "BUSY");
        busy.metadata.insert("retry_after_ms".to_owned(), "100".to_owned());

        let refusal = Refusal::of_engine(busy);

        assert_eq!(refusal.retry_after(), Some(Duration::from_millis(100)));
        assert!(refusal.is_undone());
    }

    #[test]
    fn what_may_have_been_done_is_not_undone() {
        assert!(!Refusal::NoAnswer.is_undone());
        assert!(!Refusal::OutcomeUnknown.is_undone());
        assert!(Refusal::NoSwitch.is_undone());
        assert!(!Refusal::AccountNotFound.is_undone());
    }
}
