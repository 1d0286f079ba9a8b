//! Over real sockets, in real time.

use std::net::SocketAddr;

use mesh::net::{Network, Target};
use proto::call::v1::State;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::client::Client;
use crate::support::{ACCOUNT, CUSTOMER, Harness, config};

async fn client(harness: &Harness, target: &Target) -> Client {
    let header = ("authorization", format!("Bearer {}", harness.token(CUSTOMER)));
    Client::connect_to(&harness.network, target, &[header]).await.unwrap()
}

#[tokio::test]
async fn every_one_of_many_sockets_gets_every_event_in_order() {
    let (harness, target) = Harness::over_tcp(config(|config| {
        config.max_connections_per_user = 1_000;
    }))
    .await;
    let mut clients = Vec::new();
    for _ in 0..300 {
        let mut client = client(&harness, &target).await;
        client.enable(json!({})).await;
        clients.push(client);
    }

    let expected: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    for name in &expected {
        harness.log.call(1, name, State::Connected);
    }

    for client in &mut clients {
        assert_eq!(client.tracking_ids(100).await, expected);
    }
}

#[tokio::test]
async fn a_slow_client_on_a_real_socket_gets_everything_from_the_log() {
    let (harness, target) = Harness::over_tcp(config(|config| {
        config.outbound_event_bytes = 128 * 1024;
    }))
    .await;
    let mut slow = client(&harness, &target).await;
    let mut quick = client(&harness, &target).await;
    slow.enable(json!({})).await;
    quick.enable(json!({})).await;

    // More than the buffers of both ends of the connection hold.
    let expected: Vec<String> = (0..400).map(|number| number.to_string()).collect();
    for name in &expected {
        harness.log.heavy_call(1, name, 64 * 1024);
        assert_eq!(&quick.tracking_ids(1).await[0], name);
    }

    let (mut came, mut gaps) = (Vec::new(), 0);
    while came.len() < expected.len() {
        let event = slow.event().await;
        match event["params"]["call_info"]["tracking_id"].as_str() {
            Some(id) => came.push(id.to_owned()),
            None => gaps += usize::from(event["params"]["reason"] == "slow_reader"),
        }
    }
    assert_eq!(came, expected);
    assert!(gaps > 0, "the client was not slow");
    slow.nothing().await;
}

#[tokio::test]
async fn what_a_client_sends_with_its_handshake_is_not_lost() {
    let (harness, target) = Harness::over_tcp(config(|_| {})).await;
    let Target::Tcp { host, port } = &target else { panic!("{target}") };
    let address: SocketAddr = format!("{host}:{port}").parse().unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let token = harness.token(ACCOUNT);
    let mut bytes = format!(
        "GET /ws HTTP/1.1\r\nHost: edge\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    )
    .into_bytes();
    let request = br#"{"jsonrpc":"2.0","id":1,"method":"Session/ping"}"#;
    // Masked with zeros, which leaves the payload as it is.
    bytes.extend([0x81, 0x80 | u8::try_from(request.len()).unwrap(), 0, 0, 0, 0]);
    bytes.extend(request);

    stream.write_all(&bytes).await.unwrap();
    let mut read = Vec::new();
    while !read.ends_with(b"}}") {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0);
    }

    let text = String::from_utf8_lossy(&read);
    assert!(text.starts_with("HTTP/1.1 101 "), "{text}");
    assert!(text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{text}");
    let begin = text.find(r#"{"jsonrpc""#).unwrap();
    let answer: Value = serde_json::from_str(&text[begin..]).unwrap();
    assert_eq!(answer["result"]["user_id"], 1);
}

#[tokio::test]
async fn a_reset_connection_leaves_nothing_behind() {
    let (harness, target) = Harness::over_tcp(config(|config| config.max_connections = 1)).await;
    let mut first = client(&harness, &target).await;
    first.enable(json!({})).await;

    drop(first);

    let network: &Network = &harness.network;
    let look = || async {
        let header = ("authorization", format!("Bearer {}", harness.token(CUSTOMER)));
        let connected = Client::connect_to(network, &target, &[header]).await;
        connected.map(|_| ()).map_err(|response| response.status().to_string())
    };
    mesh::testing::eventually(crate::support::PATIENCE, "a free place", look).await;
}

#[tokio::test]
async fn who_is_known_in_several_realms_must_name_one() {
    let (harness, target) = Harness::over_tcp(config(|_| ())).await;
    let mut client = Client::connect_to(&harness.network, &target, &[]).await.unwrap();
    let mut login = json!({"login": "shared", "password": "secret"});

    let fault = client.call("Session/login", login.clone()).await.unwrap_err();
    assert_eq!(fault["code"], -32602);
    assert_eq!(fault["data"]["faultcode"], "Client.Session.login.realm_required");

    for realm in ["customer", "account"] {
        login["realm"] = json!(realm);
        client.call("Session/login", login.clone()).await.unwrap();
        let data = client.call("Session/get_session_data", json!({})).await.unwrap();
        assert_eq!(data["realm"], realm);
    }
}
