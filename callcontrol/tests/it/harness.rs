//! One callcontrol with everything around it, in memory.

mod auth;
mod counting;
mod switch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use callcontrol::{Config, Deps};
use mesh::caller::Scope;
use mesh::calls_index;
use mesh::client::Pool;
use mesh::health::Readiness;
use mesh::ledger::memory::{MemoryConfig, MemoryLedger};
use mesh::ledger::{Commit, Committed, Ledger, NodeLease, Writer, partition_of};
use mesh::net::{Network, Target};
use mesh::testing::eventually;
use mesh::testing::token::{ISSUER_OF_TESTS, claims};
use mesh::token::Verifier;
use mesh::{Clock, deadline, fault, metadata};
use proto::call::v1::{CallInfo, CallRef, State};
use proto::callcontrol::v1::call_control_service_client::CallControlServiceClient;
use proto::switch::v1::LegRecord;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tonic::{Code, Request, Status};

pub(crate) use counting::Counting;
pub(crate) use switch::{Reply, Switch};

pub(crate) const NODE: &str = "main-0";
pub(crate) const CALL: &str = "main-0.c1";
pub(crate) const PARTITIONS: u32 = 4;

pub(crate) const ADMIN: Scope = Scope::Everything;
pub(crate) const RESELLER: Scope = Scope::Reseller { i_reseller: 3 };
pub(crate) const CUSTOMER: Scope = Scope::Customer { i_customer: 1 };
pub(crate) const ALICE: Scope = Scope::Account { i_customer: 1, i_account: 1 };
pub(crate) const BOB: Scope = Scope::Account { i_customer: 1, i_account: 2 };

/// A running service.
pub(crate) struct Harness {
    /// The store in memory, if that is the one in use.
    pub(crate) ledger: Arc<MemoryLedger>,
    /// The store in use.
    store: Arc<dyn Ledger>,
    pub(crate) clock: Clock,
    pub(crate) network: Network,
    pub(crate) switch: Switch,
    pub(crate) client: CallControlServiceClient<Pool>,
    pub(crate) readiness: Readiness,
    tasks: TaskTracker,
    written: parking_lot::Mutex<u64>,
    _stop: DropGuard,
}

impl Harness {
    /// One switch node, of epoch 1, that does everything it is asked.
    pub(crate) async fn start() -> Self {
        Self::start_with(Config { home_cache: Duration::from_millis(10), ..Config::default() })
            .await
    }

    pub(crate) async fn start_with(config: Config) -> Self {
        Self::start_on(config, |memory| memory).await
    }

    /// With a store that counts what is read.
    pub(crate) async fn counting() -> (Self, Arc<Counting>) {
        let mut counting = None;
        let harness = Self::start_on(Config::default(), |memory| {
            Arc::clone(counting.insert(Arc::new(Counting::new(memory)))) as Arc<dyn Ledger>
        });
        (harness.await, counting.unwrap())
    }

    /// With a store of one's own; it may be one around the store in memory.
    pub(crate) async fn start_on(
        config: Config,
        store: impl FnOnce(Arc<MemoryLedger>) -> Arc<dyn Ledger>,
    ) -> Self {
        let clock = Clock::system();
        let memory = MemoryConfig { partitions: PARTITIONS, ..MemoryConfig::default() };
        let ledger = Arc::new(MemoryLedger::new(clock.clone(), memory));
        let store = store(Arc::clone(&ledger));
        let network = Network::default();
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let verifier = Verifier::with_keys(&ISSUER_OF_TESTS.jwks());
        let switch = Switch::start(&network, NODE, &tasks);
        lease(&*store, NODE, 0, true).await;
        auth::start(&network, &verifier, &tasks, &stop);
        let pool = |name: &str| {
            let target = vec![Target::Memory(name.to_owned())];
            Pool::new(name, target, network.clone(), tasks.clone(), stop.clone())
        };
        let readiness = Readiness::new();
        let deps = Deps {
            ledger: Arc::clone(&store),
            auth: pool("auth"),
            network: network.clone(),
            clock: clock.clone(),
            verifier,
            readiness: readiness.clone(),
        };
        let listener = network.listen_memory("callcontrol");
        let client = CallControlServiceClient::new(pool("callcontrol"));
        let serving = callcontrol::serve(config, deps, listener, stop.clone());
        tasks.spawn(async move { serving.await.unwrap() });
        eventually(Duration::from_secs(5), "the nodes are known", || async {
            match readiness.state_of("callcontrol.store") {
                Some(mesh::health::State::Ready) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        Self {
            ledger,
            store,
            clock,
            network,
            switch,
            client,
            readiness,
            tasks,
            written: parking_lot::Mutex::new(0),
            _stop: stop.drop_guard(),
        }
    }

    /// A request of a session that may do everything and has a subscription.
    pub(crate) fn request<T>(&self, scope: Scope, message: T) -> Request<T> {
        self.request_as(scope, &["call_control:modify"], message)
    }

    pub(crate) fn request_as<T>(&self, scope: Scope, scopes: &[&str], message: T) -> Request<T> {
        let token = ISSUER_OF_TESTS.sign(&claims(scope, scopes, self.clock.now()));
        let mut request = Request::new(message);
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert(metadata::AUTHORIZATION, bearer);
        request.metadata_mut().insert(metadata::SUBSCRIBED, "1".parse().unwrap());
        request
    }

    /// The node stops, and what listens in its place is a new process of a higher epoch.
    pub(crate) async fn restart_switch(&mut self) {
        self.switch.stop();
        self.switch = Switch::start(&self.network, NODE, &self.tasks);
        lease(&*self.store, NODE, 0, true).await;
    }

    /// Another node, that does everything it is asked.
    pub(crate) async fn add_node(&self, node: &str) -> Switch {
        lease(&*self.store, node, 0, true).await;
        Switch::start(&self.network, node, &self.tasks)
    }

    /// Writes a living leg as an engine does.
    pub(crate) async fn put_leg(&self, leg: LegRecord) -> Committed {
        let i_customer = leg.call_info.as_ref().unwrap().i_customer;
        let (state, index) = calls_index::changes(None, &leg);
        let number = {
            let mut written = self.written.lock();
            *written += 1;
            *written
        };
        let commit = Commit {
            partition: partition_of(i_customer, PARTITIONS),
            writer: Writer {
                node: format!("writer-{number}"),
                node_epoch: 1,
                sequence: 1,
                log_epoch: None,
            },
            require: Vec::new(),
            state,
            index,
            events: vec![bytes::Bytes::from_static(b"event")],
            accounting: Vec::new(),
            renew_epoch: false,
        };
        self.store.commit(&commit).await.unwrap()
    }
}

pub(crate) async fn lease(ledger: &dyn Ledger, node: &str, epoch: u64, accepting: bool) {
    let lease = NodeLease {
        node: node.to_owned(),
        epoch,
        address: format!("memory:switch-{node}"),
        site: "main".to_owned(),
        load: 0,
        accepting,
        remaining: Duration::ZERO,
    };
    ledger.renew_lease(&lease, Duration::from_mins(10)).await.unwrap();
}

/// A leg of customer and account, begun at `start_time`.
pub(crate) fn leg(i_customer: i64, i_account: i64, start_time: i64, state: State) -> LegRecord {
    LegRecord {
        call_info: Some(CallInfo {
            call: Some(call(&format!("{NODE}.c{start_time}"), "a")),
            state: state.into(),
            i_customer,
            i_account: Some(i_account),
            start_time,
            ..CallInfo::default()
        }),
        i_reseller: if i_customer == 1 { 3 } else { 0 },
        i_accounts: vec![i_account],
        node: NODE.to_owned(),
        ..LegRecord::default()
    }
}

pub(crate) fn call(id: &str, tag: &str) -> CallRef {
    CallRef { id: id.to_owned(), tag: (!tag.is_empty()).then(|| tag.to_owned()) }
}

/// The same request with less time.
pub(crate) fn within<T>(mut request: Request<T>, time: Duration) -> Request<T> {
    deadline::set(&mut request, Instant::now() + time);
    request
}

/// Code, reason and details of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(
    outcome: Result<T, Status>,
) -> (Code, String, BTreeMap<String, String>) {
    let status = outcome.unwrap_err();
    (status.code(), fault::reason_of(&status).unwrap_or_default(), fault::metadata_of(&status))
}

/// Code and reason of a refusal.
pub(crate) fn reason<T: std::fmt::Debug>(outcome: Result<T, Status>) -> (Code, String) {
    let (code, reason, _) = refusal(outcome);
    (code, reason)
}
