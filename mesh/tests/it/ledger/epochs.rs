//! Epochs: what a writer hears from a store that lost something.

use std::time::Duration;

use mesh::ledger::{Epoch, LogRead, ReadFrom};

use super::subject::{Draft, Kind, Node, Subject, bytes, entries, told_epoch};

pub(super) async fn the_first_look_begins_an_epoch_that_stays(kind: Kind) {
    let store = Subject::of(kind).await;

    let seen = store.epoch(0).await;

    let read = store.read_log(0, &ReadFrom::Oldest, 10, Duration::ZERO).await.unwrap();
    assert!(matches!(read, LogRead::Entries(chunk) if chunk.epoch == seen));
    let committed = Node::new("n1").say(&*store, "first").await.unwrap();
    assert_eq!(committed.epoch, seen);
    assert!(seen.born_millis > 1_600_000_000_000);
}

pub(super) async fn an_emptied_store_tells_every_writer(kind: Kind) {
    let mut store = Subject::of(kind).await;
    let (mut one, mut two) = (Node::new("n1"), Node::new("n2"));
    let old = one.say(&*store, "1").await.unwrap().epoch;
    two.say(&*store, "2").await.unwrap();

    store.come_back_empty().await;
    let told_one = told_epoch(one.say(&*store, "lost").await);
    let told_two = told_epoch(two.say(&*store, "lost").await);

    assert!(told_one > old);
    assert_eq!(told_one, told_two);
    assert!(store.events(0).await.is_empty());
    one.say(&*store, "1 again").await.unwrap();
    two.say(&*store, "2 again").await.unwrap();
    one.say(&*store, "1 goes on").await.unwrap();
    assert_eq!(store.events(0).await.len(), 3);
}

pub(super) async fn a_lost_tail_is_found_out_by_its_writer(kind: Kind) {
    let mut store = Subject::of(kind).await;
    let (mut one, mut two) = (Node::new("n1"), Node::new("n2"));
    one.say(&*store, "1").await.unwrap();
    let old = two.say(&*store, "2").await.unwrap().epoch;
    store.make_durable().await;
    let commit = one.draft().put("leg", "1").add("all", "leg", 1).event("tail").account("tail");
    one.send(&*store, &commit).await.unwrap();

    store.lose_last_commit(0).await;

    // Nobody has noticed yet, and a writer that lost nothing goes on.
    assert_eq!(two.say(&*store, "3").await.unwrap().epoch, old);
    assert_eq!(store.get(0, "leg").await.unwrap(), None);
    assert_eq!(store.page(0, "all", 0, 10).await.unwrap().total, 0);
    let told = told_epoch(one.say(&*store, "after the tail").await);
    assert!(told > old);
    assert!(store.events(0).await.is_empty());
    assert_eq!(told_epoch(two.say(&*store, "4").await), told);
    one.say(&*store, "again").await.unwrap();
    two.say(&*store, "again").await.unwrap();
}

pub(super) async fn a_lost_first_commit_is_found_out(kind: Kind) {
    let mut store = Subject::of(kind).await;
    Node::new("n2").say(&*store, "so that there is an epoch").await.unwrap();
    store.make_durable().await;
    let mut node = Node::new("n1");
    let old = node.say(&*store, "lost").await.unwrap().epoch;

    store.lose_last_commit(0).await;

    assert!(told_epoch(node.say(&*store, "second").await) > old);
}

pub(super) async fn renewal_begins_an_epoch_with_the_commit(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    let first = node.draft().put("kept", "1").event("before");
    let old = node.send(&*store, &first).await.unwrap().epoch;

    let commit = node.draft().event("first of the new").renewing();
    let committed = node.send(&*store, &commit).await.unwrap();

    assert!(committed.epoch > old);
    assert_eq!(store.events(0).await, [bytes("first of the new")]);
    assert_eq!(store.get(0, "kept").await.unwrap(), Some(bytes("1")));
    let bounds = store.log_bounds(0).await.unwrap();
    assert_eq!(
        (bounds.trimmed_to, bounds.last),
        (mesh::ledger::Position::default(), committed.last)
    );
    assert_eq!(node.say(&*store, "goes on").await.unwrap().epoch, committed.epoch);
}

pub(super) async fn a_resent_renewal_renews_once(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    node.say(&*store, "before").await.unwrap();
    let commit = node.draft().event("renewed").renewing();

    let first = store.commit(&commit).await.unwrap();
    let again = node.send(&*store, &commit).await.unwrap();

    assert_eq!(first, again);
    assert_eq!(store.events(0).await, [bytes("renewed")]);
    node.say(&*store, "goes on").await.unwrap();
}

pub(super) async fn another_writer_learns_the_new_epoch(kind: Kind) {
    let store = Subject::of(kind).await;
    let (mut one, mut two) = (Node::new("n1"), Node::new("n2"));
    one.say(&*store, "1").await.unwrap();
    two.say(&*store, "2").await.unwrap();
    let in_flight = two.draft().event("in flight");
    let renewal = one.draft().renewing();
    let renewed = one.send(&*store, &renewal).await.unwrap().epoch;

    assert_eq!(told_epoch(two.send(&*store, &in_flight).await), renewed);
    // A copy of the same commit hears the same, and begins nothing.
    assert_eq!(told_epoch(store.commit(&in_flight).await), renewed);
    two.say(&*store, "again").await.unwrap();
    one.say(&*store, "and on").await.unwrap();
    assert_eq!(store.events(0).await, [bytes("again"), bytes("and on")]);
}

pub(super) async fn a_writer_without_epoch_joins_only_with_its_first_commit(kind: Kind) {
    let store = Subject::of(kind).await;
    let current = store.epoch(0).await;
    let mut node = Node::new("n1");
    node.writer.sequence = 2;

    assert_eq!(told_epoch(node.say(&*store, "second first").await), current);
    node.say(&*store, "first").await.unwrap();
    node.say(&*store, "second").await.unwrap();

    let mut forgetful = node.clone();
    forgetful.writer.log_epoch = None;
    assert_eq!(told_epoch(forgetful.say(&*store, "third").await), current);
    assert_eq!(store.events(0).await, [bytes("first"), bytes("second")]);
    node.say(&*store, "third").await.unwrap();
}

pub(super) async fn a_writer_that_starts_over_begins_an_epoch(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    let old = node.say(&*store, "1").await.unwrap().epoch;
    node.say(&*store, "2").await.unwrap();

    // As if the process had lost count: it neither knows the epoch nor what it wrote.
    let mut restarted = Node::new("n1");
    assert_eq!(told_epoch(restarted.say(&*store, "1").await), old);
    let begun = told_epoch(restarted.say(&*store, "1").await);

    assert!(begun > old);
    restarted.say(&*store, "1").await.unwrap();
    assert_eq!(store.events(0).await, [bytes("1")]);
}

pub(super) async fn late_copies_of_old_commits_disturb_nobody(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    let mut sent = Vec::new();
    for number in 1..=4 {
        let commit = node.draft().event(&number.to_string()).put("leg", &number.to_string());
        node.send(&*store, &commit).await.unwrap();
        sent.push(commit);
    }
    let current = store.epoch(0).await;

    for copy in sent.iter().take(3) {
        assert_eq!(told_epoch(store.commit(copy).await), current);
    }

    assert_eq!(store.get(0, "leg").await.unwrap(), Some(bytes("4")));
    assert_eq!(store.events(0).await.len(), 4);
    let renewal = node.draft().event("5").renewing();
    let renewed = node.send(&*store, &renewal).await.unwrap();
    for copy in &sent {
        assert_eq!(told_epoch(store.commit(copy).await), renewed.epoch);
    }
    node.say(&*store, "6").await.unwrap();
}

pub(super) async fn a_store_that_went_back_in_time_begins_a_later_epoch(kind: Kind) {
    let mut store = Subject::of(kind).await;
    let (mut one, mut two) = (Node::new("n1"), Node::new("n2"));
    one.say(&*store, "1").await.unwrap();
    two.say(&*store, "2").await.unwrap();
    store.make_durable().await;
    let renewal = one.draft().event("renewed").renewing();
    let renewed = one.send(&*store, &renewal).await.unwrap();

    // The whole epoch is forgotten, and the one before is back.
    store.lose_last_commit(0).await;
    let begun = told_epoch(one.say(&*store, "on").await);

    assert!(begun > renewed.epoch);
    assert_eq!(told_epoch(two.say(&*store, "3").await), begun);
    let from = ReadFrom::After(renewed.epoch, renewed.last);
    let read = store.read_log(0, &from, 10, Duration::ZERO).await.unwrap();
    assert_eq!(read, LogRead::EpochChanged(begun.clone()));
    // However far ahead the epoch was that a writer knew, the new one is later.
    let ahead = Epoch { born_millis: begun.born_millis + 1_000_000, nonce: 7 };
    two.writer.log_epoch = Some(ahead.clone());
    assert!(told_epoch(two.say(&*store, "3").await) > ahead);
    two.say(&*store, "3").await.unwrap();
    assert_eq!(entries(store.read_log(0, &ReadFrom::Oldest, 9, Duration::ZERO).await).len(), 1);
}
