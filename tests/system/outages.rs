//! The store is away for a while.

use std::time::Duration;

use serde_json::json;
use system_tests::{Client, Mesh};
use tokio::time::Instant;

#[tokio::test]
async fn a_minute_without_redis_under_a_thousand_live_calls_ends_none_of_them() {
    let mesh = Mesh::start().await;
    let sim = mesh.sim();
    sim.at_once("102").await;
    let mut board = Client::subscribed(mesh.public(), "easymobile").await;
    let mut calls = Vec::new();
    for _ in 0..1000 {
        calls.push(sim.dial("101", "102").await["call_id"].clone());
    }
    let mut connected = 0;
    while connected < 2000 {
        connected += usize::from(board.call_state().await["state"] == "connected");
    }

    mesh.redis.pause().await;
    // Commands on known calls go on.
    board.nothing_for(Duration::from_secs(5)).await;
    let held = json!({"call": {"id": calls[0]}});
    board.must("CallControl/hold_call", held.clone()).await;
    assert_eq!(
        board.must("Session/get_session_data", json!({})).await["notifications"],
        "degraded"
    );
    // Reads on, as a client does: pings have to be answered.
    board.nothing_for(Duration::from_secs(55)).await;
    mesh.redis.resume().await;

    // What happened meanwhile is told now, and nothing else.
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut told = Vec::new();
    while told.len() < 2 {
        let event = board.try_event(deadline).await.expect("the events come").expect("connected");
        told.push(event.1["call_info"]["state"].as_str().unwrap_or(&event.0).to_owned());
    }
    told.sort();
    assert_eq!(told, ["held", "holding"]);
    board.nothing_for(Duration::from_secs(3)).await;
    let list =
        board.must("CallControl/get_sip_calls_list", json!({"get_total": 1, "limit": 1})).await;
    assert_eq!(list["total"], 2000);
    assert_eq!(sim.phone("102").await["calls"].as_array().map(Vec::len), Some(1000));
}
