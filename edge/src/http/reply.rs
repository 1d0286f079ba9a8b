//! Answers of the HTTP side.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use proto::json::Object;

/// An answer.
pub(crate) type Reply = Response<Full<Bytes>>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer with a body.
pub(super) fn with(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, kind);
    reply
}

/// JSON that must not be kept by caches.
pub(super) fn json(body: impl Into<Bytes>) -> Reply {
    let mut reply = with(StatusCode::OK, JSON, body);
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// A document that changes with the version only.
pub(super) fn document(kind: HeaderValue, body: &'static str) -> Reply {
    with(StatusCode::OK, kind, Bytes::from_static(body.as_bytes()))
}

/// A JSON document that changes with the version only.
pub(super) fn json_document(body: &'static str) -> Reply {
    document(JSON, body)
}

/// A fault.
pub(super) fn fault(status: StatusCode, faultcode: &str, faultstring: &str) -> Reply {
    let mut body = Vec::new();
    let mut object = Object::begin(&mut body);
    object.string("faultcode", faultcode);
    object.string("faultstring", faultstring);
    object.end();
    let mut reply = json(body);
    *reply.status_mut() = status;
    reply
}

/// There is nothing here.
pub(super) fn not_found() -> Reply {
    fault(StatusCode::NOT_FOUND, "Client.http.not_found", "there is nothing here")
}

/// The path is right and the method is not.
pub(super) fn method_not_allowed(allowed: &'static str) -> Reply {
    let mut reply =
        fault(StatusCode::METHOD_NOT_ALLOWED, "Client.http.method_not_allowed", "wrong method");
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    reply
}

/// There is no room; `seconds` later there may be.
pub(super) fn busy(seconds: u64) -> Reply {
    let mut reply = fault(
        StatusCode::SERVICE_UNAVAILABLE,
        "Server.http.too_many_connections",
        "too many connections; try again later",
    );
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    reply
}
