//! A small client of the Asterisk REST Interface. Every request has a deadline; the password
//! is in one header that shows in no log and no error.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioTimer;
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::Access;
use crate::driver::DriverError;

/// Connections are given up before Asterisk does (`session_keep_alive`, 15 s).
const IDLE: Duration = Duration::from_secs(5);

/// Longest answer: a list of channels has 1 KB for each.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Why a request did not do what it was for.
#[derive(Debug, thiserror::Error)]
pub(super) enum AriError {
    /// No connection, or it broke.
    #[error("no answer from Asterisk")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The deadline has passed.
    #[error("no answer from Asterisk in time")]
    Timeout,
    /// Asterisk said no.
    #[error("Asterisk answered {status}: {text}")]
    Status {
        /// HTTP status.
        status: StatusCode,
        /// Asterisk's words.
        text: String,
    },
    /// Not what was asked for.
    #[error("Asterisk's answer makes no sense")]
    Answer(#[source] serde_json::Error),
}

impl AriError {
    /// The status, when Asterisk answered.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(status.as_u16()),
            Self::Transport(_) | Self::Timeout | Self::Answer(_) => None,
        }
    }

    /// True when Asterisk has not done it for a reason that may be over in a moment.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Status { status, .. } => *status == StatusCode::SERVICE_UNAVAILABLE,
            Self::Transport(_) => true,
            Self::Timeout | Self::Answer(_) => false,
        }
    }

    /// True when a bridge that a channel was to be added to is not there, or about to go. The
    /// second has the status of other conflicts, so that only the words tell.
    pub(super) fn says_bridge_is_gone(&self) -> bool {
        match self {
            Self::Status { status, text } => {
                *status == StatusCode::NOT_FOUND
                    || (*status == StatusCode::CONFLICT && text.starts_with("Bridge not in"))
            }
            Self::Transport(_) | Self::Timeout | Self::Answer(_) => false,
        }
    }
}

impl From<AriError> for DriverError {
    fn from(error: AriError) -> Self {
        match error {
            AriError::Status { status, text } if status != StatusCode::SERVICE_UNAVAILABLE => {
                Self::Refused(format!("{status}: {text}"))
            }
            AriError::Status { .. } | AriError::Transport(_) | AriError::Timeout => {
                Self::Unreachable
            }
            AriError::Answer(error) => Self::Refused(error.to_string()),
        }
    }
}

/// Talks to one Asterisk.
#[derive(Debug)]
pub(super) struct Client {
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    authority: Authority,
    authorization: HeaderValue,
    timeout: Duration,
}

impl Client {
    /// A client whose connections live on `tasks` until `stop`.
    pub(super) fn new(
        access: &Access,
        timeout: Duration,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Result<Self, String> {
        let login = STANDARD.encode(format!("{}:{}", access.user, access.password.expose()));
        let mut authorization = HeaderValue::try_from(format!("Basic {login}"))
            .map_err(|_| "user and password cannot be sent".to_owned())?;
        authorization.set_sensitive(true);
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(timeout));
        let http = legacy::Client::builder(Executor { tasks, stop })
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Self { http, authority: access.authority.clone(), authorization, timeout })
    }

    /// `host:port`.
    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The header that logs in; sensitive.
    pub(super) fn authorization(&self) -> HeaderValue {
        self.authorization.clone()
    }

    /// How long one request may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Reads something.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &Path) -> Result<T, AriError> {
        let answer = self.send(Method::GET, path, Bytes::new()).await?;
        serde_json::from_slice(&answer).map_err(AriError::Answer)
    }

    /// Does something.
    pub(super) async fn post(&self, path: &Path) -> Result<(), AriError> {
        self.send(Method::POST, path, Bytes::new()).await.map(drop)
    }

    /// Does something that needs more words.
    pub(super) async fn post_json(
        &self,
        path: &Path,
        body: &serde_json::Value,
    ) -> Result<(), AriError> {
        self.send(Method::POST, path, Bytes::from(body.to_string())).await.map(drop)
    }

    /// Ends something.
    pub(super) async fn delete(&self, path: &Path) -> Result<(), AriError> {
        self.send(Method::DELETE, path, Bytes::new()).await.map(drop)
    }

    async fn send(&self, method: Method, path: &Path, body: Bytes) -> Result<Bytes, AriError> {
        timeout(self.timeout, self.exchange(method, path, body))
            .await
            .unwrap_or(Err(AriError::Timeout))
    }

    /// Writes what is there to a file. The deadline is that of each piece.
    pub(super) async fn download(
        &self,
        path: &Path,
        file: &std::path::Path,
    ) -> Result<(), DriverError> {
        let late = |_| AriError::Timeout;
        let written = |error: std::io::Error| DriverError::Refused(error.to_string());
        let begin = self.begin(Method::GET, path, Bytes::new());
        let answer = timeout(self.timeout, begin).await.map_err(late)??;
        let status = answer.status();
        let mut body = answer.into_body();
        if !status.is_success() {
            let text = timeout(self.timeout, Limited::new(body, MAX_ANSWER_BYTES).collect()).await;
            let text = text.map_err(late)?.map_err(AriError::Transport)?.to_bytes();
            return Err(AriError::Status { status, text: text_of(&text) }.into());
        }
        let mut file = tokio::fs::File::create(file).await.map_err(written)?;
        while let Some(frame) = timeout(self.timeout, body.frame()).await.map_err(late)? {
            let frame = frame.map_err(|error| AriError::Transport(error.into()))?;
            if let Ok(data) = frame.into_data() {
                file.write_all(&data).await.map_err(written)?;
            }
        }
        file.flush().await.map_err(written)
    }

    async fn exchange(&self, method: Method, path: &Path, body: Bytes) -> Result<Bytes, AriError> {
        let answer = self.begin(method, path, body).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect();
        let body = body.await.map_err(AriError::Transport)?.to_bytes();
        if status.is_success() {
            return Ok(body);
        }
        Err(AriError::Status { status, text: text_of(&body) })
    }

    async fn begin(
        &self,
        method: Method,
        path: &Path,
        body: Bytes,
    ) -> Result<Response<Incoming>, AriError> {
        let target = PathAndQuery::try_from(path.0.as_str());
        let target = target.map_err(|error| AriError::Transport(error.into()))?;
        let mut request = self.request(method, target, body)?;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.answered(request).await
    }

    fn request(
        &self,
        method: Method,
        target: PathAndQuery,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, AriError> {
        let uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.authority.clone())
            .path_and_query(target)
            .build()
            .map_err(|error| AriError::Transport(error.into()))?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        Ok(request)
    }

    async fn answered(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, AriError> {
        self.http.request(request).await.map_err(|error| AriError::Transport(error.into()))
    }

    /// Sends a form to another part of the same HTTP server, without the login of the ARI; gives the
    /// answer's headers and at most `limit` bytes of text.
    pub(super) async fn submit(
        &self,
        place: &'static str,
        cookie: Option<HeaderValue>,
        form: Form,
        limit: usize,
    ) -> Result<(HeaderMap, String), AriError> {
        let body = Bytes::from(form.0);
        let mut request = self.request(Method::POST, PathAndQuery::from_static(place), body)?;
        let headers = request.headers_mut();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, kind);
        headers.extend(cookie.map(|cookie| (COOKIE, cookie)));
        let exchange = async {
            let answer = self.answered(request).await?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, limit).collect().await.map_err(AriError::Transport)?;
            let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            match head.status {
                status if status.is_success() => Ok((head.headers, text)),
                status => Err(AriError::Status { status, text: String::new() }),
            }
        };
        timeout(self.timeout, exchange).await.unwrap_or(Err(AriError::Timeout))
    }
}

/// The text of a refusal: `{"message": ..}`, or `{"error": ..}` when Asterisk itself failed.
fn text_of(body: &[u8]) -> String {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Refusal {
        message: String,
        error: String,
    }
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    if refusal.message.is_empty() { refusal.error } else { refusal.message }
}

/// Path and query of a request, escaped piece by piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path(String);

impl Path {
    /// `/ari/` and the pieces, with slashes between.
    pub(super) fn new(pieces: &[&str]) -> Self {
        let mut path = "/ari".to_owned();
        for piece in pieces {
            path.push('/');
            escape(&mut path, piece);
        }
        Self(path)
    }

    /// With one more parameter.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        escape(&mut self.0, name);
        self.0.push('=');
        escape(&mut self.0, value);
        self
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names and values of a form, escaped. It may hold a password, so it is not shown.
pub(super) struct Form(String);

impl Form {
    /// All of them.
    pub(super) fn new(fields: &[(&str, &str)]) -> Self {
        let mut form = String::new();
        for (name, value) in fields {
            if !form.is_empty() {
                form.push('&');
            }
            escape(&mut form, name);
            form.push('=');
            escape(&mut form, value);
        }
        Self(form)
    }
}

/// RFC 3986: everything but unreserved characters as `%XX`.
fn escape(into: &mut String, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.push('%');
            let digits = [byte >> 4, byte & 0xf];
            into.extend(
                digits
                    .iter()
                    .filter_map(|digit| DIGITS.get(usize::from(*digit)))
                    .map(|digit| char::from(*digit)),
            );
        }
    }
}

/// Runs connections on a tracker until `stop`.
#[derive(Clone, Debug)]
struct Executor {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move { stop.run_until_cancelled_owned(future).await.map(drop) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_escaped() {
        let path = Path::new(&["channels", "a/b?c", "dtmf"]).with("dtmf", "1#*").with("x", "ü");

        assert_eq!(path.as_str(), "/ari/channels/a%2Fb%3Fc/dtmf?dtmf=1%23%2A&x=%C3%BC");
    }

    #[test]
    fn a_form_has_no_more_fields_than_it_was_given() {
        let form = Form::new(&[("action", "login"), ("secret", "a&b=c\r\nx +%")]);

        assert_eq!(form.0, "action=login&secret=a%26b%3Dc%0D%0Ax%20%2B%25");
    }

    #[test]
    fn an_answer_that_asterisk_is_starting_is_no_refusal() {
        let error = |status| AriError::Status { status, text: "so".to_owned() };

        let starting = DriverError::from(error(StatusCode::SERVICE_UNAVAILABLE));
        let conflict = DriverError::from(error(StatusCode::CONFLICT));

        assert!(matches!(starting, DriverError::Unreachable), "{starting}");
        assert_eq!(conflict.to_string(), "switch refused: 409 Conflict: so");
    }

    #[test]
    fn both_forms_of_a_refusal_are_read() {
        assert_eq!(text_of(br#"{"message":"Channel not found"}"#), "Channel not found");
        assert_eq!(text_of(br#"{"error":"Allocation failed"}"#), "Allocation failed");
        assert_eq!(text_of(b"<html>"), "");
    }
}
