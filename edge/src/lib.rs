//! The edge: WebSocket and REST in front of the mesh.
//!
//! It keeps sockets, verifies tokens itself, checks requests by the table that is generated from
//! proto and forwards them without knowing the methods by name, and passes events on to whoever
//! subscribed. It keeps nothing that outlives a socket: any edge serves any session.
//!
//! - `wire`: how bytes reach a socket; `socket`: one socket's life;
//! - `rpc`: requests from frame to answer; `methods`: those that the edge answers itself;
//! - `live`: events from the notifier to subscriptions;
//! - `http`: handshakes, the REST twin, documents; `entrance`: which listener a request came by.

pub mod config;
mod drain;
mod edge;
mod entrance;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod http;
mod limit;
mod live;
mod methods;
pub mod metrics;
mod renewal;
mod revocation;
mod rpc;
mod session;
mod socket;
mod subscribed;
mod wire;

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use anyhow::anyhow;
use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use mesh::Clock;
use mesh::admin::Pages;
use mesh::caller::realm_name;
use mesh::client::Pool;
use mesh::health::Readiness;
use mesh::net::Listener;
use mesh::token::Verifier;
use parking_lot::Mutex;
use proto::options::v1::Realm;
use tokio::sync::Semaphore;
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
    /// Listeners beside the one for all realms, each bound to one.
    pub bound: Vec<BoundListener>,
    /// Wall time.
    pub clock: Clock,
    /// What works; the edge adds its own parts.
    pub readiness: Readiness,
    /// The admin port's pages; the edge adds `/explain`.
    pub pages: Pages,
}

/// A listener that serves one realm alone: logins and tokens of others do not exist there.
#[derive(Debug)]
pub struct BoundListener {
    /// Where it listens.
    pub listener: Listener,
    /// Whom it serves.
    pub realm: Realm,
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
    let Deps { auth, services, notifiers, verifier, bound, clock, readiness, pages } = deps;
    let serving = readiness.component("edge");
    let notifications = readiness.component("notifications");
    // The log may come later: calls are controlled without it.
    notifications.degraded("the live stream is not open yet");

    let tasks = TaskTracker::new();
    let end = CancellationToken::new();
    let _end_when_dropped = end.clone().drop_guard();
    metrics::sockets_limit(config.max_connections);
    let live = Live::new(&config, notifiers, clock.clone(), tasks.clone(), end.clone());
    let edge = Arc::new(Edge {
        id: format!("edge {}", uuid::Uuid::new_v4()),
        clock,
        verifier,
        auth,
        services,
        tasks: tasks.clone(),
        sockets: Arc::new(Sockets::new(config.max_connections, config.max_connections_per_user)),
        sessions: Sessions::default(),
        live: Arc::new(live),
        remembered: Remembered::new(config.remember_auth_info),
        keys: Mutex::new(None),
        renewals: Semaphore::new(renewal::RENEWALS),
        notes: Semaphore::new(subscribed::NOTES),
        config,
    });
    add_pages(&pages, &edge);
    let mut background = FuturesUnordered::from_iter([
        tasks.spawn(Arc::clone(&edge.live).run(notifications)),
        tasks.spawn(until(end.clone(), socket::tick::run(Arc::clone(&edge)))),
        tasks.spawn(until(end.clone(), revocation::run(Arc::clone(&edge)))),
        tasks.spawn(until(end.clone(), renewal::follow_refusals(Arc::clone(&edge)))),
    ]);
    watch_backlog(&edge);
    info!(target = %listener.local_target(), "edge serves");
    serving.ready();

    let bound = bound.into_iter().map(|it| {
        info!(target = %it.listener.local_target(), realm = realm_name(it.realm), "edge serves a realm");
        server::accept(&edge, it.listener, Some(it.realm), &stop)
    });
    let accepting = async {
        tokio::join!(server::accept(&edge, listener, None, &stop), join_all(bound));
    };
    let outcome = tokio::select! {
        () = accepting => Ok(()),
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

/// Has the metrics tell what waits for sockets, for as long as the edge is there.
fn watch_backlog(edge: &Arc<Edge>) {
    let edge = Arc::downgrade(edge);
    mesh::metrics::on_render(move || {
        let Some(edge) = edge.upgrade() else { return false };
        let (mut sockets, mut bytes) = (0, 0);
        edge.sockets.for_each(|socket| {
            let queued = socket.outbound.queued() as u64;
            sockets += u64::from(queued > 0);
            bytes += queued;
        });
        metrics::backlog(sockets, bytes);
        true
    });
}

/// `GET /explain?event_id=…&session=…`: why a session did not get an event.
fn add_pages(pages: &Pages, edge: &Arc<Edge>) {
    let live = Arc::downgrade(&edge.live);
    pages.add("/explain", move |query| {
        let live = Weak::clone(&live);
        async move {
            let value = |name: &str| {
                let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
                pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
            };
            match (live.upgrade(), value("event_id"), value("session")) {
                (None, ..) => serde_json::json!({"error": "the edge has stopped"}),
                (Some(live), Some(event_id), Some(session)) => {
                    live.explain(&event_id, &session).await
                }
                (Some(_), ..) => {
                    serde_json::json!({"error": "`event_id` and `session` are needed"})
                }
            }
        }
    });
}

/// Runs `work` until `end`.
async fn until(end: CancellationToken, work: impl Future<Output = ()>) {
    end.run_until_cancelled(work).await;
}
