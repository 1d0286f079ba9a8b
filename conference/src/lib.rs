//! On-spot conferences: the service behind `OnSpotConference/*`.
//!
//! It authorises, asks auth whether the owner's service configuration includes conferencing, and
//! has the engine that holds the call or the conference do it. Lists and rosters are read from the
//! store, where a conference stays for a day after its end. The service has no state of its own.

mod config;
mod list;
mod rpc;

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use mesh::Clock;
use mesh::client::Pool;
use mesh::command::{Commands, Directory, Nodes, Settings, SwitchClient};
use mesh::health::{Component, Readiness};
use mesh::ledger::{Ledger, StoreError};
use mesh::net::{Listener, Network};
use mesh::server::GrpcServer;
use mesh::token::Verifier;
use proto::conference::v1::on_spot_conference_service_server::OnSpotConferenceServiceServer;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

pub use config::Config;

use crate::list::Lists;
use crate::rpc::Rpc;

/// How long a home is believed; commands of this service go where an id says.
const HOME_CACHE: Duration = Duration::from_secs(5);

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
/// When the configuration makes no sense, or a part of the service ends by itself.
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
    let store = deps.readiness.component("conference.store");
    let settings = Settings {
        // No command of this service needs a home.
        site: String::new(),
        home_cache: HOME_CACHE,
        request_id_ttl: config.request_id_ttl,
        request_id_cap: config.request_id_cap,
    };
    let (ledger, clock) = (Arc::clone(&deps.ledger), deps.clock);
    let commands = Commands::new(settings, ledger, clock, nodes.clone(), switch);
    let directory = Directory::new(deps.auth);
    let lists = Lists { ledger: deps.ledger, directory: directory.clone() };
    let rpc = Rpc { commands: Arc::new(commands), lists: Arc::new(lists), directory };
    let serving = GrpcServer::new("conference")
        .verifier(deps.verifier)
        .descriptor(proto::FILE_DESCRIPTOR_SET)
        .readiness(deps.readiness)
        .drain_timeout(config.drain_timeout)
        .routes(Routes::new(OnSpotConferenceServiceServer::new(rpc)))
        .serve(listener, stop);
    let listing = {
        let drained = drained.clone();
        let tell = move |read: Result<(), StoreError>| tell(&store, &read);
        tasks.spawn(async move { nodes.run(config.node_refresh, tell, drained).await })
    };
    let outcome = tokio::select! {
        served = serving => served,
        _ended = listing => bail!("the list of nodes is no longer read"),
    };
    drained.cancel();
    tasks.close();
    tasks.wait().await;
    outcome
}

/// Without the store commands go on, so the process stays ready.
fn tell(store: &Component, read: &Result<(), StoreError>) {
    match read {
        Ok(()) => store.ready(),
        Err(_) => store.degraded("lists, rosters and request_id are refused"),
    }
}
