//! Ways into the readers of HTTP requests.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{credentials, form, handshake, server};

/// Reads the body of a REST request of that `Content-Type`.
pub fn body(kind: &[u8], body: &[u8]) {
    let mut headers = HeaderMap::new();
    if let Ok(kind) = HeaderValue::from_bytes(kind) {
        headers.insert(CONTENT_TYPE, kind);
    }
    drop(form::read(&headers, body));
}

/// Reads what a handshake with these headers carries.
pub fn headers<'a>(lines: impl Iterator<Item = (&'a [u8], &'a [u8])>) {
    let mut headers = HeaderMap::new();
    for (name, value) in lines.take(64) {
        let name = HeaderName::from_bytes(name);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    let allowed = ["https://console.example".to_owned()];
    credentials::of(&headers, "cordboard_session", &allowed);
    drop(handshake::check(&headers));
    let proxy = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    let trusted: Vec<_> = "127.0.0.0/8".parse().into_iter().collect();
    server::client_address(proxy, &headers, &trusted);
}
