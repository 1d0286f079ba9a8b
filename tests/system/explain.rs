//! Why a session did not get an event.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};
use system_tests::process::program;
use system_tests::{Client, Up};

/// What `cordboard admin explain` says.
fn explain(admin: SocketAddr, event_id: &str, session: &str) -> String {
    let output = Command::new(program())
        .args(["admin", "explain", event_id, "--session", session])
        .args(["--admin", &admin.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A client that is subscribed, and its session.
async fn subscribed(up: &Up, login: &str, params: Value) -> (Client, String) {
    let mut client = Client::connect(up.public).await.unwrap();
    let params_of_login = json!({"login": login, "password": "cordboard"});
    let session = client.must("Session/login", params_of_login).await["session_id"].clone();
    client.must("CallControl/enable_api_notifications", params).await;
    (client, session.as_str().unwrap().to_owned())
}

#[tokio::test]
async fn it_is_told_which_scope_or_filter_kept_an_event_away() {
    let up = Up::start().await;
    let (mut board, own) = subscribed(&up, "easymobile", json!({})).await;
    let (_carol, scope) = subscribed(&up, "103", json!({})).await;
    let (_kinds, kinds) = subscribed(&up, "easymobile", json!({"kinds": ["queue_stats"]})).await;
    let (_states, states) = subscribed(&up, "easymobile", json!({"states": ["held"]})).await;
    up.sim.dial("101", "102").await;
    let (_, event) = board.event().await;
    let event_id = event["event_id"].as_str().unwrap();
    let (_late, late) = subscribed(&up, "easymobile", json!({})).await;

    for (session, verdict) in [
        (&own, "sent "),
        (&scope, "scope "),
        (&kinds, "kinds "),
        (&states, "states "),
        (&late, "before "),
    ] {
        let said = explain(up.admin, event_id, session);
        assert!(said.starts_with(verdict), "{verdict}: {said}");
    }
    let said = explain(up.admin, event_id, "nobody");
    assert!(said.contains("no subscription"), "{said}");
}
