//! Calls that are listened in on.

use proto::callcontrol::v1::{SuperviseCallRequest, SuperviseMode};
use proto::switch::v1::SuperviseMode as EngineMode;
use proto::switch::v1::command_request::Command;
use tonic::Code;

use crate::harness::{CALL, CUSTOMER, Harness, call, reason, refusal};

const BOTH: [&str; 2] = ["call_control:modify", "call_supervision:modify"];

fn supervise(mode: i32, account_id: &str) -> SuperviseCallRequest {
    SuperviseCallRequest {
        call: Some(call(CALL, "b")),
        mode,
        account_id: account_id.to_owned(),
        request_id: None,
    }
}

#[tokio::test]
async fn a_supervisor_joins_in_the_mode_that_was_asked_for() {
    let harness = Harness::start().await;
    let modes = [
        (SuperviseMode::Spy, EngineMode::Spy),
        (SuperviseMode::Whisper, EngineMode::Whisper),
        (SuperviseMode::Barge, EngineMode::Barge),
    ];

    for (mode, expected) in modes {
        let request = harness.request_as(CUSTOMER, &BOTH, supervise(mode.into(), "102"));
        harness.client.clone().supervise_call(request).await.unwrap();
        let Some(Command::SuperviseCall(asked)) = harness.switch.last().command else { panic!() };
        assert_eq!(asked.mode(), expected);
        assert_eq!(asked.call, Some(call(CALL, "b")));
        assert_eq!(asked.account.unwrap().account_id, "102");
    }
}

#[tokio::test]
async fn it_takes_the_right_to_act_on_calls_and_the_right_to_listen() {
    let harness = Harness::start().await;
    let denied = (Code::PermissionDenied, "ACCESS_DENIED".to_owned());
    let too_little: [&[&str]; 4] = [
        &["call_control:modify"],
        &["call_supervision:modify"],
        &["call_control:read", "call_supervision:modify"],
        &["call_control:modify", "call_supervision:read"],
    ];

    for scopes in too_little {
        // The right comes before the params.
        let request = harness.request_as(CUSTOMER, scopes, supervise(0, ""));
        let outcome = harness.client.clone().supervise_call(request).await;
        assert_eq!(reason(outcome), denied, "{scopes:?}");
    }
    assert!(harness.switch.asked().is_empty());
}

#[tokio::test]
async fn wrong_params_are_refused_by_name() {
    let harness = Harness::start().await;
    let spy = SuperviseMode::Spy.into();
    let cases = [
        (supervise(0, "102"), Code::InvalidArgument, "MISSING_PARAM", Some("mode")),
        (supervise(9, "102"), Code::InvalidArgument, "INVALID_PARAM", Some("mode")),
        (supervise(spy, ""), Code::InvalidArgument, "MISSING_PARAM", Some("account_id")),
        (supervise(spy, "201"), Code::NotFound, "ACCOUNT_NOT_FOUND", None),
    ];

    for (request, code, expected, param) in cases {
        let request = harness.request_as(CUSTOMER, &BOTH, request);
        let (told, reason, metadata) =
            refusal(harness.client.clone().supervise_call(request).await);
        assert_eq!((told, reason.as_str()), (code, expected));
        assert_eq!(metadata.get("params").map(String::as_str), param);
    }
    assert!(harness.switch.asked().is_empty());
}

#[tokio::test]
async fn another_mode_is_another_command() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    let named = |mode: SuperviseMode| SuperviseCallRequest {
        request_id: Some("r1".to_owned()),
        ..supervise(mode.into(), "102")
    };

    for _ in 0..2 {
        let request = harness.request_as(CUSTOMER, &BOTH, named(SuperviseMode::Spy));
        client.supervise_call(request).await.unwrap();
    }
    let barge = harness.request_as(CUSTOMER, &BOTH, named(SuperviseMode::Barge));
    let reused = client.supervise_call(barge).await;

    assert_eq!(harness.switch.done(), 1);
    assert_eq!(reason(reused), (Code::InvalidArgument, "REQUEST_ID_REUSED".to_owned()));
}
