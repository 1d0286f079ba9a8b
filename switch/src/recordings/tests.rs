//! Files come and go as they should.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use mesh::caller::Owner;
use mesh::clock::Timestamp;

use super::*;
use crate::domain::{CallId, Tag};
use crate::driver::{Channel, DriverError, Op, RecordingId};

/// A switch that has every recording, one byte a second long, but those named `lost`.
#[derive(Debug)]
struct Switch;

#[async_trait]
impl Driver for Switch {
    async fn run(&self, _op: Op) -> Result<(), DriverError> {
        Ok(())
    }

    async fn channels(&self) -> Result<Vec<Channel>, DriverError> {
        Ok(Vec::new())
    }

    async fn collect(&self, recording: &RecordingId, file: &Path) -> Result<(), DriverError> {
        std::fs::write(file, b"0123456789").map_err(|_| DriverError::Unreachable)?;
        if recording.0.contains("lost") {
            return Err(DriverError::Refused("no such recording".to_owned()));
        }
        Ok(())
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// Recorded in a call of customer 1 between accounts 1 and 2, or of customer 2 with account 3.
fn recorded(id: &str, i_customer: i64, begun: i64) -> Recorded {
    let parties = if i_customer == 1 { BTreeSet::from([1, 2]) } else { BTreeSet::from([3]) };
    Recorded {
        id: RecordingId(format!("node-1.{id}")),
        call_id: CallId(format!("call-{id}")),
        tag: Tag("t".to_owned()),
        tracking_id: "x".to_owned(),
        owner: Owner { i_reseller: 7, i_customer },
        account_id: Some("101".to_owned()),
        i_accounts: parties,
        begun: at(begun),
        ended: at(begun + 5),
    }
}

fn config(folder: &Path) -> Config {
    Config { folder: Some(folder.to_owned()), ..Config::default() }
}

async fn open(folder: &Path) -> Recordings {
    Recordings::open(config(folder), Clock::system()).await.unwrap()
}

fn ids(page: &Page) -> Vec<&str> {
    page.entries.iter().map(|entry| entry.id.trim_start_matches("node-1.")).collect()
}

fn all() -> Wanted {
    Wanted { limit: 10, ..Wanted::default() }
}

async fn with_some(folder: &Path) -> Recordings {
    let recordings = open(folder).await;
    for (id, i_customer, begun) in [("a", 1, 10), ("b", 2, 20), ("c", 1, 30), ("d", 1, 40)] {
        recordings.keep(&Switch, recorded(id, i_customer, begun)).await;
    }
    recordings
}

#[tokio::test]
async fn each_sees_the_recordings_in_its_scope_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = with_some(folder.path()).await;
    let rows: [(Scope, &[&str]); 6] = [
        (Scope::Everything, &["d", "c", "b", "a"]),
        (Scope::Reseller { i_reseller: 7 }, &["d", "c", "b", "a"]),
        (Scope::Reseller { i_reseller: 8 }, &[]),
        (Scope::Customer { i_customer: 1 }, &["d", "c", "a"]),
        (Scope::Account { i_customer: 1, i_account: 2 }, &["d", "c", "a"]),
        (Scope::Account { i_customer: 1, i_account: 9 }, &[]),
    ];
    for (scope, expected) in rows {
        let page = recordings.list(&scope, &all());
        assert_eq!((ids(&page), page.total), (expected.to_vec(), expected.len()), "{scope:?}");
        for id in ["a", "b", "c", "d", "e"] {
            let found = recordings.find(&scope, &format!("node-1.{id}"));
            assert_eq!(found.is_some(), expected.contains(&id), "{id} for {scope:?}");
        }
    }
}

#[tokio::test]
async fn lists_are_narrowed() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = with_some(folder.path()).await;
    let list = |wanted| ids(&recordings.list(&Scope::Everything, &wanted)).join("");
    assert_eq!(list(Wanted { i_customer: Some(2), ..all() }), "b");
    assert_eq!(list(Wanted { i_account: Some(3), ..all() }), "b");
    assert_eq!(list(Wanted { call_id: Some("call-c".to_owned()), ..all() }), "c");
    assert_eq!(list(Wanted { tag: Some("u".to_owned()), ..all() }), "");
    assert_eq!(list(Wanted { from_us: Some(20_000_000), to_us: Some(40_000_000), ..all() }), "cb");
    let page = recordings.list(&Scope::Everything, &Wanted { limit: 1, ..Wanted::default() });
    assert_eq!((ids(&page), page.total), (vec!["d"], 4));
}

#[tokio::test]
async fn a_restart_finds_what_was_whole_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let before = with_some(folder.path()).await;
    std::fs::write(folder.path().join("1/node-1.half.part"), b"x").unwrap();
    std::fs::write(folder.path().join("1/node-1.broken.json"), b"{}").unwrap();
    std::fs::write(folder.path().join("note.txt"), b"x").unwrap();

    let after = open(folder.path()).await;

    let list = |recordings: &Recordings| recordings.list(&Scope::Everything, &all()).entries;
    assert_eq!(list(&after), list(&before));
    assert_eq!((list(&after)[0].bytes, list(&after)[0].millis), (10, 5_000));
    assert!(!folder.path().join("1/node-1.half.part").exists());
    let (_, file) = after.find(&Scope::Everything, "node-1.a").unwrap();
    assert_eq!(std::fs::read(file).unwrap(), b"0123456789");
}

/// A switch that is away for so many tries.
#[derive(Debug, Default)]
struct Away {
    tries: AtomicUsize,
    left: AtomicUsize,
    discarded: Mutex<Vec<RecordingId>>,
}

#[async_trait]
impl Driver for Away {
    async fn run(&self, _op: Op) -> Result<(), DriverError> {
        Err(DriverError::Unreachable)
    }

    async fn channels(&self) -> Result<Vec<Channel>, DriverError> {
        Err(DriverError::Unreachable)
    }

    async fn collect(&self, recording: &RecordingId, file: &Path) -> Result<(), DriverError> {
        self.tries.fetch_add(1, Ordering::AcqRel);
        if self.left.load(Ordering::Acquire) > 0 {
            self.left.fetch_sub(1, Ordering::AcqRel);
            return Err(DriverError::Unreachable);
        }
        Switch.collect(recording, file).await
    }

    async fn discard(&self, recording: &RecordingId) -> Result<(), DriverError> {
        self.discarded.lock().push(recording.clone());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_switch_that_is_away_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(folder.path()).await;
    let switch = Away { left: AtomicUsize::new(20), ..Away::default() };

    recordings.keep(&switch, recorded("a", 1, 1)).await;

    assert_eq!(ids(&recordings.list(&Scope::Everything, &all())), ["a"]);
    assert_eq!(switch.tries.into_inner(), 21);
    assert_eq!(switch.discarded.into_inner(), []);
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_is_forgotten_by_the_switch() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(folder.path()).await;
    let switch = Away { left: AtomicUsize::new(usize::MAX), ..Away::default() };
    let began = Instant::now();

    recordings.keep(&switch, recorded("a", 1, 1)).await;

    assert!(began.elapsed() <= PATIENCE, "{:?}", began.elapsed());
    assert!(ids(&recordings.list(&Scope::Everything, &all())).is_empty());
    assert_eq!(switch.discarded.into_inner(), [RecordingId("node-1.a".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_waits_for_no_switch() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = Arc::new(open(folder.path()).await);
    let stop = CancellationToken::new();
    stop.cancel();
    Arc::clone(&recordings).run(stop).await;
    let switch = Away { left: AtomicUsize::new(usize::MAX), ..Away::default() };

    recordings.keep(&switch, recorded("a", 1, 1)).await;

    assert_eq!(switch.tries.into_inner(), 1);
    assert_eq!(switch.discarded.into_inner(), [], "the next process may find it");
}

#[tokio::test]
async fn what_the_switch_does_not_give_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(folder.path()).await;

    recordings.keep(&Switch, recorded("lost", 1, 1)).await;

    assert_eq!(recordings.list(&Scope::Everything, &all()).total, 0);
    assert_eq!(std::fs::read_dir(folder.path().join("1")).unwrap().count(), 0);
}

#[tokio::test]
async fn the_old_and_the_oldest_of_too_many_go() {
    let folder = tempfile::tempdir().unwrap();
    drop(with_some(folder.path()).await);
    let now = Clock::system().now().as_micros() / 1_000_000;
    let config = Config {
        // `a` and `b` are older, and of the others one fits.
        keep: Duration::from_secs(u64::try_from(now - 25).unwrap()),
        max_bytes: 15,
        ..config(folder.path())
    };
    let recordings = Recordings::open(config, Clock::system()).await.unwrap();

    recordings.sweep().await;

    assert_eq!(ids(&recordings.list(&Scope::Everything, &all())), ["d"]);
    let mut left: Vec<_> = std::fs::read_dir(folder.path().join("1"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["node-1.d.json", "node-1.d.wav"]);
    assert_eq!(std::fs::read_dir(folder.path().join("2")).unwrap().count(), 0);
}

#[tokio::test]
async fn without_a_folder_nothing_is_kept() {
    let recordings = Recordings::open(Config::default(), Clock::system()).await.unwrap();

    recordings.keep(&Switch, recorded("a", 1, 1)).await;
    recordings.sweep().await;

    assert!(!recordings.is_on());
    assert!(recordings.find(&Scope::Everything, "node-1.a").is_none());
}
