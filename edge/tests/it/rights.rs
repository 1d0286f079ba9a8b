//! Rights that change while a socket is open: it goes on with the new ones.

use std::time::Duration;

use mesh::testing::eventually;
use proto::call::v1::State;
use serde_json::json;
use tokio::time::Instant;

use crate::support::{ACCOUNT, ADMIN, CUSTOMER, Harness, PATIENCE};

#[tokio::test(start_paused = true)]
async fn a_role_without_call_control_ends_subscriptions_and_no_socket() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;
    client.enable(json!({})).await;

    harness.auth.change_rights(5, &["xdrs:read"]);
    let data = client.call("Session/get_session_data", json!({})).await.unwrap();
    harness.log.call(1, "after", State::Connected);

    assert_eq!(data["scopes"], json!(["xdrs:read"]));
    client.nothing().await;
    let refused = client.call("CallControl/hold_call", json!({"call": {"id": "c"}})).await;
    assert_eq!(refused.unwrap_err()["code"], -32003);
}

#[tokio::test(start_paused = true)]
async fn what_the_new_rights_allow_goes_on_without_a_gap() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;
    let mut reader = harness.client(CUSTOMER).await;
    client.enable(json!({})).await;
    reader.enable(json!({})).await;

    harness.log.call(1, "before", State::Connected);
    harness.auth.change_rights(5, &["call_control:read"]);
    harness.log.call(1, "while", State::Connected);
    let refused = client.call("CallControl/hold_call", json!({"call": {"id": "c"}})).await;
    client.idle_but_events(Duration::from_secs(3)).await;
    harness.log.call(1, "after", State::Connected);

    assert_eq!(refused.unwrap_err()["code"], -32003);
    assert_eq!(client.tracking_ids(3).await, ["before", "while", "after"]);
    assert_eq!(reader.tracking_ids(3).await, ["before", "while", "after"]);
}

#[tokio::test(start_paused = true)]
async fn more_rights_count_at_once() {
    let harness = Harness::start().await;
    let token = harness.token_with(ACCOUNT, &[], 900);
    let mut client = harness.client_with(&token).await;
    let hold = json!({"call": {"id": "c"}});
    assert!(client.call("CallControl/hold_call", hold.clone()).await.is_err());

    harness.auth.change_rights(5, &["call_control:modify"]);

    client.call("CallControl/hold_call", hold).await.unwrap();
    assert!(client.call("Session/ping", json!({})).await.unwrap()["user_id"] != 0);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_left_a_scope_is_silent_and_the_others_are_not() {
    let harness = Harness::start().await;
    let mut client = harness.client(ADMIN).await;
    client.enable(json!({"i_account": 1})).await;
    client.enable(json!({"i_account": 2})).await;

    harness.auth.take_away(1);
    harness.auth.change_rights(5, &["call_control:modify"]);
    let renewed =
        || async { if harness.auth.renewed() > 0 { Ok(()) } else { Err("not yet".to_owned()) } };
    eventually(PATIENCE, "new rights", renewed).await;
    client.idle(Duration::from_secs(1)).await;
    harness.log.call(1, "of one that left", State::Connected);
    harness.log.call(2, "of one that stayed", State::Connected);

    assert_eq!(client.tracking_ids(1).await, ["of one that stayed"]);
    client.nothing().await;
}

#[tokio::test(start_paused = true)]
async fn sockets_of_one_session_share_one_renewal() {
    let harness = Harness::start().await;
    let token = harness.token(ACCOUNT);
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(harness.client_with(&token).await);
    }

    harness.auth.change_rights(5, &["call_control:read"]);
    for client in &mut clients {
        let data = client.call("Session/get_session_data", json!({})).await.unwrap();
        assert_eq!(data["scopes"], json!(["call_control:read"]));
    }

    assert_eq!(harness.auth.renewed(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_told_its_rights_is_closed_within_a_second() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;
    client.enable(json!({})).await;

    let subject = mesh::token::Subject::Role("test".to_owned());
    let begin = Instant::now();
    harness.verifier.revoke(mesh::token::Revocation { subject, epoch: 5, ends: false });

    assert_eq!(client.closed().await.0, 4401);
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_end_the_notifier_hears_first_has_ended_and_not_expired() {
    let harness = Harness::start().await;
    let token = harness.token(ACCOUNT);
    let mut client = harness.client_with(&token).await;
    client.enable(json!({})).await;

    harness.auth.end_sessions_unheard();
    harness.log.refuse_token(&token);

    assert_eq!(client.closed().await.0, 4403);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_rights_that_the_notifier_hears_first_closes_nobody_and_loses_nothing() {
    let harness = Harness::start().await;
    let token = harness.token(ACCOUNT);
    let mut client = harness.client_with(&token).await;
    client.enable(json!({})).await;

    harness.auth.change_rights_unheard(5, &["call_control:read"]);
    harness.log.refuse_token(&token);
    harness.log.call(1, "amid it", State::Connected);
    assert_eq!(client.tracking_ids(1).await, ["amid it"]);
    harness.log.call(1, "afterwards", State::Connected);

    assert_eq!(client.tracking_ids(1).await, ["afterwards"]);
    assert_eq!(harness.auth.renewed(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_may_what_it_could_and_is_refused_all_the_same_is_closed() {
    let harness = Harness::start().await;
    let token = harness.token(ACCOUNT);
    let mut client = harness.client_with(&token).await;
    client.enable(json!({})).await;

    harness.auth.change_rights_unheard(0, &["call_control:read"]);
    harness.log.refuse_token(&token);

    assert_eq!(client.closed().await.0, 4401);
}
