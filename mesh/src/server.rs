//! The gRPC server of a service: one stack for every RPC.
//!
//! From outside inwards: span, metric, load limit, deadline, panic guard, authentication,
//! handler. Health and reflection are served beside the service's own RPCs, and so is the relay
//! stream, whose requests go through the same stack each for itself.

mod auth;
mod body;
mod connection;
mod record;
mod relay;
mod stack;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tracing::{info, warn};

use crate::health::Readiness;
use crate::net::Listener;
use crate::token::Verifier;
use stack::Stack;

/// Requests that are handled at the same time, streams included; more are refused.
const CONCURRENCY: usize = 4_096;

/// Time for requests under way after `stop`.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Age at which a connection is asked to end, so that clients spread over new instances.
const CONNECTION_AGE: Duration = Duration::from_mins(5);

/// Pause after a failed `accept`, e.g. for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The gRPC server of a service, before it serves.
#[must_use]
#[derive(Debug)]
pub struct GrpcServer {
    name: &'static str,
    verifier: Option<Verifier>,
    descriptor: Option<&'static [u8]>,
    readiness: Readiness,
    routes: Routes,
    concurrency: usize,
    drain_timeout: Duration,
    connection_age: Duration,
}

impl GrpcServer {
    /// A server of the service `name`, without RPCs yet.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            verifier: None,
            descriptor: None,
            readiness: Readiness::new(),
            routes: Routes::default(),
            concurrency: CONCURRENCY,
            drain_timeout: DRAIN_TIMEOUT,
            connection_age: CONNECTION_AGE,
        }
    }

    /// Verifies tokens with `verifier`. Without one no request has a caller, and public methods
    /// are refused.
    pub fn verifier(mut self, verifier: Verifier) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Serves reflection of these descriptors.
    pub const fn descriptor(mut self, descriptor: &'static [u8]) -> Self {
        self.descriptor = Some(descriptor);
        self
    }

    /// Says `SERVING` only while `readiness` is ready. Without it: from the start to the stop.
    pub fn readiness(mut self, readiness: Readiness) -> Self {
        self.readiness = readiness;
        self
    }

    /// The RPCs.
    pub fn routes(mut self, routes: Routes) -> Self {
        self.routes = routes;
        self
    }

    /// Requests that are handled at the same time, streams included.
    pub const fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// Time for requests under way after `stop`.
    pub const fn drain_timeout(mut self, drain_timeout: Duration) -> Self {
        self.drain_timeout = drain_timeout;
        self
    }

    /// Age at which a connection is asked to end.
    pub const fn max_connection_age(mut self, age: Duration) -> Self {
        self.connection_age = age;
        self
    }

    /// Serves until `stop`; then reports `NOT_SERVING`, accepts nothing more, ends streams, and
    /// waits for requests under way until the drain time-out.
    ///
    /// # Errors
    /// When the descriptors cannot be served.
    pub async fn serve(
        self,
        mut listener: Listener,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        // Reports SERVING from birth, so it is told better before anybody can ask.
        let health = HealthReporter::new();
        health.set_service_status("", ServingStatus::NotServing).await;
        let connections = TaskTracker::new();
        let stack = self.stack(&health, stop.clone(), connections.clone())?;
        let kill = CancellationToken::new();
        let _kill_when_dropped = kill.clone().drop_guard();
        let age = self.connection_age;
        info!(service = self.name, target = %listener.local_target(), "serving");

        let accepting = async {
            loop {
                match listener.accept().await {
                    Ok(connection) => {
                        let (stop, kill) = (stop.clone(), kill.clone());
                        let stack = Arc::clone(&stack);
                        let tasks = connections.clone();
                        let serving = connection::serve(connection, stack, age, tasks, stop, kill);
                        connections.spawn(serving);
                    }
                    Err(error) => {
                        warn!(service = self.name, error = %error, "connection not accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = accepting => {}
            () = report(&self.readiness, &health) => {}
        }

        health.set_service_status("", ServingStatus::NotServing).await;
        drop(listener);
        connections.close();
        if timeout(self.drain_timeout, connections.wait()).await.is_err() {
            warn!(service = self.name, connections = connections.len(), "requests cut off");
            kill.cancel();
            connections.wait().await;
        }
        info!(service = self.name, "stopped serving");
        Ok(())
    }

    fn stack(
        &self,
        health: &HealthReporter,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> anyhow::Result<Arc<Stack>> {
        let health = tonic_health::server::HealthService::from_health_reporter(health.clone());
        let mut routes = self
            .routes
            .clone()
            .add_service(tonic_health::pb::health_server::HealthServer::new(health));
        if let Some(descriptor) = self.descriptor {
            let reflection = tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(descriptor)
                .build_v1()
                .context("descriptors cannot be served")?;
            routes = routes.add_service(reflection);
        }
        Ok(Arc::new(Stack {
            name: self.name,
            routes: routes.prepare(),
            verifier: self.verifier.clone(),
            permits: Arc::new(Semaphore::new(self.concurrency)),
            concurrency: self.concurrency,
            tasks,
            stop,
        }))
    }
}

/// Tells health what readiness says, for ever.
async fn report(readiness: &Readiness, health: &HealthReporter) {
    let mut watch = readiness.watch();
    loop {
        let status =
            if readiness.is_ready() { ServingStatus::Serving } else { ServingStatus::NotServing };
        health.set_service_status("", status).await;
        watch.changed().await;
    }
}

#[cfg(test)]
pub(crate) mod probe;
#[cfg(test)]
mod tests;
