//! Many at once, on several threads: commands, hands on phones, and a node that is taken for lost
//! in the middle of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::http::Method;
use futures::future::join_all;
use mesh::ledger::Ledger as _;
use mesh::testing::eventually;
use proto::call::v1::State;
use proto::switch::v1::TransferCall;
use proto::switch::v1::command_request::Command;
use serde_json::json;

use crate::harness::{Node, PATIENCE, World, named};

const ROUNDS: usize = 12;
const AT_ONCE: usize = 24;

/// One person's or application's doing; whatever it comes to.
async fn act(node: &Node, number: usize) {
    let accounts = ["101", "102", "103", "104"];
    let from = accounts[number % 4];
    let to = accounts[(number / 4 + 1) % 4];
    let hand = |account: &'static str, hand: &'static str| async move {
        let path = format!("/sim/phones/{account}/{hand}");
        drop(node.request("sim", Method::POST, &path, "{}").await);
    };
    let dial = json!({ "destination": to }).to_string();
    match number % 7 {
        0 => {
            let path = format!("/sim/phones/{from}/dial");
            drop(node.request("sim", Method::POST, &path, dial).await);
        }
        1 => hand(from, "hangup").await,
        2 => hand(from, "hold").await,
        _ => {
            let Ok(done) = node.send(&node.originate_of(from, to)).await else { return };
            let call_id = done.legs[0].call.clone().unwrap().id;
            drop(node.hold(&call_id).await);
            let transfer = TransferCall {
                call: Some(named(&call_id)),
                destination: Some("12065550100".to_owned()),
                target_call: None,
            };
            if number.is_multiple_of(3) {
                drop(node.command(Command::TransferCall(transfer)).await);
            }
            drop(tokio::join!(node.terminate(&call_id), node.terminate(&call_id)));
        }
    }
}

async fn everybody_acts(node: &Arc<Node>) {
    for round in 0..ROUNDS {
        let acting = (0..AT_ONCE).map(|number| {
            let node = Arc::clone(node);
            node.world.tasks.clone().spawn(async move { act(&node, round * 5 + number).await })
        });
        join_all(acting).await;
    }
}

async fn everybody_hangs_up(node: &Node) {
    let world = &node.world;
    eventually(PATIENCE, "every call is over", || async {
        for account in ["101", "102", "103", "104"] {
            let path = format!("/sim/phones/{account}/hangup");
            drop(node.request("sim", Method::POST, &path, "{}").await);
        }
        let records = world.records().await;
        let leases = world.ledger.leases().await.unwrap();
        let load: u64 = leases.iter().map(|lease| lease.load).sum();
        if (records, load) == (0, 0) { Ok(()) } else { Err(format!("{records} {load}")) }
    })
    .await;
}

/// Sequences without a hole, and exactly one `terminated` a leg, its last.
async fn the_log_is_sound(world: &World) {
    let mut sequences: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut legs: BTreeMap<(String, String), Vec<State>> = BTreeMap::new();
    for info in world.log().await {
        let call = info.call.clone().unwrap();
        sequences.entry(call.id.clone()).or_default().push(info.sequence);
        legs.entry((call.id, call.tag.unwrap())).or_default().push(info.state());
    }
    assert!(sequences.len() > 50, "{} calls", sequences.len());
    for (call, told) in sequences {
        let expected: Vec<_> = (1..=i64::try_from(told.len()).unwrap()).collect();
        assert_eq!(told, expected, "{call}");
    }
    for (leg, states) in legs {
        let ends = states.iter().filter(|state| **state == State::Terminated).count();
        assert_eq!((ends, states.last()), (1, Some(&State::Terminated)), "{leg:?}: {states:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_many_do_at_once_the_log_is_sound() {
    let world = World::new();
    let node = Arc::new(world.node().await);

    everybody_acts(&node).await;
    everybody_hangs_up(&node).await;

    the_log_is_sound(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_taken_for_lost_amid_it_leaves_a_sound_log() {
    let world = World::new();
    let node = Arc::new(world.node().await);

    let sweep = async {
        eventually(PATIENCE, "calls are there", || async {
            let records = world.records().await;
            if records > 5 { Ok(()) } else { Err(format!("{records}")) }
        })
        .await;
        world.sweep().await;
    };
    tokio::join!(everybody_acts(&node), sweep);
    everybody_acts(&node).await;
    everybody_hangs_up(&node).await;

    the_log_is_sound(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_stops_amid_it_leaves_a_sound_log() {
    let world = World::new();
    let node = Arc::new(world.node().await);

    everybody_acts(&node).await;
    let stop = async {
        eventually(PATIENCE, "calls are there", || async {
            let records = world.records().await;
            if records > 5 { Ok(()) } else { Err(format!("{records}")) }
        })
        .await;
        node.stop.cancel();
    };
    tokio::join!(everybody_acts(&node), stop);
    eventually(PATIENCE, "it has stopped", || async {
        if world.lease().await.is_none() { Ok(()) } else { Err("it has not".to_owned()) }
    })
    .await;

    assert_eq!(world.records().await, 0);
    the_log_is_sound(&world).await;
}
