//! Conferences on the spot, as applications and the people in them see them.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::client::states_of;
use system_tests::{Client, Mesh, Up};

pub(super) const PETER: &str = "12065550100";

/// `EasyMobile`, where phones answer at once.
pub(super) async fn easy_mobile() -> (Up, Client) {
    let up = Up::start_with(&["--sim-speed", "0", "--pstn-answer-ms", "0"]).await;
    for account in ["101", "102", "103"] {
        up.sim.at_once(account).await;
    }
    let alice = Client::subscribed(up.public, "101").await;
    (up, alice)
}

/// Waits for conference events; gives each with the participant's number.
pub(super) async fn until(client: &mut Client, last: &str, count: usize) -> Vec<Value> {
    let mut events = Vec::new();
    while events.iter().filter(|event: &&Value| event["event"] == last).count() < count {
        let (method, params) = client.event().await;
        if method == "CallControl/conference_event" {
            events.push(params);
        }
    }
    events
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

async fn roster(client: &mut Client, id: &Value) -> Vec<Value> {
    let params = json!({"i_conference": id});
    let list = "OnSpotConference/get_on_spot_conference_participant_list";
    let answer = client.must_in_time(list, params).await;
    answer["participant_list"].as_array().unwrap().clone()
}

/// Who hears whom in a roster, by numbers.
fn ears(roster: &[Value]) -> Vec<(String, Vec<String>, Vec<String>)> {
    let number = |id: &Value| {
        let found = roster.iter().find(|it| it["participant"] == *id);
        found.map_or_else(String::new, |it| it["number"].as_str().unwrap().to_owned())
    };
    let numbers = |ids: &Value| {
        let mut all: Vec<_> = ids.as_array().into_iter().flatten().map(&number).collect();
        all.sort();
        all
    };
    let one =
        |it: &Value| (number(&it["participant"]), numbers(&it["hears"]), numbers(&it["heard_by"]));
    roster.iter().map(one).collect()
}

fn sorted(value: &Value) -> Vec<String> {
    let all = value.as_array().unwrap_or_else(|| panic!("hears {value}"));
    let mut all: Vec<String> = all.iter().map(|it| it.as_str().unwrap().to_owned()).collect();
    all.sort();
    all
}

/// Story 5 of the manual, step by step.
#[tokio::test]
async fn easy_mobiles_conference() {
    let (up, mut alice) = easy_mobile().await;

    // 1. Peter calls Alice; they talk.
    let placed = up.sim.trunk_call(PETER, "101", "Peter").await;
    alice.call_states_until(|states| states_of(states, "101").len() == 3).await;
    assert_eq!(up.sim.hears("101").await, json!([PETER]));

    // 2., 3. Alice makes a conference of it and names it; she is authorised, and its owner.
    let params = json!({"call": {"id": placed["call_id"]}, "name": "Contract"});
    let created = alice.must("CallControl/create_on_spot_conference", params).await;
    let conference = &created["conference"];
    let id = conference["i_conference"].clone();
    assert_eq!(
        (&conference["name"], &conference["state"], &conference["owner"]["account_id"]),
        (&json!("Contract"), &json!("active"), &json!("101"))
    );

    // 4. Both hear the invitation, and are in when it ends.
    assert_eq!(up.sim.hears("101").await, "prompt:conference/invitation.au");
    let leg = placed["leg"].as_str().unwrap();
    assert_eq!(up.sim.leg(leg).await["hears"], "prompt:conference/invitation.au");
    let invited = roster(&mut alice, &id).await;
    assert!(invited.iter().all(|it| it["state"] == "invited"), "{invited:?}");
    let events = until(&mut alice, "participant_joined", 2).await;
    assert_eq!(
        names(&events),
        [
            "created",
            "participant_invited",
            "participant_invited",
            "participant_joined",
            "participant_joined"
        ]
    );

    // 5., 6. Bob and Carol are called, answer, and are in.
    for account in ["102", "103"] {
        let params = json!({"i_conference": id, "account_id": account});
        let added = alice.must("OnSpotConference/add_on_spot_conference_participant", params).await;
        assert_eq!(added["participant"]["account_id"], account);
        until(&mut alice, "participant_joined", 1).await;
    }
    let in_it = roster(&mut alice, &id).await;
    let everybody = ["101", "102", "103", PETER];
    for (own, hears, heard_by) in ears(&in_it) {
        let others: Vec<_> =
            everybody.iter().filter(|it| **it != own).map(|it| (*it).to_owned()).collect();
        assert_eq!((&hears, &heard_by), (&others, &others), "{own}");
    }
    for account in ["101", "102", "103"] {
        let others: Vec<_> = everybody.iter().copied().filter(|it| *it != account).collect();
        assert_eq!(sorted(&up.sim.hears(account).await), others, "{account}");
    }
    let roles: Vec<_> = in_it.iter().map(|it| (it["number"].clone(), it["role"].clone())).collect();
    assert_eq!(
        roles,
        [(PETER, "participant"), ("101", "owner"), ("102", "participant"), ("103", "participant")]
            .map(|(number, role)| (json!(number), json!(role)))
    );

    // 7. Alice hangs up; the others go on.
    up.sim.hand("101", "hangup").await;
    until(&mut alice, "participant_left", 1).await;
    assert_eq!(sorted(&up.sim.hears("102").await), ["103", PETER]);
    assert_eq!(sorted(&up.sim.leg(leg).await["hears"]), ["102", "103"]);

    // 8. All hang up; the conference is removed.
    up.sim.hand("102", "hangup").await;
    up.sim.hand("103", "hangup").await;
    up.sim.far_end(leg, "hangup").await;
    let events = until(&mut alice, "ended", 1).await;
    assert_eq!(names(&events).last(), Some(&"ended"));
    let gone = roster(&mut alice, &id).await;
    assert_eq!(gone.len(), 4);
    for one in &gone {
        assert_eq!(one["state"], "left");
        assert!(one["join_time"].is_string() && one["leave_time"].is_string(), "{one}");
        let intervals = one["intervals"].as_array().unwrap();
        assert_eq!(intervals[0]["kind"], "join");
        assert!(intervals.iter().all(|it| it["end_time"].is_string()), "{one}");
    }
    let list = alice.must("CallControl/get_on_spot_conference_list", json!({"get_total": 1})).await;
    assert_eq!((&list["total"], &list["conference_list"]), (&json!(0), &json!([])));
    let terminate = json!({"i_conference": id});
    let fault = alice.refused("CallControl/terminate_on_spot_conference", terminate).await;
    assert_eq!(fault.code(), -32004);
    assert!(fault.faultcode().ends_with(".conference_not_found"), "{fault:?}");
}

/// A conference of Alice, Bob and Peter.
async fn conference(up: &Up, alice: &mut Client) -> Value {
    up.sim.trunk_call(PETER, "101", "Peter").await;
    let states = alice.call_states_until(|states| states_of(states, "101").len() == 3).await;
    let call = json!({"id": states[0]["call"]["id"]});
    let params = json!({"call": call, "name": "Contract"});
    let created = alice.must("OnSpotConference/create_on_spot_conference", params).await;
    let id = created["conference"]["i_conference"].clone();
    let add = json!({"i_conference": id, "destination": "102"});
    alice.must("OnSpotConference/add_on_spot_conference_participant", add).await;
    until(alice, "participant_joined", 3).await;
    id
}

#[tokio::test]
async fn the_owners_service_configuration_is_asked_before_anything_changes() {
    let (up, _) = easy_mobile().await;
    let kinds = ["call_state", "conference_event"];
    let mut board = Client::subscribed_to(up.public, "easymobile", &kinds).await;
    up.sim.dial("101", "102").await;
    let states = board.call_states_until(|states| states_of(states, "102").len() == 3).await;
    let call = json!({"id": states[0]["call"]["id"]});

    let params = json!({"call": call, "name": "x", "owner_account_id": "104"});
    let fault = board.refused("CallControl/create_on_spot_conference", params).await;

    assert_eq!(fault.faultcode(), "Server.CallControl.create_on_spot_conference.service_disabled");
    assert_eq!(fault.code(), -32003);
    assert_eq!(up.sim.hears("101").await, json!(["102"]));
    let params = json!({"call": call, "name": "x", "owner_account_id": "201"});
    let fault = board.refused("OnSpotConference/create_on_spot_conference", params).await;
    assert_eq!(fault.code(), -32004, "{fault:?}");
    let params = json!({"call": call, "name": "x", "prompts": ["../secret.au"]});
    let fault = board.refused("OnSpotConference/create_on_spot_conference", params).await;
    assert_eq!(fault.code(), -32602, "{fault:?}");
    assert!(fault.faultcode().ends_with(".invalid_param"), "{fault:?}");
    board.nothing_for(Duration::from_millis(200)).await;
    let params = json!({"call": call, "name": "x", "request_id": "r1"});
    let created = board.must("OnSpotConference/create_on_spot_conference", params.clone()).await;
    assert_eq!(created["conference"]["owner"]["account_id"], "101", "the calling account");
    let again = board.must("OnSpotConference/create_on_spot_conference", params).await;
    assert_eq!(created, again);
}

#[tokio::test]
async fn mute_hold_join_and_leave_are_heard_and_told() {
    let (up, mut alice) = easy_mobile().await;
    let id = conference(&up, &mut alice).await;
    let bob = roster(&mut alice, &id).await[2]["participant"].clone();
    let update = |more: Value| {
        let mut params = json!({"i_conference": id, "participant": bob});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    let method = "OnSpotConference/update_on_spot_conference_participant";

    alice.must(method, update(json!({"mute": 1}))).await;
    assert_eq!(sorted(&up.sim.hears("101").await), [PETER]);
    assert_eq!(sorted(&up.sim.hears("102").await), ["101", PETER]);
    alice.must(method, update(json!({"mute": 0, "hold": "Y"}))).await;
    assert_eq!(up.sim.hears("102").await, "music");
    assert_eq!(roster(&mut alice, &id).await[2]["state"], "held");
    alice.must(method, update(json!({"hold": 0}))).await;
    assert_eq!(sorted(&up.sim.hears("101").await), ["102", PETER]);

    let mut carol = Client::subscribed(up.public, "103").await;
    let join = |mode: &str| json!({"i_conference": id, "mode": mode});
    carol.must("OnSpotConference/join_on_spot_conference", join("listen_only")).await;
    until(&mut carol, "participant_joined", 1).await;
    assert_eq!(sorted(&up.sim.hears("103").await), ["101", "102", PETER]);
    assert_eq!(sorted(&up.sim.hears("101").await), ["102", PETER]);
    carol.must("OnSpotConference/join_on_spot_conference", join("private_talk")).await;
    assert_eq!(sorted(&up.sim.hears("101").await), ["102", "103", PETER]);
    assert_eq!(sorted(&up.sim.hears("103").await), ["101", "102", PETER]);
    assert_eq!(sorted(&up.sim.hears("102").await), [PETER], "neither of the two");
    carol.must("OnSpotConference/join_on_spot_conference", join("full")).await;
    assert_eq!(sorted(&up.sim.hears("102").await), ["101", "103", PETER]);

    let fault = carol
        .refused("OnSpotConference/terminate_on_spot_conference", json!({"i_conference": id}))
        .await;
    assert_eq!(fault.code(), -32003, "{fault:?}");
    carol.must("CallControl/leave_on_spot_conference", json!({"i_conference": id})).await;
    assert_eq!(sorted(&up.sim.hears("102").await), ["101", PETER]);
    alice.must("OnSpotConference/terminate_on_spot_conference", json!({"i_conference": id})).await;
    assert_eq!(up.sim.hears("102").await, json!([]));
}

#[tokio::test]
async fn another_tenant_sees_no_conference_and_an_account_those_it_was_in() {
    let (up, mut alice) = easy_mobile().await;
    let id = conference(&up, &mut alice).await;
    let params = json!({"i_conference": id});
    let method = "OnSpotConference/get_on_spot_conference_participant_list";
    for stranger in ["quicktasty", "103"] {
        let mut stranger = Client::log_in(up.public, stranger).await;
        let fault = stranger.refused(method, params.clone()).await;
        assert_eq!(fault.code(), -32004, "{fault:?}");
        let list = stranger.must("OnSpotConference/get_on_spot_conference_list", json!({})).await;
        assert_eq!(list.get("conference_list").and_then(Value::as_array).map_or(0, Vec::len), 0);
    }
    for insider in ["admin", "telco", "easymobile", "102"] {
        let mut insider = Client::log_in(up.public, insider).await;
        assert_eq!(roster(&mut insider, &id).await.len(), 3);
        let list = insider.must("OnSpotConference/get_on_spot_conference_list", json!({})).await;
        assert_eq!(list["conference_list"][0]["i_conference"], id);
    }
    let mut board = Client::log_in(up.public, "easymobile").await;
    for (account, count) in [("102", 1), ("103", 0)] {
        let asked = json!({"account_id": account});
        let list = board.must("OnSpotConference/get_on_spot_conference_list", asked).await;
        let found = list["conference_list"].as_array().map_or(0, Vec::len);
        assert_eq!(found, count, "{account}");
    }
}

#[tokio::test]
async fn a_restart_of_the_service_changes_no_roster_and_intervals_go_on() {
    let mut mesh = Mesh::start_with(&["switch.sim.pstn_answer_ms=0"]).await;
    let sim = mesh.sim();
    for account in ["101", "102"] {
        sim.at_once(account).await;
    }
    let mut alice = Client::subscribed(mesh.public(), "101").await;
    let mut board = Client::log_in(mesh.public(), "easymobile").await;
    sim.trunk_call(PETER, "101", "Peter").await;
    let states = alice.call_states_until(|states| states_of(states, "101").len() == 3).await;
    let params = json!({"call": {"id": states[0]["call"]["id"]}, "name": "Contract"});
    let created = alice.must("OnSpotConference/create_on_spot_conference", params).await;
    let id = created["conference"]["i_conference"].clone();
    let add = json!({"i_conference": id, "account_id": "102"});
    let added =
        alice.must("OnSpotConference/add_on_spot_conference_participant", add.clone()).await;
    until(&mut alice, "participant_joined", 3).await;
    let bob = added["participant"]["participant"].clone();
    let mute = json!({"i_conference": id, "participant": bob, "mute": 1});
    alice.must("OnSpotConference/update_on_spot_conference_participant", mute).await;
    let leave = json!({"i_conference": id, "account_id": "102"});
    board.must("OnSpotConference/leave_on_spot_conference", leave.clone()).await;
    alice.must("OnSpotConference/add_on_spot_conference_participant", add).await;
    until(&mut alice, "participant_joined", 1).await;
    let before = roster(&mut alice, &id).await;

    assert!(mesh.restart("conference").await);

    assert_eq!(roster(&mut alice, &id).await, before);
    let told = |one: &Value| {
        let all = one["intervals"].as_array().unwrap().iter();
        let in_words = |it: &Value| {
            let end = if it["end_time"].is_null() { "goes on" } else { "over" };
            format!("{} {end}", it["kind"].as_str().unwrap())
        };
        all.map(in_words).collect::<Vec<_>>()
    };
    assert_eq!((&before[2]["participant"], &before[2]["state"]), (&bob, &json!("left")));
    assert_eq!(told(&before[2]), ["join over", "mode over", "mute over"]);
    assert_eq!(told(&before[3]), ["join goes on", "mode goes on"]);
    board.must("OnSpotConference/leave_on_spot_conference", leave).await;
    let after = roster(&mut alice, &id).await;
    assert_eq!(after[2], before[2]);
    assert_eq!(told(&after[3]), ["join over", "mode over"]);
    let terminate = json!({"i_conference": id});
    alice.must("OnSpotConference/terminate_on_spot_conference", terminate).await;
    assert!(mesh.restart("conference").await);
    let ended = roster(&mut alice, &id).await;
    assert!(ended.iter().all(|it| told(it).iter().all(|it| it.ends_with("over"))), "{ended:?}");
}
