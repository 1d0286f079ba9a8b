//! What a repeated `request_id` comes to.

use std::time::Duration;

use proto::callcontrol::v1::{HoldCallRequest, OriginateCallRequest, ResumeCallRequest};
use tonic::Code;

use crate::harness::{
    ADMIN, ALICE, BOB, CALL, CUSTOMER, Harness, Reply, call, reason, refusal, within,
};

fn hold(request_id: &str) -> HoldCallRequest {
    HoldCallRequest { call: Some(call(CALL, "a")), request_id: Some(request_id.to_owned()) }
}

fn originate(request_id: &str) -> OriginateCallRequest {
    OriginateCallRequest {
        account_id: Some("101".to_owned()),
        destination: "102".to_owned(),
        request_id: Some(request_id.to_owned()),
        ..OriginateCallRequest::default()
    }
}

#[tokio::test]
async fn the_same_id_again_gets_the_first_answer() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();

    let first = client.originate_call(harness.request(CUSTOMER, originate("r1"))).await.unwrap();
    let second = client.originate_call(harness.request(CUSTOMER, originate("r1"))).await.unwrap();
    let third = client.originate_call(harness.request(CUSTOMER, originate("r2"))).await.unwrap();

    assert_eq!(first.get_ref(), second.get_ref());
    assert_ne!(first.get_ref().call, third.get_ref().call);
    assert_eq!(harness.switch.done(), 2);
    let asked = harness.switch.asked();
    assert_eq!(asked.len(), 2, "the repeat is answered from the store");
    assert_eq!(asked[0].caller.as_ref().unwrap().request_id.as_deref(), Some("r1"));
}

#[tokio::test]
async fn defaults_do_not_make_it_another_command() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    let spelled_out = OriginateCallRequest { timeout: 60, ..originate("r1") };

    client.originate_call(harness.request(CUSTOMER, originate("r1"))).await.unwrap();
    client.originate_call(harness.request(CUSTOMER, spelled_out)).await.unwrap();

    assert_eq!(harness.switch.done(), 1);
}

#[tokio::test]
async fn the_same_id_with_other_params_is_refused() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    let reused = (Code::InvalidArgument, "REQUEST_ID_REUSED".to_owned());
    client.hold_call(harness.request(CUSTOMER, hold("r1"))).await.unwrap();

    let other = HoldCallRequest { call: Some(call(CALL, "b")), ..hold("r1") };
    assert_eq!(reason(client.hold_call(harness.request(CUSTOMER, other)).await), reused);
    let resume =
        ResumeCallRequest { call: Some(call(CALL, "a")), request_id: hold("r1").request_id };
    assert_eq!(reason(client.resume_call(harness.request(CUSTOMER, resume)).await), reused);
    let by_account = HoldCallRequest { call: Some(call(CALL, "b")), ..hold("r1") };
    let account = client.hold_call(harness.request(ALICE, by_account)).await;
    assert_eq!(reason(account), reused, "an account of the same customer");
    client.hold_call(harness.request(ADMIN, hold("r1"))).await.unwrap();
    assert_eq!(harness.switch.done(), 2);
}

#[tokio::test]
async fn a_customer_and_its_account_get_the_same_answer() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    let own = OriginateCallRequest { account_id: None, ..originate("r1") };
    let by_number = OriginateCallRequest { i_account: Some(1), ..own.clone() };

    let first = client.originate_call(harness.request(CUSTOMER, originate("r1"))).await.unwrap();
    let second = client.originate_call(harness.request(ALICE, own)).await.unwrap();
    let third = client.originate_call(harness.request(CUSTOMER, by_number)).await.unwrap();

    assert_eq!(first.get_ref(), second.get_ref());
    assert_eq!(first.get_ref(), third.get_ref());
    assert_eq!(harness.switch.done(), 1);
}

#[tokio::test]
async fn an_account_hears_nothing_of_another_one_s_command() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    client.originate_call(harness.request(CUSTOMER, originate("r1"))).await.unwrap();

    let outcome = client.originate_call(harness.request(BOB, originate("r1"))).await;

    assert_eq!(reason(outcome), (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn the_first_answer_outlives_the_switch_s_process() {
    let mut harness = Harness::start().await;
    let mut client = harness.client.clone();
    let first = client.originate_call(harness.request(CUSTOMER, originate("r1"))).await.unwrap();
    harness.restart_switch().await;

    let second = client.originate_call(harness.request(CUSTOMER, originate("r1"))).await.unwrap();
    let other = OriginateCallRequest { destination: "103".to_owned(), ..originate("r1") };
    let other = client.originate_call(harness.request(CUSTOMER, other)).await;

    assert_eq!(first.get_ref(), second.get_ref());
    assert_eq!(reason(other), (Code::InvalidArgument, "REQUEST_ID_REUSED".to_owned()));
    assert!(harness.switch.asked().is_empty());
}

#[tokio::test]
async fn a_final_refusal_outlives_the_switch_s_process() {
    let mut harness = Harness::start().await;
    let mut client = harness.client.clone();
    harness.switch.reply(Reply::Refuse(Code::FailedPrecondition, "WRONG_STATE"));
    let first = client.hold_call(harness.request(ALICE, hold("r1"))).await.unwrap_err();
    harness.restart_switch().await;

    let second = client.hold_call(harness.request(ALICE, hold("r1"))).await.unwrap_err();

    assert_eq!((first.code(), first.message()), (second.code(), second.message()));
    assert_eq!(first.details(), second.details());
    assert!(harness.switch.asked().is_empty());
}

#[tokio::test]
async fn the_answer_that_a_repeat_gets_is_kept_as_well() {
    let mut harness = Harness::start().await;
    let mut client = harness.client.clone();
    harness.switch.reply(Reply::Silence);
    let request = within(harness.request(CUSTOMER, originate("r1")), Duration::from_millis(300));
    client.originate_call(request).await.unwrap_err();
    harness.switch.reply(Reply::Do);
    let first = client.originate_call(harness.request(CUSTOMER, originate("r1"))).await.unwrap();
    harness.restart_switch().await;

    let second = client.originate_call(harness.request(CUSTOMER, originate("r1"))).await.unwrap();

    assert_eq!(first.get_ref(), second.get_ref());
    assert_eq!(harness.switch.done(), 0);
}

#[tokio::test]
async fn without_the_store_a_request_id_cannot_be_kept() {
    let harness = Harness::start().await;
    harness.ledger.set_reachable(false);

    let outcome = harness.client.clone().hold_call(harness.request(ALICE, hold("r1"))).await;

    assert_eq!(reason(outcome), (Code::Unavailable, "STORE_UNREACHABLE".to_owned()));
    assert!(harness.switch.asked().is_empty());
}

#[tokio::test]
async fn a_refusal_that_may_pass_is_forgotten() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    harness.switch.reply(Reply::Refuse(Code::ResourceExhausted, "LIMIT_REACHED"));
    client.hold_call(harness.request(ALICE, hold("r1"))).await.unwrap_err();
    harness.switch.reply(Reply::Do);

    client.hold_call(harness.request(ALICE, hold("r1"))).await.unwrap();

    let asked = harness.switch.asked();
    assert_ne!(asked[0].command_id, asked[1].command_id);
}

#[tokio::test]
async fn a_final_refusal_is_kept() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    harness.switch.reply(Reply::Refuse(Code::FailedPrecondition, "WRONG_STATE"));

    client.hold_call(harness.request(ALICE, hold("r1"))).await.unwrap_err();
    harness.switch.reply(Reply::Do);
    let again = client.hold_call(harness.request(ALICE, hold("r1"))).await;

    assert_eq!(reason(again), (Code::FailedPrecondition, "WRONG_STATE".to_owned()));
    assert_eq!(harness.switch.done(), 0);
}

#[tokio::test]
async fn a_command_without_an_answer_is_joined_later() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    harness.switch.reply(Reply::Silence);
    let request = within(harness.request(CUSTOMER, originate("r1")), Duration::from_millis(300));
    let (code, _, metadata) = refusal(client.originate_call(request).await);
    assert_eq!((code, metadata["outcome"].as_str()), (Code::DeadlineExceeded, "unknown"));
    harness.switch.reply(Reply::Do);

    client.originate_call(harness.request(CUSTOMER, originate("r1"))).await.unwrap();

    assert_eq!(harness.switch.done(), 1);
}

#[tokio::test]
async fn a_command_is_not_done_again_by_a_later_process() {
    let mut harness = Harness::start().await;
    let mut client = harness.client.clone();
    harness.switch.reply(Reply::Silence);
    let request = within(harness.request(CUSTOMER, originate("r1")), Duration::from_millis(300));
    client.originate_call(request).await.unwrap_err();
    harness.restart_switch().await;

    let outcome = client.originate_call(harness.request(CUSTOMER, originate("r1"))).await;

    let (code, reason, metadata) = refusal(outcome);

    assert_eq!((code, reason.as_str()), (Code::DeadlineExceeded, "OUTCOME_UNKNOWN"));
    assert_eq!(metadata["outcome"], "unknown");
    assert_eq!(harness.switch.done(), 0);
}

#[tokio::test]
async fn the_outcome_is_unknown_when_the_node_is_gone() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    harness.switch.reply(Reply::Silence);
    let request = within(harness.request(ALICE, hold("r1")), Duration::from_millis(300));
    client.hold_call(request).await.unwrap_err();
    harness.switch.stop();

    let outcome = client.hold_call(harness.request(ALICE, hold("r1"))).await;

    let (code, _, metadata) = refusal(outcome);
    assert_eq!((code, metadata["outcome"].as_str()), (Code::DeadlineExceeded, "unknown"));
}

#[tokio::test]
async fn a_call_that_there_never_was_is_not_found_again() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    let request = HoldCallRequest { call: Some(call("other-0.c1", "")), ..hold("r1") };

    for _ in 0..2 {
        let outcome = client.hold_call(harness.request(ALICE, request.clone())).await;
        assert_eq!(reason(outcome), (Code::NotFound, "CALL_NOT_FOUND".to_owned()));
    }
}
