//! What goes on beside reading and answering: signs of life, readiness, trims.

use std::sync::Arc;
use std::time::Duration;

use mesh::Clock;
use mesh::client::jitter;
use mesh::clock::Timestamp;
use mesh::fault::chain;
use mesh::health::Component;
use mesh::ledger::{Ledger, StoreError};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::debug;

use crate::config::Config;
use crate::hub::Hub;
use crate::metrics;

/// The log keeps no more, whatever room there is.
const RETENTION: Duration = Duration::from_hours(1);

/// Gives every stream a sign of life each `period`, for ever.
pub(crate) async fn beat(hub: Arc<Hub>, period: Duration) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        hub.beat();
        metrics::figures(hub.figures(), hub.status().borrow().unreachable);
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
        } else if now.is_read_only {
            component.degraded("store takes no writes, events are late");
        } else {
            component.ready();
        }
        // Fails only when the sender is gone, and `hub` has it.
        status.changed().await.ok();
    }
}

/// Lets the store drop what is beyond the log's retention, again and again, and measures what is
/// left. Several notifiers do so at different times; a trim more does no harm.
pub(crate) async fn trim(
    hub: Arc<Hub>,
    ledger: Arc<dyn Ledger>,
    clock: Clock,
    config: Arc<Config>,
) {
    metrics::history(RETENTION);
    loop {
        sleep(jitter(config.trim_interval)).await;
        let mut shortest = RETENTION;
        for partition in hub.partitions() {
            let trimming = timeout(config.store_timeout, trim_one(&*ledger, partition.number));
            match trimming.await {
                Ok(Ok(trimmed_to)) => {
                    if let Some(trimmed_to) = trimmed_to {
                        shortest = shortest.min(clock.now().since(trimmed_to));
                    }
                    continue;
                }
                Ok(Err(error)) => debug!(error = chain(&error), "log not trimmed"),
                Err(_elapsed) => debug!("log not trimmed in time"),
            }
            metrics::trim_failed();
        }
        metrics::history(shortest);
    }
}

/// Trims a partition; gives the time before which nothing is left, when anything was dropped.
async fn trim_one(ledger: &dyn Ledger, number: u32) -> Result<Option<Timestamp>, StoreError> {
    ledger.trim_log(number).await?;
    let trimmed_to = ledger.log_bounds(number).await?.trimmed_to;
    let micros = i64::try_from(trimmed_to.millis).unwrap_or(i64::MAX).saturating_mul(1_000);
    Ok((trimmed_to.millis > 0).then(|| Timestamp::from_micros(micros)))
}

/// What is written to find out whether the store takes writes; one record for all notifiers.
const PROBE: &str = "probe";

/// Finds out, each `period`, whether the store takes writes: one that is out of memory can be read
/// all the same, and what is written is what clients wait for.
pub(crate) async fn probe(hub: Arc<Hub>, ledger: Arc<dyn Ledger>, config: Arc<Config>) {
    hub.until_started().await;
    let mut ticks = interval(config.beat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let writing = ledger.hold(0, PROBE, PROBE, config.beat, None);
        let is_read_only = !matches!(timeout(config.store_timeout, writing).await, Ok(Ok(_)));
        if is_read_only != hub.status().borrow().is_read_only {
            hub.update(|status| status.is_read_only = is_read_only);
        }
    }
}
