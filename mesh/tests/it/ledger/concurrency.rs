//! Many at once.

use std::collections::HashMap;

use futures::future::join_all;
use mesh::ledger::{Home, Once, Position};

use super::subject::{Draft, Kind, Node, Subject, bytes};

pub(super) async fn eight_writers_share_a_partition(kind: Kind) {
    const COMMITS: usize = 40;
    let store = Subject::of(kind).await;
    let write = async |name: String| {
        let mut node = Node::new(&name);
        for number in 0..COMMITS {
            let commit = node
                .draft()
                .put(&format!("{name}:last"), &number.to_string())
                .add("all", &format!("{name}:last"), 1)
                .event(&format!("{name} {number}"))
                .account(&name);
            node.send(&*store, &commit).await.unwrap();
        }
    };

    join_all((0..8).map(|number| write(format!("n{number}")))).await;

    let events = store.events(0).await;
    assert_eq!(events.len(), 8 * COMMITS);
    let mut next: HashMap<String, usize> = HashMap::new();
    for event in events {
        let text = String::from_utf8(event.to_vec()).unwrap();
        let (name, number) = text.split_once(' ').unwrap();
        let expected = next.entry(name.to_owned()).or_default();
        assert_eq!(number.parse::<usize>().unwrap(), *expected, "{name}");
        *expected += 1;
    }
    let page = store.page(0, "all", 0, 100).await.unwrap();
    assert_eq!(page.total, 8);
    assert!(page.records.iter().all(|(_, value)| *value == bytes(&(COMMITS - 1).to_string())));
    let accounting = store.read_accounting(0, Position::default(), 1000).await.unwrap();
    assert_eq!(accounting.entries.len(), 8 * COMMITS);
}

pub(super) async fn one_of_many_wins_a_home(kind: Kind) {
    let store = Subject::of(kind).await;

    let take = async |number: u64| {
        let home = Home { node: format!("n{number}"), node_epoch: number };
        store.set_home(7, None, &home).await.unwrap()
    };
    let homes = join_all((0..8).map(take)).await;

    assert!(homes.iter().all(|home| *home == homes[0]), "{homes:?}");
    assert_eq!(store.home(7).await.unwrap().as_ref(), homes.first());
}

pub(super) async fn one_of_many_writes_once(kind: Kind) {
    let store = Subject::of(kind).await;
    let ttl = std::time::Duration::from_mins(1);

    let write = async |number: u64| {
        store.once(7, "request", bytes(&number.to_string()), ttl, 100).await.unwrap()
    };
    let outcomes = join_all((0..8).map(write)).await;

    let written = outcomes.iter().filter(|outcome| **outcome == Once::Written).count();
    assert_eq!(written, 1, "{outcomes:?}");
}
