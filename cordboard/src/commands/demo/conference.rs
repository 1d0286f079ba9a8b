//! The scenario of the conference on the spot.

use anyhow::{Context as _, ensure};
use http::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::scenarios::Stage;

/// `EasyMobile`'s sales managers confer with a client, one of them leaves, the others go on.
pub(super) async fn play(stage: &Stage) -> anyhow::Result<()> {
    stage.timeline.title("EasyMobile's conference: Alice brings Bob and Carol into Peter's call");
    let mut alice = stage.sign_in("101").await?;
    alice.call("CallControl/enable_api_notifications", json!({})).await?;
    stage.timeline.hand("Peter dials 101, and Alice answers");
    let from = json!({"from": "12065550100", "to": "101", "name": "Peter"});
    let placed = stage.sim(Method::POST, "/sim/trunk/call", from).await?;
    for _ in 0..2 {
        alice.until_state("connected").await?;
    }
    let create = json!({"call": {"id": placed.get("call_id")}, "name": "Contract with Peter"});
    let created = alice.call("CallControl/create_on_spot_conference", create).await?;
    let id = created.pointer("/conference/i_conference").cloned();
    let id = id.context("the conference has an id")?;
    let heard = stage.hears("101").await?;
    ensure!(heard == json!("prompt:conference/invitation.au"), "Alice hears {heard}");
    stage.timeline.check("Alice and Peter hear the invitation");
    joined(&mut alice, 2).await?;
    for account in ["102", "103"] {
        let add = json!({"i_conference": id, "account_id": account});
        alice.call("CallControl/add_on_spot_conference_participant", add).await?;
        joined(&mut alice, 1).await?;
    }
    hears(stage, "102", &["101", "103", "12065550100"]).await?;
    stage.timeline.check("all four hear each other");
    stage.timeline.hand("Alice has another appointment and hangs up");
    stage.sim(Method::POST, "/sim/phones/101/hangup", json!({})).await?;
    alice.until("Alice leaves", |_, event| is(event, "participant_left")).await?;
    hears(stage, "102", &["103", "12065550100"]).await?;
    stage.timeline.check("Bob, Carol and Peter go on");
    for account in ["102", "103"] {
        let path = format!("/sim/phones/{account}/hangup");
        stage.sim(Method::POST, &path, json!({})).await?;
    }
    let leg = placed.get("leg").and_then(Value::as_str).context("the leg of the trunk")?;
    stage.sim(Method::POST, &format!("/sim/trunk/legs/{leg}/hangup"), json!({})).await?;
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

async fn hears(stage: &Stage, account: &str, expected: &[&str]) -> anyhow::Result<()> {
    let heard = stage.hears(account).await?;
    let mut names: Vec<&str> =
        heard.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    names.sort_unstable();
    ensure!(names == expected, "{account} hears {heard}");
    Ok(())
}
