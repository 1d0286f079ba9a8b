//! Cursors: what was missed comes first.

use std::time::Duration;

use proto::call::v1::State;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::{ACCOUNT, ADMIN, CUSTOMER, Harness, config};

const ENABLE: &str = "CallControl/enable_api_notifications";

#[tokio::test(start_paused = true)]
async fn what_was_missed_comes_first_and_then_live_events() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;
    let cursor = client.enable(json!({})).await["cursor"].clone();
    harness.log.call(1, "seen", State::Ringing);
    let seen = client.event().await["params"]["event_id"].clone();
    drop(client);
    for name in ["a", "b"] {
        harness.log.call(1, name, State::Connected);
        harness.log.call(2, "foreign", State::Connected);
    }

    let mut client = harness.client(ACCOUNT).await;
    client.enable(json!({"resume_from": seen})).await;
    // While the replay is under way.
    harness.log.call(1, "c", State::Connected);
    assert_eq!(client.tracking_ids(3).await, ["a", "b", "c"]);
    harness.log.call(1, "d", State::Connected);
    assert_eq!(client.tracking_ids(1).await, ["d"]);
    client.nothing().await;

    let mut other = harness.client(ACCOUNT).await;
    other.enable(json!({"resume_from": cursor})).await;
    assert_eq!(other.tracking_ids(5).await, ["seen", "a", "b", "c", "d"]);
    other.nothing().await;
}

#[tokio::test(start_paused = true)]
async fn the_cursor_of_an_answer_is_exact() {
    let harness = Harness::start().await;
    harness.log.call(1, "before", State::Ringing);
    let mut client = harness.client(ACCOUNT).await;
    let cursor = client.enable(json!({})).await["cursor"].clone();
    harness.log.call(1, "after", State::Ringing);

    let mut other = harness.client(CUSTOMER).await;
    other.enable(json!({"resume_from": cursor})).await;

    assert_eq!(other.tracking_ids(1).await, ["after"]);
    other.nothing().await;
}

#[tokio::test(start_paused = true)]
async fn filters_apply_to_what_was_missed() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;
    let cursor = client.enable(json!({})).await["cursor"].clone();
    harness.log.call(1, "a", State::Ringing);
    harness.log.call(1, "b", State::Connected);

    let mut other = harness.client(ACCOUNT).await;
    other.enable(json!({"resume_from": cursor, "states": ["connected"]})).await;

    assert_eq!(other.tracking_ids(1).await, ["b"]);
    other.nothing().await;
}

#[tokio::test(start_paused = true)]
async fn wide_scopes_resume_from_their_cursor_and_from_any_event() {
    let harness = Harness::start().await;
    let mut client = harness.client(ADMIN).await;
    let cursor = client.enable(json!({})).await["cursor"].clone();
    harness.log.call(1, "a", State::Ringing);
    harness.log.foreign_call("b");
    let event = client.event().await["params"]["event_id"].clone();

    let mut by_cursor = harness.client(ADMIN).await;
    by_cursor.enable(json!({"resume_from": cursor})).await;
    let mut by_event = harness.client(ADMIN).await;
    by_event.enable(json!({"resume_from": event})).await;
    let mut narrower = harness.client(CUSTOMER).await;
    narrower.enable(json!({"resume_from": cursor})).await;

    assert_eq!(by_cursor.tracking_ids(2).await, ["a", "b"]);
    assert_eq!(by_event.tracking_ids(1).await, ["b"]);
    assert_eq!(narrower.tracking_ids(1).await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_cursor_is_an_invalid_param() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;

    let fault = client.call(ENABLE, json!({"resume_from": "bm9uc2Vuc2U"})).await.unwrap_err();

    assert_eq!(fault["code"], -32602);
    assert_eq!(
        fault["data"]["faultcode"],
        "Client.CallControl.enable_api_notifications.invalid_param"
    );
    assert_eq!(fault["data"]["params"], json!(["resume_from"]));
}

fn assert_gap(message: &Value, reason: &str, answer: &Value) {
    assert_eq!(message["method"], "CallControl/notifications_gap", "{message}");
    assert_eq!(message["params"]["reason"], reason);
    assert_eq!(message["params"]["subscription_id"], answer["subscription_id"]);
}

#[tokio::test(start_paused = true)]
async fn an_old_cursor_gives_a_gap_and_a_fresh_one() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;
    let old = client.enable(json!({})).await["cursor"].clone();
    harness.log.call(1, "a", State::Ringing);
    harness.log.trim();

    let mut client = harness.client(ACCOUNT).await;
    let answer = client.enable(json!({"resume_from": old})).await;
    harness.log.call(1, "b", State::Ringing);

    let gap = client.event().await;
    assert_gap(&gap, "cursor_too_old", &answer);
    assert_eq!(client.tracking_ids(1).await, ["b"]);
    let mut other = harness.client(ACCOUNT).await;
    other.enable(json!({"resume_from": gap["params"]["cursor"]})).await;
    assert_eq!(other.tracking_ids(1).await, ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_of_another_log_gives_a_gap() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;
    let old = client.enable(json!({})).await;
    harness.log.renew();
    assert_gap(&client.event().await, "log_lost", &old);
    harness.log.call(1, "a", State::Ringing);
    assert_eq!(client.tracking_ids(1).await, ["a"]);

    let mut other = harness.client(ACCOUNT).await;
    let answer = other.enable(json!({"resume_from": old["cursor"]})).await;

    assert_gap(&other.event().await, "log_lost", &answer);
    other.nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_place_in_another_tenant_s_log_gives_a_gap() {
    let harness = Harness::start().await;
    let mut admin = harness.client(ADMIN).await;
    admin.enable(json!({})).await;
    harness.log.foreign_call("theirs");
    let theirs = admin.event().await["params"]["event_id"].clone();

    let mut client = harness.client(CUSTOMER).await;
    let answer = client.enable(json!({"resume_from": theirs})).await;
    harness.log.call(1, "own", State::Ringing);

    assert_gap(&client.event().await, "log_lost", &answer);
    assert_eq!(client.tracking_ids(1).await, ["own"]);
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_fails_is_tried_again() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;
    let cursor = client.enable(json!({})).await["cursor"].clone();
    harness.log.call(1, "a", State::Ringing);
    harness.log.fail_replays(2);

    let mut client = harness.client(ACCOUNT).await;
    client.enable(json!({"resume_from": cursor})).await;
    harness.log.call(1, "b", State::Ringing);

    assert_eq!(client.tracking_ids(2).await, ["a", "b"]);
    client.nothing().await;
}

#[tokio::test(start_paused = true)]
async fn more_events_than_may_wait_are_served_by_the_log() {
    let harness = Harness::with(config(|config| config.outbound_event_bytes = 4_096)).await;
    let mut client = harness.client(ACCOUNT).await;
    let cursor = client.enable(json!({})).await["cursor"].clone();
    harness.log.call(1, "0", State::Ringing);

    let mut client = harness.client(ACCOUNT).await;
    client.enable(json!({"resume_from": cursor})).await;
    for number in 1..50 {
        harness.log.call(1, &number.to_string(), State::Ringing);
    }

    let expected: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    assert_eq!(client.tracking_ids(50).await, expected);
    client.nothing().await;
    assert!(harness.log.replays() >= 2);
}

#[tokio::test(start_paused = true)]
async fn many_resume_at_once_and_events_go_on() {
    let harness = Harness::start().await;
    let mut live = harness.client(CUSTOMER).await;
    let cursor = live.enable(json!({})).await["cursor"].clone();
    harness.log.call(1, "missed", State::Ringing);
    live.event().await;

    let mut clients = Vec::new();
    for _ in 0..40 {
        let mut client = harness.client(CUSTOMER).await;
        client.begin(ENABLE, json!({"resume_from": cursor})).await;
        clients.push(client);
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    harness.log.call(1, "new", State::Ringing);

    assert_eq!(live.tracking_ids(1).await, ["new"]);
    for client in &mut clients {
        client.next().await;
        assert_eq!(client.tracking_ids(2).await, ["missed", "new"]);
    }
}

#[tokio::test(start_paused = true)]
async fn two_hundred_resumes_in_a_minute_cost_others_nothing() {
    let harness = Harness::start().await;
    let mut other = harness.client(CUSTOMER).await;
    other.enable(json!({})).await;
    let mut restless = harness.client(ACCOUNT).await;
    let mut cursor = restless.enable(json!({})).await["cursor"].clone();

    let began = Instant::now();
    for number in 0..200 {
        drop(restless);
        let written = Instant::now();
        harness.log.call(1, &number.to_string(), State::Connected);
        assert_eq!(other.tracking_ids(1).await, [number.to_string()]);
        assert_eq!(written.elapsed(), Duration::ZERO, "nobody else waits");

        restless = harness.client(ACCOUNT).await;
        restless.enable(json!({"resume_from": cursor})).await;
        let event = restless.event().await;
        assert_eq!(event["params"]["call_info"]["tracking_id"], number.to_string());
        cursor = event["params"]["event_id"].clone();
        sleep(Duration::from_millis(250)).await;
    }
    assert!(began.elapsed() <= Duration::from_mins(1), "{:?}", began.elapsed());
}
