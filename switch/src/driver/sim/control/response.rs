//! Writes answers: JSON, and failures as `{"error": "A sentence."}`.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use crate::driver::sim::HandError;

/// An answer of the control port.
pub(super) type Answer = Response<Full<Bytes>>;

/// Why a request was not done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    status: StatusCode,
    text: String,
    /// Methods that the path knows, for a 405.
    allow: Option<&'static str>,
}

impl Failure {
    pub(super) fn bad_request(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.into(), allow: None }
    }

    pub(super) fn not_found() -> Self {
        let text = "there is nothing at this path".to_owned();
        Self { status: StatusCode::NOT_FOUND, text, allow: None }
    }

    pub(super) fn conflict(text: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, text: text.into(), allow: None }
    }

    pub(super) fn internal(text: impl Into<String>) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, text: text.into(), allow: None }
    }

    pub(super) fn method(allow: &'static str) -> Self {
        let text = format!("this path takes {allow} only");
        Self { status: StatusCode::METHOD_NOT_ALLOWED, text, allow: Some(allow) }
    }
}

impl From<HandError> for Failure {
    fn from(error: HandError) -> Self {
        let status = match error {
            HandError::NoPhone(_) | HandError::NoLeg(_) => StatusCode::NOT_FOUND,
            HandError::LegEnded
            | HandError::NothingRings
            | HandError::NoCall
            | HandError::NothingSpokenOn
            | HandError::NothingHeld
            | HandError::CallRefused => StatusCode::CONFLICT,
            HandError::CallNotTaken => StatusCode::GATEWAY_TIMEOUT,
            HandError::Full | HandError::Phonebook(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self { status, text: error.to_string(), allow: None }
    }
}

/// The answer to a request that was done, or was not.
pub(super) fn answer<T: Serialize>(done: Result<T, Failure>) -> Answer {
    match done {
        Ok(body) => json(StatusCode::OK, &body),
        Err(failure) => {
            let mut answer = json(failure.status, &Problem { error: sentence(&failure.text) });
            if let Some(allow) = failure.allow {
                answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
            }
            answer
        }
    }
}

#[derive(Serialize)]
struct Problem {
    error: String,
}

fn json<T: Serialize>(status: StatusCode, body: &T) -> Answer {
    let (status, bytes) = match serde_json::to_vec(body) {
        Ok(bytes) => (status, bytes),
        Err(_error) => (StatusCode::INTERNAL_SERVER_ERROR, b"{}".to_vec()),
    };
    let mut answer = Response::new(Full::new(Bytes::from(bytes)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// Makes an error's text a sentence for a person.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}
