//! Where a request may carry a token: header, subprotocol, cookie.

use http::HeaderMap;
use http::header::{COOKIE, HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL};

/// The subprotocol of the API.
pub(super) const SUBPROTOCOL: &str = "jsonrpc";

/// Prefix of the subprotocol that carries a token.
const BEARER_SUBPROTOCOL: &str = "bearer.";

/// What a request carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Carried<'a> {
    Nothing,
    Token(&'a str),
    /// The cookie came with a page that may not use it.
    ForeignOrigin,
}

/// The token of a request: `Authorization` or the subprotocol, else the cookie of that name.
pub(super) fn of<'a>(
    headers: &'a HeaderMap,
    cookie_name: &str,
    allowed_origins: &[String],
) -> Carried<'a> {
    if let Some(token) = mesh::metadata::token(headers).or_else(|| of_subprotocol(headers)) {
        return Carried::Token(token);
    }
    match of_cookie(headers, cookie_name) {
        None => Carried::Nothing,
        Some(token) if may_use_cookie(headers, allowed_origins) => Carried::Token(token),
        Some(_) => Carried::ForeignOrigin,
    }
}

/// The subprotocols that a handshake offers.
pub(super) fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

fn of_subprotocol(headers: &HeaderMap) -> Option<&str> {
    subprotocols(headers).find_map(|offered| offered.strip_prefix(BEARER_SUBPROTOCOL))
}

fn of_cookie<'a>(headers: &'a HeaderMap, cookie_name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find_map(|(name, value)| (name == cookie_name && !value.is_empty()).then_some(value))
}

/// Browsers send cookies for any page, and the page's origin with it: only the edge's own page
/// and those of the allow-list may use them. Who sends no origin is no browser.
fn may_use_cookie(headers: &HeaderMap, allowed_origins: &[String]) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let origin_host = origin.split_once("://").map(|(_, host)| host);
    (host.is_some() && host == origin_host)
        || allowed_origins.iter().any(|allowed| allowed.trim_end_matches('/') == origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOKIE: &str = "cordboard_session";

    fn headers(entries: &[(&str, &str)]) -> HeaderMap {
        entries
            .iter()
            .map(|(name, value)| {
                let name: http::HeaderName = name.parse().unwrap();
                (name, value.parse().unwrap())
            })
            .collect()
    }

    #[test]
    fn a_token_is_found_wherever_it_may_be() {
        for entries in [
            [("authorization", "Bearer t")],
            [("sec-websocket-protocol", "jsonrpc, bearer.t")],
            [("cookie", "a=b; cordboard_session=t")],
        ] {
            assert_eq!(of(&headers(&entries), COOKIE, &[]), Carried::Token("t"), "{entries:?}");
        }
        assert_eq!(of(&headers(&[("cookie", "a=b")]), COOKIE, &[]), Carried::Nothing);
    }

    #[test]
    fn a_cookie_serves_known_pages_only() {
        let carried = |origin: &str| {
            let cookie = ("cookie", "cordboard_session=t");
            let headers = headers(&[cookie, ("host", "pbx.example"), ("origin", origin)]);
            matches!(
                of(&headers, COOKIE, &["https://console.example".to_owned()]),
                Carried::Token(_)
            )
        };

        assert!(carried("https://pbx.example"));
        assert!(carried("https://console.example"));
        assert!(!carried("https://evil.example"));
        assert!(!carried("null"));
    }

    #[test]
    fn a_token_of_the_request_itself_needs_no_origin() {
        let headers = headers(&[
            ("authorization", "Bearer t"),
            ("cookie", "cordboard_session=c"),
            ("origin", "https://evil.example"),
        ]);

        assert_eq!(of(&headers, COOKIE, &[]), Carried::Token("t"));
    }
}
