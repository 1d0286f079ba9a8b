//! Streams the event log to the edges.
//!
//! One reader a partition follows the log, decodes each entry once and hands it
//! to the live streams whose scopes it matches; what was missed is replayed from
//! memory or from the log. Every scope is checked here anew against the token it
//! comes with, and nothing depends on what an edge says of it.
//!
//! Besides, it posts what happened to the addresses that customers named: [`webhooks`].
//!
//! A notifier owns nothing that outlives it but the places up to which webhooks were sent. Any number of them may run: each
//! reads the whole log, an edge needs one.

mod config;
mod domain;
mod housekeeping;
mod hub;
pub mod metrics;
mod presence;
mod reader;
mod replay;
mod rpc;
pub mod webhooks;
mod wire;

use std::sync::Arc;

use anyhow::anyhow;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use mesh::Clock;
use mesh::health::Readiness;
use mesh::ledger::Ledger;
use mesh::net::Listener;
use mesh::server::GrpcServer;
use mesh::token::Verifier;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

pub use config::Config;
use hub::Hub;
use presence::Presence;
use reader::Reader;
use replay::Source;
use rpc::{NotifierServer, Shared};
use webhooks::Webhooks;

/// What the service needs of its surroundings.
#[derive(Clone, Debug)]
pub struct Deps {
    /// The store with the event log.
    pub ledger: Arc<dyn Ledger>,
    /// Says whose a token is. Somebody else runs it.
    pub verifier: Verifier,
    /// Wall time.
    pub clock: Clock,
    /// Where the service says how it is, as part `event_log`.
    pub readiness: Readiness,
}

/// Serves until `stop`.
///
/// Ready once the log has been read up to its end; degraded while the store is away, since live
/// streams go on then and lose nothing.
///
/// # Errors
/// When the settings cannot work or the server cannot be set up.
pub async fn serve(
    config: Config,
    deps: Deps,
    listener: Listener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    config.validate()?;
    let config = Arc::new(config);
    let Deps { ledger, verifier, clock, readiness } = deps;
    let hub = Hub::new(ledger.partitions(), config.recent_window, config.recent_max_bytes);
    let tasks = TaskTracker::new();
    // Cancelled on every way out, so that no task is left behind; but not before the server has
    // ended the streams, which are fed until then.
    let ending = CancellationToken::new();
    let _ending_guard = ending.clone().drop_guard();
    let mut background = FuturesUnordered::new();
    let spawn = |work: BoxFuture<'static, ()>| {
        let ending = ending.clone();
        background.push(tasks.spawn(async move { ending.run_until_cancelled(work).await }));
    };

    for partition in hub.partitions() {
        let reader = Reader {
            hub: Arc::clone(&hub),
            ledger: Arc::clone(&ledger),
            clock: clock.clone(),
            config: Arc::clone(&config),
        };
        spawn(Box::pin(reader.run(partition.number)));
    }
    let component = readiness.component("event_log");
    spawn(Box::pin(housekeeping::report(Arc::clone(&hub), component)));
    spawn(Box::pin(housekeeping::beat(Arc::clone(&hub), config.beat)));
    let (of_hub, of_ledger) = (Arc::clone(&hub), Arc::clone(&ledger));
    let trimming = housekeeping::trim(of_hub, of_ledger, clock.clone(), Arc::clone(&config));
    spawn(Box::pin(trimming));

    let presence =
        Arc::new(Presence::new(Arc::clone(&ledger), config.store_timeout, tasks.clone()));
    spawn(Box::pin(Arc::clone(&presence).renew()));

    let probing = housekeeping::probe(Arc::clone(&hub), Arc::clone(&ledger), Arc::clone(&config));
    spawn(Box::pin(probing));

    let webhooks = Webhooks::new(
        Arc::clone(&hub),
        Arc::clone(&ledger),
        clock,
        config.webhooks.clone(),
        config.store_timeout,
    )?;
    // Ends by itself after the stop.
    let halting = stop.child_token();
    let _halting_guard = halting.clone().drop_guard();
    let mut posting = tasks.spawn(webhooks.run(halting));
    let source = Source {
        hub: Arc::clone(&hub),
        ledger,
        permits: Arc::new(Semaphore::new(config.replay_concurrency)),
        config: Arc::clone(&config),
    };
    let drain_timeout = config.drain_timeout;
    let shared = Shared {
        hub,
        source,
        presence,
        verifier,
        config,
        tasks: tasks.clone(),
        stop: ending.clone(),
    };
    let serving = GrpcServer::new("notifier")
        .descriptor(proto::FILE_DESCRIPTOR_SET)
        .readiness(readiness)
        .routes(Routes::new(NotifierServer::new(Arc::new(shared))))
        .drain_timeout(drain_timeout)
        .serve(listener, stop);
    let outcome = tokio::select! {
        outcome = serving => outcome,
        // Each of them goes on for ever; without it events would stay away unnoticed.
        Some(ended) = background.next() => Err(match ended {
            Ok(_) => anyhow!("a background task ended by itself"),
            Err(error) => anyhow!(error).context("a background task failed"),
        }),
        Err(error) = &mut posting => Err(anyhow!(error).context("the sending of webhooks failed")),
    };

    ending.cancel();
    tasks.close();
    tasks.wait().await;
    outcome
}
