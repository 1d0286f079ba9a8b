//! One instance of a service and its connection.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::client::conn::http2::{Builder, Connection as Http2, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::RwLock;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tracing::{debug, info, warn};

use super::relay::{Lane, Relay};
use super::{Backoff, Shared};
use crate::executor::Executor;
use crate::metrics::Values;
use crate::net::{Connection, Target};
use crate::own_metrics::POOL_CONNECTED;

/// Bytes that a peer may send ahead on one stream.
const STREAM_WINDOW: u32 = 1024 * 1024;

/// Bytes that a peer may send ahead on one connection.
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;

/// Time between two pings; a peer that hangs is found out within it and [`PING_TIMEOUT`].
const PING_EVERY: Duration = Duration::from_secs(5);

/// A ping without answer for this long ends the connection.
const PING_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection that lasted this long was a success: the backoff begins anew.
const STABLE: Duration = Duration::from_secs(1);

/// Which instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address {
    pub(super) target: Target,
    pub(super) resolved: Option<SocketAddr>,
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.resolved {
            Some(address) => write!(formatter, "{address}"),
            None => write!(formatter, "{}", self.target),
        }
    }
}

impl Address {
    fn target(&self) -> Target {
        match self.resolved {
            Some(address) => Target::Tcp { host: address.ip().to_string(), port: address.port() },
            None => self.target.clone(),
        }
    }
}

/// One instance.
pub(super) struct Endpoint {
    service: String,
    address: Address,
    link: RwLock<Link>,
    /// Requests under way.
    pending: AtomicUsize,
    retired: CancellationToken,
}

/// State of the connection.
enum Link {
    /// An attempt is under way that may succeed: the first, or the one right after a break.
    Connecting,
    /// Requests may be sent.
    Up(SendRequest<Body>, Arc<Relay>),
    /// The last attempt failed.
    Down,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, pending) = (&self.address, self.pending());
        match &*self.link.read() {
            Link::Connecting => write!(formatter, "{address} connecting {pending}"),
            Link::Up(_, relay) => write!(formatter, "{address} up {pending}, relay {relay:?}"),
            Link::Down => write!(formatter, "{address} down {pending}"),
        }
    }
}

impl Endpoint {
    pub(super) fn new(service: String, address: Address, retired: CancellationToken) -> Self {
        let link = RwLock::new(Link::Connecting);
        Self { service, address, link, pending: AtomicUsize::new(0), retired }
    }

    pub(super) const fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(&*self.link.read(), Link::Up(sender, _) if !sender.is_closed())
    }

    pub(super) fn is_connecting(&self) -> bool {
        matches!(&*self.link.read(), Link::Connecting)
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// The sending end, while the connection stands.
    pub(super) fn sender(&self) -> Option<SendRequest<Body>> {
        match &*self.link.read() {
            Link::Up(sender, _) if !sender.is_closed() => Some(sender.clone()),
            Link::Up(..) | Link::Connecting | Link::Down => None,
        }
    }

    /// The relay stream, when it stands. Begins to open it when it may.
    pub(super) fn lane(&self, shared: &Arc<Shared>) -> Option<Arc<Lane>> {
        match &*self.link.read() {
            Link::Up(sender, relay) if !sender.is_closed() => relay.lane(shared, sender),
            Link::Up(..) | Link::Connecting | Link::Down => None,
        }
    }

    /// Counts a request until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Pending {
        self.pending.fetch_add(1, Ordering::Relaxed);
        Pending(Arc::clone(self))
    }

    /// Sends nothing more; requests under way go on.
    pub(super) fn retire(&self) {
        self.retired.cancel();
        self.set(Link::Down);
    }

    fn set(&self, link: Link) {
        let former = std::mem::replace(&mut *self.link.write(), link);
        if let Link::Up(_, relay) = former {
            relay.retire();
        }
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Pending(Arc<Endpoint>);

impl Pending {
    /// Name of the service, for messages.
    pub(super) fn service(&self) -> &str {
        &self.0.service
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Keeps `endpoint` connected until it is retired or the pool ends.
pub(super) fn supervise(shared: &Arc<Shared>, endpoint: Arc<Endpoint>) {
    let shared = Arc::clone(shared);
    shared.tasks.clone().spawn(async move {
        let mut backoff = Backoff::default();
        let retired = endpoint.retired.clone();
        let keep_connected = async {
            loop {
                connect_once(&shared, &endpoint, &mut backoff).await;
            }
        };
        retired.run_until_cancelled(keep_connected).await;
        endpoint.set(Link::Down);
        shared.changed();
    });
}

/// Connects, and returns when the connection is over or, after a failure, the wait is.
async fn connect_once(shared: &Shared, endpoint: &Endpoint, backoff: &mut Backoff) {
    let (sender, driver) = match connect(shared, endpoint).await {
        Ok(connected) => connected,
        Err(error) => {
            let was_connecting = endpoint.is_connecting();
            endpoint.set(Link::Down);
            shared.changed();
            if was_connecting {
                warn!(service = %shared.name, address = %endpoint.address, error = %error, "instance is down");
            }
            return sleep(backoff.next()).await;
        }
    };
    let connected_at = Instant::now();
    endpoint.set(Link::Up(sender, Arc::new(Relay::new())));
    shared.was_up.store(true, Ordering::Release);
    shared.changed();
    info!(service = %shared.name, address = %endpoint.address, "instance is up");

    let _counted = Counted::new(&shared.name);
    // Ends when the peer goes away, says that it is about to, or does not answer pings.
    let outcome = driver.await;

    endpoint.set(Link::Connecting);
    shared.changed();
    debug!(service = %shared.name, address = %endpoint.address, outcome = ?outcome, "connection ended");
    if connected_at.elapsed() >= STABLE {
        backoff.reset();
    } else {
        sleep(backoff.next()).await;
    }
}

/// A connection in the metric, until dropped.
struct Counted(&'static str);

impl Counted {
    fn new(service: &str) -> Self {
        let names = Values::Services.all();
        let name = names.into_iter().find(|name| *name == service).unwrap_or("cordboard");
        POOL_CONNECTED.add(1, [name]);
        Self(name)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        POOL_CONNECTED.add(-1, [self.0]);
    }
}

type Driver = Http2<TokioIo<Connection>, Body, Executor>;

async fn connect(
    shared: &Shared,
    endpoint: &Endpoint,
) -> Result<(SendRequest<Body>, Driver), Box<dyn std::error::Error + Send + Sync>> {
    let connection = shared.network.connect(&shared.name, &endpoint.address.target()).await?;
    let connected = Builder::new(Executor::new(shared.tasks.clone()))
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(connection))
        .await?;
    Ok(connected)
}
