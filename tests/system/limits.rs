//! Limits of the edge, each with its answer, over real sockets with shortened times.

use std::time::Duration;

use mesh::testing::eventually;
use serde_json::{Value, json};
use system_tests::client::{Client, PATIENCE};
use system_tests::http::text;
use system_tests::{Mesh, Up};
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::Message;

use crate::raw::{Answer, BINARY, FIN, Raw, TEXT, call, handshake, masked, post};

/// A system with these settings.
async fn system(sets: &[&str]) -> Up {
    let mut args = vec!["--sim-speed", "0"];
    args.extend(sets.iter().flat_map(|set| ["--set", set]));
    Up::start_with(&args).await
}

async fn token(up: &Up) -> String {
    let login = json!({"login": "101", "password": "cordboard"});
    let answer = call(up.public, "Session/login", login, json!({})).await;
    answer.body["access_token"].as_str().expect("a token").to_owned()
}

/// A handshake with a token: its answer's head, and the socket.
async fn shake(up: &Up, more: &str) -> (String, Raw) {
    let mut raw = Raw::connect(up.public).await;
    raw.send(handshake(more)).await;
    (raw.head().await, raw)
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn request(id: u32) -> Vec<u8> {
    let request = json!({"jsonrpc": "2.0", "id": id, "method": "Session/ping"});
    masked(FIN | TEXT, request.to_string().as_bytes())
}

#[tokio::test]
async fn who_answers_no_ping_is_closed_with_1011() {
    let up =
        system(&["websocket.heartbeat_interval=300ms", "websocket.heartbeat_timeout=300ms"]).await;
    let begin = Instant::now();

    // This client reads and never answers a ping.
    let code = Raw::socket(up.public).await.close_code().await;

    assert_eq!(code, Some(1011));
    assert!(begin.elapsed() >= Duration::from_millis(500), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn pongs_do_not_keep_a_silent_socket_open_and_session_ping_does() {
    let up = system(&["websocket.heartbeat_interval=100ms", "api.websocket_inactivity_timeout=2s"])
        .await;
    let begin = Instant::now();
    let mut silent = Client::log_in(up.public, "101").await;
    let mut pinging = Client::log_in(up.public, "102").await;

    let mut closed = false;
    while !closed && begin.elapsed() < PATIENCE {
        pinging.must("Session/ping", json!({})).await;
        // A stock client answers pings while it waits.
        let soon = Instant::now() + Duration::from_millis(200);
        closed = matches!(silent.next_frame(soon).await, Ok(None));
    }

    assert!(closed && begin.elapsed() >= Duration::from_secs(2), "{:?}", begin.elapsed());
    pinging.must("Session/ping", json!({})).await;
}

#[tokio::test]
async fn a_silent_socket_is_closed_with_4408() {
    let up = system(&["api.websocket_inactivity_timeout=500ms"]).await;
    let (_, mut raw) = shake(&up, &bearer(&token(&up).await)).await;

    assert_eq!(raw.close_code().await, Some(4408));
}

#[tokio::test]
async fn a_refused_client_gets_its_code_and_the_end_of_the_connection_at_once() {
    let up = system(&["edge.close_timeout=60s"]).await;
    let long = "x".repeat(65_537);

    for (frame, code) in [
        (masked(FIN | BINARY, b"{}"), 1003),
        (masked(FIN | TEXT, long.as_bytes()), 1009),
        (masked(FIN | TEXT, &[0xff, 0xfe]), 1007),
        (masked(0x80 | 0x70 | TEXT, b"{}"), 1002),
    ] {
        let begin = Instant::now();
        let mut raw = Raw::socket(up.public).await;
        // The edge may have said no before it has read everything.
        drop(raw.try_send(frame).await);
        assert_eq!(raw.close_code().await, Some(code));
        raw.rest().await;
        assert!(begin.elapsed() < Duration::from_secs(20), "{code}: {:?}", begin.elapsed());
    }
}

#[tokio::test]
async fn who_asks_too_fast_is_told_when_to_come_back_and_then_closed_with_4429() {
    let up = system(&["edge.requests_per_second=5", "edge.request_burst=10"]).await;
    let (_, mut raw) = shake(&up, &bearer(&token(&up).await)).await;

    for id in 0..40 {
        raw.send(request(id)).await;
    }
    let mut limited = None;
    for _ in 0..40 {
        let answer = raw.json().await;
        if answer["error"]["code"] == -32029 {
            limited.get_or_insert(answer);
        }
    }
    let data: Value = limited.expect("some are over the rate")["error"]["data"].clone();
    assert_eq!(data["faultcode"], "Server.Session.ping.limit_reached");
    assert_eq!(data["retryable"], true);
    let wait = data["retry_after_ms"].as_u64().expect("a time");
    assert!((1..=1_000).contains(&wait), "{wait}");

    sleep(Duration::from_millis(wait)).await;
    let again = raw.ask(r#"{"jsonrpc":"2.0","id":"again","method":"Session/ping"}"#).await;
    assert_eq!(again["result"]["user_id"], 1, "{again}");

    for id in 0..2_000 {
        if raw.try_send(request(id)).await.is_err() {
            break;
        }
    }
    assert_eq!(raw.close_code().await, Some(4429));
}

#[tokio::test]
async fn requests_over_the_rate_are_refused_over_rest_as_well() {
    let up = system(&["edge.requests_per_second=1", "edge.request_burst=3"]).await;
    let auth_info = json!({"access_token": token(&up).await});

    let mut last: Option<Answer> = None;
    for _ in 0..20 {
        last = Some(call(up.public, "Generic/get_version", json!({}), auth_info.clone()).await);
    }

    let last = last.expect("an answer");
    assert_eq!(
        (last.status, &last.body["faultcode"]),
        (500, &json!("Server.Generic.get_version.limit_reached"))
    );
}

#[tokio::test]
async fn a_user_has_so_many_sockets_and_an_edge_so_many_in_all() {
    let up = system(&["edge.max_connections_per_user=2", "edge.max_connections=4"]).await;
    let token = token(&up).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let (head, raw) = shake(&up, &bearer(&token)).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        held.push(raw);
    }

    let (head, _) = shake(&up, &bearer(&token)).await;
    assert!(is_busy(&head), "the user has all of its sockets: {head}");
    let mut other = Client::log_in(up.public, "102").await;
    let _unknown = Raw::socket(up.public).await;
    let (head, _) = shake(&up, "").await;
    assert!(is_busy(&head), "the edge has all of its sockets: {head}");
    other.must("Session/ping", json!({})).await;

    // A place is free again when a socket ends.
    held.clear();
    let begin = Instant::now();
    loop {
        let (head, _) = shake(&up, &bearer(&token)).await;
        if head.starts_with("HTTP/1.1 101") {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "{head}");
    }
}

/// 503 with a time to come back.
fn is_busy(head: &str) -> bool {
    let after = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("retry-after: ").map(ToOwned::to_owned));
    head.starts_with("HTTP/1.1 503")
        && after.is_some_and(|after| after.trim().parse::<u64>().is_ok())
}

#[tokio::test]
async fn a_login_cookie_serves_pages_of_the_allow_list_alone() {
    let up = system(&[r#"edge.allowed_origins=["https://console.example"]"#]).await;
    let cookie = format!("Cookie: cordboard_session={}\r\n", token(&up).await);
    let shaken = async |origin: &str| {
        let (head, _) = shake(&up, &format!("{cookie}{origin}")).await;
        head.split(' ').nth(1).expect("a status").to_owned()
    };

    assert_eq!(shaken("").await, "101");
    assert_eq!(shaken("Origin: https://console.example\r\n").await, "101");
    assert_eq!(shaken("Origin: http://localhost\r\n").await, "101");
    for origin in ["https://evil.example", "null", "https://console.example.evil.example"] {
        assert_eq!(shaken(&format!("Origin: {origin}\r\n")).await, "403", "{origin}");
    }
    let path = "/rest/Session/get_session_data";
    let refused = post(up.public, path, &format!("{cookie}Origin: null\r\n"), "{}").await;
    assert_eq!(refused.status, 500);
}

#[tokio::test]
async fn a_stopping_edge_sends_its_clients_away_at_times_of_their_own() {
    let up = system(&["edge.reconnect_spread=60s"]).await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        let (_, raw) = shake(&up, &bearer(&token(&up).await)).await;
        sockets.push(raw);
    }

    up.process.signal("TERM");

    let mut delays = Vec::new();
    for raw in &mut sockets {
        let (_, payload) = raw.frame().await.expect("a close frame");
        assert_eq!(payload[..2], 1001_u16.to_be_bytes());
        let reason = String::from_utf8(payload[2..].to_vec()).expect("text");
        let delay = reason.strip_prefix("reconnect_after_ms=").expect("a delay").to_owned();
        delays.push(delay.parse::<u64>().expect("milliseconds"));
    }
    delays.sort_unstable();
    delays.dedup();
    assert!(delays.len() > 10 && delays.iter().all(|delay| *delay <= 60_000), "{delays:?}");
}

/// Logs in through a proxy that says who asks; gives the faultcode of a refusal.
async fn log_in_from(up: &Up, address: &str, login: &str, password: &str) -> Option<Value> {
    let (head, mut socket) = shake(up, &format!("X-Forwarded-For: {address}\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    let params = json!({"login": login, "password": password});
    let login = json!({"jsonrpc": "2.0", "id": 1, "method": "Session/login", "params": params});
    let mut answer = socket.ask(&login.to_string()).await;
    let fault = answer["error"]["data"]["faultcode"].take();
    Some(fault).filter(|fault| !fault.is_null())
}

#[tokio::test]
async fn wrong_passwords_lock_a_login_for_the_address_behind_the_proxy_and_for_no_other() {
    let up = system(&["edge.trusted_proxies=[\"127.0.0.0/8\"]"]).await;
    for _ in 0..5 {
        let wrong = log_in_from(&up, "198.51.100.7", "101", "wrong").await;
        assert_eq!(wrong, Some(json!("Server.Session.auth_failed")));
    }

    let locked = log_in_from(&up, "198.51.100.7", "101", "cordboard").await;

    assert_eq!(locked, Some(json!("Server.Session.cannot_login_brute_force_activity")));
    assert_eq!(log_in_from(&up, "198.51.100.8", "101", "cordboard").await, None);
    assert_eq!(log_in_from(&up, "198.51.100.7", "102", "cordboard").await, None);
}

#[tokio::test]
async fn who_reads_nothing_is_closed_with_4413_and_nobody_else_notices() {
    let mesh =
        Mesh::start_with(&["edge.outbound_max_bytes=1048576", "edge.close_timeout=30s"]).await;
    let admin = mesh.service("edge").address("admin");
    let mut slow = Client::log_in(mesh.public(), "101").await;
    let mut other = Client::log_in(mesh.public(), "102").await;

    for id in 0..150 {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": "rpc.discover"});
        slow.send_text(request.to_string()).await;
    }
    eventually(PATIENCE, "the slow client is given up", async || {
        let metrics = text(admin, "/metrics").await.map_err(|error| error.to_string())?;
        let is_told = |line: &&str| line.contains("reason=\"too_slow\"") && line.ends_with(" 1");
        let told = metrics.lines().find(is_told).map(drop);
        told.ok_or_else(|| "not yet".to_owned())
    })
    .await;

    other.must("Session/ping", json!({})).await;
    let code = loop {
        let message = slow.next_message().await.expect("a close frame before the end");
        if let Message::Close(frame) = message {
            break frame.map(|frame| u16::from(frame.code));
        }
    };
    assert_eq!(code, Some(4413));
}
