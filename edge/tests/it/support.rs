//! The edge with fakes behind it.

pub(crate) mod auth;
pub(crate) mod callcontrol;
pub(crate) mod client;
pub(crate) mod http;
pub(crate) mod notifier;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use edge::{BoundListener, Config, Deps};
use mesh::Clock;
use mesh::caller::Scope;
use mesh::client::Pool;
use mesh::health::Readiness;
use mesh::net::{Listener, Network, Target};
use mesh::server::GrpcServer;
use mesh::testing::token::{ISSUER_OF_TESTS, claims};
use mesh::token::Verifier;
use proto::auth::v1::authentication_service_server::AuthenticationServiceServer;
use proto::auth::v1::authorization_service_server::AuthorizationServiceServer;
use proto::callcontrol::v1::call_control_service_server::CallControlServiceServer;
use proto::options::v1::Realm;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

use auth::Auth;
use callcontrol::CallControl;
use client::Client;
use notifier::{Log, Notifier};

pub(crate) const ACCOUNT: Scope = Scope::Account { i_customer: 1, i_account: 1 };
pub(crate) const OTHER_ACCOUNT: Scope = Scope::Account { i_customer: 1, i_account: 2 };
pub(crate) const CUSTOMER: Scope = Scope::Customer { i_customer: 1 };
pub(crate) const ADMIN: Scope = Scope::Everything;

/// Time for anything that a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The edge and what is behind it.
pub(crate) struct Harness {
    pub(crate) network: Network,
    pub(crate) clock: Clock,
    pub(crate) verifier: Verifier,
    pub(crate) auth: Auth,
    pub(crate) callcontrol: CallControl,
    pub(crate) log: Log,
    pub(crate) notifiers: Vec<Notifier>,
    pub(crate) stop: CancellationToken,
    pub(crate) edge: JoinHandle<anyhow::Result<()>>,
    pub(crate) readiness: Readiness,
    _end: tokio_util::sync::DropGuard,
}

impl Harness {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let network = Network::default();
        let listener = network.listen_memory("edge");
        Self::on(config, network, listener).await
    }

    /// On a TCP port of its own.
    pub(crate) async fn over_tcp(config: Config) -> (Self, Target) {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let target = listener.local_target();
        (Self::on(config, Network::default(), listener).await, target)
    }

    /// On a listener of the test's own.
    pub(crate) async fn on(config: Config, network: Network, listener: Listener) -> Self {
        let (clock, end) = (Clock::system(), CancellationToken::new());
        let verifier = Verifier::with_keys_and_clock(&ISSUER_OF_TESTS.jwks(), clock.clone());
        let auth = Auth::new(clock.clone(), verifier.clone());
        let callcontrol = CallControl::default();
        let log = Log::default();

        let routes = Routes::new(AuthenticationServiceServer::new(auth.clone()))
            .add_service(AuthorizationServiceServer::new(auth.clone()))
            .add_service(CallControlServiceServer::new(callcontrol.clone()));
        let services = network.listen_memory("services");
        let server = GrpcServer::new("services").routes(routes).verifier(verifier.clone());
        spawn(server.serve(services, end.clone()));
        let mut notifiers = Vec::new();
        for name in ["notifier-a", "notifier-b"] {
            notifiers.push(Notifier::start(name, &network, &log, end.child_token()));
        }

        let tasks = TaskTracker::new();
        let pool = |name: &str| {
            let target = Target::Memory(name.to_owned());
            Pool::new(name, vec![target], network.clone(), tasks.clone(), end.clone())
        };
        let services = pool("services");
        let callcontrol_name = "cordboard.callcontrol.v1.CallControlService".to_owned();
        let readiness = Readiness::new();
        let deps = Deps {
            auth: services.clone(),
            services: HashMap::from([(callcontrol_name, services)]),
            notifiers: vec![pool("notifier-a"), pool("notifier-b")],
            verifier: verifier.clone(),
            bound: [Realm::Account, Realm::Customer, Realm::Admin]
                .map(|realm| BoundListener {
                    listener: network.listen_memory(name_of(realm)),
                    realm,
                })
                .into(),
            clock: clock.clone(),
            readiness: readiness.clone(),
            pages: mesh::admin::Pages::default(),
        };
        let stop = CancellationToken::new();
        let edge = spawn(edge::serve(config, deps, listener, stop.clone()));
        let harness = Self {
            network,
            clock,
            verifier,
            auth,
            callcontrol,
            log,
            notifiers,
            stop,
            edge,
            readiness,
            _end: end.drop_guard(),
        };
        harness.log.opened().await;
        harness
    }

    /// A token of a new session with full rights on calls.
    pub(crate) fn token(&self, scope: Scope) -> String {
        self.token_with(scope, &["call_control:modify"], 900)
    }

    /// A token with these rights that lasts so many seconds.
    pub(crate) fn token_with(&self, scope: Scope, scopes: &[&str], seconds: i64) -> String {
        let mut claims = claims(scope, scopes, self.clock.now());
        claims.exp = claims.iat + seconds;
        ISSUER_OF_TESTS.sign(&claims)
    }

    /// A socket without a session.
    pub(crate) async fn connect(&self) -> Client {
        Client::connect(&self.network, &[]).await.unwrap()
    }

    /// A socket with a session.
    pub(crate) async fn client(&self, scope: Scope) -> Client {
        self.client_with(&self.token(scope)).await
    }

    /// A socket with the session of a token.
    pub(crate) async fn client_with(&self, token: &str) -> Client {
        let header = ("authorization", format!("Bearer {token}"));
        Client::connect(&self.network, &[header]).await.unwrap()
    }
}

/// Where the edge serves a realm alone.
pub(crate) fn name_of(realm: Realm) -> String {
    format!("edge-{}", mesh::caller::realm_name(realm))
}

/// A configuration with one thing changed.
pub(crate) fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}

#[expect(clippy::disallowed_methods, reason = "tasks of a test end with its runtime")]
pub(crate) fn spawn<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(work)
}

/// Shared by the fakes.
pub(crate) type Shared<T> = Arc<parking_lot::Mutex<T>>;
