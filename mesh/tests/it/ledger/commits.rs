//! Atomicity, resending, fences, records and indexes.

use std::time::Duration;

use mesh::ledger::CommitError;

use super::subject::{Draft, Kind, Node, Subject, bytes, until};

pub(super) async fn all_parts_of_a_commit_become_visible(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    let commit =
        node.draft().put("leg:1", "one").add("all", "leg:1", 7).event("new").account("xdr");

    let committed = node.send(&*store, &commit).await.unwrap();

    assert_eq!(store.get(0, "leg:1").await.unwrap(), Some(bytes("one")));
    let page = store.page(0, "all", 0, 10).await.unwrap();
    assert_eq!((page.total, page.records), (1, vec![("leg:1".to_owned(), bytes("one"))]));
    assert_eq!(store.events(0).await, [bytes("new")]);
    let bounds = store.log_bounds(0).await.unwrap();
    assert_eq!((bounds.epoch, bounds.last), (committed.epoch, committed.last));
    let records = store.read_accounting(0, mesh::ledger::Position::default(), 10).await.unwrap();
    assert_eq!(records.entries.first().unwrap().1, bytes("xdr"));
}

pub(super) async fn a_record_written_and_deleted_in_one_commit_is_gone(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    let commit = node
        .draft()
        .put("gone", "x")
        .delete("gone")
        .delete("kept")
        .put("kept", "")
        .add("all", "gone", 1)
        .remove("all", "gone");

    node.send(&*store, &commit).await.unwrap();

    assert_eq!(store.get(0, "gone").await.unwrap(), None);
    assert_eq!(store.get(0, "kept").await.unwrap(), Some(bytes("")));
    assert_eq!(store.page(0, "all", 0, 10).await.unwrap().total, 0);
}

pub(super) async fn a_conflict_writes_nothing_and_keeps_the_sequence(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    let seed = node.draft().put("here", "1");
    let before = node.send(&*store, &seed).await.unwrap();
    let commit = node
        .draft()
        .require("here")
        .require("gone")
        .put("here", "2")
        .add("all", "here", 1)
        .event("never")
        .account("never")
        .renewing();

    let outcome = node.send(&*store, &commit).await;

    assert!(matches!(outcome, Err(CommitError::Conflict)), "{outcome:?}");
    assert_eq!(store.get(0, "here").await.unwrap(), Some(bytes("1")));
    assert_eq!(store.page(0, "all", 0, 10).await.unwrap().total, 0);
    assert!(store.events(0).await.is_empty());
    let accounting = store.read_accounting(0, mesh::ledger::Position::default(), 10).await;
    assert!(accounting.unwrap().entries.is_empty());
    assert_eq!(store.epoch(0).await, before.epoch);
    node.say(&*store, "goes on").await.unwrap();
}

pub(super) async fn a_resent_commit_is_applied_once_and_answered_alike(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    for round in 0..3 {
        let commit = node.draft().event(&format!("event {round}")).account("xdr");

        let again = node.clone().send(&*store, &commit).await.unwrap();
        let first = node.send(&*store, &commit).await.unwrap();

        assert_eq!(first, again);
        assert_eq!(store.events(0).await.len(), round + 1);
        let accounting = store.read_accounting(0, mesh::ledger::Position::default(), 10).await;
        assert_eq!(accounting.unwrap().entries.len(), round + 1);
    }
}

pub(super) async fn a_resent_commit_whose_requirement_it_removed_is_answered_alike(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    let seed = node.draft().put("leg", "live");
    node.send(&*store, &seed).await.unwrap();
    let commit = node.draft().require("leg").delete("leg").event("ended");

    let first = store.commit(&commit).await.unwrap();
    let again = store.commit(&commit).await.unwrap();

    assert_eq!(first, again);
    assert_eq!(store.events(0).await, [bytes("ended")]);
}

pub(super) async fn a_fenced_writer_writes_nothing(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::with_epoch("n1", 3);
    let last = node.draft().put("leg", "1").event("before");
    node.send(&*store, &last).await.unwrap();
    store.fence(0, "n1", 3).await.unwrap();

    let commit = node.draft().put("leg", "2").event("after").renewing();
    let outcome = node.send(&*store, &commit).await;
    let resent = store.commit(&last).await;
    let new = store.commit(&Node::with_epoch("n1", 2).draft().event("older")).await;

    for outcome in [outcome, resent, new] {
        assert!(matches!(outcome, Err(CommitError::Fenced)), "{outcome:?}");
    }
    assert_eq!(store.get(0, "leg").await.unwrap(), Some(bytes("1")));
    assert_eq!(store.events(0).await, [bytes("before")]);
}

pub(super) async fn a_fence_lets_later_node_epochs_pass(kind: Kind) {
    let store = Subject::of(kind).await;
    store.fence(0, "n1", 3).await.unwrap();

    let outcome = Node::with_epoch("n1", 4).say(&*store, "back").await;
    let other = Node::with_epoch("n2", 1).say(&*store, "other").await;

    assert!(outcome.is_ok(), "{outcome:?}");
    assert!(other.is_ok(), "{other:?}");
}

pub(super) async fn a_fence_is_never_lowered(kind: Kind) {
    let store = Subject::of(kind).await;
    store.fence(0, "n1", 3).await.unwrap();
    store.fence(0, "n1", 1).await.unwrap();

    let outcome = Node::with_epoch("n1", 2).say(&*store, "never").await;

    assert!(matches!(outcome, Err(CommitError::Fenced)), "{outcome:?}");
}

pub(super) async fn a_fence_holds_in_its_partition_only(kind: Kind) {
    let store = Subject::of(kind).await;
    let other = store.partitions() - 1;
    store.fence(0, "n1", 3).await.unwrap();

    let mut node = Node::with_epoch("n1", 3);
    node.partition = other;
    let outcome = node.say(&*store, "here").await;

    assert_eq!(outcome.is_ok(), other != 0, "{outcome:?}");
}

pub(super) async fn an_older_process_of_a_node_is_fenced_by_the_newer(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut old = Node::with_epoch("n1", 1);
    old.say(&*store, "old").await.unwrap();
    Node::with_epoch("n1", 2).say(&*store, "new").await.unwrap();

    let outcome = old.say(&*store, "never").await;

    assert!(matches!(outcome, Err(CommitError::Fenced)), "{outcome:?}");
    assert_eq!(store.events(0).await, [bytes("old"), bytes("new")]);
}

pub(super) async fn a_new_node_epoch_joins_the_current_epoch(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut old = Node::with_epoch("n1", 1);
    let before = old.say(&*store, "1").await.unwrap();
    old.say(&*store, "2").await.unwrap();

    let after = Node::with_epoch("n1", 2).say(&*store, "3").await.unwrap();

    assert_eq!(before.epoch, after.epoch);
    assert_eq!(store.events(0).await, [bytes("1"), bytes("2"), bytes("3")]);
}

pub(super) async fn records_expire(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    let commit = node
        .draft()
        .put_for("short", "x", Duration::from_millis(60))
        .put_for("long", "x", Duration::from_hours(24 * 365 * 500))
        .put("for ever", "x");

    node.send(&*store, &commit).await.unwrap();

    assert!(store.get(0, "short").await.unwrap().is_some());
    until("the record expires", async || {
        store.get(0, "short").await.unwrap().is_none().then_some(())
    })
    .await;
    assert!(store.get(0, "long").await.unwrap().is_some());
    assert!(store.get(0, "for ever").await.unwrap().is_some());
    let required = node.draft().require("short");
    let outcome = node.send(&*store, &required).await;
    assert!(matches!(outcome, Err(CommitError::Conflict)), "{outcome:?}");
}

pub(super) async fn a_record_may_change_its_time_to_live(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    let first = node.draft().put_for("kept", "1", Duration::from_millis(40)).put_for(
        "witness",
        "1",
        Duration::from_millis(80),
    );
    node.send(&*store, &first).await.unwrap();
    let second = node.draft().put("kept", "2");
    node.send(&*store, &second).await.unwrap();

    until("the witness expires", async || {
        store.get(0, "witness").await.unwrap().is_none().then_some(())
    })
    .await;

    assert_eq!(store.get(0, "kept").await.unwrap(), Some(bytes("2")));
}

pub(super) async fn pages_follow_the_order_of_the_index(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    let commit = node
        .draft()
        .put("a", "A")
        .put("b", "B")
        .put("c", "C")
        .put("d", "D")
        .add("by time", "d", 1_700_000_000_000_001)
        .add("by time", "b", 1_700_000_000_000_000)
        .add("by time", "c", -5)
        .add("by time", "a", 1_700_000_000_000_000);
    node.send(&*store, &commit).await.unwrap();
    let page = async |offset, limit| {
        let page = store.page(0, "by time", offset, limit).await.unwrap();
        assert_eq!(page.total, 4);
        page.records.into_iter().map(|(key, _)| key).collect::<Vec<_>>().concat()
    };

    assert_eq!(page(0, 10).await, "cabd");
    assert_eq!(page(0, u64::MAX).await, "cabd");
    assert_eq!(page(1, 2).await, "ab");
    assert_eq!(page(3, 2).await, "d");
    assert_eq!(page(4, 2).await, "");
    assert_eq!(page(0, 0).await, "");
    let moved = node.draft().add("by time", "c", i64::from(i32::MAX) << 20);
    node.send(&*store, &moved).await.unwrap();
    assert_eq!(page(0, 10).await, "abdc");
    assert_eq!(store.page(0, "none", 0, 10).await.unwrap(), mesh::ledger::Page::default());
}

pub(super) async fn a_page_leaves_out_records_that_expired(kind: Kind) {
    let store = Subject::of(kind).await;
    let mut node = Node::new("n1");
    let mut commit = node.draft();
    for number in 0..30_i64 {
        let key = format!("k{number:02}");
        commit = if number % 3 == 0 {
            commit.put(&key, "kept")
        } else {
            commit.put_for(&key, "short", Duration::from_millis(30))
        };
        commit = commit.add("all", &key, number);
    }
    node.send(&*store, &commit).await.unwrap();
    until("the records expire", async || {
        let gone = store.get(0, "k01").await.unwrap().is_none();
        (gone && store.get(0, "k29").await.unwrap().is_none()).then_some(())
    })
    .await;

    let page = store.page(0, "all", 2, 5).await.unwrap();

    // Place 2 was that of a record that expired; those that left made room.
    let keys: Vec<_> = page.records.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["k03", "k06", "k09", "k12", "k15"]);
    let all = store.page(0, "all", 0, 100).await.unwrap();
    assert_eq!((all.total, all.records.len()), (10, 10));
}

pub(super) async fn partitions_do_not_mix(kind: Kind) {
    let store = Subject::of(kind).await;
    let other = store.partitions() - 1;
    if other == 0 {
        return;
    }
    let mut here = Node::new("n1");
    let mut there = Node { partition: other, ..Node::new("n1") };
    let commit = here.draft().put("k", "here").add("all", "k", 1).event("here").account("here");
    here.send(&*store, &commit).await.unwrap();
    there.say(&*store, "there").await.unwrap();

    assert_eq!(store.get(other, "k").await.unwrap(), None);
    assert_eq!(store.page(other, "all", 0, 10).await.unwrap().total, 0);
    assert_eq!(store.events(0).await, [bytes("here")]);
    assert_eq!(store.events(other).await, [bytes("there")]);
    let accounting = store.read_accounting(other, mesh::ledger::Position::default(), 10).await;
    assert!(accounting.unwrap().entries.is_empty());
}

pub(super) async fn an_unknown_partition_is_an_error(kind: Kind) {
    let store = Subject::of(kind).await;
    let beyond = store.partitions();
    let node = Node { partition: beyond, ..Node::new("n1") };

    let outcome = store.commit(&node.draft()).await;

    assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
    assert!(store.get(beyond, "k").await.is_err());
    assert!(store.log_bounds(beyond).await.is_err());
}
