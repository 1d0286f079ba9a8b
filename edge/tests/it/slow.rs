//! Clients that do not read.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

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
