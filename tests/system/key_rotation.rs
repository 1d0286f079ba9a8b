//! `cordboard admin keys rotate` while people talk: nobody is logged out.

use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mesh::testing::eventually;
use serde_json::{Value, json};
use system_tests::process::program;
use system_tests::{Client, Up};

use crate::raw::call;

/// A key signs five seconds after it was made; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

async fn login(up: &Up) -> String {
    let params = json!({"login": "101", "password": "cordboard"});
    let answer = call(up.public, "Session/login", params, json!({})).await;
    answer.body["access_token"].as_str().unwrap().to_owned()
}

fn kid(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_is_rotated_under_open_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("directory.db").display());
    let up = Up::start_with(&["--sim-speed", "0", "--database", &database]).await;
    let mut socket = Client::subscribed(up.public, "102").await;
    let before = login(&up).await;

    let output = Command::new(program())
        .args(["admin", "keys", "rotate", "--database", &database])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let after = eventually(PATIENCE, "a token of the new key", || async {
        let token = login(&up).await;
        if kid(&token) == kid(&before) { Err(kid(&token)) } else { Ok(token) }
    })
    .await;

    for token in [&before, &after] {
        let auth_info = json!({"access_token": token});
        let data = call(up.public, "Session/get_session_data", json!({}), auth_info).await;
        assert_eq!(data.body["login"], "101", "{}", data.body);
    }
    let ping = socket.must("Session/ping", json!({})).await;
    assert!(ping["user_id"].as_i64().unwrap() > 0, "{ping}");
}
