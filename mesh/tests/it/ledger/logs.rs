//! Reading and trimming of a log.

use std::time::Duration;

use mesh::ledger::{Epoch, LogRead, Position, ReadFrom};
use tokio::time::Instant;

use super::subject::{Draft, Kind, Node, Retention, Subject, bytes, entries, until};

const AT_ONCE: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(8);
/// How much earlier than asked a wait may end.
const SLACK: Duration = Duration::from_millis(5);

pub(super) async fn positions_increase_and_entries_keep_their_order(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    let mut answers = Vec::new();
    for round in 0..20 {
        let mut commit = node.draft();
        for number in 0..round % 4 {
            commit = commit.event(&format!("{round} {number}"));
        }
        answers.push(node.send(&*store, &commit).await.unwrap().last);
    }

    let read = entries(store.read_log(0, &ReadFrom::Oldest, 1000, AT_ONCE).await);

    assert!(read.windows(2).all(|pair| pair[0].0 < pair[1].0), "{read:?}");
    let expected: Vec<_> = (0..20)
        .flat_map(|round| (0..round % 4).map(move |number| bytes(&format!("{round} {number}"))))
        .collect();
    assert_eq!(read.iter().map(|(_, event)| event.clone()).collect::<Vec<_>>(), expected);
    assert!(answers.windows(2).all(|pair| pair[0] <= pair[1]), "{answers:?}");
    assert_eq!(answers.last(), read.last().map(|(position, _)| position));
}

pub(super) async fn a_commit_without_events_answers_the_end(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");

    let empty = node.draft().put("k", "v");
    assert_eq!(node.send(&*store, &empty).await.unwrap().last, Position::default());
    let end = node.say(&*store, "event").await.unwrap().last;
    let empty = node.draft().put("k", "w");
    assert_eq!(node.send(&*store, &empty).await.unwrap().last, end);
}

pub(super) async fn a_read_is_limited_and_goes_on(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    for number in 0..7 {
        node.say(&*store, &number.to_string()).await.unwrap();
    }
    let epoch = store.epoch(0).await;

    let mut from = ReadFrom::Oldest;
    let mut sizes = Vec::new();
    let mut seen = Vec::new();
    for wait in [AT_ONCE, LONG, LONG, AT_ONCE] {
        let read = entries(store.read_log(0, &from, 3, wait).await);
        sizes.push(read.len());
        if let Some((last, _)) = read.last() {
            from = ReadFrom::After(epoch.clone(), *last);
        }
        seen.extend(read.into_iter().map(|(_, event)| event));
    }

    assert_eq!(sizes, [3, 3, 1, 0]);
    assert_eq!(seen, (0..7).map(|number| bytes(&number.to_string())).collect::<Vec<_>>());
}

pub(super) async fn an_empty_log_reads_as_empty(kind: Kind) {
    let store = Subject::of(kind).await;
    let bounds = store.log_bounds(0).await.unwrap();
    assert_eq!((bounds.trimmed_to, bounds.last), <(Position, Position)>::default());

    let after = ReadFrom::After(bounds.epoch, Position::default());
    for from in [ReadFrom::Oldest, after] {
        assert!(entries(store.read_log(0, &from, 0, AT_ONCE).await).is_empty());
        assert!(entries(store.read_log(0, &from, 0, Duration::from_millis(5)).await).is_empty());
    }
}

/// Starts a waiting read, commits once it waits, and returns how long after the commit it ended.
async fn wake(store: &Subject, from: ReadFrom, node: &mut Node, event: &str) -> Duration {
    let read = async {
        let read = entries(store.read_log(0, &from, 10, LONG).await);
        (read, Instant::now())
    };
    let write = async {
        until_waiting(store).await;
        let committing = Instant::now();
        (node.say(&**store, event).await.unwrap().last, committing)
    };
    let ((read, woken), (last, committing)) = tokio::join!(read, write);
    assert_eq!(read, [(last, bytes(event))]);
    woken - committing
}

/// Until a reader that was polled before waits: in memory it does at once, on Redis when a client
/// is blocked.
async fn until_waiting(store: &Subject) {
    if let Subject::Redis(_, server) = store {
        let mut connection = server.connection().await;
        until("the reader waits", async || {
            let info: String =
                redis::cmd("INFO").arg("clients").query_async(&mut connection).await.unwrap();
            info.contains("blocked_clients:1").then_some(())
        })
        .await;
    }
}

pub(super) async fn a_waiting_read_wakes_on_commit(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    let first = node.say(&*store, "first").await.unwrap();
    let from = ReadFrom::After(first.epoch.clone(), first.last);

    // The best of three: the bound is for the store, not for a busy machine.
    let mut best = LONG;
    for _ in 0..3 {
        let last = store.log_bounds(0).await.unwrap().last;
        let from = match &from {
            ReadFrom::After(epoch, _) => ReadFrom::After(epoch.clone(), last),
            ReadFrom::Oldest => ReadFrom::Oldest,
        };
        best = best.min(wake(&store, from, &mut node, "woken").await);
    }

    assert!(best < Duration::from_millis(50), "{best:?}");
}

pub(super) async fn a_waiting_read_ends_on_time(kind: Kind) {
    let store = Subject::of(kind).await;
    let first = Node::new("n1").say(&*store, "first").await.unwrap();
    let from = ReadFrom::After(first.epoch, first.last);
    let wait = Duration::from_millis(120);

    for _ in 0..2 {
        let started = Instant::now();
        let read = entries(store.read_log(0, &from, 10, wait).await);
        let took = started.elapsed();

        assert!(read.is_empty());
        assert!(took >= wait.saturating_sub(SLACK), "{took:?}");
        assert!(took < wait + Duration::from_secs(1), "{took:?}");
    }
}

pub(super) async fn a_waiting_read_of_the_oldest_wakes_on_commit(kind: Kind) {
    let store = Subject::of(kind).await;

    wake(&store, ReadFrom::Oldest, &mut Node::new("n1"), "first").await;

    let read = store.read_log(0, &ReadFrom::Oldest, 10, LONG).await;
    assert_eq!(entries(read).len(), 1);
}

pub(super) async fn waiting_reads_follow_each_other_without_a_gap(kind: Kind) {
    const EVENTS: usize = 200;
    let store = Subject::of(kind).await;
    let epoch = store.epoch(0).await;
    let read = async {
        let mut from = ReadFrom::After(epoch.clone(), Position::default());
        let mut seen = Vec::new();
        while seen.len() < EVENTS {
            let read = entries(store.read_log(0, &from, 7, LONG).await);
            let Some((last, _)) = read.last() else { break };
            from = ReadFrom::After(epoch.clone(), *last);
            seen.extend(read.into_iter().map(|(_, event)| event));
        }
        seen
    };
    let mut node = Node::new("n1");
    let write = async {
        for number in 0..EVENTS {
            node.say(&*store, &number.to_string()).await.unwrap();
            if number % 16 == 0 {
                tokio::task::yield_now().await;
            }
        }
    };

    let (seen, ()) = tokio::join!(read, write);

    let expected: Vec<_> = (0..EVENTS).map(|number| bytes(&number.to_string())).collect();
    assert_eq!(seen, expected);
}

pub(super) async fn a_reader_of_another_epoch_is_told_at_once(kind: Kind) {
    let store = Subject::of(kind).await;
    let current = Node::new("n1").say(&*store, "first").await.unwrap();
    let other = Epoch { born_millis: 5, nonce: 5 };

    for wait in [AT_ONCE, LONG] {
        let started = Instant::now();
        let from = ReadFrom::After(other.clone(), current.last);
        let read = store.read_log(0, &from, 10, wait).await.unwrap();

        assert_eq!(read, LogRead::EpochChanged(current.epoch.clone()));
        assert!(started.elapsed() < LONG / 2);
    }
}

pub(super) async fn a_waiting_reader_learns_a_new_epoch(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    let first = node.say(&*store, "first").await.unwrap();
    let from = ReadFrom::After(first.epoch.clone(), first.last);
    // Once before, so that the read below goes on from where this one ended.
    store.read_log(0, &from, 10, Duration::from_millis(2)).await.unwrap();

    let renewal = node.draft().event("renewed").renewing();
    let renew = async {
        until_waiting(&store).await;
        node.send(&*store, &renewal).await.unwrap()
    };
    let (read, renewed) = tokio::join!(store.read_log(0, &from, 10, LONG), renew);

    assert_eq!(read.unwrap(), LogRead::EpochChanged(renewed.epoch));
    let oldest = store.read_log(0, &ReadFrom::Oldest, 10, LONG).await;
    assert_eq!(entries(oldest), [(renewed.last, bytes("renewed"))]);
}

pub(super) async fn time_trims_and_the_reader_is_told(kind: Kind) {
    let time = Duration::from_millis(150);
    let store = Subject::retaining(kind, Retention { time, ..Retention::default() }).await;
    let mut node = Node::new("n1");
    let old = node.say(&*store, "old").await.unwrap();
    let older_reader = ReadFrom::After(old.epoch.clone(), Position::default());
    store.trim_log(0).await.unwrap();
    assert_eq!(store.events(0).await.len(), 1);

    let bounds = until("the entry is trimmed", async || {
        store.trim_log(0).await.unwrap();
        let bounds = store.log_bounds(0).await.unwrap();
        (bounds.trimmed_to == old.last).then_some(bounds)
    })
    .await;

    assert!(store.events(0).await.is_empty());
    for wait in [AT_ONCE, LONG] {
        let read = store.read_log(0, &older_reader, 10, wait).await.unwrap();
        assert_eq!(read, LogRead::Trimmed(bounds.clone()));
    }
    // Whoever had read it all misses nothing.
    let new = node.say(&*store, "new").await.unwrap();
    assert!(new.last > old.last);
    let from = ReadFrom::After(old.epoch, old.last);
    assert_eq!(entries(store.read_log(0, &from, 10, AT_ONCE).await), [(new.last, bytes("new"))]);
}

pub(super) async fn bytes_trim_and_the_reader_is_told(kind: Kind) {
    let max_bytes = 20_000;
    let store = Subject::retaining(kind, Retention { max_bytes, ..Retention::default() }).await;
    let mut node = Node::new("n1");
    let payload = "x".repeat(1000);
    let first = node.say(&*store, &payload).await.unwrap();
    for _ in 0..60 {
        node.say(&*store, &payload).await.unwrap();
    }

    let kept = entries(store.read_log(0, &ReadFrom::Oldest, 1000, AT_ONCE).await);
    assert!((15..=20).contains(&kept.len()), "{}", kept.len());
    let bounds = store.log_bounds(0).await.unwrap();
    assert!(bounds.trimmed_to < kept.first().unwrap().0);
    let from = ReadFrom::After(first.epoch.clone(), first.last);
    let read = store.read_log(0, &from, 10, LONG).await.unwrap();
    assert_eq!(read, LogRead::Trimmed(bounds.clone()));
    let from = ReadFrom::After(first.epoch, bounds.trimmed_to);
    assert_eq!(entries(store.read_log(0, &from, 1000, AT_ONCE).await), kept);
}

pub(super) async fn the_newest_entry_stays_however_large(kind: Kind) {
    let max_bytes = 100;
    let store = Subject::retaining(kind, Retention { max_bytes, ..Retention::default() }).await;
    let mut node = Node::new("n1");
    node.say(&*store, "small").await.unwrap();
    let large = "x".repeat(5000);
    node.say(&*store, &large).await.unwrap();
    store.trim_log(0).await.unwrap();

    assert_eq!(store.events(0).await, [bytes(&large)]);
}

pub(super) async fn a_trimmed_log_that_is_empty_can_be_waited_on(kind: Kind) {
    let time = Duration::from_millis(20);
    let store = Subject::retaining(kind, Retention { time, ..Retention::default() }).await;
    let mut node = Node::new("n1");
    node.say(&*store, "old").await.unwrap();
    until("the entry is trimmed", async || {
        store.trim_log(0).await.unwrap();
        store.events(0).await.is_empty().then_some(())
    })
    .await;

    let wait = Duration::from_millis(60);
    let started = Instant::now();
    let read = store.read_log(0, &ReadFrom::Oldest, 10, wait).await;
    assert!(entries(read).is_empty());
    assert!(started.elapsed() >= wait.saturating_sub(SLACK));
    wake(&store, ReadFrom::Oldest, &mut node, "new").await;
}

pub(super) async fn a_place_beyond_the_end_is_not_waited_at(kind: Kind) {
    let store = Subject::of(kind).await;
    let first = Node::new("n1").say(&*store, "first").await.unwrap();
    let beyond = Position { millis: first.last.millis + 60_000, sequence: 0 };
    let from = ReadFrom::After(first.epoch, beyond);

    // The store lost what the reader had read: what comes next may lie before its place.
    for wait in [AT_ONCE, LONG] {
        let read = store.read_log(0, &from, 10, wait).await.unwrap();
        assert!(matches!(read, LogRead::Trimmed(_)), "{read:?}");
    }
}
