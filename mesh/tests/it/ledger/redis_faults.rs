//! What is special to Redis: a server that stops, dies, restarts, or is another
//! one now; keys and how they are named.

use std::sync::Arc;
use std::time::Duration;

use mesh::ledger::redis::{RedisConfig, RedisLedger};
use mesh::ledger::{CommitError, Ledger, LogRead, Position, ReadFrom};
use mesh::testing::redis::RedisServer;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::subject::{Draft, Node, connect, entries, redis_config, until};

const TIMEOUT: Duration = Duration::from_millis(400);
const AT_ONCE: Duration = Duration::ZERO;

fn impatient(server: &RedisServer) -> RedisConfig {
    RedisConfig { command_timeout: TIMEOUT, ..redis_config(server) }
}

#[tokio::test]
async fn every_key_of_a_partition_bears_its_hash_tag() {
    let server = RedisServer::start().await;
    let ledger = connect(redis_config(&server)).await;
    let mut node = Node { partition: 11, ..Node::new("n1") };
    let commit = node.draft().put("k", "v").add("all", "k", 1).event("e").account("a");
    node.send(&*ledger, &commit).await.unwrap();
    ledger.fence(11, "n1", 1).await.unwrap();

    let mut keys: Vec<String> =
        redis::cmd("KEYS").arg("*").query_async(&mut server.connection().await).await.unwrap();

    keys.sort();
    let expected =
        ["acct", "events", "i:all", "log", "r:k"].map(|rest| format!("cb:{{p11}}:{rest}"));
    assert_eq!(keys, expected);
}

#[tokio::test]
async fn a_server_that_is_away_at_the_start_is_found_later() {
    let mut server = RedisServer::start().await;
    server.kill().await;
    let ledger = connect(impatient(&server)).await;
    let mut node = Node::new("n1");

    assert!(!ledger.is_reachable().await);
    let outcome = node.say(&*ledger, "away").await;
    assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");

    server.restart().await;
    until("the ledger connects", async || node.say(&*ledger, "back").await.ok()).await;
    assert!(ledger.is_reachable().await);
}

#[tokio::test]
async fn a_stopped_server_is_unavailable_in_bounded_time() {
    let server = RedisServer::start().await;
    let ledger = connect(impatient(&server)).await;
    let mut node = Node::new("n1");
    let first = node.say(&*ledger, "first").await.unwrap();
    let from = ReadFrom::After(first.epoch.clone(), first.last);
    let wait = Duration::from_millis(100);
    ledger.read_log(0, &from, 10, wait).await.unwrap();

    server.pause().await;
    let started = Instant::now();
    let commit = node.draft().event("sent while stopped");
    let outcomes = tokio::join!(
        node.send(&*ledger, &commit),
        ledger.read_log(0, &from, 10, wait),
        ledger.read_log(0, &ReadFrom::Oldest, 10, AT_ONCE),
        ledger.leases(),
    );
    let resent = node.clone().send(&*ledger, &commit).await;
    let took = started.elapsed();

    assert!(matches!(outcomes.0, Err(CommitError::Unavailable(_))), "{outcomes:?}");
    assert!(matches!(resent, Err(CommitError::Unavailable(_))), "{resent:?}");
    assert!(outcomes.1.is_err() && outcomes.2.is_err() && outcomes.3.is_err());
    assert!(!ledger.is_reachable().await);
    assert!(took < Duration::from_secs(4), "{took:?}");

    // The copies that the server finds in its sockets now are applied once at most.
    server.resume().await;
    let committed = until("the server answers", async || ledger.commit(&commit).await.ok()).await;
    assert_eq!(committed.epoch, first.epoch);
    let read = ledger.read_log(0, &ReadFrom::Oldest, 10, AT_ONCE).await;
    assert_eq!(entries(read).len(), 2);
}

#[tokio::test]
async fn a_restarted_server_is_found_again_with_all_it_held() {
    let mut server = RedisServer::start().await;
    let ledger = connect(impatient(&server)).await;
    let mut node = Node::new("n1");
    let first = node.say(&*ledger, "first").await.unwrap();
    let from = ReadFrom::After(first.epoch.clone(), first.last);
    ledger.read_log(0, &from, 10, Duration::from_millis(1)).await.unwrap();

    server.restart().await;

    // Connections that died unused are replaced without a failure.
    let second = node.say(&*ledger, "second").await.unwrap();
    assert_eq!(second.epoch, first.epoch);
    let read = ledger.read_log(0, &from, 10, Duration::from_secs(5)).await;
    assert_eq!(entries(read).len(), 1);
}

#[tokio::test]
async fn a_waiting_reader_survives_a_restart() {
    let mut server = RedisServer::start().await;
    let ledger = connect(impatient(&server)).await;
    let mut node = Node::new("n1");
    let first = node.say(&*ledger, "first").await.unwrap();
    let from = ReadFrom::After(first.epoch.clone(), first.last);
    let read = until("an entry is read", async || {
        let read = ledger.read_log(0, &from, 10, Duration::from_secs(1)).await;
        read.is_ok().then(|| entries(read)).filter(|read| !read.is_empty())
    });
    let write = async {
        server.restart().await;
        node.say(&*ledger, "second").await.unwrap()
    };

    let (read, second) = tokio::join!(read, write);

    assert_eq!(read.first().map(|(position, _)| *position), Some(second.last));
}

#[tokio::test]
async fn a_reader_learns_soon_that_the_server_came_back_empty() {
    let mut server = RedisServer::start().await;
    let ledger = connect(impatient(&server)).await;
    let first = Node::new("n1").say(&*ledger, "first").await.unwrap();
    let from = ReadFrom::After(first.epoch.clone(), first.last);
    ledger.read_log(0, &from, 10, Duration::from_millis(1)).await.unwrap();

    server.restart_empty().await;
    let started = Instant::now();
    let read = ledger.read_log(0, &from, 10, Duration::from_secs(9)).await.unwrap();

    assert!(matches!(&read, LogRead::EpochChanged(epoch) if *epoch > first.epoch), "{read:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn readers_do_not_hold_up_commits() {
    let server = RedisServer::start().await;
    let ledger = connect(redis_config(&server)).await;
    let mut node = Node::new("n1");
    let mut waiting = JoinSet::new();
    for partition in 1..16 {
        let ledger = Arc::clone(&ledger);
        waiting.spawn(async move {
            ledger.read_log(partition, &ReadFrom::Oldest, 10, Duration::from_secs(30)).await
        });
    }

    let started = Instant::now();
    for _ in 0..50 {
        node.say(&*ledger, "event").await.unwrap();
    }

    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    drop(waiting);
    let mut connection = server.connection().await;
    until("connections of readers that gave up are closed", async || {
        let info: String =
            redis::cmd("INFO").arg("clients").query_async(&mut connection).await.unwrap();
        info.contains("blocked_clients:0").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_forgot_its_scripts_is_given_them_again() {
    let server = RedisServer::start().await;
    let ledger = connect(redis_config(&server)).await;
    let mut node = Node::new("n1");
    node.say(&*ledger, "first").await.unwrap();

    let mut connection = server.connection().await;
    redis::cmd("SCRIPT").arg("FLUSH").exec_async(&mut connection).await.unwrap();

    node.say(&*ledger, "second").await.unwrap();
}

#[tokio::test]
async fn a_full_server_refuses_a_commit_as_a_whole() {
    let server = RedisServer::start().await;
    let ledger = connect(redis_config(&server)).await;
    let mut node = Node::new("n1");
    let seed = node.draft().put("old", "x").event("first");
    node.send(&*ledger, &seed).await.unwrap();
    let mut connection = server.connection().await;
    let limit = |bytes: &str| {
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg("maxmemory").arg(bytes);
        command
    };
    limit("1").exec_async(&mut connection).await.unwrap();

    let commit = node.draft().put("new", "x").delete("old").event("second").account("a");
    let outcome = node.send(&*ledger, &commit).await;
    let renewal = node.draft().renewing().event("renewed");
    let renewed = node.clone().send(&*ledger, &renewal).await;

    assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
    assert!(matches!(renewed, Err(CommitError::Unavailable(_))), "{renewed:?}");
    let message = outcome.map_err(|error| match error {
        CommitError::Unavailable(error) => error.to_string(),
        other => other.to_string(),
    });
    assert_eq!(message, Err("store: refused with OOM".to_owned()));
    assert!(ledger.get(0, "old").await.unwrap().is_some());
    limit("0").exec_async(&mut connection).await.unwrap();
    assert!(ledger.get(0, "new").await.unwrap().is_none());
    node.send(&*ledger, &commit).await.unwrap();
    let read = ledger.read_log(0, &ReadFrom::Oldest, 10, AT_ONCE).await;
    assert_eq!(entries(read).len(), 2);
}

#[tokio::test]
async fn two_ledgers_of_one_store_see_the_same() {
    let server = RedisServer::start().await;
    let (one, two) = (connect(redis_config(&server)).await, connect(redis_config(&server)).await);
    let other =
        connect(RedisConfig { key_prefix: "other".to_owned(), ..redis_config(&server) }).await;

    let committed = Node::new("n1").say(&*one, "event").await.unwrap();

    assert_eq!(two.log_bounds(0).await.unwrap().last, committed.last);
    assert_eq!(other.log_bounds(0).await.unwrap().last, Position::default());
}

#[tokio::test]
async fn wrong_configuration_is_refused_without_telling_secrets() {
    let bad = [
        RedisConfig { url: "redis://:s3cret@host:port".to_owned(), ..RedisConfig::default() },
        RedisConfig { url: "redis+sentinel://:s3cret@host".to_owned(), ..RedisConfig::default() },
        RedisConfig { url: "s3cret".to_owned(), ..RedisConfig::default() },
        RedisConfig { partitions: 0, ..RedisConfig::default() },
        RedisConfig { key_prefix: "{s3cret}".to_owned(), ..RedisConfig::default() },
        RedisConfig { password_file: Some("/nowhere/s3cret".into()), ..RedisConfig::default() },
    ];
    for config in bad {
        let shown = format!("{:?}", RedisConfig { password_file: None, ..config.clone() });
        let error = RedisLedger::connect(config).await.unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
        assert!(!shown.contains("s3cret@"), "{shown}");
    }
}

#[tokio::test]
async fn a_password_from_a_file_is_used_and_a_wrong_one_is_not_told() {
    let server = RedisServer::start().await;
    let mut connection = server.connection().await;
    let mut command = redis::cmd("CONFIG");
    command.arg("SET").arg("requirepass").arg("s3cret").exec_async(&mut connection).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    std::fs::write(&file, "s3cret\n").unwrap();
    let config = RedisConfig { password_file: Some(file.clone()), ..impatient(&server) };

    let ledger = connect(config.clone()).await;
    Node::new("n1").say(&*ledger, "event").await.unwrap();
    std::fs::write(&file, "wr0ng").unwrap();
    let wrong = connect(config).await;
    let error = wrong.leases().await.unwrap_err();

    let text = format!("{error} {error:?} {wrong:?}");
    assert!(!text.contains("wr0ng") && !text.contains("127.0.0.1"), "{text}");
}

#[tokio::test]
async fn the_master_is_followed_by_sentinels() {
    let mut master = RedisServer::start().await;
    let port = master.port().to_string();
    let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", &port]).await;
    let down_after = Duration::from_millis(200);
    let sentinel = RedisServer::start_sentinel(&master, "main", down_after).await;
    let url = format!("redis+sentinel://127.0.0.1:{}/main", sentinel.port());
    let ledger = connect(RedisConfig { url, ..impatient(&master) }).await;
    let mut node = Node::new("n1");
    let first = node.say(&*ledger, "first").await.unwrap();
    // The replica has the commit, and the sentinel knows the replica.
    let mut connection = replica.connection().await;
    until("the commit is replicated", async || {
        let length: u64 = redis::cmd("XLEN")
            .arg("cb:{p00}:events")
            .query_async(&mut connection)
            .await
            .unwrap_or(0);
        (length == 1).then_some(())
    })
    .await;
    let mut connection = sentinel.connection().await;
    until("the sentinel knows the replica", async || {
        let info: String =
            redis::cmd("INFO").arg("sentinel").query_async(&mut connection).await.unwrap();
        info.contains("slaves=1").then_some(())
    })
    .await;

    master.kill().await;

    let second =
        until("another master is found", async || node.say(&*ledger, "second").await.ok()).await;
    assert_eq!(second.epoch, first.epoch);
    assert!(second.last > first.last);
}
