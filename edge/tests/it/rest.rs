//! The REST twin and what is read over HTTP.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::http::{get, post, send};
use crate::support::{ACCOUNT, Harness};

const HOLD: &str = "/rest/CallControl/hold_call";

fn hold(id: &str) -> Value {
    json!({"call": {"id": id}})
}

#[tokio::test(start_paused = true)]
async fn a_result_is_bare_and_a_fault_is_500() {
    let harness = Harness::start().await;
    let bearer = format!("Bearer {}", harness.token(ACCOUNT));
    let headers = [("authorization", bearer.as_str())];
    let call = async |path: &str, params: Value| {
        post(&harness.network, path, &headers, &json!({"params": params})).await
    };

    assert_eq!(call(HOLD, hold("c")).await, (200, json!({"success": 1})));
    assert_eq!(call("/rest/CallControl/hold_call/", hold("c")).await.0, 200);
    let (status, fault) = call(HOLD, hold("absent")).await;
    assert_eq!(status, 500);
    let faultcode = "Client.CallControl.hold_call.call_not_found";
    assert_eq!(fault, json!({"faultcode": faultcode, "faultstring": "no such call"}));
    let (status, fault) = call(HOLD, json!({})).await;
    assert_eq!(status, 500);
    assert_eq!(fault["faultcode"], "Client.CallControl.hold_call.missing_param");
    let (status, fault) = call("/rest/CallControl/nope", json!({})).await;
    assert_eq!(
        (status, &fault["faultcode"]),
        (500, &json!("Client.CallControl.nope.no_such_method"))
    );
    let (_, fault) = call("/rest/Session/authenticate", json!({"access_token": "x"})).await;
    assert_eq!(fault["faultcode"], "Client.Session.authenticate.no_such_method");
}

#[tokio::test(start_paused = true)]
async fn a_request_authenticates_itself_in_many_ways() {
    let harness = Harness::start().await;
    let call = async |headers: &[(&str, &str)], auth_info: Value| {
        let body = json!({"params": hold("c"), "auth_info": auth_info});
        let (status, body) = post(&harness.network, HOLD, headers, &body).await;
        if status == 200 { "ok".to_owned() } else { body["faultcode"].as_str().unwrap().to_owned() }
    };
    let login = json!({"params": {"login": "101", "password": "secret"}});
    let (_, tokens) = post(&harness.network, "/rest/Session/login", &[], &login).await;
    let (token, session) = (&tokens["access_token"], &tokens["session_id"]);
    let cookie = format!("cordboard_session={}", token.as_str().unwrap());

    assert_eq!(call(&[], json!({"access_token": token})).await, "ok");
    assert_eq!(call(&[], json!({"session_id": session})).await, "ok");
    assert_eq!(call(&[], json!({"session_id": "of another edge"})).await, "ok");
    assert_eq!(call(&[], json!({"login": "101", "password": "secret"})).await, "ok");
    assert_eq!(call(&[], json!({"login": "101", "token": "secret"})).await, "ok");
    assert_eq!(call(&[("cookie", &cookie)], json!({})).await, "ok");

    assert_eq!(call(&[], json!({})).await, "Client.check_auth.envelope_missed");
    assert_eq!(
        call(&[], json!({"access_token": "x"})).await,
        "Client.Session.check_auth.failed_to_process_access_token"
    );
    assert_eq!(
        call(&[], json!({"session_id": "x"})).await,
        "Client.Session.check_auth.failed_to_process_access_token"
    );
    assert_eq!(
        call(&[], json!({"login": "101", "password": "x"})).await,
        "Server.Session.check_auth.auth_failed"
    );
    let foreign = [("cookie", cookie.as_str()), ("origin", "https://evil.example")];
    assert_eq!(call(&foreign, json!({})).await, "Server.CallControl.hold_call.access_denied");
}

#[tokio::test(start_paused = true)]
async fn a_login_with_every_request_opens_one_session() {
    let harness = Harness::start().await;
    let body = json!({"params": hold("c"), "auth_info": {"login": "101", "password": "secret"}});

    for _ in 0..5 {
        assert_eq!(post(&harness.network, HOLD, &[], &body).await.0, 200);
    }
    assert_eq!(harness.auth.opened(), 1);

    tokio::time::sleep(std::time::Duration::from_secs(61)).await;
    post(&harness.network, HOLD, &[], &body).await;
    assert_eq!(harness.auth.opened(), 2);
    assert_eq!(harness.auth.addresses(), ["127.0.0.1", "127.0.0.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_login_sets_a_cookie_that_scripts_cannot_read() {
    let harness = Harness::start().await;
    let body = json!({"params": {"login": "101", "password": "secret"}}).to_string();
    let request = Request::post("/rest/Session/login")
        .header("host", "edge")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .unwrap();

    let response = send(&harness.network, request).await;

    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let mut client = Client::connect(&harness.network, &[("cookie", cookie)]).await.unwrap();
    assert!(client.call("Session/get_session_data", json!({})).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_subscription_over_rest_only_marks_the_session() {
    let harness = Harness::start().await;
    let bearer = format!("Bearer {}", harness.token(ACCOUNT));
    let headers = [("authorization", bearer.as_str())];
    let call = async |path: &str, params: Value| {
        post(&harness.network, path, &headers, &json!({"params": params})).await
    };
    let subscribed = async || {
        call(HOLD, hold("c")).await;
        harness.callcontrol.last("x-cordboard-subscribed").unwrap()
    };

    assert_eq!(subscribed().await, "0");
    let enable = "/rest/CallControl/enable_api_notifications";
    let (status, answer) = call(enable, json!({})).await;
    assert_eq!((status, &answer["success"]), (200, &json!(1)));
    assert!(answer["cursor"].is_string() && answer["subscription_id"].is_string());
    assert_eq!(subscribed().await, "1");
    assert_eq!(harness.log.scopes(), 0, "nothing is delivered");

    let disable = "/rest/CallControl/disable_api_notifications";
    let id = json!({"subscription_id": answer["subscription_id"]});
    assert_eq!(call(disable, id).await, (200, json!({"success": 1})));
    assert_eq!(subscribed().await, "0");
}

#[tokio::test(start_paused = true)]
async fn documents_and_keys_are_served() {
    let harness = Harness::start().await;
    let json_at = async |path: &str| -> Value {
        let response = get(&harness.network, path).await;
        assert_eq!(response.status(), 200, "{path}");
        serde_json::from_slice(response.body()).unwrap()
    };

    assert!(json_at("/doc/openrpc.json").await["openrpc"].is_string());
    for realm in ["Admin", "Reseller", "Customer", "Account"] {
        let document = json_at(&format!("/doc/api/{realm}Interface.json")).await;
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{realm}");
    }
    assert!(json_at("/.well-known/jwks.json").await["keys"].is_array());
    let page = get(&harness.network, "/").await;
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(get(&harness.network, "/nothing").await.status(), 404);
    assert_eq!(get(&harness.network, "/rest/Session/ping").await.status(), 405);
    assert_eq!(get(&harness.network, "/ws").await.status(), 426);
}

#[tokio::test(start_paused = true)]
async fn the_trace_of_a_request_goes_on() {
    let harness = Harness::start().await;
    let bearer = format!("Bearer {}", harness.token(ACCOUNT));
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let traceparent = format!("00-{trace}-b7ad6b7169203331-01");
    let headers = [("authorization", bearer.as_str()), ("traceparent", traceparent.as_str())];

    post(&harness.network, HOLD, &headers, &json!({"params": hold("c")})).await;

    let seen = harness.callcontrol.last("traceparent").unwrap();
    assert!(seen.contains(trace), "{seen}");
}

#[tokio::test(start_paused = true)]
async fn a_password_that_was_changed_is_not_remembered() {
    let harness = Harness::start().await;
    let auth_info = json!({"login": "101", "password": "secret"});
    let params = json!({"old_password": "secret", "new_password": "another secret"});
    let change = json!({"params": params, "auth_info": auth_info});

    let (status, _) = post(&harness.network, "/rest/Session/change_password", &[], &change).await;
    assert_eq!((status, harness.auth.opened()), (200, 1));

    let body = json!({"params": hold("c"), "auth_info": auth_info});
    post(&harness.network, HOLD, &[], &body).await;
    assert_eq!(harness.auth.opened(), 2, "the password was asked for again");
}
