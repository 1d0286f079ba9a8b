//! Access tokens that auth did not make, or that are over.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use mesh::testing::token::Issuer;
use serde_json::{Value, json};
use system_tests::http::send;
use system_tests::{Client, Up};
use tokio::time::Instant;

use super::Bystander;
use crate::raw::{Raw, call, handshake, post};

/// A token of account 101.
async fn token_of(up: &Up) -> String {
    let login = json!({"login": "101", "password": "cordboard"});
    let opened = call(up.public, "Session/login", login, json!({})).await;
    opened.body["access_token"].as_str().expect("the demo logs in").to_owned()
}

fn part(token: &str, at: usize) -> Value {
    let part = token.split('.').nth(at).expect("a token has three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The forms in which the public key could be mistaken for a shared secret.
async fn public_key(up: &Up) -> Vec<Vec<u8>> {
    let (_, set) = send(up.public, Method::GET, "/.well-known/jwks.json", None).await.unwrap();
    let modulus = set["keys"][0]["n"].as_str().unwrap();
    let raw = URL_SAFE_NO_PAD.decode(modulus).unwrap();
    assert_eq!(raw.len(), 256, "an RSA key of 2048 bits");
    // SubjectPublicKeyInfo of RSA, and the exponent 65537.
    let head = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA";
    let der = [&STANDARD.decode(head).unwrap()[..], &raw, &[2, 3, 1, 0, 1]].concat();
    let lines: Vec<_> = STANDARD
        .encode(&der)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8(line.to_vec()).unwrap())
        .collect();
    let pem =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
    let text = set.to_string();
    vec![pem.trim_end().into(), pem.into(), der, raw, modulus.into(), text.into(), Vec::new()]
}

/// A token is refused wherever a token can be given.
async fn is_refused_everywhere(up: &Up, what: &str, token: &str) {
    for headers in [
        format!("Authorization: Bearer {token}\r\n"),
        format!("Sec-WebSocket-Protocol: jsonrpc, bearer.{token}\r\n"),
        format!("Cookie: cordboard_session={token}\r\n"),
    ] {
        let mut raw = Raw::connect(up.public).await;
        raw.send(handshake(&headers)).await;
        let head = raw.head().await;
        assert!(head.starts_with("HTTP/1.1 401"), "{what}: {headers}{head}");
        let headers = format!("Content-Type: application/json\r\n{headers}");
        if headers.contains("Sec-WebSocket-Protocol") {
            continue;
        }
        let answer = post(up.public, "/rest/Session/get_session_data", &headers, "{}").await;
        assert_eq!(answer.status, 500, "{what}: {}", answer.body);
        is_token_fault(what, &answer.body["faultcode"]);
    }
    let mut client = Client::connect(up.public).await.unwrap();
    let params = json!({"access_token": token});
    let fault = client.refused("Session/authenticate", params.clone()).await;
    assert_eq!(fault.code(), -32001, "{what}: {fault:?}");
    is_token_fault(what, &fault.faultcode().into());
    let fault = client.refused("Session/get_session_data", json!({})).await;
    assert_eq!(fault.code(), -32001, "{what}: the socket has no session");
    match client.call("Session/ping", params).await.unwrap() {
        Ok(result) => assert_eq!(result["user_id"], 0, "{what}"),
        Err(fault) => assert_eq!(
            (fault.code(), fault.faultcode()),
            (-32602, "Client.Session.ping.failed_to_process_access_token"),
            "{what}"
        ),
    }
}

fn is_token_fault(what: &str, faultcode: &Value) {
    let known = [
        "Client.Session.check_auth.failed_to_process_access_token",
        "Client.Session.check_auth.failed_to_process_jwt",
    ];
    assert!(known.contains(&faultcode.as_str().unwrap_or_default()), "{what}: {faultcode}");
}

#[tokio::test]
async fn a_token_that_auth_did_not_sign_is_refused_wherever_it_is_given() {
    let up = Up::start().await;
    let mut bystander = Bystander::of(&up).await;
    let good = token_of(&up).await;
    let (header, mut claims) = (part(&good, 0), part(&good, 1));
    let kid = header["kid"].as_str().unwrap();
    let pieces: Vec<&str> = good.split('.').collect();
    let (signed, signature) = (format!("{}.{}", pieces[0], pieces[1]), pieces[2]);
    claims["realm"] = json!("admin");
    claims["i_user"] = json!(1);
    claims["is_super_user"] = json!(true);

    let mut forged = Vec::new();
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = encoded(&json!({"alg": alg, "typ": "JWT", "kid": kid}));
        let unsigned = format!("{header}.{}", encoded(&claims));
        forged.push((format!("alg {alg:?}"), format!("{unsigned}.")));
        forged.push((format!("alg {alg:?}, signature kept"), format!("{unsigned}.{signature}")));
    }
    for (at, secret) in public_key(&up).await.into_iter().enumerate() {
        for algorithm in [Algorithm::HS256, Algorithm::HS512] {
            let header = Header { kid: Some(kid.to_owned()), ..Header::new(algorithm) };
            let key = EncodingKey::from_secret(&secret);
            let token = jsonwebtoken::encode(&header, &claims, &key).unwrap();
            forged.push((format!("{algorithm:?} with the public key, form {at}"), token));
        }
    }
    forged.push((
        "other claims".to_owned(),
        format!("{}.{}.{signature}", pieces[0], encoded(&claims)),
    ));
    forged.push(("no signature".to_owned(), format!("{signed}.")));
    forged.push(("the right key id, another key".to_owned(), Issuer::new(kid).sign(&claims)));
    forged.push(("two parts".to_owned(), signed));
    forged.push(("too long".to_owned(), format!("{good}{}", "A".repeat(7_000))));
    forged.push(("nothing but dots".to_owned(), "..".to_owned()));

    for (what, token) in &forged {
        is_refused_everywhere(&up, what, token).await;
    }
    bystander.is_served(&up).await;
    let mut client = Client::connect(up.public).await.unwrap();
    client.must("Session/authenticate", json!({"access_token": good})).await;
}

#[tokio::test]
async fn a_token_of_a_key_that_is_not_ours_is_refused() {
    let up = Up::start().await;
    let other = Up::start().await;
    let mut bystander = Bystander::of(&up).await;
    let foreign = token_of(&other).await;
    let unknown = Issuer::new("../../etc/passwd").sign(&part(&foreign, 1));

    tokio::join!(
        is_refused_everywhere(&up, "of another installation", &foreign),
        is_refused_everywhere(&up, "of an unknown key", &unknown),
        bystander.is_served(&up),
    );
}

#[tokio::test]
async fn a_token_that_is_over_is_refused() {
    let up = Up::start_with(&[
        "--sim-speed",
        "0",
        "--set",
        "auth.session.access_token_lifetime=2s",
        "--set",
        "auth.session.refresh_tolerance=0s",
    ])
    .await;
    let token = token_of(&up).await;
    let is_alive = async || {
        let params = json!({"access_token": token});
        let pinged = call(up.public, "Session/ping", params, json!({})).await;
        pinged.body["user_id"] != 0
    };
    let since = Instant::now();
    assert!(is_alive().await, "it is good at first");
    while is_alive().await {
        assert!(since.elapsed().as_secs() < 10, "it lasts two seconds");
    }

    is_refused_everywhere(&up, "expired", &token).await;
}
