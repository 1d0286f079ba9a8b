//! Places in the log, one a partition, and how they compare.

use mesh::cursor::{Cursor, Place};
use mesh::ledger::{Epoch, Position};
use proto::notifier::v1 as wire;

use super::scope::Scope;

/// How far before the moment of a single event a wide scope is resumed in the other partitions:
/// more than clocks and delays can differ.
const MARGIN_MILLIS: u64 = 10_000;

/// The epoch of a place that means a moment in whatever epoch.
const ANY_EPOCH: Epoch = Epoch { born_millis: 0, nonce: 0 };

/// One place a partition, in the order of partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places(Vec<Place>);

/// Where a resumption begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// After these places.
    Places(Places),
    /// The cursor is of another log.
    Lost,
}

/// Tells whether `place` is later than `other` in the same epoch.
pub(crate) fn is_after(place: &Place, other: &Place) -> bool {
    place.epoch == other.epoch && place.position > other.position
}

impl Places {
    /// Reads the notifier's places.
    pub(crate) fn read(places: &[wire::Place]) -> Self {
        let mut read = Self::default();
        for place in places {
            read.set(read_place(place));
        }
        read
    }

    /// The place in a partition.
    pub(crate) fn get(&self, partition: u32) -> Option<&Place> {
        self.0.iter().find(|place| place.partition == partition)
    }

    /// Sets the place in its partition.
    pub(crate) fn set(&mut self, place: Place) {
        match self.0.binary_search_by_key(&place.partition, |known| known.partition) {
            Ok(index) => {
                if let Some(known) = self.0.get_mut(index) {
                    *known = place;
                }
            }
            Err(index) => self.0.insert(index, place),
        }
    }

    /// All places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Place> {
        self.0.iter()
    }

    /// The same partitions, each at the later of the two places.
    pub(crate) fn raised_to(&self, other: &Self) -> Self {
        let later = |place: &Place| {
            let found = other.get(place.partition).filter(|other| is_after(other, place));
            found.unwrap_or(place).clone()
        };
        Self(self.0.iter().map(later).collect())
    }

    /// What lies between these places and `to`, if anything may: begin and end of each partition
    /// of `to`. Where nothing does, both are the same.
    pub(crate) fn until(&self, to: &Self) -> Option<(Vec<wire::Place>, Vec<wire::Place>)> {
        let earliest = self.0.iter().map(|place| place.position.millis).min().unwrap_or(0);
        let (mut begins, mut is_anything) = (Vec::new(), false);
        for end in &to.0 {
            let begin = self.get(end.partition).cloned().unwrap_or(Place {
                partition: end.partition,
                epoch: ANY_EPOCH,
                position: Position { millis: earliest, sequence: 0 },
            });
            let is_seen = begin == *end || is_after(&begin, end);
            is_anything |= !is_seen;
            begins.push(write_place(if is_seen { end } else { &begin }));
        }
        is_anything.then(|| (begins, to.0.iter().map(write_place).collect()))
    }

    /// The cursor of a scope at these places.
    pub(crate) fn cursor(&self, scope: &Scope) -> String {
        match (scope.i_customer(), self.0.first()) {
            (Some(i_customer), Some(place)) => {
                Cursor::One { i_customer, place: place.clone() }.encode()
            }
            _ => Cursor::Wide(self.0.clone()).encode(),
        }
    }

    /// Where `cursor` lies in `scope`, whose partitions are those of `here`.
    pub(crate) fn of_cursor(cursor: Cursor, scope: &Scope, here: &Self) -> From {
        match (scope.i_customer(), cursor) {
            (Some(own), Cursor::One { i_customer, place }) => {
                let is_own = i_customer == own || i_customer == 0;
                if is_own && here.get(place.partition).is_some() {
                    From::Places(Self(vec![place]))
                } else {
                    From::Lost
                }
            }
            (Some(_), Cursor::Wide(places)) => {
                let place = places.into_iter().find(|place| here.get(place.partition).is_some());
                place.map_or(From::Lost, |place| From::Places(Self(vec![place])))
            }
            (None, Cursor::One { place, .. }) => {
                let moment = Position {
                    millis: place.position.millis.saturating_sub(MARGIN_MILLIS),
                    sequence: 0,
                };
                let mut from = Self(
                    here.0
                        .iter()
                        .map(|known| Place {
                            partition: known.partition,
                            epoch: ANY_EPOCH,
                            position: moment,
                        })
                        .collect(),
                );
                from.set(place);
                From::Places(from)
            }
            (None, Cursor::Wide(places)) => {
                let mut from = Self::default();
                for place in places {
                    from.set(place);
                }
                From::Places(from)
            }
        }
    }
}

/// Reads the notifier's place.
pub(crate) fn read_place(place: &wire::Place) -> Place {
    Place {
        partition: place.partition,
        epoch: place.epoch.parse().unwrap_or(ANY_EPOCH),
        position: Position { millis: place.millis, sequence: place.sequence },
    }
}

pub(super) fn write_place(place: &Place) -> wire::Place {
    wire::Place {
        partition: place.partition,
        epoch: if place.epoch == ANY_EPOCH { String::new() } else { place.epoch.to_string() },
        millis: place.position.millis,
        sequence: place.position.sequence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(partition: u32, millis: u64) -> Place {
        let epoch = Epoch { born_millis: 1, nonce: 7 };
        Place { partition, epoch, position: Position { millis, sequence: 0 } }
    }

    fn places(millis: &[(u32, u64)]) -> Places {
        let mut places = Places::default();
        for (partition, millis) in millis {
            places.set(place(*partition, *millis));
        }
        places
    }

    #[test]
    fn a_place_reads_as_it_was_written() {
        let place = place(3, 5);

        assert_eq!(read_place(&write_place(&place)), place);
        assert_eq!(write_place(&place).epoch, "1-00000007");
    }

    #[test]
    fn the_cursor_of_a_single_customer_serves_its_own_scopes_only() {
        let here = places(&[(3, 50)]);
        let cursor = |i_customer| Cursor::One { i_customer, place: place(3, 5) };
        let scope = Scope::Account { i_customer: 1, i_account: 2 };

        assert_eq!(Places::of_cursor(cursor(1), &scope, &here), From::Places(places(&[(3, 5)])));
        assert_eq!(Places::of_cursor(cursor(2), &scope, &here), From::Lost);
        let elsewhere = Cursor::One { i_customer: 1, place: place(4, 5) };
        assert_eq!(Places::of_cursor(elsewhere, &scope, &here), From::Lost);
    }

    #[test]
    fn a_wide_cursor_serves_one_customer_by_its_partition() {
        let here = places(&[(3, 50)]);
        let cursor = Cursor::Wide(vec![place(2, 9), place(3, 5)]);

        let from = Places::of_cursor(cursor, &Scope::Customer(1), &here);

        assert_eq!(from, From::Places(places(&[(3, 5)])));
    }

    #[test]
    fn an_event_id_serves_a_wide_scope_from_a_moment_before_it() {
        let here = places(&[(0, 90_000), (1, 90_000)]);
        let cursor = Cursor::One { i_customer: 1, place: place(1, 50_000) };

        let From::Places(from) = Places::of_cursor(cursor, &Scope::Everything, &here) else {
            panic!("lost");
        };
        let (begins, ends) = from.until(&here).unwrap();

        assert_eq!((begins[0].epoch.as_str(), begins[0].millis), ("", 40_000));
        assert_eq!((begins[1].epoch.as_str(), begins[1].millis), ("1-00000007", 50_000));
        assert_eq!(ends.len(), 2);
    }

    #[test]
    fn what_has_been_seen_is_not_asked_for() {
        let to = places(&[(0, 10), (1, 10), (2, 10)]);

        let (begins, ends) = places(&[(0, 10), (1, 9), (2, 11)]).until(&to).unwrap();

        assert_eq!(begins.iter().map(|place| place.millis).collect::<Vec<_>>(), [10, 9, 10]);
        assert_eq!(ends.len(), 3);
        assert_eq!(places(&[(0, 10), (1, 10), (2, 11)]).until(&to), None);
    }

    #[test]
    fn another_epoch_is_neither_before_nor_after() {
        let mut other = place(0, 99);
        other.epoch.nonce = 8;

        assert!(!is_after(&other, &place(0, 1)));
        let mut elsewhere = Places::default();
        elsewhere.set(other);
        assert!(elsewhere.until(&places(&[(0, 1)])).is_some());
    }
}
