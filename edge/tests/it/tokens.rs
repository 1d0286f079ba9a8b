//! Access tokens that are not what they seem, over real sockets.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use mesh::net::Target;
use mesh::testing::token::{ISSUER_OF_TESTS, Issuer, claims};
use mesh::token::Claims;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::http::send_to;
use crate::support::{ACCOUNT, Harness, config};

const NO_TOKEN: &str = "Client.Session.check_auth.failed_to_process_access_token";
const NO_SIGNATURE: &str = "Client.Session.check_auth.failed_to_process_jwt";

/// A token whose header says that it needs no signature.
fn unsigned(claims: &Claims) -> String {
    let header = json!({"alg": "none", "typ": "JWT", "kid": "test"});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&header), part(&serde_json::to_value(claims).unwrap()))
}

/// A token signed with a secret that everybody knows: a part of the public key.
fn signed_with(secret: &[u8], claims: &Claims) -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("test".to_owned());
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

/// A good token with another header, e.g. to have its signature checked in another way.
fn with_header(header: &Value, good: &str) -> String {
    let (_, rest) = good.split_once('.').unwrap();
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
}

fn changed(good: &Claims, change: impl FnOnce(&mut Claims)) -> String {
    let mut claims = good.clone();
    change(&mut claims);
    ISSUER_OF_TESTS.sign(&claims)
}

/// Every flaw, and the fault that tells it.
fn flawed(good: &Claims) -> Vec<(&'static str, String, &'static str)> {
    let jwks: Value = serde_json::from_str(&ISSUER_OF_TESTS.jwks()).unwrap();
    let modulus = URL_SAFE_NO_PAD.decode(jwks["keys"][0]["n"].as_str().unwrap()).unwrap();
    let signed = ISSUER_OF_TESTS.sign(good);
    let hmac = json!({"alg": "HS256", "typ": "JWT", "kid": "test"});
    let nameless = json!({"alg": "RS256", "typ": "JWT"});
    vec![
        ("no signature wanted", unsigned(good), NO_TOKEN),
        ("the key set as a secret", signed_with(jwks.to_string().as_bytes(), good), NO_TOKEN),
        ("the modulus as a secret", signed_with(&modulus, good), NO_TOKEN),
        ("another algorithm said", with_header(&hmac, &signed), NO_TOKEN),
        ("no key named", with_header(&nameless, &signed), NO_TOKEN),
        ("unknown key", Issuer::new("unknown").sign(good), NO_SIGNATURE),
        ("foreign key under our name", Issuer::new("test").sign(good), NO_SIGNATURE),
        ("signature cut off", signed.rsplit_once('.').unwrap().0.to_owned() + ".", NO_SIGNATURE),
        ("foreign audience", changed(good, |it| it.aud = "billing".to_owned()), NO_TOKEN),
        ("foreign issuer", changed(good, |it| it.iss = "somebody".to_owned()), NO_TOKEN),
        ("expired", changed(good, |it| it.exp = it.iat - 1), NO_TOKEN),
        ("not yet valid", changed(good, |it| it.nbf = Some(it.iat + 600)), NO_TOKEN),
        ("unknown realm", changed(good, |it| it.realm = "root".to_owned()), NO_TOKEN),
        ("no account", changed(good, |it| it.i_account = None), NO_TOKEN),
    ]
}

/// The status and the body of a request over REST that shows `token`.
async fn over_rest(harness: &Harness, target: &Target, token: &str, in_body: bool) -> (u16, Value) {
    let auth_info = if in_body { json!({"access_token": token}) } else { json!({}) };
    let body = json!({"params": {}, "auth_info": auth_info}).to_string();
    let mut request = Request::post("/rest/Session/get_session_data")
        .header("host", "edge")
        .header("content-type", "application/json");
    if !in_body {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let response = send_to(&harness.network, target, request).await;
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
}

#[tokio::test]
async fn a_token_with_any_flaw_opens_nothing_and_a_good_one_does() {
    let (harness, target) = Harness::over_tcp(config(|_| ())).await;
    let good = claims(ACCOUNT, &["call_control:modify"], harness.clock.now());
    let mut client = Client::connect_to(&harness.network, &target, &[]).await.unwrap();

    for (what, token, faultcode) in flawed(&good) {
        let asked = client.call("Session/authenticate", json!({"access_token": token})).await;
        let fault = asked.unwrap_err();
        assert_eq!(
            (&fault["code"], &fault["data"]["faultcode"]),
            (&json!(-32001), &json!(faultcode)),
            "{what}"
        );

        let headers = [
            ("authorization", format!("Bearer {token}")),
            ("sec-websocket-protocol", format!("jsonrpc, bearer.{token}")),
            ("cookie", format!("cordboard_session={token}")),
        ];
        for header in headers {
            let door = header.0;
            let refused = Client::connect_to(&harness.network, &target, &[header]).await;
            assert_eq!(refused.unwrap_err().status(), 401, "{what}, {door}");
        }

        for in_body in [false, true] {
            let (status, fault) = over_rest(&harness, &target, &token, in_body).await;
            assert_eq!(
                (status, &fault["faultcode"]),
                (500, &json!(faultcode)),
                "{what}, {in_body}"
            );
        }
    }
    let fault = client.call("Session/get_session_data", json!({})).await.unwrap_err();
    assert_eq!(fault["code"], -32001, "the socket has no session");

    let token = ISSUER_OF_TESTS.sign(&good);
    for in_body in [false, true] {
        assert_eq!(over_rest(&harness, &target, &token, in_body).await.0, 200);
    }
    client.call("Session/authenticate", json!({"access_token": token})).await.unwrap();
    client.call("Session/get_session_data", json!({})).await.unwrap();
}
