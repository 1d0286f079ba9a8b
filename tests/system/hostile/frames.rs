//! Frames.

use serde_json::{Value, json};
use system_tests::{Client, Up};

use super::Bystander;
use crate::raw::{BINARY, FIN, PING, Raw, TEXT, handshake, masked};

const PING_REQUEST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"Session/ping"}"#;

/// Id and code of a refusal.
fn refusal(answer: &Value) -> (&Value, i64) {
    assert!(answer["error"]["data"]["faultcode"].is_string(), "{answer}");
    (&answer["id"], answer["error"]["code"].as_i64().unwrap_or_default())
}

#[tokio::test]
async fn text_that_is_no_request_is_answered_and_the_socket_goes_on() {
    let up = Up::start().await;
    let mut bystander = Bystander::of(&up).await;
    let mut raw = Raw::socket(up.public).await;
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let deep_params =
        format!(r#"{{"jsonrpc":"2.0","id":7,"method":"Session/ping","params":{}}}"#, deep(30_000));
    let with_params = |params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":7,"method":"Session/ping","params":{params}}}"#)
    };
    let null = Value::Null;
    let seven = json!(7);

    for (text, id, code) in [
        ("", &null, -32700),
        ("hello", &null, -32700),
        ("{\"jsonrpc\":\"2.0\",", &null, -32700),
        (&format!("{PING_REQUEST}{PING_REQUEST}"), &null, -32700),
        (&"[".repeat(60_000), &null, -32700),
        (&"{\"a\":".repeat(10_000), &null, -32700),
        ("7", &null, -32600),
        ("{}", &null, -32600),
        (r#"{"jsonrpc":"2.0","id":7,"method":"a","method":"b"}"#, &seven, -32600),
        (r#"{"jsonrpc":"2.0","id":7,"id":8,"method":"Session/ping"}"#, &null, -32600),
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"Session/ping","params":{},"params":{}}"#,
            &seven,
            -32600,
        ),
        (&deep_params, &seven, -32600),
        (&with_params(r#"{"access_token":1e400}"#), &seven, -32600),
        (&with_params(r#"{"access_token":"\ud800"}"#), &seven, -32600),
        (&with_params("99999999999999999999999999"), &seven, -32600),
        (&with_params(r#"{"access_token":99999999999999999999999999}"#), &seven, -32602),
        (r#"{"jsonrpc":"2.0","id":7,"method":"\u0000/../rest"}"#, &seven, -32601),
        (r#"{"jsonrpc":"2.0","id":7,"method":"rpc.nothing"}"#, &seven, -32601),
        ("[]", &null, -32600),
    ] {
        let answer = raw.ask(text).await;
        let shown = &text[..text.len().min(80)];
        assert_eq!(refusal(&answer), (id, code), "{shown}: {answer}");
    }
    // The last of two params of one name counts, as in every common reader of JSON.
    let twice = r#"{"access_token":7,"access_token":null}"#;
    assert_eq!(raw.ask(&with_params(twice)).await["result"]["user_id"], 0);
    // Numbers as ids come back as they were written.
    let id = r#"{"jsonrpc":"2.0","id":12345678901234567890123,"method":"x/y"}"#;
    raw.send(masked(FIN | TEXT, id.as_bytes())).await;
    let (_, payload) = raw.frame().await.unwrap();
    let text = String::from_utf8(payload).unwrap();
    assert!(text.contains(r#""id":12345678901234567890123,"#), "{text}");

    raw.goes_on().await;
    bystander.is_served(&up).await;
}

#[tokio::test]
async fn numbers_out_of_range_are_wrong_params_by_name() {
    let up = Up::start().await;
    let mut board = Client::log_in(up.public, "easymobile").await;

    for number in [json!(1e30), json!(1.5), json!(u64::MAX), json!(-1.0e300)] {
        let params = json!({"i_customer": number});
        let fault = board.refused("CallControl/enable_api_notifications", params).await;
        assert_eq!(fault.code(), -32602, "{fault:?}");
        assert_eq!(fault.0["data"]["params"], json!(["i_customer"]));
    }
    for number in [i64::MAX, i64::MIN, 0, -1] {
        let params = json!({"i_customer": number});
        let fault = board.refused("CallControl/enable_api_notifications", params).await;
        assert!([-32602, -32004].contains(&fault.code()), "{fault:?}");
    }
}

#[tokio::test]
async fn batches_are_as_long_as_the_contract_says_and_hold_no_batches() {
    let up = Up::start().await;
    let mut bystander = Bystander::of(&up).await;
    let mut raw = Raw::socket(up.public).await;
    let batch = |count: usize| format!("[{}]", vec![PING_REQUEST; count].join(","));

    assert_eq!(raw.ask(&batch(32)).await.as_array().map(Vec::len), Some(32));
    assert_eq!(refusal(&raw.ask(&batch(33)).await), (&Value::Null, -32600));
    assert_eq!(refusal(&raw.ask(&batch(1_000)).await), (&Value::Null, -32600));
    let nested = format!("[{},{PING_REQUEST},{}]", batch(1), batch(2));
    let answers = raw.ask(&nested).await;
    let codes: Vec<_> =
        answers.as_array().unwrap().iter().map(|it| it["error"]["code"].as_i64()).collect();
    assert_eq!(codes, [Some(-32600), None, Some(-32600)]);
    // Nor does a list of a request's members in their order count as one.
    let answers = raw.ask(r#"[["2.0",1,"Session/ping",{}]]"#).await;
    assert_eq!(refusal(&answers[0]), (&Value::Null, -32600));

    raw.goes_on().await;
    bystander.is_served(&up).await;
}

#[tokio::test]
async fn a_batch_of_notifications_alone_is_not_answered() {
    let up = Up::start().await;
    let mut raw = Raw::socket(up.public).await;

    let notification = r#"{"jsonrpc":"2.0","method":"Session/ping"}"#;
    let batch = format!("[{notification},{notification}]");
    raw.send(masked(FIN | TEXT, batch.as_bytes())).await;

    raw.goes_on().await;
}

#[tokio::test]
async fn frames_that_the_protocol_forbids_close_their_socket_with_the_code_that_says_so() {
    let up = Up::start().await;
    let mut bystander = Bystander::of(&up).await;
    let claims_two_to_the_63: Vec<u8> = {
        let mut head = vec![FIN | TEXT, 0x80 | 127];
        head.extend((1_u64 << 63).to_be_bytes());
        head.extend([0; 4]);
        head
    };
    let claims_a_gigabyte: Vec<u8> = {
        let mut head = vec![FIN | TEXT, 0x80 | 127];
        head.extend((1_u64 << 30).to_be_bytes());
        head.extend([0; 4]);
        head
    };
    let in_parts =
        |first: &[u8], second: &[u8]| [masked(TEXT, first), masked(FIN, second)].concat();
    let half = "x".repeat(40_000);

    for (what, bytes, code) in [
        ("1 MiB in a frame", masked(FIN | TEXT, "x".repeat(1 << 20).as_bytes()), 1009),
        ("a gigabyte announced", claims_a_gigabyte, 1009),
        ("80 kB in two frames", in_parts(half.as_bytes(), half.as_bytes()), 1009),
        ("a binary frame", masked(FIN | BINARY, PING_REQUEST.as_bytes()), 1003),
        ("invalid UTF-8", masked(FIN | TEXT, b"{\"jsonrpc\":\"\xff\xfe\"}"), 1007),
        ("invalid UTF-8 in parts", in_parts(b"\"\xe2\x82", b"\x41\""), 1007),
        ("a surrogate in UTF-8", masked(FIN | TEXT, b"\"\xed\xa0\x80\""), 1007),
        ("a length without end", claims_two_to_the_63, 1009),
        ("an unknown opcode", masked(FIN | 3, b"x"), 1002),
        ("a compressed frame", masked(FIN | 0x40 | TEXT, b"x"), 1002),
        ("a frame without mask", vec![FIN | TEXT, 2, b'{', b'}'], 1002),
        ("a ping in parts", masked(PING, b"x"), 1002),
        ("a long ping", masked(FIN | PING, &[0; 126]), 1002),
        ("a part of nothing", masked(FIN, b"x"), 1002),
        ("a message within a message", [masked(TEXT, b"x"), masked(TEXT, b"y")].concat(), 1002),
        ("garbage", b"GET / HTTP/1.1\r\n\r\n".to_vec(), 1002),
    ] {
        let mut raw = Raw::socket(up.public).await;
        // The edge may have closed before the last byte has left.
        raw.try_send(&bytes).await.ok();
        assert_eq!(raw.close_code().await, Some(code), "{what}");
    }
    bystander.is_served(&up).await;
}

#[tokio::test]
async fn what_follows_the_handshake_at_once_is_read_as_frames() {
    let up = Up::start().await;
    let mut bystander = Bystander::of(&up).await;

    let mut good = Raw::connect(up.public).await;
    let request = masked(FIN | TEXT, PING_REQUEST.as_bytes());
    good.send([handshake("").as_bytes(), &request, &request].concat()).await;
    assert!(good.head().await.starts_with("HTTP/1.1 101"));
    assert_eq!(good.json().await["result"]["user_id"], 0);
    assert_eq!(good.json().await["result"]["user_id"], 0);

    let mut bad = Raw::connect(up.public).await;
    bad.send([handshake("").as_bytes(), &[0xff; 64]].concat()).await;
    assert!(bad.head().await.starts_with("HTTP/1.1 101"));
    assert_eq!(bad.close_code().await, Some(1002));

    bystander.is_served(&up).await;
}

#[tokio::test]
async fn a_frame_that_never_ends_is_cut_off_by_the_heartbeat() {
    let sets = ["websocket.heartbeat_interval=500ms", "websocket.heartbeat_timeout=500ms"];
    let up = Up::start_with(&["--sim-speed", "0", "--set", sets[0], "--set", sets[1]]).await;
    let mut raw = Raw::socket(up.public).await;
    let login = json!({"jsonrpc": "2.0", "id": 1, "method": "Session/login",
        "params": {"login": "101", "password": "cordboard"}});
    assert!(raw.ask(&login.to_string()).await["result"]["access_token"].is_string());

    // Its begin, and then nothing: no pong can come in the middle of a frame.
    raw.send(&masked(FIN | TEXT, &vec![b' '; 60_000])[..30_000]).await;

    assert_eq!(raw.close_code().await, Some(1011));
    let mut bystander = Bystander::of(&up).await;
    bystander.is_served(&up).await;
}
