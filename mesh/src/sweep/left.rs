//! Reads what a process of a node has left in the store, for the next one.

use prost::Message as _;
use proto::switch::v1::{ConferenceRecord, LegRecord};

use super::{PAGE, SweepError, conferences, read};
use crate::ledger::{Ledger, Partition};
use crate::{calls_index, conferences_index, phones_index};

/// What lies in the store under a node's name.
#[derive(Clone, Debug, Default)]
pub struct Left {
    /// Living legs.
    pub legs: Vec<LegRecord>,
    /// Conferences that go on.
    pub conferences: Vec<ConferenceRecord>,
}

/// Reads what a node has left, after refusing whatever it would still write under epochs up to `node_epoch`.
///
/// # Errors
/// When the store does not answer; try again later.
pub async fn left_by(ledger: &dyn Ledger, node: &str, node_epoch: u64) -> Result<Left, SweepError> {
    for partition in 0..ledger.partitions() {
        ledger.fence(partition, node, node_epoch).await?;
    }
    let mut left = Left::default();
    for partition in 0..ledger.partitions() {
        let index = calls_index::Index::Node(node).to_string();
        for (key, value) in records(ledger, partition, &index).await? {
            if !phones_index::is_key(&key) {
                left.legs.extend(read(&key, &value));
            }
        }
        let index = conferences_index::Index::Node(node).to_string();
        for (_, value) in records(ledger, partition, &index).await? {
            let record = ConferenceRecord::decode(value).ok();
            left.conferences.extend(record.filter(conferences::goes_on));
        }
    }
    Ok(left)
}

async fn records(
    ledger: &dyn Ledger,
    partition: Partition,
    index: &str,
) -> Result<Vec<(String, bytes::Bytes)>, SweepError> {
    let mut records = Vec::new();
    let mut offset = 0;
    loop {
        let page = ledger.page(partition, index, offset, PAGE).await?;
        records.extend(page.records);
        offset += PAGE;
        if offset >= page.total {
            return Ok(records);
        }
    }
}
