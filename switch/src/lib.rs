//! The switch: the engine that owns every call of its node, and the drivers
//! through which it commands a real or simulated switch.
//!
//! The way of a command: [`command_api`] → [`engine`] → the customer's actor →
//! [`domain`] → effects: operations to the [`driver`], events and state to the
//! [`outbox`], and the answer when both are done. The way of an event: driver →
//! engine → actor → domain → the same effects. [`node`] is the node's membership
//! in the mesh.

pub mod audio;
mod command_api;
mod config;
pub mod directory;
pub mod domain;
pub mod driver;
pub mod engine;
pub mod journal;
pub mod metrics;
mod node;
pub mod outbox;
pub mod recordings;
mod watch;
mod wire;

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use mesh::Clock;
use mesh::health::Readiness;
use mesh::ledger::Ledger;
use mesh::net::Listener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use config::{Config, Credit, Driver, OnAuthLost};

use crate::audio::Audio;
use crate::directory::AuthDirectory;
use crate::driver::asterisk::{self, Asterisk};
use crate::driver::sim;
use crate::engine::{Bounds, Engine, Parts};
use crate::journal::Journal;
use crate::node::Node;
use crate::outbox::Outbox;
use crate::recordings::Recordings;
use crate::watch::Watch;

/// What the switch service needs from around it.
#[derive(Debug)]
pub struct Deps {
    /// The store.
    pub ledger: Arc<dyn Ledger>,
    /// The auth service.
    pub auth: mesh::client::Pool,
    /// Wall time.
    pub clock: Clock,
    /// Where the service says how it is.
    pub readiness: Readiness,
    /// Where the simulator's control port listens; none without the simulator.
    pub sim_control: Option<Listener>,
    /// What a simulated crash of the node does.
    pub crash: Option<sim::CrashHook>,
}

/// Runs the service until `stop`: then calls end, events are written, and it returns.
///
/// # Errors
/// When the configuration cannot work.
pub async fn serve(
    config: Config,
    deps: Deps,
    listener: Listener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    config.validate().map_err(anyhow::Error::msg).context("configuration of the switch")?;
    let tasks = TaskTracker::new();
    // What has to outlive the calls: they end first, then everything else.
    let late_stop = CancellationToken::new();
    let directory = AuthDirectory::new(deps.auth);
    let (signals, events) = mpsc::channel(SIGNALS);
    let driver: Arc<dyn driver::Driver> = match config.driver {
        Driver::Sim => {
            let sim_deps = sim::Deps {
                accounts: Arc::new(directory.clone()),
                signals,
                crash: deps.crash,
                tasks: tasks.clone(),
                stop: late_stop.clone(),
            };
            let sim = sim::Sim::new(&config.sim, sim_deps);
            if let Some(control) = deps.sim_control {
                let (sim, stop) = (Arc::clone(&sim), late_stop.clone());
                tasks.spawn(sim::control::serve(sim, control, tasks.clone(), stop));
            }
            sim
        }
        Driver::Asterisk => {
            let asterisk_deps = asterisk::Deps {
                signals,
                health: deps.readiness.component("switch.asterisk"),
                tasks: tasks.clone(),
                stop: late_stop.clone(),
            };
            let asterisk = Asterisk::new(&config.asterisk, asterisk_deps);
            let asterisk = asterisk.map_err(|error| anyhow!("switch.asterisk.{error}"));
            Arc::new(asterisk.context("configuration of the switch")?)
        }
    };

    let recordings = Recordings::open(config.recordings.clone(), deps.clock.clone());
    let recordings = Arc::new(recordings.await.context("switch.recordings.folder")?);
    tasks.spawn(Arc::clone(&recordings).run(late_stop.clone()));
    let bounds =
        outbox::Bounds { max_bytes: config.outbox_bytes, commit_events: EVENTS_PER_COMMIT };
    let outboxes: Vec<_> = (0..deps.ledger.partitions()).map(|_| Outbox::new(bounds)).collect();
    let journal = match &config.journal {
        Some(folder) => {
            let (journal, keeper) = Journal::open(
                // Nodes that share a disk have journals of their own.
                folder.join(&config.node),
                outboxes.clone(),
                Arc::new(directory.clone()),
                deps.clock.clone(),
            )
            .with_context(|| format!("switch.journal: {}", folder.display()))?;
            let health = deps.readiness.component("switch.journal");
            tasks.spawn(keeper.run(health, late_stop.clone()));
            Some(journal)
        }
        None => None,
    };
    let engine = Engine::new(Parts {
        node: config.node.clone(),
        site: config.site.clone(),
        driver,
        directory: Arc::new(directory),
        audio: Arc::new(Audio::new(config.prompts.clone(), config.outward)),
        recordings,
        ledger: Arc::clone(&deps.ledger),
        outboxes: outboxes.clone(),
        clock: deps.clock.clone(),
        on_auth_lost: config.credit.on_auth_lost,
        journal,
        bounds: Bounds { commands: config.max_waiting_commands, signals: SIGNALS, lane: SIGNALS },
        tasks: tasks.clone(),
    });
    let address = config.advertise.unwrap_or_else(|| listener.local_target().to_string());
    let node = Node {
        name: config.node,
        site: config.site,
        address,
        lease: config.lease,
        drain_timeout: config.drain_timeout,
        drain_calls: config.drain_calls,
        keeps_calls: config.driver == Driver::Asterisk && config.asterisk.keep_calls,
        ledger: deps.ledger,
        clock: deps.clock.clone(),
        engine: engine.clone(),
        watch: Watch::new(engine.clone(), outboxes.clone(), config.lease),
        outboxes,
        store: deps.readiness.component("switch.store"),
        tasks: tasks.clone(),
    };
    tasks.spawn(engine.clone().listen(events, late_stop.clone()));
    tasks.spawn(engine.clone().audit(late_stop.clone()));
    tasks.spawn(engine.clone().follow_registrations(late_stop.clone()));
    let serving = command_api::serve(engine, deps.clock, listener, late_stop.clone());
    tasks.spawn(serving);

    node.live(stop).await;
    late_stop.cancel();
    tasks.close();
    tasks.wait().await;
    Ok(())
}

/// Events from the driver that may wait, for the node and for one customer.
const SIGNALS: usize = 4096;

/// Events that one commit carries at most.
const EVENTS_PER_COMMIT: usize = 256;
