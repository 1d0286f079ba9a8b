//! The one connection to a node.

use std::future::Future;
use std::io;
use std::time::Duration;

use crate::net::{Network, Target};
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A connection that is silent for so long is asked for a sign of life.
const PING_EVERY: Duration = Duration::from_secs(5);

/// How long that may take before the connection counts as broken.
const PING_TIMEOUT: Duration = Duration::from_secs(3);

/// Place for the connection to one node.
#[derive(Debug)]
pub(super) struct Slot {
    held: Mutex<Held>,
    /// One at a time connects; the others take what it made.
    turn: Semaphore,
}

#[derive(Debug, Default)]
struct Held {
    sender: Option<SendRequest<Full<Bytes>>>,
    /// Number of the connection, so that nobody discards a newer one than it used.
    number: u64,
}

impl Default for Slot {
    fn default() -> Self {
        Self { held: Mutex::default(), turn: Semaphore::new(1) }
    }
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) sender: SendRequest<Full<Bytes>>,
    pub(super) number: u64,
}

impl Slot {
    /// The open connection, or a new one.
    pub(super) async fn open(
        &self,
        network: &Network,
        target: &Target,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> io::Result<Opened> {
        if let Some(opened) = self.opened() {
            return Ok(opened);
        }
        let _turn = self.turn.acquire().await.map_err(io::Error::other)?;
        if let Some(opened) = self.opened() {
            return Ok(opened);
        }
        let stream = network.connect("switch", target).await?;
        let mut builder = Builder::new(Executor(tasks.clone()));
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_TIMEOUT);
        let handshake = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(io::Error::other)?;
        let stop = stop.clone();
        let target = target.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%target, error = crate::fault::chain(&error), "connection broke");
                },
            }
        });
        let mut held = self.held.lock();
        held.number += 1;
        held.sender = Some(sender.clone());
        Ok(Opened { sender, number: held.number })
    }

    /// Uses the connection no more, unless another has replaced it.
    pub(super) fn discard(&self, number: u64) {
        let mut held = self.held.lock();
        if held.number == number {
            held.sender = None;
        }
    }

    /// True while there is a connection.
    pub(super) fn is_open(&self) -> bool {
        self.opened().is_some()
    }

    fn opened(&self) -> Option<Opened> {
        let held = self.held.lock();
        let sender = held.sender.as_ref().filter(|sender| !sender.is_closed())?;
        Some(Opened { sender: sender.clone(), number: held.number })
    }
}

/// Lets hyper spawn on the service's task tracker.
#[derive(Clone, Debug)]
struct Executor(TaskTracker);

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}
