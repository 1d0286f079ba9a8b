//! Follows the log of one partition and hands its entries out.
//!
//! The reader always knows its place and never asks for "the oldest": after a
//! change of epoch it goes on from the new epoch's beginning, after a trim from
//! where the log now begins. So whatever is lost, also meanwhile, is noticed and
//! told. While the store is away nothing is lost: the place stays.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh::Clock;
use mesh::client::Backoff;
use mesh::fault::chain;
use mesh::ledger::{Ledger, LogBounds, LogRead, Position, ReadFrom, StoreError};
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use crate::config::Config;
use crate::domain::entry::{Entry, Era, Place};
use crate::domain::frame::Loss;
use crate::hub::{Hub, Partition};
use crate::{metrics, wire};

/// Waits between attempts while the store is away.
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LONGEST_RETRY: Duration = Duration::from_secs(1);

/// What a reader needs.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// Where the entries go.
    pub(crate) hub: Arc<Hub>,
    /// Where they come from.
    pub(crate) ledger: Arc<dyn Ledger>,
    /// Wall time, for the age of entries.
    pub(crate) clock: Clock,
    /// The settings.
    pub(crate) config: Arc<Config>,
}

impl Reader {
    /// Follows the log of partition `number` for ever.
    pub(crate) async fn run(self, number: u32) {
        let Some(partition) = self.hub.partition(number) else { return };
        let mut health = Health::new(&self.hub, number);
        let (mut place, end) = self.begin(partition, &mut health).await;
        let first_era = Arc::clone(&place.era);
        let mut is_started = false;
        loop {
            // Nobody joins before: what is older than this process is for replays alone.
            if !is_started && (place.position >= end || place.era != first_era) {
                is_started = true;
                self.hub.update(|status| status.started += 1);
            }
            let from = ReadFrom::After(place.era.epoch.clone(), place.position);
            let wait = self.config.read_wait;
            let reading = self.ledger.read_log(number, &from, self.config.read_page, wait);
            let read = match self.in_time(wait, reading).await {
                Ok(read) => read,
                Err(error) => {
                    health.failed(&error).await;
                    continue;
                }
            };
            health.succeeded();
            match read {
                LogRead::Entries(chunk) => {
                    if !chunk.entries.is_empty() {
                        place.position = self.publish(partition, &place, chunk.entries);
                    }
                }
                LogRead::EpochChanged(epoch) => {
                    place.era = Era::new(epoch);
                    place.position = Position::default();
                    lose(partition, &place, Loss::LogLost);
                }
                LogRead::Trimmed(bounds) => go_on(partition, &mut place, bounds),
            }
            partition.expire(Instant::now());
        }
    }

    /// Finds the place to begin at, far enough back to fill the recent window, so that resumes
    /// do not fall on the store after a restart; and the end of the log.
    async fn begin(&self, partition: &Partition, health: &mut Health<'_>) -> (Place, Position) {
        let number = partition.number;
        let bounds = loop {
            let asking = self.ledger.log_bounds(number);
            match self.in_time(Duration::ZERO, asking).await {
                Ok(bounds) => break bounds,
                Err(error) => health.failed(&error).await,
            }
        };
        health.succeeded();
        let window = u64::try_from(self.config.recent_window.as_millis()).unwrap_or(u64::MAX);
        let now = self.clock.now().as_millis();
        let start = Position { millis: now.saturating_sub(window), sequence: 0 };
        let position = start.min(bounds.last).max(bounds.trimmed_to);
        let place = Place { partition: number, era: Era::new(bounds.epoch), position };
        partition.start(place.clone());
        (place, bounds.last)
    }

    async fn in_time<T>(
        &self,
        wait: Duration,
        asking: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        timeout(wait + self.config.store_timeout, asking)
            .await
            .unwrap_or_else(|_elapsed| Err(StoreError { message: "no answer in time".to_owned() }))
    }

    /// Hands out the entries and returns the place of the last.
    fn publish(
        &self,
        partition: &Partition,
        place: &Place,
        chunk: Vec<(Position, Bytes)>,
    ) -> Position {
        let read_at = Instant::now();
        let up_to = chunk.last().map_or(place.position, |(position, _)| *position);
        let read = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        let mut entries = Vec::with_capacity(chunk.len());
        for (position, raw) in chunk {
            let place = Place { position, ..place.clone() };
            if let Some(entry) = decode(place, raw, read_at) {
                entries.push(entry);
            }
        }
        let oldest = entries.first().map(|entry| entry.head.time_us);
        let sent = partition.publish(entries, up_to);
        let lag = oldest
            .map(|time_us| self.clock.now().since(mesh::clock::Timestamp::from_micros(time_us)));
        metrics::published(read, sent, lag);
        up_to
    }
}

/// Opens an entry; one that cannot be read is left out, so that it does not stop the others.
fn decode(place: Place, raw: Bytes, read_at: Instant) -> Option<Arc<Entry>> {
    match wire::head_of(&raw) {
        Ok(head) => Some(Arc::new(Entry { place, head, raw, read_at })),
        Err(error) => {
            error!(
                error = chain(&error),
                partition = place.partition,
                millis = place.position.millis,
                sequence = place.position.sequence,
                "log entry cannot be read"
            );
            metrics::unreadable();
            None
        }
    }
}

/// Goes on after the reader's place has gone.
fn go_on(partition: &Partition, place: &mut Place, bounds: LogBounds) {
    let is_same = bounds.epoch == place.era.epoch;
    if !is_same {
        place.era = Era::new(bounds.epoch);
    }
    let loss = if is_same && place.position > bounds.last {
        // The store went back in time. What is left has been handed out.
        place.position = bounds.last;
        Loss::LogLost
    } else {
        place.position = bounds.trimmed_to;
        if is_same { Loss::TooOld } else { Loss::LogLost }
    };
    lose(partition, place, loss);
}

fn lose(partition: &Partition, place: &Place, loss: Loss) {
    warn!(
        partition = place.partition,
        reason = loss.reason(),
        born_millis = place.era.epoch.born_millis,
        "events were lost"
    );
    metrics::lost(loss);
    partition.lose(place.clone(), loss);
}

/// Whether a reader reaches the store, told to the hub when it changes.
struct Health<'a> {
    hub: &'a Hub,
    number: u32,
    is_failing: bool,
    backoff: Backoff,
}

impl<'a> Health<'a> {
    const fn new(hub: &'a Hub, number: u32) -> Self {
        let backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
        Self { hub, number, is_failing: false, backoff }
    }

    fn succeeded(&mut self) {
        if self.is_failing {
            self.is_failing = false;
            self.backoff.reset();
            self.hub.update(|status| status.unreachable -= 1);
            info!(partition = self.number, "store is back");
        }
    }

    /// Notes a failure and waits before the next attempt.
    async fn failed(&mut self, error: &StoreError) {
        if !self.is_failing {
            self.is_failing = true;
            self.hub.update(|status| status.unreachable += 1);
            warn!(error = chain(error), partition = self.number, "store does not answer");
        }
        sleep(self.backoff.next()).await;
    }
}
