//! The scenario of the conference on the spot.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::client::Client;
use super::hands::{Sound, Who};
use super::scenarios::Stage;

/// `EasyMobile`'s sales managers confer with a client, one of them leaves, the others go on.
pub(super) async fn play(stage: &Stage) -> anyhow::Result<()> {
    stage.timeline.title("EasyMobile's conference: Alice brings Bob and Carol into Peter's call");
    let mut alice = stage.sign_in("101").await?;
    alice.call("CallControl/enable_api_notifications", json!({})).await?;
    stage.timeline.hand("Peter dials 101, and Alice answers");
    let peter = stage.hands.call_in("12065550100", "Peter", "101").await?;
    let mut call = Value::Null;
    for _ in 0..2 {
        let connected = alice.until_state("connected").await?;
        call = connected.pointer("/call_info/call/id").cloned().context("the call has an id")?;
    }
    let create = json!({"call": {"id": call}, "name": "Contract with Peter"});
    let created = alice.call("CallControl/create_on_spot_conference", create).await?;
    let id = created.pointer("/conference/i_conference").cloned();
    let id = id.context("the conference has an id")?;
    for who in [Who::Phone("101"), Who::Caller(&peter)] {
        stage.hears(who, Sound::Prompt("conference/invitation.au")).await?;
    }
    stage.timeline.check("Alice and Peter hear the invitation");
    joined(&mut alice, 2).await?;
    for account in ["102", "103"] {
        let add = json!({"i_conference": id, "account_id": account});
        alice.call("CallControl/add_on_spot_conference_participant", add).await?;
        joined(&mut alice, 1).await?;
    }
    let everybody = ["101", "102", "103", "12065550100"];
    for (who, own) in [
        (Who::Phone("101"), 0),
        (Who::Phone("102"), 1),
        (Who::Phone("103"), 2),
        (Who::Caller(&peter), 3),
    ] {
        let mut others = everybody.to_vec();
        others.remove(own);
        stage.hears(who, Sound::Parties(&others)).await?;
    }
    stage.timeline.check("all four hear each other");
    stage.timeline.hand("Alice has another appointment and hangs up");
    stage.hands.hang_up("101").await?;
    alice.until("Alice leaves", |_, event| is(event, "participant_left")).await?;
    stage.hears(Who::Phone("102"), Sound::Parties(&["103", "12065550100"])).await?;
    stage.timeline.check("Bob, Carol and Peter go on");
    for account in ["102", "103"] {
        stage.hands.hang_up(account).await?;
    }
    stage.hands.caller_hangs_up(&peter).await?;
    alice.until("the end", |_, event| is(event, "ended")).await?;
    let asked = json!({"i_conference": id});
    let method = "CallControl/get_on_spot_conference_participant_list";
    let roster = alice.call(method, asked).await?;
    let left = roster.get("participant_list").and_then(Value::as_array);
    let has_left = |it: &Value| it.get("state") == Some(&json!("left"));
    ensure!(left.is_some_and(|all| all.len() == 4 && all.iter().all(has_left)), "{roster}");
    stage.timeline.check("the conference is over, and its roster can still be read");
    Ok(())
}

async fn joined(client: &mut Client, count: usize) -> anyhow::Result<()> {
    for _ in 0..count {
        client.until("somebody joins", |_, event| is(event, "participant_joined")).await?;
    }
    Ok(())
}

fn is(event: &Value, name: &str) -> bool {
    event.get("event").and_then(Value::as_str) == Some(name)
}
