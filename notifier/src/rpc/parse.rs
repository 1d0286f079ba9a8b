//! From the contract's messages to the domain.

use std::collections::HashMap;
use std::sync::Arc;

use mesh::ledger::Position;
use proto::notifier::v1 as contract;

use super::RequestError;
use crate::domain::entry::{Era, Place};
use crate::domain::scope::Scope;
use crate::replay::{Span, Start};

/// Reads a scope; `None` when it is none.
pub(super) fn scope(message: Option<contract::Scope>) -> Option<Scope> {
    use contract::scope::Of;

    Some(match message?.of? {
        Of::Everything(true) => Scope::Everything,
        Of::Everything(false) => return None,
        Of::IReseller(i_reseller) => Scope::Reseller { i_reseller },
        Of::ICustomer(i_customer) => Scope::Customer { i_customer },
        Of::Account(contract::AccountScope { i_customer, i_account }) => {
            Scope::Account { i_customer, i_account }
        }
        Of::AccessNumber(contract::AccessNumberScope { i_customer, access_number }) => {
            Scope::AccessNumber { i_customer, access_number }
        }
        Of::Queue(contract::QueueScope { i_customer, i_c_queue }) => {
            Scope::Queue { i_customer, i_c_queue }
        }
    })
}

/// Reads where a replay of `scope`, in a log of so many partitions, begins and ends.
pub(super) fn spans(
    scope: &Scope,
    partitions: u32,
    from: &[contract::Place],
    to: &[contract::Place],
) -> Result<Vec<Span>, RequestError> {
    let from: HashMap<_, _> = from.iter().map(|place| (place.partition, place)).collect();
    let to: HashMap<_, _> = to.iter().map(|place| (place.partition, place)).collect();
    let mut eras = Vec::new();
    scope
        .covers(partitions)
        .map(|partition| {
            let end = to.get(&partition).ok_or(RequestError::Invalid("to"))?;
            let era = era(&mut eras, &end.epoch).ok_or(RequestError::Invalid("to.epoch"))?;
            let start = match from.get(&partition) {
                None => Start::Unknown,
                Some(place) if place.epoch.is_empty() => Start::Since(place.millis),
                Some(place) => {
                    let era = self::era(&mut eras, &place.epoch)
                        .ok_or(RequestError::Invalid("from.epoch"))?;
                    Start::After(era, position(place))
                }
            };
            Ok(Span { start, to: Place { partition, era, position: position(end) } })
        })
        .collect()
}

/// Reads a place; `None` when its epoch is none.
pub(super) fn place(place: &contract::Place) -> Option<Place> {
    let era = Era::read(&place.epoch)?;
    Some(Place { partition: place.partition, era, position: position(place) })
}

fn position(place: &contract::Place) -> Position {
    Position { millis: place.millis, sequence: place.sequence }
}

/// Reads an era, one for all places that name it.
fn era(known: &mut Vec<Arc<Era>>, name: &str) -> Option<Arc<Era>> {
    let era = Era::read(name)?;
    let same = known.iter().find(|it| **it == era).map(Arc::clone);
    Some(same.unwrap_or_else(|| {
        known.push(Arc::clone(&era));
        era
    }))
}
