//! A node that stops, or was taken for lost.

use std::time::Duration;

use mesh::ledger::Ledger as _;

use super::bench::{Bench, PATIENCE};
use crate::domain::{Action, Refusal};
use crate::driver::{ChannelId, Op};
use crate::engine::Rejection;

#[tokio::test(start_paused = true)]
async fn stopping_ends_every_call_and_takes_no_more() {
    let bench = Bench::new();
    let (call, alice, bob) = bench.talking().await;

    bench.engine.stop().await;

    assert_eq!((bench.switch.hung_up(&alice), bench.switch.hung_up(&bob)), (vec![503], vec![503]));
    assert!(bench.dials("late", "103", "104").await.await.is_err());
    assert_eq!(bench.switch.hung_up(&ChannelId("late".to_owned())), [503]);
    let originate = bench.command(bench.originate("101", "102")).await;
    assert!(matches!(originate, Err(Rejection::Stopping)));
    assert!(bench.command(Action::Get(call)).await.is_err());
    bench.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_being_looked_up_at_the_stop_is_refused() {
    let bench = Bench::new();
    bench.book.close();
    let offered = bench.dials("alice", "101", "102").await;

    bench.engine.stop().await;
    bench.book.open();

    assert!(offered.await.is_err());
    bench.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn commands_that_were_taken_before_the_stop_are_answered() {
    let bench = Bench::new();
    let (call, _, bob) = bench.talking().await;
    bench.switch.slow_down(&bob, Duration::from_secs(1));

    let hold = bench.command(Action::Hold(call, None));
    let stop = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        bench.engine.stop().await;
    };
    let (held, ()) = tokio::join!(hold, stop);

    assert!(held.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_engine_hangs_up_what_the_switch_has_and_writes_nothing_more() {
    let bench = Bench::new();
    let (call, ..) = bench.talking().await;
    let before = bench.ledger.log_bounds(0).await.unwrap();

    bench.engine.abandon().await;

    assert!(bench.switch.living().is_empty());
    assert_eq!((bench.engine.load(), bench.known_channels()), (0, 0));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.ledger.log_bounds(0).await.unwrap(), before);
    let gone = bench.command(Action::Get(call.clone())).await;
    assert!(matches!(gone, Err(Rejection::Refused(Refusal::CallNotFound(_)))));
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_engine_begins_anew() {
    let bench = Bench::new();
    bench.talking().await;

    bench.engine.abandon().await;
    let (call, ..) = bench.talking().await;

    assert!(bench.command(Action::Get(call)).await.unwrap().is_ok());
    assert_eq!(bench.engine.load(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_offer_of_an_earlier_life_begins_no_call_in_the_next() {
    let bench = Bench::new();
    bench.book.close();
    let offered = bench.dials("alice", "101", "102").await;

    bench.engine.abandon().await;
    bench.book.open();

    assert!(tokio::time::timeout(PATIENCE, offered).await.unwrap().is_err());
    assert!(bench.switch.dialled("102").is_empty());
    bench.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_begins_while_calls_are_being_dropped() {
    let bench = Bench::new();
    let (_, alice, _) = bench.talking().await;
    bench.switch.slow_down(&alice, Duration::from_secs(1));

    let abandon = bench.engine.abandon();
    let originate = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        bench.command(bench.originate("103", "104")).await
    };
    let ((), originated) = tokio::join!(abandon, originate);

    assert!(matches!(originated, Err(Rejection::Stopping)));
    let dialled = bench.switch.ops.lock().iter().filter(|op| matches!(op, Op::Dial { .. })).count();
    assert_eq!(dialled, 1, "102 alone");
}

#[tokio::test(start_paused = true)]
async fn a_stop_can_be_cut_short() {
    let bench = Bench::new();
    let (_, alice, _) = bench.talking().await;
    bench.switch.slow_down(&alice, Duration::from_hours(1));

    let stopped = tokio::time::timeout(Duration::from_secs(1), bench.engine.stop()).await;
    assert!(stopped.is_err(), "the switch takes its time");
    bench.engine.close().await;

    bench.tasks().close();
}
