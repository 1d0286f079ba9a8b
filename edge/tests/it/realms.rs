//! Listeners that serve one realm alone: others do not exist there.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use mesh::net::Target;
use proto::options::v1::Realm;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::http::send_to;
use crate::support::{ACCOUNT, ADMIN, Harness, name_of};

/// A bound listener.
struct Door<'a> {
    harness: &'a Harness,
    name: String,
}

impl<'a> Door<'a> {
    fn of(harness: &'a Harness, realm: Realm) -> Self {
        Self { harness, name: name_of(realm) }
    }

    async fn connect(&self, token: Option<&str>) -> Result<Client, u16> {
        let header = token.map(|token| ("authorization", format!("Bearer {token}")));
        let target = Target::Memory(self.name.clone());
        let headers: Vec<_> = header.into_iter().collect();
        let connected = Client::connect_to(&self.harness.network, &target, &headers).await;
        connected.map_err(|response| response.status().as_u16())
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        send_to(&self.harness.network, &Target::Memory(self.name.clone()), request).await
    }

    async fn rest(&self, method: &str, body: Value) -> Result<Value, String> {
        let request = Request::post(format!("/rest/{method}"))
            .header("content-type", "application/json")
            .body(Full::from(body.to_string()))
            .unwrap();
        let response = self.send(request).await;
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        match body.get("faultcode").and_then(Value::as_str) {
            Some(faultcode) => Err(faultcode.to_owned()),
            None => Ok(body),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_of_another_realm_does_not_exist_at_a_bound_listener() {
    let harness = Harness::start().await;
    let account = Door::of(&harness, Realm::Account);
    let mut client = account.connect(None).await.unwrap();
    let mut log_in = async |params: Value| {
        let outcome = client.call("Session/login", params).await;
        outcome.map_err(|error| error["data"]["faultcode"].as_str().unwrap().to_owned())
    };

    let unknown = log_in(json!({"login": "nobody", "password": "secret"})).await.unwrap_err();
    assert_eq!(unknown, "Server.Session.auth_failed");
    for realm in [json!("admin"), json!("customer"), json!("customers")] {
        let params = json!({"login": "101", "password": "secret", "realm": realm});
        assert_eq!(log_in(params).await.unwrap_err(), unknown, "{realm}");
    }
    let admin = json!({"login": "admin", "password": "secret"});
    assert_eq!(log_in(admin).await.unwrap_err(), unknown);
    assert_eq!(harness.auth.realms(), [Realm::Account, Realm::Account], "what auth was asked for");

    log_in(json!({"login": "101", "password": "secret", "realm": "accounts"})).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_of_another_realm_is_none_at_a_bound_listener() {
    const NO_TOKEN: &str = "Client.Session.check_auth.failed_to_process_access_token";
    let harness = Harness::start().await;
    let (account, customer) =
        (Door::of(&harness, Realm::Account), Door::of(&harness, Realm::Customer));
    let token = harness.token(ACCOUNT);

    assert!(account.connect(Some(&token)).await.is_ok());
    assert_eq!(customer.connect(Some(&token)).await.unwrap_err(), 401);

    let mut client = customer.connect(None).await.unwrap();
    let params = json!({"access_token": token});
    let refused = client.call("Session/authenticate", params.clone()).await.unwrap_err();
    assert_eq!(refused["code"], -32001, "{refused}");
    let ping = client.call("Session/ping", params).await.unwrap_err();
    assert_eq!(ping["data"]["faultcode"], "Client.Session.ping.failed_to_process_access_token");

    let hold = |auth_info: Value| json!({"params": {"call": {"id": "c"}}, "auth_info": auth_info});
    let by_token = hold(json!({"access_token": token}));
    assert!(account.rest("CallControl/hold_call", by_token.clone()).await.is_ok());
    assert_eq!(customer.rest("CallControl/hold_call", by_token).await.unwrap_err(), NO_TOKEN);
    let by_login = hold(json!({"login": "101", "password": "secret"}));
    assert!(account.rest("CallControl/hold_call", by_login.clone()).await.is_ok());
    let refused = customer.rest("CallControl/hold_call", by_login).await.unwrap_err();
    assert_eq!(refused, "Server.Session.check_auth.auth_failed");
}

#[tokio::test(start_paused = true)]
async fn refreshing_at_a_listener_of_another_realm_fails() {
    let harness = Harness::start().await;
    let (account, customer) =
        (Door::of(&harness, Realm::Account), Door::of(&harness, Realm::Customer));
    let login = json!({"params": {"login": "101", "password": "secret"}});
    let tokens = account.rest("Session/login", login).await.unwrap();
    let refresh = json!({"params": {"refresh_token": tokens["refresh_token"]}});

    let refused = customer.rest("Session/refresh_access_token", refresh).await.unwrap_err();

    assert_eq!(refused, "Server.Session.refresh_access_token.refresh_failed");
}

#[tokio::test(start_paused = true)]
async fn who_acts_as_another_realm_gets_tokens_and_keeps_its_socket() {
    let harness = Harness::start().await;
    let admin = Door::of(&harness, Realm::Admin);
    let mut client = admin.connect(Some(&harness.token(ADMIN))).await.unwrap();

    let params = json!({"login": "101", "realm": "account"});
    let tokens = client.call("Session/login_to_realm", params).await.unwrap();
    let data = client.call("Session/get_session_data", json!({})).await.unwrap();

    assert_eq!(data["realm"], "admin");
    let token = tokens["access_token"].as_str();
    assert_eq!(admin.connect(token).await.unwrap_err(), 401);
    assert!(Door::of(&harness, Realm::Account).connect(token).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_bound_listener_has_its_own_cookie_and_description() {
    let harness = Harness::start().await;
    let account = Door::of(&harness, Realm::Account);
    let get = async |path: &str| {
        let request = Request::get(path).header("host", "edge").body(Full::default()).unwrap();
        account.send(request).await.status().as_u16()
    };

    assert_eq!(get("/doc/api/AccountInterface.json").await, 200);
    assert_eq!(get("/doc/api/AdminInterface.json").await, 404);
    assert_eq!(get("/doc/openrpc.json").await, 200);

    let login = json!({"params": {"login": "101", "password": "secret"}});
    let request = Request::post("/rest/Session/login").body(Full::from(login.to_string())).unwrap();
    let response = account.send(request).await;
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("cordboard_session_account="), "{cookie}");

    let cookie = cookie.split(';').next().unwrap();
    let request = Request::post("/rest/Session/get_session_data")
        .header("cookie", cookie)
        .body(Full::default())
        .unwrap();
    assert_eq!(account.send(request).await.status(), 200);
}
