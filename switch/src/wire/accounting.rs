//! What is paid for legs, as the contract writes it.

use proto::switch::v1 as pb;
use proto::switch::v1::accounting_record as wire;

use crate::domain::{Charged, ChargedService, Direction, Rating};

/// The record of a charge of a leg that has ended.
pub(crate) fn record(charged: &Charged) -> pb::AccountingRecord {
    let service = match charged.service {
        ChargedService::Voice => wire::Service::Voice,
        ChargedService::Conferencing => wire::Service::Conferencing,
    };
    let direction = match charged.direction {
        Direction::Incoming => wire::Direction::Incoming,
        Direction::Outgoing => wire::Direction::Outgoing,
    };
    let rating = match charged.rating {
        Rating::Ordinary => wire::Rating::Ordinary,
        Rating::Incoming => wire::Rating::Incoming,
    };
    pb::AccountingRecord {
        call_id: charged.call_id.0.clone(),
        tag: charged.tag.0.clone(),
        tracking_id: charged.tracking_id.clone(),
        i_customer: charged.owner.i_customer,
        i_account: charged.payer,
        service: service.into(),
        direction: direction.into(),
        rating: rating.into(),
        cli: charged.cli.clone(),
        cld: charged.cld.clone(),
        connect_time_us: charged.connect_time.as_micros(),
        disconnect_time_us: charged.disconnect_time.as_micros(),
        duration_us: i64::try_from(charged.duration.as_micros()).unwrap_or(i64::MAX),
        disconnect_cause: i32::from(charged.disconnect_cause),
        recording: charged.recording.as_ref().map(|id| id.path(charged.owner.i_customer)),
    }
}

/// A charge of a living leg.
pub(crate) fn open(charged: &Charged) -> pb::OpenCharge {
    let running_since_us = charged.running_since.map_or(0, mesh::clock::Timestamp::as_micros);
    pb::OpenCharge { record: Some(record(charged)), running_since_us }
}
