//! Accounting records do not depend on the log.

use std::time::Duration;

use mesh::ledger::Position;

use super::subject::{Draft, Kind, Node, Retention, Subject, bytes, until};

pub(super) async fn accounting_is_read_in_order_and_trimmed_up_to_a_place(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    for number in 0..3 {
        let commit = node.draft().account(&format!("{number} a")).account(&format!("{number} b"));
        node.send(&*store, &commit).await.unwrap();
    }

    let all = store.read_accounting(0, Position::default(), 100).await.unwrap();
    let first = store.read_accounting(0, Position::default(), 4).await.unwrap().entries;
    let rest = store.read_accounting(0, first[3].0, 4).await.unwrap().entries;
    store.trim_accounting(0, first[2].0).await.unwrap();
    let left = store.read_accounting(0, Position::default(), 100).await.unwrap().entries;

    assert_eq!(all.epoch, store.epoch(0).await);
    let texts = ["0 a", "0 b", "1 a", "1 b", "2 a", "2 b"].map(bytes);
    assert_eq!(all.entries.iter().map(|(_, record)| record.clone()).collect::<Vec<_>>(), texts);
    assert!(all.entries.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert_eq!([first, rest].concat(), all.entries);
    assert_eq!(left, all.entries[3..]);
    store.trim_accounting(0, all.entries[5].0).await.unwrap();
    let commit = node.draft().account("later");
    node.send(&*store, &commit).await.unwrap();
    let later = store.read_accounting(0, all.entries[5].0, 100).await.unwrap().entries;
    assert_eq!(later.len(), 1);
}

pub(super) async fn accounting_survives_trimming_of_the_log_and_new_epochs(kind: Kind) {
    let time = Duration::from_millis(20);
    let store = Subject::retaining(kind, Retention { time, ..Retention::default() }).await;
    let mut node = Node::new("n1");
    let commit = node.draft().event("e").account("1");
    node.send(&*store, &commit).await.unwrap();
    until("the log is trimmed", async || {
        store.trim_log(0).await.unwrap();
        store.events(0).await.is_empty().then_some(())
    })
    .await;
    let renewal = node.draft().account("2").renewing();
    let renewed = node.send(&*store, &renewal).await.unwrap();

    let read = store.read_accounting(0, Position::default(), 100).await.unwrap();

    assert_eq!(read.epoch, renewed.epoch);
    let records: Vec<_> = read.entries.into_iter().map(|(_, record)| record).collect();
    assert_eq!(records, [bytes("1"), bytes("2")]);
}

pub(super) async fn accounting_goes_with_an_emptied_store(kind: Kind) {
    let mut store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    let commit = node.draft().account("1");
    let old = node.send(&*store, &commit).await.unwrap();

    store.come_back_empty().await;
    let read = store.read_accounting(0, Position::default(), 100).await.unwrap();

    assert!(read.entries.is_empty());
    assert_ne!(read.epoch, old.epoch);
    store.trim_accounting(0, old.last).await.unwrap();
}
