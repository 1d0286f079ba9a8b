//! Whose home this node is. All calls of a customer live on one node at a time.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mesh::calls_index::Index;
use mesh::ledger::{Home, Ledger, partition_of};
use parking_lot::Mutex;

/// Whose home this node is.
#[derive(Debug)]
pub(super) struct Homes {
    ledger: Arc<dyn Ledger>,
    node: String,
    site: String,
    node_epoch: AtomicU64,
    known: Mutex<HashSet<i64>>,
    /// The node is about to stop.
    is_draining: AtomicBool,
}

impl Homes {
    pub(super) fn new(ledger: Arc<dyn Ledger>, node: String, site: String) -> Self {
        Self {
            ledger,
            node,
            site,
            node_epoch: AtomicU64::new(0),
            known: Mutex::default(),
            is_draining: AtomicBool::new(false),
        }
    }

    /// From now on customers without calls are handed to other nodes.
    pub(super) fn drain(&self) {
        self.is_draining.store(true, Ordering::Release);
        self.clear();
    }

    pub(super) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Acquire)
    }

    pub(super) fn set_node_epoch(&self, epoch: u64) {
        let mut known = self.known.lock();
        self.node_epoch.store(epoch, Ordering::Release);
        known.clear();
    }

    /// Forgets whose home it is: somebody else may have become it.
    pub(super) fn clear(&self) {
        self.known.lock().clear();
    }

    /// Makes sure that this node is the customer's home; takes over from a node whose lease is
    /// gone. While the store is away this node serves whoever comes: phones never notice.
    ///
    /// # Errors
    /// Names the node that is the home.
    pub(super) async fn settle(&self, i_customer: i64) -> Result<(), String> {
        if !self.is_draining() && self.known.lock().contains(&i_customer) {
            return Ok(());
        }
        let me =
            Home { node: self.node.clone(), node_epoch: self.node_epoch.load(Ordering::Acquire) };
        let Ok(mut present) = self.ledger.home(i_customer).await else { return Ok(()) };
        for _ in 0..3 {
            match &present {
                Some(home) if *home == me => break,
                Some(home) if home.node != me.node && self.is_alive(home).await => {
                    return Err(home.node.clone());
                }
                _ => {}
            }
            match self.ledger.set_home(i_customer, present.as_ref(), &me).await {
                Ok(stands) => present = Some(stands),
                Err(_) => return Ok(()),
            }
        }
        if self.is_draining() && present.as_ref() == Some(&me) {
            return self.hand_on(i_customer, &me).await.map_or(Ok(()), Err);
        }
        match present {
            Some(home) if home == me => {
                let mut known = self.known.lock();
                // Not if the node has begun a new epoch meanwhile.
                if self.node_epoch.load(Ordering::Acquire) == me.node_epoch {
                    known.insert(i_customer);
                }
                Ok(())
            }
            Some(home) => Err(home.node),
            None => Ok(()),
        }
    }

    /// Makes another node the home of a customer that has no calls here, and names it; `None` when
    /// it has some, or no other node takes it.
    async fn hand_on(&self, i_customer: i64, me: &Home) -> Option<String> {
        let partition = partition_of(i_customer, self.ledger.partitions());
        let calls = Index::Customer(i_customer).to_string();
        if self.ledger.page(partition, &calls, 0, 1).await.ok()?.total > 0 {
            return None;
        }
        let mut leases = self.ledger.leases().await.ok()?;
        leases.retain(|lease| lease.node != me.node);
        let node = mesh::command::chosen_home(&leases, &self.site, i_customer)?;
        let lease = leases.iter().find(|lease| lease.node == node)?;
        let other = Home { node: lease.node.clone(), node_epoch: lease.epoch };
        let stands = self.ledger.set_home(i_customer, Some(me), &other).await.ok()?;
        (stands != *me).then_some(stands.node)
    }

    /// True when what a phone of the customer does is this node's to tell: it is the home, or
    /// becomes it, as the customer has none and would get this one for a call. So a phone without
    /// calls draws no customer to the node that happens to look first.
    pub(super) async fn tells_of_phones(&self, i_customer: i64) -> bool {
        if !self.known.lock().contains(&i_customer) && !self.is_elected(i_customer).await {
            return false;
        }
        self.settle(i_customer).await.is_ok()
    }

    async fn is_elected(&self, i_customer: i64) -> bool {
        let Ok(home) = self.ledger.home(i_customer).await else { return true };
        if let Some(home) = home
            && (home.node == self.node || self.is_alive(&home).await)
        {
            return home.node == self.node;
        }
        match self.ledger.leases().await {
            Ok(leases) => mesh::command::chosen_home(&leases, &self.site, i_customer)
                .is_none_or(|node| node == self.node),
            Err(_) => true,
        }
    }

    /// True unless the store says that the home's lease has gone or lapsed.
    async fn is_alive(&self, home: &Home) -> bool {
        match self.ledger.leases().await {
            Ok(leases) => leases.iter().any(|lease| {
                lease.node == home.node
                    && lease.epoch == home.node_epoch
                    && !lease.remaining.is_zero()
            }),
            Err(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mesh::Clock;
    use mesh::ledger::NodeLease;
    use mesh::ledger::memory::{MemoryConfig, MemoryLedger};

    use super::*;

    const LEASE: Duration = Duration::from_secs(15);

    fn lease(node: &str) -> NodeLease {
        NodeLease {
            node: node.to_owned(),
            epoch: 0,
            address: format!("memory:{node}"),
            site: "main".to_owned(),
            load: 0,
            accepting: true,
            remaining: LEASE,
        }
    }

    #[tokio::test]
    async fn a_node_that_drains_hands_on_who_has_no_calls_when_another_takes_them() {
        let ledger = Arc::new(MemoryLedger::new(Clock::system(), MemoryConfig::default()));
        let homes =
            Homes::new(Arc::<MemoryLedger>::clone(&ledger), "a".to_owned(), "main".to_owned());
        homes.set_node_epoch(ledger.renew_lease(&lease("a"), LEASE).await.unwrap());
        homes.settle(1).await.unwrap();

        homes.drain();
        assert_eq!(homes.settle(1).await, Ok(()), "there is no other");

        let epoch = ledger.renew_lease(&lease("b"), LEASE).await.unwrap();
        assert_eq!(homes.settle(1).await, Err("b".to_owned()));
        let home = Home { node: "b".to_owned(), node_epoch: epoch };
        assert_eq!(ledger.home(1).await.unwrap(), Some(home));
    }
}
