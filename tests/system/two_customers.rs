//! A call between two customers: two calls, each of which is its own customer's business.

use std::time::Duration;

use mesh::testing::eventually;
use serde_json::{Value, json};
use system_tests::client::states_of;
use system_tests::{Client, Up};

#[tokio::test]
async fn who_takes_part_in_a_call_is_of_its_customer_and_each_hands_its_own_end_on() {
    let up = Up::start_with(&["--sim-speed", "0"]).await;
    for account in ["101", "202"] {
        up.sim.at_once(account).await;
    }
    up.sim.manual("201").await;
    let mut board = Client::subscribed(up.public, "easymobile").await;
    let mut bistro = Client::subscribed(up.public, "quicktasty").await;

    up.sim.dial("101", "201").await;
    let ours = board.call_states_until(|states| states.len() == 3).await;
    let theirs = bistro.call_states_until(|states| states_of(states, "201").len() == 2).await;
    let our_call = json!({"id": ours[0]["call"]["id"]});
    let their_call = json!({"id": theirs[0]["call"]["id"]});
    assert_ne!(our_call, their_call);

    // Neither has a use for the other's call, nor lends its phones to it.
    for (method, params, what) in [
        ("pickup_call", json!({"call": their_call, "account_id": "102"}), "call_not_found"),
        ("park_call", json!({"call": their_call}), "call_not_found"),
        ("redirect_call", json!({"call": their_call, "destination": "102"}), "call_not_found"),
        ("get_call_info", json!({"call": their_call}), "call_not_found"),
    ] {
        let fault = board.refused(&format!("CallControl/{method}"), params).await;
        assert_eq!(fault.faultcode(), format!("Client.CallControl.{method}.{what}"));
    }
    let with_ours = json!({"call": their_call, "account_id": "101"});
    let fault = bistro.refused("CallControl/pickup_call", with_ours).await;
    assert_eq!(fault.faultcode(), "Client.CallControl.pickup_call.account_not_found");

    up.sim.hand("201", "answer").await;
    let is_through =
        |states: &[Value]| states.iter().filter(|info| info["state"] == "connected").count() == 2;
    board.call_states_until(is_through).await;
    bistro.call_states_until(is_through).await;
    let listens = json!({"call": their_call, "mode": "spy", "account_id": "102"});
    let fault = board.refused("CallControl/supervise_call", listens).await;
    assert_eq!(fault.faultcode(), "Client.CallControl.supervise_call.call_not_found");
    let joined = json!({"call": our_call, "target_call": their_call});
    assert_eq!(board.refused("CallControl/transfer_call", joined).await.code(), -32004);

    // One end is handed on; the other customer's call stays what it is.
    let to_202 = json!({"call": their_call, "destination": "202"});
    bistro.must("CallControl/transfer_call", to_202).await;
    bistro
        .call_states_until(|states| {
            states_of(states, "202").last().is_some_and(|state| state == "connected")
        })
        .await;
    eventually(Duration::from_secs(10), "Alice hears who came", || async {
        let hears = up.sim.hears("101").await;
        if hears == json!(["202"]) { Ok(()) } else { Err(hears.to_string()) }
    })
    .await;
    assert_eq!(up.sim.hears("202").await, json!(["101"]));
    let listed = board.must("CallControl/get_sip_calls_list", json!({})).await;
    let legs = listed["calls_list"].as_array().unwrap();
    assert_eq!(legs.len(), 2, "{listed}");
    for leg in legs {
        assert_eq!(leg["call"]["id"], our_call["id"]);
        assert_eq!(leg["state"], "connected");
        let callee = leg["callee"].as_object().unwrap();
        assert!(callee.keys().all(|key| key == "number" || key == "name"), "{leg}");
    }

    // Either end ends both calls.
    up.sim.hand("202", "hangup").await;
    for client in [&mut board, &mut bistro] {
        client
            .call_states_until(|states| {
                let ends = states.iter().filter(|info| info["state"] == "terminated");
                ends.filter(|info| info["reason_code"] == 487).count() == 2
            })
            .await;
    }
}
