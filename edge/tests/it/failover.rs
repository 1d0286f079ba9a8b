//! Notifiers come and go; no event is lost and none comes twice.

use std::time::Duration;

use proto::call::v1::State;
use serde_json::json;
use tokio::time::sleep;

use crate::support::client::Client;
use crate::support::{ACCOUNT, ADMIN, CUSTOMER, Harness, PATIENCE, config};

/// Waits until the edge has its live stream at a notifier.
async fn used(harness: &Harness, notifier: usize) {
    let look = || async {
        if harness.notifiers[notifier].is_used() { Ok(()) } else { Err("not used".to_owned()) }
    };
    mesh::testing::eventually(PATIENCE, "the notifier is used", look).await;
}

#[tokio::test(start_paused = true)]
async fn the_death_of_a_notifier_loses_nothing_and_repeats_nothing() {
    let harness = Harness::start().await;
    let mut account = harness.client(ACCOUNT).await;
    let mut customer = harness.client(CUSTOMER).await;
    let mut admin = harness.client(ADMIN).await;
    for client in [&mut account, &mut customer, &mut admin] {
        client.enable(json!({})).await;
    }
    used(&harness, 0).await;
    harness.log.call(1, "a", State::Ringing);

    harness.notifiers[0].kill();
    harness.log.call(1, "b", State::Ringing);
    harness.log.call(2, "c", State::Ringing);
    used(&harness, 1).await;
    harness.log.call(1, "d", State::Ringing);

    assert_eq!(account.tracking_ids(3).await, ["a", "b", "d"]);
    assert_eq!(customer.tracking_ids(4).await, ["a", "b", "c", "d"]);
    assert_eq!(admin.tracking_ids(4).await, ["a", "b", "c", "d"]);
    for client in [&mut account, &mut customer, &mut admin] {
        client.nothing().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_notifier_is_left_within_seconds() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;
    client.enable(json!({})).await;
    used(&harness, 0).await;

    harness.notifiers[0].silence();
    harness.log.call(1, "a", State::Ringing);
    sleep(Duration::from_secs(5)).await;

    assert!(harness.notifiers[1].is_used());
    assert_eq!(client.tracking_ids(1).await, ["a"]);
    client.nothing().await;
}

#[tokio::test(start_paused = true)]
async fn without_any_notifier_calls_are_controlled_and_events_come_later() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;
    client.enable(json!({})).await;
    for notifier in &harness.notifiers {
        notifier.kill();
    }
    harness.log.call(1, "a", State::Ringing);
    sleep(Duration::from_secs(10)).await;

    let hold = json!({"call": {"id": "c"}});
    assert!(client.call("CallControl/hold_call", hold).await.is_ok());
    let data = client.call("Session/get_session_data", json!({})).await.unwrap();
    assert_eq!(data["notifications"], "degraded");
    assert!(harness.readiness.is_ready());
    let mut other = harness.client(CUSTOMER).await;
    let fault = other.call("CallControl/enable_api_notifications", json!({})).await.unwrap_err();
    assert_eq!((&fault["code"], &fault["data"]["retryable"]), (&json!(-32050), &json!(true)));

    harness.notifiers[1].restart();

    assert_eq!(client.tracking_ids(1).await, ["a"]);
    client.nothing().await;
    other.enable(json!({})).await;
}

#[tokio::test(start_paused = true)]
async fn a_death_during_recovery_loses_nothing() {
    let harness = Harness::start().await;
    let mut client = harness.client(CUSTOMER).await;
    client.enable(json!({})).await;
    let mut expected = Vec::new();
    let mut write = |count: usize| {
        for _ in 0..count {
            expected.push(expected.len().to_string());
            harness.log.call(1, expected.last().unwrap(), State::Ringing);
        }
    };

    for round in 0..6 {
        let (dying, living) = (round % 2, (round + 1) % 2);
        used(&harness, dying).await;
        write(2);
        harness.notifiers[dying].kill();
        write(3);
        used(&harness, living).await;
        write(1);
        // Some rounds end while the replay of the one before is under way.
        sleep(Duration::from_millis(7 * round as u64)).await;
        harness.notifiers[dying].restart();
    }

    assert_eq!(client.tracking_ids(expected.len()).await, expected);
    client.nothing().await;
}

#[tokio::test(start_paused = true)]
async fn who_subscribes_while_a_scope_recovers_misses_nothing() {
    let harness = Harness::start().await;
    let mut first = harness.client(CUSTOMER).await;
    let cursor = first.enable(json!({})).await["cursor"].clone();
    harness.notifiers[0].kill();
    harness.log.call(1, "a", State::Ringing);
    used(&harness, 1).await;

    let mut second = harness.client(CUSTOMER).await;
    second.enable(json!({"resume_from": cursor})).await;
    harness.log.call(1, "b", State::Ringing);

    assert_eq!(first.tracking_ids(2).await, ["a", "b"]);
    assert_eq!(second.tracking_ids(2).await, ["a", "b"]);
    first.nothing().await;
    second.nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_scope_whose_token_is_refused_goes_on_with_another_s() {
    let harness = Harness::start().await;
    let mut first = harness.client(CUSTOMER).await;
    let mut second = harness.client(CUSTOMER).await;
    first.enable(json!({})).await;
    second.enable(json!({})).await;

    harness.log.refuse_all();
    harness.log.call(1, "a", State::Ringing);

    assert_eq!(first.tracking_ids(1).await, ["a"]);
    assert_eq!(second.tracking_ids(1).await, ["a"]);
    harness.log.call(1, "b", State::Ringing);
    assert_eq!(first.tracking_ids(1).await, ["b"]);
    second.event().await;
    second.nothing().await;
    assert_eq!(harness.log.subscribes(), 2);
    assert_eq!(harness.log.streams_opened(), 1);
}

/// A small generator: the same steps in each run.
struct Steps(u64);

impl Steps {
    fn next(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What one subscriber has to see: all events since it subscribed, or since its cursor.
struct Subscriber {
    client: Client,
    expected: Vec<String>,
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_every_subscriber_sees_the_log() {
    for seed in 1..=12 {
        let harness = Harness::with(config(|config| config.outbound_event_bytes = 6_000)).await;
        let mut steps = Steps(seed);
        let mut written: Vec<String> = Vec::new();
        let mut subscribers: Vec<Subscriber> = Vec::new();
        let mut first = harness.client(CUSTOMER).await;
        let start = first.enable(json!({})).await["cursor"].clone();
        subscribers.push(Subscriber { client: first, expected: Vec::new() });
        let mut down = None;

        for _ in 0..60 {
            match steps.next(10) {
                0..=4 => {
                    for _ in 0..=steps.next(12) {
                        let name = written.len().to_string();
                        harness.log.call(1, &name, State::Ringing);
                        for subscriber in &mut subscribers {
                            subscriber.expected.push(name.clone());
                        }
                        written.push(name);
                    }
                }
                5 => {
                    let mut client = harness.client(CUSTOMER).await;
                    client.enable(json!({"resume_from": start})).await;
                    subscribers.push(Subscriber { client, expected: written.clone() });
                }
                6 => {
                    let victim = usize::try_from(steps.next(2)).unwrap();
                    if down.is_none() && harness.notifiers[victim].is_used() {
                        harness.notifiers[victim].kill();
                        down = Some(victim);
                    }
                }
                7 => {
                    if let Some(notifier) = down.take() {
                        harness.notifiers[notifier].restart();
                    }
                }
                8 => harness.log.fail_replays(usize::try_from(steps.next(3)).unwrap()),
                _ => sleep(Duration::from_millis(steps.next(300))).await,
            }
        }

        for (number, subscriber) in subscribers.iter_mut().enumerate() {
            let mut came = Vec::new();
            while came.len() < subscriber.expected.len() {
                let event = subscriber.client.event().await;
                if let Some(id) = event["params"]["call_info"]["tracking_id"].as_str() {
                    came.push(id.to_owned());
                }
            }
            assert_eq!(came, subscriber.expected, "seed {seed}, subscriber {number}");
            subscriber.client.nothing().await;
        }
    }
}
