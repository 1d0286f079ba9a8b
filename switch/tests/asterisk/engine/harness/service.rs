//! A node of the switch, in a runtime of its own, so that it can crash.

use std::sync::Arc;

use mesh::Clock;
use mesh::client::Pool;
use mesh::health::{Readiness, State};
use mesh::ledger::memory::{MemoryConfig, MemoryLedger};
use mesh::net::{Listener, Network, Target};
use mesh::testing::eventually;
use switch::driver::asterisk;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::directory;
use crate::fixture::Phones;
use crate::phone::PATIENCE;

/// What outlives a node: the store and the directory.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) clock: Clock,
    /// The recording folder.
    pub(crate) recordings: Arc<TempDir>,
    network: Network,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl World {
    pub(crate) fn new(phones: &Phones) -> Self {
        Self::on(&phones.tasks, &phones.stop)
    }

    pub(crate) fn on(tasks: &TaskTracker, stop: &CancellationToken) -> Self {
        let clock = Clock::system();
        let ledger = Arc::new(MemoryLedger::new(clock.clone(), MemoryConfig::default()));
        let network = Network::default();
        let (tasks, stop) = (tasks.clone(), stop.clone());
        directory::start(&network, &tasks, &stop);
        let recordings = Arc::new(tempfile::tempdir().unwrap());
        Self { ledger, clock, recordings, network, tasks, stop }
    }

    pub(super) fn forget_everything(&mut self) {
        let fresh = MemoryLedger::new(self.clock.clone(), MemoryConfig::default());
        self.ledger = Arc::new(fresh);
    }
}

pub(crate) struct Service {
    /// Of the command API.
    pub(crate) url: String,
    readiness: Readiness,
    /// What has to be ready.
    parts: Vec<&'static str>,
    stop: CancellationToken,
    stopped: CancellationToken,
    runtime: Option<Runtime>,
}

impl Service {
    pub(crate) async fn start(world: &World, node: &str, config: asterisk::Config) -> Self {
        let config = switch::Config {
            node: node.to_owned(),
            driver: switch::Driver::Asterisk,
            asterisk: config,
            recordings: switch::recordings::Config {
                folder: Some(world.recordings.path().join(node)),
                ..switch::recordings::Config::default()
            },
            ..switch::Config::default()
        };
        Self::configured(world, config, None).await
    }

    /// With any driver; `sim_control` is for the simulator.
    pub(crate) async fn configured(
        world: &World,
        config: switch::Config,
        sim_control: Option<Listener>,
    ) -> Self {
        let parts = match config.driver {
            switch::Driver::Asterisk => vec!["switch.asterisk", "switch.store"],
            switch::Driver::Sim => vec!["switch.store"],
        };
        let readiness = Readiness::new();
        let target = vec![Target::Memory("auth".to_owned())];
        let (network, tasks) = (world.network.clone(), world.tasks.clone());
        let auth = Pool::new("auth", target, network, tasks, world.stop.clone());
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let deps = switch::Deps {
            ledger: Arc::<MemoryLedger>::clone(&world.ledger),
            auth,
            clock: world.clock.clone(),
            readiness: readiness.clone(),
            sim_control,
            crash: None,
        };
        let (stop, stopped) = (CancellationToken::new(), CancellationToken::new());
        let guard = stopped.clone().drop_guard();
        let (bound, address) = tokio::sync::oneshot::channel();
        let token = stop.clone();
        runtime.spawn(async move {
            let _guard = guard;
            let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
            bound.send(listener.local_addr().unwrap()).unwrap();
            Box::pin(switch::serve(config, deps, listener, token)).await.unwrap();
        });
        let url = format!("http://{}/v1/command", address.await.unwrap());
        let service = Self { url, readiness, parts, stop, stopped, runtime: Some(runtime) };
        service.until_ready().await;
        service
    }

    pub(crate) async fn until_ready(&self) {
        eventually(PATIENCE, "the switch is ready", || async {
            let states = self.parts.iter().map(|part| self.readiness.state_of(part));
            let states: Vec<_> = states.collect();
            let is_ready = states.iter().all(|state| *state == Some(State::Ready));
            if is_ready { Ok(()) } else { Err(format!("{states:?}")) }
        })
        .await;
    }

    pub(super) async fn until_degraded(&self) {
        eventually(PATIENCE, "the switch does not hear Asterisk", || async {
            match self.readiness.state_of("switch.asterisk") {
                Some(State::Degraded(_)) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// Stops it.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        let stopped = tokio::time::timeout(PATIENCE, self.stopped.cancelled()).await;
        stopped.expect("the service stops");
    }

    /// Ends it at once, whatever it does.
    pub(crate) async fn crash(&mut self) {
        self.end();
        let stopped = tokio::time::timeout(PATIENCE, self.stopped.cancelled()).await;
        stopped.expect("the service is gone");
    }

    fn end(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end();
    }
}
