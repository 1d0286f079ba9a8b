//! An engine, as far as the log is concerned.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use mesh::ledger::{
    Commit, CommitError, Committed, Ledger as _, Partition, Writer as Sender, partition_of,
};
use prost::Message as _;
use proto::switch::v1::LogEntry;

use super::Gate;

/// Writes events, one commit after another, and follows changes of the epoch.
pub(crate) struct Writer {
    ledger: Arc<Gate>,
    senders: HashMap<Partition, Sender>,
}

impl Writer {
    pub(crate) fn new(ledger: Arc<Gate>) -> Self {
        Self { ledger, senders: HashMap::new() }
    }

    /// Writes events of one partition in one commit.
    pub(crate) async fn write(&mut self, entries: &[LogEntry]) -> Committed {
        self.commit(entries, false).await
    }

    /// Writes events after others had to be dropped.
    pub(crate) async fn write_after_loss(&mut self, entries: &[LogEntry]) -> Committed {
        self.commit(entries, true).await
    }

    /// Writes bytes that are no event.
    pub(crate) async fn write_raw(&mut self, i_customer: i64, bytes: &'static [u8]) -> Committed {
        self.send(i_customer, vec![Bytes::from_static(bytes)], false).await
    }

    async fn commit(&mut self, entries: &[LogEntry], renew_epoch: bool) -> Committed {
        let events = entries.iter().map(|entry| Bytes::from(entry.encode_to_vec())).collect();
        self.send(entries[0].i_customer, events, renew_epoch).await
    }

    async fn send(&mut self, i_customer: i64, events: Vec<Bytes>, renew_epoch: bool) -> Committed {
        let partition = partition_of(i_customer, self.ledger.partitions());
        let sender = self.senders.entry(partition).or_insert_with(|| Sender {
            node: "n1".to_owned(),
            node_epoch: 1,
            sequence: 1,
            log_epoch: None,
        });
        loop {
            let commit = Commit {
                partition,
                writer: sender.clone(),
                require: Vec::new(),
                state: Vec::new(),
                index: Vec::new(),
                events: events.clone(),
                accounting: Vec::new(),
                renew_epoch,
            };
            match self.ledger.commit(&commit).await {
                Ok(committed) => {
                    sender.sequence += 1;
                    sender.log_epoch = Some(committed.epoch.clone());
                    return committed;
                }
                Err(CommitError::EpochChanged(epoch)) => {
                    sender.sequence = 1;
                    sender.log_epoch = Some(epoch);
                }
                Err(error) => panic!("commit failed: {error}"),
            }
        }
    }
}
