//! One failure at a time.

use std::sync::Arc;
use std::time::Duration;

use mesh::ledger::Ledger as _;
use proto::call::v1::State;

use super::bench::{Bench, NODE};
use crate::outbox::Ended;

const PATH: [State; 4] = [State::Trying, State::Ringing, State::Connected, State::Terminated];

#[tokio::test(start_paused = true)]
async fn what_is_told_is_in_the_store_when_that_is_acknowledged() {
    let mut bench = Bench::new();

    bench.write("c1", "a", State::Trying).await;
    assert_eq!(bench.log().await, bench.told);
    bench.check_records().await;
    bench.write("c1", "a", State::Connected).await;

    bench.check_records().await;
    assert_eq!(bench.stopped().await, Ended::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_leg_that_goes_on_under_another_call_leaves_no_record_under_its_old_one() {
    let mut bench = Bench::new();
    bench.write("c1", "a", State::Connected).await;

    bench.tell_moved("c1", "a", State::Transferred, Some("c2")).await.unwrap();
    bench.write("c2", "a", State::Connected).await;

    assert_eq!(bench.log().await, bench.told);
    bench.check_records().await;
}

#[tokio::test(start_paused = true)]
async fn the_order_is_kept_over_an_outage_and_nobody_waits_for_it() {
    let mut bench = Bench::new();
    bench.write("c0", "a", State::Trying).await;
    let epoch = bench.epoch().await;

    bench.memory.set_reachable(false);
    let under_way = bench.tell("c0", "a", State::Ringing);
    assert!(under_way.await.is_err(), "told at once that the store is away");
    for call in 1..50 {
        for state in PATH {
            assert!(bench.tell(&format!("c{call}"), "a", state).await.is_err());
        }
    }
    assert!(!bench.outbox.is_flowing());
    tokio::time::sleep(Duration::from_mins(5)).await;
    bench.memory.set_reachable(true);
    bench.outbox.drained().await;

    assert!(bench.outbox.is_flowing());
    assert_eq!(bench.log().await, bench.told);
    assert_eq!(bench.epoch().await, epoch);
    bench.check_records().await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_was_lost_is_written_once() {
    let mut bench = Bench::new();

    for call in ["c1", "c2", "c3"] {
        bench.memory.lose_answers(3);
        for state in PATH {
            bench.tell(call, "a", state).await.ok();
        }
    }
    bench.outbox.drained().await;

    assert_eq!(bench.log().await, bench.told);
    bench.check_records().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_comes_back_empty_gets_every_living_leg_and_what_was_queued() {
    let mut bench = Bench::new();
    for call in ["c1", "c2", "c3"] {
        bench.write(call, "a", State::Trying).await;
        bench.write(call, "b", State::Trying).await;
        bench.write(call, "a", State::Connected).await;
    }
    let epoch = bench.epoch().await;

    bench.memory.set_reachable(false);
    bench.tell("c1", "a", State::Held).await.ok();
    bench.tell("c2", "a", State::Terminated).await.ok();
    bench.tell("c2", "b", State::Terminated).await.ok();
    bench.memory.forget_everything();
    bench.memory.set_reachable(true);
    bench.calm().await;

    assert_ne!(bench.epoch().await, epoch);
    let log = bench.log().await;
    for event in &bench.told[bench.told.len() - 3..] {
        assert!(log.contains(event), "{event:?} is lost");
    }
    for (tag, sequence) in [("a", 3), ("b", 2)] {
        let unchanged = log.iter().filter(|(call, of, ..)| call == "c3" && of == tag);
        let unchanged: Vec<_> = unchanged.map(|(.., sequence)| *sequence).collect();
        assert_eq!(unchanged, [sequence], "c3 is told again as it is");
    }
    bench.check_records().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_came_back_empty_is_found_out_while_nothing_happens() {
    let mut bench = Bench::new();
    bench.write("c1", "a", State::Connected).await;
    let epoch = bench.epoch().await;

    bench.memory.forget_everything();
    tokio::time::sleep(Duration::from_millis(1500)).await;

    assert_ne!(bench.epoch().await, epoch);
    assert_eq!(bench.log().await, bench.told);
    bench.check_records().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_without_legs_of_ours_is_left_alone() {
    let mut bench = Bench::new();
    bench.write("c1", "a", State::Trying).await;
    bench.write("c1", "a", State::Terminated).await;

    bench.memory.set_reachable(false);
    tokio::time::sleep(Duration::from_mins(1)).await;

    assert!(bench.outbox.is_flowing(), "nobody asked");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_lost_its_last_commit_is_put_right() {
    for happens in [false, true] {
        let mut bench = Bench::new();
        bench.write("c1", "a", State::Trying).await;
        bench.write("c1", "a", State::Ringing).await;
        let epoch = bench.epoch().await;

        assert!(bench.memory.forget_last_commit(0));
        if happens {
            bench.tell("c1", "b", State::Trying).await.ok();
        }
        bench.calm().await;

        assert_ne!(bench.epoch().await, epoch, "readers are told");
        assert_eq!(bench.log().await.last(), bench.told.last());
        bench.check_records().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_leg_whose_end_the_store_lost_is_removed() {
    let mut bench = Bench::new();
    bench.write("c1", "a", State::Connected).await;
    bench.write("c2", "a", State::Connected).await;
    bench.write("c1", "a", State::Terminated).await;

    assert!(bench.memory.forget_last_commit(0));
    bench.calm().await;

    let log = bench.log().await;
    assert_eq!(log, [("c2".to_owned(), "a".to_owned(), State::Connected, 1)]);
    bench.check_records().await;
}

#[tokio::test(start_paused = true)]
async fn more_legs_than_one_commit_carries_are_written_again_in_several() {
    let mut bench = Bench::new();
    for call in 0..450 {
        bench.tell(&format!("c{call}"), "a", State::Connected).await.ok();
    }
    bench.outbox.drained().await;

    bench.memory.forget_everything();
    bench.calm().await;

    assert_eq!(bench.log().await.len(), 450);
    bench.check_records().await;
}

#[tokio::test(start_paused = true)]
async fn a_fenced_node_writes_nothing_more() {
    let mut bench = Bench::new();
    bench.write("c1", "a", State::Connected).await;
    bench.memory.fence(0, NODE, 1).await.unwrap();
    let log = bench.log().await;

    let waiting = bench.tell("c1", "a", State::Held);
    let memory = Arc::clone(&bench.memory);
    let outbox = bench.outbox.clone();
    assert_eq!(bench.ended().await, Ended::Fenced);
    outbox.clear();

    assert!(waiting.await.is_err(), "nobody waits for what will never be written");
    let bounds = memory.log_bounds(0).await.unwrap();
    assert_eq!(usize::try_from(bounds.last.sequence).unwrap() + 1, log.len());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_fenced_while_nothing_happens_learns_it() {
    let mut bench = Bench::new();
    bench.write("c1", "a", State::Connected).await;

    bench.memory.fence(0, NODE, 1).await.unwrap();

    let ended = tokio::time::timeout(Duration::from_secs(2), bench.ended()).await;
    assert_eq!(ended.unwrap(), Ended::Fenced);
}

#[tokio::test(start_paused = true)]
async fn while_nobody_writes_nobody_waits() {
    let outbox = crate::outbox::Outbox::new(super::bench::ROOMY);

    let waiting = outbox.push(crate::outbox::Batch::default());
    outbox.set_flowing(false);

    assert!(waiting.await.is_err());
    assert!(outbox.push(crate::outbox::Batch::default()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_at_the_stop_is_still_written() {
    let mut bench = Bench::new();
    for state in PATH {
        drop(bench.tell("c1", "a", state));
    }
    let (memory, told) = (Arc::clone(&bench.memory), bench.told.len());

    assert_eq!(bench.stopped().await, Ended::Stopped);

    let bounds = memory.log_bounds(0).await.unwrap();
    assert_eq!(usize::try_from(bounds.last.sequence).unwrap() + 1, told);
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_store_that_is_away() {
    let mut bench = Bench::new();
    bench.memory.set_reachable(false);
    drop(bench.tell("c1", "a", State::Trying));

    let stopped = tokio::time::timeout(Duration::from_secs(1), bench.stopped()).await;

    assert_eq!(stopped.unwrap(), Ended::Stopped);
}

#[tokio::test(start_paused = true)]
async fn the_legs_of_a_swept_node_are_not_written_again() {
    let mut bench = Bench::new();
    bench.take_lease().await;
    bench.write("c1", "a", State::Connected).await;

    mesh::sweep::end_calls_of(bench.memory.as_ref(), NODE, 1, &bench.clock).await.unwrap();
    let waiting = bench.tell("c1", "a", State::Held);
    bench.living.clear();
    bench.check_records().await;
    let memory = Arc::clone(&bench.memory);

    assert_eq!(bench.ended().await, Ended::Fenced);
    drop(waiting);
    let page = memory.page(0, "all", 0, 10).await.unwrap();
    assert!(page.records.is_empty());
}
