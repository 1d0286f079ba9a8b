//! The pool against real servers, in memory and over TCP.

use std::time::Duration;

use proto::notifier::v1::ReplayRequest;
use proto::notifier::v1::notifier_service_client::NotifierServiceClient;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Code;

use super::Pool;
use crate::deadline;
use crate::fault::{metadata_of, reason_of};
use crate::net::{Listener, Network, Target};
use crate::server::probe::{Probe, Running, ask, client, pool, told};
use crate::testing::eventually;
use crate::testing::token::{ISSUER_OF_TESTS, claims};
use crate::token::Verifier;

const PATIENCE: Duration = Duration::from_secs(5);

fn order(order: &str) -> tonic::Request<proto::callcontrol::v1::GetCallInfoRequest> {
    let clock = crate::Clock::system();
    let claims = claims(crate::caller::Scope::Everything, &["call_control:modify"], clock.now());
    let mut request = ask(order);
    let token = ISSUER_OF_TESTS.sign(&claims);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

fn start(name: &'static str, listener: Listener) -> Running {
    let verifier = Verifier::with_keys(&ISSUER_OF_TESTS.jwks());
    Running::start(Probe::server(name).verifier(verifier), listener)
}

async fn connected(pool: &Pool, count: usize) {
    eventually(PATIENCE, "connections", || async {
        if pool.connected() == count { Ok(()) } else { Err(format!("{pool:?}")) }
    })
    .await;
}

#[tokio::test]
async fn an_instance_that_dies_is_out_at_once_and_comes_back() {
    let network = Network::default();
    let first = start("first", network.listen_memory("first"));
    let second = start("second", network.listen_memory("second"));
    let pool = pool(&network, &[&first.target, &second.target]);
    let mut client = client_of(&pool);
    connected(&pool, 2).await;
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..20 {
        names.insert(told(&client.get_call_info(order("tell")).await.unwrap(), "x-name"));
    }
    assert_eq!(names.len(), 2, "both take part: {names:?}");

    second.kill().await;
    for _ in 0..50 {
        let response = client.get_call_info(order("tell")).await.unwrap();
        assert_eq!(told(&response, "x-name"), "first");
    }

    let _second = start("second", network.listen_memory("second"));
    eventually(PATIENCE, "an answer of the second", || {
        let mut client = client.clone();
        async move {
            let response = client.get_call_info(order("tell")).await.unwrap();
            let name = told(&response, "x-name");
            if name == "second" { Ok(()) } else { Err(name) }
        }
    })
    .await;
}

fn client_of(
    pool: &Pool,
) -> proto::callcontrol::v1::call_control_service_client::CallControlServiceClient<Pool> {
    proto::callcontrol::v1::call_control_service_client::CallControlServiceClient::new(pool.clone())
}

#[tokio::test]
async fn no_request_fails_while_connections_are_renewed() {
    let network = Network::default();
    let verifier = Verifier::with_keys(&ISSUER_OF_TESTS.jwks());
    let server = Probe::server("aged").verifier(verifier);
    let server = server.max_connection_age(Duration::from_millis(40));
    let running = Running::start(server, network.listen_memory("aged"));
    let mut client = client(&network, &[&running.target]);

    let end = Instant::now() + Duration::from_millis(600);
    while Instant::now() < end {
        client.get_call_info(order("wait:3")).await.unwrap();
    }
}

#[tokio::test]
async fn a_host_name_is_resolved() {
    let network = Network::default();
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let _running = start("tcp", listener);
    let target: Target = format!("http://localhost:{port}").parse().unwrap();
    let mut client = client(&network, &[&target]);

    let response = client.get_call_info(order("tell")).await.unwrap();

    assert_eq!(told(&response, "x-name"), "tcp");
}

#[tokio::test(start_paused = true)]
async fn nobody_there_is_said_after_a_second_and_then_at_once() {
    let network = Network::default();
    let mut client = client(&network, &[&Target::Memory("nobody".to_owned())]);

    let began = Instant::now();
    let refused = client.get_call_info(order("tell")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(refused.message(), "probe is not reachable");
    assert!(began.elapsed() >= Duration::from_secs(1));

    let began = Instant::now();
    client.get_call_info(order("tell")).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_starts_within_the_second_is_waited_for() {
    let network = Network::default();
    let mut client = client(&network, &[&Target::Memory("late".to_owned())]);

    let (response, _running) = tokio::join!(client.get_call_info(order("tell")), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        start("late", network.listen_memory("late"))
    });

    assert_eq!(told(&response.unwrap(), "x-name"), "late");
}

#[tokio::test]
async fn a_request_whose_connection_breaks_is_not_sent_again() {
    let network = Network::default();
    let running = start("first", network.listen_memory("first"));
    let mut client = client(&network, &[&running.target]);

    let (broken, ()) = tokio::join!(client.get_call_info(order("never")), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        running.kill().await;
    });

    let broken = broken.unwrap_err();
    assert_eq!(broken.code(), Code::DeadlineExceeded);
    assert_eq!(metadata_of(&broken).get("outcome").map(String::as_str), Some("unknown"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_no_deadline_unless_it_is_given_one() {
    let network = Network::default();
    let running = start("first", network.listen_memory("first"));
    let mut client = NotifierServiceClient::new(pool(&network, &[&running.target]));
    let soon = Instant::now() + Duration::from_secs(1);

    let opening = client.replay(ReplayRequest::default());
    let mut stream = deadline::scope(soon, opening).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    stream.message().await.unwrap().unwrap();
    let silence = tokio::time::timeout(deadline::DEFAULT * 3, stream.message()).await;
    assert!(silence.is_err(), "{silence:?}");

    let mut request = tonic::Request::new(ReplayRequest::default());
    deadline::set(&mut request, Instant::now() + Duration::from_secs(1));
    let mut stream = client.replay(request).await.unwrap().into_inner();
    let end = loop {
        if let Err(end) = stream.message().await {
            break end;
        }
    };
    assert_eq!(end.code(), Code::DeadlineExceeded);
    assert_eq!(reason_of(&end).as_deref(), Some("DEADLINE_EXCEEDED"));
}

#[tokio::test(start_paused = true)]
async fn a_request_inherits_the_deadline_of_the_request_being_handled() {
    let network = Network::default();
    let running = start("first", network.listen_memory("first"));
    let mut client = client(&network, &[&running.target]);
    let soon = Instant::now() + Duration::from_secs(1);

    let response = deadline::scope(soon, client.get_call_info(order("tell"))).await.unwrap();

    let left: u64 = told(&response, "x-left-ms").parse().unwrap();
    assert!((900..=1001).contains(&left), "{left}");
}

#[tokio::test]
async fn the_least_busy_instance_is_chosen() {
    let network = Network::default();
    let first = start("first", network.listen_memory("first"));
    let second = start("second", network.listen_memory("second"));
    let pool = pool(&network, &[&first.target, &second.target]);
    connected(&pool, 2).await;

    let mut one = client_of(&pool);
    let mut two = client_of(&pool);
    let (one, two) =
        tokio::join!(one.get_call_info(order("wait:50")), two.get_call_info(order("wait:50")));

    assert_ne!(told(&one.unwrap(), "x-name"), told(&two.unwrap(), "x-name"));
}

#[tokio::test(start_paused = true)]
async fn requests_under_way_can_still_be_sent_after_the_stop() {
    let network = Network::default();
    let running = start("first", network.listen_memory("first"));
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let targets = vec![running.target.clone()];
    let pool = Pool::new("probe", targets, network, tasks.clone(), stop.clone());
    let mut client = client_of(&pool);

    stop.cancel();
    client.get_call_info(order("tell")).await.unwrap();

    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(client.get_call_info(order("tell")).await.unwrap_err().code(), Code::Unavailable);
    tasks.close();
    tasks.wait().await;
}

#[tokio::test]
async fn a_lost_service_degrades_its_part() {
    let network = Network::default();
    let readiness = crate::health::Readiness::new();
    let running = start("first", network.listen_memory("first"));
    let pool = pool(&network, &[&running.target]);
    pool.report_to(readiness.component("probe"));
    let state = async |expected: crate::health::State| {
        eventually(PATIENCE, "state", || async {
            let state = readiness.state_of("probe");
            if state.as_ref() == Some(&expected) { Ok(()) } else { Err(format!("{state:?}")) }
        })
        .await;
    };

    state(crate::health::State::Ready).await;
    running.kill().await;
    state(crate::health::State::Degraded("probe is not reachable".to_owned())).await;

    assert!(readiness.is_ready());
}

#[tokio::test]
async fn tasks_end_with_the_last_clone() {
    let network = Network::default();
    let running = start("first", network.listen_memory("first"));
    let tasks = TaskTracker::new();
    let targets = vec![running.target.clone()];
    let pool = Pool::new("probe", targets, network, tasks.clone(), CancellationToken::new());
    connected(&pool, 1).await;

    drop(pool);
    tasks.close();

    tokio::time::timeout(PATIENCE, tasks.wait()).await.unwrap();
}
