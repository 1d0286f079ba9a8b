//! An Asterisk that does not do what it is asked, and one that two nodes have taken for their own.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use super::harness::{ALICE, BOB, Harness};
use crate::faulty;
use crate::fixture::Phones;
use crate::needs_asterisk;

const BYE: &str = "terminated 487 BYE Received";

/// What a request does, e.g. `addChannel`.
fn kind(request: &str) -> String {
    let path = request.split('?').next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

fn is_dial(request: &str) -> bool {
    request == "POST /ari/channels"
}

#[tokio::test]
async fn a_call_comes_about_although_the_first_request_of_each_kind_but_dials_is_refused() {
    needs_asterisk!();
    let phones = Phones::start().await;
    let pbx = phones.pbx().await;
    let seen = Mutex::new(BTreeSet::new());
    let fails = move |request: &str| {
        request.starts_with("POST") && !is_dial(request) && seen.lock().insert(kind(request))
    };
    let url = faulty::way_to(pbx.http_port, &phones, Arc::new(fails)).await;
    let harness = Harness::with(phones, pbx, &url).await;
    let (alice, bob) = (&harness.phones.alice, &harness.phones.bob);

    let call = harness.originate("101", "102").await;

    harness.until(&call, ALICE, &["trying", "ringing", "early", "connected"]).await;
    alice.hears(bob.tone).await;
    bob.hears(alice.tone).await;
    bob.hang_up().await;
    harness.until(&call, BOB, &["trying", "ringing", "connected", BYE]).await;
    alice.sees("BYE", 1).await;
    harness.until_empty().await;
}

#[tokio::test]
async fn a_call_that_cannot_be_dialled_ends_with_503_and_leaves_nothing() {
    needs_asterisk!();
    let phones = Phones::start().await;
    let pbx = phones.pbx().await;
    let url = faulty::way_to(pbx.http_port, &phones, Arc::new(is_dial)).await;
    let harness = Harness::with(phones, pbx, &url).await;

    let call = harness.originate("101", "102").await;

    harness.until(&call, ALICE, &["trying", "terminated 503 Service Unavailable"]).await;
    harness.until_empty().await;
    assert!(harness.is_settled().await, "nothing is left in the store");
}

#[tokio::test]
async fn a_second_node_under_the_same_application_name_hangs_up_none_of_the_first_s_calls() {
    needs_asterisk!();
    let harness = Harness::start().await;
    let (alice, bob) = (&harness.phones.alice, &harness.phones.bob);
    let call = harness.originate("101", "102").await;
    harness.until(&call, BOB, &["trying", "ringing", "connected"]).await;
    alice.hears(bob.tone).await;

    let second = harness.another_node("switch-2", &harness.pbx).await;
    harness.until_degraded().await;
    // The first has the name back, and has compared.
    harness.until_ready().await;
    alice.hears(bob.tone).await;
    bob.hears(alice.tone).await;
    second.stop().await;

    harness.until_ready().await;
    bob.hang_up().await;
    harness.until_last(&call, ALICE, BYE).await;
    harness.until(&call, BOB, &["trying", "ringing", "connected", BYE]).await;
    harness.until_empty().await;
}
