//! The verifier with keys in hand, and following a fake auth.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use proto::auth::v1::authentication_service_server::{
    AuthenticationService, AuthenticationServiceServer,
};
use proto::auth::v1::{
    ChangePasswordRequest, ChangePasswordResponse, EndSessionRequest, EndSessionResponse,
    FindSessionRequest, FindSessionResponse, GetKeysRequest, GetKeysResponse,
    OpenSessionBelowRequest, OpenSessionBelowResponse, OpenSessionRequest, OpenSessionResponse,
    RefreshSessionRequest, RefreshSessionResponse, RenewSessionRequest, RenewSessionResponse,
    WatchRevocationsRequest, WatchRevocationsResponse,
};
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::*;
use crate::caller::Scope;
use crate::clock::Timestamp;
use crate::health::{Readiness, State};
use crate::net::Network;
use crate::server::GrpcServer;
use crate::server::probe::{Running, pool};
use crate::testing::eventually;
use crate::testing::token::{ISSUER_OF_TESTS, Issuer, claims};

const PATIENCE: Duration = Duration::from_secs(5);
const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const ACCOUNT: Scope = Scope::Account { i_customer: 1, i_account: 7 };

fn verifier() -> Verifier {
    Verifier::with_keys_and_clock(&ISSUER_OF_TESTS.jwks(), Clock::starting_at(NOW))
}

#[tokio::test]
async fn a_good_token_names_its_caller() {
    let claims = claims(ACCOUNT, &["call_control:modify", "teleport:read"], NOW);

    let caller = verifier().verify(&ISSUER_OF_TESTS.sign(&claims)).await.unwrap();

    assert_eq!(caller.scope, ACCOUNT);
    assert_eq!((&caller.user, &caller.session_id), (&claims.sub, &claims.jti));
    assert_eq!(caller.permissions.len(), 1);
}

#[tokio::test]
async fn every_flaw_is_told() {
    let good = claims(ACCOUNT, &[], NOW);
    let sign = |change: &dyn Fn(&mut Claims)| {
        let mut claims = good.clone();
        change(&mut claims);
        ISSUER_OF_TESTS.sign(&claims)
    };
    let (head, _) = sign(&|_| ()).rsplit_once('.').map(|(a, b)| (a.to_owned(), b.len())).unwrap();
    let other = Issuer::new("test");
    let unknown = Issuer::new("unknown");

    for (token, expected) in [
        (String::new(), TokenError::Malformed),
        ("a.b.c".to_owned(), TokenError::Malformed),
        ("x".repeat(1 << 20), TokenError::Malformed),
        (format!("{head}."), TokenError::BadSignature),
        (other.sign(&good), TokenError::BadSignature),
        (unknown.sign(&good), TokenError::UnknownKey),
        (sign(&|it| it.exp = NOW.as_seconds()), TokenError::Expired),
        (sign(&|it| it.nbf = Some(NOW.as_seconds() + 1)), TokenError::Expired),
        (sign(&|it| it.iss = "else".to_owned()), TokenError::Malformed),
        (sign(&|it| it.aud = "else".to_owned()), TokenError::Malformed),
        (sign(&|it| it.realm = "moon".to_owned()), TokenError::Malformed),
        (sign(&|it| it.i_account = None), TokenError::Malformed),
    ] {
        assert_eq!(verifier().verify(&token).await, Err(expected), "{token:.80}");
    }
}

#[tokio::test]
async fn a_token_of_another_algorithm_is_refused() {
    let key = jsonwebtoken::EncodingKey::from_secret(ISSUER_OF_TESTS.jwks().as_bytes());
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    header.kid = Some("test".to_owned());
    let token = jsonwebtoken::encode(&header, &claims(ACCOUNT, &[], NOW), &key).unwrap();

    assert_eq!(verifier().verify(&token).await, Err(TokenError::Malformed));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_good_is_not_so_after_its_end() {
    let verifier = verifier();
    let token = ISSUER_OF_TESTS.sign(&claims(ACCOUNT, &[], NOW));
    verifier.verify(&token).await.unwrap();

    tokio::time::advance(Duration::from_secs(899)).await;
    assert!(verifier.verify(&token).await.is_ok());
    tokio::time::advance(Duration::from_secs(1)).await;

    assert_eq!(verifier.verify(&token).await, Err(TokenError::Expired));
}

#[tokio::test]
async fn a_token_that_was_good_is_not_so_after_its_revocation() {
    let verifier = verifier();
    let claims = claims(ACCOUNT, &[], NOW);
    let token = ISSUER_OF_TESTS.sign(&claims);
    let mut heard = verifier.subscribe_revocations();
    verifier.verify(&token).await.unwrap();

    let subject = Subject::User(claims.sub.clone());
    let revocation = Revocation { subject, epoch: claims.epoch + 1, ends: true };
    verifier.revoke(revocation.clone());

    assert_eq!(verifier.verify(&token).await, Err(TokenError::Revoked));
    assert_eq!(heard.recv().await.unwrap(), revocation);
}

#[test]
fn neither_claims_nor_errors_show_a_person() {
    let mut claims = claims(ACCOUNT, &["call_control:modify"], NOW);
    claims.login = "alice@example.com".to_owned();
    claims.jti = "session-secret".to_owned();

    let text = format!("{claims:?} {:?}", TokenError::BadSignature);

    assert!(!text.contains("alice") && !text.contains("session-secret"), "{text}");
}

/// Auth, as far as verifiers ask it.
#[derive(Clone)]
struct FakeAuth {
    jwks: Arc<Mutex<String>>,
    fetches: Arc<AtomicUsize>,
    revocations: tokio::sync::watch::Sender<WatchRevocationsResponse>,
    watched_from: Arc<Mutex<Vec<i64>>>,
}

impl FakeAuth {
    fn new(jwks: String) -> Self {
        Self {
            jwks: Arc::new(Mutex::new(jwks)),
            fetches: Arc::default(),
            revocations: tokio::sync::watch::Sender::new(WatchRevocationsResponse::default()),
            watched_from: Arc::default(),
        }
    }

    fn start(&self, network: &Network) -> Running {
        let routes = Routes::new(AuthenticationServiceServer::new(self.clone()));
        let server = GrpcServer::new("auth").routes(routes);
        Running::start(server, network.listen_memory("auth"))
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl AuthenticationService for FakeAuth {
    type WatchRevocationsStream = BoxStream<'static, Result<WatchRevocationsResponse, Status>>;

    async fn get_keys(&self, _request: Request<GetKeysRequest>) -> Answer<GetKeysResponse> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new(GetKeysResponse { jwks: self.jwks.lock().clone() }))
    }

    async fn watch_revocations(
        &self,
        request: Request<WatchRevocationsRequest>,
    ) -> Answer<Self::WatchRevocationsStream> {
        self.watched_from.lock().push(request.into_inner().after);
        let changes = WatchStream::new(self.revocations.subscribe()).map(Ok);
        Ok(Response::new(changes.boxed()))
    }

    async fn open_session(&self, _: Request<OpenSessionRequest>) -> Answer<OpenSessionResponse> {
        Err(Status::unimplemented(""))
    }

    async fn open_session_below(
        &self,
        _: Request<OpenSessionBelowRequest>,
    ) -> Answer<OpenSessionBelowResponse> {
        Err(Status::unimplemented(""))
    }

    async fn refresh_session(
        &self,
        _: Request<RefreshSessionRequest>,
    ) -> Answer<RefreshSessionResponse> {
        Err(Status::unimplemented(""))
    }

    async fn renew_session(&self, _: Request<RenewSessionRequest>) -> Answer<RenewSessionResponse> {
        Err(Status::unimplemented(""))
    }

    async fn find_session(&self, _: Request<FindSessionRequest>) -> Answer<FindSessionResponse> {
        Err(Status::unimplemented(""))
    }

    async fn end_session(&self, _: Request<EndSessionRequest>) -> Answer<EndSessionResponse> {
        Err(Status::unimplemented(""))
    }

    async fn change_password(
        &self,
        _: Request<ChangePasswordRequest>,
    ) -> Answer<ChangePasswordResponse> {
        Err(Status::unimplemented(""))
    }
}

/// A verifier that follows `network`'s auth.
struct Following {
    verifier: Verifier,
    readiness: Readiness,
    _stop: tokio_util::sync::DropGuard,
}

fn follow(network: &Network) -> Following {
    let auth = pool(network, &[&"memory:auth".parse().unwrap()]);
    let (verifier, readiness) = (Verifier::new(auth, Clock::starting_at(NOW)), Readiness::new());
    let stop = CancellationToken::new();
    let running = verifier.clone().run_with_health(readiness.component("tokens"), stop.clone());
    TaskTracker::new().spawn(running);
    Following { verifier, readiness, _stop: stop.drop_guard() }
}

#[tokio::test]
async fn keys_are_fetched_and_an_unknown_one_is_asked_for() {
    let network = Network::default();
    let auth = FakeAuth::new(ISSUER_OF_TESTS.jwks());
    let _running = auth.start(&network);
    let following = follow(&network);
    let claims = claims(ACCOUNT, &[], NOW);
    following.verifier.verify(&ISSUER_OF_TESTS.sign(&claims)).await.unwrap();

    let rotated = Issuer::new("rotated");
    *auth.jwks.lock() = rotated.jwks();
    following.verifier.verify(&rotated.sign(&claims)).await.unwrap();

    let stranger = Issuer::new("stranger");
    let refused = following.verifier.verify(&stranger.sign(&claims)).await;
    assert_eq!(refused, Err(TokenError::UnknownKey));
    assert!(auth.fetches.load(Ordering::SeqCst) <= 5);
}

#[tokio::test(start_paused = true)]
async fn without_auth_a_token_is_refused_in_bounded_time() {
    let following = follow(&Network::default());
    let token = ISSUER_OF_TESTS.sign(&claims(ACCOUNT, &[], NOW));
    let began = Instant::now();

    let refused = following.verifier.verify(&token).await;

    assert_eq!(refused, Err(TokenError::KeysUnavailable));
    assert!(began.elapsed() <= KEY_WAIT + Duration::from_millis(100));
    assert!(!following.readiness.is_ready());
}

#[tokio::test]
async fn revocations_are_followed_from_where_they_were_left() {
    let network = Network::default();
    let auth = FakeAuth::new(ISSUER_OF_TESTS.jwks());
    let running = auth.start(&network);
    let following = follow(&network);
    let claims = claims(ACCOUNT, &[], NOW);
    let token = ISSUER_OF_TESTS.sign(&claims);
    following.readiness.until_ready().await;
    following.verifier.verify(&token).await.unwrap();

    let subject = Subject::Session(claims.jti.clone());
    let revocation = Revocation { subject, epoch: 0, ends: true }.to_proto();
    auth.revocations
        .send_replace(WatchRevocationsResponse { position: 42, revocation: Some(revocation) });
    eventually(PATIENCE, "the revocation", || async {
        match following.verifier.verify(&token).await {
            Err(TokenError::Revoked) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert!(following.verifier.last_heard().is_some());

    running.kill().await;
    eventually(PATIENCE, "degradation", || async {
        match following.readiness.state_of("tokens") {
            Some(State::Degraded(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert!(following.readiness.is_ready());

    let _running = auth.start(&network);
    eventually(PATIENCE, "a new stream", || async {
        let from = auth.watched_from.lock().clone();
        if from.last() == Some(&42) { Ok(()) } else { Err(format!("{from:?}")) }
    })
    .await;
}

#[tokio::test]
async fn tokens_are_good_for_longer_while_auth_is_lost() {
    tokio::time::pause();
    let clock = Clock::starting_at(NOW);
    let verifier = Verifier::with_keys_and_clock(&ISSUER_OF_TESTS.jwks(), clock)
        .with_lost_grace(Duration::from_mins(15));
    let claims = claims(ACCOUNT, &[], NOW);
    let life = u64::try_from(claims.exp - NOW.as_seconds()).unwrap();
    let token = ISSUER_OF_TESTS.sign(&claims);
    let pass = async |seconds| tokio::time::advance(Duration::from_secs(seconds)).await;

    verifier.note_auth();
    pass(life).await;
    assert!(verifier.verify(&token).await.is_ok(), "silent since the token was made");
    for _ in 0..7 {
        verifier.note_auth();
        pass(4).await;
    }
    assert!(verifier.verify(&token).await.is_ok(), "there is time to refresh");
    verifier.note_auth();
    pass(3).await;
    assert_eq!(verifier.verify(&token).await, Err(TokenError::Expired));

    pass(6).await;
    assert!(verifier.verify(&token).await.is_ok(), "lost again");
    pass(15 * 60).await;
    assert_eq!(verifier.verify(&token).await, Err(TokenError::Expired), "the grace is over");
}
