//! What the recording folder holds.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use mesh::caller::Scope;

use super::Entry;

/// Which recordings are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of this customer.
    pub i_customer: Option<i64>,
    /// That this account may have.
    pub i_account: Option<i64>,
    /// Of this call.
    pub call_id: Option<String>,
    /// Of this leg.
    pub tag: Option<String>,
    /// Begun at or after, microseconds since 1970 UTC.
    pub from_us: Option<i64>,
    /// Begun before.
    pub to_us: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

/// The newest of those that are wanted.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Newest first.
    pub entries: Vec<Arc<Entry>>,
    /// How many there are in all.
    pub total: usize,
}

/// By their begin, so that the oldest and newest are at the ends.
type Place = (i64, String);

/// The recordings of a node. Those of one customer are found without looking at others'.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_customer: HashMap<i64, BTreeMap<Place, Arc<Entry>>>,
    places: HashMap<String, (i64, Place)>,
    by_age: BTreeMap<Place, i64>,
    bytes: u64,
}

impl Index {
    pub(super) fn insert(&mut self, entry: Entry) {
        let place = (entry.start_us, entry.id.clone());
        self.bytes += entry.bytes;
        self.places.insert(entry.id.clone(), (entry.i_customer, place.clone()));
        self.by_age.insert(place.clone(), entry.i_customer);
        self.by_customer.entry(entry.i_customer).or_default().insert(place, Arc::new(entry));
    }

    pub(super) fn find(&self, scope: &Scope, id: &str) -> Option<Arc<Entry>> {
        let (i_customer, place) = self.places.get(id)?;
        let entry = self.by_customer.get(i_customer)?.get(place)?;
        entry.is_visible_to(scope).then(|| Arc::clone(entry))
    }

    pub(super) fn list(&self, scope: &Scope, wanted: &Wanted) -> Page {
        let is_wanted = |entry: &&Arc<Entry>| {
            entry.is_visible_to(scope)
                && wanted.i_customer.is_none_or(|it| entry.i_customer == it)
                && wanted.i_account.is_none_or(|it| entry.i_accounts.contains(&it))
                && wanted.call_id.as_ref().is_none_or(|it| entry.call_id == *it)
                && wanted.tag.as_ref().is_none_or(|it| entry.tag == *it)
                && wanted.from_us.is_none_or(|it| entry.start_us >= it)
                && wanted.to_us.is_none_or(|it| entry.start_us < it)
        };
        let mut page = Page::default();
        let mut take = |entry: &Arc<Entry>| {
            page.total += 1;
            if page.entries.len() < wanted.limit {
                page.entries.push(Arc::clone(entry));
            }
        };
        if let Some(i_customer) = scope.i_customer().or(wanted.i_customer) {
            let own = self.by_customer.get(&i_customer);
            let newest_first = own.into_iter().flat_map(|own| own.values().rev());
            newest_first.filter(is_wanted).for_each(&mut take);
        } else {
            let of =
                |(place, i_customer): (&Place, &i64)| self.by_customer.get(i_customer)?.get(place);
            self.by_age.iter().rev().filter_map(of).filter(is_wanted).for_each(&mut take);
        }
        page
    }

    /// Takes out what began before `oldest`, and the oldest until the rest has at most `max_bytes`.
    pub(super) fn take_surplus(&mut self, oldest: i64, max_bytes: u64) -> Vec<Arc<Entry>> {
        let mut surplus = Vec::new();
        while let Some((place, i_customer)) = self.by_age.first_key_value() {
            if place.0 >= oldest && self.bytes <= max_bytes {
                break;
            }
            let (place, i_customer) = (place.clone(), *i_customer);
            self.by_age.remove(&place);
            self.places.remove(&place.1);
            let Some(own) = self.by_customer.get_mut(&i_customer) else { continue };
            if let Some(entry) = own.remove(&place) {
                self.bytes -= entry.bytes;
                surplus.push(entry);
            }
            if own.is_empty() {
                self.by_customer.remove(&i_customer);
            }
        }
        surplus
    }
}
