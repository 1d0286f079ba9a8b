//! Why sockets are closed.

use std::time::Duration;

use futures::SinkExt as _;
use mesh::testing::token::{ISSUER_OF_TESTS, claims};
use proto::call::v1::State;
use serde_json::json;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{ACCOUNT, Harness, PATIENCE, config};

#[tokio::test(start_paused = true)]
async fn a_socket_that_does_not_log_in_is_closed() {
    let harness = Harness::start().await;
    let start = Instant::now();
    let mut client = harness.connect().await;

    assert_eq!(client.closed().await.0, 4401);
    assert!(start.elapsed() < Duration::from_secs(11));
}

#[tokio::test(start_paused = true)]
async fn a_client_without_pong_is_closed() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;

    // Nothing is read, so no ping is answered.
    sleep(Duration::from_secs(42)).await;

    assert_eq!(client.closed().await.0, 1011);
}

#[tokio::test(start_paused = true)]
async fn pongs_keep_a_socket_open_and_silence_closes_it() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;

    client.idle(Duration::from_secs(290)).await;
    client.call("Session/ping", json!({})).await.unwrap();
    client.idle(Duration::from_secs(290)).await;

    assert_eq!(client.closed().await.0, 4408);
}

#[tokio::test(start_paused = true)]
async fn an_oversize_message_is_refused_with_its_code() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;

    client.send(format!("\"{}\"", "x".repeat(65_534))).await;
    assert_eq!(client.next().await["error"]["code"], -32600);
    client.socket.feed(Message::text("x".repeat(100_000))).await.unwrap();
    client.socket.flush().await.ok();

    assert_eq!(client.closed().await.0, 1009);
}

#[tokio::test(start_paused = true)]
async fn a_binary_message_is_refused() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;

    client.socket.send(Message::binary("{}")).await.unwrap();

    assert_eq!(client.closed().await.0, 1003);
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_need_not_wait_for_the_end_of_the_connection() {
    let harness = Harness::with(config(|config| {
        config.close_timeout = Duration::from_hours(1);
        config.max_message_bytes = 1_024;
    }))
    .await;
    let (mut binary, mut long) = (harness.client(ACCOUNT).await, harness.client(ACCOUNT).await);
    let begin = tokio::time::Instant::now();

    binary.socket.send(Message::binary("{}")).await.unwrap();
    long.send("x".repeat(2_000)).await;

    // To the end of the connection, not only to the close frame.
    assert_eq!((binary.closed().await.0, long.closed().await.0), (1003, 1009));
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn requests_over_the_rate_are_refused_and_then_the_client() {
    let harness = Harness::with(config(|config| {
        config.requests_per_second = 10;
        config.request_burst = 20;
    }))
    .await;
    let token = harness.token(ACCOUNT);
    let mut client = harness.client_with(&token).await;
    let mut other_socket = harness.client_with(&token).await;

    for _ in 0..20 {
        client.call("Session/ping", json!({})).await.unwrap();
    }
    let limited = other_socket.call("Session/ping", json!({})).await.unwrap_err();

    assert_eq!(limited["code"], -32029);
    assert_eq!(limited["data"]["faultcode"], "Server.Session.ping.limit_reached");
    assert!(limited["data"]["retry_after_ms"].as_i64().unwrap() <= 100);
    sleep(Duration::from_millis(150)).await;
    client.call("Session/ping", json!({})).await.unwrap();
    for _ in 0..150 {
        client.begin("Session/ping", json!({})).await;
    }
    assert_eq!(client.closed().await.0, 4429);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_expires_is_announced_and_then_closes_the_socket() {
    let harness = Harness::start().await;
    let token = harness.token_with(ACCOUNT, &[], 100);
    let mut client = harness.client_with(&token).await;

    client.idle(Duration::from_secs(38)).await;
    let announced = client.event().await;
    let closed = client.closed().await;

    assert_eq!(announced["method"], "Session/token_expiring");
    let expires_in = announced["params"]["expires_in"].as_i64().unwrap();
    assert!((59..=60).contains(&expires_in), "{announced}");
    assert_eq!(closed.0, 4401);
}

/// A token of one session that lasts so many seconds.
fn token_of(harness: &Harness, session_id: &str, seconds: i64) -> String {
    let mut claims = claims(ACCOUNT, &["call_control:modify"], harness.clock.now());
    claims.jti = session_id.to_owned();
    claims.exp = claims.iat + seconds;
    ISSUER_OF_TESTS.sign(&claims)
}

#[tokio::test(start_paused = true)]
async fn a_socket_goes_on_with_what_its_session_was_refreshed_to_elsewhere() {
    let harness = Harness::start().await;
    let mut client = harness.client_with(&token_of(&harness, "one", 100)).await;
    client.enable(json!({})).await;
    // Another socket of the session brings what a refresh gave.
    let _other = harness.client_with(&token_of(&harness, "one", 900)).await;

    client.idle(Duration::from_secs(200)).await;

    client.nothing().await;
    let data = client.call("Session/get_session_data", json!({})).await.unwrap();
    assert_eq!(data["session_id"], "one");
    harness.log.call(1, "a", State::Connected);
    assert_eq!(client.event().await["method"], "CallControl/call_state");
}

#[tokio::test(start_paused = true)]
async fn a_socket_goes_on_when_auth_knows_that_its_session_was_refreshed() {
    let harness = Harness::start().await;
    let mut client = harness.client_with(&token_of(&harness, "of another edge", 100)).await;

    client.idle(Duration::from_secs(38)).await;
    let announced = client.event().await;
    client.idle(Duration::from_secs(100)).await;

    assert_eq!(announced["method"], "Session/token_expiring");
    client.call("Session/get_session_data", json!({})).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stopping_edge_answers_and_sends_its_clients_elsewhere() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;
    let mut idle = harness.client(ACCOUNT).await;
    let hold = json!({"call": {"id": "slow"}});
    let id = client.begin("CallControl/hold_call", hold).await;
    sleep(Duration::from_millis(100)).await;

    harness.stop.cancel();

    let closed = idle.closed().await;
    assert_eq!(closed.0, 1001);
    assert!(closed.1.starts_with("reconnect_after_ms="), "{}", closed.1);
    assert_eq!(client.answer(id).await["result"]["success"], 1);
    assert_eq!(client.closed().await.0, 1001);
    tokio::time::timeout(PATIENCE, harness.edge).await.unwrap().unwrap().unwrap();
    assert!(
        harness
            .network
            .connect("edge", &mesh::net::Target::Memory("edge".to_owned()))
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_no_request_counts_as_one() {
    let harness = Harness::with(config(|config| {
        config.requests_per_second = 1;
        config.request_burst = 1;
    }))
    .await;
    let mut client = harness.connect().await;

    for _ in 0..20 {
        client.send("{").await;
    }

    assert_eq!(client.closed().await.0, 4429);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_pings_and_does_not_read_fills_no_memory() {
    let harness = Harness::with(config(|config| {
        config.outbound_event_bytes = 4_096;
        config.outbound_max_bytes = 4_096;
    }))
    .await;
    let mut client = harness.client(ACCOUNT).await;

    for _ in 0..2_000 {
        client.socket.feed(Message::Ping(vec![b'x'; 120].into())).await.unwrap();
    }
    client.socket.flush().await.unwrap();

    // Pongs that did not fit are gone; the socket lives.
    client.nothing().await;
}
