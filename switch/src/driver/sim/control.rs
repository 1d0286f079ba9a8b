//! The control port: phones, the trunk and faults over HTTP with JSON. Meant for
//! tests and for developers on this machine; it knows no logins.

mod request;
mod response;
mod routes;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use mesh::net::{Connection, Listener};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::Sim;

/// Connections at once; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 256;

/// Time for a request's head to arrive, also on an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_mins(1);

/// Pause after a failed accept, e.g. for want of open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the control port until `stop`; connections run on `tasks` and finish what they do.
pub async fn serve(
    sim: Arc<Sim>,
    mut listener: Listener,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let accepting = async {
        while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
            match listener.accept().await {
                Ok(connection) => {
                    let (sim, stop) = (Arc::clone(&sim), stop.clone());
                    tasks.spawn(async move {
                        serve_connection(sim, connection, stop).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    warn!(%error, "control connection not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    stop.run_until_cancelled(accepting).await;
}

async fn serve_connection(sim: Arc<Sim>, connection: Connection, stop: CancellationToken) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let sim = Arc::clone(&sim);
        async move { Ok::<_, Infallible>(routes::answer(&sim, request).await) }
    });
    let mut serving = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(connection), service)
    );
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        debug!(%error, "control connection broke");
    }
}
