//! Makes xDRs of the accounting records that switches leave in the ledger.
//!
//! Each partition's list is read from its beginning, and what was read is trimmed after the one
//! SQL transaction that wrote the xDRs, the balances and the place in the list. So whatever stops
//! half-way is done again from there, and done again it changes nothing: a charge is known by leg,
//! payer and service. Several instances may read the same list at a time; of each charge one of
//! them writes the xDR.
//!
//! | what | then |
//! | --- | --- |
//! | the ledger is away, or the database | the records stay where they are; tried again each turn |
//! | the process ends before the transaction | as if nothing had been read |
//! | the process ends before the trimming | the place in SQL says that they only have to be trimmed |
//! | a record that cannot be read, or of an account that is not there | counted and reported, and passed by |

use std::sync::Arc;
use std::time::Duration;

use mesh::Clock;
use mesh::health::Component;
use mesh::ledger::{Ledger, LogChunk, Partition, Position};
use prost::Message as _;
use proto::switch::v1::AccountingRecord;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::domain::accounting::{Charge, Reached};
use crate::domain::directory::{Directory, StoreError};
use crate::metrics;
use crate::wire;

/// Time between two looks at the lists: an xDR is there well within two seconds.
const TURN: Duration = Duration::from_millis(200);

/// Records that one transaction takes in at most.
const BATCH: usize = 200;

/// How long reading a list may take when the service stops.
const LAST: Duration = Duration::from_secs(1);

/// Time between two removals of reservations that are over.
const RELEASE_EVERY: Duration = Duration::from_mins(1);

/// Reads the lists of all partitions.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) clock: Clock,
}

/// Why a list was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The database.
    #[error("the directory failed")]
    Directory(#[from] StoreError),
    /// The ledger.
    #[error("the ledger failed")]
    Ledger(#[from] mesh::ledger::StoreError),
}

impl Reader {
    /// Reads until `stop`, one partition after the other.
    pub(crate) async fn run(self, health: Component, stop: CancellationToken) {
        let mut turns = tokio::time::interval(TURN);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut release_at = self.clock.now();
        let mut is_ready = true;
        health.ready();
        while stop.run_until_cancelled(turns.tick()).await.is_some() {
            let mut failed = None;
            for partition in 0..self.ledger.partitions() {
                failed = self.drain(partition).await.err().or(failed);
            }
            let now = self.clock.now();
            if now >= release_at {
                release_at = now.plus(RELEASE_EVERY);
                let released = self.directory.release_expired(now).await;
                failed = released.err().map(ReadError::from).or(failed);
            }
            match failed {
                None if !is_ready => {
                    is_ready = true;
                    health.ready();
                }
                Some(failure) if is_ready => {
                    is_ready = false;
                    warn!(error = mesh::fault::chain(&failure), "accounting records wait");
                    health.degraded("accounting records wait for the store or the database");
                }
                None | Some(_) => {}
            }
        }
        // Calls that ended with the process have left their records just now.
        for partition in 0..self.ledger.partitions() {
            if tokio::time::timeout(LAST, self.drain(partition)).await.is_err() {
                return;
            }
        }
    }

    /// Takes in what a partition's list has now.
    async fn drain(&self, partition: Partition) -> Result<(), ReadError> {
        loop {
            let chunk = self.ledger.read_accounting(partition, Position::default(), BATCH).await?;
            let Some((last, _)) = chunk.entries.last() else { return Ok(()) };
            let (last, count) = (*last, chunk.entries.len());
            self.take_in(partition, chunk).await?;
            self.ledger.trim_accounting(partition, last).await?;
            if count < BATCH {
                return Ok(());
            }
        }
    }

    async fn take_in(&self, partition: Partition, chunk: LogChunk) -> Result<(), ReadError> {
        let epoch = chunk.epoch;
        let before = self.directory.reached(partition).await?;
        // Positions of one epoch rise, and the place was written with the xDRs before it.
        let done = before.filter(|before| before.epoch == epoch).map(|before| before.position);
        let new: Vec<_> = chunk
            .entries
            .into_iter()
            .filter(|(position, _)| done.is_none_or(|done| *position > done))
            .collect();
        let Some((position, _)) = new.last() else { return Ok(()) };
        let reached = Reached { partition, epoch, position: *position };
        let charges: Vec<Charge> = new.iter().filter_map(|(_, entry)| charge(entry)).collect();
        let unreadable = new.len() - charges.len();
        let written = self.directory.write_xdrs(&charges, &reached).await?;
        if unreadable + written.orphaned > 0 {
            error!(
                partition,
                unreadable,
                without_account = written.orphaned,
                "accounting records of which no xDR can be made"
            );
        }
        metrics::accounted("written", written.new);
        metrics::accounted("repeated", written.repeated);
        metrics::accounted("refused", unreadable + written.orphaned);
        Ok(())
    }
}

/// A record as the charge that it is; `None` when it makes no sense.
fn charge(entry: &[u8]) -> Option<Charge> {
    wire::charge(AccountingRecord::decode(entry).ok()?).ok()
}
