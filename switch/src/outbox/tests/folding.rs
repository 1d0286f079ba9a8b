//! A store that is away for longer than there is room.

use std::time::Duration;

use mesh::clock::Timestamp;
use mesh::ledger::{Ledger as _, Position};
use prost::Message as _;
use proto::call::v1::State;

use super::bench::Bench;
use crate::outbox::{Batch, Bounds};
use crate::wire;

const NARROW: Bounds = Bounds { max_bytes: 4096, commit_events: 16 };

#[tokio::test(start_paused = true)]
async fn beyond_the_bound_the_newest_state_of_each_leg_is_kept_and_readers_are_told() {
    let mut bench = Bench::with(NARROW);
    bench.write("unchanged", "a", State::Connected).await;
    bench.write("changed", "a", State::Trying).await;
    bench.write("changed", "b", State::Trying).await;
    bench.write("ended", "a", State::Trying).await;
    let epoch = bench.epoch().await;

    bench.memory.set_reachable(false);
    for state in [State::Connected, State::Held].repeat(50) {
        bench.tell("changed", "b", state).await.ok();
        bench.tell("changed", "a", state).await.ok();
    }
    bench.tell("new", "a", State::Ringing).await.ok();
    bench.tell("ended", "a", State::Terminated).await.ok();
    bench.memory.set_reachable(true);
    bench.calm().await;

    assert_ne!(bench.epoch().await, epoch);
    let event =
        |call: &str, tag: &str, state, sequence| (call.to_owned(), tag.to_owned(), state, sequence);
    assert_eq!(
        bench.log().await,
        [
            event("changed", "b", State::Held, 201),
            event("changed", "a", State::Held, 202),
            event("ended", "a", State::Terminated, 2),
            event("new", "a", State::Ringing, 1),
            event("unchanged", "a", State::Connected, 1),
        ],
        "of one call in the order of its sequence"
    );
    bench.check_records().await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_come_and_go_while_the_store_is_away_take_no_room() {
    let mut bench = Bench::with(NARROW);
    bench.write("c", "a", State::Connected).await;
    bench.memory.set_reachable(false);

    for call in 0..1000 {
        for state in [State::Trying, State::Terminated] {
            bench.tell(&format!("c{call}"), "a", state).await.ok();
        }
    }
    let kept = bench.outbox.queue.kept_legs();
    bench.memory.set_reachable(true);
    bench.calm().await;

    assert!(kept < 40, "{kept} legs are kept");
    assert!(bench.log().await.len() < 40);
    bench.check_records().await;
}

#[tokio::test(start_paused = true)]
async fn dropped_digits_alone_are_a_gap_too() {
    let mut bench = Bench::with(NARROW);
    bench.write("c", "a", State::Connected).await;
    bench.write("c", "a", State::Terminated).await;
    let epoch = bench.epoch().await;
    bench.memory.set_reachable(false);
    bench.tell("c2", "a", State::Trying).await.ok();

    let digit = Batch { events: vec![vec![0; 3000].into()], ..Batch::default() };
    drop(bench.outbox.push(digit));
    bench.tell("c2", "a", State::Terminated).await.ok();
    bench.memory.set_reachable(true);
    bench.calm().await;

    assert_ne!(bench.epoch().await, epoch);
    bench.check_records().await;
}

#[tokio::test(start_paused = true)]
async fn what_happens_while_legs_are_told_again_comes_after_them() {
    let mut bench = Bench::with(NARROW);
    bench.memory.set_reachable(false);
    for call in 0..450 {
        bench.tell(&format!("c{call:03}"), "a", State::Connected).await.ok();
    }
    // The writer is busy with its first commit, so the test may take what comes after.
    let queue = &bench.outbox.queue;
    let now = Timestamp::default();

    let first = queue.take(now).unwrap();
    assert!(first.after_gap);
    assert_eq!(first.events.len(), 200);
    drop(queue.push(once_more(&bench)));
    let second = queue.take(now).unwrap();
    assert!(!second.after_gap);
    assert_eq!(second.events.len(), 200);
    let third = queue.take(now).unwrap();
    let fourth = queue.take(now).unwrap();

    assert!(third.events.len() >= 40, "{}", third.events.len());
    assert_eq!(fourth.events, once_more(&bench).events);
    assert!(queue.take(now).is_none());
}

/// One leg's newest state, once more.
fn once_more(bench: &Bench) -> Batch {
    let (key, record) = bench.living.first_key_value().unwrap();
    let entry = wire::entry_of(record, bench.clock.now(), "later");
    let events = vec![entry.encode_to_vec().into()];
    Batch { legs: vec![(key.clone(), record.clone())], events, ..Batch::default() }
}

#[tokio::test(start_paused = true)]
async fn an_outage_during_the_telling_folds_once_more() {
    let mut bench = Bench::with(NARROW);
    bench.memory.set_reachable(false);
    for call in 0..450 {
        bench.tell(&format!("c{call}"), "a", State::Ringing).await.ok();
    }
    bench.memory.set_reachable(true);
    tokio::time::sleep(Duration::from_millis(1)).await;
    bench.memory.set_reachable(false);

    for call in 0..450 {
        bench.tell(&format!("c{call}"), "a", State::Connected).await.ok();
    }
    bench.memory.set_reachable(true);
    bench.calm().await;

    let log = bench.log().await;
    let connected = log.iter().filter(|(_, _, state, _)| *state == State::Connected).count();
    assert_eq!(connected, 450);
    bench.check_records().await;
}

#[tokio::test(start_paused = true)]
async fn accounting_records_are_never_dropped() {
    let mut bench = Bench::with(NARROW);
    bench.write("c", "a", State::Connected).await;
    bench.memory.set_reachable(false);

    let mut accounting = Vec::new();
    for number in 0..100_u8 {
        let record = bytes::Bytes::from(vec![number; 30]);
        accounting.push(record.clone());
        let batch = Batch { accounting: vec![record], ..Batch::default() };
        drop(bench.outbox.push(batch));
    }
    bench.memory.set_reachable(true);
    bench.calm().await;

    let read = bench.memory.read_accounting(0, Position::default(), 1_000).await.unwrap();
    let written: Vec<_> = read.entries.into_iter().map(|(_, record)| record).collect();
    assert_eq!(written, accounting);
}

#[tokio::test(start_paused = true)]
async fn accounting_records_under_way_survive_a_store_that_came_back_empty() {
    let mut bench = Bench::with(NARROW);
    bench.write("c", "a", State::Connected).await;
    bench.memory.forget_everything();

    let record = bytes::Bytes::from_static(b"paid");
    let batch = Batch { accounting: vec![record.clone()], ..Batch::default() };
    drop(bench.outbox.push(batch));
    bench.calm().await;

    let read = bench.memory.read_accounting(0, Position::default(), 1_000).await.unwrap();
    let written: Vec<_> = read.entries.into_iter().map(|(_, record)| record).collect();
    assert_eq!(written, [record]);
}
