//! Holds a partition, and brings what is to be posted from its log to the desk.
//!
//! | state | event | next |
//! | --- | --- | --- |
//! | waiting | the store gives the partition to us | serving, from the noted place on |
//! | waiting | another has it, or the store is away | waiting |
//! | serving | the hub has read something to be posted | serving; it is read up to there |
//! | serving | a second has passed, and the place has moved or the hold is to be renewed | serving; the place is noted |
//! | serving | another has it, or it was not renewed in time | waiting; what waits is forgotten |
//! | any | stop, and nothing is in flight any more | over; the place is noted, the partition given back |
//!
//! While nothing is to be posted nothing is read: the hub has seen that.

use std::time::Duration;

use bytes::Bytes;
use mesh::client::jitter;
use mesh::clock::Timestamp;
use mesh::fault::chain;
use mesh::ledger::{LogRead, Position, ReadFrom, StoreError};
use mesh::outward::Rules;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Webhooks;
use super::post::posts_of;
use crate::domain::entry::{Era, Place};
use crate::hub::Partition;
use crate::wire;

/// What is held.
const NAME: &str = "webhooks";

/// Shortest time between two notes of the place.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// Entries read at a time.
const PAGE: usize = 256;

pub(super) struct Follower<'a> {
    webhooks: &'a Webhooks,
    partition: &'a Partition,
    stop: CancellationToken,
    /// Nothing is in flight any more.
    drained: CancellationToken,
    /// Counts the lives of the log.
    life: u64,
}

/// How a partition is being served.
struct Serving {
    /// Everything up to here is at the desk or done.
    place: Place,
    noted: Bytes,
    noted_at: Instant,
}

impl<'a> Follower<'a> {
    pub(super) fn new(
        webhooks: &'a Webhooks,
        partition: &'a Partition,
        stop: CancellationToken,
        drained: CancellationToken,
    ) -> Self {
        Self { webhooks, partition, stop, drained, life: 0 }
    }

    pub(super) async fn run(mut self) {
        let stop = self.stop.clone();
        while !stop.is_cancelled() {
            let asked = Instant::now();
            let pause = match self.hold(None).await {
                Ok(Some(note)) => {
                    self.webhooks.desk.begin(self.partition.number, self.until(asked));
                    self.serve(note).await;
                    self.webhooks.desk.let_go(self.partition.number);
                    jitter(NOTE_EVERY)
                }
                Ok(None) => jitter(self.webhooks.config.lease / 3),
                Err(error) => {
                    debug!(error = chain(&error), "webhooks wait for the store");
                    jitter(NOTE_EVERY)
                }
            };
            stop.run_until_cancelled(sleep(pause)).await;
        }
    }

    async fn serve(&mut self, note: Bytes) {
        let number = self.partition.number;
        self.life += 1;
        let Some(place) = self.begin(&note).await else { return };
        info!(partition = number, "sends the webhooks of a partition");
        let mut serving = Serving { place, noted: note, noted_at: Instant::now() };
        let stop = self.stop.clone();
        while !stop.is_cancelled() {
            if let Err(error) = self.read_on(&mut serving).await {
                debug!(error = chain(&error), "webhooks wait for the store");
            }
            // When the hold was over others may have gone on, from the place noted last.
            let Some(note) = self.note_of(&serving.place) else { return };
            let is_news = note != serving.noted;
            let since = serving.noted_at.elapsed();
            if since >= self.webhooks.config.lease / 3 || (is_news && since >= NOTE_EVERY) {
                match self.renew(&mut serving, note).await {
                    Ok(true) => {}
                    Ok(false) => {
                        warn!(partition = number, "another sends the webhooks of a partition");
                        return;
                    }
                    Err(error) => debug!(error = chain(&error), "webhooks wait for the store"),
                }
            }
            tokio::select! {
                () = self.partition.called() => {}
                () = sleep(NOTE_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
        self.drained.cancelled().await;
        let giving = self.ask(Duration::ZERO, self.note_of(&serving.place));
        if let Err(error) = giving.await {
            debug!(error = chain(&error), "webhooks of a partition were not given back");
        }
    }

    /// Where to go on: as noted, or in a log that nobody has served yet at its beginning.
    async fn begin(&self, note: &Bytes) -> Option<Place> {
        let partition = self.partition.number;
        if let Some((era, position)) = read_note(note) {
            return Some(Place { partition, era: Era::new(era), position });
        }
        let asking = self.webhooks.ledger.log_bounds(partition);
        match self.in_time(asking).await {
            Ok(bounds) => {
                let era = Era::new(bounds.epoch);
                Some(Place { partition, era, position: bounds.trimmed_to })
            }
            Err(error) => {
                debug!(error = chain(&error), "webhooks wait for the store");
                None
            }
        }
    }

    /// Brings everything up to where the hub has read to the desk.
    async fn read_on(&mut self, serving: &mut Serving) -> Result<(), StoreError> {
        let number = self.partition.number;
        loop {
            let Some(outlook) = self.partition.outlook(&serving.place) else { return Ok(()) };
            if outlook.is_over {
                return Ok(());
            }
            if outlook.has_no_callbacks {
                serving.place = outlook.place;
                return Ok(());
            }
            let from = ReadFrom::After(serving.place.era.epoch.clone(), serving.place.position);
            let reading = self.webhooks.ledger.read_log(number, &from, PAGE, Duration::ZERO);
            match self.in_time(reading).await? {
                LogRead::Entries(chunk) => {
                    if chunk.entries.is_empty() {
                        return Ok(());
                    }
                    for (position, raw) in chunk.entries {
                        serving.place.position = position;
                        self.take(&serving.place, &raw);
                    }
                }
                LogRead::EpochChanged(epoch) => {
                    warn!(partition = number, "log was lost, webhooks go on with the new one");
                    self.life += 1;
                    serving.place.era = Era::new(epoch);
                    serving.place.position = Position::default();
                }
                LogRead::Trimmed(bounds) => {
                    warn!(partition = number, "log does not reach back, webhooks were lost");
                    let is_beyond = serving.place.position > bounds.last;
                    serving.place.position =
                        if is_beyond { bounds.last } else { bounds.trimmed_to };
                    if serving.place.era.epoch != bounds.epoch {
                        self.life += 1;
                        serving.place.era = Era::new(bounds.epoch);
                    }
                }
            }
        }
    }

    fn take(&self, place: &Place, raw: &Bytes) {
        let Ok(head) = wire::head_of(raw) else { return };
        if !head.has_callbacks {
            return;
        }
        let webhooks = self.webhooks;
        let rules = Rules { allow_private: webhooks.config.allow_private };
        let age = webhooks.clock.now().since(Timestamp::from_micros(head.time_us));
        let until = Instant::now() + webhooks.config.retry_for.saturating_sub(age);
        for post in posts_of(raw, place, self.life, rules) {
            webhooks.desk.push(post, until);
        }
    }

    /// Notes the place and keeps the partition; false when another has it, or may have had it.
    async fn renew(&self, serving: &mut Serving, note: Bytes) -> Result<bool, StoreError> {
        let asked = Instant::now();
        serving.noted_at = asked;
        // Another note than this one was written by another who had it meanwhile.
        if self.hold(Some(note.clone())).await?.as_ref() != Some(&note) {
            return Ok(false);
        }
        serving.noted = note;
        Ok(self.webhooks.desk.extend(self.partition.number, self.until(asked)))
    }

    /// Until when attempts may begin, to end within the hold that was asked for at `asked`.
    fn until(&self, asked: Instant) -> Instant {
        let config = &self.webhooks.config;
        asked + config.lease.saturating_sub(config.attempt_timeout)
    }

    async fn hold(&self, note: Option<Bytes>) -> Result<Option<Bytes>, StoreError> {
        self.ask(self.webhooks.config.lease, note).await
    }

    async fn ask(&self, ttl: Duration, note: Option<Bytes>) -> Result<Option<Bytes>, StoreError> {
        let Webhooks { ledger, holder, .. } = self.webhooks;
        self.in_time(ledger.hold(self.partition.number, NAME, holder, ttl, note)).await
    }

    /// Up to where everything is done, as it is noted; `None` when the hold was over.
    fn note_of(&self, place: &Place) -> Option<Bytes> {
        let open = self.webhooks.desk.first_open(self.partition.number, self.life).ok()?;
        let done = open.map_or(place.position, before);
        Some(Bytes::from(format!("{} {}-{}", place.era.epoch, done.millis, done.sequence)))
    }

    async fn in_time<T>(
        &self,
        asking: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        timeout(self.webhooks.store_timeout, asking)
            .await
            .unwrap_or_else(|_elapsed| Err(StoreError { message: "no answer in time".to_owned() }))
    }
}

/// The position just before.
fn before(position: Position) -> Position {
    match position {
        Position { millis, sequence: 0 } => {
            Position { millis: millis.saturating_sub(1), sequence: u64::MAX }
        }
        Position { millis, sequence } => Position { millis, sequence: sequence - 1 },
    }
}

/// Reads what [`Follower::note_of`] wrote.
fn read_note(note: &Bytes) -> Option<(mesh::ledger::Epoch, Position)> {
    let text = std::str::from_utf8(note).ok()?;
    let (epoch, position) = text.split_once(' ')?;
    let (millis, sequence) = position.split_once('-')?;
    let position = Position { millis: millis.parse().ok()?, sequence: sequence.parse().ok()? };
    Some((epoch.parse().ok()?, position))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_reads_as_it_was_written() {
        let epoch = mesh::ledger::Epoch { born_millis: 5, nonce: 6 };
        let note = Bytes::from(format!("{epoch} 7-8"));

        assert_eq!(read_note(&note), Some((epoch, Position { millis: 7, sequence: 8 })));
        assert_eq!(read_note(&Bytes::new()), None);
    }

    #[test]
    fn nothing_lies_between_a_position_and_the_one_before() {
        let at = |millis, sequence| Position { millis, sequence };
        assert_eq!(before(at(5, 3)), at(5, 2));
        assert_eq!(before(at(5, 0)), at(4, u64::MAX));
    }
}
