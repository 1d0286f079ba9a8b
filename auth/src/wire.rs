//! Accounting records of the contract as charges of the domain.

use std::time::Duration;

use mesh::clock::Timestamp;
use proto::switch::v1::AccountingRecord;
use proto::switch::v1::accounting_record as wire;

use crate::domain::accounting::{Charge, Direction, Key, Service, Terms};
use crate::domain::error::LookupError;
use crate::domain::id::IAccount;

/// Access code of the rating entry for calls that come in.
const INCOMING: &str = "INCOMING";

/// What a record says.
pub(crate) fn charge(record: AccountingRecord) -> Result<Charge, LookupError> {
    let direction = match record.direction() {
        wire::Direction::Unspecified => return Err(LookupError::Invalid("direction")),
        wire::Direction::Incoming => Direction::Incoming,
        wire::Direction::Outgoing => Direction::Outgoing,
    };
    let access_code = match record.rating() {
        wire::Rating::Unspecified => return Err(LookupError::Invalid("rating")),
        wire::Rating::Ordinary => "",
        wire::Rating::Incoming => INCOMING,
    };
    // What a call costs depends on where its other end is.
    let number = match direction {
        Direction::Incoming => &record.cli,
        Direction::Outgoing => &record.cld,
    };
    let terms = Terms { access_code, number: number.clone() };
    let key = key(&record.tag, record.i_account, record.service())?;
    let duration = u64::try_from(record.duration_us).unwrap_or_default();
    Ok(Charge {
        key,
        direction,
        terms,
        connect_time: Timestamp::from_micros(record.connect_time_us),
        disconnect_time: Timestamp::from_micros(record.disconnect_time_us),
        duration: Duration::from_micros(duration),
        disconnect_cause: i64::from(record.disconnect_cause),
        recording: record.recording,
        call_id: record.call_id,
        tracking_id: record.tracking_id,
        cli: record.cli,
        cld: record.cld,
    })
}

/// What a charge is known by.
pub(crate) fn key(tag: &str, i_account: i64, service: wire::Service) -> Result<Key, LookupError> {
    let service = match service {
        wire::Service::Unspecified => return Err(LookupError::Invalid("service")),
        wire::Service::Voice => Service::Voice,
        wire::Service::Conferencing => Service::Conferencing,
    };
    if tag.is_empty() {
        return Err(LookupError::Invalid("tag"));
    }
    Ok(Key { tag: tag.to_owned(), i_account: IAccount(i_account), service })
}
