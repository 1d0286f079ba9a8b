//! `Explain`: what an event is, and whether it belongs to a scope. Reads one entry of the log.

use std::sync::Arc;
use std::time::Duration;

use mesh::ledger::{LogRead, Position, ReadFrom, StoreError};
use prost::Message as _;
use proto::call::v1::State;
use proto::callcontrol::v1::NotificationKind as Kind;
use proto::notifier::v1 as contract;
use proto::notifier::v1::{Found, Verdict};
use proto::switch::v1::LogEntry;
use proto::switch::v1::log_entry::Body;
use tokio::time::timeout;
use tonic::Status;

use super::error::DOMAIN;
use super::{RequestError, Shared, parse};
use crate::domain::entry::Place;
use crate::wire;

pub(super) async fn answer(
    shared: &Arc<Shared>,
    request: contract::ExplainRequest,
) -> Result<contract::ExplainResponse, Status> {
    explain(shared, request).await.map_err(|error| mesh::status(DOMAIN, &error))
}

async fn explain(
    shared: &Arc<Shared>,
    request: contract::ExplainRequest,
) -> Result<contract::ExplainResponse, RequestError> {
    let scope = parse::scope(request.scope).ok_or(RequestError::Invalid("scope"))?;
    let place = request.place.as_ref().and_then(parse::place);
    let place = place.ok_or(RequestError::Invalid("place"))?;
    let mut answer = contract::ExplainResponse::default();
    let access = match shared.admit(scope, &request.token).await {
        Ok((access, _caller)) => access,
        Err(denial) => {
            answer.set_verdict(Verdict::Denied);
            denial.reason().clone_into(&mut answer.reason);
            return Ok(answer);
        }
    };
    let (found, raw) = read(shared, &place).await.map_err(RequestError::Store)?;
    answer.set_found(found);
    let Some(raw) = raw else { return Ok(answer) };
    let (Ok(head), Ok(entry)) = (wire::head_of(&raw), LogEntry::decode(raw)) else {
        answer.set_found(Found::NotThere);
        return Ok(answer);
    };
    let matches = access.matches(&head);
    answer.set_verdict(if matches { Verdict::Matches } else { Verdict::NotInScope });
    answer.i_customer = entry.i_customer;
    let (kind, state) = match entry.body {
        Some(Body::CallState(info)) => (Kind::CallState, info.state()),
        Some(Body::IvrEvent(_)) => (Kind::IvrEvent, State::Unspecified),
        Some(Body::ConferenceEvent(_)) => (Kind::ConferenceEvent, State::Unspecified),
        Some(Body::QueueStats(_)) => (Kind::QueueStats, State::Unspecified),
        Some(Body::Availability(_)) => (Kind::Availability, State::Unspecified),
        None => (Kind::Unspecified, State::Unspecified),
    };
    answer.set_kind(kind);
    answer.set_state(state);
    Ok(answer)
}

/// The entry at a place.
async fn read(shared: &Shared, place: &Place) -> Result<(Found, Option<bytes::Bytes>), StoreError> {
    let before = match place.position {
        Position { millis, sequence: 0 } => {
            Position { millis: millis.saturating_sub(1), sequence: u64::MAX }
        }
        Position { millis, sequence } => Position { millis, sequence: sequence - 1 },
    };
    if shared.hub.partition(place.partition).is_none() {
        return Ok((Found::NotThere, None));
    }
    let from = ReadFrom::After(place.era.epoch.clone(), before);
    let ledger = &shared.source.ledger;
    let reading = ledger.read_log(place.partition, &from, 1, Duration::ZERO);
    let read = timeout(shared.config.store_timeout, reading)
        .await
        .unwrap_or_else(|_elapsed| Err(StoreError { message: "no answer in time".to_owned() }))?;
    Ok(match read {
        LogRead::EpochChanged(_) => (Found::LogLost, None),
        LogRead::Trimmed(bounds) if place.position > bounds.last => (Found::NotThere, None),
        LogRead::Trimmed(_) => (Found::Trimmed, None),
        LogRead::Entries(chunk) => match chunk.entries.into_iter().next() {
            Some((position, raw)) if position == place.position => (Found::Here, Some(raw)),
            _ => (Found::NotThere, None),
        },
    })
}
