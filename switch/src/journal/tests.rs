//! The journal against a store and an auth that go away and forget.

use std::collections::BTreeSet;
use std::path::Path;

use mesh::health::Readiness;
use mesh::ledger::memory::{MemoryConfig, MemoryLedger};
use mesh::ledger::{Ledger as _, Position};
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use super::*;
use crate::outbox::{Bounds, Writing};

/// An auth that makes xDRs of what it reads in the ledger, unless it is away.
#[derive(Debug, Default)]
struct Auth {
    is_away: Mutex<bool>,
    xdrs: Mutex<BTreeSet<String>>,
}

#[async_trait]
impl Accounted for Auth {
    async fn accounted(&self, records: &[AccountingRecord]) -> Option<Vec<bool>> {
        let xdrs = self.xdrs.lock();
        let is_here = !*self.is_away.lock();
        is_here.then(|| records.iter().map(|record| xdrs.contains(&record.tag)).collect())
    }
}

struct Bench {
    folder: TempDir,
    clock: Clock,
    ledger: Arc<MemoryLedger>,
    auth: Arc<Auth>,
    outbox: Outbox,
    tasks: TaskTracker,
    stop: CancellationToken,
    journal: Option<Journal>,
}

impl Bench {
    fn new() -> Self {
        let clock = Clock::starting_at(Timestamp::from_micros(1_700_000_000_000_000));
        let ledger = Arc::new(MemoryLedger::new(clock.clone(), MemoryConfig::default()));
        let outbox = Outbox::new(Bounds { max_bytes: 1 << 20, commit_events: 64 });
        let mut bench = Self {
            folder: tempfile::tempdir().unwrap(),
            clock,
            ledger,
            auth: Arc::default(),
            outbox,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            journal: None,
        };
        bench.start(1);
        bench
    }

    /// A life of the process: its outbox is new, its journal is what it finds.
    fn start(&mut self, node_epoch: u64) {
        self.outbox = Outbox::new(Bounds { max_bytes: 1 << 20, commit_events: 64 });
        self.stop = CancellationToken::new();
        let writing = Writing {
            ledger: Arc::clone(&self.ledger) as _,
            partition: 0,
            node: "n1".to_owned(),
            node_epoch,
            clock: self.clock.clone(),
        };
        let (outbox, stop) = (self.outbox.clone(), self.stop.clone());
        self.tasks.spawn(async move { writing.run(outbox, stop).await });
        let (journal, keeper) = Journal::open(
            self.folder.path().to_owned(),
            vec![self.outbox.clone()],
            Arc::clone(&self.auth) as _,
            self.clock.clone(),
        )
        .unwrap();
        let health = Readiness::new().component("switch.journal");
        self.tasks.spawn(keeper.run(health, self.stop.clone()));
        self.journal = Some(journal);
    }

    /// The process ends without a word.
    async fn crash(&mut self) {
        self.journal = None;
        self.stop.cancel();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    /// A leg ends: its record is noted and committed.
    fn account(&self, tag: &str) {
        let record = AccountingRecord { tag: tag.to_owned(), i_customer: 1, ..Default::default() };
        let accounting = vec![Bytes::from(record.encode_to_vec())];
        self.journal.as_ref().unwrap().note(&accounting);
        drop(self.outbox.push(Batch { accounting, ..Batch::default() }));
    }

    /// Auth reads the ledger's list and trims it.
    async fn take_in(&self) {
        let read = self.ledger.read_accounting(0, Position::default(), 10_000).await.unwrap();
        for (position, entry) in read.entries {
            let record = AccountingRecord::decode(entry).unwrap();
            self.auth.xdrs.lock().insert(record.tag);
            self.ledger.trim_accounting(0, position).await.unwrap();
        }
    }

    fn segments(&self) -> usize {
        std::fs::read_dir(self.folder.path()).unwrap().count()
    }

    /// Time passes for everything that waits; files take as long as they take.
    async fn pass(&self, time: Duration) {
        let turns = time.as_millis() / 500;
        for _ in 0..turns {
            tokio::time::advance(Duration::from_millis(500)).await;
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            // Files are read and written by threads of their own.
            settle().await;
        }
    }
}

async fn settle() {
    tokio::task::spawn_blocking(|| ()).await.unwrap();
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    tokio::task::spawn_blocking(|| ()).await.unwrap();
}

/// Looks until `done`, as time passes.
async fn until(bench: &Bench, what: &str, mut done: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if done().await {
            return;
        }
        bench.pass(Duration::from_millis(500)).await;
    }
    panic!("{what}: never");
}

#[tokio::test(start_paused = true)]
async fn a_segment_goes_when_its_records_have_become_xdrs() {
    let bench = Bench::new();
    bench.account("a");
    until(&bench, "written", async || bench.segments() == 1).await;

    bench.take_in().await;

    until(&bench, "removed", async || {
        bench.take_in().await;
        bench.segments() == 0
    })
    .await;
    assert_eq!(bench.auth.xdrs.lock().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_started_empty_with_auth_away_for_two_hours_loses_none() {
    let bench = Bench::new();
    *bench.auth.is_away.lock() = true;
    for number in 0..50 {
        bench.account(&format!("a{number}"));
    }
    bench.pass(Duration::from_mins(2)).await;
    bench.ledger.forget_everything();
    for number in 0..50 {
        bench.account(&format!("b{number}"));
    }
    tokio::time::advance(Duration::from_hours(2)).await;
    assert!(bench.segments() > 0);

    *bench.auth.is_away.lock() = false;

    until(&bench, "removed", async || {
        bench.take_in().await;
        bench.segments() == 0
    })
    .await;
    assert_eq!(bench.auth.xdrs.lock().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ended_is_seen_through_by_the_next() {
    let mut bench = Bench::new();
    bench.ledger.set_reachable(false);
    bench.account("a");
    until(&bench, "written", async || bench.segments() == 1).await;
    bench.crash().await;

    bench.ledger.set_reachable(true);
    bench.start(2);

    until(&bench, "removed", async || {
        bench.take_in().await;
        bench.segments() == 0
    })
    .await;
    assert_eq!(bench.auth.xdrs.lock().len(), 1);
}

#[tokio::test]
async fn a_torn_tail_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = file::path(folder.path(), 1);
    let record = |tag: &str| {
        let record = AccountingRecord { tag: tag.to_owned(), ..Default::default() };
        Bytes::from(record.encode_to_vec())
    };
    let mut open = Appending::create(path.clone(), Timestamp::default()).await.unwrap();
    open.append(&[record("a"), record("b")]).await.unwrap();
    let whole = std::fs::read(&path).unwrap();

    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let tags: Vec<_> =
            file::read(&path).await.unwrap().into_iter().map(|record| record.tag).collect();
        let expected = ["a", "b"];
        let count = usize::from(length >= whole.len() / 2);
        assert_eq!(tags, expected[..count], "{length}");
    }
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &flipped).unwrap();
    assert_eq!(file::read(&path).await.unwrap().len(), 1);
    assert_eq!(numbers(folder.path()), [1]);
}

fn numbers(folder: &Path) -> Vec<u64> {
    segments_in(folder).unwrap().into_iter().map(|(number, _)| number).collect()
}
