//! A `request_id` that comes again: on another edge, while the first attempt is under way, after a
//! crash of callcontrol or of the node, and with the store away.
//!
//! A node that is frozen is how an attempt stays between its record and its answer.

use std::time::Duration;

use mesh::testing::eventually;
use serde_json::{Value, json};
use system_tests::client::PATIENCE;
use system_tests::{Client, Mesh};

use crate::raw::call;

const ORIGINATE: &str = "CallControl/originate_call";

fn originate(request_id: &str) -> Value {
    json!({"account_id": "101", "destination": "102", "request_id": request_id})
}

/// Waits until `count` ids are in the store, for customer 1.
async fn until_noted(mesh: &Mesh, count: usize) {
    let connection = mesh.redis.connection().await;
    eventually(PATIENCE, "the ids are noted", || async {
        let mut connection = connection.clone();
        let keys = redis::cmd("KEYS").arg("*:once:1").query_async(&mut connection).await;
        let keys: Vec<String> = keys.map_err(|error| error.to_string())?;
        let key = keys.first().ok_or("none is")?;
        let noted = redis::cmd("HLEN").arg(key).query_async(&mut connection).await;
        let noted: usize = noted.map_err(|error| error.to_string())?;
        if noted == count { Ok(()) } else { Err(format!("{noted} of {count}")) }
    })
    .await;
}

/// The calls that there are, each once.
async fn calls(client: &mut Client) -> Vec<Value> {
    let list = client.must("CallControl/get_sip_calls_list", json!({})).await;
    let legs = list["calls_list"].as_array().unwrap();
    let mut ids: Vec<_> = legs.iter().map(|leg| leg["call"]["id"].clone()).collect();
    ids.dedup();
    ids
}

/// Asks again until the answer is one that stays.
async fn until_final(client: &mut Client, params: &Value) -> Value {
    eventually(PATIENCE, "the call is placed", async || {
        client.call(ORIGINATE, params.clone()).await.unwrap().map_err(|fault| {
            assert!(fault.0["data"]["retryable"] == true, "{fault:?}");
            format!("{fault:?}")
        })
    })
    .await
}

fn is_unknown(fault: &Value) {
    assert_eq!((&fault["code"], &fault["data"]["outcome"]), (&json!(-32051), &json!("unknown")));
}

#[tokio::test]
async fn an_id_means_one_call_on_every_edge_also_while_it_is_under_way() {
    let mesh = Mesh::start().await;
    let (_edge, other) = mesh.another_edge().await;
    for account in ["101", "102"] {
        mesh.sim().manual(account).await;
    }
    let mut board = Client::subscribed(mesh.public(), "easymobile").await;
    let mut alice = Client::subscribed(other, "101").await;
    let login = json!({"login": "easymobile", "password": "cordboard"});
    let tokens = call(other, "Session/login", login, json!({})).await.body;
    let token = json!({"access_token": tokens["access_token"]});

    // Answered here, asked again there: over a socket and over REST, by customer and account.
    let first = board.must(ORIGINATE, originate("r1")).await;
    assert_eq!(alice.must(ORIGINATE, originate("r1")).await, first);
    let again = call(other, ORIGINATE, originate("r1"), token.clone()).await;
    assert_eq!((again.status, &again.body), (200, &first));
    let elsewhere = json!({"account_id": "101", "destination": "103", "request_id": "r1"});
    let fault = alice.refused(ORIGINATE, elsewhere).await;
    assert_eq!(
        (fault.code(), fault.faultcode()),
        (-32602, "Client.CallControl.originate_call.request_id_reused")
    );
    assert_eq!(calls(&mut board).await, [first["call"]["id"].clone()]);

    // Under way here, joined there.
    let switch = mesh.service("switch");
    switch.signal("STOP");
    let wakes = async {
        until_noted(&mesh, 2).await;
        switch.signal("CONT");
    };
    let (here, there, over_rest, ()) = tokio::join!(
        board.must(ORIGINATE, originate("r2")),
        alice.must(ORIGINATE, originate("r2")),
        call(other, ORIGINATE, originate("r2"), token),
        wakes
    );
    assert_eq!((&there, &over_rest.body), (&here, &here));
    let expected = [first["call"]["id"].clone(), here["call"]["id"].clone()];
    assert_eq!(calls(&mut board).await, expected);
}

#[tokio::test]
async fn a_callcontrol_that_dies_between_record_and_answer_leaves_one_call() {
    let mut mesh = Mesh::start().await;
    mesh.sim().manual("101").await;
    let mut board = Client::subscribed(mesh.public(), "easymobile").await;

    mesh.service("switch").signal("STOP");
    let (first, ()) = tokio::join!(board.call(ORIGINATE, originate("r1")), async {
        until_noted(&mesh, 1).await;
        mesh.service("callcontrol").signal("KILL");
    });
    let fault = first.unwrap().unwrap_err().0;
    assert!(fault["data"]["retryable"] == true || fault["data"]["outcome"] == "unknown", "{fault}");
    mesh.service("switch").signal("CONT");
    mesh.kill("callcontrol");
    mesh.start_service("callcontrol").await;

    let answer = until_final(&mut board, &originate("r1")).await;
    assert_eq!(until_final(&mut board, &originate("r1")).await, answer);
    assert_eq!(calls(&mut board).await, [answer["call"]["id"].clone()]);
    assert_eq!(mesh.sim().phone("101").await["calls"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn an_id_whose_node_was_lost_is_of_unknown_outcome_for_good() {
    let mut mesh = Mesh::start_with(&["switch.lease=2s"]).await;
    mesh.sim().manual("101").await;
    let mut board = Client::subscribed(mesh.public(), "easymobile").await;

    mesh.service("switch").signal("STOP");
    let (first, ()) = tokio::join!(board.call(ORIGINATE, originate("r1")), async {
        until_noted(&mesh, 1).await;
        mesh.service("switch").signal("KILL");
    });
    is_unknown(&first.unwrap().unwrap_err().0);
    is_unknown(&board.refused(ORIGINATE, originate("r1")).await.0);

    // A later process of the same name has not done it, and does not do it now.
    mesh.kill("switch");
    mesh.start_service("switch").await;
    mesh.sim().manual("101").await;
    is_unknown(&board.refused(ORIGINATE, originate("r1")).await.0);
    assert!(calls(&mut board).await.is_empty());
    let next = until_final(&mut board, &originate("r2")).await;
    is_unknown(&board.refused(ORIGINATE, originate("r1")).await.0);
    assert_eq!(calls(&mut board).await, [next["call"]["id"].clone()]);
}

#[tokio::test]
async fn without_the_store_an_id_is_refused_and_nothing_is_done() {
    let mesh = Mesh::start().await;
    mesh.sim().at_once("102").await;
    let mut board = Client::subscribed(mesh.public(), "easymobile").await;
    let placed = mesh.sim().dial("101", "102").await;
    board
        .call_states_until(|states| {
            states.iter().filter(|info| info["state"] == "connected").count() == 2
        })
        .await;
    let hold = json!({"call": {"id": placed["call_id"]}, "request_id": "r1"});

    mesh.redis.pause().await;
    let fault = board.refused("CallControl/hold_call", hold.clone()).await;
    assert_eq!((fault.code(), &fault.0["data"]["retryable"]), (-32050, &json!(true)));
    let without = json!({"call": {"id": placed["call_id"]}});
    let info = board.must("CallControl/get_call_info", without).await;
    assert!(info.to_string().contains("connected") && !info.to_string().contains("held"), "{info}");
    mesh.redis.resume().await;

    eventually(PATIENCE, "the store is back", async || {
        board.call("CallControl/hold_call", hold.clone()).await.unwrap().map_err(|fault| {
            assert_eq!(fault.code(), -32050, "{fault:?}");
            format!("{fault:?}")
        })
    })
    .await;
    board.must("CallControl/hold_call", hold).await;
    let held = board.call_states_until(|states| states.len() == 2).await;
    assert!(held.iter().all(|info| info["caused_by"]["request_id"] == "r1"), "{held:?}");
    board.nothing_for(Duration::from_millis(100)).await;
}
