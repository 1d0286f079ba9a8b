//! A switch that is slow, refuses, or does not get what it is told.

use std::time::Duration;

use tokio::time::Instant;

use super::bench::{Bench, PATIENCE};
use crate::domain::Action;
use crate::driver::{Op, Source};

#[tokio::test(start_paused = true)]
async fn a_command_is_answered_when_its_effect_is_there() {
    let bench = Bench::new();
    let (call, alice, bob) = bench.talking().await;
    bench.switch.slow_down(&bob, Duration::from_secs(1));
    let begun = Instant::now();

    bench.command(Action::Hold(call.clone(), None)).await.unwrap().unwrap();

    assert!(begun.elapsed() >= Duration::from_secs(1));
    let music = Op::Hear { channel: bob, source: Source::Music };
    let silence = Op::Hear { channel: alice, source: Source::Silence };
    let ops = bench.switch.ops.lock().clone();
    assert!(ops.contains(&music) && ops.contains(&silence));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_changes_nothing_waits_for_what_its_call_waits_for() {
    let bench = Bench::new();
    let (call, _, bob) = bench.talking().await;
    bench.switch.slow_down(&bob, Duration::from_secs(1));
    let begun = Instant::now();

    let hold = || async {
        bench.command(Action::Hold(call.clone(), None)).await.unwrap().unwrap();
        begun.elapsed()
    };
    let (first, second) = tokio::join!(hold(), hold());

    assert!(first >= Duration::from_secs(1) && second >= Duration::from_secs(1));
    let music = Op::Hear { channel: bob, source: Source::Music };
    assert_eq!(bench.switch.ops.lock().iter().filter(|op| **op == music).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_channel_delays_its_own_call_alone() {
    let bench = Bench::new();
    let (_, _, slow) = bench.talking().await;
    let (call, ..) = bench.talking().await;
    bench.switch.slow_down(&slow, Duration::from_secs(4));
    let begun = Instant::now();

    let (_, alice, _) = {
        // The slow one is busy from here on.
        let hold = Action::Hold(call.clone(), None);
        let held = bench.command(hold);
        held.await.unwrap().unwrap();
        bench.talking().await
    };

    assert!(begun.elapsed() < Duration::from_secs(1), "{:?} {alice}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn decisions_do_not_wait_for_a_slow_switch() {
    let bench = Bench::new();
    let (call, _, bob) = bench.talking().await;
    bench.switch.slow_down(&bob, Duration::from_secs(4));

    let hold = bench.command(Action::Hold(call.clone(), None));
    let get = async {
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        let page =
            mesh::ledger::Ledger::page(bench.ledger.as_ref(), 0, "customer:1:state:holding", 0, 10);
        page.await.unwrap().total
    };
    let (held, holding) = tokio::join!(hold, get);

    assert_eq!(holding, 1, "told while the switch was still at it");
    held.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_did_not_come_through_is_tried_again() {
    for lost in 1..=2 {
        let bench = Bench::new();
        let (call, _, bob) = bench.talking().await;

        bench.switch.drop_next(lost);
        bench.command(Action::Hold(call, None)).await.unwrap().unwrap();

        let music = Op::Hear { channel: bob, source: Source::Music };
        assert!(bench.switch.ops.lock().contains(&music), "{lost} lost");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hang_up_that_never_came_through_is_found_out() {
    let bench = Bench::new();
    let (call, alice, _) = bench.talking().await;

    bench.switch.drop_next(6);
    bench.command(Action::Terminate(call, None, None)).await.unwrap().unwrap();
    assert!(bench.switch.living().contains(&alice));
    tokio::time::sleep(Duration::from_secs(45)).await;

    bench.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_the_switch_does_not_dial_ends_the_call() {
    let bench = Bench::new();
    bench.switch.refuse_dials();

    let offered = bench.dials("alice", "101", "102").await.await.unwrap();

    assert!(offered.label.is_some());
    bench.nothing_is_left().await;
    let alice = crate::driver::ChannelId("alice".to_owned());
    assert_eq!(bench.switch.hung_up(&alice), [503]);
}

#[tokio::test(start_paused = true)]
async fn a_dial_whose_outcome_is_unknown_is_hung_up() {
    let bench = Bench::new();
    bench.switch.forget_dials();

    drop(bench.dials("alice", "101", "102").await);

    bench.nothing_is_left().await;
    let bob = bench.switch.dialled("102").remove(0);
    assert_eq!(bench.switch.hung_up(&bob), [503]);
}

#[tokio::test(start_paused = true)]
async fn a_switch_that_never_answers_does_not_hold_a_command_for_ever() {
    let bench = Bench::new();
    let (call, _, bob) = bench.talking().await;
    bench.switch.slow_down(&bob, Duration::from_hours(1));

    let outcome = tokio::time::timeout(PATIENCE, bench.command(Action::Hold(call, None))).await;

    let outcome = outcome.unwrap().unwrap();
    assert!(outcome.is_ok());
}
