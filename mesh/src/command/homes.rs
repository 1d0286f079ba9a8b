//! The node where a customer's new calls go: its home.
//!
//! A customer has one home at a time, kept in the store, and believed for some seconds without
//! asking. The home stays as long as its node is listed, also with a lapsed lease: its calls may
//! be there. A node that drains keeps the customers that have calls. While the store is away the
//! last known home serves.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::calls_index::Index;
use crate::ledger::{Home, Ledger, StoreError, partition_of};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::nodes::{Node, Nodes};
use super::refusal::Refusal;

/// Customers whose homes are remembered; when there are more, all are asked for anew.
const CAPACITY: usize = 100_000;

/// Times that a home is looked for when others change it meanwhile.
const ATTEMPTS: usize = 3;

/// Finds homes.
#[derive(Debug)]
pub(super) struct Homes {
    ledger: Arc<dyn Ledger>,
    nodes: Nodes,
    site: String,
    believed_for: Duration,
    known: Mutex<HashMap<i64, (Home, Instant)>>,
}

impl Homes {
    /// Finds homes among `nodes`, those of `site` first.
    #[must_use]
    pub(super) fn new(
        ledger: Arc<dyn Ledger>,
        nodes: Nodes,
        site: String,
        believed_for: Duration,
    ) -> Self {
        Self { ledger, nodes, site, believed_for, known: Mutex::default() }
    }

    /// The node where a new call of the customer goes.
    ///
    /// # Errors
    /// `NoSwitch` when no node takes it, `Store` when the home is not known and cannot be asked
    /// for.
    pub(super) async fn of(&self, i_customer: i64) -> Result<Arc<Node>, Refusal> {
        let known = self.known.lock().get(&i_customer).cloned();
        if let Some((home, since)) = &known
            && since.elapsed() < self.believed_for
            && let Some(node) = self.standing(home)
        {
            return Ok(node);
        }
        match self.ask(i_customer, known.as_ref().map(|(home, _)| home)).await {
            Ok(node) => node.ok_or(Refusal::NoSwitch),
            Err(error) => {
                let last = known.and_then(|(home, _)| self.nodes.known(&home.node));
                last.ok_or(Refusal::Store(error))
            }
        }
    }

    /// Asks the store the next time: the node says that it is not the home.
    pub(super) fn doubt(&self, i_customer: i64) {
        self.known.lock().remove(&i_customer);
    }

    /// The home's node, when nothing speaks against it.
    fn standing(&self, home: &Home) -> Option<Arc<Node>> {
        let node = self.nodes.known(&home.node)?;
        (node.epoch == home.node_epoch && node.accepting && node.is_alive).then_some(node)
    }

    /// Asks the store; gives the customer a home when it has none that stands.
    async fn ask(
        &self,
        i_customer: i64,
        believed: Option<&Home>,
    ) -> Result<Option<Arc<Node>>, StoreError> {
        let mut stored = self.ledger.home(i_customer).await?;
        for _ in 0..ATTEMPTS {
            // A store that came back empty does not know where the customer's calls are.
            let presumed = stored.as_ref().or(believed);
            let Some(node) = self.place(i_customer, presumed).await? else { return Ok(None) };
            let wanted = Home { node: node.name.clone(), node_epoch: node.epoch };
            let home = if stored.as_ref() == Some(&wanted) {
                wanted.clone()
            } else {
                self.ledger.set_home(i_customer, stored.as_ref(), &wanted).await?
            };
            if home == wanted {
                self.remember(i_customer, home);
                return Ok(Some(node));
            }
            // Another chose at the same time.
            stored = Some(home);
        }
        Ok(stored.and_then(|home| self.nodes.known(&home.node)))
    }

    /// The node that should be the home.
    async fn place(
        &self,
        i_customer: i64,
        present: Option<&Home>,
    ) -> Result<Option<Arc<Node>>, StoreError> {
        let node = match present {
            Some(home) => self.nodes.find_named(&home.node).await?,
            None => None,
        };
        if let Some(node) = node {
            if node.accepting || !node.is_alive || self.has_calls(i_customer).await? {
                return Ok(Some(node));
            }
            return Ok(self.nodes.choose(&self.site, i_customer).or(Some(node)));
        }
        if let Some(node) = self.nodes.choose(&self.site, i_customer) {
            return Ok(Some(node));
        }
        self.nodes.refresh().await?;
        Ok(self.nodes.choose(&self.site, i_customer))
    }

    async fn has_calls(&self, i_customer: i64) -> Result<bool, StoreError> {
        let partition = partition_of(i_customer, self.ledger.partitions());
        let index = Index::Customer(i_customer).to_string();
        Ok(self.ledger.page(partition, &index, 0, 1).await?.total > 0)
    }

    fn remember(&self, i_customer: i64, home: Home) {
        let mut known = self.known.lock();
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(i_customer, (home, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use crate::Clock;
    use crate::ledger::NodeLease;
    use crate::ledger::memory::{MemoryConfig, MemoryLedger};
    use tokio::time::advance;

    use super::*;

    const LEASE: Duration = Duration::from_secs(15);

    struct Fixture {
        ledger: Arc<MemoryLedger>,
        nodes: Nodes,
        homes: Homes,
    }

    impl Fixture {
        fn new() -> Self {
            let ledger = Arc::new(MemoryLedger::new(Clock::system(), MemoryConfig::default()));
            let nodes = Nodes::new(Arc::<MemoryLedger>::clone(&ledger), LEASE);
            let shared: Arc<dyn Ledger> = Arc::<MemoryLedger>::clone(&ledger);
            let believed_for = Duration::from_secs(5);
            let homes = Homes::new(shared, nodes.clone(), "main".to_owned(), believed_for);
            Self { ledger, nodes, homes }
        }

        async fn lease(&self, node: &str, epoch: u64, load: u64, accepting: bool) -> u64 {
            let lease = NodeLease {
                node: node.to_owned(),
                epoch,
                address: format!("memory:{node}"),
                site: "main".to_owned(),
                load,
                accepting,
                remaining: Duration::ZERO,
            };
            let epoch = self.ledger.renew_lease(&lease, LEASE).await.unwrap();
            self.nodes.refresh().await.unwrap();
            epoch
        }

        async fn home(&self) -> String {
            self.homes.of(1).await.unwrap().name.clone()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_home_stays_although_another_node_has_less_load() {
        let fixture = Fixture::new();
        let epoch = fixture.lease("a", 0, 0, true).await;
        assert_eq!(fixture.home().await, "a");
        fixture.lease("a", epoch, 50, true).await;
        fixture.lease("b", 0, 0, true).await;
        advance(Duration::from_secs(6)).await;

        assert_eq!(fixture.home().await, "a");
    }

    #[tokio::test(start_paused = true)]
    async fn a_home_that_is_gone_is_replaced() {
        let fixture = Fixture::new();
        let epoch = fixture.lease("a", 0, 0, true).await;
        assert_eq!(fixture.home().await, "a");
        fixture.lease("b", 0, 9, true).await;

        fixture.ledger.remove_lease("a", epoch).await.unwrap();
        fixture.nodes.forget("a", epoch);

        assert_eq!(fixture.home().await, "b");
        assert_eq!(fixture.ledger.home(1).await.unwrap().unwrap().node, "b");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lapsed_home_keeps_its_customers_until_it_is_swept() {
        let fixture = Fixture::new();
        fixture.lease("a", 0, 0, true).await;
        assert_eq!(fixture.home().await, "a");
        advance(LEASE + Duration::from_secs(1)).await;
        fixture.lease("b", 0, 0, true).await;

        assert_eq!(fixture.home().await, "a");
    }

    #[tokio::test(start_paused = true)]
    async fn a_draining_home_loses_customers_without_calls() {
        let fixture = Fixture::new();
        let epoch = fixture.lease("a", 0, 0, true).await;
        assert_eq!(fixture.home().await, "a");
        fixture.lease("b", 0, 0, true).await;
        fixture.lease("a", epoch, 0, false).await;

        assert_eq!(fixture.home().await, "b");
    }

    #[tokio::test(start_paused = true)]
    async fn a_known_home_serves_while_the_store_is_away() {
        let fixture = Fixture::new();
        fixture.lease("a", 0, 0, true).await;
        assert_eq!(fixture.home().await, "a");
        fixture.ledger.set_reachable(false);
        advance(Duration::from_mins(5)).await;

        assert_eq!(fixture.home().await, "a");
        assert!(matches!(fixture.homes.of(2).await, Err(Refusal::Store(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_came_back_empty_is_told_the_home() {
        let fixture = Fixture::new();
        let epoch = fixture.lease("a", 0, 0, true).await;
        assert_eq!(fixture.home().await, "a");
        fixture.ledger.forget_everything();
        fixture.lease("a", epoch, 7, true).await;
        fixture.lease("b", 0, 0, true).await;
        advance(Duration::from_secs(6)).await;

        assert_eq!(fixture.home().await, "a");
        assert_eq!(fixture.ledger.home(1).await.unwrap().unwrap().node, "a");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_node_there_is_no_home() {
        let fixture = Fixture::new();

        assert!(matches!(fixture.homes.of(1).await, Err(Refusal::NoSwitch)));
    }
}
