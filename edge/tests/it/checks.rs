//! Frames, the order of checks, forwarding and faults.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::client::Client;
use crate::support::{ACCOUNT, Harness, config};

const HOLD: &str = "CallControl/hold_call";

fn call(id: &str) -> Value {
    json!({"call": {"id": id}})
}

#[tokio::test(start_paused = true)]
async fn a_request_is_forwarded_with_what_every_service_wants() {
    let harness = Harness::start().await;
    let token = harness.token(ACCOUNT);
    let mut client = harness.client_with(&token).await;

    let originate = json!({"destination": "102", "request_id": "r-1"});
    let result = client.call("CallControl/originate_call", originate).await.unwrap();

    assert_eq!(result, json!({"call": {"id": "main.1", "tag": "a"}, "tracking_id": "102"}));
    let seen = |name: &str| harness.callcontrol.last(name);
    assert_eq!(seen("authorization"), Some(format!("Bearer {token}")));
    assert_eq!(seen("x-cordboard-method").as_deref(), Some("CallControl/originate_call"));
    assert_eq!(seen("x-cordboard-request-id").as_deref(), Some("r-1"));
    assert_eq!(seen("x-cordboard-subscribed").as_deref(), Some("0"));
    assert!(seen("grpc-timeout").is_some() && seen("traceparent").is_some());
}

#[tokio::test(start_paused = true)]
async fn services_are_told_of_the_session_s_subscriptions() {
    let harness = Harness::start().await;
    let token = harness.token(ACCOUNT);
    let mut first = harness.client_with(&token).await;
    let mut second = harness.client_with(&token).await;
    let subscribed = async |client: &mut Client| {
        client.call(HOLD, call("c")).await.unwrap();
        harness.callcontrol.last("x-cordboard-subscribed").unwrap()
    };

    first.enable(json!({})).await;
    assert_eq!(subscribed(&mut second).await, "1");

    first.call("CallControl/disable_api_notifications", json!({})).await.unwrap();
    assert_eq!(subscribed(&mut second).await, "0");
}

#[tokio::test(start_paused = true)]
async fn the_mesh_is_told_once_that_a_session_is_subscribed_and_when_it_is_no_more() {
    let harness = Harness::start().await;
    let token = harness.token(ACCOUNT);
    let mut first = harness.client_with(&token).await;
    let mut second = harness.client_with(&token).await;

    first.enable(json!({})).await;
    second.enable(json!({})).await;
    assert_eq!(harness.callcontrol.subscribed(), 1);

    first.call("CallControl/disable_api_notifications", json!({})).await.unwrap();
    assert_eq!(harness.callcontrol.subscribed(), 1);
    drop(second);
    let gone = || async {
        match harness.callcontrol.subscribed() {
            0 => Ok(()),
            noted => Err(format!("{noted} noted")),
        }
    };
    mesh::testing::eventually(crate::support::PATIENCE, "the note is taken back", gone).await;
}

#[tokio::test(start_paused = true)]
async fn faults_say_what_the_contract_says() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;

    let absent = client.call(HOLD, call("absent")).await.unwrap_err();
    assert_eq!(absent["code"], -32004);
    assert_eq!(absent["data"]["faultcode"], "Client.CallControl.hold_call.call_not_found");
    assert_eq!(absent["data"]["retryable"], false);
    assert_eq!(absent["data"]["trace_id"].as_str().unwrap().len(), 32);

    let ringing = client.call(HOLD, call("ringing")).await.unwrap_err();
    assert_eq!(ringing["code"], -32009);
    assert_eq!(ringing["data"]["state"], "ringing");
    assert_eq!(ringing["data"]["expected_states"], json!(["connected", "held"]));

    let broken = client.call(HOLD, call("broken")).await.unwrap_err();
    assert_eq!((&broken["code"], &broken["message"]), (&json!(-32603), &json!("internal error")));

    let late = client.call(HOLD, call("late")).await.unwrap_err();
    assert_eq!((&late["code"], &late["data"]["outcome"]), (&json!(-32051), &json!("unknown")));
}

#[tokio::test(start_paused = true)]
async fn checks_are_made_in_the_order_of_the_contract() {
    let harness = Harness::start().await;
    let code = async |client: &mut Client, method: &str, params: Value| {
        let fault = client.call(method, params).await.unwrap_err();
        (fault["code"].as_i64().unwrap(), fault["data"]["faultcode"].as_str().unwrap().to_owned())
    };
    let wrong = json!({"nonsense": 1});
    let mut nobody = harness.connect().await;
    let mut powerless = harness.client_with(&harness.token_with(ACCOUNT, &[], 900)).await;
    let reader = harness.token_with(ACCOUNT, &["call_control:read"], 900);
    let mut reader = harness.client_with(&reader).await;
    let mut client = harness.client(ACCOUNT).await;

    let unknown = code(&mut nobody, "CallControl/nope", wrong.clone()).await;
    assert_eq!(unknown, (-32601, "Client.CallControl.nope.no_such_method".to_owned()));
    assert_eq!(code(&mut nobody, HOLD, wrong.clone()).await.0, -32001);
    let denied = (-32003, "Server.CallControl.hold_call.access_denied".to_owned());
    assert_eq!(code(&mut powerless, HOLD, wrong.clone()).await, denied);
    assert_eq!(code(&mut reader, HOLD, wrong.clone()).await, denied);
    let below = json!({"login": "x", "realm": "account"});
    assert_eq!(code(&mut client, "Session/login_to_realm", below).await.0, -32003);
    let param = (-32602, "Client.CallControl.hold_call.unknown_param".to_owned());
    assert_eq!(code(&mut client, HOLD, wrong).await, param);
    assert_eq!(harness.callcontrol.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn wrong_params_are_named() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;

    let unknown = client.call(HOLD, json!({"cal": {}, "x": 1})).await.unwrap_err();
    let missing = client.call(HOLD, json!({})).await.unwrap_err();
    let invalid = client.call(HOLD, json!({"call": {"id": 7}})).await.unwrap_err();
    let list = client.call(HOLD, json!([1])).await.unwrap_err();

    assert_eq!(unknown["data"]["params"], json!(["cal", "x"]));
    assert_eq!(missing["data"]["faultcode"], "Client.CallControl.hold_call.missing_param");
    assert_eq!(missing["data"]["params"], json!(["call"]));
    assert_eq!(invalid["data"]["params"], json!(["call.id"]));
    assert_eq!(list["code"], -32602);
}

#[tokio::test(start_paused = true)]
async fn a_login_without_anything_is_told_all_that_is_missing() {
    let harness = Harness::start().await;
    let mut client = harness.connect().await;

    let fault = client.call("Session/login", json!({})).await.unwrap_err();
    let half = client.call("Session/login", json!({"login": "101"})).await.unwrap_err();
    let wrong = client.call("Session/login", json!({"login": 5})).await.unwrap_err();

    assert_eq!(fault["data"]["faultcode"], "Client.Session.login.missing_param");
    assert_eq!(fault["data"]["params"], json!(["login", "password"]));
    assert_eq!(half["data"]["params"], json!(["password"]));
    assert_eq!(wrong["data"]["faultcode"], "Client.Session.login.missing_param");
    assert_eq!(wrong["data"]["params"], json!(["password"]));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_request_is_told() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;

    for (text, code, id) in [
        ("{", -32700, json!(null)),
        ("[]", -32600, json!(null)),
        ("1", -32600, json!(null)),
        (r#"{"id":"a","method":"m"}"#, -32600, json!("a")),
    ] {
        client.send(text).await;
        let answer = client.next().await;
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &id), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn notifications_get_no_answer() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;

    client.send(r#"{"jsonrpc":"2.0","method":"CallControl/nope"}"#).await;
    client
        .send(r#"{"jsonrpc":"2.0","method":"CallControl/hold_call","params":{"call":{"id":"c"}}}"#)
        .await;

    client.nothing().await;
    assert_eq!(harness.callcontrol.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_answered_in_one_frame() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;
    let request = |id: i64, call_id: &str| json!({"jsonrpc": "2.0", "id": id, "method": HOLD, "params": call(call_id)});
    let batch = json!([
        request(1, "slow"),
        {"jsonrpc": "2.0", "method": HOLD, "params": call("c")},
        request(2, "absent"),
        7,
        request(3, "slow"),
    ]);

    let start = Instant::now();
    client.send(batch.to_string()).await;
    let answers = client.next().await;

    assert!(start.elapsed() < Duration::from_secs(5), "one after the other");
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 4);
    assert_eq!(answers[0]["result"], json!({"success": 1}));
    assert_eq!(answers[1]["error"]["code"], -32004);
    assert_eq!(answers[2]["error"]["code"], -32600);
    let only = json!([{"jsonrpc": "2.0", "method": HOLD, "params": call("c")}]);
    client.send(only.to_string()).await;
    client.nothing().await;
    client.send(json!(vec![request(1, "c"); 33]).to_string()).await;
    assert_eq!(client.next().await["error"]["code"], -32600);
}

#[tokio::test(start_paused = true)]
async fn requests_run_concurrently_up_to_a_bound() {
    let harness = Harness::with(config(|config| config.max_requests_in_flight = 2)).await;
    let mut client = harness.client(ACCOUNT).await;

    let first = client.begin(HOLD, call("slow")).await;
    let second = client.begin(HOLD, call("quick")).await;
    client.answer(second).await;
    let third = client.begin(HOLD, call("slow")).await;
    let fourth = client.begin(HOLD, call("quick")).await;

    let mut answered = Vec::new();
    for _ in 0..3 {
        answered.push(client.next().await["id"].as_i64().unwrap());
    }

    assert_ne!(answered[0], fourth, "it has to wait for one of the two slow ones");
    answered.sort_unstable();
    assert_eq!(answered, [first, third, fourth]);
}

#[tokio::test(start_paused = true)]
async fn the_api_describes_itself() {
    let harness = Harness::start().await;
    let mut client = harness.connect().await;

    let document = client.call("rpc.discover", json!({})).await.unwrap();

    assert!(document["openrpc"].is_string());
}

#[tokio::test(start_paused = true)]
async fn a_standalone_installation_refuses_the_api() {
    let harness = Harness::with(config(|config| {
        config.api.mode = edge::config::Mode::Standalone;
    }))
    .await;
    let mut client = harness.client(ACCOUNT).await;

    let refused = client.call(HOLD, call("c")).await.unwrap_err();

    assert_eq!(refused["code"], -32003);
    assert_eq!(refused["data"]["faultcode"], "standalone_mode");
}
