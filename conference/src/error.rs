//! Why a request is refused.
#![warn(clippy::wildcard_enum_match_arm)]

use mesh::fault::{Code, RpcError};
use tonic::Status;

/// Domain of this service's refusals.
const DOMAIN: &str = "conference.cordboard";

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Nobody answers this method yet.
    #[error("not implemented")]
    NotImplemented,
}

impl RpcError for Refusal {
    fn code(&self) -> Code {
        match self {
            Self::NotImplemented => Code::Unimplemented,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NotImplemented => "NOT_IMPLEMENTED",
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        mesh::status(DOMAIN, &refusal)
    }
}
