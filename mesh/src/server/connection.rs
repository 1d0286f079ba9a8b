//! One accepted connection.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::transport::server::Connected as _;
use tracing::debug;

use super::stack::Stack;
use crate::client::jitter;
use crate::executor::Executor;
use crate::fault;
use crate::net::Connection;

/// Bytes that a peer may send ahead on one stream.
const STREAM_WINDOW: u32 = 1024 * 1024;

/// Bytes that a peer may send ahead on one connection.
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;

/// Time between two pings.
const PING_EVERY: Duration = Duration::from_secs(10);

/// A ping without answer for this long ends the connection.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Streams of one connection. Far above the limit of requests, which refuses: a peer at this limit
/// would wait without knowing.
const STREAMS: u32 = 100_000;

/// Requests that a peer may cancel faster than they are accepted; the peers are our own.
const RESETS: usize = 10_000;

/// Cancelled when the connection that a request came by is about to end.
#[derive(Clone, Debug)]
pub(super) struct Ending(pub(super) CancellationToken);

/// Serves a connection until the peer is done, it is too old, `stop` or `kill`.
pub(super) async fn serve(
    connection: Connection,
    stack: Arc<Stack>,
    age: Duration,
    tasks: TaskTracker,
    stop: CancellationToken,
    kill: CancellationToken,
) {
    let peer = connection.connect_info();
    let ending = Ending(CancellationToken::new());
    let told = ending.clone();
    let service = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer.clone());
        request.extensions_mut().insert(told.clone());
        Arc::clone(&stack).handle(request.map(Body::new))
    });
    let serving = Builder::new(Executor::new(tasks))
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(RESETS)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT)
        .serve_connection(TokioIo::new(connection), service);
    let mut serving = pin!(serving);
    // Connections made together do not end together.
    let mut end = pin!(async {
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(jitter(age)) => {}
        }
    });

    let mut is_ending = false;
    let outcome = loop {
        tokio::select! {
            outcome = &mut serving => break outcome,
            () = kill.cancelled() => return,
            () = &mut end, if !is_ending => {
                is_ending = true;
                ending.0.cancel();
                serving.as_mut().graceful_shutdown();
            }
        }
    };
    if let Err(error) = outcome {
        debug!(error = fault::chain(&error), "connection ended");
    }
}
