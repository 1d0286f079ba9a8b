//! Which streams an event of a partition goes to.
//!
//! Scopes are found by what the event names, so that an event costs what it
//! matches and not what there is.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::hash::Hash;
use std::sync::Arc;

use super::entry::Head;
use super::outbox::Outbox;
use super::scope::{Access, Scope};

/// A stream and the number that it gave to one of its scopes.
pub(crate) type Match = (u64, u64);

/// The scopes of all streams that cover one partition.
#[derive(Debug, Default)]
pub(crate) struct Index {
    everything: Vec<Listener>,
    resellers: HashMap<i64, Vec<Listener>>,
    customers: HashMap<i64, Customer>,
    streams: HashMap<u64, Stream>,
}

#[derive(Debug, Default)]
struct Customer {
    whole: Vec<Listener>,
    accounts: HashMap<i64, Vec<Listener>>,
    access_numbers: HashMap<String, Vec<Listener>>,
    queues: HashMap<i64, Vec<Listener>>,
}

#[derive(Clone, Copy, Debug)]
struct Listener {
    stream: u64,
    scope_id: u64,
    within: Option<i64>,
}

#[derive(Debug)]
struct Stream {
    outbox: Arc<Outbox>,
    scopes: usize,
}

impl Index {
    /// Adds a scope of a stream, under a number that the stream does not use in this partition.
    pub(crate) fn add(&mut self, outbox: &Arc<Outbox>, scope_id: u64, access: &Access) {
        let listener = Listener { stream: outbox.stream, scope_id, within: access.within };
        match &access.scope {
            Scope::Everything => self.everything.push(listener),
            Scope::Reseller { i_reseller } => {
                self.resellers.entry(*i_reseller).or_default().push(listener);
            }
            Scope::Customer { i_customer } => self.customer(*i_customer).whole.push(listener),
            Scope::Account { i_customer, i_account } => {
                let accounts = &mut self.customer(*i_customer).accounts;
                accounts.entry(*i_account).or_default().push(listener);
            }
            Scope::AccessNumber { i_customer, access_number } => {
                let numbers = &mut self.customer(*i_customer).access_numbers;
                numbers.entry(access_number.clone()).or_default().push(listener);
            }
            Scope::Queue { i_customer, i_c_queue } => {
                let queues = &mut self.customer(*i_customer).queues;
                queues.entry(*i_c_queue).or_default().push(listener);
            }
        }
        let new = || Stream { outbox: Arc::clone(outbox), scopes: 0 };
        self.streams.entry(outbox.stream).or_insert_with(new).scopes += 1;
    }

    /// Takes a scope away that was added.
    pub(crate) fn remove(&mut self, stream: u64, scope_id: u64, access: &Access) {
        let is_removed = match &access.scope {
            Scope::Everything => take_out(&mut self.everything, stream, scope_id),
            Scope::Reseller { i_reseller } => {
                take_from(&mut self.resellers, i_reseller, stream, scope_id)
            }
            scope => self.remove_from_customer(stream, scope_id, scope),
        };
        if is_removed && let Slot::Occupied(mut slot) = self.streams.entry(stream) {
            slot.get_mut().scopes -= 1;
            if slot.get().scopes == 0 {
                slot.remove();
            }
        }
    }

    fn remove_from_customer(&mut self, stream: u64, scope_id: u64, scope: &Scope) -> bool {
        let Some(i_customer) = scope.i_customer() else { return false };
        let Slot::Occupied(mut slot) = self.customers.entry(i_customer) else { return false };
        let customer = slot.get_mut();
        let is_removed = match scope {
            Scope::Everything | Scope::Reseller { .. } => false,
            Scope::Customer { .. } => take_out(&mut customer.whole, stream, scope_id),
            Scope::Account { i_account, .. } => {
                take_from(&mut customer.accounts, i_account, stream, scope_id)
            }
            Scope::AccessNumber { access_number, .. } => {
                take_from(&mut customer.access_numbers, access_number, stream, scope_id)
            }
            Scope::Queue { i_c_queue, .. } => {
                take_from(&mut customer.queues, i_c_queue, stream, scope_id)
            }
        };
        if customer.is_empty() {
            slot.remove();
        }
        is_removed
    }

    /// Puts what the event matches into `matches`, sorted by stream, each scope once.
    pub(crate) fn find(&self, head: &Head, matches: &mut Vec<Match>) {
        matches.clear();
        let mut note = |listeners: &[Listener]| {
            for listener in listeners {
                if listener.within.is_none_or(|i_reseller| i_reseller == head.i_reseller) {
                    matches.push((listener.stream, listener.scope_id));
                }
            }
        };
        note(&self.everything);
        if let Some(listeners) = self.resellers.get(&head.i_reseller) {
            note(listeners);
        }
        if let Some(customer) = self.customers.get(&head.i_customer) {
            note(&customer.whole);
            head.i_accounts
                .iter()
                .filter_map(|it| customer.accounts.get(it))
                .for_each(|it| note(it));
            let numbers = head.access_numbers.iter();
            numbers.filter_map(|it| customer.access_numbers.get(it)).for_each(|it| note(it));
            head.i_c_queues.iter().filter_map(|it| customer.queues.get(it)).for_each(|it| note(it));
        }
        matches.sort_unstable();
        // An event may name an account twice.
        matches.dedup();
    }

    /// The outbox of a stream with a scope here.
    pub(crate) fn outbox(&self, stream: u64) -> Option<&Arc<Outbox>> {
        self.streams.get(&stream).map(|stream| &stream.outbox)
    }

    /// The outboxes of all streams with a scope here.
    pub(crate) fn outboxes(&self) -> impl Iterator<Item = &Arc<Outbox>> {
        self.streams.values().map(|stream| &stream.outbox)
    }

    fn customer(&mut self, i_customer: i64) -> &mut Customer {
        self.customers.entry(i_customer).or_default()
    }
}

impl Customer {
    fn is_empty(&self) -> bool {
        self.whole.is_empty()
            && self.accounts.is_empty()
            && self.access_numbers.is_empty()
            && self.queues.is_empty()
    }
}

fn take_out(listeners: &mut Vec<Listener>, stream: u64, scope_id: u64) -> bool {
    let at = listeners.iter().position(|it| it.stream == stream && it.scope_id == scope_id);
    at.map(|at| listeners.swap_remove(at)).is_some()
}

fn take_from<K: Hash + Eq + Clone>(
    lists: &mut HashMap<K, Vec<Listener>>,
    key: &K,
    stream: u64,
    scope_id: u64,
) -> bool {
    let Some(listeners) = lists.get_mut(key) else { return false };
    let is_removed = take_out(listeners, stream, scope_id);
    if listeners.is_empty() {
        lists.remove(key);
    }
    is_removed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Few values, so that scopes and events meet often.
    fn scope() -> impl Strategy<Value = Scope> {
        let i_customer = 1..3_i64;
        prop_oneof![
            Just(Scope::Everything),
            (0..3_i64).prop_map(|i_reseller| Scope::Reseller { i_reseller }),
            i_customer.clone().prop_map(|i_customer| Scope::Customer { i_customer }),
            (i_customer.clone(), 1..4_i64)
                .prop_map(|(i_customer, i_account)| Scope::Account { i_customer, i_account }),
            (i_customer.clone(), "[12]").prop_map(|(i_customer, access_number)| {
                Scope::AccessNumber { i_customer, access_number }
            }),
            (i_customer, 1..3_i64)
                .prop_map(|(i_customer, i_c_queue)| Scope::Queue { i_customer, i_c_queue }),
        ]
    }

    fn access() -> impl Strategy<Value = Access> {
        (scope(), proptest::option::of(0..3_i64))
            .prop_map(|(scope, within)| Access { scope, within })
    }

    fn head() -> impl Strategy<Value = Head> {
        (
            1..3_i64,
            0..3_i64,
            proptest::collection::vec(1..4_i64, 0..3),
            proptest::collection::vec("[12]", 0..3),
            proptest::collection::vec(1..3_i64, 0..3),
        )
            .prop_map(
                |(i_customer, i_reseller, i_accounts, access_numbers, i_c_queues)| Head {
                    i_customer,
                    i_reseller,
                    i_accounts,
                    access_numbers,
                    i_c_queues,
                    ..Head::default()
                },
            )
    }

    proptest! {
        #[test]
        fn the_index_finds_what_each_scope_says_by_itself(
            accesses in proptest::collection::vec((0..3_u64, access()), 0..24),
            removed in proptest::collection::vec(any::<bool>(), 24),
            head in head(),
        ) {
            let outboxes: Vec<_> = (0..3).map(|it| Arc::new(Outbox::new(it, 1))).collect();
            let mut index = Index::default();
            let numbered = || (0_u64..).zip(&accesses).zip(&removed);
            for ((scope_id, (stream, access)), _) in numbered() {
                index.add(&outboxes[usize::try_from(*stream).unwrap()], scope_id, access);
            }
            for ((scope_id, (stream, access)), _) in numbered().filter(|(_, removed)| **removed) {
                index.remove(*stream, scope_id, access);
            }

            let mut found = Vec::new();
            index.find(&head, &mut found);

            let mut expected: Vec<Match> = numbered()
                .filter(|((_, (_, access)), removed)| !**removed && access.matches(&head))
                .map(|((scope_id, (stream, _)), _)| (*stream, scope_id))
                .collect();
            expected.sort_unstable();
            prop_assert_eq!(&found, &expected);
            prop_assert!(found.iter().all(|(stream, _)| index.outbox(*stream).is_some()));
        }

        #[test]
        fn nothing_is_kept_of_scopes_that_were_taken_away(
            accesses in proptest::collection::vec(access(), 0..24),
        ) {
            let outbox = Arc::new(Outbox::new(0, 1));
            let mut index = Index::default();
            for (scope_id, access) in (0..).zip(&accesses) {
                index.add(&outbox, scope_id, access);
            }
            for (scope_id, access) in (0..).zip(&accesses) {
                index.remove(0, scope_id, access);
                // A second time does no harm.
                index.remove(0, scope_id, access);
            }

            prop_assert!(index.everything.is_empty());
            prop_assert!(index.resellers.is_empty());
            prop_assert!(index.customers.is_empty());
            prop_assert!(index.streams.is_empty());
        }
    }
}
