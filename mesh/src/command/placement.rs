//! Which node becomes a customer's home.

use crate::ledger::NodeLease;

/// A node that could become a home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate<'a> {
    /// Name of the node.
    pub(super) node: &'a str,
    /// Its site.
    pub(super) site: &'a str,
    /// Its living legs.
    pub(super) load: u64,
    /// Whether it takes new customers and its lease has not lapsed.
    pub(super) is_open: bool,
}

/// Chooses by site, then by load; among equals by customer and name, so that new customers
/// spread although the loads are some seconds old. `None` when no node is open.
#[must_use]
pub(super) fn choose<'a>(
    candidates: impl IntoIterator<Item = Candidate<'a>>,
    own_site: &str,
    i_customer: i64,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .filter(|candidate| candidate.is_open)
        .min_by_key(|candidate| {
            let is_far = candidate.site != own_site;
            (is_far, candidate.load, turn(i_customer, candidate.node), candidate.node)
        })
        .map(|candidate| candidate.node)
}

/// The node that is to become a customer's home, among those that have a lease: every node that asks
/// finds the same.
#[must_use]
pub fn chosen<'a>(leases: &'a [NodeLease], own_site: &str, i_customer: i64) -> Option<&'a str> {
    let candidates = leases.iter().map(|lease| Candidate {
        node: &lease.node,
        site: &lease.site,
        load: lease.load,
        is_open: lease.accepting && !lease.remaining.is_zero(),
    });
    choose(candidates, own_site, i_customer)
}

/// An order of nodes that differs from customer to customer.
fn turn(i_customer: i64, node: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    (i_customer, node).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const fn candidate(node: &'static str, site: &'static str, load: u64) -> Candidate<'static> {
        Candidate { node, site, load, is_open: true }
    }

    #[test]
    fn the_own_site_comes_before_a_smaller_load() {
        let nodes =
            [candidate("a", "far", 0), candidate("b", "main", 9), candidate("c", "main", 8)];

        assert_eq!(choose(nodes, "main", 1), Some("c"));
    }

    #[test]
    fn a_closed_node_gets_nobody() {
        let closed = Candidate { is_open: false, ..candidate("a", "main", 0) };

        assert_eq!(choose([closed.clone(), candidate("b", "far", 9)], "main", 1), Some("b"));
        assert_eq!(choose([closed], "main", 1), None);
    }

    #[test]
    fn customers_spread_over_equal_nodes() {
        let nodes = [candidate("a", "main", 0), candidate("b", "main", 0)];

        let homes: BTreeSet<_> = (0..20).map(|i| choose(nodes.clone(), "main", i)).collect();

        assert_eq!(homes.len(), 2);
    }
}
