//! Accepts connections and gives each request to what answers it.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use mesh::net::{Connection, Listener};
use proto::options::v1::Realm;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::recording::File;
use super::reply::{self, Reply};
use super::{document, handshake, recording, rest};
use crate::config::AddressRange;
use crate::edge::Edge;
use crate::entrance::Entrance;

/// Pause after a failed `accept`, e.g. for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections of sessions of `realm`, or of all, until `stop`.
pub(crate) async fn accept(
    edge: &Arc<Edge>,
    mut listener: Listener,
    realm: Option<Realm>,
    stop: &CancellationToken,
) {
    loop {
        let connection = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            connection = listener.accept() => connection,
        };
        match connection {
            Ok(connection) => {
                let serving = serve(Arc::clone(edge), connection, realm, stop.clone());
                edge.tasks.spawn(serving);
            }
            Err(error) => {
                warn!(error = %error, "connection not accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection until it ends or becomes a WebSocket.
async fn serve(
    edge: Arc<Edge>,
    connection: Connection,
    realm: Option<Realm>,
    stop: CancellationToken,
) {
    let peer = connection
        .peer_addr()
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.ip().to_canonical());
    let entrance = Entrance { address: peer, realm, is_secure: connection.is_tls() };
    let header_read_timeout = edge.config.header_read_timeout;
    let service = service_fn(move |request| {
        let edge = Arc::clone(&edge);
        async move { Ok::<_, Infallible>(answer(&edge, entrance, request).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_read_timeout)
        .serve_connection(TokioIo::new(connection), service)
        .with_upgrades();
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        debug!(error = %error, "connection ended");
    }
}

/// What is written: a whole answer, or a file part by part.
type Body = Either<Full<Bytes>, File>;

async fn answer(edge: &Arc<Edge>, door: Entrance, request: Request<Incoming>) -> Response<Body> {
    let trusted = &edge.config.trusted_proxies;
    let address = client_address(door.address, request.headers(), trusted);
    let entrance = Entrance { address, ..door };
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let id = request.uri().path().strip_prefix("/recordings/").filter(|_| is_read);
    if let Some(id) = id {
        let (method, headers) = (request.method(), request.headers());
        return match Box::pin(recording::answer(edge, entrance, id, method, headers)).await {
            Ok(file) => file.map(Either::Right),
            Err(refusal) => refusal.map(Either::Left),
        };
    }
    whole(edge, entrance, request).await.map(Either::Left)
}

async fn whole(edge: &Arc<Edge>, entrance: Entrance, request: Request<Incoming>) -> Reply {
    let path = request.uri().path();
    if let Some(name) = path.strip_prefix("/rest/") {
        if request.method() != Method::POST {
            return reply::method_not_allowed("POST");
        }
        let name = name.strip_suffix('/').unwrap_or(name).to_owned();
        return Box::pin(rest::answer(edge, entrance, &name, request)).await;
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return reply::method_not_allowed("GET, HEAD");
    }
    match path {
        "/ws" => handshake::answer(edge, entrance, request).await,
        path => document::answer(edge, &entrance, path).await,
    }
}

/// The client's address: the peer's, or what trusted proxies say.
pub(super) fn client_address(
    peer: IpAddr,
    headers: &HeaderMap,
    trusted: &[AddressRange],
) -> IpAddr {
    let mut address = peer;
    // From the nearest on: what stands further left may be anything that the client wrote.
    let values: Vec<&[u8]> =
        headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes).collect();
    for hop in values.iter().rev().flat_map(|value| value.rsplit(|byte| *byte == b',')) {
        if !trusted.iter().any(|range| range.contains(address)) {
            break;
        }
        let Some(hop) = address_of(hop) else { break };
        address = hop;
    }
    address
}

/// The address of a hop, which may have a port.
fn address_of(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse::<IpAddr>().ok();
    let address = address.or_else(|| hop.parse::<SocketAddr>().ok().map(|it| it.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let trusted: Vec<AddressRange> = trusted.iter().map(|it| it.parse().unwrap()).collect();
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_stranger_s_header_is_not_believed() {
        assert_eq!(address("9.9.9.9", &["1.1.1.1"], &["10.0.0.1"]), "9.9.9.9");
    }

    #[test]
    fn what_a_client_writes_before_the_proxy_hides_nothing() {
        let trusted = ["10.0.0.0/8"];

        for claimed in ["unknown", "", "1.1.1.1, unknown", "\u{e9}", "10.1.1.1, _hidden"] {
            let forwarded = format!("{claimed}, 2.2.2.2");
            assert_eq!(address("10.0.0.1", &[&forwarded], &trusted), "2.2.2.2", "{claimed}");
            assert_eq!(address("10.0.0.1", &[claimed, "2.2.2.2"], &trusted), "2.2.2.2");
        }
        assert_eq!(address("10.0.0.1", &["unknown"], &trusted), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &["6.6.6.6, unknown, 10.0.0.2"], &trusted), "10.0.0.2");
    }

    #[test]
    fn a_hop_may_have_a_port_and_brackets() {
        let of = |hop: &str| address("10.0.0.1", &[hop], &["10.0.0.1"]);

        assert_eq!(of("1.1.1.1:4711"), "1.1.1.1");
        assert_eq!(of("[2001:db8::1]:4711"), "2001:db8::1");
        assert_eq!(of("[2001:db8::1]"), "2001:db8::1");
        assert_eq!(of("::ffff:1.1.1.1"), "1.1.1.1");
    }

    #[test]
    fn behind_proxies_the_last_untrusted_hop_counts() {
        let trusted = ["10.0.0.1", "10.0.0.2"];

        assert_eq!(address("10.0.0.1", &["6.6.6.6, 1.1.1.1"], &trusted), "1.1.1.1");
        assert_eq!(address("10.0.0.1", &["6.6.6.6, 1.1.1.1, 10.0.0.2"], &trusted), "1.1.1.1");
        assert_eq!(address("10.0.0.1", &["6.6.6.6", "1.1.1.1"], &trusted), "1.1.1.1");
        assert_eq!(address("10.0.0.1", &[], &trusted), "10.0.0.1");
        assert_eq!(
            address("10.9.9.9", &["6.6.6.6, 1.1.1.1, 10.8.8.8"], &["10.0.0.0/8"]),
            "1.1.1.1"
        );
    }
}
