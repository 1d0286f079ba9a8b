//! A client that is cut off misses nothing.

use serde_json::{Value, json};
use system_tests::{Client, Up};

#[tokio::test]
async fn a_client_cut_off_twelve_times_in_the_middle_of_calls_has_every_event_in_order() {
    let up = Up::start().await;
    for account in ["101", "102", "103"] {
        up.sim.at_once(account).await;
    }
    let mut witness = Client::subscribed(up.public, "easymobile").await;
    let mut board = Client::log_in(up.public, "easymobile").await;
    let enabled = board.must("CallControl/enable_api_notifications", json!({})).await;
    let mut cursor = enabled["cursor"].clone();
    let mut seen: Vec<Value> = Vec::new();

    for round in 0..12 {
        // Calls go on while the client is there, while it is away, and while it comes back.
        let mut commander = Client::log_in(up.public, "101").await;
        let started = commander
            .must(
                "CallControl/originate_call",
                json!({"destination": if round % 2 == 0 { "102" } else { "103" }}),
            )
            .await;
        for _ in 0..=(round % 4) {
            let params = next_state(&mut board).await;
            cursor = params["event_id"].clone();
            seen.push(params["call_info"].clone());
        }
        drop(board);
        let call = json!({"call": {"id": started["call"]["id"]}});
        commander.must("CallControl/terminate_call", call).await;
        board = Client::log_in(up.public, "easymobile").await;
        let resume = json!({"resume_from": cursor});
        board.must("CallControl/enable_api_notifications", resume).await;
    }
    let everything = witness.until_over(count_legs(&mut board, &mut seen, &mut cursor).await).await;

    assert_eq!(keys(&seen), keys(&everything));
}

/// Takes the rest of the events until every call that was seen is over; gives the number of legs.
async fn count_legs(board: &mut Client, seen: &mut Vec<Value>, cursor: &mut Value) -> usize {
    loop {
        let calls: std::collections::BTreeSet<_> =
            seen.iter().map(|info| info["call"]["id"].to_string()).collect();
        let tags: std::collections::BTreeSet<_> =
            seen.iter().map(|info| info["call"]["tag"].to_string()).collect();
        let ended = seen.iter().filter(|info| info["state"] == "terminated").count();
        if calls.len() == 12 && ended == tags.len() {
            return ended;
        }
        let params = next_state(board).await;
        *cursor = params["event_id"].clone();
        seen.push(params["call_info"].clone());
    }
}

/// The params of the next `call_state`.
async fn next_state(board: &mut Client) -> Value {
    loop {
        let (method, params) = board.event().await;
        if method == "CallControl/call_state" {
            return params;
        }
    }
}

/// What identifies an event, in order.
fn keys(events: &[Value]) -> Vec<(String, u64, String)> {
    events
        .iter()
        .map(|info| {
            (
                info["call"]["id"].to_string(),
                info["sequence"].as_u64().unwrap_or_default(),
                info["state"].to_string(),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_cursor_that_is_none_of_ours_is_refused_and_an_old_one_is_answered_by_a_gap() {
    let up = Up::start().await;
    let mut board = Client::log_in(up.public, "easymobile").await;

    let rubbish = json!({"resume_from": "not-one-of-ours"});
    let fault = board.refused("CallControl/enable_api_notifications", rubbish).await;
    assert_eq!((fault.code(), fault.0["data"]["params"].clone()), (-32602, json!(["resume_from"])));

    let other = Up::start().await;
    let mut elsewhere = Client::log_in(other.public, "easymobile").await;
    let foreign = elsewhere.must("CallControl/enable_api_notifications", json!({})).await;
    let resume = json!({"resume_from": foreign["cursor"]});
    let enabled = board.must("CallControl/enable_api_notifications", resume).await;
    assert_eq!(enabled["success"], 1);
    let (method, gap) = board.event().await;
    assert_eq!(method, "CallControl/notifications_gap");
    assert_eq!(
        (&gap["reason"], &gap["subscription_id"]),
        (&json!("log_lost"), &enabled["subscription_id"])
    );
    assert!(gap["cursor"].is_string());
}

#[tokio::test]
async fn a_snapshot_is_a_list_also_when_there_is_no_call() {
    let up = Up::start().await;
    let mut board = Client::log_in(up.public, "easymobile").await;

    let asked = json!({"include_snapshot": 1});
    let with = board.must("CallControl/enable_api_notifications", asked).await;
    let without = board.must("CallControl/enable_api_notifications", json!({})).await;

    assert_eq!(with["calls_list"], json!([]));
    assert!(without.get("calls_list").is_none());
}
