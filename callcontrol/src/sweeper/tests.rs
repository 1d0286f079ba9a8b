//! When a node counts as lost.

use std::convert::Infallible;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use mesh::calls_index;
use mesh::clock::Timestamp;
use mesh::ledger::memory::{MemoryConfig, MemoryLedger};
use mesh::ledger::{Commit, LogRead, ReadFrom, Writer};
use mesh::net::Network;
use prost::Message as _;
use proto::call::v1::{CallInfo, CallRef, State};
use proto::switch::v1::{LegRecord, LogEntry, log_entry::Body};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use super::*;

const LEASE: Duration = Duration::from_secs(15);

struct Fixture {
    ledger: Arc<MemoryLedger>,
    clock: Clock,
    network: Network,
    nodes: Nodes,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Fixture {
    /// A node whose lease runs for 15 seconds, with one call of two legs.
    async fn new() -> Self {
        let clock = Clock::starting_at(Timestamp::from_micros(1_000_000_000_000));
        let ledger = Arc::new(MemoryLedger::new(clock.clone(), MemoryConfig::default()));
        let nodes = Nodes::new(Arc::<MemoryLedger>::clone(&ledger), LEASE);
        let fixture = Self {
            ledger,
            clock,
            network: Network::default(),
            nodes,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        fixture.renew(0).await;
        fixture.put_call().await;
        fixture
    }

    async fn renew(&self, epoch: u64) {
        let lease = NodeLease {
            node: "node-1".to_owned(),
            epoch,
            address: "memory:switch".to_owned(),
            site: "main".to_owned(),
            load: 2,
            accepting: true,
            remaining: Duration::ZERO,
        };
        self.ledger.renew_lease(&lease, LEASE).await.unwrap();
    }

    async fn put_call(&self) {
        let writer =
            Writer { node: "node-1".to_owned(), node_epoch: 1, sequence: 1, log_epoch: None };
        let mut commit = Commit {
            partition: 0,
            writer,
            require: Vec::new(),
            state: Vec::new(),
            index: Vec::new(),
            events: Vec::new(),
            accounting: Vec::new(),
            renew_epoch: false,
        };
        for tag in ["a", "b"] {
            let call = CallRef { id: "node-1.c1".to_owned(), tag: Some(tag.to_owned()) };
            let record = LegRecord {
                call_info: Some(CallInfo {
                    call: Some(call),
                    state: State::Connected.into(),
                    i_customer: 1,
                    sequence: 6,
                    ..CallInfo::default()
                }),
                node: "node-1".to_owned(),
                ..LegRecord::default()
            };
            let (state, index) = calls_index::changes(None, &record);
            commit.state.extend(state);
            commit.index.extend(index);
        }
        self.ledger.commit(&commit).await.unwrap();
    }

    fn sweep(&self) {
        let network = self.network.clone();
        let switch = SwitchClient::new(network, self.tasks.clone(), self.stop.clone());
        let sweeper = Sweeper {
            ledger: Arc::<MemoryLedger>::clone(&self.ledger),
            clock: self.clock.clone(),
            nodes: self.nodes.clone(),
            switch,
            interval: Duration::from_secs(1),
            lease: LEASE,
            probe_timeout: Duration::from_secs(2),
        };
        let stop = self.stop.clone();
        self.tasks.spawn(async move { sweeper.run(stop).await });
    }

    /// The node's command API answers from now on.
    fn answer(&self) {
        let mut listener = self.network.listen_memory("switch");
        let tasks = self.tasks.clone();
        self.tasks.spawn(async move {
            while let Ok(connection) = listener.accept().await {
                tasks.spawn(async move {
                    let health = service_fn(async |_request| {
                        Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
                    });
                    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    server.serve_connection(TokioIo::new(connection), health).await.ok();
                });
            }
        });
    }

    /// Sequences of the `terminated` events so far.
    async fn terminated(&self) -> Vec<i64> {
        let from = ReadFrom::Oldest;
        let read = self.ledger.read_log(0, &from, 100, Duration::ZERO).await.unwrap();
        let LogRead::Entries(chunk) = read else { panic!("{read:?}") };
        let entries = chunk.entries.into_iter().map(|(_, entry)| LogEntry::decode(entry).unwrap());
        let infos = entries.filter_map(|entry| match entry.body {
            Some(Body::CallState(info)) if info.state() == State::Terminated => Some(info),
            _ => None,
        });
        infos.map(|info| info.sequence).collect()
    }

    async fn after(&self, time: Duration) -> Vec<i64> {
        sleep(time).await;
        self.terminated().await
    }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn a_lapsed_and_silent_node_is_lost() {
    let fixture = Fixture::new().await;
    fixture.nodes.refresh().await.unwrap();
    fixture.sweep();

    assert!(fixture.after(seconds(14)).await.is_empty(), "its lease runs");
    assert_eq!(fixture.after(seconds(5)).await, [7, 8]);

    assert!(fixture.ledger.leases().await.unwrap().is_empty());
    assert_eq!(fixture.nodes.known("node-1"), None);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_answers_is_not_lost() {
    let fixture = Fixture::new().await;
    fixture.answer();
    fixture.sweep();

    assert!(fixture.after(seconds(60)).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_renews_its_lease_is_not_lost() {
    let fixture = Fixture::new().await;
    fixture.sweep();

    for _ in 0..10 {
        assert!(fixture.after(seconds(10)).await.is_empty());
        fixture.renew(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_node_is_lost_before_the_store_has_been_there_for_a_whole_lease() {
    let fixture = Fixture::new().await;
    fixture.sweep();
    sleep(seconds(10)).await;
    fixture.ledger.set_reachable(false);
    sleep(seconds(10)).await;
    fixture.ledger.set_reachable(true);

    assert!(fixture.after(seconds(14)).await.is_empty());
    assert_eq!(fixture.after(seconds(5)).await, [7, 8]);
}

#[tokio::test(start_paused = true)]
async fn a_sweeper_that_starts_late_waits_a_whole_lease() {
    let fixture = Fixture::new().await;
    sleep(seconds(60)).await;
    fixture.sweep();

    assert!(fixture.after(seconds(14)).await.is_empty());
    assert_eq!(fixture.after(seconds(5)).await, [7, 8]);
}

#[tokio::test(start_paused = true)]
async fn of_two_sweepers_one_ends_each_leg() {
    let fixture = Fixture::new().await;
    fixture.sweep();
    fixture.sweep();

    assert_eq!(fixture.after(seconds(60)).await, [7, 8]);
}
