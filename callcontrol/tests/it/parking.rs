//! Parked calls, and calls that are taken by another phone.

use mesh::ledger::{Home, Ledger as _};
use proto::callcontrol::v1::{ParkCallRequest, PickupCallRequest, RetrieveCallRequest};
use proto::switch::v1::command_request::Command;
use tonic::Code;

use crate::harness::{ADMIN, ALICE, CALL, CUSTOMER, Harness, NODE, Reply, call, reason, refusal};

fn park(slot: Option<&str>) -> ParkCallRequest {
    ParkCallRequest { call: Some(call(CALL, "a")), slot: slot.map(str::to_owned), request_id: None }
}

fn from_slot(slot: &str) -> RetrieveCallRequest {
    RetrieveCallRequest { slot: Some(slot.to_owned()), ..RetrieveCallRequest::default() }
}

fn pickup(account_id: Option<&str>) -> PickupCallRequest {
    PickupCallRequest {
        call: Some(call(CALL, "")),
        account_id: account_id.map(str::to_owned),
        request_id: None,
    }
}

#[tokio::test]
async fn parking_answers_with_the_slot() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();

    let free = client.park_call(harness.request(ALICE, park(None))).await.unwrap();
    let named = client.park_call(harness.request(ALICE, park(Some("701")))).await.unwrap();

    assert_eq!((free.get_ref().slot.as_str(), named.get_ref().slot.as_str()), ("1", "701"));
    let Some(Command::ParkCall(asked)) = harness.switch.last().command else { panic!() };
    assert_eq!((asked.call, asked.slot.as_deref()), (Some(call(CALL, "a")), Some("701")));
}

#[tokio::test]
async fn a_slot_that_is_taken_or_empty_is_told_so() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();

    harness.switch.reply(Reply::Refuse(Code::FailedPrecondition, "SLOT_TAKEN"));
    let taken = client.park_call(harness.request(ALICE, park(Some("701")))).await;
    harness.switch.reply(Reply::Refuse(Code::NotFound, "SLOT_NOT_FOUND"));
    let empty = client.retrieve_call(harness.request(ALICE, from_slot("701"))).await;
    let wrong = client.park_call(harness.request(ALICE, park(Some("7 1")))).await;

    assert_eq!(reason(taken), (Code::FailedPrecondition, "SLOT_TAKEN".to_owned()));
    assert_eq!(reason(empty), (Code::NotFound, "SLOT_NOT_FOUND".to_owned()));
    assert_eq!(refusal(wrong).2["params"], "slot");
}

#[tokio::test]
async fn a_parked_call_is_taken_at_the_customer_s_home() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    let other = harness.add_node("main-1").await;
    let home = Home { node: "main-1".to_owned(), node_epoch: 1 };
    harness.ledger.set_home(1, None, &home).await.unwrap();

    client.retrieve_call(harness.request(ALICE, from_slot("701"))).await.unwrap();

    let asked = other.last();
    assert_eq!(asked.i_customer, 1);
    let Some(Command::RetrieveCall(retrieve)) = asked.command else { panic!() };
    assert_eq!((retrieve.slot.as_deref(), retrieve.call_id), (Some("701"), None));
    assert_eq!(retrieve.account.unwrap().account_id, "101");
    assert!(harness.switch.asked().is_empty());
}

#[tokio::test]
async fn a_customer_that_has_moved_is_followed_to_its_slots() {
    let harness = Harness::start_with(callcontrol::Config {
        home_cache: std::time::Duration::from_hours(1),
        ..callcontrol::Config::default()
    })
    .await;
    let mut client = harness.client.clone();
    client.retrieve_call(harness.request(ALICE, from_slot("701"))).await.unwrap();
    let other = harness.add_node("main-1").await;
    let home = harness.ledger.home(1).await.unwrap();
    let moved = Home { node: "main-1".to_owned(), node_epoch: 1 };
    harness.ledger.set_home(1, home.as_ref(), &moved).await.unwrap();
    harness.switch.reply(Reply::Refuse(Code::Unavailable, "WRONG_NODE"));

    client.retrieve_call(harness.request(ALICE, from_slot("701"))).await.unwrap();

    assert_eq!(other.done(), 1);
    assert!(home.is_some_and(|home| home.node == NODE));
}

#[tokio::test]
async fn a_parked_call_is_named_by_its_slot_or_its_id() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    let by_id = RetrieveCallRequest { call: Some(call(CALL, "")), ..Default::default() };
    let both = RetrieveCallRequest { slot: Some("701".to_owned()), ..by_id.clone() };

    let neither = RetrieveCallRequest::default();
    for (request, expected) in [(both, "INVALID_PARAM"), (neither, "MISSING_PARAM")] {
        let outcome = client.retrieve_call(harness.request(ALICE, request)).await;
        let (code, reason, metadata) = refusal(outcome);
        assert_eq!((code, reason.as_str()), (Code::InvalidArgument, expected));
        assert_eq!(metadata["params"], "slot,call");
    }
    client.retrieve_call(harness.request(ALICE, by_id)).await.unwrap();

    let Some(Command::RetrieveCall(asked)) = harness.switch.last().command else { panic!() };
    assert_eq!((asked.slot, asked.call_id.as_deref()), (None, Some(CALL)));
}

#[tokio::test]
async fn a_call_is_taken_once_for_one_request_id() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    let unnamed = RetrieveCallRequest { request_id: Some("r1".to_owned()), ..from_slot("701") };
    let named = RetrieveCallRequest { account_id: Some("101".to_owned()), ..unnamed.clone() };

    client.retrieve_call(harness.request(ALICE, unnamed)).await.unwrap();
    client.retrieve_call(harness.request(ALICE, named)).await.unwrap();

    assert_eq!(harness.switch.done(), 1);
}

#[tokio::test]
async fn a_ringing_call_is_taken_by_the_own_or_a_named_account() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();

    for (scope, named, expected) in [(ALICE, None, "101"), (CUSTOMER, Some("102"), "102")] {
        client.pickup_call(harness.request(scope, pickup(named))).await.unwrap();
        let asked = harness.switch.last();
        let Some(Command::PickupCall(pickup)) = asked.command else { panic!() };
        assert_eq!(pickup.call, Some(call(CALL, "")));
        assert_eq!(pickup.account.unwrap().account_id, expected);
        assert_eq!(asked.i_customer, 0, "the engine knows the call");
    }
}

#[tokio::test]
async fn accounts_outside_the_scope_look_absent() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    let absent = (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned());

    for (scope, account_id) in [(ALICE, "102"), (CUSTOMER, "201"), (ADMIN, "999")] {
        let taken = client.pickup_call(harness.request(scope, pickup(Some(account_id)))).await;
        assert_eq!(reason(taken), absent, "{scope:?}");
        let retrieve =
            RetrieveCallRequest { account_id: Some(account_id.to_owned()), ..from_slot("701") };
        let retrieved = client.retrieve_call(harness.request(scope, retrieve)).await;
        assert_eq!(reason(retrieved), absent, "{scope:?}");
    }
    let nobody = client.pickup_call(harness.request(CUSTOMER, pickup(None))).await;
    assert_eq!(refusal(nobody).2["params"], "account_id");
    assert!(harness.switch.asked().is_empty());
}
