//! The store goes away, and comes back with more or less than it had.

use mesh::ledger::Ledger as _;
use mesh::testing::eventually;
use proto::call::v1::{CallInfo, State};
use switch::Config;

use crate::harness::{PATIENCE, World};

#[tokio::test]
async fn commands_go_on_while_the_store_is_away_and_are_told_when_it_is_back() {
    let world = World::new();
    let node = world.node().await;
    let held = node.talking().await;
    world.ledger.set_reachable(false);

    node.hold(&held).await.unwrap();
    let begun = node.talking().await;
    node.terminate(&begun).await.unwrap();
    let degraded = node.readiness.report();
    assert!(node.readiness.is_ready(), "{degraded}");
    world.ledger.set_reachable(true);

    let by_api = "terminated (487 Answer Leg Disconnected Via Call Control API)";
    let legs = [
        format!("101 | 101 → 102 | outgoing | false | trying ringing early connected {by_api}"),
        format!("102 | 101 → 102 | incoming | false | trying ringing connected {by_api}"),
    ];
    world.rows_are(&begun, &[&legs[0], &legs[1]]).await;
    let states: Vec<_> = world.log().await.iter().map(CallInfo::state).collect();
    assert!(states.contains(&State::Holding) && states.contains(&State::Held));
    assert_eq!(world.records().await, 2);
}

#[tokio::test]
async fn a_node_serves_before_it_can_join() {
    let world = World::new();
    world.ledger.set_reachable(false);
    let node = world.node_that_may_not_join(Config::default());

    let call = node.talking().await;
    node.hold(&call).await.unwrap();
    world.ledger.set_reachable(true);
    node.has_joined().await;

    let expected = [
        "101 | 101 → 102 | outgoing | false | trying ringing early connected holding",
        "102 | 101 → 102 | incoming | false | trying ringing connected held",
    ];
    world.rows_are(&call, &expected).await;
    assert_eq!(world.records().await, 2);
}

#[tokio::test]
async fn a_store_that_comes_back_empty_gets_the_calls_that_are_there() {
    let world = World::new();
    let node = world.node().await;
    let call = node.talking().await;

    world.ledger.forget_everything();
    eventually(PATIENCE, "the calls are written again", || async {
        let records = world.records().await;
        if records == 2 { Ok(()) } else { Err(format!("{records}")) }
    })
    .await;

    let states: Vec<_> = world.log().await.iter().map(CallInfo::state).collect();
    assert_eq!(states, [State::Connected; 2]);
    node.terminate(&call).await.unwrap();
    assert_eq!(world.records().await, 0);
}

#[tokio::test]
async fn a_lease_that_the_store_forgot_is_taken_again() {
    let world = World::new();
    let node = world.node().await;
    let call = node.talking().await;

    world.ledger.forget_everything();
    eventually(PATIENCE, "the lease is there again", || async {
        let lease = world.lease().await;
        if lease == Some(1) { Ok(()) } else { Err(format!("{lease:?}")) }
    })
    .await;

    assert!(node.get(&call).await.is_ok());
    let leases = world.ledger.leases().await.unwrap();
    assert_eq!(leases.len(), 1);
}
