//! What goes on beside reading and answering: signs of life, readiness, trims.

use std::sync::Arc;
use std::time::Duration;

use mesh::client::jitter;
use mesh::fault::chain;
use mesh::health::Component;
use mesh::ledger::Ledger;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::debug;

use crate::config::Config;
use crate::hub::Hub;
use crate::metrics;

/// Gives every stream a sign of life each `period`, for ever.
pub(crate) async fn beat(hub: Arc<Hub>, period: Duration) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        hub.beat();
        metrics::figures(hub.figures());
    }
}

/// Says how the reading of the log goes, for ever.
pub(crate) async fn report(hub: Arc<Hub>, component: Component) {
    let mut status = hub.status();
    loop {
        let now = *status.borrow_and_update();
        if now.started < hub.count() {
            // Starting, as it was born: nobody can subscribe yet.
        } else if now.unreachable > 0 {
            component.degraded("store does not answer, events are late");
        } else {
            component.ready();
        }
        // Fails only when the sender is gone, and `hub` has it.
        status.changed().await.ok();
    }
}

/// Lets the store drop what is beyond the log's retention, again and again. Several notifiers do
/// so at different times; a trim more does no harm.
pub(crate) async fn trim(hub: Arc<Hub>, ledger: Arc<dyn Ledger>, config: Arc<Config>) {
    loop {
        sleep(jitter(config.trim_interval)).await;
        for partition in hub.partitions() {
            let trimming = timeout(config.store_timeout, ledger.trim_log(partition.number));
            match trimming.await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => debug!(error = chain(&error), "log not trimmed"),
                Err(_elapsed) => debug!("log not trimmed in time"),
            }
            metrics::trim_failed();
        }
    }
}
