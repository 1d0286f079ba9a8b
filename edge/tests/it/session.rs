//! Handshakes and sessions.

use std::time::Duration;

use serde_json::json;

use crate::support::client::Client;
use crate::support::{ACCOUNT, ADMIN, Harness, config};

#[tokio::test(start_paused = true)]
async fn a_login_authenticates_its_socket() {
    let harness = Harness::start().await;
    let mut client = harness.connect().await;

    let refused = client.call("Session/get_session_data", json!({})).await.unwrap_err();
    assert_eq!(refused["code"], -32001);
    assert_eq!(refused["data"]["faultcode"], "Server.Session.check_auth.auth_failed");

    let tokens =
        client.call("Session/login", json!({"login": "101", "password": "secret"})).await.unwrap();
    let data = client.call("Session/get_session_data", json!({})).await.unwrap();

    assert_eq!(tokens["expires_in"], 900);
    assert_eq!(data["session_id"], tokens["session_id"]);
    assert_eq!(data["realm"], "account");
    assert_eq!(data["login"], "101");
    assert_eq!((&data["i_account"], &data["account_id"]), (&json!(1), &json!("101")));
    assert_eq!(data["permissions"]["call_control"], "modify");
    assert_eq!(data["permissions"]["xdrs"], "none");
    assert_eq!(data["scopes"], json!(["call_control:modify"]));
    assert_eq!(data["notifications"], "ok");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_login_is_refused_with_the_known_faults() {
    let harness = Harness::start().await;
    let mut client = harness.connect().await;

    let wrong = client.call("Session/login", json!({"login": "101", "password": "x"})).await;
    let locked = client.call("Session/login", json!({"login": "locked", "password": "x"})).await;
    let missing = client.call("Session/login", json!({"login": "101"})).await;

    let wrong = wrong.unwrap_err();
    assert_eq!(wrong["code"], -32001);
    assert_eq!(wrong["data"]["faultcode"], "Server.Session.auth_failed");
    let locked = locked.unwrap_err();
    assert_eq!(locked["code"], -32029);
    assert_eq!(locked["data"]["faultcode"], "Server.Session.cannot_login_brute_force_activity");
    assert_eq!(locked["data"]["retry_after_ms"], 900_000);
    assert_eq!(missing.unwrap_err()["data"]["params"], json!(["password"]));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_may_carry_the_token() {
    let harness = Harness::start().await;
    let token = harness.token(ACCOUNT);
    let headers = [
        ("authorization", format!("Bearer {token}")),
        ("sec-websocket-protocol", format!("jsonrpc, bearer.{token}")),
        ("cookie", format!("cordboard_session={token}")),
    ];

    for header in headers {
        let name = header.0;
        let mut client = Client::connect(&harness.network, &[header]).await.unwrap();
        let data = client.call("Session/get_session_data", json!({})).await;
        assert!(data.is_ok(), "{name}");
        let expected = (name == "sec-websocket-protocol").then_some("jsonrpc");
        assert_eq!(client.subprotocol.as_deref(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_handshake_is_refused() {
    let harness = Harness::start().await;
    let refused = async |headers: &[(&'static str, String)]| {
        Client::connect(&harness.network, headers).await.unwrap_err().status().as_u16()
    };

    assert_eq!(refused(&[("authorization", "Bearer nonsense".to_owned())]).await, 401);
    assert_eq!(refused(&[("sec-websocket-version", "12".to_owned())]).await, 426);
    assert_eq!(refused(&[("sec-websocket-key", "short".to_owned())]).await, 400);
    let cookie = ("cookie", format!("cordboard_session={}", harness.token(ACCOUNT)));
    assert_eq!(refused(&[cookie, ("origin", "https://evil.example".to_owned())]).await, 403);
}

#[tokio::test(start_paused = true)]
async fn sockets_over_the_limit_are_told_to_come_back() {
    let harness = Harness::with(config(|config| {
        config.max_connections = 2;
        config.max_connections_per_user = 1;
    }))
    .await;
    let token = format!("Bearer {}", harness.token(ACCOUNT));
    let authorized = [("authorization", token)];
    let _first = Client::connect(&harness.network, &authorized).await.unwrap();

    let of_user = Client::connect(&harness.network, &authorized).await.unwrap_err();
    let _second = harness.connect().await;
    let of_edge = Client::connect(&harness.network, &[]).await.unwrap_err();

    for refused in [of_user, of_edge] {
        assert_eq!(refused.status(), 503);
        assert!(refused.headers().contains_key("retry-after"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_obtained_elsewhere_authenticates_a_socket() {
    let harness = Harness::start().await;
    let mut client = harness.connect().await;

    let bad = client.call("Session/authenticate", json!({"access_token": "x"})).await;
    let good = client
        .call("Session/authenticate", json!({"access_token": harness.token(ACCOUNT)}))
        .await
        .unwrap();

    let bad = bad.unwrap_err();
    assert_eq!(bad["code"], -32001);
    assert_eq!(
        bad["data"]["faultcode"],
        "Client.Session.check_auth.failed_to_process_access_token"
    );
    assert_eq!(good["realm"], "account");
    assert!(client.call("Session/get_session_data", json!({})).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn ping_says_whether_a_session_is_alive() {
    let harness = Harness::start().await;
    let mut client = harness.connect().await;
    let expired = harness.token_with(ACCOUNT, &[], -10);

    let user_id = async |client: &mut Client, params| {
        client.call("Session/ping", params).await.map(|result| result["user_id"].clone())
    };
    assert_eq!(user_id(&mut client, json!({})).await, Ok(json!(0)));
    assert_eq!(user_id(&mut client, json!({"access_token": expired})).await, Ok(json!(0)));
    let token = harness.token(ACCOUNT);
    assert_eq!(user_id(&mut client, json!({"access_token": token})).await, Ok(json!(1)));
    let refused = user_id(&mut client, json!({"access_token": "x"})).await.unwrap_err();
    assert_eq!(refused["data"]["faultcode"], "Client.Session.ping.failed_to_process_access_token");

    let mut admin = harness.client(ADMIN).await;
    assert_eq!(user_id(&mut admin, json!({})).await, Ok(json!(1)));
}

#[tokio::test(start_paused = true)]
async fn a_refreshed_session_goes_on() {
    let harness = Harness::start().await;
    let mut client = harness.connect().await;
    let login = json!({"login": "101", "password": "secret"});
    let tokens = client.call("Session/login", login).await.unwrap();
    client.idle(Duration::from_mins(1)).await;

    let refresh = json!({"refresh_token": tokens["refresh_token"]});
    let fresh = client.call("Session/refresh_access_token", refresh.clone()).await.unwrap();
    let again = client.call("Session/refresh_access_token", refresh).await.unwrap_err();
    let data = client.call("Session/get_session_data", json!({})).await.unwrap();

    assert_eq!(fresh["session_id"], tokens["session_id"]);
    assert!(data["expires_in"].as_i64().unwrap() > 890, "{data}");
    assert_eq!(again["data"]["faultcode"], "Server.Session.refresh_access_token.refresh_failed");
}

#[tokio::test(start_paused = true)]
async fn logout_ends_every_socket_of_the_session() {
    let harness = Harness::start().await;
    let token = harness.token(ACCOUNT);
    let mut first = harness.client_with(&token).await;
    let mut second = harness.client_with(&token).await;
    let mut other = harness.client(ACCOUNT).await;

    assert_eq!(first.call("Session/logout", json!({})).await, Ok(json!({"success": 1})));

    assert_eq!(first.closed().await.0, 4403);
    assert_eq!(second.closed().await.0, 4403);
    assert!(other.call("Session/get_session_data", json!({})).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_later_login_replaces_the_session_and_ends_its_subscriptions() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;
    client.enable(json!({})).await;

    let login = json!({"login": "102", "password": "secret"});
    client.call("Session/login", login).await.unwrap();
    harness.log.call(1, "a", proto::call::v1::State::Connected);

    client.nothing().await;
    let data = client.call("Session/get_session_data", json!({})).await.unwrap();
    assert_eq!(data["login"], "102");
}

#[tokio::test(start_paused = true)]
async fn a_session_of_somebody_below_becomes_the_socket_s() {
    let harness = Harness::start().await;
    let mut client = harness.client(ADMIN).await;
    client.enable(json!({})).await;

    let unknown = json!({"login": "999", "realm": "account"});
    let unknown = client.call("Session/login_to_realm", unknown).await.unwrap_err();
    let below = json!({"login": "101", "realm": "accounts"});
    let tokens = client.call("Session/login_to_realm", below).await.unwrap();
    harness.log.call(1, "a", proto::call::v1::State::Connected);

    assert_eq!(unknown["code"], -32004);
    assert_eq!(unknown["data"]["faultcode"], "Client.Session.login_to_realm.login_not_found");
    client.nothing().await;
    let data = client.call("Session/get_session_data", json!({})).await.unwrap();
    assert_eq!((&data["login"], &data["realm"]), (&json!("101"), &json!("account")));
    assert_eq!(data["session_id"], tokens["session_id"]);
}

#[tokio::test(start_paused = true)]
async fn a_password_is_changed_by_who_knows_it() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;
    let mut change = async |old: &str| {
        let params = json!({"old_password": old, "new_password": "another secret"});
        client.call("Session/change_password", params).await
    };

    let wrong = change("x").await.unwrap_err();
    assert_eq!(wrong["data"]["faultcode"], "Server.Session.change_password.auth_failed");
    assert_eq!(change("secret").await, Ok(json!({"success": 1})));
    assert_eq!(client.closed().await.0, 4403);
}
