//! Ends the conferences of a node that is gone.

use bytes::Bytes;
use prost::Message as _;
use proto::call::v1::ConferenceRef;
use proto::conference::v1::ConferenceState;
use proto::switch::v1::{ConferenceEvent, ConferenceRecord, LogEntry, log_entry};

use super::{ATTEMPTS, PAGE, Sweep, SweepError};
use crate::clock::Timestamp;
use crate::conferences_index::{self, Index};
use crate::ledger::{Commit, CommitError, Partition, Writer};

impl Sweep<'_> {
    /// Ends what goes on of the node's conferences in a partition; their legs have been ended.
    pub(super) async fn end_conferences(
        &self,
        partition: Partition,
        writer: &mut Writer,
    ) -> Result<(), SweepError> {
        let index = Index::Node(self.node).to_string();
        // Those that are not ended stay in the index.
        let mut passed = 0;
        loop {
            let page = self.ledger.page(partition, &index, passed, PAGE).await?;
            self.check_gone().await?;
            if page.records.is_empty() {
                return Ok(());
            }
            for (key, value) in page.records {
                let record = ConferenceRecord::decode(value).ok().filter(goes_on);
                let Some(record) = record else {
                    tracing::error!(key, "record of a conference cannot be ended");
                    passed += 1;
                    continue;
                };
                let id = record.conference.as_ref().map(|it| it.i_conference.as_str());
                if id.is_some_and(|id| self.kept.conferences.contains(id)) {
                    passed += 1;
                    continue;
                }
                self.end_conference(partition, &key, &record, writer).await?;
            }
        }
    }

    async fn end_conference(
        &self,
        partition: Partition,
        key: &str,
        record: &ConferenceRecord,
        writer: &mut Writer,
    ) -> Result<(), SweepError> {
        for _ in 0..ATTEMPTS {
            let commit = ending(partition, writer.clone(), key, record, self.clock.now());
            match self.send(&commit).await {
                Ok(done) => {
                    writer.sequence += 1;
                    writer.log_epoch = Some(done.epoch);
                    return Ok(());
                }
                // It is gone.
                Err(CommitError::Conflict) => return Ok(()),
                Err(CommitError::EpochChanged(epoch)) => {
                    writer.sequence = 1;
                    writer.log_epoch = Some(epoch);
                }
                Err(error @ (CommitError::Fenced | CommitError::Unavailable(_))) => {
                    return Err(SweepError::Commit(error));
                }
            }
        }
        Err(SweepError::Commit(CommitError::Conflict))
    }
}

pub(super) fn goes_on(record: &ConferenceRecord) -> bool {
    record.conference.as_ref().is_some_and(|it| it.state() == ConferenceState::Active)
}

fn ending(
    partition: Partition,
    writer: Writer,
    key: &str,
    record: &ConferenceRecord,
    now: Timestamp,
) -> Commit {
    let ended = conferences_index::ended(record, now);
    let (state, index) = conferences_index::changes(&ended);
    Commit {
        partition,
        writer,
        require: vec![key.to_owned()],
        state: vec![state],
        index,
        events: vec![told(&ended, now)],
        accounting: Vec::new(),
        renew_epoch: false,
    }
}

/// The event that tells of it.
fn told(ended: &ConferenceRecord, now: Timestamp) -> Bytes {
    let conference = ended.conference.clone().unwrap_or_default();
    let event = ConferenceEvent {
        conference: Some(ConferenceRef {
            i_conference: conference.i_conference,
            name: conference.name,
        }),
        event: "ended".to_owned(),
        ..ConferenceEvent::default()
    };
    let entry = LogEntry {
        i_customer: conference.i_customer,
        i_reseller: ended.i_reseller,
        i_accounts: ended.i_accounts.clone(),
        time_us: now.as_micros(),
        body: Some(log_entry::Body::ConferenceEvent(event)),
        ..LogEntry::default()
    };
    entry.encode_to_vec().into()
}
