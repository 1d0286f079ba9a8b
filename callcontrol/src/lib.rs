//! Control over calls: the service behind `CallControl/*`.
//!
//! It authorises, finds the switch node that holds the call or the customer's home, and has the
//! engine there do it; the engine alone changes calls. Beside that it reads lists from the store,
//! keeps the records that make a repeated `request_id` safe, and ends the calls of lost nodes. It
//! has no state of its own: every process may answer every request.
//!
//! What every service needs that commands the switch is in [`mesh::command`].

mod config;
mod list;
pub mod metrics;
mod rpc;
mod sweeper;

use std::sync::Arc;

use anyhow::bail;
use mesh::Clock;
use mesh::client::Pool;
use mesh::command::{Commands, Directory, Nodes, Settings, SwitchClient};
use mesh::health::{Component, Readiness};
use mesh::ledger::{Ledger, StoreError};
use mesh::net::{Listener, Network};
use mesh::outward::Client;
use mesh::server::GrpcServer;
use mesh::token::Verifier;
use proto::callcontrol::v1::call_control_service_server::CallControlServiceServer;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

pub use config::Config;

use crate::list::Lists;
use crate::rpc::Rpc;
use crate::sweeper::Sweeper;

/// What the service uses.
#[derive(Clone, Debug)]
pub struct Deps {
    /// The store.
    pub ledger: Arc<dyn Ledger>,
    /// The way to auth.
    pub auth: Pool,
    /// How the switch nodes are reached.
    pub network: Network,
    /// The clock.
    pub clock: Clock,
    /// Verifies access tokens; whoever made it runs it.
    pub verifier: Verifier,
    /// What the process says of itself.
    pub readiness: Readiness,
}

/// Serves until `stop`, then finishes what is under way.
///
/// # Errors
/// When the configuration contradicts itself, or a part of the service ends by itself.
pub async fn serve(
    config: Config,
    deps: Deps,
    listener: Listener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    config.validate()?;
    let tasks = TaskTracker::new();
    // The connections to the switch outlive `stop`: requests under way still need them.
    let drained = CancellationToken::new();
    let _end_when_dropped = drained.clone().drop_guard();
    let switch = SwitchClient::new(deps.network, tasks.clone(), drained.clone());
    let nodes = Nodes::new(Arc::clone(&deps.ledger), config.node_grace);
    let store = deps.readiness.component("callcontrol.store");
    let sweeper = Sweeper {
        ledger: Arc::clone(&deps.ledger),
        clock: deps.clock.clone(),
        nodes: nodes.clone(),
        switch: switch.clone(),
        interval: config.sweep_interval,
        lease: config.lease,
        probe_timeout: config.probe_timeout,
    };
    let rpc = rpc(&config, &deps.ledger, &deps.clock, deps.auth, &nodes, switch);
    let serving = GrpcServer::new("callcontrol")
        .verifier(deps.verifier)
        .descriptor(proto::FILE_DESCRIPTOR_SET)
        .readiness(deps.readiness)
        .drain_timeout(config.drain_timeout)
        .routes(Routes::new(CallControlServiceServer::new(rpc)))
        .serve(listener, stop.clone());

    let listing = {
        let (nodes, drained) = (nodes.clone(), drained.clone());
        let tell = move |read: Result<(), StoreError>| tell(&store, &read);
        tasks.spawn(async move { nodes.run(config.node_refresh, tell, drained).await })
    };
    let sweeping = {
        let stop = stop.clone();
        tasks.spawn(async move {
            if config.sweep {
                sweeper.run(stop).await;
            } else {
                stop.cancelled().await;
            }
        })
    };
    let outcome = tokio::select! {
        served = serving => served,
        () = ended(listing, &drained) => bail!("the list of nodes is no longer read"),
        () = ended(sweeping, &stop) => bail!("lost nodes are no longer looked for"),
    };
    drained.cancel();
    tasks.close();
    tasks.wait().await;
    outcome
}

/// Returns when the task ends although nobody stopped it.
async fn ended(task: JoinHandle<()>, stopped: &CancellationToken) {
    task.await.ok();
    if stopped.is_cancelled() {
        std::future::pending::<()>().await;
    }
}

fn rpc(
    config: &Config,
    ledger: &Arc<dyn Ledger>,
    clock: &Clock,
    auth: Pool,
    nodes: &Nodes,
    switch: SwitchClient,
) -> Rpc {
    let directory = Directory::new(auth);
    let settings = Settings {
        site: config.site.clone(),
        home_cache: config.home_cache,
        request_id_ttl: config.request_id_ttl,
        request_id_cap: config.request_id_cap,
    };
    let calls = Commands::new(settings, Arc::clone(ledger), clock.clone(), nodes.clone(), switch);
    let outward = Client::new(config.outward);
    let lists =
        Lists { ledger: Arc::clone(ledger), clock: clock.clone(), directory: directory.clone() };
    Rpc { calls: Arc::new(calls), lists: Arc::new(lists), directory, outward }
}

/// Without the store commands on known calls go on, so the process stays ready.
fn tell(store: &Component, read: &Result<(), StoreError>) {
    match read {
        Ok(()) => store.ready(),
        Err(_) => store.degraded("lists and request_id are refused, lost nodes are not found"),
    }
}
