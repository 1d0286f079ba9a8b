//! Why a session did not get an event.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};
use system_tests::process::{Process, program};
use system_tests::{Client, Mesh, Up};

/// What `cordboard admin explain` says.
fn explain(admin: &str, event_id: &str, session: &str) -> String {
    let output = Command::new(program())
        .args(["admin", "explain", event_id, "--session", session])
        .args(["--admin", admin])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A client that is subscribed, and its session.
async fn subscribed(public: SocketAddr, login: &str, params: Value) -> (Client, String) {
    let mut client = Client::connect(public).await.unwrap();
    let params_of_login = json!({"login": login, "password": "cordboard"});
    let session = client.must("Session/login", params_of_login).await["session_id"].clone();
    client.must("CallControl/enable_api_notifications", params).await;
    (client, session.as_str().unwrap().to_owned())
}

#[tokio::test]
async fn it_is_told_which_scope_or_filter_kept_an_event_away() {
    let up = Up::start().await;
    let (mut board, own) = subscribed(up.public, "easymobile", json!({})).await;
    let (_carol, scope) = subscribed(up.public, "103", json!({})).await;
    let (_kinds, kinds) =
        subscribed(up.public, "easymobile", json!({"kinds": ["queue_stats"]})).await;
    let (_states, states) = subscribed(up.public, "easymobile", json!({"states": ["held"]})).await;
    up.sim.dial("101", "102").await;
    let (_, event) = board.event().await;
    let event_id = event["event_id"].as_str().unwrap();
    let (_late, late) = subscribed(up.public, "easymobile", json!({})).await;

    for (session, verdict) in [
        (&own, "sent "),
        (&scope, "scope "),
        (&kinds, "kinds "),
        (&states, "states "),
        (&late, "before "),
    ] {
        let said = explain(&up.admin.to_string(), event_id, session);
        assert!(said.starts_with(verdict), "{verdict}: {said}");
    }
    let said = explain(&up.admin.to_string(), event_id, "nobody");
    assert!(said.contains("no subscription"), "{said}");
}

#[tokio::test]
async fn of_several_edges_the_one_that_knows_the_session_says_it() {
    let mesh = Mesh::start().await;
    let (other, there) = mesh.another_edge().await;
    let (mut board, session) = subscribed(there, "easymobile", json!({})).await;
    mesh.sim().dial("101", "102").await;
    let (_, event) = board.event().await;
    let event_id = event["event_id"].as_str().unwrap();
    let admin = |process: &Process| process.address("admin").to_string();

    let edges = format!("{},{}", admin(mesh.service("edge")), admin(&other));
    let said = explain(&edges, event_id, &session);
    assert!(said.starts_with("sent "), "{said}");

    let edges = format!("127.0.0.1:1,{}", admin(mesh.service("edge")));
    let said = explain(&edges, event_id, &session);
    assert!(said.contains("not asked") && said.contains("no subscription"), "{said}");
}
