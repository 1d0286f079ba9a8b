//! Calls to access numbers, and what the store knows of who listens.

use std::time::Duration;

use ::http::Method;
use mesh::ledger::Ledger as _;
use mesh::testing::eventually;
use proto::call::v1::{CallInfo, State};
use proto::switch::v1::AnswerCall;
use proto::switch::v1::command_request::Command;
use serde_json::json;

use crate::harness::{ACCESS_NUMBER, I_CUSTOMER, Node, PATIENCE, World, named};

const CALLER: &str = "12065550100";

/// Somebody listens, for so long.
async fn listens(world: &World, seconds: u64) {
    let time = Duration::from_secs(seconds);
    world.ledger.note_presence(I_CUSTOMER, ACCESS_NUMBER, "app", time).await.unwrap();
}

async fn mary_calls(node: &Node) -> String {
    let call = json!({"from": CALLER, "to": ACCESS_NUMBER, "name": "Mary Smith"});
    let placed = node.sim(Method::POST, "/sim/trunk/call", call).await;
    placed["call_id"].as_str().unwrap().to_owned()
}

async fn until(world: &World, expected: State) {
    eventually(PATIENCE, "the state", || async {
        let states: Vec<_> = world.log().await.iter().map(CallInfo::state).collect();
        if states.last() == Some(&expected) { Ok(()) } else { Err(format!("{states:?}")) }
    })
    .await;
}

fn answer(call_id: &str) -> Command {
    Command::AnswerCall(AnswerCall { call: Some(named(call_id)) })
}

fn row(states: &str) -> String {
    format!("trunk | {CALLER} → {ACCESS_NUMBER} | incoming | true | {states}")
}

#[tokio::test]
async fn whoever_the_store_knows_to_listen_is_offered_the_call() {
    let world = World::new();
    let node = world.node().await;
    listens(&world, 60).await;

    let call = mary_calls(&node).await;
    until(&world, State::Ringing).await;
    let told = world.log().await;
    assert_eq!(told[0].access_number.as_deref(), Some(ACCESS_NUMBER));
    assert_eq!(told[0].callee.as_ref().unwrap().number, ACCESS_NUMBER);
    node.command(answer(&call)).await.unwrap();
    assert_eq!(node.command(answer(&call)).await.unwrap_err().reason, "WRONG_STATE");
    node.terminate(&call).await.unwrap();

    let states =
        "trying ringing connected terminated (487 Answer Leg Disconnected Via Call Control API)";
    world.rows_are(&call, &[&row(states)]).await;
    assert_eq!(world.records().await, 0);
}

#[tokio::test]
async fn an_application_that_the_store_forgets_has_gone() {
    let world = World::new();
    let node = world.node().await;
    listens(&world, 2).await;
    let call = mary_calls(&node).await;
    until(&world, State::Ringing).await;

    node.command(answer(&call)).await.unwrap();

    let states = "trying ringing connected terminated (480 Temporarily Unavailable)";
    world.rows_are(&call, &[&row(states)]).await;
}

#[tokio::test]
async fn a_store_that_is_away_keeps_nobody_from_answering() {
    let world = World::new();
    let node = world.node().await;
    world.ledger.set_reachable(false);

    let call = mary_calls(&node).await;
    let answered = || async { node.command(answer(&call)).await.map_err(|fault| fault.reason) };
    eventually(PATIENCE, "the offer", answered).await;
    world.ledger.set_reachable(true);
    listens(&world, 60).await;

    world.rows_are(&call, &[&row("trying ringing connected")]).await;
    node.terminate(&call).await.unwrap();
}
