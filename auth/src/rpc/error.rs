//! What a refusal is on the wire.
#![warn(clippy::wildcard_enum_match_arm)]

use std::collections::BTreeMap;
use std::time::Duration;

use mesh::fault::{Code, RpcError};
use tonic::Status;

use crate::domain::directory::StoreError;
use crate::domain::error::{LookupError, SessionError};

/// Domain of auth's reasons.
pub(super) const ERROR_DOMAIN: &str = "auth.cordboard";

/// How soon to try again when a part is busy or away.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The status of a refusal.
pub(super) fn status(error: &impl RpcError) -> Status {
    mesh::status(ERROR_DOMAIN, error)
}

impl RpcError for StoreError {
    fn code(&self) -> Code {
        match self {
            Self::Unavailable(_) => Code::Unavailable,
            Self::Failed(_) | Self::Corrupt { .. } | Self::TooNew { .. } | Self::Address { .. } => {
                Code::Internal
            }
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "UNAVAILABLE",
            Self::Failed(_) | Self::Corrupt { .. } | Self::TooNew { .. } | Self::Address { .. } => {
                "INTERNAL"
            }
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        matches!(self, Self::Unavailable(_)).then_some(RETRY_AFTER)
    }
}

impl RpcError for SessionError {
    fn code(&self) -> Code {
        match self {
            Self::AuthFailed
            | Self::MustChangePassword
            | Self::RefreshFailed
            | Self::OldPasswordWrong => Code::Unauthenticated,
            Self::RealmRequired(_) | Self::PasswordRefused(_) => Code::InvalidArgument,
            Self::Locked(_) | Self::Busy => Code::ResourceExhausted,
            Self::LoginNotFound => Code::NotFound,
            Self::AccessDenied => Code::PermissionDenied,
            Self::Crypto => Code::Internal,
            Self::Store(error) => error.code(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::AuthFailed => "AUTH_FAILED",
            Self::MustChangePassword => "MUST_CHANGE_PASSWORD",
            Self::RefreshFailed => "REFRESH_FAILED",
            Self::OldPasswordWrong => "OLD_PASSWORD_WRONG",
            Self::RealmRequired(_) => "REALM_REQUIRED",
            Self::PasswordRefused(_) => "PASSWORD_REFUSED",
            Self::Locked(_) => "LOCKED",
            Self::Busy => "LIMIT_REACHED",
            Self::LoginNotFound => "LOGIN_NOT_FOUND",
            Self::AccessDenied => "ACCESS_DENIED",
            Self::Crypto => "INTERNAL",
            Self::Store(error) => error.reason(),
        }
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        match self {
            Self::RealmRequired(realms) => {
                let realms: Vec<_> = realms.iter().map(|realm| realm.as_str()).collect();
                BTreeMap::from([("realms".to_owned(), realms.join(" "))])
            }
            Self::PasswordRefused(_) => params("new_password"),
            Self::AuthFailed
            | Self::MustChangePassword
            | Self::RefreshFailed
            | Self::OldPasswordWrong
            | Self::Locked(_)
            | Self::Busy
            | Self::LoginNotFound
            | Self::AccessDenied
            | Self::Crypto
            | Self::Store(_) => BTreeMap::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Locked(rest) => Some(*rest),
            Self::Busy => Some(RETRY_AFTER),
            Self::Store(error) => error.retry_after(),
            Self::AuthFailed
            | Self::MustChangePassword
            | Self::RefreshFailed
            | Self::OldPasswordWrong
            | Self::RealmRequired(_)
            | Self::PasswordRefused(_)
            | Self::LoginNotFound
            | Self::AccessDenied
            | Self::Crypto => None,
        }
    }
}

/// Names the param that is meant.
fn params(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("params".to_owned(), name.to_owned())])
}

impl RpcError for LookupError {
    fn code(&self) -> Code {
        match self {
            Self::CustomerNotFound
            | Self::AccountNotFound
            | Self::HuntgroupNotFound
            | Self::IvrApplicationNotFound
            | Self::AccessNumberNotFound => Code::NotFound,
            Self::AccessNumberTaken => Code::FailedPrecondition,
            Self::ServiceDisabled => Code::PermissionDenied,
            Self::Missing(_) | Self::Invalid(_) => Code::InvalidArgument,
            Self::Store(error) => error.code(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::CustomerNotFound => "CUSTOMER_NOT_FOUND",
            Self::AccountNotFound => "ACCOUNT_NOT_FOUND",
            Self::HuntgroupNotFound => "HUNTGROUP_NOT_FOUND",
            Self::IvrApplicationNotFound => "IVR_APPLICATION_NOT_FOUND",
            Self::AccessNumberNotFound => "ACCESS_NUMBER_NOT_FOUND",
            Self::AccessNumberTaken => "ACCESS_NUMBER_TAKEN",
            Self::ServiceDisabled => "SERVICE_DISABLED",
            Self::Missing(_) => "MISSING_PARAM",
            Self::Invalid(_) => "INVALID_PARAM",
            Self::Store(error) => error.reason(),
        }
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        match self {
            Self::Missing(field) | Self::Invalid(field) => params(field),
            Self::CustomerNotFound
            | Self::AccountNotFound
            | Self::HuntgroupNotFound
            | Self::IvrApplicationNotFound
            | Self::AccessNumberNotFound
            | Self::AccessNumberTaken
            | Self::ServiceDisabled
            | Self::Store(_) => BTreeMap::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Store(error) => error.retry_after(),
            Self::CustomerNotFound
            | Self::AccountNotFound
            | Self::HuntgroupNotFound
            | Self::IvrApplicationNotFound
            | Self::AccessNumberNotFound
            | Self::AccessNumberTaken
            | Self::ServiceDisabled
            | Self::Missing(_)
            | Self::Invalid(_) => None,
        }
    }
}
