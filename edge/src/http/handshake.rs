//! Turns an HTTP connection into a WebSocket.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use mesh::net::Connection;
use mesh::token::TokenError;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracing::debug;

use super::credentials::{self, Carried};
use super::reply::{self, Reply};
use crate::edge::Edge;
use crate::entrance::Entrance;
use crate::metrics;
use crate::session::Session;
use crate::socket::reader::SocketTask;
use crate::socket::registry::{Place, UserPlace};
use crate::wire::io;
use crate::wire::outbound::{Budget, Outbound};

/// Clients that find no room are told to come back after up to this many seconds.
const RETRY_WITHIN: u64 = 10;

/// Who the handshake says it is.
struct Holder {
    session: Arc<Session>,
    place: UserPlace,
}

/// Answers `GET /ws`.
pub(super) async fn answer(
    edge: &Arc<Edge>,
    entrance: Entrance,
    mut request: Request<Incoming>,
) -> Reply {
    let refused = |reason: &'static str, reply: Reply| {
        metrics::handshake_refused(reason);
        reply
    };
    let accept = match check(request.headers()) {
        Ok(accept) => accept,
        Err(reply) => return refused("malformed", *reply),
    };
    let Some(place) = edge.sockets.reserve() else {
        return refused("full", reply::busy(retry_after()));
    };
    let holder = match authenticate(edge, &entrance, request.headers()).await {
        Ok(holder) => holder,
        Err((reason, reply)) => return refused(reason, *reply),
    };

    let mut reply = Response::new(Full::new(Bytes::new()));
    *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = reply.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if credentials::subprotocols(request.headers()).any(|it| it == credentials::SUBPROTOCOL) {
        let chosen = HeaderValue::from_static(credentials::SUBPROTOCOL);
        headers.insert(SEC_WEBSOCKET_PROTOCOL, chosen);
    }
    let upgrade = hyper::upgrade::on(&mut request);
    edge.tasks.spawn(begin(Arc::clone(edge), entrance, upgrade, holder, place));
    reply
}

/// Checks the handshake (RFC 6455 section 4.2.1) and returns the accept key.
pub(super) fn check(headers: &HeaderMap) -> Result<HeaderValue, Box<Reply>> {
    let has = |name, token: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|value| value.trim().eq_ignore_ascii_case(token))
    };
    if !has(CONNECTION, "upgrade") || !has(UPGRADE, "websocket") {
        let mut reply = reply::fault(
            StatusCode::UPGRADE_REQUIRED,
            "Client.http.upgrade_required",
            "this is a WebSocket",
        );
        reply.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
        return Err(Box::new(reply));
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let mut reply = reply::fault(
            StatusCode::UPGRADE_REQUIRED,
            "Client.http.unsupported_version",
            "the WebSocket version must be 13",
        );
        reply.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return Err(Box::new(reply));
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    let accept = STANDARD
        .decode(key)
        .ok()
        .filter(|nonce| nonce.len() == 16)
        .and_then(|_nonce| HeaderValue::try_from(derive_accept_key(key)).ok());
    accept.ok_or_else(|| {
        Box::new(reply::fault(
            StatusCode::BAD_REQUEST,
            "Client.http.malformed_key",
            "Sec-WebSocket-Key is not 16 bytes in base64",
        ))
    })
}

/// The session of the handshake's token, if it carries one; a bad one is refused.
async fn authenticate(
    edge: &Arc<Edge>,
    entrance: &Entrance,
    headers: &HeaderMap,
) -> Result<Option<Holder>, (&'static str, Box<Reply>)> {
    let token =
        match credentials::of(headers, &entrance.cookie_name(), &edge.config.allowed_origins) {
            Carried::Nothing => return Ok(None),
            Carried::Token(token) => token,
            Carried::ForeignOrigin => {
                let (status, code) = (StatusCode::FORBIDDEN, "Client.http.origin_not_allowed");
                let reply = reply::fault(status, code, "this page may not use the login cookie");
                return Err(("origin", Box::new(reply)));
            }
        };
    let session = edge
        .session_of(entrance, token)
        .await
        .map_err(|error| ("not_authenticated", Box::new(not_authenticated(error))))?;
    let place = edge.sockets.reserve_for(&session.caller.user);
    let place = place.ok_or_else(|| ("user_full", Box::new(reply::busy(retry_after()))))?;
    Ok(Some(Holder { session, place }))
}

fn not_authenticated(error: TokenError) -> Reply {
    match error {
        TokenError::KeysUnavailable => reply::busy(1),
        TokenError::Revoked => reply::fault(
            StatusCode::UNAUTHORIZED,
            "Server.Session.check_auth.auth_failed",
            &error.to_string(),
        ),
        TokenError::Malformed
        | TokenError::BadSignature
        | TokenError::Expired
        | TokenError::UnknownKey => reply::fault(
            StatusCode::UNAUTHORIZED,
            "Client.Session.check_auth.failed_to_process_access_token",
            &error.to_string(),
        ),
    }
}

/// Seconds; spread, so that clients do not come back together.
fn retry_after() -> u64 {
    let spread = mesh::client::jitter(std::time::Duration::from_secs(RETRY_WITHIN));
    spread.as_secs().max(1)
}

async fn begin(
    edge: Arc<Edge>,
    entrance: Entrance,
    upgrade: OnUpgrade,
    holder: Option<Holder>,
    place: Place,
) {
    let parts = match upgrade.await.map(Upgraded::downcast::<TokioIo<Connection>>) {
        Ok(Ok(parts)) => parts,
        Ok(Err(_)) => return,
        Err(error) => return debug!(error = %error, "connection was not upgraded"),
    };
    let (reader, writer) = io::split(parts.io.into_inner());
    let budget =
        Budget { events: edge.config.outbound_event_bytes, all: edge.config.outbound_max_bytes };
    let outbound = Arc::new(Outbound::new(writer, budget));
    let socket = edge.sockets.add(entrance, outbound);
    metrics::socket_began();
    if let Some(Holder { session, place }) = holder {
        socket.keep_user_place(place);
        edge.authenticate(&socket, &session);
    }
    // A task of its own: this one still holds what the handshake needed.
    let task = SocketTask::new(Arc::clone(&edge), socket, reader, &parts.read_buf, place);
    edge.tasks.spawn(task.run());
}
