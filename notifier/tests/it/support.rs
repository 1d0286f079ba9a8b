//! A running notifier with its store, an engine that writes to it, and edges.

mod edge;
mod gate;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use mesh::Clock;
use mesh::caller::Scope as Realm;
use mesh::clock::Timestamp;
use mesh::health::{Readiness, State};
use mesh::ledger::memory::{MemoryConfig, MemoryLedger};
use mesh::net::{Network, Target};
use mesh::testing::eventually;
use mesh::testing::token::{ISSUER_OF_TESTS, claims};
use mesh::token::{Claims, Verifier};
use notifier::{Config, Deps};
use proto::notifier::v1::notifier_service_client::NotifierServiceClient;
use proto::notifier::v1::scope::Of;
use proto::notifier::v1::{AccessNumberScope, AccountScope, QueueScope, Scope};
use proto::switch::v1::LogEntry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use edge::{Edge, after, event, position, replay};
pub(crate) use gate::Gate;
pub(crate) use writer::Writer;

pub(crate) type Client = NotifierServiceClient<mesh::client::Pool>;

/// How long a test waits for what must come; paused time passes quickly.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What lives as long as the store.
pub(crate) struct World {
    pub(crate) ledger: Arc<Gate>,
    pub(crate) clock: Clock,
    pub(crate) verifier: Verifier,
    pub(crate) network: Network,
    pub(crate) config: Config,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(MemoryConfig::default(), Config::default())
    }

    pub(crate) fn with_partitions(partitions: u32) -> Self {
        Self::with(MemoryConfig { partitions, ..MemoryConfig::default() }, Config::default())
    }

    pub(crate) fn with(store: MemoryConfig, config: Config) -> Self {
        let clock = Clock::starting_at(Timestamp::from_micros(1_800_000_000_000_000));
        Self {
            ledger: Arc::new(Gate::new(MemoryLedger::new(clock.clone(), store))),
            verifier: Verifier::with_keys_and_clock(&ISSUER_OF_TESTS.jwks(), clock.clone()),
            clock,
            network: Network::default(),
            config,
        }
    }

    /// An engine that writes to the store.
    pub(crate) fn writer(&self) -> Writer {
        Writer::new(Arc::clone(&self.ledger))
    }

    /// Starts a notifier and waits until it is ready.
    pub(crate) async fn start(&self, name: &str) -> Running {
        let running = self.launch(name);
        running.readiness.until_ready().await;
        running
    }

    /// Starts a notifier.
    pub(crate) fn launch(&self, name: &str) -> Running {
        let readiness = Readiness::new();
        let starting = readiness.component("start of the test");
        let deps = Deps {
            ledger: Arc::<Gate>::clone(&self.ledger),
            verifier: self.verifier.clone(),
            clock: self.clock.clone(),
            readiness: readiness.clone(),
        };
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let listener = self.network.listen_memory(name);
        let serving = notifier::serve(self.config.clone(), deps, listener, stop.clone());
        let watched = readiness.clone();
        tasks.spawn(async move {
            // The service adds its part when it is first polled.
            while watched.state_of("event_log").is_none() {
                tokio::task::yield_now().await;
            }
            starting.ready();
        });
        let serving = tasks.spawn(serving);
        let pool = mesh::client::Pool::new(
            name,
            vec![Target::Memory(name.to_owned())],
            self.network.clone(),
            tasks.clone(),
            stop.clone(),
        );
        let client = NotifierServiceClient::new(pool);
        Running { client, readiness, stop, serving }
    }

    /// A good token.
    pub(crate) fn token(&self, realm: Realm) -> String {
        ISSUER_OF_TESTS.sign(&self.claims(realm))
    }

    /// The claims of a good token.
    pub(crate) fn claims(&self, realm: Realm) -> Claims {
        claims(realm, &["call_control:read"], self.clock.now())
    }

    pub(crate) fn admin(&self) -> String {
        self.token(Realm::Everything)
    }
}

/// A notifier that runs.
pub(crate) struct Running {
    pub(crate) client: Client,
    pub(crate) readiness: Readiness,
    stop: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Opens a live stream.
    pub(crate) async fn edge(&self) -> Edge {
        Edge::open(self.client.clone()).await
    }

    /// Stops the notifier and waits for its end.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
    }

    /// Waits until the part `event_log` is degraded, or ready.
    pub(crate) async fn until_degraded(&self, is_degraded: bool) {
        eventually(PATIENCE, "state of the event log", || async {
            match self.readiness.state_of("event_log") {
                Some(State::Degraded(_)) if is_degraded => Ok(()),
                Some(State::Ready) if !is_degraded => Ok(()),
                state => Err(format!("{state:?}")),
            }
        })
        .await;
    }
}

pub(crate) fn everything() -> Scope {
    Scope { of: Some(Of::Everything(true)) }
}

pub(crate) fn reseller(i_reseller: i64) -> Scope {
    Scope { of: Some(Of::IReseller(i_reseller)) }
}

pub(crate) fn customer(i_customer: i64) -> Scope {
    Scope { of: Some(Of::ICustomer(i_customer)) }
}

pub(crate) fn account(i_customer: i64, i_account: i64) -> Scope {
    Scope { of: Some(Of::Account(AccountScope { i_customer, i_account })) }
}

pub(crate) fn access_number(i_customer: i64, access_number: &str) -> Scope {
    let access_number = access_number.to_owned();
    Scope { of: Some(Of::AccessNumber(AccessNumberScope { i_customer, access_number })) }
}

pub(crate) fn queue(i_customer: i64, i_c_queue: i64) -> Scope {
    Scope { of: Some(Of::Queue(QueueScope { i_customer, i_c_queue })) }
}

/// An event of a customer. `number` tells it from others.
pub(crate) fn entry(i_customer: i64, number: i64) -> LogEntry {
    LogEntry { i_customer, time_us: number, ..LogEntry::default() }
}

/// A small, seeded source of numbers (splitmix64).
#[derive(Debug)]
pub(crate) struct Dice(pub u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
