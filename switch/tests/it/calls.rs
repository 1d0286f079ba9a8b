//! Calls from the command, or the phone, to the log.

use ::http::Method;
use proto::call::v1::State;
use serde_json::{Value, json};

use crate::harness::World;

#[tokio::test]
async fn an_originated_call_is_told_as_the_contract_says() {
    let world = World::new();
    let node = world.node().await;

    let call = node.talking().await;
    let early_and_connected = [
        "101 | 101 → 102 | outgoing | false | trying ringing early connected",
        "102 | 101 → 102 | incoming | false | trying ringing connected",
    ];
    world.rows_are(&call, &early_and_connected).await;
    assert_eq!(world.records().await, 2);
    assert_eq!(node.hears("101").await, json!(["102"]));
    assert_eq!(node.hears("102").await, json!(["101"]));
    node.terminate(&call).await.unwrap();

    let by_api = "terminated (487 Answer Leg Disconnected Via Call Control API)";
    let ended = early_and_connected.map(|row| format!("{row} {by_api}"));
    world.rows_are(&call, &[&ended[0], &ended[1]]).await;
    assert_eq!(world.records().await, 0);
    node.phone_is_idle("101").await;
    node.phone_is_idle("102").await;
}

#[tokio::test]
async fn every_event_names_the_command_that_caused_it_and_its_site() {
    let world = World::new();
    let node = world.node().await;
    let call = node.talking().await;
    let before = world.log().await.len();

    node.hold(&call).await.unwrap();

    let log = world.log().await;
    let told = &log[before..];
    assert_eq!(told.len(), 2, "in the log when it is answered");
    for info in told {
        assert_eq!(info.caused_by.as_ref().unwrap().login, "easymobile");
        assert_eq!(info.caused_by.as_ref().unwrap().method, "CallControl/method");
        assert_eq!(info.site, "main");
    }
    assert_eq!([told[0].state(), told[1].state()], [State::Holding, State::Held]);
    assert_eq!(node.hears("102").await, json!("music"), "its effect is there when answered");
    assert_eq!(node.hears("101").await, json!("silence"));
}

#[tokio::test]
async fn a_phone_that_dials_is_told_which_call_that_became() {
    let world = World::new();
    let node = world.node().await;
    node.behave("102", "manual").await;

    let call = node.dial("101", "102").await;
    node.hand("102", "answer").await;
    node.hand("101", "hangup").await;

    let expected = [
        "101 | 101 → 102 | outgoing | false | trying early connected terminated \
         (487 BYE Received)",
        "102 | 101 → 102 | incoming | false | trying ringing connected terminated \
         (487 BYE Received)",
    ];
    world.rows_are(&call, &expected).await;
}

#[tokio::test]
async fn a_call_from_the_trunk_reaches_the_account() {
    let world = World::new();
    let node = world.node().await;

    let body = json!({ "from": "12065550100", "to": "101", "name": "Mary Smith" });
    let placed = node.sim(Method::POST, "/sim/trunk/call", body).await;
    let call = placed["call_id"].as_str().unwrap();

    let expected = [
        "trunk | 12065550100 → 101 | incoming | true | trying early connected",
        "101 | 12065550100 → 101 | incoming | false | trying ringing connected",
    ];
    world.rows_are(call, &expected).await;
}

#[tokio::test]
async fn calls_that_cannot_be_end_with_their_reasons() {
    let world = World::new();
    let node = world.node().await;
    node.behave("103", "busy").await;
    node.behave("104", "unregistered").await;

    for (from, to, legs) in [
        (
            "105",
            "102",
            vec!["105 | 105 → 102 | outgoing | false | trying terminated (403 Auth Failed)"],
        ),
        (
            "101",
            "999",
            vec!["101 | 101 → 999 | outgoing | false | trying terminated (404 Not Found)"],
        ),
        (
            "104",
            "101",
            vec![
                "104 | 104 → 101 | outgoing | false | trying terminated (480 Temporarily Unavailable)",
            ],
        ),
        (
            "101",
            "103",
            vec![
                "101 | 101 → 103 | outgoing | false | trying ringing early terminated (486 Busy Here)",
                "103 | 101 → 103 | incoming | false | trying terminated (486 Busy Here)",
            ],
        ),
    ] {
        let call = node.originate(from, to).await;
        world.rows_are(&call, &legs).await;
    }
    assert_eq!(world.records().await, 0);
}

#[tokio::test]
async fn a_call_between_two_customers_is_two_calls() {
    let world = World::new();
    let node = world.node().await;

    let call = node.dial("101", "201").await;

    let expected = [
        "101 | 101 → 201 | outgoing | false | trying early connected",
        "trunk | 101 → 201 | outgoing | true | trying ringing connected",
    ];
    world.rows_are(&call, &expected).await;
    assert_eq!(node.hears("101").await, json!(["201"]));
    assert_eq!(node.hears("201").await, json!(["101"]));
    let theirs = node.sim(Method::GET, "/sim/phones/201", Value::Null).await;
    assert_ne!(theirs["call_id"], call.as_str());
}

#[tokio::test]
async fn operations_that_get_lost_on_the_way_to_the_switch_are_made_up_for() {
    let world = World::new();
    let node = world.node().await;
    let call = node.talking().await;

    let fault = json!({ "kind": "drop_commands", "count": 2 });
    node.sim(Method::POST, "/sim/faults", fault).await;
    node.hold(&call).await.unwrap();

    assert_eq!(node.hears("102").await, json!("music"));
    assert_eq!(node.hears("101").await, json!("silence"));
}
