//! The one way from the engine to the store: an ordered, bounded queue per
//! partition and the task that commits it.
//!
//! | the store | the outbox |
//! | --- | --- |
//! | answers | commits what has queued up, oldest first, several transitions at a time |
//! | is away | keeps the commit under way, to be sent again unchanged, and queues |
//! | says nothing, since nothing is written | is asked each second whether it still has everything |
//! | is away for too long | folds the queue into the newest state of each leg; the log gets a new epoch when the store is back, so that readers are told of the gap; calls that came and went meanwhile leave nothing |
//! | has lost something, or came back empty | writes the commit under way and every living leg again, under the new epoch |
//! | says that this node is fenced | stops for good; the engine hangs up what it still has |

mod conferences;
mod queue;
mod record;
#[cfg(test)]
mod tests;
mod traces;

use std::sync::Arc;
use std::time::Duration;

use mesh::Clock;
use mesh::calls_index::Index;
use mesh::ledger::{Commit, CommitError, Committed, Epoch, Ledger, Partition, Writer};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::queue::{Queue, Records, Work};
use self::record::Record;
use crate::metrics;

pub use self::queue::Batch;

/// Bounds of an outbox.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes that may queue before the queue is folded.
    pub max_bytes: usize,
    /// Events that one commit carries at most.
    pub commit_events: usize,
}

/// The engine's side: takes what is to be written.
#[derive(Clone, Debug)]
pub struct Outbox {
    queue: Arc<Queue>,
}

impl Outbox {
    /// An empty outbox.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self { queue: Arc::new(Queue::new(bounds)) }
    }

    /// Queues one transition's outcome. The receiver is told when it is in the store, or as soon
    /// as it is known that the store is away: then it will be there later.
    #[must_use = "drop it when nobody waits"]
    pub fn push(&self, batch: Batch) -> oneshot::Receiver<()> {
        self.queue.push(batch)
    }

    /// True while the store takes commits.
    #[must_use]
    pub fn is_flowing(&self) -> bool {
        self.queue.is_flowing()
    }

    /// Bytes, about, that wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// Says whether somebody writes it and gets through: otherwise nobody waits for what is
    /// pushed.
    pub fn set_flowing(&self, flowing: bool) {
        self.queue.set_flowing(flowing);
    }

    /// Waits until everything is in the store.
    pub async fn drained(&self) {
        self.queue.drained().await;
    }

    /// Forgets everything: the node is fenced.
    pub fn clear(&self) {
        self.queue.clear();
    }
}

/// What ended a writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// The node is fenced: it must write nothing more.
    Fenced,
}

/// Commits one outbox under one node epoch.
#[derive(Debug)]
pub struct Writing {
    /// The store.
    pub ledger: Arc<dyn Ledger>,
    /// The partition.
    pub partition: Partition,
    /// This node.
    pub node: String,
    /// Its lease.
    pub node_epoch: u64,
    /// Wall time, for the entries that repeat a leg's state.
    pub clock: Clock,
}

/// Time without events after which the store is asked whether it still has everything.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Shortest pause between two tries.
const MIN_BACKOFF: Duration = Duration::from_millis(10);

/// Longest pause between two tries.
const MAX_BACKOFF: Duration = Duration::from_millis(500);

impl Writing {
    /// Commits until stopped or fenced. What has queued up before the stop is still tried once.
    pub async fn run(self, outbox: Outbox, stop: CancellationToken) -> Ended {
        let queue = outbox.queue;
        let mut sequence = 0;
        let mut log_epoch: Option<Epoch> = None;
        loop {
            let work = tokio::select! {
                biased;
                work = queue.next(&self.clock) => work,
                () = stop.cancelled() => return Ended::Stopped,
                // An empty commit finds out what the store has lost while nothing happened.
                () = tokio::time::sleep(ASK_EVERY), if queue.has_living() => Work::default(),
            };
            sequence += 1;
            let mut commit = self.commit(&work, sequence, log_epoch.clone());
            match self.send(&queue, &mut commit, &stop).await {
                Sent::Done(epoch) => log_epoch = Some(epoch),
                Sent::EpochChanged(epoch) => {
                    match self.write_again(&queue, &work, epoch, &stop).await {
                        Ok((epoch, last_sequence)) => {
                            log_epoch = Some(epoch);
                            sequence = last_sequence;
                        }
                        Err(ended) => return ended,
                    }
                }
                Sent::Ended(ended) => return ended,
            }
            queue.finished();
        }
    }

    fn commit(&self, work: &Work, sequence: u64, log_epoch: Option<Epoch>) -> Commit {
        let (mut state, mut index) = (work.state.clone(), work.index.clone());
        for conference in &work.conferences {
            let (record, places) = mesh::conferences_index::changes(conference);
            state.push(record);
            index.extend(places);
        }
        Commit {
            partition: self.partition,
            writer: Writer {
                node: self.node.clone(),
                node_epoch: self.node_epoch,
                sequence,
                log_epoch,
            },
            require: Vec::new(),
            state,
            index,
            events: work.events.clone(),
            accounting: work.accounting.clone(),
            renew_epoch: work.after_gap,
        }
    }

    /// Sends one commit until the store has decided on it.
    async fn send(&self, queue: &Queue, commit: &mut Commit, stop: &CancellationToken) -> Sent {
        let mut pause = MIN_BACKOFF;
        loop {
            match self.attempt(commit).await {
                Ok(committed) => {
                    queue.set_flowing(true);
                    return Sent::Done(committed.epoch);
                }
                Err(CommitError::EpochChanged(epoch)) => return Sent::EpochChanged(epoch),
                Err(CommitError::Fenced) => return Sent::Ended(Ended::Fenced),
                Err(CommitError::Conflict) => {
                    tracing::error!(partition = self.partition, "store refused a commit");
                    return Sent::Done(
                        commit
                            .writer
                            .log_epoch
                            .clone()
                            .unwrap_or(Epoch { born_millis: 0, nonce: 0 }),
                    );
                }
                Err(CommitError::Unavailable(error)) => {
                    if queue.is_flowing() {
                        tracing::warn!(
                            partition = self.partition,
                            error = %error,
                            "store is away, events wait"
                        );
                    }
                    queue.set_flowing(false);
                }
            }
            if stop.is_cancelled() {
                return Sent::Ended(Ended::Stopped);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(MAX_BACKOFF);
        }
    }

    async fn attempt(&self, commit: &Commit) -> Result<Committed, CommitError> {
        let began = Instant::now();
        let committed = match traces::span_of(commit) {
            Some((span, parent)) => {
                mesh::trace::in_span(span, Some(parent), self.ledger.commit(commit)).await
            }
            None => self.ledger.commit(commit).await,
        };
        metrics::COMMIT_DURATION.record(began.elapsed(), []);
        let outcome = match &committed {
            Ok(_) => "done",
            Err(CommitError::EpochChanged(_)) => "epoch_changed",
            Err(CommitError::Fenced) => "fenced",
            Err(CommitError::Conflict) => "conflict",
            Err(CommitError::Unavailable(_)) => "unavailable",
        };
        metrics::COMMITS.add(1, [outcome]);
        if committed.is_ok() {
            metrics::COMMITTED_EVENTS.add(commit.events.len() as u64, []);
        }
        committed
    }

    /// The store has another epoch than we knew: writes the work under way and then every living
    /// leg again, in as many commits as it takes. Begins anew when the epoch changes meanwhile.
    async fn write_again(
        &self,
        queue: &Queue,
        work: &Work,
        mut epoch: Epoch,
        stop: &CancellationToken,
    ) -> Result<(Epoch, u64), Ended> {
        tracing::warn!(partition = self.partition, "log has a new epoch, calls are written again");
        'anew: loop {
            let now = self.clock.now();
            let mut sequence = 0;
            let found = self.found(stop).await?;
            let strangers = queue.without_strangers(&found);
            let first = Work {
                events: work.events.clone(),
                accounting: work.accounting.clone(),
                conferences: work.conferences.clone(),
                ..strangers
            };
            let living = queue.living();
            let chunks = std::iter::once(first).chain(queue.living_conferences()).chain(
                living.chunks(SNAPSHOT_LEGS).map(|legs| queue.everything(legs, &found, now)),
            );
            for chunk in chunks.filter(|chunk| !chunk.is_empty()) {
                sequence += 1;
                let mut commit = self.commit(&chunk, sequence, Some(epoch.clone()));
                match self.send(queue, &mut commit, stop).await {
                    Sent::Done(same) => epoch = same,
                    Sent::EpochChanged(newer) => {
                        epoch = newer;
                        continue 'anew;
                    }
                    Sent::Ended(ended) => return Err(ended),
                }
            }
            return Ok((epoch, sequence));
        }
    }

    /// What the store has under this node's name.
    async fn found(&self, stop: &CancellationToken) -> Result<Records, Ended> {
        let index = Index::Node(&self.node).to_string();
        let mut found = Records::new();
        let mut offset = 0;
        let mut pause = MIN_BACKOFF;
        loop {
            match self.ledger.page(self.partition, &index, offset, PAGE).await {
                Ok(page) => {
                    let records = page.records.into_iter();
                    found.extend(records.filter_map(|(key, value)| {
                        let record = Record::read(&key, value)?;
                        Some((key, record))
                    }));
                    offset += PAGE;
                    if offset >= page.total {
                        return Ok(found);
                    }
                }
                Err(_) if stop.is_cancelled() => return Err(Ended::Stopped),
                Err(_) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_BACKOFF);
                }
            }
        }
    }
}

/// Legs that one commit of a snapshot carries.
const SNAPSHOT_LEGS: usize = 200;

/// Records read at a time.
const PAGE: u64 = 500;

/// What became of a commit.
enum Sent {
    Done(Epoch),
    EpochChanged(Epoch),
    Ended(Ended),
}
