//! A Redis that has no memory left, and one that is slow.

use std::time::Duration;

use mesh::ledger::redis::RedisConfig;
use mesh::ledger::{CommitError, Ledger, ReadFrom};
use mesh::testing::redis::RedisServer;
use tokio::time::Instant;

use super::subject::{Draft as _, Node, connect, entries, redis_config, until};

const AT_ONCE: Duration = Duration::ZERO;

#[tokio::test]
async fn without_memory_writes_are_refused_reads_go_on_and_nothing_is_thrown_away() {
    let server = RedisServer::start().await;
    let ledger = connect(redis_config(&server)).await;
    let mut node = Node::new("n1");
    let first = node.say(&*ledger, "first").await.unwrap();
    let commit = node.draft().put("k", "v").event("second");

    server.limit_memory(1).await;
    let refused = ledger.commit(&commit).await;
    let held = ledger.hold(0, "x", "me", Duration::from_secs(9), None).await;
    let read = ledger.read_log(0, &ReadFrom::Oldest, 10, AT_ONCE).await;

    assert!(matches!(refused, Err(CommitError::Unavailable(_))), "{refused:?}");
    assert!(held.is_err(), "{held:?}");
    assert_eq!(entries(read).len(), 1);

    server.limit_memory(0).await;
    let second = ledger.commit(&commit).await.unwrap();
    assert_eq!(second.epoch, first.epoch);
    let read = ledger.read_log(0, &ReadFrom::Oldest, 10, AT_ONCE).await;
    assert_eq!(entries(read).len(), 2);
}

#[tokio::test]
async fn a_slow_server_delays_and_beyond_the_time_for_an_answer_counts_as_away() {
    let server = RedisServer::start().await;
    let command_timeout = Duration::from_millis(400);
    let ledger = connect(RedisConfig { command_timeout, ..redis_config(&server) }).await;
    let mut node = Node::new("n1");
    let first = node.say(&*ledger, "first").await.unwrap();

    server.slow_down(Duration::from_millis(150)).await;
    let second = node.say(&*ledger, "late").await.unwrap();
    assert_eq!(second.epoch, first.epoch);

    server.slow_down(Duration::from_millis(1500)).await;
    let commit = node.draft().event("later");
    let started = Instant::now();
    let refused = ledger.commit(&commit).await;
    assert!(matches!(refused, Err(CommitError::Unavailable(_))), "{refused:?}");
    assert!(started.elapsed() < Duration::from_millis(1400), "{:?}", started.elapsed());

    let third = until("the server answers", async || ledger.commit(&commit).await.ok()).await;
    assert_eq!(third.epoch, first.epoch);
    let read = ledger.read_log(0, &ReadFrom::Oldest, 10, AT_ONCE).await;
    assert_eq!(entries(read).len(), 3, "however often it was sent, it is there once");
}
