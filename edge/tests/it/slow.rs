//! Clients that do not read.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::support::{CUSTOMER, Harness, config};

/// Bytes of one event; the memory connection itself holds 64 KiB.
const HEAVY: usize = 8_192;

#[tokio::test(start_paused = true)]
async fn a_slow_client_is_told_and_caught_up_from_the_log() {
    let harness = Harness::with(config(|config| config.outbound_event_bytes = 64 * 1024)).await;
    let mut slow = harness.client(CUSTOMER).await;
    let mut quick = harness.client(CUSTOMER).await;
    let answer = slow.enable(json!({})).await;
    quick.enable(json!({})).await;

    let mut expected = Vec::new();
    for number in 0..60 {
        expected.push(number.to_string());
        harness.log.heavy_call(1, &number.to_string(), HEAVY);
        assert_eq!(quick.tracking_ids(1).await, [number.to_string()]);
    }

    let (mut came, mut gaps) = (Vec::new(), 0);
    while came.len() < 60 {
        let event = slow.event().await;
        if event["method"] == "CallControl/notifications_gap" {
            assert_eq!(event["params"]["reason"], "slow_reader");
            assert_eq!(event["params"]["subscription_id"], answer["subscription_id"]);
            gaps += 1;
        } else {
            let id = event["params"]["call_info"]["tracking_id"].as_str();
            came.push(id.unwrap().to_owned());
        }
    }
    assert_eq!(came, expected);
    assert!(gaps >= 1);
    slow.nothing().await;
    harness.log.heavy_call(1, "live", 0);
    assert_eq!(slow.tracking_ids(1).await, ["live"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_stuck_among_a_thousand_delays_nobody_and_is_served_from_the_log() {
    const READERS: usize = 999;
    const EVENTS: usize = 20;
    let harness = Harness::with(config(|config| {
        config.outbound_event_bytes = 32 * 1024;
        config.max_connections_per_user = READERS + 1;
    }))
    .await;
    let mut stuck = harness.client(CUSTOMER).await;
    stuck.enable(json!({})).await;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let mut reader = harness.client(CUSTOMER).await;
        reader.enable(json!({})).await;
        readers.push(reader);
    }

    let mut worst = Duration::ZERO;
    for number in 0..EVENTS {
        let written = Instant::now();
        harness.log.heavy_call(1, &number.to_string(), HEAVY);
        for reader in &mut readers {
            assert_eq!(reader.tracking_ids(1).await, [number.to_string()]);
        }
        // Time passes only when somebody has to wait for it.
        worst = worst.max(written.elapsed());
    }
    assert_eq!(worst, Duration::ZERO);

    let (mut came, mut gaps) = (Vec::new(), 0);
    while came.len() < EVENTS {
        let event = stuck.event().await;
        match event["params"]["call_info"]["tracking_id"].as_str() {
            Some(id) => came.push(id.to_owned()),
            None => gaps += 1,
        }
    }
    let expected: Vec<_> = (0..EVENTS).map(|number| number.to_string()).collect();
    assert_eq!(came, expected);
    assert!(gaps >= 1 && harness.log.replays() >= 1, "the log has served it");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_closed() {
    let harness = Harness::with(config(|config| {
        config.outbound_event_bytes = 32 * 1024;
        config.slow_reader_timeout = Duration::from_secs(5);
    }))
    .await;
    let mut slow = harness.client(CUSTOMER).await;
    slow.enable(json!({})).await;
    for number in 0..40 {
        harness.log.heavy_call(1, &number.to_string(), HEAVY);
        sleep(Duration::from_millis(1)).await;
    }

    sleep(Duration::from_secs(6)).await;

    assert_eq!(slow.closed().await.0, 4413);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_its_answers_is_closed() {
    let harness = Harness::with(config(|config| {
        config.outbound_event_bytes = 64 * 1024;
        config.outbound_max_bytes = 128 * 1024;
    }))
    .await;
    let mut client = harness.client(CUSTOMER).await;

    for _ in 0..10 {
        client.begin("rpc.discover", json!({})).await;
    }
    sleep(Duration::from_secs(1)).await;

    assert_eq!(client.closed().await.0, 4413);
}
