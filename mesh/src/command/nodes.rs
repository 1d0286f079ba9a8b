//! The switch nodes, as the store last listed them.
//!
//! The list is read each second in the background and once more when a command names a node that
//! is not in it. While the store is away the last list stands, so that commands on known calls go
//! on. A store that came back empty learns of the nodes one by one, so a node that it no longer
//! lists is kept for a while, unless the sweeper has removed it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::ledger::{Ledger, NodeLease, StoreError};
use crate::net::Target;
use parking_lot::RwLock;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::placement::Candidate;

/// How long the store may take to list the nodes.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// Time between two readings that unknown names of nodes can cause.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// A switch node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Name.
    pub name: String,
    /// Epoch of its lease.
    pub epoch: u64,
    /// Where its command API listens.
    pub target: Target,
    /// Its site.
    pub site: String,
    /// Its living legs.
    pub load: u64,
    /// Whether it takes new customers.
    pub accepting: bool,
    /// Whether its lease runs.
    pub is_alive: bool,
}

impl Node {
    fn of(lease: NodeLease) -> Option<Self> {
        let Ok(target) = lease.address.parse() else {
            tracing::error!(node = lease.node, "address of a node cannot be read");
            return None;
        };
        Some(Self {
            name: lease.node,
            epoch: lease.epoch,
            target,
            site: lease.site,
            load: lease.load,
            accepting: lease.accepting,
            is_alive: !lease.remaining.is_zero(),
        })
    }

    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            node: &self.name,
            site: &self.site,
            load: self.load,
            is_open: self.accepting && self.is_alive,
        }
    }
}

/// The nodes. Clones share them.
#[derive(Clone, Debug)]
pub struct Nodes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ledger: Arc<dyn Ledger>,
    grace: Duration,
    known: RwLock<Known>,
    /// Held by whoever looks for a name that is not known; when the last look began that failed,
    /// and why.
    looking: tokio::sync::Mutex<Option<(Instant, String)>>,
}

#[derive(Debug, Default)]
struct Known {
    nodes: BTreeMap<String, (Arc<Node>, Instant)>,
    /// When the newest reading began.
    read_at: Option<Instant>,
}

impl Nodes {
    /// No nodes yet; a node that the store no longer lists is kept for `grace`.
    #[must_use]
    pub fn new(ledger: Arc<dyn Ledger>, grace: Duration) -> Self {
        Self(Arc::new(Shared {
            ledger,
            grace,
            known: RwLock::default(),
            looking: tokio::sync::Mutex::default(),
        }))
    }

    /// Reads the list every `period` until `stop`, and tells `read` of each attempt.
    pub async fn run(
        &self,
        period: Duration,
        read: impl Fn(Result<(), StoreError>) + Send,
        stop: CancellationToken,
    ) {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => read(self.refresh().await),
            }
        }
    }

    /// Reads the list.
    ///
    /// # Errors
    /// When the store does not answer; the list stays as it was.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let late = |_elapsed| StoreError { message: "no answer in time".to_owned() };
        let began = Instant::now();
        let leases = timeout(STORE_TIMEOUT, self.0.ledger.leases()).await.map_err(late)??;
        let now = Instant::now();
        let mut known = self.0.known.write();
        known.read_at = known.read_at.max(Some(began));
        for node in leases.into_iter().filter_map(Node::of) {
            known.nodes.insert(node.name.clone(), (Arc::new(node), now));
        }
        let grace = self.0.grace;
        known.nodes.retain(|_, (_, seen_at)| now.duration_since(*seen_at) <= grace);
        let open = known.nodes.values().filter(|(node, _)| node.candidate().is_open).count();
        super::metrics::NODES.set_count(open as u64, []);
        Ok(())
    }

    /// The node of this name; when it is not known, after a look at the store that is newer than the
    /// question: a node may have come a moment ago. Names that nobody has do not make for more
    /// than ten looks a second; who asks in between waits for the next one.
    ///
    /// # Errors
    /// When it is not known and the store does not answer.
    pub async fn find(&self, name: &str) -> Result<Option<Arc<Node>>, StoreError> {
        if let Some(node) = self.known(name) {
            return Ok(Some(node));
        }
        let asked_at = Instant::now();
        let read_at = || self.0.known.read().read_at;
        if let Some(last) = read_at() {
            sleep_until(last + LOOK_AGAIN_AFTER).await;
        }
        let mut failed = self.0.looking.lock().await;
        // Somebody who waited as well may have looked, and begun later than this was asked.
        if read_at().is_none_or(|last| last <= asked_at) {
            if let Some((began, message)) = failed.as_ref()
                && *began > asked_at
            {
                return Err(StoreError { message: message.clone() });
            }
            let began = Instant::now();
            if let Err(error) = self.refresh().await {
                *failed = Some((began, error.message.clone()));
                return Err(error);
            }
        }
        Ok(self.known(name))
    }

    /// The node of this name, which the store itself has named: when it is not known the store is
    /// asked in any case.
    ///
    /// # Errors
    /// When it is not known and the store does not answer.
    pub async fn find_named(&self, name: &str) -> Result<Option<Arc<Node>>, StoreError> {
        if let Some(node) = self.known(name) {
            return Ok(Some(node));
        }
        self.refresh().await?;
        Ok(self.known(name))
    }

    /// The node of this name as far as is known now.
    #[must_use]
    pub fn known(&self, name: &str) -> Option<Arc<Node>> {
        self.0.known.read().nodes.get(name).map(|(node, _)| Arc::clone(node))
    }

    /// Every node as far as is known now.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Node>> {
        self.0.known.read().nodes.values().map(|(node, _)| Arc::clone(node)).collect()
    }

    /// Chooses a home for a customer, see [`super::placement::choose`].
    #[must_use]
    pub fn choose(&self, own_site: &str, i_customer: i64) -> Option<Arc<Node>> {
        let known = self.0.known.read();
        let candidates = known.nodes.values().map(|(node, _)| node.candidate());
        let chosen = super::placement::choose(candidates, own_site, i_customer)?;
        known.nodes.get(chosen).map(|(node, _)| Arc::clone(node))
    }

    /// Forgets a node of this epoch: its calls have been ended.
    pub fn forget(&self, name: &str, epoch: u64) {
        let mut known = self.0.known.write();
        if known.nodes.get(name).is_some_and(|(node, _)| node.epoch == epoch) {
            known.nodes.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Clock;
    use crate::ledger::memory::{MemoryConfig, MemoryLedger};
    use tokio::time::advance;

    use super::*;

    const GRACE: Duration = Duration::from_secs(15);

    fn fixture() -> (Arc<MemoryLedger>, Nodes) {
        let ledger = Arc::new(MemoryLedger::new(Clock::system(), MemoryConfig::default()));
        let nodes = Nodes::new(Arc::<MemoryLedger>::clone(&ledger), GRACE);
        (ledger, nodes)
    }

    async fn lease(ledger: &MemoryLedger, node: &str) {
        let lease = NodeLease {
            node: node.to_owned(),
            epoch: 0,
            address: format!("memory:{node}"),
            site: "main".to_owned(),
            load: 0,
            accepting: true,
            remaining: Duration::ZERO,
        };
        ledger.renew_lease(&lease, Duration::from_secs(15)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_node_is_looked_for_in_the_store() {
        let (ledger, nodes) = fixture();
        lease(&ledger, "a").await;

        assert_eq!(nodes.known("a"), None);
        assert_eq!(nodes.find("a").await.unwrap().unwrap().target, "memory:a".parse().unwrap());
        assert_eq!(nodes.find("b").await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_came_a_moment_ago_is_found_by_all_who_ask_with_one_look() {
        let (ledger, nodes) = fixture();
        nodes.refresh().await.unwrap();
        lease(&ledger, "a").await;
        let began = Instant::now();

        let found = futures::future::join_all((0..100).map(|_| nodes.find("a"))).await;

        assert!(found.iter().all(|found| found.as_ref().unwrap().is_some()));
        assert_eq!(began.elapsed(), LOOK_AGAIN_AFTER);
        ledger.set_reachable(false);
        let lost = futures::future::join_all((0..100).map(|_| nodes.find("b"))).await;
        assert!(lost.iter().all(Result::is_err));
        assert!(began.elapsed() <= 3 * LOOK_AGAIN_AFTER, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn known_nodes_stay_while_the_store_is_away() {
        let (ledger, nodes) = fixture();
        lease(&ledger, "a").await;
        nodes.refresh().await.unwrap();
        ledger.set_reachable(false);
        advance(Duration::from_mins(10)).await;

        assert!(nodes.refresh().await.is_err());
        assert!(nodes.find("a").await.unwrap().is_some());
        assert!(nodes.find("b").await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_is_no_longer_listed_is_kept_for_a_while() {
        let (ledger, nodes) = fixture();
        lease(&ledger, "a").await;
        nodes.refresh().await.unwrap();
        ledger.forget_everything();

        advance(GRACE).await;
        nodes.refresh().await.unwrap();
        assert!(nodes.known("a").is_some());

        advance(Duration::from_secs(1)).await;
        nodes.refresh().await.unwrap();
        assert!(nodes.known("a").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lapsed_node_gets_no_new_customer() {
        let (ledger, nodes) = fixture();
        lease(&ledger, "a").await;
        nodes.refresh().await.unwrap();
        assert_eq!(nodes.choose("main", 1).unwrap().name, "a");

        advance(Duration::from_secs(16)).await;
        nodes.refresh().await.unwrap();

        assert_eq!(nodes.choose("main", 1), None);
        assert!(nodes.known("a").is_some_and(|node| !node.is_alive));
    }
}
