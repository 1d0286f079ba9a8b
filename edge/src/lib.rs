//! The edge: WebSocket and REST in front of the mesh.
//!
//! It keeps sockets, verifies tokens itself, checks requests by the table that is generated from
//! proto and forwards them without knowing the methods by name, and passes events on to whoever
//! subscribed. It keeps nothing that outlives a socket: any edge serves any session.
//!
//! - `wire`: how bytes reach a socket; `socket`: one socket's life;
//! - `rpc`: requests from frame to answer; `methods`: those that the edge answers itself;
//! - `live`: events from the notifier to subscriptions;
//! - `http`: handshakes, the REST twin, documents.

pub mod config;
mod drain;
mod edge;
mod http;
mod limit;
mod live;
mod methods;
mod metrics;
mod revocation;
mod rpc;
mod session;
mod socket;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::anyhow;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use mesh::Clock;
use mesh::client::Pool;
use mesh::health::Readiness;
use mesh::net::Listener;
use mesh::token::Verifier;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

pub use config::Config;

use crate::edge::Edge;
use crate::http::remembered::Remembered;
use crate::http::server;
use crate::live::Live;
use crate::session::Sessions;
use crate::socket::registry::Sockets;

/// What the edge works with.
#[derive(Debug)]
pub struct Deps {
    /// Auth: sessions, scope checks, public keys.
    pub auth: Pool,
    /// Who serves each gRPC service of the public API, by its full name, e.g.
    /// `cordboard.callcontrol.v1.CallControlService`.
    pub services: HashMap<String, Pool>,
    /// The notifiers, one pool each: the edge uses one at a time and goes to the next when it
    /// fails. A pool of several instances counts as one.
    pub notifiers: Vec<Pool>,
    /// Verifies access tokens and pushes revocations. Whoever made it runs it.
    pub verifier: Verifier,
    /// Wall time.
    pub clock: Clock,
    /// What works; the edge adds its own parts.
    pub readiness: Readiness,
}

/// Serves the public API until `stop`; then closes the sockets and waits for what is under way,
/// at most for the drain time-out.
///
/// # Errors
/// When the configuration cannot work.
pub async fn serve(
    config: Config,
    deps: Deps,
    listener: Listener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    config.validate()?;
    let Deps { auth, services, notifiers, verifier, clock, readiness } = deps;
    let serving = readiness.component("edge");
    let notifications = readiness.component("notifications");
    // The log may come later: calls are controlled without it.
    notifications.degraded("the live stream is not open yet");

    let tasks = TaskTracker::new();
    let end = CancellationToken::new();
    let _end_when_dropped = end.clone().drop_guard();
    let metrics = metrics::metrics();
    let live = Live::new(&config, notifiers, metrics, tasks.clone(), end.clone());
    let edge = Arc::new(Edge {
        clock,
        verifier,
        auth,
        services,
        tasks: tasks.clone(),
        sockets: Arc::new(Sockets::new(config.max_connections, config.max_connections_per_user)),
        sessions: Sessions::default(),
        live: Arc::new(live),
        metrics,
        remembered: Remembered::new(config.remember_auth_info),
        keys: Mutex::new(None),
        config,
    });
    let mut background = FuturesUnordered::from_iter([
        tasks.spawn(Arc::clone(&edge.live).run(notifications)),
        tasks.spawn(until(end.clone(), socket::tick::run(Arc::clone(&edge)))),
        tasks.spawn(until(end.clone(), revocation::run(Arc::clone(&edge)))),
    ]);
    info!(target = %listener.local_target(), "edge serves");
    serving.ready();

    let outcome = tokio::select! {
        () = server::accept(&edge, listener, &stop) => Ok(()),
        // Each of them goes on until the end; without it sockets would be served in part only.
        Some(ended) = background.next() => Err(match ended {
            Ok(()) => anyhow!("a background task ended by itself"),
            Err(error) => anyhow!(error).context("a background task failed"),
        }),
    };

    serving.down("stopping");
    drain::run(&edge, &end).await;
    outcome
}

/// Runs `work` until `end`.
async fn until(end: CancellationToken, work: impl Future<Output = ()>) {
    end.run_until_cancelled(work).await;
}
