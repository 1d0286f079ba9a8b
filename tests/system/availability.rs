//! Whether phones are free, as lists and events say.

use serde_json::{Value, json};
use system_tests::{Client, Up};

async fn listed(client: &mut Client, account: &str) -> Value {
    let answer = client.must("Account/get_account_list", json!({"id": account})).await;
    answer["account_list"][0]["availability"].clone()
}

/// The next that is told of a phone, as `101 busy`.
async fn told(client: &mut Client) -> String {
    loop {
        let (method, params) = client.event().await;
        if method == "CallControl/availability" {
            assert!(params["event_id"].is_string() && params["subscription_id"].is_string());
            assert_eq!(params.as_object().unwrap().len(), 4, "never more: {params}");
            return format!(
                "{} {}",
                params["account_id"].as_str().unwrap(),
                params["availability"].as_str().unwrap()
            );
        }
    }
}

#[tokio::test]
async fn lists_and_events_say_which_phones_are_free() {
    let up = Up::start().await;
    up.sim.manual("102").await;
    let mut board = Client::log_in(up.public, "easymobile").await;
    board.must("CallControl/enable_api_notifications", json!({"kinds": ["availability"]})).await;
    let mut bob = Client::log_in(up.public, "102").await;
    let mut carol = Client::log_in(up.public, "103").await;
    carol.must("CallControl/enable_api_notifications", json!({"kinds": ["availability"]})).await;
    assert_eq!(listed(&mut board, "101").await, "available");

    let call = up.sim.dial("101", "102").await;
    assert_eq!(told(&mut board).await, "101 busy");
    assert_eq!(told(&mut board).await, "102 ringing");
    assert_eq!(listed(&mut bob, "102").await, "ringing");
    up.sim.hand("102", "answer").await;
    assert_eq!(told(&mut board).await, "102 busy");
    assert_eq!(listed(&mut bob, "101").await, "busy", "colleagues see it in the list");
    let info = bob.must("Account/get_account_info", json!({"id": "101"})).await;
    assert_eq!(info["account_info"]["availability"], "busy");
    board.must("CallControl/terminate_call", json!({"call": {"id": call["call_id"]}})).await;
    let mut free = [told(&mut board).await, told(&mut board).await];
    free.sort();
    assert_eq!(free, ["101 available", "102 available"]);
    assert_eq!(listed(&mut board, "102").await, "available");

    up.sim.set("103", json!({"behaviour": "unregistered"})).await;
    assert_eq!(listed(&mut bob, "103").await, "unregistered");
    assert_eq!(told(&mut board).await, "103 unregistered");
    assert_eq!(told(&mut carol).await, "103 unregistered", "the first that Carol's own scope has");
    up.sim.set("103", json!({"behaviour": "manual"})).await;
    assert_eq!(told(&mut board).await, "103 available");
    assert_eq!(listed(&mut bob, "103").await, "available");
}
