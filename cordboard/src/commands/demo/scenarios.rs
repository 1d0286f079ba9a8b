//! The scenarios, step by step.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::client::Client;
use super::hands::{Behaviour, Hands, Sound, Who};
use super::timeline::Timeline;
use super::visa_center;
use crate::cli::Scenario;

/// Where the scenarios are played.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) public: SocketAddr,
    pub(super) hands: Hands,
    pub(super) timeline: Timeline,
    pub(super) tasks: TaskTracker,
}

/// Plays one scenario.
pub(super) async fn play(stage: &Stage, scenario: Scenario) -> anyhow::Result<()> {
    match scenario {
        Scenario::Call => call(stage).await.context("scenario `call`"),
        Scenario::Incoming => incoming(stage).await.context("scenario `incoming`"),
        Scenario::Redirect => redirect(stage).await.context("scenario `redirect`"),
        Scenario::Queue => queue(stage).await.context("scenario `queue`"),
        Scenario::VisaCenter => visa_center::play(stage).await.context("scenario `visa-center`"),
        Scenario::Callback => callback(stage).await.context("scenario `callback`"),
        Scenario::Conference => {
            super::conference::play(stage).await.context("scenario `conference`")
        }
        Scenario::Refusals => refusals(stage).await.context("scenario `refusals`"),
        Scenario::Resume => resume(stage).await.context("scenario `resume`"),
    }
}

impl Stage {
    pub(super) async fn sign_in(&self, login: &str) -> anyhow::Result<Client> {
        let timeline = self.timeline.clone();
        let mut client = Client::connect(login, self.public, timeline, &self.tasks).await?;
        client.call("Session/login", json!({"login": login, "password": "cordboard"})).await?;
        Ok(client)
    }

    /// Somebody hears this, since something was done last.
    pub(super) async fn hears(&self, who: Who<'_>, sound: Sound<'_>) -> anyhow::Result<()> {
        self.hands.hears(who, sound, self.timeline.acted()).await
    }
}

async fn call(stage: &Stage) -> anyhow::Result<()> {
    stage.timeline.title("An application calls for Alice (101): hold, resume, hang up");
    let mut alice = stage.sign_in("101").await?;
    alice.call("CallControl/enable_api_notifications", json!({})).await?;
    let originate = json!({"account_id": "101", "destination": "102"});
    let started = alice.call("CallControl/originate_call", originate).await?;
    let call = json!({"id": started.pointer("/call/id")});
    for _ in 0..2 {
        alice.until_state("connected").await?;
    }
    stage.hears(Who::Phone("101"), Sound::Parties(&["102"])).await?;
    stage.hears(Who::Phone("102"), Sound::Parties(&["101"])).await?;
    stage.timeline.check("Alice and Bob hear each other");

    alice.call("CallControl/hold_call", json!({"call": call})).await?;
    stage.hears(Who::Phone("102"), Sound::Music).await?;
    stage.timeline.check("Bob hears music");
    alice.call("CallControl/resume_call", json!({"call": call})).await?;
    alice.call("CallControl/terminate_call", json!({"call": call})).await?;
    alice.until_over(2).await?;
    let list = alice.call("CallControl/get_sip_calls_list", json!({"get_total": 1})).await?;
    ensure!(list.get("total") == Some(&json!(0)), "calls are left: {list}");
    stage.timeline.check("each leg ended once, and the list is empty");
    Ok(())
}

async fn incoming(stage: &Stage) -> anyhow::Result<()> {
    stage.timeline.title("Peter calls Alice from the public network; the application answers");
    let mut alice = stage.sign_in("101").await?;
    alice.call("CallControl/enable_api_notifications", json!({})).await?;
    stage.timeline.hand("Alice's phone rings until somebody answers");
    stage.hands.set("101", Behaviour::Manual).await?;
    stage.timeline.hand("Peter dials 101");
    let peter = stage.hands.call_in("12065550100", "Peter", "101").await?;
    let ringing = alice.until_state("ringing").await?;
    let call = json!({"id": ringing.pointer("/call_info/call/id")});
    alice.call("CallControl/answer_call", json!({"call": call})).await?;
    stage.timeline.hand("Peter presses 5");
    stage.hands.press(&peter, "5").await?;
    alice.until("a key", |method, _| method == "CallControl/ivr_event").await?;
    stage.timeline.hand("Peter hangs up");
    stage.hands.caller_hangs_up(&peter).await?;
    alice.until_over(2).await?;
    stage.hands.set("101", Behaviour::Usual).await
}

async fn redirect(stage: &Stage) -> anyhow::Result<()> {
    stage
        .timeline
        .title("Alice is busy: the application sends Peter on to Bob, who hands him to Carol");
    let mut board = stage.sign_in("easymobile").await?;
    board.call("CallControl/enable_api_notifications", json!({})).await?;
    stage.hands.set("101", Behaviour::Manual).await?;
    stage.timeline.hand("Peter dials 101");
    stage.hands.call_in("12065550100", "Peter", "101").await?;
    let ringing = board.until_state("ringing").await?;
    let call = json!({"id": ringing.pointer("/call_info/call/id")});
    let on = json!({"call": call, "destination": "102"});
    board.call("CallControl/redirect_call", on).await?;
    for _ in 0..2 {
        board.until_state("connected").await?;
    }
    let on = json!({"call": call, "destination": "103"});
    board.call("CallControl/transfer_call", on).await?;
    board.until_state("transferred").await?;
    for _ in 0..2 {
        board.until_state("connected").await?;
    }
    stage.hears(Who::Phone("103"), Sound::Parties(&["12065550100"])).await?;
    stage.timeline.check("Carol hears Peter, Bob is free again");
    board.call("CallControl/terminate_call", json!({"call": call})).await?;
    board.until_over(2).await?;
    stage.hands.set("101", Behaviour::Usual).await
}

async fn queue(stage: &Stage) -> anyhow::Result<()> {
    stage.timeline.title(
        "Alice is busy: her call goes to the queue of the hunt group, as a wallboard sees it",
    );
    let mut board = stage.sign_in("easymobile").await?;
    board.call("CallControl/enable_api_notifications", json!({})).await?;
    for account in ["101", "102", "103"] {
        stage.hands.set(account, Behaviour::Manual).await?;
    }
    stage.timeline.hand("Peter dials 101");
    let peter = stage.hands.call_in("12065550100", "Peter", "101").await?;
    let ringing = board.until_state("ringing").await?;
    let call = json!({"id": ringing.pointer("/call_info/call/id")});
    let on = json!({"call": call, "destination": "340"});
    board.call("CallControl/redirect_call", on).await?;
    board.until_state("queued").await?;
    stage.hears(Who::Caller(&peter), Sound::Music).await?;
    stage.timeline.check("Peter hears music while an agent's phone rings");
    let waiting = figures(&mut board, "one waits", |queue| number(queue, "waiting") == 1).await?;
    stage.timeline.figures(&waiting);
    stage.timeline.hand("the agent picks up");
    stage.hands.answer_one(&["102", "103"]).await?;
    board.until_state("dequeued").await?;
    for _ in 0..2 {
        board.until_state("connected").await?;
    }
    stage.timeline.check("an agent has taken the call out of the queue");
    let is_answered =
        |queue: &Value| number(queue, "waiting") == 0 && number(queue, "agents_busy") > 0;
    let answered = figures(&mut board, "none waits", is_answered).await?;
    stage.timeline.figures(&answered);
    board.call("CallControl/terminate_call", json!({"call": call})).await?;
    board.until_over(2).await?;
    for account in ["101", "102", "103"] {
        stage.hands.set(account, Behaviour::Usual).await?;
    }
    Ok(())
}

/// Waits for figures of a queue that say what they should.
async fn figures(
    board: &mut Client,
    what: &str,
    is_it: impl Fn(&Value) -> bool,
) -> anyhow::Result<Value> {
    let stats = board.until(what, |_, params| params.get("queue").is_some_and(&is_it)).await?;
    Ok(stats.get("queue").cloned().unwrap_or_default())
}

fn number(queue: &Value, name: &str) -> i64 {
    queue.get(name).and_then(Value::as_i64).unwrap_or_default()
}

async fn callback(stage: &Stage) -> anyhow::Result<()> {
    stage
        .timeline
        .title("Quick & Tasty bistro: Alice enters her number, is called, then connected");
    let mut bistro = stage.sign_in("quicktasty").await?;
    bistro.call("CallControl/enable_api_notifications", json!({})).await?;
    let both = json!({
        "account_id": "201",
        "first": {"destination": "12065550177"},
        "second": {"destination": "12065550188"},
    });
    let started = bistro.call("CallControl/originate_advanced_call", both).await?;
    for _ in 0..2 {
        bistro.until_state("connected").await?;
    }
    let call = json!({"id": started.pointer("/call/id")});
    bistro.call("CallControl/terminate_call", json!({"call": call})).await?;
    bistro.until_over(2).await?;
    stage.timeline.check("two numbers were connected, and account 201 pays");
    let refused = json!({
        "account_id": "202",
        "first": {"destination": "12065550177"},
        "second": {"destination": "12065550188"},
    });
    let answer = bistro.try_call("CallControl/originate_advanced_call", refused).await?;
    ensure!(code(&answer) == -32003, "account 202 may not");
    Ok(())
}

async fn refusals(stage: &Stage) -> anyhow::Result<()> {
    stage.timeline.title("What is refused, and how");
    let mut dave = stage.sign_in("104").await?;
    let answer = dave.try_call("CallControl/enable_api_notifications", json!({})).await?;
    ensure!(code(&answer) == -32003, "Dave's role grants nothing");
    let mut alice = stage.sign_in("101").await?;
    alice.call("CallControl/enable_api_notifications", json!({})).await?;
    let mut bistro = stage.sign_in("quicktasty").await?;
    let originate = json!({"account_id": "101", "destination": "102"});
    let started = alice.call("CallControl/originate_call", originate).await?;
    let call = json!({"id": started.pointer("/call/id")});
    let foreign = bistro.try_call("CallControl/terminate_call", json!({"call": call})).await?;
    let absent = json!({"call": {"id": "switch-1.00000000000070008000000000000000"}});
    let absent = bistro.try_call("CallControl/terminate_call", absent).await?;
    ensure!(code(&foreign) == -32004 && code(&absent) == -32004, "they differ");
    stage.timeline.check("another tenant's call looks like one that never was");
    let misspelt = json!({"call": call, "tga": "x"});
    let answer = alice.try_call("CallControl/hold_call", misspelt).await?;
    ensure!(code(&answer) == -32602, "a misspelt name is refused");
    alice.call("CallControl/terminate_call", json!({"call": call})).await?;
    let nowhere = json!({"account_id": "101", "destination": "999"});
    alice.call("CallControl/originate_call", nowhere).await?;
    alice
        .until("404", |_, params| params.pointer("/call_info/reason_code") == Some(&json!(404)))
        .await?;
    stage.timeline.check("an unknown number is an event, not a fault");
    Ok(())
}

fn code(answer: &Result<Value, Value>) -> i64 {
    match answer {
        Ok(_) => 0,
        Err(error) => error.get("code").and_then(Value::as_i64).unwrap_or_default(),
    }
}

async fn resume(stage: &Stage) -> anyhow::Result<()> {
    stage.timeline.title("A client is cut off in the middle of a call and misses nothing");
    let mut wallboard = stage.sign_in("easymobile").await?;
    wallboard.call("CallControl/enable_api_notifications", json!({})).await?;
    stage.timeline.hand("Carol dials Bob");
    stage.hands.dial("103", "102").await?;
    let last_seen = wallboard.until_state("early").await?;
    let mut seen: BTreeSet<i64> = (1..=sequence(&last_seen)).collect();
    let since = json!({"resume_from": last_seen.get("event_id")});
    drop(wallboard);
    stage.timeline.hand("the wallboard's cable is pulled; Bob answers, Carol hangs up");
    let mut carol = stage.sign_in("103").await?;
    carol.call("CallControl/enable_api_notifications", since.clone()).await?;
    carol.until_state("connected").await?;
    stage.hands.hang_up("103").await?;
    carol.until_over(2).await?;
    stage.timeline.hand("the cable is back");
    let mut wallboard = stage.sign_in("easymobile").await?;
    wallboard.call("CallControl/enable_api_notifications", since).await?;
    let mut ended = 0;
    while ended < 2 {
        let of_call = |_: &str, event: &Value| event.get("call_info").is_some();
        let event = wallboard.until("the rest of the call", of_call).await?;
        seen.insert(sequence(&event));
        let state = event.pointer("/call_info/state").and_then(Value::as_str);
        ended += usize::from(state == Some("terminated"));
    }
    let last = seen.last().copied().unwrap_or_default();
    ensure!(seen.len() == usize::try_from(last)?, "a hole in {seen:?}");
    stage.timeline.check(&format!("events 1 to {last} of the call, none missing"));
    Ok(())
}

fn sequence(event: &Value) -> i64 {
    event.pointer("/call_info/sequence").and_then(Value::as_i64).unwrap_or_default()
}
