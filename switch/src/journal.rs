//! The engine's journal: accounting records on its disk until auth has made xDRs of them.
//!
//! What the store forgets is found here again: a Redis that was started empty, while auth was
//! away, has lost its accounting lists, and the journal fills them anew.
//!
//! # A segment
//!
//! Records are appended to segments, one file each. A segment is closed a few seconds after its
//! first record, so that it becomes short work to see it through:
//!
//! | a segment | what happens | next |
//! | --- | --- | --- |
//! | open | [`CLOSE_AFTER`] has passed, or it is large | closed |
//! | closed | auth has made xDRs of all its records | deleted |
//! | closed | auth misses some, and the store takes commits | these are committed again, after [`RESEND_AFTER`] and then each [`RESEND_EVERY`] |
//! | closed | auth or the store is away | waits |
//!
//! Segments of an earlier life of the process are closed ones. A record that comes twice makes one
//! xDR, so nothing has to be known of what was committed. A tail that was being written when the
//! process ended is left out: its commit had not begun, or is in the store.
//!
//! A record waits for its xDR behind those of older segments only as long as auth answers about
//! them, so a record that auth refuses for good is given up after [`GIVE_UP_AFTER`].

mod file;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mesh::Clock;
use mesh::clock::Timestamp;
use mesh::health::Component;
use mesh::ledger::partition_of;
use prost::Message as _;
use proto::switch::v1::AccountingRecord;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::file::{Appending, segments_in};
use crate::outbox::{Batch, Outbox};

/// How long a segment takes records.
const CLOSE_AFTER: Duration = Duration::from_secs(3);

/// Bytes from which on a segment is closed sooner.
const LARGE: u64 = 256 * 1024;

/// Time between two looks at the closed segments.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Time from a segment's end until what auth misses of it is committed again.
const RESEND_AFTER: Duration = Duration::from_secs(5);

/// Time between two commits of the same record.
const RESEND_EVERY: Duration = Duration::from_secs(30);

/// How long auth may go on to miss a record that it was given again and again.
const GIVE_UP_AFTER: Duration = Duration::from_hours(72);

/// Records about which auth is asked at a time.
const ASK: usize = 500;

/// Segments that are looked at in one turn.
const PER_TURN: usize = 20;

/// Records that may wait to be written.
const WAITING: usize = 16_384;

/// Who knows what has become of accounting records.
#[async_trait]
pub trait Accounted: Send + Sync + std::fmt::Debug + 'static {
    /// True for each record that has become an xDR; `None` when nobody answers.
    async fn accounted(&self, records: &[AccountingRecord]) -> Option<Vec<bool>>;
}

/// Takes the engine's records. Clones share it.
#[derive(Clone, Debug)]
pub struct Journal {
    records: mpsc::Sender<Bytes>,
}

/// Writes records and sees them through.
#[derive(Debug)]
pub struct Keeper {
    folder: PathBuf,
    records: mpsc::Receiver<Bytes>,
    outboxes: Vec<Outbox>,
    auth: Arc<dyn Accounted>,
    clock: Clock,
    open: Option<Appending>,
    closed: VecDeque<Segment>,
    next: u64,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    /// When its records were committed again.
    sent: Option<Timestamp>,
    /// When it was closed, or found.
    since: Timestamp,
}

impl Journal {
    /// The journal in `folder`, which is made when it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(
        folder: PathBuf,
        outboxes: Vec<Outbox>,
        auth: Arc<dyn Accounted>,
        clock: Clock,
    ) -> io::Result<(Self, Keeper)> {
        let now = clock.now();
        let found = segments_in(&folder)?;
        let next = found.last().map_or(1, |(number, _)| number + 1);
        let closed = found.into_iter().map(|(_, path)| Segment { path, sent: None, since: now });
        let (records, written) = mpsc::channel(WAITING);
        let keeper = Keeper {
            folder,
            records: written,
            outboxes,
            auth,
            closed: closed.collect(),
            clock,
            open: None,
            next,
        };
        Ok((Self { records }, keeper))
    }

    /// Has records written. They are on their way to the store as well, so when the disk is too
    /// slow for them they are left to that.
    pub(crate) fn note(&self, records: &[Bytes]) {
        for record in records {
            if self.records.try_send(record.clone()).is_err() {
                tracing::error!("accounting record is not in the journal, the disk is too slow");
            }
        }
    }
}

impl Keeper {
    /// Writes and sees through until `stop`, and then writes what is left.
    pub async fn run(mut self, health: Component, stop: CancellationToken) {
        health.ready();
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                biased;
                count = self.records.recv_many(&mut batch, ASK) => {
                    if count == 0 {
                        return;
                    }
                    self.write(&mut batch, &health).await;
                }
                _ = looks.tick() => self.look().await,
                () = stop.cancelled() => {
                    self.records.close();
                    while self.records.recv_many(&mut batch, ASK).await > 0 {
                        self.write(&mut batch, &health).await;
                    }
                    return;
                }
            }
        }
    }

    async fn write(&mut self, batch: &mut Vec<Bytes>, health: &Component) {
        match self.append(batch).await {
            Ok(()) => health.ready(),
            Err(error) => {
                tracing::error!(%error, "accounting records are not in the journal");
                health.degraded("the journal cannot be written: records are in the store alone");
                self.close();
            }
        }
        batch.clear();
    }

    async fn append(&mut self, batch: &[Bytes]) -> io::Result<()> {
        let open = match &mut self.open {
            Some(open) => open,
            open @ None => {
                let path = file::path(&self.folder, self.next);
                self.next += 1;
                open.insert(Appending::create(path, self.clock.now()).await?)
            }
        };
        open.append(batch).await
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            let since = self.clock.now();
            self.closed.push_back(Segment { path: open.path, sent: None, since });
        }
    }

    /// Closes the open segment when it is time, and sees the oldest closed ones through.
    async fn look(&mut self) {
        let now = self.clock.now();
        let is_due = |open: &Appending| now.since(open.began) >= CLOSE_AFTER || open.bytes >= LARGE;
        if self.open.as_ref().is_some_and(is_due) {
            self.close();
        }
        for _ in 0..self.closed.len().min(PER_TURN) {
            let Some(mut segment) = self.closed.pop_front() else { return };
            match self.see_through(&mut segment, now).await {
                Seen::Done => {}
                Seen::Waits => self.closed.push_back(segment),
                Seen::NoAnswer => {
                    self.closed.push_front(segment);
                    return;
                }
            }
        }
    }

    async fn see_through(&self, segment: &mut Segment, now: Timestamp) -> Seen {
        let records = match file::read(&segment.path).await {
            Ok(records) => records,
            Err(error) => {
                tracing::error!(%error, "a segment of the journal cannot be read");
                return Seen::Waits;
            }
        };
        let mut missed = Vec::new();
        for records in records.chunks(ASK) {
            let Some(accounted) = self.auth.accounted(records).await else {
                return Seen::NoAnswer;
            };
            let known = accounted.into_iter().chain(std::iter::repeat(false));
            let unknown = records.iter().zip(known).filter(|(_, is_known)| !is_known);
            missed.extend(unknown.map(|(record, _)| record));
        }
        let is_given_up = now.since(segment.since) >= GIVE_UP_AFTER;
        if missed.is_empty() || is_given_up {
            if is_given_up {
                tracing::error!(count = missed.len(), "accounting records were never taken");
            }
            return match tokio::fs::remove_file(&segment.path).await {
                Ok(()) => Seen::Done,
                Err(error) => {
                    tracing::error!(%error, "a segment of the journal cannot be removed");
                    Seen::Waits
                }
            };
        }
        // Auth takes a moment itself: what has just been committed is not sent once more.
        let is_due = match segment.sent {
            None => now.since(segment.since) >= RESEND_AFTER,
            Some(sent) => now.since(sent) >= RESEND_EVERY,
        };
        if is_due && self.outboxes.iter().all(Outbox::is_flowing) {
            tracing::warn!(count = missed.len(), "accounting records are committed again");
            segment.sent = Some(now);
            self.send_again(&missed);
        }
        Seen::Waits
    }

    fn send_again(&self, records: &[&AccountingRecord]) {
        let partitions = u32::try_from(self.outboxes.len()).unwrap_or(1);
        for record in records {
            let partition = partition_of(record.i_customer, partitions) as usize;
            if let Some(outbox) = self.outboxes.get(partition) {
                let accounting = vec![Bytes::from(record.encode_to_vec())];
                drop(outbox.push(Batch { accounting, ..Batch::default() }));
            }
        }
    }
}

enum Seen {
    Done,
    Waits,
    NoAnswer,
}
