//! Authentication, authorisation and the directory: who may log in, what a session may do, what
//! a dialled number is, whether an account may call.
//!
//! The way of a request: `rpc` → `sessions` or [`domain`] → the port
//! [`Directory`] → [`store`]. What comes in from files goes through
//! [`import`], what operators do through [`admin`] and [`export`]. Nothing here is asked when a token is verified: every service does that itself,
//! with the public keys and the revocations that auth pushes.

mod accounting;
pub mod admin;
mod availability;
mod config;
pub mod domain;
pub mod export;
pub mod import;
pub mod keyring;
mod lockouts;
pub mod metrics;
pub mod password;
mod revocations;
mod rpc;
mod sessions;
pub mod store;
pub mod tokens;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use mesh::Clock;
use mesh::health::{Component, Readiness};
use mesh::ledger::Ledger;
use mesh::ledger::redis::{RedisConfig, RedisLedger};
use mesh::net::Listener;
use mesh::server::GrpcServer;
use mesh::token::Verifier;
use proto::auth::v1::account_service_server::AccountServiceServer;
use proto::auth::v1::accounting_service_server::AccountingServiceServer;
use proto::auth::v1::authentication_service_server::AuthenticationServiceServer;
use proto::auth::v1::authorization_service_server::AuthorizationServiceServer;
use proto::auth::v1::cdr_service_server::CdrServiceServer;
use proto::auth::v1::customer_service_server::CustomerServiceServer;
use proto::auth::v1::generic_service_server::GenericServiceServer;
use proto::auth::v1::ivr_applications_service_server::IvrApplicationsServiceServer;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tracing::{info, warn};

pub use config::{Config, Database, Lockout, Password, Session};

use crate::availability::Phones;
use crate::domain::directory::{Directory, StoreError};
use crate::domain::plan::Plan;
use crate::domain::secret::Secret;
use crate::domain::session::StoredKey;
use crate::keyring::Keyring;
use crate::lockouts::Lockouts;
use crate::revocations::{Revocations, before_by};
use crate::sessions::Sessions;
use crate::tokens::SigningKey;

/// Time between two removals of what is over.
const PURGE_EVERY: Duration = Duration::from_mins(10);

/// Time between two attempts to open a directory whose server is away.
const OPEN_AGAIN: Duration = Duration::from_secs(1);

/// How much longer than the longest access token a revocation is kept: services may go on for
/// some time with tokens that have expired while auth is away.
const REVOCATION_MARGIN: Duration = Duration::from_hours(1);

/// What the service needs from around it.
#[derive(Debug)]
pub struct Deps {
    /// The store: whose phone is free, and the accounting records that switches leave there.
    pub ledger: Arc<dyn Ledger>,
    /// Wall time.
    pub clock: Clock,
    /// Where the service says how it is.
    pub readiness: Readiness,
    /// What a directory that is still empty begins with, e.g. the demo directory.
    pub seed: Option<Plan>,
    /// Where failed logins are counted together with other instances; without it each counts for
    /// itself.
    pub redis: Option<RedisConfig>,
    /// How long tokens are good beyond their time while the directory is away.
    pub lost_grace: Duration,
}

/// Runs the service until `stop`.
///
/// The database is opened, its schema brought up to date, an empty directory seeded and a signing
/// key made when there is none, all before the first request is answered.
///
/// # Errors
/// When the configuration cannot work, the database cannot be opened, or the seed does not fit.
pub async fn serve(
    config: Config,
    deps: Deps,
    listener: Listener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    config.validate().context("configuration of auth")?;
    let Deps { ledger, clock, readiness, seed, redis, lost_grace } = deps;
    let redis = match redis {
        Some(redis) => Some(RedisLedger::connect(redis).await.context("redis")?),
        None => None,
    };
    let store = readiness.component("auth.store");
    let tasks = TaskTracker::new();
    let late_stop = CancellationToken::new();
    let _stopped_when_dropped = late_stop.clone().drop_guard();

    // Making a key takes as long as everything else here, so a first start does both at once.
    let first_key = store::is_new(&config.database).await.then(|| spawn_key(&tasks, &clock));
    let directory = open_directory(&config.database, &clock, &store, &stop).await?;
    seed_directory(&*directory, seed.as_ref(), &clock).await?;
    let keys = match first_key {
        None => directory.keys().await?,
        Some(_) => Vec::new(),
    };
    let keys = if keys.is_empty() {
        let made = first_key.unwrap_or_else(|| spawn_key(&tasks, &clock)).await??;
        directory.adopt_key(&made, None).await?
    } else {
        keys
    };
    let refresh_secret = directory.secret("refresh_tokens", &tokens::random()?).await?;

    let kept = config.session.access_token_lifetime + REVOCATION_MARGIN;
    let keys = Arc::new(Keyring::new(
        Arc::clone(&directory),
        clock.clone(),
        config.session.key_lifetime,
        kept,
        &keys,
    )?);
    let verifier =
        Verifier::with_keys_and_clock(&keys.jwks(), clock.clone()).with_lost_grace(lost_grace);
    let revocations =
        Revocations::new(Arc::clone(&directory), clock.clone(), verifier.clone(), kept);
    // Before the first token is verified.
    revocations.poll().await.context("revocations")?;
    let passwords = password::Pool::new(config.password.threads, config.password.queue)?;
    let sessions = Sessions::new(
        &config,
        Arc::clone(&directory),
        clock.clone(),
        passwords,
        Lockouts::new(config.lockout.limits(), redis),
        Arc::clone(&keys),
        &refresh_secret,
    );

    tasks.spawn(revocations.clone().run(store, late_stop.clone()));
    tasks.spawn(Arc::clone(&keys).run(verifier.clone(), late_stop.clone()));
    let reader = accounting::Reader {
        directory: Arc::clone(&directory),
        ledger: Arc::clone(&ledger),
        clock: clock.clone(),
    };
    tasks.spawn(reader.run(readiness.component("auth.accounting"), late_stop.clone()));
    tasks.spawn(purge(
        Arc::clone(&directory),
        clock.clone(),
        kept,
        Arc::clone(&keys),
        late_stop.clone(),
    ));
    let routes = routes(&directory, ledger, Arc::new(sessions), revocations, keys, clock);
    let served = GrpcServer::new("auth")
        .verifier(verifier)
        .descriptor(proto::FILE_DESCRIPTOR_SET)
        .readiness(readiness)
        .routes(routes)
        .serve(listener, stop)
        .await;
    late_stop.cancel();
    tasks.close();
    tasks.wait().await;
    served
}

fn routes(
    directory: &Arc<dyn Directory>,
    ledger: Arc<dyn Ledger>,
    sessions: Arc<Sessions>,
    revocations: Revocations,
    keys: Arc<Keyring>,
    clock: Clock,
) -> Routes {
    let accounting = rpc::AccountingRpc { directory: Arc::clone(directory), clock: clock.clone() };
    let cdr = rpc::CdrRpc { directory: Arc::clone(directory) };
    let authentication = rpc::AuthenticationRpc { sessions, revocations, keys, clock };
    let authorization = rpc::AuthorizationRpc { directory: Arc::clone(directory) };
    let customer = rpc::CustomerRpc { directory: Arc::clone(directory) };
    let account = rpc::AccountRpc { directory: Arc::clone(directory), phones: Phones::new(ledger) };
    let applications = rpc::IvrApplicationsRpc { directory: Arc::clone(directory) };
    Routes::new(AuthenticationServiceServer::new(authentication))
        .add_service(AuthorizationServiceServer::new(authorization))
        .add_service(AccountingServiceServer::new(accounting))
        .add_service(CdrServiceServer::new(cdr))
        .add_service(CustomerServiceServer::new(customer))
        .add_service(AccountServiceServer::new(account))
        .add_service(IvrApplicationsServiceServer::new(applications))
        .add_service(GenericServiceServer::new(rpc::GenericRpc))
}

/// Opens the directory, as soon as there is a server that answers.
async fn open_directory(
    settings: &Database,
    clock: &Clock,
    store: &Component,
    stop: &CancellationToken,
) -> anyhow::Result<Arc<dyn Directory>> {
    loop {
        let unavailable = match store::open(settings, clock).await {
            Err(error @ StoreError::Unavailable(_)) => error,
            opened => return opened.context("directory"),
        };
        let reason = mesh::fault::chain(&unavailable);
        warn!(error = reason, "the directory cannot be opened yet");
        store.down(reason);
        if stop.run_until_cancelled(tokio::time::sleep(OPEN_AGAIN)).await.is_none() {
            return Err(unavailable).context("directory");
        }
    }
}

async fn seed_directory(
    directory: &dyn Directory,
    seed: Option<&Plan>,
    clock: &Clock,
) -> anyhow::Result<()> {
    let Some(seed) = seed else { return Ok(()) };
    if directory.is_empty().await? {
        let applied = import::apply(directory, seed, clock.now()).await.context("seed")?;
        info!(created = applied.created, "directory seeded");
    }
    Ok(())
}

type MadeKey = tokio::task::JoinHandle<Result<StoredKey, tokens::TokenError>>;

fn spawn_key(tasks: &TaskTracker, clock: &Clock) -> MadeKey {
    let now = clock.now();
    tasks.spawn_blocking(move || SigningKey::generate(now))
}

/// Removes what is over, now and then, until `stop`.
async fn purge(
    directory: Arc<dyn Directory>,
    clock: Clock,
    kept: Duration,
    keys: Arc<Keyring>,
    stop: CancellationToken,
) {
    let mut turns = interval_at(Instant::now() + PURGE_EVERY, PURGE_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(turns.tick()).await.is_some() {
        let now = clock.now();
        let purged = async {
            directory.purge(now, before_by(now, kept)).await?;
            directory.forget_keys(keys.needless_before()).await
        };
        if let Err(error) = purged.await {
            warn!(error = mesh::fault::chain(&error), "what is over was not removed");
        }
    }
}

/// Hashes a password for an import file, on the caller's thread.
///
/// # Errors
/// When the system gives no random bytes or no memory.
pub fn hash_password(password: &str) -> Result<String, password::PasswordError> {
    password::hash(&Secret::new(password)).map(|hash| hash.expose().to_owned())
}
