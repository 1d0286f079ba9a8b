//! The life of a node: taken for lost, stopped, started again.

use std::time::Duration;

use mesh::ledger::{Home, Ledger as _};
use mesh::testing::eventually;
use proto::call::v1::State;
use switch::Config;
use tonic::Code;

use crate::harness::{I_CUSTOMER, NODE, PATIENCE, World};

#[tokio::test]
async fn a_node_that_was_taken_for_lost_drops_its_calls_and_joins_anew() {
    let world = World::new();
    let node = world.node().await;
    let call = node.talking().await;
    assert_eq!(world.lease().await, Some(1));

    world.sweep().await;
    let swept = world.rows(&call).await;
    eventually(PATIENCE, "a new lease", || async {
        let lease = world.lease().await;
        if lease == Some(2) { Ok(()) } else { Err(format!("{lease:?}")) }
    })
    .await;

    assert!(swept.iter().all(|row| row.ends_with("terminated (503 Switch Lost)")), "{swept:?}");
    assert_eq!(world.rows(&call).await, swept, "it writes nothing more of them");
    node.phone_is_idle("101").await;
    node.phone_is_idle("102").await;
    let fault = node.get(&call).await.unwrap_err();
    assert_eq!(fault.reason, "CALL_NOT_FOUND");
    let next = node.talking().await;
    assert_eq!(world.rows(&next).await.len(), 2);
    assert_eq!(world.records().await, 2);
}

#[tokio::test]
async fn a_node_that_is_fenced_learns_it_by_its_next_event() {
    let world = World::new();
    let node = world.node().await;
    let call = node.talking().await;
    let log = world.log().await;

    for partition in 0..world.ledger.partitions() {
        world.ledger.fence(partition, NODE, 1).await.unwrap();
    }
    let held = node.hold(&call).await.unwrap_err();

    assert_eq!((held.code, held.reason.as_str()), (Code::Unavailable as i32, "SWITCH_STOPPING"));
    node.phone_is_idle("101").await;
    // What it has in the store was ended when it joined again.
    eventually(PATIENCE, "a new lease", || async {
        let lease = world.lease().await;
        if lease == Some(2) { Ok(()) } else { Err(format!("{lease:?}")) }
    })
    .await;
    let told = world.log().await;
    let after: Vec<_> =
        told[log.len()..].iter().map(|info| (info.state(), info.reason_code)).collect();
    assert_eq!(after, [(State::Terminated, Some(503)); 2]);
}

#[tokio::test]
async fn a_node_that_stops_ends_its_calls_and_gives_its_lease_back() {
    let world = World::new();
    let node = world.node().await;
    let call = node.talking().await;

    node.stopped().await;

    let rows = world.rows(&call).await;
    assert_eq!(
        rows,
        [
            "101 | 101 → 102 | outgoing | false | trying ringing early connected terminated \
             (503 Switch Lost)",
            "102 | 101 → 102 | incoming | false | trying ringing connected terminated \
             (503 Switch Lost)",
        ]
    );
    assert_eq!((world.records().await, world.lease().await), (0, None));
}

#[tokio::test]
async fn a_node_stops_though_the_store_is_away() {
    let world = World::new();
    let config = Config { drain_timeout: Duration::from_millis(300), ..Config::default() };
    let node = world.node_that_may_not_join(config);
    node.has_joined().await;
    node.talking().await;

    world.ledger.set_reachable(false);

    node.stopped().await;
}

#[tokio::test]
async fn a_node_stops_though_it_never_joined() {
    let world = World::new();
    world.ledger.set_reachable(false);
    let node = world.node_that_may_not_join(Config::default());
    node.talking().await;

    node.stopped().await;
}

#[tokio::test]
async fn a_node_that_starts_again_ends_what_its_earlier_life_left() {
    let world = World::new();
    let node = world.node().await;
    let call = node.talking().await;

    node.dies().await;
    assert_eq!(world.records().await, 2);
    let _again = world.node().await;

    let rows = world.rows(&call).await;
    assert!(rows.iter().all(|row| row.ends_with("terminated (503 Switch Lost)")), "{rows:?}");
    assert_eq!((world.records().await, world.lease().await), (0, Some(2)));
}

#[tokio::test]
async fn a_customer_of_another_living_node_is_not_served() {
    let world = World::new();
    let node = world.node().await;
    let elsewhere = mesh::ledger::NodeLease {
        node: "main-1".to_owned(),
        epoch: 0,
        address: "memory:other".to_owned(),
        site: "main".to_owned(),
        load: 0,
        accepting: true,
        remaining: Duration::ZERO,
    };
    let epoch = world.ledger.renew_lease(&elsewhere, Duration::from_mins(1)).await.unwrap();
    let home = Home { node: "main-1".to_owned(), node_epoch: epoch };
    world.ledger.set_home(I_CUSTOMER, None, &home).await.unwrap();

    let fault = node.send(&node.originate_of("101", "102")).await.unwrap_err();

    assert_eq!((fault.code, fault.reason.as_str()), (Code::Unavailable as i32, "WRONG_NODE"));
    assert_eq!(fault.metadata["node"], "main-1");
    world.ledger.remove_lease("main-1", epoch).await.unwrap();
    let call = node.talking().await;
    assert_eq!(world.rows(&call).await.len(), 2);
}
