//! What is special to the store in memory: faults that it plays, and its clock.

use std::time::Duration;

use mesh::Clock;
use mesh::ledger::memory::{MemoryConfig, MemoryLedger};
use mesh::ledger::{CommitError, Ledger, ReadFrom};
use tokio::time::Instant;

use super::subject::{Draft, Node, entries};

const MINUTE: Duration = Duration::from_mins(1);

fn ledger() -> MemoryLedger {
    MemoryLedger::new(Clock::system(), MemoryConfig::default())
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_store_fails_at_once_and_applies_nothing() {
    let ledger = ledger();
    let mut node = Node::new("n1");
    let first = node.say(&ledger, "first").await.unwrap();
    ledger.set_reachable(false);

    let outcome = node.say(&ledger, "never").await;

    assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
    assert!(ledger.get(0, "k").await.is_err());
    assert!(!ledger.is_reachable().await);
    ledger.set_reachable(true);
    assert_eq!(ledger.log_bounds(0).await.unwrap().last, first.last);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_reader_hears_that_the_store_is_gone() {
    let ledger = ledger();
    let started = Instant::now();

    let (read, ()) = tokio::join!(ledger.read_log(0, &ReadFrom::Oldest, 1, MINUTE), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        ledger.set_reachable(false);
    });

    assert!(read.is_err());
    assert_eq!(started.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_hides_a_commit_that_was_applied() {
    let ledger = ledger();
    let mut node = Node::new("n1");
    ledger.lose_answers(2);

    let commit = node.draft().event("once");
    for _ in 0..2 {
        let outcome = node.send(&ledger, &commit).await;
        assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
    }
    node.send(&ledger, &commit).await.unwrap();

    let read = ledger.read_log(0, &ReadFrom::Oldest, 10, Duration::ZERO).await;
    assert_eq!(entries(read).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn only_the_last_commit_can_be_forgotten_and_only_once() {
    let ledger = ledger();
    let mut node = Node::new("n1");
    assert!(!ledger.forget_last_commit(0));
    node.say(&ledger, "first").await.unwrap();
    node.say(&ledger, "second").await.unwrap();

    assert!(ledger.forget_last_commit(0));
    assert!(!ledger.forget_last_commit(0));

    let read = ledger.read_log(0, &ReadFrom::Oldest, 10, Duration::ZERO).await;
    assert_eq!(entries(read).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn times_follow_the_clock() {
    let ledger = ledger();
    let mut node = Node::new("n1");
    let commit = node.draft().put_for("k", "v", MINUTE).event("e");
    node.send(&ledger, &commit).await.unwrap();

    tokio::time::advance(MINUTE.saturating_sub(Duration::from_millis(1))).await;
    assert!(ledger.get(0, "k").await.unwrap().is_some());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(ledger.get(0, "k").await.unwrap().is_none());
    tokio::time::advance(Duration::from_hours(1)).await;
    ledger.trim_log(0).await.unwrap();
    let read = ledger.read_log(0, &ReadFrom::Oldest, 10, MINUTE).await;
    assert!(entries(read).is_empty());
}
