//! A switch node that dies, and comes back.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use system_tests::{Client, Mesh};

/// Kills the node under three calls; it comes back at once, within its lease, or when its calls
/// have been ended by others.
async fn is_killed(comes_back_at_once: bool) {
    let mut mesh = Mesh::start_with(&["switch.lease=2s"]).await;
    let sim = mesh.sim();
    sim.at_once("102").await;
    let mut board = Client::subscribed(mesh.public(), "easymobile").await;
    let mut calls = BTreeSet::new();
    for _ in 0..3 {
        calls.insert(sim.dial("101", "102").await["call_id"].to_string());
    }
    let are_connected =
        |states: &[Value]| states.iter().filter(|info| info["state"] == "connected").count() == 6;
    board.call_states_until(are_connected).await;

    mesh.kill("switch");
    if comes_back_at_once {
        mesh.start_service("switch").await;
    }
    let ended = board.until_over(6).await;

    let tags: BTreeSet<_> = ended.iter().map(|info| info["call"]["tag"].to_string()).collect();
    assert_eq!((tags.len(), ended.len()), (6, 6), "each leg ends once");
    for info in &ended {
        assert_eq!((&info["reason"], &info["reason_code"]), (&json!("Switch Lost"), &json!(503)));
    }
    if !comes_back_at_once {
        mesh.start_service("switch").await;
    }
    sim.at_once("102").await;
    let placed = sim.dial("101", "102").await["call_id"].clone();
    let next = board
        .call_states_until(|states| {
            states.iter().filter(|info| info["state"] == "connected").count() == 2
        })
        .await;
    assert!(!calls.contains(&placed.to_string()));
    assert!(
        next.iter().all(|info| info["call"]["id"] == placed),
        "nothing more of the calls that were lost: {next:?}"
    );
    let list = board.must("CallControl/get_sip_calls_list", json!({"get_total": 1})).await;
    assert_eq!(list["total"], 2);
    let accounts = board.must("Account/get_account_list", json!({"id": "102"})).await;
    assert_eq!(accounts["account_list"][0]["availability"], "busy");
}

#[tokio::test]
async fn the_calls_of_a_killed_node_are_ended_once_by_others() {
    is_killed(false).await;
}

#[tokio::test]
async fn a_node_that_comes_back_within_its_lease_ends_its_earlier_calls_once() {
    is_killed(true).await;
}
