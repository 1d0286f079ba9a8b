//! Handshakes and other HTTP.

use std::time::Duration;

use system_tests::Up;
use tokio::time::{Instant, interval};

use super::Bystander;
use crate::raw::{FIN, Raw, TEXT, handshake, masked, post};

/// A system whose edge waits a second, where it waits ten by default.
async fn impatient() -> Up {
    Up::start_with(&[
        "--sim-speed",
        "0",
        "--set",
        "edge.header_read_timeout=1s",
        "--set",
        "edge.login_timeout=1s",
        "--set",
        "edge.request_timeout=1s",
    ])
    .await
}

#[tokio::test]
async fn half_open_handshakes_are_ended_and_disturb_nobody() {
    let up = impatient().await;
    let mut bystander = Bystander::of(&up).await;
    let whole = handshake("");
    let mut silent = Vec::new();
    for at in 0..100 {
        let mut raw = Raw::connect(up.public).await;
        raw.send(&whole[..at % whole.len()]).await;
        silent.push(raw);
    }

    bystander.is_served(&up).await;

    for raw in &mut silent {
        let answer = raw.rest().await;
        assert!(!answer.starts_with("HTTP/1.1 101"), "{answer}");
    }
    bystander.is_served(&up).await;
}

#[tokio::test]
async fn a_handshake_that_comes_byte_by_byte_is_ended() {
    let up = impatient().await;
    let mut bystander = Bystander::of(&up).await;
    let mut raw = Raw::connect(up.public).await;
    let since = Instant::now();

    // Ten bytes a second would take most of a minute.
    let mut pace = interval(Duration::from_millis(100));
    let mut sent = 0;
    for byte in handshake("X-Filler: a rather long header that never seems to end\r\n").bytes() {
        pace.tick().await;
        if raw.try_send([byte]).await.is_err() {
            break;
        }
        sent += 1;
        assert!(since.elapsed() < Duration::from_secs(10), "{sent} bytes were taken");
    }

    assert!(!raw.rest().await.starts_with("HTTP/1.1 101"));
    bystander.is_served(&up).await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_refused_in_time() {
    let up = impatient().await;
    let mut bystander = Bystander::of(&up).await;
    let mut raw = Raw::connect(up.public).await;

    raw.send(
        "POST /rest/Session/ping HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"par",
    )
    .await;

    let head = raw.head().await;
    assert!(head.starts_with("HTTP/1.1 500"), "{head}");
    bystander.is_served(&up).await;
}

#[tokio::test]
async fn a_socket_that_does_not_log_in_is_closed() {
    let up = impatient().await;
    let mut raw = Raw::socket(up.public).await;

    raw.goes_on().await;

    assert_eq!(raw.close_code().await, Some(4401));
}

#[tokio::test]
async fn compression_is_not_agreed_to() {
    let up = Up::start().await;
    for offer in [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits; server_no_context_takeover",
        "x-webkit-deflate-frame, permessage-bzip2",
        ";;;=,,\"",
    ] {
        let mut raw = Raw::connect(up.public).await;
        raw.send(handshake(&format!("Sec-WebSocket-Extensions: {offer}\r\n"))).await;
        let head = raw.head().await.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 101"), "{offer}: {head}");
        assert!(!head.contains("sec-websocket-extensions"), "{offer}: {head}");
        raw.goes_on().await;
    }
}

#[tokio::test]
async fn handshakes_that_are_none_are_refused() {
    let up = Up::start().await;
    let mut bystander = Bystander::of(&up).await;
    let long = format!("X-Long: {}\r\n", "x".repeat(1 << 20));
    let good = handshake("");
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    for (what, request, status) in [
        ("no upgrade", good.replace("Upgrade: websocket\r\n", ""), "426"),
        ("another version", good.replace("Version: 13", "Version: 8"), "426"),
        ("no key", good.replace(key, ""), "400"),
        ("a short key", good.replace(key, "c2hvcnQ="), "400"),
        ("a key that is not base64", good.replace(key, "!!!!!!!!!!!!!!!!!!!!!!=="), "400"),
        ("POST", good.replace("GET", "POST"), "405"),
        ("another path", good.replace("/ws", "/sw"), "404"),
        ("a megabyte of headers", good.replace("\r\n\r\n", &format!("\r\n{long}\r\n")), "431"),
        ("no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n".to_owned(), "400"),
    ] {
        let mut raw = Raw::connect(up.public).await;
        // The edge may have closed before the last byte has left.
        raw.try_send(request).await.ok();
        let head = raw.head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {head}");
    }
    bystander.is_served(&up).await;
}

#[tokio::test]
async fn garbage_after_a_request_costs_its_own_connection_alone() {
    let up = Up::start().await;
    let mut bystander = Bystander::of(&up).await;
    let mut raw = Raw::connect(up.public).await;
    let frame = masked(FIN | TEXT, b"{}");

    // In one write: what arrived after the refusal would reset the connection, and take the refusal
    // with it.
    let request = b"GET /doc/openrpc.json HTTP/1.1\r\nHost: x\r\n\r\n".as_slice();
    raw.send([request, frame.as_slice(), b"\r\n\r\n"].concat()).await;

    let answers = raw.rest().await;
    assert!(answers.starts_with("HTTP/1.1 200"), "{}", &answers[..answers.len().min(200)]);
    assert!(answers.contains("HTTP/1.1 400"), "the garbage is refused");
    bystander.is_served(&up).await;
}

#[tokio::test]
async fn bodies_that_are_none_are_refused() {
    let up = Up::start().await;
    let mut bystander = Bystander::of(&up).await;
    let deep = "[".repeat(100_000);
    let (json, form) = ("application/json", "application/x-www-form-urlencoded");
    let multipart = "multipart/form-data; boundary=x";
    for (kind, body) in [
        (json, "{"),
        (json, "[]"),
        (json, "\u{feff}{}"),
        (json, deep.as_str()),
        (json, r#"{"params":{"access_token":1e999}}"#),
        (json, r#"{"param":{}}"#),
        (json, r#"{"auth_info":[]}"#),
        (form, "params=%7B"),
        (form, "params=%ff%fe"),
        (form, "parms=1"),
        (multipart, "--x"),
        (multipart, "--x\r\nContent-Disposition: form-data; name=\"params\"\r\n\r\n{}"),
        ("multipart/form-data", "--x--"),
    ] {
        let headers = format!("Content-Type: {kind}\r\n");
        let answer = post(up.public, "/rest/Session/ping", &headers, body).await;
        let shown = &body[..body.len().min(60)];
        assert_eq!(answer.status, 500, "{kind} {shown}: {}", answer.body);
        assert_eq!(answer.body["faultcode"], "Client.jsonrpc.invalid_request", "{kind} {shown}");
        assert!(answer.body["faultstring"].is_string());
    }
    bystander.is_served(&up).await;
}
