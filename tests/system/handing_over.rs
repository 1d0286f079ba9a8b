//! Redirects, transfers, two-leg connections, parking, pickup and supervision, from outside.

use serde_json::{Value, json};
use system_tests::client::{states_of, states_of_trunk};
use system_tests::{Client, Up};

/// The wallboard of the whole PBX, on a system whose phones answer at once.
async fn wallboard() -> (Up, Client) {
    let up = Up::start_with(&["--sim-speed", "0", "--pstn-answer-ms", "0"]).await;
    for account in ["101", "102", "103", "104", "201"] {
        up.sim.at_once(account).await;
    }
    let client = Client::subscribed(up.public, "easymobile").await;
    (up, client)
}

fn connected(states: &[Value], account: &str) -> bool {
    states_of(states, account).last().is_some_and(|state| state == "connected")
}

fn last_of(states: &[Value], is_of: impl Fn(&Value) -> bool) -> &Value {
    states.iter().rev().find(|info| is_of(info)).expect("the leg was told")
}

#[tokio::test]
async fn a_blind_transfer_takes_the_trunk_to_another_account() {
    let (up, mut board) = wallboard().await;
    let placed = up.sim.trunk_call("12065550100", "101", "Peter").await;
    let call = json!({"id": placed["call_id"]});
    let mut all = board.call_states_until(|states| connected(states, "101")).await;
    let before = all[0]["tracking_id"].clone();

    let params = json!({"call": call, "destination": "102"});
    let done = board.must("CallControl/transfer_call", params).await;
    all.extend(
        board
            .call_states_until(|states| {
                states_of(states, "101").contains(&"terminated".to_owned())
                    && connected(states, "102")
            })
            .await,
    );

    assert_eq!(done["previous_tracking_id"], before);
    assert_ne!(done["tracking_id"], before);
    assert_eq!(states_of_trunk(&all), ["trying", "early", "connected", "early", "connected"]);
    let of_101: Vec<_> = states_of(&all, "101");
    assert_eq!(of_101, ["trying", "ringing", "connected", "transferred", "terminated"]);
    assert_eq!(states_of(&all, "102"), ["trying", "ringing", "connected"]);
    let trunk = last_of(&all, |info| info["is_external_call"] == true);
    assert_eq!(trunk["callee"]["number"], "102");
    assert_eq!(
        (&trunk["tracking_id"], &trunk["previous_tracking_id"]),
        (&done["tracking_id"], &before)
    );
    let gone = last_of(&all, |info| info["i_account"] == 1);
    assert_eq!((&gone["reason"], &gone["reason_code"]), (&json!("Call Transferred"), &json!(200)));
    assert_eq!(up.sim.hears("102").await, json!(["12065550100"]));
    assert_eq!(up.sim.hears("101").await, json!([]));
}

#[tokio::test]
async fn a_transfer_that_fails_brings_the_conversation_back() {
    let (up, mut board) = wallboard().await;
    up.sim.set("103", json!({"behaviour": "busy"})).await;
    let placed = up.sim.trunk_call("12065550100", "101", "Peter").await;
    let call = json!({"id": placed["call_id"]});
    let mut all = board.call_states_until(|states| connected(states, "101")).await;
    let before = all[0]["tracking_id"].clone();

    board.must("CallControl/transfer_call", json!({"call": call, "destination": "103"})).await;
    all.extend(
        board
            .call_states_until(|states| {
                states_of_trunk(states).last().is_some_and(|state| state == "connected")
                    && connected(states, "101")
            })
            .await,
    );

    let trunk = last_of(&all, |info| info["is_external_call"] == true);
    assert_eq!((&trunk["reason_code"], &trunk["tracking_id"]), (&json!(486), &before));
    assert_eq!(trunk["caused_by"]["method"], "CallControl/transfer_call");
    assert_eq!(up.sim.hears("101").await, json!(["12065550100"]));
}

#[tokio::test]
async fn an_attended_transfer_joins_the_other_parties() {
    let (up, mut board) = wallboard().await;
    let first = up.sim.dial("101", "12065550199").await;
    let mut all = board
        .call_states_until(|states| {
            states_of_trunk(states).last().is_some_and(|s| s == "connected")
        })
        .await;
    let second = up.sim.dial("101", "103").await;
    all.extend(board.call_states_until(|states| connected(states, "103")).await);

    let params =
        json!({"call": {"id": first["call_id"]}, "target_call": {"id": second["call_id"]}});
    let done = board.must("CallControl/transfer_call", params).await;
    let told = board
        .call_states_until(|states| {
            states
                .iter()
                .any(|info| info["i_account"] == 3 && info["call"]["id"] == first["call_id"])
                && states.iter().filter(|info| info["state"] == "terminated").count() == 2
        })
        .await;

    let moved =
        told.iter().find(|info| info["i_account"] == 3 && info["state"] == "transferred").unwrap();
    assert_eq!(
        (&moved["call"]["id"], &moved["moved_to"]["id"]),
        (&second["call_id"], &first["call_id"])
    );
    let there = last_of(&told, |info| info["i_account"] == 3);
    assert_eq!(
        (&there["state"], &there["call"]["tag"]),
        (&json!("connected"), &moved["call"]["tag"])
    );
    assert_eq!(there["tracking_id"], done["tracking_id"]);
    assert_eq!(up.sim.hears("103").await, json!(["12065550199"]));
    let list = board.must("CallControl/get_sip_calls_list", json!({"get_total": 1})).await;
    assert_eq!(list["total"], 2, "{list}");
}

#[tokio::test]
async fn a_ringing_call_is_sent_on() {
    let (up, mut board) = wallboard().await;
    up.sim.manual("101").await;
    let placed = up.sim.trunk_call("12065550100", "101", "Peter").await;
    let mut all = board.call_states_until(|states| states_of(states, "101").len() == 2).await;

    let params = json!({"call": {"id": placed["call_id"]}, "destination": "104"});
    board.must("CallControl/redirect_call", params).await;
    all.extend(board.call_states_until(|states| connected(states, "104")).await);

    assert_eq!(states_of_trunk(&all), ["trying", "early", "early", "connected"]);
    let gone = last_of(&all, |info| info["i_account"] == 1);
    assert_eq!((&gone["reason"], &gone["reason_code"]), (&json!("Moved Temporarily"), &json!(302)));
    assert_eq!(states_of(&all, "104"), ["trying", "ringing", "connected"]);
}

#[tokio::test]
async fn two_numbers_are_connected_for_an_account_that_may() {
    let (up, mut board) = wallboard().await;
    let mut bistro = Client::subscribed(up.public, "quicktasty").await;
    let both = json!({"account_id": "201", "first": {"destination": "12065550101"}, "second": {"destination": "12065550102"}});

    let started = bistro.must("CallControl/originate_advanced_call", both).await;
    let all = bistro
        .call_states_until(|states| {
            states.iter().filter(|info| info["state"] == "connected").count() == 2
        })
        .await;
    let first: Vec<_> =
        all.iter().filter(|info| info["call"]["tag"] == started["call"]["tag"]).collect();
    let names: Vec<_> = first.iter().map(|info| info["state"].as_str().unwrap()).collect();
    assert_eq!(names, ["trying", "ringing", "early", "connected"]);
    bistro.must("CallControl/terminate_call", json!({"call": {"id": started["call"]["id"]}})).await;
    bistro.until_over(2).await;

    let refused = json!({"account_id": "202", "first": {"destination": "12065550101"}, "second": {"destination": "12065550102"}});
    let fault = bistro.refused("CallControl/originate_advanced_call", refused).await;
    assert_eq!(
        (fault.code(), fault.faultcode()),
        (-32003, "Client.CallControl.originate_advanced_call.not_allowed")
    );

    let busy = json!({"account_id": "201", "first": {"destination": "12065550101"}, "second": {"destination": "1206555486"}});
    let started = bistro.must("CallControl/originate_advanced_call", busy).await;
    let all = bistro.until_over(2).await;
    let (first, second): (Vec<_>, Vec<_>) =
        all.iter().partition(|info| info["call"]["tag"] == started["call"]["tag"]);
    let names = |leg: &[&Value]| {
        leg.iter().map(|info| info["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&first), ["trying", "ringing", "early", "terminated"]);
    assert_eq!(names(&second), ["trying", "terminated"]);
    for info in [first[3], second[1]] {
        assert_eq!((&info["reason"], &info["reason_code"]), (&json!("Busy Here"), &json!(486)));
    }
    board.nothing_for(std::time::Duration::from_millis(50)).await;
}

#[tokio::test]
async fn a_party_is_parked_and_retrieved() {
    let (up, mut board) = wallboard().await;
    let placed = up.sim.trunk_call("12065550100", "101", "Peter").await;
    let call = json!({"id": placed["call_id"]});
    board.call_states_until(|states| connected(states, "101")).await;

    let parked = board.must("CallControl/park_call", json!({"call": call})).await;
    let leg = placed["leg"].as_str().unwrap();
    assert_eq!(up.sim.leg(leg).await["hears"], "music");
    let params = json!({"slot": parked["slot"], "account_id": "103"});
    board.must("CallControl/retrieve_call", params).await;
    let all = board.call_states_until(|states| connected(states, "103")).await;

    assert_eq!(states_of_trunk(&all), ["parked", "connected"]);
    assert_eq!(up.sim.hears("103").await, json!(["12065550100"]));
}

#[tokio::test]
async fn a_colleague_picks_a_ringing_call_up() {
    let (up, mut board) = wallboard().await;
    up.sim.manual("101").await;
    let placed = up.sim.trunk_call("12065550100", "101", "Peter").await;
    board.call_states_until(|states| states_of(states, "101").len() == 2).await;

    let params = json!({"call": {"id": placed["call_id"]}, "account_id": "102"});
    board.must("CallControl/pickup_call", params).await;
    let all = board
        .call_states_until(|states| {
            connected(states, "102") && states_of(states, "101").contains(&"terminated".to_owned())
        })
        .await;

    let gone = last_of(&all, |info| info["i_account"] == 1);
    assert_eq!(
        (&gone["reason"], &gone["reason_code"]),
        (&json!("Answered Elsewhere"), &json!(200))
    );
    assert_eq!(up.sim.hears("102").await, json!(["12065550100"]));
}

#[tokio::test]
async fn a_supervisor_hears_without_being_heard_whispers_and_barges_in() {
    let (up, mut board) = wallboard().await;
    let placed = up.sim.trunk_call("12065550100", "101", "Peter").await;
    board.call_states_until(|states| connected(states, "101")).await;
    for (mode, agent_hears, caller_hears) in [
        ("spy", json!(["12065550100"]), json!(["101"])),
        ("whisper", json!(["103", "12065550100"]), json!(["101"])),
        ("barge", json!(["103", "12065550100"]), json!(["101", "103"])),
    ] {
        let params = json!({"call": {"id": placed["call_id"]}, "mode": mode, "account_id": "103"});
        board.must("CallControl/supervise_call", params).await;
        board.call_states_until(|states| connected(states, "103")).await;

        assert_eq!(up.sim.hears("103").await, json!(["101", "12065550100"]), "{mode}");
        assert_eq!(up.sim.hears("101").await, agent_hears, "{mode}");
        let leg = placed["leg"].as_str().unwrap();
        assert_eq!(up.sim.leg(leg).await["hears"], caller_hears, "{mode}");
        up.sim.hand("103", "hangup").await;
        board.until_over(1).await;
    }
    let mut account = Client::subscribed(up.public, "102").await;
    let params = json!({"call": {"id": placed["call_id"]}, "mode": "spy", "account_id": "102"});
    assert_eq!(account.refused("CallControl/supervise_call", params).await.code(), -32003);
}
