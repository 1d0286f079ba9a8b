//! A service that does what the call id says, and notes what it began and what was given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use proto::call::v1::{CallInfo, CallRef};
use proto::callcontrol::v1::call_control_service_server::{
    CallControlService, CallControlServiceServer,
};
use proto::callcontrol::v1::{GetCallInfoRequest, GetCallInfoResponse};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::PATIENCE;
use crate::caller::Scope;
use crate::client::{Ask, Credential};
use crate::clock::Clock;
use crate::server::GrpcServer;
use crate::testing::eventually;
use crate::testing::token::{ISSUER_OF_TESTS, claims};
use crate::token::Verifier;
use crate::{caller, deadline, metadata, trace};

#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) verifier: Verifier,
    begun: Arc<AtomicUsize>,
    given_up: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

/// What the service was given.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) user: String,
    pub(super) trace_id: String,
    pub(super) left: Duration,
}

/// A request to do as `order` says: `wait` until let go, else answer at once.
pub(super) fn ask(order: &str, credential: Option<&Credential>) -> Ask {
    let call = CallRef { id: order.to_owned(), tag: None };
    Ask {
        path: "/cordboard.callcontrol.v1.CallControlService/GetCallInfo",
        message: GetCallInfoRequest { call: Some(call) }.encode_to_vec().into(),
        credential: credential.cloned(),
        deadline: Instant::now() + Duration::from_secs(10),
        method: "CallControl/get_call_info",
        request_id: None,
        is_subscribed: false,
        transport: metadata::TRANSPORT_WEBSOCKET,
    }
}

/// A credential of an account that may read calls; each of a customer of its own.
pub(super) fn credential_of(account: i64) -> Credential {
    let scope = Scope::Account { i_customer: account, i_account: account };
    let mut claims = claims(scope, &["call_control:read"], Clock::system().now());
    claims.jti = session_of(account);
    Credential::new(&ISSUER_OF_TESTS.sign(&claims)).unwrap()
}

pub(super) fn session_of(account: i64) -> String {
    format!("session of {account}")
}

pub(super) fn said(answer: Bytes) -> Said {
    let answer = GetCallInfoResponse::decode(answer).unwrap();
    let text = &answer.call_info[0].tracking_id;
    let mut parts = text.split(' ');
    let mut next = || parts.next().unwrap().to_owned();
    let (user, trace_id) = (next(), next());
    Said { user, trace_id, left: Duration::from_millis(next().parse().unwrap()) }
}

impl Peer {
    pub(super) fn new() -> Self {
        Self {
            verifier: Verifier::with_keys(&ISSUER_OF_TESTS.jwks()),
            begun: Arc::default(),
            given_up: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
        }
    }

    pub(super) fn server(&self) -> GrpcServer {
        let routes = Routes::new(CallControlServiceServer::new(self.clone()));
        GrpcServer::new("callcontrol").verifier(self.verifier.clone()).routes(routes)
    }

    pub(super) fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    /// Lets all that wait go on.
    pub(super) fn let_go(&self) {
        self.gate.add_permits(100);
    }

    pub(super) async fn until_begun(&self, count: usize) {
        until(&self.begun, count).await;
    }

    pub(super) async fn until_given_up(&self, count: usize) {
        until(&self.given_up, count).await;
    }
}

async fn until(counter: &AtomicUsize, count: usize) {
    eventually(PATIENCE, "requests", || async {
        let seen = counter.load(Ordering::SeqCst);
        if seen == count { Ok(()) } else { Err(seen.to_string()) }
    })
    .await;
}

/// Counts when dropped before it is disarmed.
struct Armed(Option<Arc<AtomicUsize>>);

impl Drop for Armed {
    fn drop(&mut self) {
        if let Some(counter) = &self.0 {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[tonic::async_trait]
impl CallControlService for Peer {
    async fn get_call_info(
        &self,
        request: Request<GetCallInfoRequest>,
    ) -> Result<Response<GetCallInfoResponse>, Status> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let mut given_up = Armed(Some(Arc::clone(&self.given_up)));
        let left = deadline::of(&request).saturating_duration_since(Instant::now());
        let user = caller::of(&request).map(|it| it.user.clone()).unwrap_or_default();
        if request.into_inner().call.unwrap_or_default().id == "wait" {
            self.gate.acquire().await.unwrap().forget();
        }
        given_up.0 = None;
        let tracking_id = format!("{user} {} {}", trace::current_trace_id(), left.as_millis());
        let told = CallInfo { tracking_id, ..CallInfo::default() };
        Ok(Response::new(GetCallInfoResponse { call_info: vec![told] }))
    }
}
