//! Calls that are handed to somebody else.

use proto::callcontrol::v1::{RedirectCallRequest, TransferCallRequest};
use proto::switch::v1::TransferCall;
use proto::switch::v1::command_request::Command;
use tonic::Code;

use crate::harness::{ALICE, CALL, Harness, Reply, Switch, call, reason, refusal};

const OTHER: &str = "main-0.c2";

fn blind(destination: &str) -> TransferCallRequest {
    TransferCallRequest {
        call: Some(call(CALL, "a")),
        destination: Some(destination.to_owned()),
        ..TransferCallRequest::default()
    }
}

fn attended(target: &str) -> TransferCallRequest {
    TransferCallRequest {
        call: Some(call(CALL, "a")),
        target_call: Some(call(target, "")),
        ..TransferCallRequest::default()
    }
}

fn transferred(switch: &Switch) -> TransferCall {
    match switch.last().command {
        Some(Command::TransferCall(transfer)) => transfer,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_transfer_answers_with_the_new_and_the_old_tracking_id() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();

    let answer = client.transfer_call(harness.request(ALICE, blind("102"))).await.unwrap();

    let answer = answer.into_inner();
    assert_eq!((answer.tracking_id.as_str(), answer.previous_tracking_id.as_str()), ("t2", "t1"));
    let asked = transferred(&harness.switch);
    assert_eq!(asked.call, Some(call(CALL, "a")));
    assert_eq!((asked.destination.as_deref(), asked.target_call), (Some("102"), None));

    client.transfer_call(harness.request(ALICE, attended(OTHER))).await.unwrap();

    let asked = transferred(&harness.switch);
    assert_eq!((asked.destination, asked.target_call.as_deref()), (None, Some(OTHER)));
}

#[tokio::test]
async fn a_transfer_has_one_target() {
    let harness = Harness::start().await;
    let both = TransferCallRequest { target_call: Some(call(OTHER, "")), ..blind("102") };
    let neither = TransferCallRequest { destination: None, ..blind("") };

    let missing = [neither, blind(""), attended("")].map(|request| (request, "MISSING_PARAM"));
    for (request, expected) in missing.into_iter().chain([(both, "INVALID_PARAM")]) {
        let outcome = harness.client.clone().transfer_call(harness.request(ALICE, request)).await;
        let (code, reason, metadata) = refusal(outcome);
        assert_eq!((code, reason.as_str()), (Code::InvalidArgument, expected));
        assert_eq!(metadata["params"], "destination,target_call");
    }
    let (_, reason, metadata) =
        refusal(harness.client.clone().transfer_call(harness.request(ALICE, blind("a b"))).await);
    assert_eq!((reason.as_str(), metadata["params"].as_str()), ("INVALID_PARAM", "destination"));
    assert!(harness.switch.asked().is_empty());
}

#[tokio::test]
async fn the_two_calls_of_a_transfer_are_told_apart_when_one_is_absent() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();

    let target = client.transfer_call(harness.request(ALICE, attended("nonsense"))).await;
    let request = TransferCallRequest { call: Some(call("other-0.c1", "")), ..attended(OTHER) };
    let call = client.transfer_call(harness.request(ALICE, request)).await;
    harness.switch.reply(Reply::Refuse(Code::NotFound, "TARGET_CALL_NOT_FOUND"));
    let unknown = client.transfer_call(harness.request(ALICE, attended(OTHER))).await;

    let no_target = (Code::NotFound, "TARGET_CALL_NOT_FOUND".to_owned());
    assert_eq!(reason(target), no_target);
    assert_eq!(reason(call), (Code::NotFound, "CALL_NOT_FOUND".to_owned()));
    assert_eq!(reason(unknown), no_target);
}

#[tokio::test]
async fn a_transfer_is_not_done_twice() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    let named = |request: TransferCallRequest| TransferCallRequest {
        request_id: Some("r1".to_owned()),
        ..request
    };

    let first = client.transfer_call(harness.request(ALICE, named(blind("102")))).await.unwrap();
    let again = client.transfer_call(harness.request(ALICE, named(blind("102")))).await.unwrap();
    let other = client.transfer_call(harness.request(ALICE, named(attended(OTHER)))).await;

    assert_eq!(first.get_ref(), again.get_ref());
    assert_eq!(harness.switch.done(), 1);
    assert_eq!(reason(other), (Code::InvalidArgument, "REQUEST_ID_REUSED".to_owned()));
}

#[tokio::test]
async fn a_ringing_call_is_sent_on() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    let to = |destination: &str| RedirectCallRequest {
        call: Some(call(CALL, "")),
        destination: destination.to_owned(),
        request_id: Some("r1".to_owned()),
    };

    for _ in 0..2 {
        let answer = client.redirect_call(harness.request(ALICE, to("104"))).await.unwrap();
        assert_eq!(answer.get_ref().success, 1);
    }

    let Some(Command::RedirectCall(asked)) = harness.switch.last().command else { panic!() };
    assert_eq!((asked.call, asked.destination.as_str()), (Some(call(CALL, "")), "104"));
    assert_eq!(harness.switch.done(), 1);
    let (_, reason, metadata) = refusal(client.redirect_call(harness.request(ALICE, to(""))).await);
    assert_eq!((reason.as_str(), metadata["params"].as_str()), ("MISSING_PARAM", "destination"));
}
