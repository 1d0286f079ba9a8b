//! The server through generated clients, in memory.

use std::time::Duration;

use proto::notifier::v1::ReplayRequest;
use proto::notifier::v1::notifier_service_client::NotifierServiceClient;
use tokio::time::Instant;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::probe::{Probe, Running, ask, client, pool, told};
use crate::caller::Scope;
use crate::clock::Clock;
use crate::fault::{metadata_of, reason_of};
use crate::health::Readiness;
use crate::net::Network;
use crate::testing::eventually;
use crate::testing::token::{ISSUER_OF_TESTS, claims};
use crate::token::{Revocation, Subject, Verifier};
use crate::{deadline, metrics, trace};

const PATIENCE: Duration = Duration::from_secs(5);

/// Claims of an account that may read calls.
fn reader() -> crate::token::Claims {
    let scope = Scope::Account { i_customer: 1, i_account: 7 };
    claims(scope, &["call_control:read"], Clock::system().now())
}

fn with_token<T>(mut request: tonic::Request<T>, token: &str) -> tonic::Request<T> {
    let value = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

fn good<T>(request: tonic::Request<T>) -> tonic::Request<T> {
    with_token(request, &ISSUER_OF_TESTS.sign(&reader()))
}

fn verifying(network: &Network) -> (Running, Verifier) {
    let verifier = Verifier::with_keys(&ISSUER_OF_TESTS.jwks());
    let server = Probe::server("probe").verifier(verifier.clone());
    (Running::start(server, network.listen_memory("probe")), verifier)
}

#[tokio::test]
async fn a_public_method_is_told_who_calls() {
    let network = Network::default();
    let (running, _) = verifying(&network);
    let mut client = client(&network, &[&running.target]);

    let response = client.get_call_info(good(ask("tell"))).await.unwrap();

    assert_eq!(told(&response, "x-caller"), "account:7");
}

#[tokio::test]
async fn a_public_method_needs_a_good_token_of_a_role_that_may() {
    let network = Network::default();
    let (running, verifier) = verifying(&network);
    let mut client = client(&network, &[&running.target]);
    let mut stranger = reader();
    stranger.scopes = vec!["xdrs:modify".to_owned()];
    let mut late = reader();
    late.exp = late.iat;
    let ended = reader();
    let subject = Subject::Session(ended.jti.clone());
    verifier.revoke(Revocation { subject, epoch: 0, ends: true });

    let cases = [
        (ask("tell"), Code::Unauthenticated, "ENVELOPE_MISSED", None),
        (with_token(ask("tell"), "x"), Code::Unauthenticated, "JWT_INVALID", Some("malformed")),
        (
            with_token(ask("tell"), &ISSUER_OF_TESTS.sign(&late)),
            Code::Unauthenticated,
            "JWT_INVALID",
            Some("expired"),
        ),
        (
            with_token(ask("tell"), &ISSUER_OF_TESTS.sign(&ended)),
            Code::Unauthenticated,
            "AUTH_FAILED",
            Some("revoked"),
        ),
        (
            with_token(ask("tell"), &ISSUER_OF_TESTS.sign(&stranger)),
            Code::PermissionDenied,
            "ACCESS_DENIED",
            None,
        ),
    ];
    for (request, code, reason, cause) in cases {
        let refused = client.get_call_info(request).await.unwrap_err();

        assert_eq!((refused.code(), reason_of(&refused).as_deref()), (code, Some(reason)));
        assert_eq!(metadata_of(&refused).get("cause").map(String::as_str), cause);
    }
}

#[tokio::test]
async fn an_internal_rpc_needs_no_token_but_refuses_a_bad_one() {
    let network = Network::default();
    let (running, _) = verifying(&network);
    let mut notifier = NotifierServiceClient::new(pool(&network, &[&running.target]));

    let mut stream = notifier.replay(ReplayRequest::default()).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());

    let request = with_token(tonic::Request::new(ReplayRequest::default()), "x");
    let refused = notifier.replay(request).await.unwrap_err();
    assert_eq!(reason_of(&refused).as_deref(), Some("JWT_INVALID"));
}

#[tokio::test(start_paused = true)]
async fn a_handler_has_the_callers_deadline_and_is_ended_at_it() {
    let network = Network::default();
    let (running, _) = verifying(&network);
    let mut client = client(&network, &[&running.target]);

    let mut request = good(ask("tell"));
    deadline::set(&mut request, Instant::now() + Duration::from_millis(700));
    let response = client.get_call_info(request).await.unwrap();
    for name in ["x-left-ms", "x-inherited-ms"] {
        let left: u64 = told(&response, name).parse().unwrap();
        assert!((600..=701).contains(&left), "{name}: {left}");
    }

    let began = Instant::now();
    let mut request = good(ask("never"));
    deadline::set(&mut request, Instant::now() + Duration::from_millis(700));
    let late = client.get_call_info(request).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    assert_eq!(metadata_of(&late).get("outcome").map(String::as_str), Some("unknown"));
    assert!(began.elapsed() < Duration::from_millis(710));

    let began = Instant::now();
    client.get_call_info(good(ask("never"))).await.unwrap_err();
    assert!(began.elapsed() < deadline::DEFAULT + Duration::from_millis(10));
}

#[tokio::test]
async fn the_trace_goes_on_in_the_handler() {
    let network = Network::default();
    let (running, _) = verifying(&network);
    let mut client = client(&network, &[&running.target]);
    let context = trace::Context::root();

    let response = trace::scope(context, client.get_call_info(good(ask("tell")))).await.unwrap();

    assert_eq!(told(&response, "x-trace"), context.trace_id());
}

#[tokio::test]
async fn a_panic_is_an_internal_fault_and_the_server_goes_on() {
    let network = Network::default();
    let (running, _) = verifying(&network);
    let mut client = client(&network, &[&running.target]);

    let fault = client.get_call_info(good(ask("panic"))).await.unwrap_err();
    assert_eq!((fault.code(), fault.message()), (Code::Internal, "internal error"));

    let mut notifier = NotifierServiceClient::new(pool(&network, &[&running.target]));
    let request = ReplayRequest { token: "panic".to_owned(), ..ReplayRequest::default() };
    let mut stream = notifier.replay(request).await.unwrap().into_inner();
    // The first message may still wait for the second when that one panics.
    let fault = loop {
        match stream.message().await {
            Ok(message) => assert!(message.is_some(), "the stream ended well"),
            Err(fault) => break fault,
        }
    };
    assert_eq!(fault.code(), Code::Internal);

    client.get_call_info(good(ask("tell"))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn too_many_requests_are_refused_at_once() {
    let network = Network::default();
    let verifier = Verifier::with_keys(&ISSUER_OF_TESTS.jwks());
    let server = Probe::server("probe").verifier(verifier).concurrency(2);
    let running = Running::start(server, network.listen_memory("probe"));
    let client = client(&network, &[&running.target]);
    let (mut first, mut second, mut third) = (client.clone(), client.clone(), client);

    let (one, two, refused) = tokio::join!(
        first.get_call_info(good(ask("wait:50"))),
        second.get_call_info(good(ask("wait:50"))),
        async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            third.get_call_info(good(ask("tell"))).await.unwrap_err()
        },
    );

    assert!(one.is_ok() && two.is_ok());
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(reason_of(&refused).as_deref(), Some("LIMIT_REACHED"));
}

#[tokio::test]
async fn health_follows_readiness() {
    let network = Network::default();
    let readiness = Readiness::new();
    let store = readiness.component("store");
    let server = Probe::server("probe").readiness(readiness);
    let running = Running::start(server, network.listen_memory("probe"));
    let health = HealthClient::new(pool(&network, &[&running.target]));
    let says = |expected: ServingStatus| {
        let health = health.clone();
        eventually(PATIENCE, "health", move || {
            let mut health = health.clone();
            async move {
                let answer = health.check(HealthCheckRequest::default()).await;
                let status = answer.map_err(|status| status.to_string())?.into_inner().status();
                if status == expected { Ok(()) } else { Err(format!("{status:?}")) }
            }
        })
    };

    says(ServingStatus::NotServing).await;
    store.ready();
    says(ServingStatus::Serving).await;
    store.down("gone");
    says(ServingStatus::NotServing).await;
}

#[tokio::test(start_paused = true)]
async fn stopping_ends_streams_and_finishes_requests_under_way() {
    let network = Network::default();
    let (running, _) = verifying(&network);
    let mut slow = client(&network, &[&running.target]);
    let mut notifier = NotifierServiceClient::new(pool(&network, &[&running.target]));
    let mut stream = notifier.replay(ReplayRequest::default()).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();

    let (slow_answer, stream_end, ()) = tokio::join!(
        slow.get_call_info(good(ask("wait:2000"))),
        async {
            stream.message().await.unwrap().unwrap();
            stream.message().await.unwrap_err()
        },
        async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            running.stop().await;
        },
    );

    assert!(slow_answer.is_ok(), "{slow_answer:?}");
    assert_eq!(stream_end.code(), Code::Unavailable);
    assert_eq!(slow.get_call_info(good(ask("tell"))).await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn stopping_waits_no_longer_than_the_drain_timeout() {
    let network = Network::default();
    let verifier = Verifier::with_keys(&ISSUER_OF_TESTS.jwks());
    let server = Probe::server("probe").verifier(verifier).drain_timeout(Duration::from_secs(1));
    let running = Running::start(server, network.listen_memory("probe"));
    let mut client = client(&network, &[&running.target]);
    let began = Instant::now();

    let (cut_off, ()) = tokio::join!(client.get_call_info(good(ask("never"))), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        running.stop().await;
    });

    assert_eq!(cut_off.unwrap_err().code(), Code::DeadlineExceeded);
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn every_rpc_is_counted_with_its_code() {
    let network = Network::default();
    let (running, _) = verifying(&network);
    let mut client = client(&network, &[&running.target]);

    client.get_call_info(good(ask("tell"))).await.unwrap();
    client.get_call_info(ask("tell")).await.unwrap_err();
    let abandoned = client.get_call_info(good(ask("never")));
    tokio::time::timeout(Duration::from_millis(50), abandoned).await.unwrap_err();

    eventually(PATIENCE, "three codes", || async {
        let text = metrics::render();
        let has = |code: &str| {
            text.lines().any(|line| {
                line.starts_with("mesh_rpc_handled_total")
                    && line.contains(&format!("code=\"{code}\""))
                    && line.contains("GetCallInfo")
            })
        };
        let all = ["OK", "UNAUTHENTICATED", "CANCELLED"].into_iter().all(has);
        if all { Ok(()) } else { Err(text) }
    })
    .await;
}

#[tokio::test]
async fn the_contract_can_be_asked_for() {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    let network = Network::default();
    let (running, _) = verifying(&network);
    let mut client = ServerReflectionClient::new(pool(&network, &[&running.target]));
    let request = tonic_reflection::pb::v1::ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..Default::default()
    };

    let answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap();

    let answer = answers.into_inner().message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else { panic!("{answer:?}") };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    assert!(names.contains(&"cordboard.callcontrol.v1.CallControlService"), "{names:?}");
}
