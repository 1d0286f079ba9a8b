//! Puts services together: what each needs, in whichever process it runs.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use auth::import::Plan;
use edge::BoundListener;
use edge::config::Listen;
use mesh::Clock;
use mesh::admin::Pages;
use mesh::client::Pool;
use mesh::health::Readiness;
use mesh::ledger::Ledger;
use mesh::ledger::memory::{MemoryConfig, MemoryLedger};
use mesh::ledger::redis::RedisLedger;
use mesh::lifecycle::Lifecycle;
use mesh::net::tls::{ClientTls, ServerTls};
use mesh::net::{Listener, Network, Target};
use mesh::token::Verifier;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, EventLog, ServiceKind, Targets};

/// The demo directory; its format is that of `cordboard admin import`.
pub(crate) const DEMO_DIRECTORY: &str = include_str!("../demo.toml");

/// What the services of one process share.
pub(crate) struct Host {
    pub(crate) config: Config,
    pub(crate) network: Network,
    pub(crate) clock: Clock,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) readiness: Readiness,
    /// What services show on the admin port.
    pages: Pages,
    pub(crate) life: Lifecycle,
    /// Ends what outlives the services: connections between them.
    pub(crate) late_stop: CancellationToken,
    /// What an empty directory begins with.
    pub(crate) seed: Option<Plan>,
    /// The edge's listeners that serve one realm each, until it starts.
    bound: Vec<BoundListener>,
    verifier: Option<Verifier>,
}

/// A running service: how to stop it, and when it has stopped.
pub(crate) struct Running {
    stop: CancellationToken,
    stopped: CancellationToken,
}

impl Host {
    /// A process without services.
    pub(crate) fn new(config: Config, ledger: Arc<dyn Ledger>, clock: Clock) -> Self {
        Self {
            config,
            network: Network::default(),
            clock,
            ledger,
            readiness: Readiness::new(),
            pages: Pages::default(),
            life: Lifecycle::new(),
            late_stop: CancellationToken::new(),
            seed: None,
            bound: Vec::new(),
            verifier: None,
        }
    }

    /// Makes the connections of this process TLS ones, when there are files for it: those to
    /// other services, and those that `listener` of a service accepts.
    pub(crate) fn with_tls(mut self) -> anyhow::Result<Self> {
        if let Some(identity) = self.config.tls.mesh.identity()? {
            let tls = ClientTls::mesh(identity).context("tls.mesh")?;
            self.follow(|interval, stop| tls.clone().follow(interval, stop));
            self.network = self.network.clone().with_tls(tls);
        }
        Ok(self)
    }

    /// Makes the connections that a service accepts TLS ones, when there are files for it.
    pub(crate) fn secure(&self, kind: ServiceKind, listener: Listener) -> anyhow::Result<Listener> {
        let tls = if kind == ServiceKind::Edge {
            let pair = self.config.tls.public.pair()?;
            pair.map(ServerTls::public).transpose().context("tls.public")?
        } else {
            let identity = self.config.tls.mesh.identity()?;
            let tls = identity.map(|identity| ServerTls::mesh(identity, kind.callers()));
            tls.transpose().context("tls.mesh")?
        };
        if let Some(tls) = tls.clone() {
            self.follow(|interval, stop| tls.follow(interval, stop));
        }
        Ok(listener.with_tls(tls))
    }

    /// Binds the edge's listeners that serve one realm each. Returns where they listen.
    pub(crate) async fn bind_realms(&mut self) -> anyhow::Result<Vec<(&'static str, SocketAddr)>> {
        let mut addresses = Vec::new();
        for Listen { listen, realm, tls } in self.config.edge.listeners.clone() {
            let listener = Listener::bind(listen).await;
            let listener = listener.with_context(|| format!("cannot listen on {listen}"))?;
            let realm = realm.into();
            if let Some(address) = listener.local_addr() {
                addresses.push((mesh::caller::realm_name(realm), address));
            }
            let listener = match tls.pair()? {
                None => self.secure(ServiceKind::Edge, listener)?,
                Some(pair) => {
                    let tls = ServerTls::public(pair).context("edge.listeners")?;
                    let following = tls.clone();
                    self.follow(|interval, stop| following.follow(interval, stop));
                    listener.with_tls(Some(tls))
                }
            };
            self.bound.push(BoundListener { listener, realm });
        }
        Ok(addresses)
    }

    /// Looks after files until the end.
    fn follow<F>(&self, follow: impl FnOnce(Duration, CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let following = follow(self.config.tls.reload_interval, self.late_stop.clone());
        self.life.tasks.spawn(following);
    }

    /// The way to another service.
    fn pool(&self, kind: ServiceKind) -> Pool {
        let targets = self.config.targets.of(kind).to_vec();
        let tasks = self.life.tasks.clone();
        Pool::new(kind.name(), targets, self.network.clone(), tasks, self.late_stop.clone())
    }

    /// Who serves each gRPC service of the public API: the crate whose package declares it.
    fn public_services(&self, auth: &Pool) -> HashMap<String, Pool> {
        let callcontrol = self.pool(ServiceKind::Callcontrol);
        let conference = self.pool(ServiceKind::Conference);
        proto::api::METHODS
            .iter()
            .filter(|method| !method.is_handled_by_edge())
            .filter_map(|method| {
                let pool = match method.grpc_service.split('.').nth(1) {
                    Some("auth") => auth,
                    Some("callcontrol") => &callcontrol,
                    Some("conference") => &conference,
                    _ => return None,
                };
                Some((method.grpc_service.to_owned(), pool.clone()))
            })
            .collect()
    }

    /// One pool a notifier target: the edge uses one at a time.
    fn notifiers(&self) -> Vec<Pool> {
        let connect = |target: &Target| {
            let tasks = self.life.tasks.clone();
            let targets = vec![target.clone()];
            let name = ServiceKind::Notifier.name();
            Pool::new(name, targets, self.network.clone(), tasks, self.late_stop.clone())
        };
        self.config.targets.notifier.iter().map(connect).collect()
    }

    /// Verifies tokens with the keys that auth gives out; one for the whole process.
    fn verifier(&mut self) -> Verifier {
        if let Some(verifier) = &self.verifier {
            return verifier.clone();
        }
        let verifier = Verifier::new(self.pool(ServiceKind::Auth), self.clock.clone())
            .with_lost_grace(self.config.session.auth_lost_grace);
        let component = self.readiness.component("auth.keys");
        self.life.tasks.spawn(verifier.clone().run_with_health(component, self.late_stop.clone()));
        self.verifier = Some(verifier.clone());
        verifier
    }

    /// Starts a service; `sim_control` is for a switch with the simulator.
    pub(crate) fn start(
        &mut self,
        kind: ServiceKind,
        listener: Listener,
        sim_control: Option<Listener>,
    ) -> Running {
        crate::metrics::begin(kind);
        let (clock, readiness) = (self.clock.clone(), self.readiness.clone());
        let ledger = Arc::clone(&self.ledger);
        match kind {
            ServiceKind::Auth => {
                let deps = auth::Deps {
                    ledger,
                    clock,
                    readiness,
                    seed: self.seed.take(),
                    redis: self.config.event_log.redis.clone(),
                    lost_grace: self.config.session.auth_lost_grace,
                };
                let config = self.config.auth.clone();
                self.launch(kind, |stop| auth::serve(config, deps, listener, stop))
            }
            ServiceKind::Callcontrol => {
                let deps = callcontrol::Deps {
                    ledger,
                    auth: self.pool(ServiceKind::Auth),
                    network: self.network.clone(),
                    clock,
                    verifier: self.verifier(),
                    readiness,
                };
                let config = self.config.callcontrol.clone();
                self.launch(kind, |stop| callcontrol::serve(config, deps, listener, stop))
            }
            ServiceKind::Conference => {
                let deps = conference::Deps {
                    ledger,
                    auth: self.pool(ServiceKind::Auth),
                    network: self.network.clone(),
                    clock,
                    verifier: self.verifier(),
                    readiness,
                };
                let config = self.config.conference.clone();
                self.launch(kind, |stop| conference::serve(config, deps, listener, stop))
            }
            ServiceKind::Notifier => {
                let deps = notifier::Deps { ledger, verifier: self.verifier(), clock, readiness };
                let config = self.config.notifier.clone();
                self.launch(kind, |stop| notifier::serve(config, deps, listener, stop))
            }
            ServiceKind::Switch => {
                let deps = switch::Deps {
                    ledger,
                    auth: self.pool(ServiceKind::Auth),
                    clock,
                    readiness,
                    sim_control,
                    crash: None,
                };
                let config = self.config.switch.clone();
                self.launch(kind, |stop| switch::serve(config, deps, listener, stop))
            }
            ServiceKind::Edge => {
                let auth = self.pool(ServiceKind::Auth);
                let deps = edge::Deps {
                    services: self.public_services(&auth),
                    auth,
                    notifiers: self.notifiers(),
                    verifier: self.verifier(),
                    bound: std::mem::take(&mut self.bound),
                    clock,
                    readiness,
                    pages: self.pages.clone(),
                };
                let config = self.config.edge.clone();
                self.launch(kind, |stop| edge::serve(config, deps, listener, stop))
            }
        }
    }

    /// Runs a service as a critical task of the process.
    fn launch<F>(&self, kind: ServiceKind, serve: impl FnOnce(CancellationToken) -> F) -> Running
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let running = Running { stop: CancellationToken::new(), stopped: CancellationToken::new() };
        let serving = Box::pin(serve(running.stop.clone()));
        let stopped = running.stopped.clone().drop_guard();
        self.life.spawn(kind.name(), async move {
            let _stopped = stopped;
            serving.await
        });
        running
    }

    /// When the process stops, stops the services group by group, each when the one before has
    /// finished what was under way.
    pub(crate) fn stop_in_order(&self, groups: Vec<Vec<Running>>) {
        let (stop, late_stop) = (self.life.stop.clone(), self.late_stop.clone());
        self.life.tasks.spawn(async move {
            stop.cancelled().await;
            for group in groups {
                for service in &group {
                    service.stop.cancel();
                }
                for service in &group {
                    service.stopped.cancelled().await;
                }
            }
            late_stop.cancel();
        });
    }

    /// Serves the admin port.
    pub(crate) fn serve_admin(&self, listener: Listener) {
        let (readiness, late_stop) = (self.readiness.clone(), self.late_stop.clone());
        self.life.spawn(
            "admin port",
            mesh::admin::serve(listener, readiness, self.pages.clone(), late_stop),
        );
    }
}

impl Targets {
    /// Instances of a service; none of those that nobody calls.
    fn of(&self, kind: ServiceKind) -> &[Target] {
        match kind {
            ServiceKind::Auth => &self.auth,
            ServiceKind::Callcontrol => &self.callcontrol,
            ServiceKind::Conference => &self.conference,
            ServiceKind::Notifier => &self.notifier,
            ServiceKind::Edge | ServiceKind::Switch => &[],
        }
    }

    /// Every service in this process.
    pub(crate) fn in_memory() -> Self {
        let here = |kind: ServiceKind| vec![Target::Memory(kind.name().to_owned())];
        Self {
            auth: here(ServiceKind::Auth),
            callcontrol: here(ServiceKind::Callcontrol),
            conference: here(ServiceKind::Conference),
            notifier: here(ServiceKind::Notifier),
        }
    }
}

/// The store: Redis when it is configured, else memory, when that is allowed.
pub(crate) async fn ledger(
    event_log: &EventLog,
    clock: &Clock,
    may_be_memory: bool,
) -> anyhow::Result<Arc<dyn Ledger>> {
    match &event_log.redis {
        Some(redis) => {
            let ledger = RedisLedger::connect(redis.clone()).await.context("event_log.redis")?;
            Ok(Arc::new(ledger))
        }
        None if may_be_memory => {
            Ok(Arc::new(MemoryLedger::new(clock.clone(), MemoryConfig::default())))
        }
        None => anyhow::bail!(
            "services in processes of their own share their store: give `--redis URL` or \
             `event_log.redis.url`"
        ),
    }
}

/// What an import changed.
pub(crate) struct Imported(auth::import::Applied);

impl fmt::Display for Imported {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let auth::import::Applied { created, updated, .. } = &self.0;
        write!(formatter, "imported: {created} created, {updated} updated")
    }
}

/// Reads a directory file into a database, all or nothing.
pub(crate) async fn import(database: &auth::Database, text: &str) -> anyhow::Result<Imported> {
    let clock = Clock::system();
    let plan = auth::import::parse(text)?;
    let store = auth::store::open(database, &clock).await.context("database")?;
    Ok(Imported(auth::import::apply(store.as_ref(), &plan, clock.now()).await?))
}
