//! What the store keeps of legs and phones, and how it is brought up to date.

use mesh::clock::Timestamp;
use mesh::ledger::{IndexChange, StateChange};
use mesh::{calls_index, phones_index};
use prost::Message as _;
use proto::call::v1::{CallInfo, State};
use proto::switch::v1::{LegRecord, PhoneRecord};

use crate::wire;

/// The newest state of something of which the store has a record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Record {
    /// A leg.
    Leg(Box<LegRecord>),
    /// A phone.
    Phone(PhoneRecord),
}

/// Changes of records and indexes.
type Changes = (Vec<StateChange>, Vec<IndexChange>);

impl Record {
    /// Reads what lies under a key; `None` when it cannot be read.
    pub(super) fn read(key: &str, value: bytes::Bytes) -> Option<Self> {
        if phones_index::is_key(key) {
            PhoneRecord::decode(value).ok().map(Self::Phone)
        } else {
            LegRecord::decode(value).ok().map(|record| Self::Leg(Box::new(record)))
        }
    }

    /// The key under which it lies.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Leg(record) => calls_index::key_of(record),
            Self::Phone(record) => phones_index::key_of(record),
        }
    }

    /// True when nothing is kept of it any more: a leg that has ended or goes on under another
    /// call, a phone that is free.
    pub(super) fn is_over(&self) -> bool {
        let is_over =
            |info: &CallInfo| info.state() == State::Terminated || info.moved_to.is_some();
        match self {
            Self::Leg(record) => record.call_info.as_ref().is_none_or(is_over),
            Self::Phone(record) => phones_index::is_free(record),
        }
    }

    /// What to write so that the store has it, where it has `previous` of the same.
    pub(super) fn changes(&self, previous: Option<&Self>) -> Changes {
        match self {
            Self::Leg(record) => {
                let previous = match previous {
                    Some(Self::Leg(previous)) => Some(previous.as_ref()),
                    Some(Self::Phone(_)) | None => None,
                };
                if self.is_over() {
                    calls_index::changes(previous, &terminated(record))
                } else {
                    calls_index::changes(previous, record)
                }
            }
            Self::Phone(record) => phones_index::changes(record),
        }
    }

    /// What to write so that the store has nothing of it any more.
    pub(super) fn removal(&self) -> Changes {
        match self {
            Self::Leg(record) => calls_index::changes(Some(record), &terminated(record)),
            Self::Phone(record) => {
                let availability = phones_index::AVAILABLE.to_owned();
                phones_index::changes(&PhoneRecord { availability, ..record.clone() })
            }
        }
    }

    /// The event that tells it once more.
    pub(super) fn retold(&self, now: Timestamp) -> bytes::Bytes {
        match self {
            Self::Leg(record) => {
                let mut record = record.clone();
                let info = record.call_info.as_mut();
                if let Some(info) = info.filter(|info| info.state() != State::Terminated) {
                    info.duration = calls_index::duration_seconds(info, now);
                }
                wire::entry_of(&record, now, "").encode_to_vec().into()
            }
            Self::Phone(record) => phones_index::entry_of(record, now, "").encode_to_vec().into(),
        }
    }

    /// Orders records: phones first, then legs by call, and those of a call as their states were
    /// told: who reads on ignores what comes after a higher sequence of the same call.
    pub(super) fn place(&self) -> (String, i64) {
        match self {
            Self::Leg(record) => {
                let info = record.call_info.as_ref();
                let call = info.and_then(|info| info.call.as_ref());
                let sequence = info.map_or(0, |info| info.sequence);
                (call.map(|call| call.id.clone()).unwrap_or_default(), sequence)
            }
            Self::Phone(record) => (String::new(), record.i_account),
        }
    }
}

/// The record as that of a leg that has ended, which is how records are removed.
fn terminated(record: &LegRecord) -> LegRecord {
    let mut ended = record.clone();
    if let Some(info) = &mut ended.call_info {
        info.set_state(State::Terminated);
    }
    ended
}
