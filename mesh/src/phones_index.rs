//! Where it lies in the store which phones are not available. The engine writes a record with each
//! event that tells so and removes it with the one that tells that the phone is free again,
//! whoever ends the calls of a lost node removes those of the node, and auth reads them for lists of
//! accounts.
//!
//! A record lies in its customer's partition, [`crate::ledger::partition_of`], under the name of
//! the node that wrote it: so nobody ever removes what another has written.

use std::collections::HashMap;

use prost::Message as _;
use proto::switch::v1::{Availability, LogEntry, PhoneRecord, log_entry};

use crate::calls_index::Index;
use crate::clock::Timestamp;
use crate::ledger::{IndexChange, Ledger, StateChange, StoreError, partition_of};

/// What a phone is that has no record.
pub const AVAILABLE: &str = "available";

const PREFIX: &str = "phone:";

/// Records read at a time.
const PAGE: u64 = 1000;

/// Key of the record.
#[must_use]
pub fn key_of(record: &PhoneRecord) -> String {
    format!("{PREFIX}{}:{}", record.node, record.i_account)
}

/// Whether a key is that of a phone's record.
#[must_use]
pub fn is_key(key: &str) -> bool {
    key.starts_with(PREFIX)
}

/// Name of the index of a customer's phones.
#[must_use]
pub fn index_of(i_customer: i64) -> String {
    format!("phones:{i_customer}")
}

/// Whether the record says that the phone is free, which removes it.
#[must_use]
pub fn is_free(record: &PhoneRecord) -> bool {
    record.availability == AVAILABLE
}

/// What to write so that the store tells of a phone as `next` says.
#[must_use]
pub fn changes(next: &PhoneRecord) -> (Vec<StateChange>, Vec<IndexChange>) {
    let key = key_of(next);
    let indexes = [index_of(next.i_customer), Index::Node(&next.node).to_string()];
    if is_free(next) {
        let removed = |index| IndexChange::Remove { index, member: key.clone() };
        let index = indexes.into_iter().map(removed).collect();
        return (vec![StateChange::Delete { key }], index);
    }
    let added = |index| IndexChange::Add { index, member: key.clone(), score: next.time_us };
    let index = indexes.into_iter().map(added).collect();
    let value = next.encode_to_vec().into();
    (vec![StateChange::Put { key: key.clone(), value, ttl: None }], index)
}

/// The event that tells a record: seen by whoever sees the customer, and by the account itself.
#[must_use]
pub fn entry_of(record: &PhoneRecord, at: Timestamp, traceparent: &str) -> LogEntry {
    LogEntry {
        i_customer: record.i_customer,
        i_reseller: record.i_reseller,
        i_accounts: vec![record.i_account],
        time_us: at.as_micros(),
        traceparent: traceparent.to_owned(),
        body: Some(log_entry::Body::Availability(Availability {
            account_id: record.account_id.clone(),
            availability: record.availability.clone(),
        })),
        ..LogEntry::default()
    }
}

/// What the phones of a customer are, by account; those that are missing are available.
///
/// # Errors
/// When the store cannot be asked.
pub async fn of_customer(
    ledger: &dyn Ledger,
    i_customer: i64,
) -> Result<HashMap<i64, String>, StoreError> {
    let partition = partition_of(i_customer, ledger.partitions());
    let index = index_of(i_customer);
    let mut newest: HashMap<i64, PhoneRecord> = HashMap::new();
    let mut offset = 0;
    loop {
        let page = ledger.page(partition, &index, offset, PAGE).await?;
        for (_, value) in page.records {
            let Ok(record) = PhoneRecord::decode(value) else { continue };
            let is_newer =
                newest.get(&record.i_account).is_none_or(|known| known.time_us <= record.time_us);
            if is_newer {
                newest.insert(record.i_account, record);
            }
        }
        offset += PAGE;
        if offset >= page.total {
            return Ok(newest.into_iter().map(|(id, record)| (id, record.availability)).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;
    use crate::ledger::memory::{MemoryConfig, MemoryLedger};
    use crate::ledger::{Commit, Writer};

    fn record(node: &str, i_account: i64, availability: &str, time_us: i64) -> PhoneRecord {
        PhoneRecord {
            i_account,
            account_id: i_account.to_string(),
            i_customer: 7,
            i_reseller: 0,
            availability: availability.to_owned(),
            node: node.to_owned(),
            time_us,
        }
    }

    async fn write(ledger: &dyn Ledger, sequence: u64, record: &PhoneRecord) {
        let (state, index) = changes(record);
        let node = record.node.clone();
        let partition = partition_of(7, ledger.partitions());
        let epoch = ledger.log_bounds(partition).await.unwrap().epoch;
        let log_epoch = (sequence > 1).then_some(epoch);
        let commit = Commit {
            partition,
            writer: Writer { node, node_epoch: 1, sequence, log_epoch },
            require: Vec::new(),
            state,
            index,
            events: Vec::new(),
            accounting: Vec::new(),
            renew_epoch: false,
        };
        ledger.commit(&commit).await.unwrap();
    }

    #[tokio::test]
    async fn the_newest_word_on_a_phone_counts_and_a_free_one_leaves_nothing() {
        let ledger = MemoryLedger::new(Clock::system(), MemoryConfig::default());
        write(&ledger, 1, &record("old", 1, "busy", 10)).await;
        write(&ledger, 1, &record("new", 1, "ringing", 20)).await;
        write(&ledger, 2, &record("new", 2, "unregistered", 5)).await;

        let phones = of_customer(&ledger, 7).await.unwrap();
        assert_eq!(phones.get(&1).map(String::as_str), Some("ringing"));
        assert_eq!(phones.get(&2).map(String::as_str), Some("unregistered"));

        write(&ledger, 3, &record("new", 2, AVAILABLE, 30)).await;
        assert_eq!(of_customer(&ledger, 7).await.unwrap().len(), 1);
        let at_node = ledger.page(0, &Index::Node("new").to_string(), 0, 9).await.unwrap();
        assert_eq!(at_node.total, 1);
    }
}
