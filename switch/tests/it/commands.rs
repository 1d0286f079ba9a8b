//! The command API: what is refused, and commands that come again.

use std::time::Duration;

use ::http::{Method, StatusCode};
use mesh::testing::eventually;
use proto::switch::v1::command_request::Command;
use proto::switch::v1::{HoldCall, SendDtmf};
use tonic::Code;

use crate::harness::{NODE, PATIENCE, World, named};

#[tokio::test]
async fn a_repeated_request_gets_the_first_outcome_also_when_the_call_is_over() {
    let world = World::new();
    let node = world.node().await;
    let mut request = node.originate_of("101", "102");
    request.caller.as_mut().unwrap().request_id = Some("r1".to_owned());

    let first = node.send(&request).await.unwrap();
    let call = first.legs[0].call.clone().unwrap().id;
    let second = node.send(&request).await.unwrap();
    node.terminate(&call).await.unwrap();
    eventually(PATIENCE, "the call is over", || async {
        if world.records().await == 0 { Ok(()) } else { Err("it is not".to_owned()) }
    })
    .await;
    let log = world.log().await;
    let third = node.send(&request).await.unwrap();

    assert_eq!((&second, &third), (&first, &first));
    node.phone_is_idle("101").await;
    assert_eq!(world.log().await, log, "nothing is done twice");
}

#[tokio::test]
async fn a_final_refusal_is_kept_for_a_repeated_request() {
    let world = World::new();
    let node = world.node().await;
    let call = node.originate("101", "999").await;
    let hold = Command::HoldCall(HoldCall { call: Some(named(&call)) });
    let mut request = node.envelope(hold);
    request.caller.as_mut().unwrap().request_id = Some("r1".to_owned());

    let first = node.send(&request).await.unwrap_err();
    let second = node.send(&request).await.unwrap_err();

    assert_eq!((first.code, first.reason.as_str()), (Code::NotFound as i32, "CALL_NOT_FOUND"));
    assert_eq!(second, first);
}

#[tokio::test]
async fn a_command_after_its_deadline_does_nothing() {
    let world = World::new();
    let node = world.node().await;
    let mut request = node.originate_of("101", "102");
    request.deadline_us = world.clock.now().as_micros() - 1;

    let fault = node.send(&request).await.unwrap_err();

    let expected = (Code::DeadlineExceeded as i32, "DEADLINE_EXCEEDED");
    assert_eq!((fault.code, fault.reason.as_str()), expected);
    assert!(world.log().await.is_empty());
    node.phone_is_idle("101").await;
}

#[tokio::test]
async fn a_command_waits_for_its_outcome_until_its_deadline() {
    let world = World::new();
    let node = world.node().await;
    node.behave("102", "manual").await;
    let call = node.dial("101", "102").await;
    node.behave("102", "manual").await;
    let fault = serde_json::json!({ "kind": "slow", "ms": 60_000 });
    node.sim(Method::POST, "/sim/faults", fault).await;
    let answer = proto::switch::v1::AnswerCall { call: Some(named(&call)) };
    let mut request = node.envelope(Command::AnswerCall(answer));
    let deadline = world.clock.now().plus(Duration::from_millis(200));
    request.deadline_us = deadline.as_micros();

    let fault = node.send(&request).await.unwrap_err();

    assert_eq!(fault.code, Code::DeadlineExceeded as i32);
    assert!(world.clock.now() >= deadline);
}

#[tokio::test]
async fn a_wrong_state_says_the_state_and_what_would_be_right() {
    let world = World::new();
    let node = world.node().await;
    node.behave("102", "manual").await;
    let call = node.dial("101", "102").await;

    let fault = node.hold(&call).await.unwrap_err();

    assert_eq!(
        (fault.code, fault.reason.as_str()),
        (Code::FailedPrecondition as i32, "WRONG_STATE")
    );
    assert_eq!(fault.metadata["state"], "early");
    assert_eq!(fault.metadata["expected_states"], "connected,held,holding");
}

#[tokio::test]
async fn what_is_outside_the_callers_scope_looks_absent() {
    let world = World::new();
    let node = world.node().await;
    let call = node.talking().await;
    let hold = Command::HoldCall(HoldCall { call: Some(named(&call)) });
    let mut request = node.envelope(hold);
    request.caller.as_mut().unwrap().i_customer = 2;

    let fault = node.send(&request).await.unwrap_err();
    let mut unknown = fault.clone();
    unknown.message.clear();

    assert_eq!((fault.code, fault.reason.as_str()), (Code::NotFound as i32, "CALL_NOT_FOUND"));
    let absent = node.hold(&format!("{NODE}.absent")).await.unwrap_err();
    assert_eq!(
        (unknown.code, unknown.reason, unknown.metadata),
        (absent.code, absent.reason, absent.metadata)
    );
}

#[tokio::test]
async fn a_malformed_command_is_refused_before_anything_is_done() {
    let world = World::new();
    let node = world.node().await;
    let call = node.talking().await;
    let log = world.log().await;
    let hold = || node.envelope(Command::HoldCall(HoldCall { call: Some(named(&call)) }));

    let mut requests = vec![hold(), hold(), hold(), hold()];
    requests[0].caller = None;
    requests[1].command_id.clear();
    requests[2].command = None;
    requests[3].caller.as_mut().unwrap().realm = 0;
    requests.push(node.envelope(Command::HoldCall(HoldCall { call: None })));
    let digits = SendDtmf { call: Some(named(&call)), digits: "1x".to_owned() };
    requests.push(node.envelope(Command::SendDtmf(digits)));

    for request in requests {
        let fault = node.send(&request).await.unwrap_err();
        let expected = (Code::InvalidArgument as i32, "INVALID_PARAM");
        assert_eq!((fault.code, fault.reason.as_str()), expected, "{request:?}");
    }
    assert_eq!(world.log().await, log);
}

#[tokio::test]
async fn the_api_answers_its_two_paths_alone() {
    let world = World::new();
    let node = world.node().await;

    for (method, path, body, expected) in [
        (Method::GET, "/v1/health", Vec::new(), StatusCode::OK),
        (Method::POST, "/v1/health", Vec::new(), StatusCode::METHOD_NOT_ALLOWED),
        (Method::GET, "/v1/command", Vec::new(), StatusCode::METHOD_NOT_ALLOWED),
        (Method::GET, "/", Vec::new(), StatusCode::NOT_FOUND),
        (Method::POST, "/v1/command", vec![0xFF; 10], StatusCode::BAD_REQUEST),
        (Method::POST, "/v1/command", vec![0; 65 * 1024], StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let (status, _) = node.request("switch", method.clone(), path, body).await.unwrap();
        assert_eq!(status, expected, "{method} {path}");
    }
}
