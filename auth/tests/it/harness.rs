//! Auth, running in memory with the demo directory.

use std::sync::Arc;
use std::time::Duration;

use auth::{Config, Deps};
use mesh::Clock;
use mesh::caller::Caller;
use mesh::client::Pool;
use mesh::clock::Timestamp;
use mesh::health::Readiness;
use mesh::ledger::memory::{MemoryConfig, MemoryLedger};
use mesh::net::{Network, Target};
use mesh::token::Verifier;
use parking_lot::Mutex;
use proto::auth::v1 as pb;
use proto::auth::v1::account_service_client::AccountServiceClient;
use proto::auth::v1::accounting_service_client::AccountingServiceClient;
use proto::auth::v1::authentication_service_client::AuthenticationServiceClient;
use proto::auth::v1::authorization_service_client::AuthorizationServiceClient;
use proto::auth::v1::cdr_service_client::CdrServiceClient;
use proto::auth::v1::customer_service_client::CustomerServiceClient;
use proto::auth::v1::generic_service_client::GenericServiceClient;
use proto::auth::v1::ivr_applications_service_client::IvrApplicationsServiceClient;
use proto::options::v1::Realm;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tonic::{Request, Status};

pub(crate) const DEMO: &str = include_str!("../../../cordboard/demo.toml");
pub(crate) const PASSWORD: &str = "cordboard";
pub(crate) const HOME: &str = "192.0.2.1";

/// A running service; it stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Auth {
    pool: Mutex<Pool>,
    network: Network,
    pub(crate) clock: Clock,
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) readiness: Readiness,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    _stopped_when_dropped: DropGuard,
}

impl Auth {
    /// With the demo directory and the default settings, in memory.
    pub(crate) async fn start() -> Self {
        Self::start_with("", DEMO).await
    }

    /// With settings and a directory as TOML texts.
    pub(crate) async fn start_with(settings: &str, directory: &str) -> Self {
        let clock = Clock::starting_at(Timestamp::from_micros(1_700_000_000_000_000));
        let ledger = Arc::new(MemoryLedger::new(clock.clone(), MemoryConfig::default()));
        Self::start_over(settings, directory, ledger).await
    }

    /// As [`Self::start_with`], over a store that may have something already.
    pub(crate) async fn start_over(
        settings: &str,
        directory: &str,
        ledger: Arc<MemoryLedger>,
    ) -> Self {
        let mut config: Config = toml::from_str(settings).unwrap();
        if !settings.contains("url") {
            config.database.url = "sqlite::memory:".to_owned();
        }
        let seed = auth::import::parse(directory).unwrap_or_else(|error| panic!("{error}"));
        let clock = Clock::starting_at(Timestamp::from_micros(1_700_000_000_000_000));
        let network = Network::default();
        let listener = network.listen_memory("auth");
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let readiness = Readiness::new();
        let deps = Deps {
            ledger: Arc::clone(&ledger) as _,
            clock: clock.clone(),
            readiness: readiness.clone(),
            seed: Some(seed),
            redis: None,
            // Time passes here in leaps, which look as if the directory had been away.
            lost_grace: Duration::ZERO,
        };
        let serving = auth::serve(config, deps, listener, stop.clone());
        tasks.spawn(async move { serving.await.unwrap() });
        let pool = connect(&network, &tasks, &stop);
        pool.until_connected().await;
        let pool = Mutex::new(pool);
        let guard = stop.clone().drop_guard();
        Self { pool, network, clock, ledger, readiness, tasks, stop, _stopped_when_dropped: guard }
    }

    pub(crate) fn pool(&self) -> Pool {
        self.pool.lock().clone()
    }

    pub(crate) fn sessions(&self) -> AuthenticationServiceClient<Pool> {
        AuthenticationServiceClient::new(self.pool())
    }

    pub(crate) fn authorization(&self) -> AuthorizationServiceClient<Pool> {
        AuthorizationServiceClient::new(self.pool())
    }

    pub(crate) fn accounts(&self) -> AccountServiceClient<Pool> {
        AccountServiceClient::new(self.pool())
    }

    pub(crate) fn accounting(&self) -> AccountingServiceClient<Pool> {
        AccountingServiceClient::new(self.pool())
    }

    pub(crate) fn cdr(&self) -> CdrServiceClient<Pool> {
        CdrServiceClient::new(self.pool())
    }

    pub(crate) fn customers(&self) -> CustomerServiceClient<Pool> {
        CustomerServiceClient::new(self.pool())
    }

    pub(crate) fn applications(&self) -> IvrApplicationsServiceClient<Pool> {
        IvrApplicationsServiceClient::new(self.pool())
    }

    pub(crate) fn generic(&self) -> GenericServiceClient<Pool> {
        GenericServiceClient::new(self.pool())
    }

    /// A login with a password, from [`HOME`].
    pub(crate) async fn try_login(
        &self,
        login: &str,
        password: &str,
        realm: Realm,
    ) -> Result<pb::Tokens, Status> {
        self.login_from(HOME, login, password, realm).await
    }

    pub(crate) async fn login_from(
        &self,
        address: &str,
        login: &str,
        password: &str,
        realm: Realm,
    ) -> Result<pb::Tokens, Status> {
        let request = pb::OpenSessionRequest {
            login: login.to_owned(),
            password: Some(password.to_owned()),
            token: None,
            realm: realm.into(),
            address: address.to_owned(),
        };
        let answer = self.sessions().open_session(request).await?;
        Ok(answer.into_inner().tokens.unwrap())
    }

    /// A login of the demo directory.
    pub(crate) async fn login(&self, login: &str) -> pb::Tokens {
        self.try_login(login, PASSWORD, Realm::Unspecified).await.unwrap()
    }

    pub(crate) async fn refresh(&self, token: &str) -> Result<pb::Tokens, Status> {
        let request = pb::RefreshSessionRequest { refresh_token: token.to_owned() };
        let answer = self.sessions().refresh_session(request).await?;
        Ok(answer.into_inner().tokens.unwrap())
    }

    /// A verifier with auth's public keys, as they are given to everybody.
    pub(crate) async fn verifier(&self) -> Verifier {
        let keys = self.sessions().get_keys(pb::GetKeysRequest {}).await.unwrap();
        Verifier::with_keys_and_clock(&keys.into_inner().jwks, self.clock.clone())
    }

    /// What an access token says.
    pub(crate) async fn caller(&self, tokens: &pb::Tokens) -> Caller {
        let caller = self.verifier().await.verify(&tokens.access_token).await.unwrap();
        Caller::clone(&caller)
    }

    /// Whether auth itself still takes a token.
    pub(crate) async fn takes(&self, tokens: &pb::Tokens) -> Result<(), Status> {
        let request = of(tokens, pb::GetVersionRequest {});
        self.generic().get_version(request).await.map(|_answer| ())
    }

    /// Lets time pass at once: for auth's clock and for everything that waits.
    pub(crate) async fn pass(&self, time: Duration) {
        tokio::time::pause();
        tokio::time::advance(time).await;
        tokio::time::resume();
        // To the old connection it looks as if the other end had been silent all the time.
        *self.pool.lock() = connect(&self.network, &self.tasks, &self.stop);
    }

    /// Stops in order.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn connect(network: &Network, tasks: &TaskTracker, stop: &CancellationToken) -> Pool {
    let targets = vec![Target::Memory("auth".to_owned())];
    Pool::new("auth", targets, network.clone(), tasks.clone(), stop.clone())
}

/// A request made for a session.
pub(crate) fn of<T>(tokens: &pb::Tokens, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let bearer = format!("Bearer {}", tokens.access_token).parse().unwrap();
    request.metadata_mut().insert(mesh::metadata::AUTHORIZATION, bearer);
    request
}

/// Code and reason of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> (tonic::Code, String) {
    let status = answer.unwrap_err();
    let reason = mesh::fault::reason_of(&status).unwrap_or_else(|| panic!("{status:?}"));
    (status.code(), reason)
}
