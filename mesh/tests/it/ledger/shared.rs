//! Leases, homes, what is written once, presence.

use std::time::Duration;

use mesh::ledger::{Home, LeaseError, NodeLease, Once, Presence};

use super::subject::{Kind, Subject, bytes, until};

const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(60);

fn lease(node: &str, epoch: u64) -> NodeLease {
    NodeLease {
        node: node.to_owned(),
        epoch,
        address: format!("http://{node}.switch:7000"),
        site: "north \"1\"".to_owned(),
        load: 3,
        accepting: true,
        remaining: Duration::ZERO,
    }
}

fn home(node: &str, node_epoch: u64) -> Home {
    Home { node: node.to_owned(), node_epoch }
}

pub(super) async fn a_lease_gets_a_higher_epoch_at_each_start(kind: Kind) {
    let store = Subject::of(kind).await;

    let first = store.renew_lease(&lease("n1", 0), LONG).await.unwrap();
    let second = store.renew_lease(&lease("n1", 0), LONG).await.unwrap();
    store.remove_lease("n1", second).await.unwrap();
    let third = store.renew_lease(&lease("n1", 0), LONG).await.unwrap();
    let other = store.renew_lease(&lease("n2", 0), LONG).await.unwrap();

    assert_eq!((first, second, third, other), (1, 2, 3, 1));
}

pub(super) async fn a_lease_is_renewed_under_its_epoch(kind: Kind) {
    let store = Subject::of(kind).await;
    let epoch = store.renew_lease(&lease("n1", 0), LONG).await.unwrap();
    store.renew_lease(&lease("a node", 0), LONG).await.unwrap();
    let renewed = NodeLease { load: 9, accepting: false, ..lease("n1", epoch) };

    assert_eq!(store.renew_lease(&renewed, LONG / 2).await.unwrap(), epoch);

    let leases = store.leases().await.unwrap();
    let names: Vec<_> = leases.iter().map(|lease| lease.node.as_str()).collect();
    assert_eq!(names, ["a node", "n1"]);
    let remaining = leases[1].remaining;
    assert!(remaining > LONG / 3 && remaining <= LONG / 2, "{remaining:?}");
    assert_eq!(leases[1], NodeLease { remaining, ..renewed });
}

pub(super) async fn a_lease_taken_by_another_process_is_lost(kind: Kind) {
    let store = Subject::of(kind).await;
    let first = store.renew_lease(&lease("n1", 0), LONG).await.unwrap();
    let second = store.renew_lease(&lease("n1", 0), LONG).await.unwrap();

    let outcome = store.renew_lease(&lease("n1", first), LONG).await;

    assert!(matches!(outcome, Err(LeaseError::Lost)), "{outcome:?}");
    assert_eq!(store.renew_lease(&lease("n1", second), LONG).await.unwrap(), second);
}

pub(super) async fn a_lapsed_lease_stays_listed_until_removed(kind: Kind) {
    let store = Subject::of(kind).await;
    let epoch = store.renew_lease(&lease("n1", 0), SHORT).await.unwrap();

    let lapsed = until("the lease lapses", async || {
        let leases = store.leases().await.unwrap();
        leases.into_iter().find(|lease| lease.remaining.is_zero())
    })
    .await;

    assert_eq!((lapsed.node.as_str(), lapsed.epoch), ("n1", epoch));
    // A process that comes back before it is swept keeps its lease.
    assert_eq!(store.renew_lease(&lease("n1", epoch), LONG).await.unwrap(), epoch);
    assert!(!store.leases().await.unwrap()[0].remaining.is_zero());
    store.remove_lease("n1", epoch).await.unwrap();
    assert!(store.leases().await.unwrap().is_empty());
}

pub(super) async fn a_removed_lease_is_lost(kind: Kind) {
    let store = Subject::of(kind).await;
    let epoch = store.renew_lease(&lease("n1", 0), LONG).await.unwrap();
    store.remove_lease("n1", epoch).await.unwrap();

    let outcome = store.renew_lease(&lease("n1", epoch), LONG).await;

    assert!(matches!(outcome, Err(LeaseError::Lost)), "{outcome:?}");
    assert!(store.leases().await.unwrap().is_empty());
}

pub(super) async fn removal_of_an_old_epoch_leaves_the_lease(kind: Kind) {
    let store = Subject::of(kind).await;
    let first = store.renew_lease(&lease("n1", 0), LONG).await.unwrap();
    store.renew_lease(&lease("n1", 0), LONG).await.unwrap();

    store.remove_lease("n1", first).await.unwrap();
    store.remove_lease("unknown", 1).await.unwrap();

    assert_eq!(store.leases().await.unwrap().len(), 1);
}

pub(super) async fn an_emptied_store_takes_a_lease_as_it_is(kind: Kind) {
    let mut store = Subject::of(kind).await;
    for _ in 0..3 {
        store.renew_lease(&lease("n1", 0), LONG).await.unwrap();
    }

    store.come_back_empty().await;

    assert!(store.leases().await.unwrap().is_empty());
    assert_eq!(store.renew_lease(&lease("n1", 3), LONG).await.unwrap(), 3);
    assert_eq!(store.renew_lease(&lease("n1", 0), LONG).await.unwrap(), 4);
}

pub(super) async fn a_home_is_set_by_comparison(kind: Kind) {
    let store = Subject::of(kind).await;
    let (one, two, three) = (home("n1", 1), home("n 2", 7), home("n3", 1));

    assert_eq!(store.home(42).await.unwrap(), None);
    assert_eq!(store.set_home(42, None, &one).await.unwrap(), one);
    assert_eq!(store.set_home(42, None, &two).await.unwrap(), one);
    assert_eq!(store.set_home(42, Some(&three), &two).await.unwrap(), one);
    assert_eq!(store.set_home(42, Some(&home("n1", 2)), &two).await.unwrap(), one);
    assert_eq!(store.set_home(42, Some(&one), &two).await.unwrap(), two);
    assert_eq!(store.home(42).await.unwrap(), Some(two));
    assert_eq!(store.home(-42).await.unwrap(), None);
    // Where there is none, none stands in the way.
    assert_eq!(store.set_home(43, Some(&one), &three).await.unwrap(), three);
}

pub(super) async fn a_record_is_written_once(kind: Kind) {
    let store = Subject::of(kind).await;
    let odd = bytes::Bytes::from_static(&[0, 255, b' ', b'\n', 7]);

    assert_eq!(store.once(1, "r", odd.clone(), LONG, 9).await.unwrap(), Once::Written);
    let again = store.once(1, "r", bytes("other"), LONG, 9).await.unwrap();
    assert_eq!(again, Once::Existing(odd));
    assert_eq!(store.once(2, "r", bytes("other"), LONG, 9).await.unwrap(), Once::Written);
    assert_eq!(store.once(1, "q", bytes(""), LONG, 9).await.unwrap(), Once::Written);
    let again = store.once(1, "q", bytes("other"), LONG, 9).await.unwrap();
    assert_eq!(again, Once::Existing(bytes("")));
}

pub(super) async fn a_record_written_once_can_be_forgotten_by_its_value(kind: Kind) {
    let store = Subject::of(kind).await;
    store.once(1, "r", bytes("a value"), LONG, 9).await.unwrap();

    store.forget(1, "r", b"value").await.unwrap();
    store.forget(1, "unknown", b"a value").await.unwrap();
    let kept = store.once(1, "r", bytes("b"), LONG, 9).await.unwrap();
    store.forget(1, "r", b"a value").await.unwrap();
    let gone = store.once(1, "r", bytes("b"), LONG, 9).await.unwrap();

    assert_eq!(kept, Once::Existing(bytes("a value")));
    assert_eq!(gone, Once::Written);
}

pub(super) async fn a_record_written_once_expires(kind: Kind) {
    let store = Subject::of(kind).await;
    store.once(1, "kept", bytes("k"), LONG, 9).await.unwrap();
    store.once(1, "r", bytes("a"), SHORT, 9).await.unwrap();
    let still = store.once(1, "r", bytes("b"), SHORT, 9).await.unwrap();
    assert_eq!(still, Once::Existing(bytes("a")));

    until("the record expires", async || {
        let outcome = store.once(1, "r", bytes("b"), LONG, 9).await.unwrap();
        (outcome == Once::Written).then_some(())
    })
    .await;

    let kept = store.once(1, "kept", bytes("other"), LONG, 9).await.unwrap();
    assert_eq!(kept, Once::Existing(bytes("k")));
}

pub(super) async fn a_record_written_once_is_replaced_by_comparison(kind: Kind) {
    let store = Subject::of(kind).await;
    let odd = bytes::Bytes::from_static(&[0, 255, b' ', b'\n', 7]);
    store.once(1, "r", bytes("a value"), LONG, 9).await.unwrap();

    assert!(!store.replace(1, "r", b"value", bytes("b")).await.unwrap(), "another value");
    assert!(!store.replace(1, "unknown", b"a value", bytes("b")).await.unwrap(), "another key");
    assert!(!store.replace(2, "r", b"a value", bytes("b")).await.unwrap(), "another customer");
    let kept = store.once(1, "r", bytes("c"), LONG, 9).await.unwrap();
    assert!(store.replace(1, "r", b"a value", odd.clone()).await.unwrap());
    assert!(store.replace(1, "r", b"a value", odd.clone()).await.unwrap(), "asked again");
    let replaced = store.once(1, "r", bytes("c"), LONG, 9).await.unwrap();

    assert_eq!(kept, Once::Existing(bytes("a value")));
    assert_eq!(replaced, Once::Existing(odd));
    assert_eq!(store.once(1, "unknown", bytes("c"), LONG, 9).await.unwrap(), Once::Written);
}

pub(super) async fn a_replaced_record_expires_when_it_would_have(kind: Kind) {
    let store = Subject::of(kind).await;
    store.once(1, "kept", bytes("k"), LONG, 9).await.unwrap();
    store.once(1, "r", bytes("a"), SHORT, 9).await.unwrap();
    assert!(store.replace(1, "r", b"a", bytes("b")).await.unwrap());

    until("the record expires", async || {
        let is_there = store.replace(1, "r", b"b", bytes("b")).await.unwrap();
        (!is_there).then_some(())
    })
    .await;

    assert_eq!(store.once(1, "r", bytes("c"), LONG, 9).await.unwrap(), Once::Written);
}

pub(super) async fn the_oldest_of_too_many_records_go(kind: Kind) {
    let store = Subject::of(kind).await;
    for number in 0..8 {
        let key = format!("r{}", 9 - number);
        let outcome = store.once(1, &key, bytes(&key), LONG, 5).await.unwrap();
        assert_eq!(outcome, Once::Written);
    }

    // Written last to first: r9 r8 r7 are the oldest of the eight.
    for key in ["r6", "r5", "r4", "r3", "r2"] {
        let outcome = store.once(1, key, bytes("new"), LONG, 5).await.unwrap();
        assert_eq!(outcome, Once::Existing(bytes(key)), "{key}");
    }
    assert_eq!(store.once(1, "r7", bytes("new"), LONG, 5).await.unwrap(), Once::Written);
    assert_eq!(store.once(1, "r6", bytes("new"), LONG, 5).await.unwrap(), Once::Written);
}

pub(super) async fn presence_counts_each_listener_until_it_expires(kind: Kind) {
    let store = Subject::of(kind).await;
    assert_eq!(store.presence(1, "12025551000").await.unwrap(), Presence::default());

    store.note_presence(1, "12025551000", "a", LONG).await.unwrap();
    store.note_presence(1, "12025551000", "b", SHORT).await.unwrap();
    store.note_presence(1, "12025551000", "b", SHORT).await.unwrap();
    store.note_presence(1, "12025551001", "c", LONG).await.unwrap();
    store.note_presence(2, "12025551000", "d", LONG).await.unwrap();

    let both = store.presence(1, "12025551000").await.unwrap();
    assert_eq!(both.listeners, 2);
    assert!(both.remaining > SHORT && both.remaining <= LONG, "{both:?}");
    until("the listener expires", async || {
        (store.presence(1, "12025551000").await.unwrap().listeners == 1).then_some(())
    })
    .await;
    store.note_presence(1, "12025551000", "b", LONG).await.unwrap();
    assert_eq!(store.presence(1, "12025551000").await.unwrap().listeners, 2);
}

pub(super) async fn one_at_a_time_holds_and_the_next_learns_the_note(kind: Kind) {
    let store = Subject::of(kind).await;
    let hold = async |holder: &str, ttl, note: Option<&str>| {
        store.hold(0, "hooks", holder, ttl, note.map(bytes)).await.unwrap()
    };

    assert_eq!(hold("a", LONG, Some("not a's to note yet")).await, Some(bytes("")));
    assert_eq!(hold("b", LONG, None).await, None);
    assert_eq!(hold("a", LONG, Some("1")).await, Some(bytes("1")));
    assert_eq!(hold("a", LONG, None).await, Some(bytes("1")));
    assert_eq!(store.hold(0, "other", "b", LONG, None).await.unwrap(), Some(bytes("")));

    assert_eq!(hold("a", Duration::ZERO, Some("2")).await, Some(bytes("2")));
    assert_eq!(hold("b", SHORT, Some("unheld")).await, Some(bytes("2")), "given back");
    until("the time is over", async || hold("a", LONG, Some("late")).await).await;
    assert_eq!(hold("b", LONG, Some("lost")).await, None);
    assert_eq!(hold("a", LONG, None).await, Some(bytes("2")));
}
