//! Refusals as they cross the mesh.
#![warn(clippy::wildcard_enum_match_arm)]

use std::collections::BTreeMap;

use mesh::fault::{Code, RpcError};
use mesh::ledger::StoreError;
use mesh::token::TokenError;

use crate::domain::scope::Denied;

/// Domain of the service's refusals.
pub(super) const DOMAIN: &str = "notifier.cordboard";

/// Why a scope is not handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denial {
    /// The token is not good.
    #[error("token is not accepted")]
    Token(#[from] TokenError),
    /// The scope is not the token's.
    #[error(transparent)]
    Scope(#[from] Denied),
}

impl Denial {
    /// Stable reason.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Token(error) => error.reason(),
            Self::Scope(_) => "ACCESS_DENIED",
        }
    }
}

/// Why a request or a stream ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// A field is missing or wrong.
    #[error("{0} is missing or wrong")]
    Invalid(&'static str),
    /// The scope is not handed out.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The edge did not take its messages in time.
    #[error("the edge is too slow")]
    TooSlow,
    /// The store is needed and does not answer.
    #[error("store does not answer")]
    Store(#[source] StoreError),
}

impl RpcError for RequestError {
    fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::InvalidArgument,
            Self::Denied(Denial::Token(error)) => error.code(),
            Self::Denied(Denial::Scope(_)) => Code::PermissionDenied,
            Self::TooSlow => Code::ResourceExhausted,
            Self::Store(_) => Code::Unavailable,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_REQUEST",
            Self::Denied(denial) => denial.reason(),
            Self::TooSlow => "EDGE_TOO_SLOW",
            Self::Store(_) => "STORE_UNAVAILABLE",
        }
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        match self {
            Self::Invalid(field) => BTreeMap::from([("field".to_owned(), (*field).to_owned())]),
            Self::Denied(Denial::Token(error)) => error.metadata(),
            Self::Denied(Denial::Scope(_)) | Self::TooSlow | Self::Store(_) => BTreeMap::new(),
        }
    }
}

impl From<RequestError> for tonic::Status {
    fn from(error: RequestError) -> Self {
        mesh::status(DOMAIN, &error)
    }
}
