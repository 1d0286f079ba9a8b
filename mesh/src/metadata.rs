//! The metadata of requests made for a session, and how a service passes it on.

use tonic::metadata::MetadataMap;

/// `Bearer` and the access token.
pub const AUTHORIZATION: &str = "authorization";

/// The public method that led to the request, e.g. `CallControl/hold_call`.
pub const METHOD: &str = "x-cordboard-method";

/// The application's `request_id`.
pub const REQUEST_ID: &str = "x-cordboard-request-id";

/// `1` when the session has a subscription, `0` when not.
pub const SUBSCRIBED: &str = "x-cordboard-subscribed";

/// How the application made the request: [`TRANSPORT_REST`] or [`TRANSPORT_WEBSOCKET`].
pub const TRANSPORT: &str = "x-cordboard-transport";

/// Value of [`TRANSPORT`] for a request over HTTP.
pub const TRANSPORT_REST: &str = "rest";

/// Value of [`TRANSPORT`] for a request over a WebSocket.
pub const TRANSPORT_WEBSOCKET: &str = "websocket";

/// Copies the metadata of a session's request to a request that is made for it. Deadline and
/// trace are passed on by the client itself.
pub fn forward<T, U>(from: &tonic::Request<T>, to: &mut tonic::Request<U>) {
    for name in [AUTHORIZATION, METHOD, REQUEST_ID, SUBSCRIBED] {
        if let Some(value) = from.metadata().get(name) {
            to.metadata_mut().insert(name, value.clone());
        }
    }
}

/// One entry as text.
#[must_use]
pub fn text<'a>(metadata: &'a MetadataMap, name: &str) -> Option<&'a str> {
    metadata.get(name)?.to_str().ok()
}

/// The access token of a request.
#[must_use]
pub fn token(headers: &http::HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_session_s_metadata_is_passed_on() {
        let mut from = tonic::Request::new(());
        from.metadata_mut().insert(AUTHORIZATION, "Bearer t".parse().unwrap());
        from.metadata_mut().insert("grpc-timeout", "1S".parse().unwrap());
        let mut to = tonic::Request::new(());

        forward(&from, &mut to);

        assert_eq!(token(to.metadata().as_ref()), Some("t"));
        assert_eq!(to.metadata().len(), 1);
    }
}
