//! Requests to another service of the mesh.
//!
//! A [`Pool`] keeps one HTTP/2 connection to each instance of a service and gives a request to
//! the least busy one that is up. An instance whose connection breaks is out at once and comes
//! back when a connection stands again. A request is tried elsewhere only when it was never
//! sent; whether to repeat one that was is for the caller to say.

mod ask;
mod backoff;
mod body;
mod call;
mod endpoint;
mod relay;
mod resolve;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use parking_lot::RwLock;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tonic::Status;
use tonic::body::Body;
use tower::Service;

pub use ask::{Ask, Credential};
pub use backoff::{Backoff, jitter};
pub use body::ResponseBody;

use crate::deadline;
use crate::health::Component;
use crate::net::{Network, Target};
use endpoint::{Address, Endpoint};

/// How long connections stay after `stop`.
const LINGER: Duration = Duration::from_secs(10);

/// The instances of one service, as a channel for generated clients. Clones share connections,
/// which end with the last clone. After `stop` they stay for ten seconds more, since requests
/// under way need them.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
    _connections: Arc<DropGuard>,
    timeout: Option<Duration>,
}

/// What requests, resolvers and connections share.
struct Shared {
    name: String,
    network: Network,
    tasks: TaskTracker,
    /// Ends every task of the pool.
    end: CancellationToken,
    endpoints: RwLock<BTreeMap<Address, Arc<Endpoint>>>,
    /// Counts changes of any endpoint's state, to wake who waits for one.
    changes: watch::Sender<u64>,
    /// True once any instance was connected, or the first attempts had their second.
    was_up: AtomicBool,
    /// Where the search for the least busy begins, so that ties rotate.
    turn: AtomicUsize,
}

impl fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Pool")
            .field("name", &self.shared.name)
            .field("endpoints", &self.shared.endpoints.read().values())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// Begins to connect to the instances of the service `name`, in the background and for as
    /// long as a clone lives. A TCP host name may stand for several instances (a headless
    /// Service) and is resolved again every five seconds. Must be called inside a runtime.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        targets: Vec<Target>,
        network: Network,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let end = CancellationToken::new();
        tasks.spawn(end.clone().run_until_cancelled_owned({
            let end = end.clone();
            async move {
                stop.cancelled().await;
                sleep(LINGER).await;
                end.cancel();
            }
        }));
        let shared = Arc::new(Shared {
            name: name.into(),
            network,
            tasks,
            end: end.clone(),
            endpoints: RwLock::default(),
            changes: watch::Sender::new(0),
            was_up: AtomicBool::new(false),
            turn: AtomicUsize::new(0),
        });
        for target in targets {
            resolve::follow(&shared, target);
        }
        Self { shared, _connections: Arc::new(end.drop_guard()), timeout: Some(deadline::DEFAULT) }
    }

    /// The same pool for streams and other requests that may last: no default deadline, and the
    /// deadline of the request being handled is not passed on. One that is set on the request
    /// counts. (RPCs that the contract declares as streams need no such clone.)
    #[must_use]
    pub fn without_deadline(&self) -> Self {
        Self { timeout: None, ..self.clone() }
    }

    /// The same pool with another default deadline.
    #[must_use]
    pub fn with_default_deadline(&self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self.clone() }
    }

    /// Name of the service.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Instances that are connected now.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.shared.connected()
    }

    /// Keeps `component` ready while an instance is connected and degraded while none is, for as
    /// long as the pool lives.
    pub fn report_to(&self, component: Component) {
        let (shared, mut changes) = (Arc::downgrade(&self.shared), self.shared.changes.subscribe());
        self.shared.tasks.spawn(self.shared.end.clone().run_until_cancelled_owned(async move {
            while let Some(shared) = shared.upgrade() {
                match shared.connected() {
                    0 => component.degraded(format!("{} is not reachable", shared.name)),
                    _ => component.ready(),
                }
                drop(shared);
                if changes.changed().await.is_err() {
                    return;
                }
            }
        }));
    }

    /// Has a request of a session answered: over the relay stream of the least busy instance, or as
    /// an RPC of its own while there is none. Both are the same to the caller; for small answers, as
    /// those of commands are, the stream is much cheaper. It must not be used for long ones, behind
    /// which others would wait.
    ///
    /// # Errors
    /// What the service answers. `RESOURCE_EXHAUSTED` / `LIMIT_REACHED` when too many requests are
    /// under way on the stream; `DEADLINE_EXCEEDED` when there is no answer in time or the
    /// connection breaks after the request was sent; `UNAVAILABLE` when nobody can be reached.
    pub async fn ask(&self, ask: Ask) -> Result<Bytes, Status> {
        if let Some((lane, _pending)) = self.lane()
            && let Some(outcome) = lane.ask(&ask).await
        {
            return outcome;
        }
        // On the heap: it is seldom needed, and large.
        Box::pin(self.ask_alone(ask)).await
    }

    /// As [`Pool::ask`], never over the stream: for requests whose answers may be long.
    ///
    /// # Errors
    /// See [`Pool::ask`].
    pub async fn ask_alone(&self, ask: Ask) -> Result<Bytes, Status> {
        ask::alone(self, ask).await
    }

    fn lane(&self) -> Option<(Arc<relay::Lane>, endpoint::Pending)> {
        let endpoint = self.shared.pick()?;
        let lane = endpoint.lane(&self.shared)?;
        Some((lane, endpoint.begin()))
    }

    /// Returns once an instance is connected; never when the pool is stopped before.
    pub async fn until_connected(&self) {
        let mut changes = self.shared.changes.subscribe();
        while self.connected() == 0 {
            // The sender lives in `self`.
            changes.changed().await.ok();
        }
    }
}

impl Shared {
    fn connected(&self) -> usize {
        self.endpoints.read().values().filter(|endpoint| endpoint.is_up()).count()
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The least busy endpoint that is up.
    fn pick(&self) -> Option<Arc<Endpoint>> {
        let endpoints = self.endpoints.read();
        let skip = self.turn.fetch_add(1, Ordering::Relaxed) % endpoints.len().max(1);
        let (before, after) = (endpoints.values().take(skip), endpoints.values().skip(skip));
        let up = after.chain(before).filter(|endpoint| endpoint.is_up());
        up.min_by_key(|endpoint| endpoint.pending()).map(Arc::clone)
    }

    /// True while waiting may help: no instance was ever reached, or one is being connected.
    fn may_come_up(&self) -> bool {
        !self.was_up.load(Ordering::Acquire)
            || self.endpoints.read().values().any(|endpoint| endpoint.is_connecting())
    }
}

impl Service<Request<Body>> for Pool {
    type Response = Response<ResponseBody>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    /// Always ready: what limits requests is their deadline and the server.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(call::send(Arc::clone(&self.shared), self.timeout, request))
    }
}

#[cfg(test)]
mod tests;
