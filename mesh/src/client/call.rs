//! One request: choose an instance, send, wait no longer than the deadline.

use std::sync::Arc;
use std::time::Duration;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Request, Response, Uri};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tonic::body::Body;

use super::Shared;
use super::body::ResponseBody;
use super::endpoint::Pending;
use crate::deadline::{self, Deadline};
use crate::fault::{self, Code};
use crate::{methods, trace};

/// How long a request waits for an instance to come up.
const WAIT_FOR_INSTANCE: Duration = Duration::from_secs(1);

/// How often a request that was never sent is given to an instance.
const ATTEMPTS: usize = 3;

/// A request with a deadline after this one has none, for the sake of simple code.
const FAR: Duration = Duration::from_hours(24 * 365);

/// What an RPC answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One message.
    Single,
    /// Several, or none for long.
    Stream,
}

/// Sends one request.
pub(super) async fn send(
    shared: Arc<Shared>,
    timeout: Option<Duration>,
    mut request: Request<Body>,
) -> Result<Response<ResponseBody>, Status> {
    let is_stream = methods::find(request.uri().path()).is_some_and(|rpc| rpc.is_stream);
    let kind = if is_stream || timeout.is_none() { Kind::Stream } else { Kind::Single };
    let limit = limit(&request, timeout, kind);
    if let Some(deadline) = limit {
        deadline::to_headers(request.headers_mut(), deadline);
    }
    // `current` and not a fixed parent: the caller's span is still entered here. Outside any
    // request nobody has decided whether the trace is exported: that is left to the callee.
    if let Some(context) = trace::current() {
        context.to_headers(request.headers_mut());
    }
    *request.uri_mut() = absolute(request.uri(), &shared.name);

    let deadline = limit.unwrap_or_else(|| Instant::now() + FAR);
    let sending = timeout_at(deadline, attempt(&shared, request, deadline, kind));
    match sending.await {
        Ok(Ok((response, pending))) => Ok(finish(response, pending, limit, kind)),
        Ok(Err(status)) => Err(status),
        Err(_elapsed) => Err(late(&shared.name)),
    }
}

/// The earliest of: what was set on the request, what the handler that sends it was given, and
/// the default. Streams have only what was set.
fn limit(request: &Request<Body>, timeout: Option<Duration>, kind: Kind) -> Option<Instant> {
    let set = request
        .extensions()
        .get::<Deadline>()
        .map(|deadline| deadline.0)
        .or_else(|| deadline::from_headers(request.headers()));
    if kind == Kind::Stream {
        return set;
    }
    let default = timeout.map(|timeout| Instant::now() + timeout);
    set.or(default).into_iter().chain(deadline::current()).min()
}

/// Gives the request to one instance after another until one takes it.
async fn attempt(
    shared: &Shared,
    mut request: Request<Body>,
    deadline: Instant,
    kind: Kind,
) -> Result<(Response<Incoming>, Pending), Status> {
    let give_up = deadline.min(Instant::now() + WAIT_FOR_INSTANCE);
    for _ in 0..ATTEMPTS {
        let endpoint = pick(shared, give_up).await?;
        let Some(mut sender) = endpoint.sender() else { continue };
        let pending = endpoint.begin();
        match sender.try_send_request(request).await {
            Ok(response) => return Ok((response, pending)),
            Err(mut unsent) => match unsent.take_message() {
                // The connection was over before the request went out.
                Some(message) => request = message,
                None => return Err(broken(&shared.name, kind, unsent.error())),
            },
        }
    }
    Err(unreachable(&shared.name))
}

/// Chooses an instance; waits for one while there is hope.
async fn pick(shared: &Shared, give_up: Instant) -> Result<Arc<super::endpoint::Endpoint>, Status> {
    let mut changes = shared.changes.subscribe();
    loop {
        if let Some(endpoint) = shared.pick() {
            return Ok(endpoint);
        }
        if shared.end.is_cancelled() || !shared.may_come_up() {
            return Err(unreachable(&shared.name));
        }
        if timeout_at(give_up, changes.changed()).await.is_err() {
            // Later requests need not wait as well, until an instance was reached.
            shared.was_up.store(true, std::sync::atomic::Ordering::Release);
            return Err(unreachable(&shared.name));
        }
    }
}

/// HTTP/2 needs scheme and authority, which the generated clients leave out.
pub(super) fn absolute(uri: &Uri, service: &str) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    let mesh = || Authority::from_static("mesh");
    parts.authority = Some(Authority::try_from(service).unwrap_or_else(|_error| mesh()));
    parts.path_and_query.get_or_insert_with(|| PathAndQuery::from_static("/"));
    Uri::from_parts(parts).unwrap_or_default()
}

fn finish(
    response: Response<Incoming>,
    pending: Pending,
    limit: Option<Instant>,
    kind: Kind,
) -> Response<ResponseBody> {
    let (mut head, body) = response.into_parts();
    rename_late(&mut head.headers);
    Response::from_parts(head, ResponseBody::new(body, pending, limit, kind))
}

/// Tonic's own time-out arrives as `CANCELLED`; it is a missed deadline.
fn rename_late(headers: &mut HeaderMap) {
    let has = |name: &str, expected: &str| {
        headers.get(name).is_some_and(|value| value.as_bytes() == expected.as_bytes())
    };
    if has("grpc-status", "1") && has("grpc-message", "Timeout%20expired") {
        headers.insert("grpc-status", http::HeaderValue::from_static("4"));
    }
}

/// No answer in time.
pub(super) fn late(service: &str) -> Status {
    let message = format!("no answer from {service} in time");
    fault::own(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", message)
}

/// Nobody to send to.
fn unreachable(service: &str) -> Status {
    let message = format!("{service} is not reachable");
    fault::own(Code::Unavailable, "UNAVAILABLE", message)
}

/// The connection broke with the request under way. A stream is simply over; what became of a
/// single request is unknown, which is not what `UNAVAILABLE` promises.
pub(super) fn broken(service: &str, kind: Kind, error: &hyper::Error) -> Status {
    tracing::debug!(service, error = fault::chain(error), "connection broke");
    match kind {
        Kind::Stream => {
            fault::own(Code::Unavailable, "UNAVAILABLE", format!("connection to {service} broke"))
        }
        Kind::Single => cut_off(service),
    }
}

/// The connection broke after a single request was sent.
pub(super) fn cut_off(service: &str) -> Status {
    let message = format!("connection to {service} broke");
    fault::own(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", message)
}
