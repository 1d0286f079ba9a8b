//! Webhooks, from the command to a real HTTP server.

use std::time::Duration;

use mesh::testing::eventually;
use mesh::testing::hooks::{Answers, Hooks};
use serde_json::json;
use system_tests::{Client, Mesh, Up};

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_states_of_a_call_are_posted_to_its_callback() {
    let secrets = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secrets.path(), "1 = hush\n").unwrap();
    let file = format!("webhooks.secret_file={}", secrets.path().display());
    let up = Up::start_with(&[
        "--sim-speed",
        "0",
        "--set",
        "webhooks.allow_private=true",
        "--set",
        &file,
    ])
    .await;
    let hooks = Hooks::start(Answers::With(200)).await;
    let mut board = Client::subscribed(up.public, "easymobile").await;
    let mut alice = Client::log_in(up.public, "101").await;

    let call = json!({
        "destination": "102",
        "state_info_callback": hooks.url(),
        "state_info_events": ["connected", "terminated"],
    });
    let started = alice.must("CallControl/originate_call", call).await;
    let id = started["call"]["id"].clone();
    board
        .call_states_until(|states| {
            states.iter().filter(|info| info["state"] == "connected").count() == 2
        })
        .await;
    alice.must("CallControl/terminate_call", json!({"call": {"id": id}})).await;
    let told = board.until_over(2).await;
    let posted = hooks.until(4).await;

    let states: Vec<_> = posted.iter().map(|it| it.body["call_info"]["state"].clone()).collect();
    assert_eq!(states, ["connected", "connected", "terminated", "terminated"]);
    assert_eq!(posted[3].body["call_info"], *told.last().unwrap(), "as subscribers see it");
    assert!(posted.iter().all(|it| {
        it.body["event_id"].is_string()
            && it.body["call_info"]["call"]["id"] == id
            && it.headers["x-cordboard-signature"].starts_with("t=")
    }));
    let sequences: Vec<_> = posted.iter().map(|it| it.key().1).collect();
    assert!(sequences.is_sorted(), "{sequences:?}");
}

#[tokio::test]
async fn addresses_that_lead_inside_are_refused_unless_allowed() {
    let up = Up::start().await;
    let mut alice = Client::log_in(up.public, "101").await;

    for address in ["http://127.0.0.1:1/", "http://localhost/", "http://[::1]/", "nonsense"] {
        let call = json!({"destination": "102", "state_info_callback": address});
        let fault = alice.refused("CallControl/originate_call", call).await;
        assert_eq!(fault.code(), -32602, "{address}");
        assert_eq!(fault.faultcode(), "Client.CallControl.originate_call.invalid_param");
        assert_eq!(fault.0["data"]["params"], json!(["state_info_callback"]));
    }
}

#[tokio::test]
async fn a_notifier_that_is_killed_loses_no_webhook() {
    let mut mesh = Mesh::start_with(&[
        "webhooks.allow_private=true",
        "webhooks.attempt_timeout=1s",
        "webhooks.lease=2s",
    ])
    .await;
    let hooks = Hooks::start(Answers::With(503)).await;
    let mut alice = Client::log_in(mesh.public(), "101").await;
    let call = json!({"destination": "12065550100", "state_info_callback": hooks.url()});
    let started = alice.must("CallControl/originate_call", call).await;
    let id = started["call"]["id"].clone();
    hooks.until(1).await;

    mesh.kill("notifier");
    alice.must("CallControl/terminate_call", json!({"call": {"id": id}})).await;
    hooks.answer(Answers::With(200));
    mesh.start_service("notifier").await;

    eventually(PATIENCE, "every state is posted", || async {
        let mut sequences: Vec<_> = hooks.posted().iter().map(|it| it.key().1).collect();
        let is_over = hooks.posted().iter().any(|it| it.body["call_info"]["state"] == "terminated");
        sequences.sort_unstable();
        sequences.dedup();
        let last = sequences.last().copied().unwrap_or_default();
        let all: Vec<_> = (1..=last).collect();
        if is_over && sequences == all { Ok(()) } else { Err(format!("{sequences:?}")) }
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_playback_is_posted_to_its_callback() {
    let allowed = ["--sim-speed", "0", "--set", "webhooks.allow_private=true"];
    let up = Up::start_with(&allowed).await;
    let hooks = Hooks::start(Answers::With(200)).await;
    let mut alice = Client::subscribed(up.public, "101").await;
    let placed = up.sim.dial("101", "12065550100").await;
    alice
        .call_states_until(|states| states.last().is_some_and(|it| it["state"] == "connected"))
        .await;
    let call = json!({"id": placed["call_id"], "tag": placed["tag"]});

    let play = json!({
        "call": call,
        "prompts": ["busy.au"],
        "repeat": 0,
        "callback_url": hooks.url(),
        "callback_on_events": ["prompt_playback_interrupted"],
    });
    alice.must("CallControl/play", play).await;
    alice.must("CallControl/stop_play_prompt", json!({"call": call})).await;
    let posted = hooks.until(1).await;

    let info = &posted[0].body["call_info"];
    assert_eq!(info["ivr_info"], json!({"event": "prompt_playback_interrupted"}));
    assert_eq!(info["call"]["id"], placed["call_id"]);
    assert!(info["tracking_id"].is_string() && posted[0].body["event_id"].is_string());
    let signature = &posted[0].headers["x-cordboard-signature"];
    assert!(signature.starts_with("t="), "signed with the secret that `up` has made");
    assert_eq!(info.as_object().unwrap().len(), 3);
}
