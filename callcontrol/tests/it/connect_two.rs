//! Two numbers that an application connects.

use proto::callcontrol::v1::{CallTarget, OriginateAdvancedCallRequest};
use proto::switch::v1::OriginateAdvancedCall;
use proto::switch::v1::command_request::Command;
use tonic::Code;

use crate::harness::{ADMIN, ALICE, CUSTOMER, Harness, NODE, Switch, call, reason, refusal};

fn target(destination: &str) -> CallTarget {
    CallTarget { destination: destination.to_owned(), caller_id: None }
}

fn connect() -> OriginateAdvancedCallRequest {
    OriginateAdvancedCallRequest {
        first: Some(target("12065550001")),
        second: Some(target("12065550002")),
        ..OriginateAdvancedCallRequest::default()
    }
}

fn connected(switch: &Switch) -> OriginateAdvancedCall {
    match switch.last().command {
        Some(Command::OriginateAdvancedCall(originate)) => originate,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_answer_names_the_first_leg() {
    let harness = Harness::start().await;
    let second = CallTarget { caller_id: Some("5551234".to_owned()), ..target("12065550002") };
    let request = OriginateAdvancedCallRequest { second: Some(second), ..connect() };

    let mut client = harness.client.clone();

    let answer = client.originate_advanced_call(harness.request(ALICE, request)).await.unwrap();

    let answer = answer.into_inner();
    let asked = connected(&harness.switch);
    assert!(asked.call_id.starts_with(&format!("{NODE}.")), "{}", asked.call_id);
    assert_eq!(answer.call, Some(call(&asked.call_id, "a")));
    assert_eq!(answer.tracking_id, "t1");
    assert_eq!(asked.account.unwrap().account_id, "101");
    assert_eq!(asked.timeout_seconds, 60);
    let (first, second) = (asked.first.unwrap(), asked.second.unwrap());
    assert_eq!((first.destination.as_str(), first.caller_id), ("12065550001", None));
    assert_eq!(second.destination, "12065550002");
    assert_eq!(second.caller_id.as_deref(), Some("5551234"));
    assert_eq!(harness.switch.last().i_customer, 1);
}

#[tokio::test]
async fn without_the_rating_entry_nothing_rings() {
    let harness = Harness::start().await;
    let request = OriginateAdvancedCallRequest { account_id: Some("102".to_owned()), ..connect() };

    let outcome =
        harness.client.clone().originate_advanced_call(harness.request(CUSTOMER, request)).await;

    assert_eq!(reason(outcome), (Code::PermissionDenied, "NOT_ALLOWED".to_owned()));
    assert!(harness.switch.asked().is_empty());
}

#[tokio::test]
async fn an_account_outside_the_scope_looks_absent_and_not_forbidden() {
    let harness = Harness::start().await;

    for (scope, account_id) in [(ALICE, "102"), (CUSTOMER, "201"), (ADMIN, "999")] {
        let account_id = Some(account_id.to_owned());
        let request = OriginateAdvancedCallRequest { account_id, ..connect() };
        let outcome =
            harness.client.clone().originate_advanced_call(harness.request(scope, request)).await;
        assert_eq!(reason(outcome), (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned()), "{scope:?}");
    }
}

#[tokio::test]
async fn the_same_id_again_connects_nobody_twice() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    let named = OriginateAdvancedCallRequest { request_id: Some("r1".to_owned()), ..connect() };
    let spelled_out = OriginateAdvancedCallRequest {
        account_id: Some("101".to_owned()),
        timeout: 60,
        ..named.clone()
    };
    let other =
        OriginateAdvancedCallRequest { second: Some(target("12065550009")), ..named.clone() };

    let first = client.originate_advanced_call(harness.request(ALICE, named)).await.unwrap();
    let again = client.originate_advanced_call(harness.request(ALICE, spelled_out)).await.unwrap();
    let reused = client.originate_advanced_call(harness.request(ALICE, other)).await;

    assert_eq!(first.get_ref(), again.get_ref());
    assert_eq!(harness.switch.done(), 1);
    assert_eq!(reason(reused), (Code::InvalidArgument, "REQUEST_ID_REUSED".to_owned()));
}

#[tokio::test]
async fn wrong_params_are_refused_by_name() {
    let harness = Harness::start().await;
    let cases = [
        (OriginateAdvancedCallRequest { first: None, ..connect() }, "MISSING_PARAM", "first"),
        (
            OriginateAdvancedCallRequest { first: Some(target("")), ..connect() },
            "MISSING_PARAM",
            "first.destination",
        ),
        (
            OriginateAdvancedCallRequest { second: Some(target("a b")), ..connect() },
            "INVALID_PARAM",
            "second.destination",
        ),
        (OriginateAdvancedCallRequest { timeout: 601, ..connect() }, "INVALID_PARAM", "timeout"),
    ];

    for (request, expected, param) in cases {
        let outcome =
            harness.client.clone().originate_advanced_call(harness.request(ALICE, request)).await;
        let (code, reason, metadata) = refusal(outcome);
        assert_eq!((code, reason.as_str()), (Code::InvalidArgument, expected));
        assert_eq!(metadata["params"], param);
    }
    let nobody = harness.request(ADMIN, connect());
    let nobody = harness.client.clone().originate_advanced_call(nobody).await;
    assert_eq!(refusal(nobody).2["params"], "account_id");
}
