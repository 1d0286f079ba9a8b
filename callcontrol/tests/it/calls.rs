//! Commands on calls.

use std::time::Duration;

use mesh::metadata;
use mesh::testing::eventually;
use proto::callcontrol::v1::{
    AnswerCallRequest, GetCallInfoRequest, HoldCallRequest, RejectCallRequest, ResumeCallRequest,
    SendDtmfRequest, TerminateCallRequest,
};
use proto::options::v1::Realm;
use proto::switch::v1::command_request::Command;
use tonic::Code;

use crate::harness::{
    ALICE, CALL, CUSTOMER, Harness, RESELLER, Reply, call, reason, refusal, within,
};

fn hold(id: &str, tag: &str) -> HoldCallRequest {
    HoldCallRequest { call: Some(call(id, tag)), request_id: None }
}

#[tokio::test]
async fn every_command_reaches_the_call_s_node() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    let named = || Some(call(CALL, "a"));

    client.hold_call(harness.request(ALICE, hold(CALL, "a"))).await.unwrap();
    let resume = ResumeCallRequest { call: named(), request_id: None };
    client.resume_call(harness.request(ALICE, resume)).await.unwrap();
    let answer = AnswerCallRequest { call: named(), request_id: None };
    client.answer_call(harness.request(ALICE, answer)).await.unwrap();
    let reject = RejectCallRequest { call: named(), reason_code: Some(486), request_id: None };
    client.reject_call(harness.request(ALICE, reject)).await.unwrap();
    let terminate = TerminateCallRequest { call: named(), reason_code: None, request_id: None };
    client.terminate_call(harness.request(ALICE, terminate)).await.unwrap();
    let digits = SendDtmfRequest { call: named(), digits: "12#A".to_owned(), request_id: None };
    client.send_dtmf(harness.request(ALICE, digits)).await.unwrap();

    let asked: Vec<_> =
        harness.switch.asked().into_iter().map(|one| one.command.unwrap()).collect();
    let [
        Command::HoldCall(held),
        Command::ResumeCall(_),
        Command::AnswerCall(_),
        Command::RejectCall(rejected),
        Command::TerminateCall(terminated),
        Command::SendDtmf(sent),
    ] = &asked[..]
    else {
        panic!("{asked:?}")
    };
    assert_eq!(held.call, named());
    assert_eq!(rejected.reason_code, Some(486));
    assert_eq!(terminated.reason_code, None);
    assert_eq!(sent.digits, "12#A");
}

#[tokio::test]
async fn the_engine_is_told_who_commands_and_until_when() {
    let harness = Harness::start().await;
    let mut request = harness.request(RESELLER, hold(CALL, ""));
    request.metadata_mut().insert(metadata::METHOD, "CallControl/hold_call".parse().unwrap());
    let before = harness.clock.now();

    harness.client.clone().hold_call(within(request, Duration::from_secs(2))).await.unwrap();

    let asked = harness.switch.last();
    let caller = asked.caller.unwrap();
    assert_eq!(caller.realm(), Realm::Reseller);
    assert_eq!((caller.i_reseller, caller.i_customer, caller.i_account), (3, 0, 0));
    assert_eq!(caller.login, "reseller-3");
    assert_eq!(caller.method, "CallControl/hold_call");
    assert_eq!(asked.i_customer, 0);
    assert!(asked.traceparent.starts_with("00-"), "{}", asked.traceparent);
    let left = asked.deadline_us - before.as_micros();
    assert!((1_500_000..2_000_000).contains(&left), "{left}");
}

#[tokio::test]
async fn a_call_of_no_known_node_is_not_found() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();

    for id in ["nonsense", "other-0.c1", ".c1", "main-0."] {
        let (code, reason, metadata) =
            refusal(client.hold_call(harness.request(ALICE, hold(id, ""))).await);
        assert_eq!((code, reason.as_str()), (Code::NotFound, "CALL_NOT_FOUND"), "{id}");
        assert_eq!(metadata["call"], id);
    }
    assert!(harness.switch.asked().is_empty());
}

#[tokio::test]
async fn the_engine_s_refusal_is_passed_on() {
    let harness = Harness::start().await;
    harness.switch.reply(Reply::Refuse(Code::FailedPrecondition, "WRONG_STATE"));

    let outcome = harness.client.clone().hold_call(harness.request(ALICE, hold(CALL, ""))).await;

    let (code, reason, metadata) = refusal(outcome);
    assert_eq!((code, reason.as_str()), (Code::FailedPrecondition, "WRONG_STATE"));
    assert_eq!(metadata["state"], "ringing");
}

#[tokio::test]
async fn a_node_that_cannot_be_reached_has_done_nothing() {
    let harness = Harness::start().await;
    harness.switch.stop();
    let unreachable = (Code::Unavailable, "SWITCH_UNREACHABLE".to_owned());

    let outcome = eventually(Duration::from_secs(5), "the node is gone", || async {
        let outcome =
            harness.client.clone().hold_call(harness.request(ALICE, hold(CALL, ""))).await;
        outcome.map_or_else(Ok, |answer| Err(format!("{answer:?}")))
    });

    assert_eq!(reason(Err::<(), _>(outcome.await)), unreachable);
}

#[tokio::test]
async fn a_node_that_is_overloaded_has_done_nothing() {
    let harness = Harness::start().await;
    harness.switch.reply(Reply::Status(503));

    let outcome = harness.client.clone().hold_call(harness.request(ALICE, hold(CALL, ""))).await;

    assert_eq!(reason(outcome), (Code::Unavailable, "SWITCH_UNREACHABLE".to_owned()));
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_an_internal_fault() {
    let harness = Harness::start().await;
    harness.switch.reply(Reply::Status(404));

    let outcome = harness.client.clone().hold_call(harness.request(ALICE, hold(CALL, ""))).await;

    let status = outcome.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"));
}

#[tokio::test]
async fn without_an_answer_the_outcome_of_a_command_is_unknown() {
    let harness = Harness::start().await;
    harness.switch.reply(Reply::Silence);
    let time = Duration::from_millis(300);
    let mut client = harness.client.clone();

    let held = client.hold_call(within(harness.request(ALICE, hold(CALL, "")), time)).await;
    let get = GetCallInfoRequest { call: Some(call(CALL, "")) };
    let read = client.get_call_info(within(harness.request(ALICE, get), time)).await;

    let (code, reason, metadata) = refusal(held);
    assert_eq!((code, reason.as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
    assert_eq!(metadata["outcome"], "unknown");
    let (code, _, metadata) = refusal(read);
    assert_eq!(code, Code::DeadlineExceeded);
    assert!(metadata.is_empty(), "nothing is done by reading");
}

#[tokio::test]
async fn one_connection_carries_all_commands() {
    let harness = Harness::start().await;
    let commands = (0..50).map(|_| {
        let mut client = harness.client.clone();
        let request = harness.request(ALICE, hold(CALL, ""));
        async move { client.hold_call(request).await }
    });

    let outcomes = futures::future::join_all(commands).await;

    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(harness.switch.connections(), 1);
}

#[tokio::test]
async fn a_node_that_starts_again_is_reached_again() {
    let mut harness = Harness::start().await;
    let mut client = harness.client.clone();
    client.hold_call(harness.request(ALICE, hold(CALL, ""))).await.unwrap();

    harness.restart_switch().await;

    eventually(Duration::from_secs(5), "the node answers again", || async {
        let outcome =
            harness.client.clone().hold_call(harness.request(ALICE, hold(CALL, ""))).await;
        outcome.map_err(|status| format!("{status:?}"))
    })
    .await;
}

#[tokio::test]
async fn commands_on_known_calls_go_on_without_the_store() {
    let harness = Harness::start().await;
    harness.ledger.set_reachable(false);

    harness.client.clone().hold_call(harness.request(ALICE, hold(CALL, ""))).await.unwrap();

    eventually(Duration::from_secs(5), "readiness tells of it", || async {
        let state = harness.readiness.state_of("callcontrol.store");
        match state {
            Some(mesh::health::State::Degraded(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert!(harness.readiness.is_ready());
}

#[tokio::test]
async fn call_info_is_the_engine_s() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    let tags = async |client: &mut proto::callcontrol::v1::call_control_service_client::CallControlServiceClient<_>, tag| {
        let get = GetCallInfoRequest { call: Some(call(CALL, tag)) };
        let answer = client.get_call_info(harness.request(CUSTOMER, get)).await;
        answer.map(|answer| {
            let legs = answer.into_inner().call_info.into_iter();
            legs.map(|leg| leg.call.unwrap().tag.unwrap()).collect::<Vec<_>>()
        })
    };

    assert_eq!(tags(&mut client, "").await.unwrap(), ["a", "b"]);
    assert_eq!(tags(&mut client, "b").await.unwrap(), ["b"]);
    assert_eq!(reason(tags(&mut client, "c").await), (Code::NotFound, "CALL_NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn wrong_params_are_refused_by_name() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    let mut refused = Vec::new();

    let nothing = HoldCallRequest { call: None, request_id: None };
    refused.push(refusal(client.hold_call(harness.request(ALICE, nothing)).await));
    let digits =
        SendDtmfRequest { call: Some(call(CALL, "")), digits: "1x".to_owned(), request_id: None };
    refused.push(refusal(client.send_dtmf(harness.request(ALICE, digits)).await));
    let reject =
        RejectCallRequest { call: Some(call(CALL, "")), reason_code: Some(200), request_id: None };
    refused.push(refusal(client.reject_call(harness.request(ALICE, reject)).await));
    let unnamed = HoldCallRequest { call: Some(call(CALL, "")), request_id: Some(String::new()) };
    refused.push(refusal(client.hold_call(harness.request(ALICE, unnamed)).await));

    let told: Vec<_> = refused
        .iter()
        .map(|(code, reason, metadata)| {
            assert_eq!(*code, Code::InvalidArgument);
            (reason.as_str(), metadata["params"].as_str())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("MISSING_PARAM", "call"),
            ("INVALID_PARAM", "digits"),
            ("INVALID_PARAM", "reason_code"),
            ("INVALID_PARAM", "request_id"),
        ]
    );
    assert!(harness.switch.asked().is_empty());
}

#[tokio::test]
async fn a_role_that_may_read_may_not_act() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    let scopes = ["call_control:read"];

    let get = GetCallInfoRequest { call: Some(call(CALL, "")) };
    client.get_call_info(harness.request_as(ALICE, &scopes, get)).await.unwrap();
    let held = client.hold_call(harness.request_as(ALICE, &scopes, hold(CALL, ""))).await;

    assert_eq!(reason(held), (Code::PermissionDenied, "ACCESS_DENIED".to_owned()));
}
