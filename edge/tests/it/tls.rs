//! The public port over TLS.

use std::sync::Arc;
use std::time::Duration;

use mesh::net::tls::ServerTls;
use mesh::net::{Connection, Listener, Network, Target};
use mesh::testing::eventually;
use mesh::testing::pki::{Authority, Mounted, pair};
use proto::call::v1::State;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_util::sync::CancellationToken;

use crate::support::client::Client;
use crate::support::{CUSTOMER, Harness, PATIENCE, config, spawn};

const LONG: Duration = Duration::from_hours(1);
const NAME: &str = "edge.example";

/// An edge with TLS whose files are looked at often.
async fn start(files: &Mounted, change: impl FnOnce(&mut edge::Config)) -> (Harness, Target) {
    let tls = ServerTls::public(pair(&files.certificate(), &files.key())).unwrap();
    spawn(tls.clone().follow(Duration::from_millis(20), CancellationToken::new()));
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let listener = listener.with_tls(Some(tls));
    let target = listener.local_target();
    (Harness::on(config(change), Network::default(), listener).await, target)
}

async fn plain(target: &Target) -> TcpStream {
    let Target::Tcp { host, port } = target else { panic!("{target}") };
    TcpStream::connect((host.as_str(), *port)).await.unwrap()
}

async fn shake(target: &Target, config: Arc<ClientConfig>) -> Result<Connection, String> {
    let name = NAME.try_into().unwrap();
    let stream = TlsConnector::from(config).connect(name, plain(target).await).await;
    stream.map(Connection::tls).map_err(|error| error.to_string())
}

async fn client(harness: &Harness, target: &Target, authority: &Authority) -> Client {
    let stream = shake(target, authority.client()).await.unwrap();
    let header = ("authorization", format!("Bearer {}", harness.token(CUSTOMER)));
    Client::over(stream, &[header]).await.unwrap()
}

#[tokio::test]
async fn requests_and_events_go_over_tls() {
    let authority = Authority::new();
    let (harness, target) = start(&authority.mount(&[NAME], LONG), |_| {}).await;
    let mut client = client(&harness, &target, &authority).await;

    client.enable(json!({})).await;
    let expected: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    for name in &expected {
        harness.log.call(1, name, State::Connected);
    }

    assert_eq!(client.tracking_ids(200).await, expected);
    client.nothing().await;
}

#[tokio::test]
async fn a_slow_client_over_tls_gets_everything_from_the_log() {
    let authority = Authority::new();
    let (harness, target) = start(&authority.mount(&[NAME], LONG), |config| {
        config.outbound_event_bytes = 128 * 1024;
    })
    .await;
    let mut slow = client(&harness, &target, &authority).await;
    let mut quick = client(&harness, &target, &authority).await;
    slow.enable(json!({})).await;
    quick.enable(json!({})).await;

    // More than the buffers of both ends of the connection hold.
    let expected: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    for name in &expected {
        harness.log.heavy_call(1, name, 64 * 1024);
        assert_eq!(&quick.tracking_ids(1).await[0], name);
    }

    let mut came = Vec::new();
    while came.len() < expected.len() {
        let event = slow.event().await;
        if let Some(id) = event["params"]["call_info"]["tracking_id"].as_str() {
            came.push(id.to_owned());
        }
    }
    assert_eq!(came, expected);
}

#[tokio::test]
async fn a_socket_outlives_the_certificate_that_it_began_with() {
    let authority = Authority::new();
    let files = authority.mount(&[NAME], Duration::from_secs(3));
    let (harness, target) = start(&files, |_| {}).await;
    let mut old = client(&harness, &target, &authority).await;
    old.enable(json!({})).await;

    eventually(PATIENCE, "the certificate ends", || async {
        match shake(&target, authority.client()).await {
            Ok(_) => Err("it is still good".to_owned()),
            Err(_) => Ok(()),
        }
    })
    .await;
    harness.log.call(1, "after the end", State::Connected);
    assert_eq!(old.tracking_ids(1).await, ["after the end"]);

    files.renew(&authority, &[NAME], LONG);
    eventually(PATIENCE, "the new certificate", || shake(&target, authority.client())).await;
    harness.log.call(1, "after the renewal", State::Connected);
    assert_eq!(old.tracking_ids(1).await, ["after the renewal"]);
}

#[tokio::test]
async fn a_close_comes_with_its_code_and_ends_the_tls_session() {
    let authority = Authority::new();
    let (harness, target) = start(&authority.mount(&[NAME], LONG), |_| {}).await;
    let mut client = client(&harness, &target, &authority).await;

    client.socket.get_mut().write_all(&[0x82, 0x80, 0, 0, 0, 0]).await.unwrap();
    client.socket.get_mut().flush().await.unwrap();

    assert_eq!(client.closed().await.0, 1003);
    // The end of the stream is that of TLS: no error of a connection that was cut.
    let mut rest = Vec::new();
    client.socket.get_mut().read_to_end(&mut rest).await.unwrap();
}

#[tokio::test]
async fn plain_http_and_other_protocols_are_refused_and_disturb_nobody() {
    let authority = Authority::new();
    let (harness, target) = start(&authority.mount(&[NAME], LONG), |_| {}).await;
    let mut client = client(&harness, &target, &authority).await;
    let _silent = plain(&target).await;

    let mut http = plain(&target).await;
    http.write_all(b"GET /ws HTTP/1.1\r\nHost: edge\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    http.read_to_end(&mut answer).await.ok();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let mut h2 = (*authority.client()).clone();
    h2.alpn_protocols = vec![b"h2".to_vec()];
    assert!(shake(&target, Arc::new(h2)).await.is_err(), "HTTP/2 is not spoken here");

    client.call("Session/ping", json!({})).await.unwrap();
}
