//! How the edge stops: requests under way are answered, then sockets are told to come back.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::edge::Edge;
use crate::socket::Socket;
use crate::socket::close::Reason;

/// Pause between two looks at the sockets.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Closes the sockets and waits for what is under way; `end` ends the edge's own tasks.
pub(crate) async fn run(edge: &Arc<Edge>, end: &CancellationToken) {
    let deadline = Instant::now() + edge.config.drain_timeout;
    // Half of the time is for requests, the rest for close handshakes.
    let last_call = Instant::now() + edge.config.drain_timeout / 2;
    info!(sockets = edge.sockets.count(), "edge drains");
    while edge.sockets.count() > 0 && Instant::now() < deadline {
        let is_late = Instant::now() >= last_call;
        edge.sockets.for_each(|socket| {
            if is_late || socket.in_flight() == 0 {
                close(edge, socket);
            }
        });
        sleep(LOOK_EVERY).await;
    }
    end.cancel();
    edge.sockets.for_each(|socket| socket.outbound.abort());
    edge.tasks.close();
    let left = deadline.saturating_duration_since(Instant::now()).max(LOOK_EVERY);
    if timeout(left, edge.tasks.wait()).await.is_err() {
        warn!(tasks = edge.tasks.len(), "edge stops with work under way");
    }
}

/// Tells one client to come back after a time of its own, so that not all come at once.
fn close(edge: &Edge, socket: &Socket) {
    if socket.outbound.is_open() {
        let delay = mesh::client::jitter(edge.config.reconnect_spread).as_millis();
        socket.close_with(Reason::Drain, &format!("reconnect_after_ms={delay}"));
    }
}
