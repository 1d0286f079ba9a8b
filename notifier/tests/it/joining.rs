//! Where a scope joins is exact, whatever is written meanwhile.

use std::collections::HashMap;
use std::sync::Arc;

use mesh::ledger::memory::MemoryConfig;
use mesh::ledger::{Ledger as _, LogRead, Position, ReadFrom, partition_of};
use notifier::Config;
use proto::notifier::v1::live_response::Response;
use proto::notifier::v1::{Event, Place, Scope};
use proto::switch::v1::LogEntry;
use tokio_util::task::TaskTracker;

use crate::support::{
    Dice, Edge, Gate, World, account, customer, entry, event, everything, position, queue, reseller,
};

const PARTITIONS: u32 = 4;
const CUSTOMERS: u64 = 6;
const WRITES: u64 = 400;

type Matches = fn(&LogEntry) -> bool;

fn scopes() -> Vec<(Scope, Matches)> {
    vec![
        (everything(), |_| true),
        (reseller(1), |it| it.i_reseller == 1),
        (customer(2), |it| it.i_customer == 2),
        (customer(5), |it| it.i_customer == 5),
        (account(3, 31), |it| it.i_customer == 3 && it.i_accounts.contains(&31)),
        (queue(4, 1), |it| it.i_customer == 4 && it.i_c_queues.contains(&1)),
    ]
}

fn any_event(dice: &mut Dice, number: u64) -> LogEntry {
    let i_customer = i64::try_from(dice.below(CUSTOMERS)).unwrap();
    LogEntry {
        i_reseller: i_customer % 3,
        i_accounts: vec![i_customer * 10 + i64::from(dice.below(2) == 0)],
        i_c_queues: (dice.below(2) == 0).then_some(1).into_iter().collect(),
        ..entry(i_customer, i64::try_from(number).unwrap())
    }
}

/// Everything in the logs: place and event.
async fn written(ledger: &Gate) -> Vec<(u32, Position, LogEntry)> {
    let mut all = Vec::new();
    for partition in 0..PARTITIONS {
        let read = ledger
            .read_log(partition, &ReadFrom::Oldest, usize::MAX, std::time::Duration::ZERO)
            .await
            .unwrap();
        let LogRead::Entries(chunk) = read else { panic!("{read:?}") };
        for (position, bytes) in chunk.entries {
            let entry: LogEntry = prost::Message::decode(bytes).unwrap();
            assert_eq!(partition_of(entry.i_customer, PARTITIONS), partition);
            all.push((partition, position, entry));
        }
    }
    all
}

/// Reads until every partition has been streamed up to its end.
async fn read_all(edge: &mut Edge, ends: &HashMap<u32, Position>) -> (Joined, Vec<Event>) {
    let (mut joined, mut events) = (Joined::new(), Vec::new());
    loop {
        match edge.receive().await.unwrap().unwrap() {
            Response::Subscribed(subscribed) => {
                joined.insert(subscribed.scope_id, subscribed.places);
            }
            Response::Event(event) => {
                for scope_id in &event.scope_ids {
                    assert!(joined.contains_key(scope_id), "an event before its scope was joined");
                }
                events.push(event);
            }
            Response::Beat(beat) => {
                let is_there = |place: &Place| {
                    ends.get(&place.partition).is_none_or(|end| position(place) >= *end)
                };
                if beat.places.iter().all(is_there) && joined.len() == scopes().len() {
                    return (joined, events);
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

type Joined = HashMap<u64, Vec<Place>>;

async fn joins_exactly(seed: u64) {
    let store = MemoryConfig { partitions: PARTITIONS, ..MemoryConfig::default() };
    let config = Config {
        beat: std::time::Duration::from_millis(50),
        read_page: usize::try_from(1 + seed % 7).unwrap(),
        ..Config::default()
    };
    let world = World::with(store, config);
    let notifier = world.start("n").await;
    let edge = notifier.edge().await;
    let token = world.admin();

    let tasks = TaskTracker::new();
    let mut writer = world.writer();
    let writing = tasks.spawn(async move {
        let mut dice = Dice(seed);
        for number in 0..WRITES {
            writer.write(&[any_event(&mut dice, number)]).await;
            for _ in 0..dice.below(20) {
                tokio::task::yield_now().await;
            }
        }
    });
    let mut dice = Dice(!seed);
    for (scope_id, (scope, _)) in (0..).zip(scopes()) {
        for _ in 0..dice.below(600) {
            tokio::task::yield_now().await;
        }
        edge.ask(scope_id, scope, &token).await;
    }
    writing.await.unwrap();
    let written = written(&world.ledger).await;
    let mut ends = HashMap::new();
    for (partition, position, _) in &written {
        ends.insert(*partition, *position);
    }
    let mut edge = edge;
    let (joined, events) = read_all(&mut edge, &ends).await;

    for (scope_id, (_, matches)) in (0..).zip(scopes()) {
        let start: HashMap<_, _> =
            joined[&scope_id].iter().map(|it| (it.partition, position(it))).collect();
        let mut expected: Vec<_> = written
            .iter()
            .filter(|(_, _, entry)| matches(entry))
            .filter(|(partition, position, _)| position > &start[partition])
            .map(|(partition, position, entry)| (*partition, *position, entry.time_us))
            .collect();
        let mut got: Vec<_> = events
            .iter()
            .filter(|event| event.scope_ids.contains(&scope_id))
            .map(|it| {
                let place = it.place.as_ref().unwrap();
                (place.partition, position(place), event(it).time_us)
            })
            .collect();
        // Order holds within a partition.
        expected.sort_by_key(|(partition, ..)| *partition);
        got.sort_by_key(|(partition, ..)| *partition);
        assert_eq!(got, expected, "scope {scope_id}, seed {seed}");
    }
    for event in &events {
        assert!(event.scope_ids.is_sorted(), "{:?}", event.scope_ids);
    }

    // What was before the places is what a replay up to them gives.
    for (scope_id, (scope, matches)) in (0..).zip(scopes()) {
        let to = &joined[&scope_id];
        let from: Vec<_> =
            to.iter().map(|it| Place { millis: 0, sequence: 0, ..it.clone() }).collect();
        let replayed = edge.replay(scope, &token, &from, to).await.unwrap();
        let ends: HashMap<_, _> = to.iter().map(|it| (it.partition, position(it))).collect();
        let mut expected: Vec<_> = written
            .iter()
            .filter(|(_, _, entry)| matches(entry))
            .filter(|(partition, position, _)| {
                ends.get(partition).is_some_and(|end| position <= end)
            })
            .map(|(.., entry)| entry.time_us)
            .collect();
        let mut got = replayed.numbers();
        expected.sort_unstable();
        got.sort_unstable();
        assert_eq!(got, expected, "replay of scope {scope_id}, seed {seed}");
    }
    drop(edge);
    drop(Arc::clone(&world.ledger));
    notifier.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_after_the_places_comes_and_none_before() {
    for seed in 0..12 {
        joins_exactly(seed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_event_after_the_places_comes_on_one_thread() {
    for seed in 100..112 {
        joins_exactly(seed).await;
    }
}
