//! The same on a real `PostgreSQL`, and what only several instances on one server show.

use std::time::Duration;

use mesh::testing::eventually;
use mesh::testing::postgres::PostgresServer;
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use super::*;
use crate::domain::session::Revoked;
use crate::import;

#[tokio::test]
async fn a_database_of_postgresql_is_a_directory() {
    let server = PostgresServer::start().await;
    let mut count = 0;
    conformance::run(|| {
        count += 1;
        let url = server.create(&format!("empty_{count}"));
        async move { open(&url).await.unwrap() }
    })
    .await;
}

#[tokio::test]
async fn instances_that_start_at_once_agree_on_schema_seed_key_and_secret() {
    let server = PostgresServer::start().await;
    let url = server.create("shared");
    let plan = import::parse(include_str!("../../../../../cordboard/demo.toml")).unwrap();

    let tasks = TaskTracker::new();
    let starts = (0..4).map(|number| {
        let (url, plan) = (url.clone(), plan.clone());
        tasks.spawn(async move {
            let directory = open(&url).await.unwrap();
            directory.apply(&plan, Timestamp::from_micros(number)).await.unwrap();
            let key = StoredKey {
                kid: format!("key {number}"),
                pkcs8: Secret::new("key"),
                created_at: Timestamp::from_micros(number),
            };
            let keys = directory.adopt_key(&key, None).await.unwrap();
            let proposed = Secret::new(format!("secret {number}"));
            (keys, directory.secret("refresh_tokens", &proposed).await.unwrap())
        })
    });
    let mut agreed = Vec::new();
    for start in starts.collect::<Vec<_>>() {
        agreed.push(start.await.unwrap());
    }

    assert_eq!(agreed[0].0.len(), 1);
    assert!(agreed.iter().all(|other| *other == agreed[0]), "{agreed:?}");
    let directory = open(&url).await.unwrap();
    assert_eq!(directory.revocation_position().await.unwrap(), 0, "the same again changes nothing");
}

/// Revocations are numbered by several instances at once, while one polls by position.
#[tokio::test]
async fn a_poll_by_position_misses_no_revocation_of_any_instance() {
    const EACH: usize = 25;
    let server = PostgresServer::start().await;
    let url = server.create("shared");
    let watcher = open(&url).await.unwrap();
    watcher
        .apply(
            &import::parse(include_str!("../../../../../cordboard/demo.toml")).unwrap(),
            Timestamp::default(),
        )
        .await
        .unwrap();

    let tasks = TaskTracker::new();
    let mut makers = Vec::new();
    for maker in 0..3 {
        let directory = open(&url).await.unwrap();
        makers.push(tasks.spawn(async move {
            for number in 0..EACH {
                let id = SessionId(format!("{maker} {number}"));
                directory.open_session(&session(&id)).await.unwrap();
                directory.end_session(&id, Timestamp::from_micros(1)).await.unwrap();
            }
        }));
    }
    // What was seen so far, in the order of the polls.
    let seen: Mutex<Vec<Revocation>> = Mutex::default();
    eventually(Duration::from_mins(1), "all revocations", async || {
        let position = seen.lock().last().map_or(0, |last| last.position);
        let new = watcher.revocations(position, Timestamp::default()).await.unwrap();
        let mut seen = seen.lock();
        seen.extend(new);
        if seen.len() == 3 * EACH { Ok(()) } else { Err(format!("{} seen", seen.len())) }
    })
    .await;

    for maker in makers {
        maker.await.unwrap();
    }
    let mut expected: Vec<_> =
        (0..3).flat_map(|maker| (0..EACH).map(move |number| format!("{maker} {number}"))).collect();
    expected.sort();
    let seen = seen.into_inner();
    assert!(seen.is_sorted_by_key(|revocation| revocation.position));
    let mut seen: Vec<_> = seen
        .into_iter()
        .map(|revocation| match revocation.revoked {
            Revoked::Session(id) => id.0,
            other => panic!("{other:?}"),
        })
        .collect();
    seen.sort();
    assert_eq!(seen, expected);
}

fn session(id: &SessionId) -> NewSession {
    NewSession {
        id: id.clone(),
        subject: Subject { realm: Realm::Account, id: 1 },
        opened_by: None,
        proven_by: None,
        refresh_token_hash: Secret::new(format!("refresh {}", id.0)),
        opened_at: Timestamp::default(),
        expires_at: Timestamp::from_micros(1_000_000),
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_told_in_time_and_found_again() {
    let mut server = PostgresServer::start().await;
    let settings = Database {
        acquire_timeout: Duration::from_millis(500),
        statement_timeout: Duration::from_millis(500),
        ..Database::at(server.create("directory"))
    };
    let directory = SqlDirectory::open(&settings, Timestamp::default()).await.unwrap();
    let answer = async || directory.revocation_position().await;

    server.pause();
    assert!(matches!(answer().await, Err(StoreError::Unavailable(_))), "silent");
    server.resume();
    eventually(Duration::from_secs(20), "an answer", || async {
        answer().await.map_err(|error| mesh::fault::chain(&error))
    })
    .await;

    server.stop();
    assert!(matches!(answer().await, Err(StoreError::Unavailable(_))), "gone");
    server.restart().await;
    eventually(Duration::from_secs(20), "an answer", || async {
        answer().await.map_err(|error| mesh::fault::chain(&error))
    })
    .await;
}

#[tokio::test]
async fn a_password_comes_from_a_file_and_is_never_shown() {
    let server = PostgresServer::start().await;
    let _url = server.create("directory");
    server.run(
        "directory",
        "CREATE ROLE guest LOGIN PASSWORD 'open sesame'; GRANT ALL ON SCHEMA public TO guest",
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let settings = Database {
        password_file: Some(file.clone()),
        ..Database::at(server.url_of("guest", "directory"))
    };
    let open = async || SqlDirectory::open(&settings, Timestamp::default()).await;

    let missing = open().await.unwrap_err().to_string();
    assert!(missing.contains("password_file"), "{missing}");

    std::fs::write(&file, "open sesame\n").unwrap();
    open().await.unwrap();

    std::fs::write(&file, "wrong sesame\n").unwrap();
    let refused = open().await.unwrap_err().to_string();
    assert!(refused.contains("guest@127.0.0.1") && !refused.contains("sesame"), "{refused}");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_told() {
    let server = PostgresServer::start().await;

    let refused = open(&server.url("nowhere")).await.unwrap_err().to_string();

    assert!(refused.contains("\"nowhere\" does not exist"), "{refused}");
}
