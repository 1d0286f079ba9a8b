use super::*;
use crate::store::conformance;

mod postgres;

async fn open(url: &str) -> Result<SqlDirectory, StoreError> {
    SqlDirectory::open(&Database::at(url), Timestamp::default()).await
}

#[tokio::test]
async fn a_database_in_memory_is_a_directory() {
    conformance::run(async || open("sqlite::memory:").await.unwrap()).await;
}

#[tokio::test]
async fn a_database_in_a_file_is_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let mut count = 0;
    conformance::run(|| {
        count += 1;
        let url = format!("sqlite://{}/new/{count}.db", folder.path().display());
        async move { open(&url).await.unwrap() }
    })
    .await;
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/auth.db", folder.path().display());
    let key = StoredKey {
        kid: "kid".to_owned(),
        pkcs8: Secret::new("key"),
        created_at: Timestamp::from_micros(1),
    };
    let first = open(&url).await.unwrap();
    first.adopt_key(&key, None).await.unwrap();
    drop(first);

    let second = open(&url).await.unwrap();

    assert_eq!(second.keys().await.unwrap(), [key]);
}

/// Has the database be one of a program that does not exist yet.
async fn outdate(directory: &SqlDirectory) -> Result<(), StoreError> {
    transaction!(directory.pool, Isolation::RowLocks, tx, {
        tx.script("INSERT INTO schema_migrations (version, applied_at) VALUES (99, 0)").await
    })
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/auth.db", folder.path().display());
    outdate(&open(&url).await.unwrap()).await.unwrap();

    let refused = open(&url).await.unwrap_err();

    assert!(matches!(refused, StoreError::TooNew { found: 99, .. }), "{refused}");
}

#[tokio::test]
async fn a_url_of_another_database_is_refused_without_its_password() {
    let url = "mysql://cordboard:secret@db/cordboard";

    let refused = open(url).await.unwrap_err().to_string();

    assert!(refused.contains("only `sqlite://PATH`") && !refused.contains("secret"), "{refused}");
}
