//! Reading a log, at once or waiting for it to grow.
//!
//! # Why no entry is missed or mixed up
//!
//! A log's epoch, the place it was trimmed to and its last position stand in one
//! hash, which every script changes together with the stream. An epoch that has
//! passed never returns, and within an epoch the place trimmed to only advances.
//!
//! A read at once takes the hash and the entries in one script, so they belong
//! together. A read that waits sends `XREAD BLOCK` and, right behind it on the
//! same connection, the read of the hash, which the server answers after it. If
//! the hash then still has the reader's epoch, the entries were of that epoch; and
//! if its place has not been trimmed away *by then*, nothing was missing between
//! the place and the entries *before*. Otherwise the entries are thrown away.
//!
//! A new epoch deletes the stream, which does not end an `XREAD` that waits: the
//! reader learns it with the next entry, or when its wait is over. A reader that
//! goes on from where the last read of the partition ended waits at once; any
//! other is first told, by a read at once, whether its place still stands.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Script, Value};
use tokio::time::Instant;

use super::answer::{awaited_entries, bounds, entries, items, show_position};
use super::keys::Keys;
use super::link::{Again, Link, Request};
use super::scripts;
use crate::ledger::{
    Epoch, LogBounds, LogChunk, LogRead, Partition, Position, ReadFrom, StoreError,
};

/// Connections of blocking readers that are kept for the next read of a partition.
const IDLE_PER_PARTITION: usize = 2;

/// Keeps a deadline within what a clock can say.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// What the readers of a ledger keep between two reads.
#[derive(Debug, Default)]
pub(super) struct Readers(Mutex<HashMap<Partition, Kept>>);

#[derive(Debug, Default)]
struct Kept {
    idle: Vec<MultiplexedConnection>,
    /// Where the last read that was allowed to wait ended.
    tail: Option<(Epoch, Position)>,
}

impl Readers {
    fn is_tail(&self, partition: Partition, epoch: &Epoch, place: Position) -> bool {
        self.0
            .lock()
            .get(&partition)
            .and_then(|kept| kept.tail.as_ref())
            .is_some_and(|(tail_epoch, tail_place)| tail_epoch == epoch && *tail_place == place)
    }

    fn set_tail(&self, partition: Partition, tail: Option<(Epoch, Position)>) {
        self.0.lock().entry(partition).or_default().tail = tail;
    }

    fn take(&self, partition: Partition) -> Option<MultiplexedConnection> {
        self.0.lock().get_mut(&partition)?.idle.pop()
    }

    fn forget(&self, partition: Partition) {
        self.0.lock().remove(&partition);
    }

    fn put_back(&self, partition: Partition, connection: MultiplexedConnection) {
        let mut readers = self.0.lock();
        let idle = &mut readers.entry(partition).or_default().idle;
        if idle.len() < IDLE_PER_PARTITION {
            idle.push(connection);
        }
    }
}

/// What a read needs.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) link: &'a Link,
    pub(super) keys: &'a Keys,
    pub(super) readers: &'a Readers,
    pub(super) read_script: &'a Script,
    pub(super) partition: Partition,
    pub(super) limit: usize,
}

impl Reader<'_> {
    /// Reads; `None` when the log has no epoch yet.
    pub(super) async fn read(
        &self,
        from: &ReadFrom,
        wait: Duration,
    ) -> Result<Option<LogRead>, StoreError> {
        if wait.is_zero() {
            return Ok(self.read_at_once(from).await?.map(|(read, _)| read));
        }
        let deadline = Instant::now() + wait.min(LONGEST_WAIT);
        loop {
            let (epoch, place) = match from {
                ReadFrom::After(epoch, place) if self.is_tail(epoch, *place) => {
                    (epoch.clone(), *place)
                }
                _ => match self.read_at_once(from).await? {
                    // The log's end, since nothing comes after the reader's place.
                    Some((LogRead::Entries(chunk), end)) if chunk.entries.is_empty() => {
                        (chunk.epoch, end)
                    }
                    read => {
                        let read = read.map(|(read, _)| read);
                        self.note_tail(read.as_ref(), Position::default());
                        return Ok(read);
                    }
                },
            };
            let answer = match self.readers.take(self.partition) {
                None => self.wait_on(self.link.open_own().await?, place, deadline).await?,
                Some(idle) => match self.wait_on(idle, place, deadline).await {
                    Ok(answer) => answer,
                    Err(error) if Instant::now() >= deadline => return Err(error),
                    // It may have died while nobody used it, and the others that were idle with
                    // it. The store may be another one now: look before waiting.
                    Err(_) => {
                        self.readers.forget(self.partition);
                        continue;
                    }
                },
            };
            let read = Self::read_answer(answer, &epoch, place)?;
            let is_other_log = !matches!(&read, Some(LogRead::Entries(_)));
            if *from == ReadFrom::Oldest && is_other_log {
                // Whoever reads the oldest entries takes them from whatever epoch there is.
                return Ok(self.read_at_once(from).await?.map(|(read, _)| read));
            }
            self.note_tail(read.as_ref(), place);
            return Ok(read);
        }
    }

    /// Reads what there is, and tells where the log ends.
    async fn read_at_once(
        &self,
        from: &ReadFrom,
    ) -> Result<Option<(LogRead, Position)>, StoreError> {
        let start = match from {
            ReadFrom::After(_, place) => format!("({}", show_position(*place)),
            ReadFrom::Oldest => "-".to_owned(),
        };
        let keys = [self.keys.log(self.partition), self.keys.events(self.partition)];
        let mut command = scripts::run(self.read_script, &keys);
        command.arg(start).arg(self.limit);
        let request = Request::Script(self.read_script, command);
        let answer = self.link.ask(&request, Again::Harmless).await?;
        let [its_bounds, its_entries] = items(answer)?;
        let Some(its_bounds) = bounds(its_bounds)? else { return Ok(None) };
        let place = match from {
            ReadFrom::After(epoch, place) => Some((epoch, *place)),
            ReadFrom::Oldest => None,
        };
        let end = its_bounds.last;
        Ok(Some((judge(place, its_bounds, || entries(its_entries))?, end)))
    }

    /// What a read that waited at `place` was answered.
    fn read_answer(
        answer: Value,
        epoch: &Epoch,
        place: Position,
    ) -> Result<Option<LogRead>, StoreError> {
        let [its_entries, its_bounds] = items(answer)?;
        let Some(its_bounds) = bounds(its_bounds)? else { return Ok(None) };
        judge(Some((epoch, place)), its_bounds, || awaited_entries(its_entries)).map(Some)
    }

    /// Waits on this connection, which is kept for the next read if it served.
    async fn wait_on(
        &self,
        mut connection: MultiplexedConnection,
        place: Position,
        deadline: Instant,
    ) -> Result<Value, StoreError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut pipeline = redis::pipe();
        pipeline
            .cmd("XREAD")
            .arg("COUNT")
            .arg(self.limit)
            .arg("BLOCK")
            // Zero would be for ever.
            .arg(left.as_millis().max(1).to_string())
            .arg("STREAMS")
            .arg(self.keys.events(self.partition))
            .arg(show_position(place));
        pipeline.add_command(self.ask_bounds());
        let request = Request::Pipeline(pipeline);
        let answer = self.link.ask_and_wait(&mut connection, &request, left).await?;
        self.readers.put_back(self.partition, connection);
        Ok(answer)
    }

    fn is_tail(&self, epoch: &Epoch, place: Position) -> bool {
        self.readers.is_tail(self.partition, epoch, place)
    }

    /// Remembers where a read that began at `place` ended.
    fn note_tail(&self, read: Option<&LogRead>, place: Position) {
        let tail = match read {
            Some(LogRead::Entries(chunk)) => {
                let end = chunk.entries.last().map_or(place, |(position, _)| *position);
                Some((chunk.epoch.clone(), end))
            }
            _ => None,
        };
        self.readers.set_tail(self.partition, tail);
    }

    fn ask_bounds(&self) -> Cmd {
        let mut command = redis::cmd("HMGET");
        command.arg(self.keys.log(self.partition)).arg("epoch").arg("trimmed").arg("last");
        command
    }
}

/// What a reader at `place` is told of a log with these bounds.
fn judge(
    place: Option<(&Epoch, Position)>,
    bounds: LogBounds,
    entries: impl FnOnce() -> Result<Vec<(Position, bytes::Bytes)>, StoreError>,
) -> Result<LogRead, StoreError> {
    if let Some((epoch, place)) = place {
        if *epoch != bounds.epoch {
            return Ok(LogRead::EpochChanged(bounds.epoch));
        }
        if place < bounds.trimmed_to || place > bounds.last {
            return Ok(LogRead::Trimmed(bounds));
        }
    }
    Ok(LogRead::Entries(LogChunk { entries: entries()?, epoch: bounds.epoch }))
}
