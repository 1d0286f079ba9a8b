//! An application controls a call end to end, on each way of running the mesh.

use std::net::SocketAddr;

use mesh::testing::redis::RedisServer;
use serde_json::json;
use system_tests::client::states_of;
use system_tests::{Client, Mesh, Sim, Up};

#[tokio::test]
async fn an_application_controls_a_call_in_one_process() {
    let up = Up::start().await;
    control_a_call(up.public, up.sim).await;
    assert!(up.process.stop().await, "it ends well");
}

#[tokio::test]
async fn an_application_controls_a_call_in_one_process_with_redis() {
    let redis = RedisServer::start().await;
    let up = Up::start_with(&["--sim-speed", "0", "--redis", &redis.url()]).await;
    control_a_call(up.public, up.sim).await;
}

#[tokio::test]
async fn an_application_controls_a_call_with_every_service_in_a_process_of_its_own() {
    let mesh = Mesh::start().await;
    control_a_call(mesh.public(), mesh.sim()).await;
}

/// Logs in as account 101, calls 102, holds, resumes, terminates.
async fn control_a_call(public: SocketAddr, sim: Sim) {
    sim.at_once("101").await;
    sim.at_once("102").await;
    let mut alice = Client::subscribed(public, "101").await;

    let started = alice
        .must("CallControl/originate_call", json!({"account_id": "101", "destination": "102"}))
        .await;
    let call = json!({"id": started["call"]["id"]});
    assert!(started["call"]["tag"].is_string() && started["tracking_id"].is_string());
    let mut all = alice
        .call_states_until(|states| {
            states.iter().filter(|info| info["state"] == "connected").count() == 2
        })
        .await;
    assert_eq!(sim.hears("101").await, json!(["102"]));
    assert_eq!(sim.hears("102").await, json!(["101"]));

    assert_eq!(
        alice.must("CallControl/hold_call", json!({"call": call})).await,
        json!({"success": 1})
    );
    assert_eq!(sim.hears("102").await, json!("music"));
    assert_eq!(sim.hears("101").await, json!("silence"));
    alice.must("CallControl/resume_call", json!({"call": call})).await;
    assert_eq!(sim.hears("102").await, json!(["101"]));
    alice.must("CallControl/terminate_call", json!({"call": call})).await;
    all.extend(alice.until_over(2).await);

    let (caller, callee) = (states_of(&all, "101"), states_of(&all, "102"));
    assert_eq!(
        caller,
        ["trying", "ringing", "early", "connected", "holding", "connected", "terminated"]
    );
    assert_eq!(callee, ["trying", "ringing", "connected", "held", "connected", "terminated"]);
    let sequences: Vec<_> = all.iter().map(|info| info["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (1..=all.len() as u64).collect::<Vec<_>>());
    for last in all.iter().filter(|info| info["state"] == "terminated") {
        assert_eq!(last["caused_by"]["method"], "CallControl/terminate_call");
        assert_eq!(last["caused_by"]["login"], "101");
        assert_eq!(last["reason"], "Answer Leg Disconnected Via Call Control API");
        assert_eq!(last["reason_code"], 487);
    }
    let list = alice.must("CallControl/get_sip_calls_list", json!({"get_total": 1})).await;
    assert_eq!((&list["calls_list"], &list["total"]), (&json!([]), &json!(0)));
    let again = alice.refused("CallControl/terminate_call", json!({"call": call})).await;
    assert_eq!(
        (again.code(), again.faultcode()),
        (-32004, "Client.CallControl.terminate_call.call_not_found")
    );
}
