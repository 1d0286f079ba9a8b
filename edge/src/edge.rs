//! The edge's parts, as everything in it shares them.

use std::collections::HashMap;
use std::sync::Arc;

use mesh::Clock;
use mesh::client::Pool;
use mesh::token::Verifier;
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::http::remembered::Remembered;
use crate::limit::Rate;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::session::{Session, Sessions};
use crate::socket::Socket;
use crate::socket::close::Reason;
use crate::socket::registry::Sockets;

/// The edge's parts.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) verifier: Verifier,
    pub(crate) auth: Pool,
    /// By full name of the gRPC service.
    pub(crate) services: HashMap<String, Pool>,
    pub(crate) tasks: TaskTracker,
    pub(crate) sockets: Arc<Sockets>,
    pub(crate) sessions: Sessions,
    pub(crate) live: Arc<Live>,
    pub(crate) metrics: &'static Metrics,
    pub(crate) remembered: Remembered,
    /// The public keys and when they were fetched.
    pub(crate) keys: Mutex<Option<(String, Instant)>>,
}

impl Edge {
    /// The rate of one session.
    pub(crate) const fn rate(&self) -> Rate {
        Rate { per_second: self.config.requests_per_second, burst: self.config.request_burst }
    }

    /// Closes a socket.
    pub(crate) fn close(&self, socket: &Socket, reason: Reason) {
        if socket.outbound.is_open() {
            self.metrics.closed(reason.label());
            socket.close(reason);
        }
    }

    /// Forgets a socket that nobody reads any more.
    pub(crate) fn leave(&self, socket: &Arc<Socket>) {
        socket.gone();
        self.sockets.remove(socket.id);
        self.live.leave(socket.id);
        socket.set_session(None);
        self.metrics.socket_ended();
    }

    /// Gives a socket a session; false when its user has too many sockets. Another session than
    /// before ends the subscriptions of the former.
    pub(crate) fn authenticate(&self, socket: &Arc<Socket>, session: &Arc<Session>) -> bool {
        if !socket.take_user_place(&self.sockets, &session.caller.user) {
            return false;
        }
        let former = socket.set_session(Some(Arc::clone(session)));
        if former.is_some_and(|former| former.id() != session.id()) {
            self.live.leave(socket.id);
        }
        true
    }
}
