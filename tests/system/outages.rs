//! The store is away for a while.

use std::time::Duration;

use mesh::testing::eventually;
use serde_json::json;
use system_tests::{Client, Mesh};
use tokio::time::Instant;

#[tokio::test]
async fn a_minute_without_redis_under_a_thousand_live_calls_ends_none_of_them() {
    let mesh = Mesh::start().await;
    let sim = mesh.sim();
    sim.at_once("102").await;
    let mut board = Client::log_in(mesh.public(), "easymobile").await;
    let states = json!({"kinds": ["call_state"]});
    board.must("CallControl/enable_api_notifications", states).await;
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

/// Waits until sessions are told that notifications are `expected`.
async fn until_told(client: &mut Client, expected: &str) {
    eventually(Duration::from_secs(20), &format!("notifications are {expected}"), async || {
        let told = client.must("Session/get_session_data", json!({})).await;
        if told["notifications"] == expected { Ok(()) } else { Err(told.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn a_redis_without_memory_is_told_and_what_waited_is_written_when_it_has_some() {
    let mesh = Mesh::start().await;
    let sim = mesh.sim();
    sim.at_once("102").await;
    let mut board = Client::log_in(mesh.public(), "easymobile").await;
    let states = json!({"kinds": ["call_state"]});
    board.must("CallControl/enable_api_notifications", states).await;
    let call = json!({"call": {"id": sim.dial("101", "102").await["call_id"]}});
    board
        .call_states_until(|states| {
            states.iter().filter(|info| info["state"] == "connected").count() == 2
        })
        .await;

    mesh.redis.limit_memory(1).await;
    until_told(&mut board, "degraded").await;
    board.must("CallControl/hold_call", call.clone()).await;
    let listed = board.must("CallControl/get_sip_calls_list", json!({})).await;
    assert_eq!(listed["calls_list"][0]["state"], "connected", "reads go on, as of before");
    mesh.redis.limit_memory(0).await;

    let mut told = [board.call_state().await, board.call_state().await]
        .map(|info| info["state"].as_str().unwrap_or_default().to_owned());
    told.sort();
    assert_eq!(told, ["held", "holding"]);
    until_told(&mut board, "ok").await;
    board.must("CallControl/terminate_call", call).await;
    board.until_over(2).await;
}

#[tokio::test]
async fn a_redis_that_is_slow_for_a_while_makes_events_late_and_loses_none() {
    let mesh = Mesh::start().await;
    let sim = mesh.sim();
    sim.at_once("102").await;
    let mut board = Client::log_in(mesh.public(), "easymobile").await;
    let states = json!({"kinds": ["call_state"]});
    board.must("CallControl/enable_api_notifications", states).await;

    for _ in 0..3 {
        mesh.redis.slow_down(Duration::from_millis(700)).await;
        let placed = sim.dial("101", "102").await;
        let connected = |states: &[serde_json::Value]| {
            states.iter().filter(|info| info["state"] == "connected").count() == 2
        };
        let states = board.call_states_until(connected).await;
        let sequences: Vec<_> = states.iter().map(|info| info["sequence"].clone()).collect();
        let expected: Vec<_> = (1..=states.len()).map(|number| json!(number)).collect();
        assert_eq!(sequences, expected);
        let call = json!({"call": {"id": placed["call_id"]}});
        board.must("CallControl/terminate_call", call).await;
        board.until_over(2).await;
    }
}
