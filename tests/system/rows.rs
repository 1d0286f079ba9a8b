//! Rows of the table of legs and states in the contract.

use serde_json::{Value, json};
use system_tests::client::{states_of, states_of_trunk};
use system_tests::{Client, Up};

/// The wallboard of the whole PBX, on a system whose phones answer at once.
async fn wallboard() -> (Up, Client) {
    let up = Up::start_with(&["--sim-speed", "0", "--pstn-answer-ms", "0"]).await;
    for account in ["101", "102", "103", "201"] {
        up.sim.at_once(account).await;
    }
    let client = Client::subscribed(up.public, "easymobile").await;
    (up, client)
}

fn last_reasons(states: &[Value]) -> Vec<(String, i64)> {
    states
        .iter()
        .filter(|info| info["state"] == "terminated")
        .map(|info| {
            let reason = info["reason"].as_str().unwrap_or_default().to_owned();
            (reason, info["reason_code"].as_i64().unwrap_or_default())
        })
        .collect()
}

#[tokio::test]
async fn a_phone_dials_a_phone_and_hangs_up() {
    let (up, mut board) = wallboard().await;

    up.sim.dial("101", "102").await;
    let mut all = board.call_states_until(|states| states_of(states, "102").len() == 3).await;
    up.sim.hand("102", "hangup").await;
    all.extend(board.until_over(2).await);

    assert_eq!(states_of(&all, "101"), ["trying", "early", "connected", "terminated"]);
    assert_eq!(states_of(&all, "102"), ["trying", "ringing", "connected", "terminated"]);
    assert_eq!(
        last_reasons(&all),
        [("BYE Received".to_owned(), 487), ("BYE Received".to_owned(), 487)]
    );
    let called = all.iter().find(|info| info["i_account"] == 2).unwrap();
    assert_eq!((&called["type"], &called["is_external_call"]), (&json!("incoming"), &json!(false)));
    assert_eq!(
        (&called["caller"]["name"], &called["callee"]["name"]),
        (&json!("Alice"), &json!("Bob"))
    );
    let calling = all.iter().find(|info| info["i_account"] == 1).unwrap();
    assert_eq!(calling["type"], "outgoing");
}

#[tokio::test]
async fn a_call_from_the_trunk_reaches_an_account() {
    let (up, mut board) = wallboard().await;

    let placed = up.sim.trunk_call("12065550100", "101", "Peter").await;
    let mut all = board.call_states_until(|states| states_of(states, "101").len() == 3).await;
    let leg = placed["leg"].as_str().unwrap();
    assert_eq!(up.sim.leg(leg).await["hears"], json!(["101"]));
    assert_eq!(up.sim.hears("101").await, json!(["12065550100"]));
    up.sim.far_end(leg, "hangup").await;
    all.extend(board.until_over(2).await);

    assert_eq!(states_of_trunk(&all), ["trying", "early", "connected", "terminated"]);
    assert_eq!(states_of(&all, "101"), ["trying", "ringing", "connected", "terminated"]);
    let trunk = all.iter().find(|info| info["is_external_call"] == true).unwrap();
    assert!(trunk.get("i_account").is_none(), "a trunk leg has no account: {trunk}");
    assert_eq!((&trunk["type"], &trunk["i_customer"]), (&json!("incoming"), &json!(1)));
    assert_eq!(
        (&trunk["caller"]["number"], &trunk["caller"]["name"]),
        (&json!("12065550100"), &json!("Peter"))
    );
}

#[tokio::test]
async fn a_call_is_placed_to_the_public_network() {
    let (up, mut board) = wallboard().await;

    let params =
        json!({"account_id": "101", "destination": "12065550199", "caller_id": "12065550000"});
    let started = board.must("CallControl/originate_call", params).await;
    let mut all = board.call_states_until(|states| states_of_trunk(states).len() == 3).await;
    board.must("CallControl/terminate_call", json!({"call": started["call"]})).await;
    all.extend(board.until_over(2).await);

    assert_eq!(states_of(&all, "101"), ["trying", "ringing", "early", "connected", "terminated"]);
    assert_eq!(states_of_trunk(&all), ["trying", "ringing", "connected", "terminated"]);
    let trunk = all.iter().find(|info| info["is_external_call"] == true).unwrap();
    assert_eq!(
        (&trunk["type"], &trunk["caller"]["number"]),
        (&json!("outgoing"), &json!("12065550000"))
    );
    assert_eq!(trunk["callee"]["number"], "12065550199");
    let _still_up = up;
}

#[tokio::test]
async fn refusals_of_the_far_end_reach_both_legs() {
    let (up, mut board) = wallboard().await;
    for (number, reason, code) in [
        ("1206555486", "Busy Here", 486),
        ("1206555603", "Decline", 603),
        ("1206555404", "Not Found", 404),
        ("1206555480", "Temporarily Unavailable", 480),
    ] {
        up.sim.dial("101", number).await;
        let all = board.until_over(2).await;

        let expected = (reason.to_owned(), code);
        assert_eq!(last_reasons(&all), [expected.clone(), expected], "{number}");
        assert_eq!(states_of(&all, "101"), ["trying", "early", "terminated"], "{number}");
    }
}

#[tokio::test]
async fn a_called_phone_that_is_busy_declines_or_is_not_registered_ends_the_call() {
    let (up, mut board) = wallboard().await;
    for (behaviour, code) in [("busy", 486), ("decline", 603), ("unregistered", 480)] {
        up.sim.set("102", json!({"behaviour": behaviour})).await;
        up.sim.dial("101", "102").await;
        let all = board.until_over(2).await;

        assert!(last_reasons(&all).iter().all(|(_, got)| *got == code), "{behaviour}: {all:?}");
    }
}

#[tokio::test]
async fn nobody_answers_in_time() {
    let (up, mut board) = wallboard().await;
    up.sim.manual("102").await;

    let params = json!({"account_id": "101", "destination": "102", "timeout": 1});
    board.must("CallControl/originate_call", params).await;
    let all = board.until_over(2).await;

    let expected = ("Temporarily Unavailable".to_owned(), 480);
    assert_eq!(last_reasons(&all), [expected.clone(), expected]);
}

#[tokio::test]
async fn a_caller_who_gives_up_ends_the_call() {
    let (up, mut board) = wallboard().await;
    up.sim.manual("102").await;

    up.sim.dial("101", "102").await;
    board.call_states_until(|states| states_of(states, "102").len() == 2).await;
    up.sim.hand("101", "hangup").await;
    let all = board.until_over(2).await;

    let expected = ("Request Terminated".to_owned(), 487);
    assert_eq!(last_reasons(&all), [expected.clone(), expected]);
}

#[tokio::test]
async fn no_credit_and_an_unknown_number_are_events_of_the_one_leg() {
    let (up, mut board) = wallboard().await;
    for (account, destination, reason, code) in
        [("105", "102", "Auth Failed", 403), ("101", "999", "Not Found", 404)]
    {
        let params = json!({"account_id": account, "destination": destination});
        board.must("CallControl/originate_call", params).await;
        let all = board.until_over(1).await;

        assert_eq!(states_of(&all, account), ["trying", "terminated"]);
        assert_eq!(last_reasons(&all), [(reason.to_owned(), code)]);
    }
    let _still_up = up;
}

#[tokio::test]
async fn an_application_answers_and_rejects_what_rings() {
    let (up, mut board) = wallboard().await;
    up.sim.manual("101").await;

    let placed = up.sim.trunk_call("12065550100", "101", "Peter").await;
    let call = json!({"id": placed["call_id"]});
    board.call_states_until(|states| states_of(states, "101").len() == 2).await;
    board.must("CallControl/answer_call", json!({"call": call})).await;
    assert_eq!(up.sim.hears("101").await, json!(["12065550100"]));
    let hold = board.refused("CallControl/reject_call", json!({"call": call})).await;
    assert_eq!(hold.code(), -32009);
    assert_eq!(hold.0["data"]["state"], "connected");
    assert_eq!(hold.0["data"]["expected_states"], json!(["ringing"]));
    board.must("CallControl/terminate_call", json!({"call": call})).await;
    board.until_over(2).await;

    let placed = up.sim.trunk_call("12065550100", "101", "Peter").await;
    let call = json!({"id": placed["call_id"]});
    board.call_states_until(|states| states_of(states, "101").len() == 2).await;
    board.must("CallControl/reject_call", json!({"call": call, "reason_code": 486})).await;
    let all = board.until_over(2).await;
    assert!(last_reasons(&all).iter().all(|(_, code)| *code == 486), "{all:?}");
}

#[tokio::test]
async fn a_persons_hold_gives_the_same_events_without_a_cause() {
    let (up, mut board) = wallboard().await;
    up.sim.dial("101", "102").await;
    board.call_states_until(|states| states_of(states, "102").len() == 3).await;

    up.sim.hand("102", "hold").await;
    let held = board.call_states_until(|states| states.len() == 2).await;

    assert_eq!(states_of(&held, "101"), ["held"]);
    assert_eq!(states_of(&held, "102"), ["holding"]);
    assert!(held.iter().all(|info| info.get("caused_by").is_none()));
    assert_eq!(up.sim.hears("101").await, json!("music"));
    up.sim.hand("102", "resume").await;
    let back = board.call_states_until(|states| states.len() == 2).await;
    assert!(back.iter().all(|info| info["state"] == "connected"));
}

#[tokio::test]
async fn keys_are_told_and_digits_are_sent() {
    let (up, mut board) = wallboard().await;
    let placed = up.sim.trunk_call("12065550100", "101", "Peter").await;
    board.call_states_until(|states| states_of(states, "101").len() == 3).await;

    up.sim.keys("101", "1#").await;
    let mut keys = Vec::new();
    while keys.len() < 2 {
        let (method, params) = board.event().await;
        if method == "CallControl/availability" {
            continue;
        }
        assert_eq!(method, "CallControl/ivr_event");
        assert_eq!(params["ivr_info"]["event"], "dtmf");
        assert_eq!(params["call"]["id"], placed["call_id"]);
        keys.push(params["ivr_info"]["digits"].as_str().unwrap().to_owned());
    }
    assert_eq!(keys, ["1", "#"]);
    let params = json!({"call": {"id": placed["call_id"]}, "digits": "42"});
    board.must("CallControl/send_dtmf", params).await;
}

#[tokio::test]
async fn a_call_between_two_customers_is_two_calls_that_show_numbers_and_names_only() {
    let (up, mut board) = wallboard().await;
    let mut bistro = Client::subscribed(up.public, "quicktasty").await;

    up.sim.dial("101", "201").await;
    let mut mine = board.call_states_until(|states| states_of(states, "101").len() == 3).await;
    let mut theirs = bistro.call_states_until(|states| states_of(states, "201").len() == 3).await;
    assert_eq!(up.sim.hears("101").await, json!(["201"]));
    assert_eq!(up.sim.hears("201").await, json!(["101"]));
    up.sim.hand("201", "hold").await;
    mine.extend(board.call_states_until(|states| states_of(states, "101") == ["held"]).await);
    assert_eq!(up.sim.hears("101").await, json!("music"));
    up.sim.hand("201", "resume").await;
    mine.extend(board.call_states_until(|states| states_of(states, "101") == ["connected"]).await);
    assert_eq!(up.sim.hears("101").await, json!(["201"]));
    up.sim.hand("201", "hangup").await;
    mine.extend(board.until_over(2).await);
    theirs.extend(bistro.until_over(2).await);

    assert_ne!(mine[0]["call"]["id"], theirs[0]["call"]["id"]);
    for info in &mine {
        assert_eq!(info["i_customer"], 1);
        assert!(info["callee"].get("i_account").is_none(), "{info}");
    }
    for info in &theirs {
        assert_eq!(info["i_customer"], 2);
        assert!(info["caller"].get("i_account").is_none(), "{info}");
        assert_eq!(
            (&info["caller"]["number"], &info["caller"]["name"]),
            (&json!("101"), &json!("Alice"))
        );
    }
    let far_end = ["trying", "ringing", "connected", "holding", "connected", "terminated"];
    assert_eq!(states_of_trunk(&mine), far_end);
    let far_end = ["trying", "early", "connected", "held", "connected", "terminated"];
    assert_eq!(states_of_trunk(&theirs), far_end);
}
