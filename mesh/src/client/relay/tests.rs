//! The stream against real servers in memory, and its queue by itself.

mod peer;
mod queue;

use std::time::Duration;

use futures::future::join_all;
use proto::callcontrol::v1::call_control_service_server::CallControlServiceServer;
use tokio::time::Instant;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::task::TaskTracker;
use tonic::Code;

use super::super::{Credential, Pool};
use crate::client::Ask;
use crate::fault::{metadata_of, reason_of};
use crate::net::{Network, Target};
use crate::server::probe::{Running, pool};
use crate::testing::eventually;
use crate::token::{Revocation, Subject};
use crate::trace;
use peer::{Peer, ask, credential_of, said};

const PATIENCE: Duration = Duration::from_secs(5);

/// Returns once requests go over the stream.
async fn opened(pool: &Pool) {
    eventually(PATIENCE, "a relay stream", || async {
        if pool.lane().is_some() { Ok(()) } else { Err(format!("{pool:?}")) }
    })
    .await;
}

async fn connected(network: &Network, peer: &Peer) -> (Running, Pool) {
    let running = Running::start(peer.server(), network.listen_memory("peer"));
    let pool = pool(network, &[&running.target]);
    opened(&pool).await;
    (running, pool)
}

#[tokio::test]
async fn sessions_of_two_customers_on_one_stream_never_mix() {
    let (network, peer) = (Network::default(), Peer::new());
    let (_running, pool) = connected(&network, &peer).await;
    let credentials = [1, 2, 3].map(credential_of);

    let asked = (0..300_usize).map(|number| {
        let (pool, account) = (&pool, number % 3);
        let ask = ask("tell", Some(&credentials[account]));
        async move { (account + 1, said(pool.ask(ask).await.unwrap())) }
    });
    let answers = join_all(asked).await;

    for (account, said) in answers {
        assert_eq!(said.user, format!("account:{account}"));
    }
}

#[tokio::test]
async fn a_request_on_the_stream_keeps_its_trace_and_deadline() {
    let (network, peer) = (Network::default(), Peer::new());
    let (_running, pool) = connected(&network, &peer).await;
    let context = trace::Context::root();
    let deadline = Instant::now() + Duration::from_secs(3);

    let ask = Ask { deadline, ..ask("tell", Some(&credential_of(1))) };
    let said = said(trace::scope(context, pool.ask(ask)).await.unwrap());

    assert_eq!(said.trace_id, context.trace_id());
    assert!(said.left <= Duration::from_millis(3_001), "{said:?}");
    assert!(said.left > Duration::from_secs(1), "{said:?}");
}

#[tokio::test]
async fn a_session_that_was_revoked_is_refused_although_the_stream_knows_its_credential() {
    let (network, peer) = (Network::default(), Peer::new());
    let (_running, pool) = connected(&network, &peer).await;
    let (revoked, other) = (credential_of(1), credential_of(2));
    pool.ask(ask("tell", Some(&revoked))).await.unwrap();

    peer.verifier.revoke(Revocation {
        subject: Subject::Session(peer::session_of(1)),
        epoch: 0,
        ends: true,
    });
    let refused = pool.ask(ask("tell", Some(&revoked))).await.unwrap_err();

    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(reason_of(&refused).as_deref(), Some("AUTH_FAILED"));
    pool.ask(ask("tell", Some(&other))).await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_none_or_missing_is_refused() {
    let (network, peer) = (Network::default(), Peer::new());
    let (_running, pool) = connected(&network, &peer).await;

    let missing = pool.ask(ask("tell", None)).await.unwrap_err();
    let bad = pool.ask(ask("tell", Credential::new("nonsense").as_ref())).await.unwrap_err();

    assert_eq!(reason_of(&missing).as_deref(), Some("ENVELOPE_MISSED"));
    assert_eq!(reason_of(&bad).as_deref(), Some("JWT_INVALID"));
    assert_eq!(peer.begun(), 0);
}

#[tokio::test]
async fn what_is_no_public_method_is_not_carried() {
    let (network, peer) = (Network::default(), Peer::new());
    let (_running, pool) = connected(&network, &peer).await;

    for path in [
        "/grpc.health.v1.Health/Check",
        "/cordboard.notifier.v1.NotifierService/Live",
        "/cordboard.callcontrol.v1.CallControlService/NoteSubscription",
        super::PATH,
        "nonsense",
    ] {
        let ask = Ask { path, ..ask("tell", Some(&credential_of(1))) };
        assert_eq!(pool.ask(ask).await.unwrap_err().code(), Code::Unimplemented, "{path}");
    }
}

#[tokio::test]
async fn a_command_under_way_when_the_stream_breaks_is_unknown_and_is_not_done_twice() {
    let (network, peer) = (Network::default(), Peer::new());
    let (running, pool) = connected(&network, &peer).await;

    let (broken, ()) = tokio::join!(pool.ask(ask("wait", Some(&credential_of(1)))), async {
        peer.until_begun(1).await;
        running.kill().await;
    });
    let broken = broken.unwrap_err();

    assert_eq!(broken.code(), Code::DeadlineExceeded);
    assert_eq!(metadata_of(&broken).get("outcome").map(String::as_str), Some("unknown"));
    let _again = Running::start(peer.server(), network.listen_memory("peer"));
    opened(&pool).await;
    pool.ask(ask("tell", Some(&credential_of(1)))).await.unwrap();
    assert_eq!(peer.begun(), 2, "the one that broke and the one after");
}

#[tokio::test]
async fn a_slow_request_delays_no_other() {
    let (network, peer) = (Network::default(), Peer::new());
    let (_running, pool) = connected(&network, &peer).await;
    let credential = credential_of(1);

    let (slow, ()) = tokio::join!(pool.ask(ask("wait", Some(&credential))), async {
        peer.until_begun(1).await;
        for _ in 0..20 {
            pool.ask(ask("tell", Some(&credential))).await.unwrap();
        }
        peer.let_go();
    });

    slow.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_without_answer_in_time_is_given_up_on_both_sides() {
    let (network, peer) = (Network::default(), Peer::new());
    let (_running, pool) = connected(&network, &peer).await;
    let deadline = Instant::now() + Duration::from_secs(1);

    let late = pool.ask(Ask { deadline, ..ask("wait", Some(&credential_of(1))) }).await;

    let late = late.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    assert_eq!(metadata_of(&late).get("outcome").map(String::as_str), Some("unknown"));
    assert!(deadline.elapsed() < Duration::from_millis(50), "{:?}", deadline.elapsed());
    peer.until_given_up(1).await;
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_is_given_up() {
    let (network, peer) = (Network::default(), Peer::new());
    let (_running, pool) = connected(&network, &peer).await;

    tokio::select! {
        answer = pool.ask(ask("wait", Some(&credential_of(1)))) => panic!("{answer:?}"),
        () = peer.until_begun(1) => {}
    }

    peer.until_given_up(1).await;
}

#[tokio::test]
async fn more_requests_than_the_service_handles_are_refused_at_once() {
    let (network, peer) = (Network::default(), Peer::new());
    // The stream itself is one.
    let server = peer.server().concurrency(3);
    let running = Running::start(server, network.listen_memory("peer"));
    let pool = pool(&network, &[&running.target]);
    opened(&pool).await;
    let credential = credential_of(1);

    let wait = || pool.ask(ask("wait", Some(&credential)));
    let (one, two, refused) = tokio::join!(wait(), wait(), async {
        peer.until_begun(2).await;
        let refused = pool.ask(ask("tell", Some(&credential))).await;
        peer.let_go();
        refused
    });

    one.unwrap();
    two.unwrap();
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(reason_of(&refused).as_deref(), Some("LIMIT_REACHED"));
}

#[tokio::test]
async fn a_service_that_stops_answers_what_is_under_way() {
    let (network, peer) = (Network::default(), Peer::new());
    let (running, pool) = connected(&network, &peer).await;

    let (answer, ()) = tokio::join!(pool.ask(ask("wait", Some(&credential_of(1)))), async {
        peer.until_begun(1).await;
        running.stop.cancel();
        eventually(PATIENCE, "the end of the stream", || async {
            if pool.lane().is_none() { Ok(()) } else { Err(format!("{pool:?}")) }
        })
        .await;
        peer.let_go();
    });

    answer.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn no_request_fails_while_connections_are_renewed() {
    let (network, peer) = (Network::default(), Peer::new());
    let server = peer.server().max_connection_age(Duration::from_millis(20));
    let running = Running::start(server, network.listen_memory("peer"));
    let pool = pool(&network, &[&running.target]);
    opened(&pool).await;
    let credential = credential_of(1);

    let end = Instant::now() + Duration::from_millis(500);
    while Instant::now() < end {
        let asked = (0..10).map(|_| pool.ask(ask("tell", Some(&credential))));
        for answer in join_all(asked).await {
            answer.unwrap();
        }
    }
}

#[tokio::test]
async fn a_peer_that_knows_no_stream_is_asked_as_ever() {
    let (network, peer) = (Network::default(), Peer::new());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tonic::transport::Server::builder()
        .add_service(CallControlServiceServer::new(peer.clone()))
        .serve_with_incoming(TcpListenerStream::new(listener));
    let serving = TaskTracker::new().spawn(serving);
    let target: Target = format!("http://127.0.0.1:{port}").parse().unwrap();
    let pool = pool(&network, &[&target]);

    for _ in 0..3 {
        pool.ask(ask("anonymous", None)).await.unwrap();
    }
    eventually(PATIENCE, "the refusal of the stream", || async {
        let state = format!("{pool:?}");
        if pool.lane().is_none() && state.contains("never") { Ok(()) } else { Err(state) }
    })
    .await;

    pool.ask(ask("anonymous", None)).await.unwrap();
    assert_eq!(peer.begun(), 4);
    serving.abort();
}
