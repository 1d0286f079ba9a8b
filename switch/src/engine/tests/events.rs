//! The way of events to the call that they are about.

use std::time::Duration;

use super::bench::{Bench, PATIENCE};
use crate::domain::Action;
use crate::driver::{Cause, ChannelId, Event};

fn hung_up(channel: &ChannelId) -> Event {
    Event::Ended { channel: channel.clone(), cause: Cause::HungUp }
}

#[tokio::test(start_paused = true)]
async fn a_call_leaves_nothing_behind() {
    let bench = Bench::new();
    let (_, alice, bob) = bench.talking().await;
    assert_eq!(bench.engine.load(), 2);

    bench.switch.lose(&alice);
    bench.happens(hung_up(&alice)).await.await.unwrap();

    assert_eq!(bench.switch.hung_up(&bob), [487]);
    bench.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_gives_up_while_he_is_looked_up_is_not_forgotten() {
    let bench = Bench::new();
    let alice = ChannelId("alice".to_owned());
    bench.book.close();

    let offered = bench.dials("alice", "101", "102").await;
    bench.switch.lose(&alice);
    let ended = bench.happens(hung_up(&alice)).await;
    bench.book.open();

    assert!(offered.await.unwrap().label.is_some());
    ended.await.unwrap();
    bench.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn what_happens_between_the_look_up_and_the_actor_keeps_its_place() {
    for _ in 0..20 {
        let bench = Bench::new();
        let alice = ChannelId("alice".to_owned());

        // All of it is there before the actor runs for the first time.
        drop(bench.dials("alice", "101", "102").await);
        bench.switch.lose(&alice);
        for _ in 0..3 {
            drop(bench.happens(Event::Digit { channel: alice.clone(), digit: '1' }).await);
        }
        let ended = bench.happens(hung_up(&alice)).await;

        tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap();
        bench.nothing_is_left().await;
    }
}

#[tokio::test(start_paused = true)]
async fn however_much_happens_during_the_look_up_the_end_is_kept() {
    let bench = Bench::new();
    let alice = ChannelId("alice".to_owned());
    bench.book.close();

    let offered = bench.dials("alice", "101", "102").await;
    for _ in 0..1000 {
        drop(bench.happens(Event::Digit { channel: alice.clone(), digit: '1' }).await);
    }
    bench.switch.lose(&alice);
    drop(bench.happens(hung_up(&alice)).await);
    bench.book.open();

    assert!(offered.await.unwrap().label.is_some());
    bench.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn an_offer_that_comes_twice_is_one_call() {
    let bench = Bench::new();
    bench.book.close();

    let first = bench.dials("alice", "101", "102").await;
    let during = bench.dials("alice", "101", "102").await;
    bench.book.open();
    first.await.unwrap();
    let after = bench.dials("alice", "101", "102").await;

    assert!(during.await.is_err() && after.await.is_err());
    bench.ringing("102", 0).await;
    assert_eq!(bench.engine.load(), 2);
}

#[tokio::test(start_paused = true)]
async fn too_many_offers_at_once_are_refused_on_the_switch() {
    let bench = Bench::new();
    bench.book.close();

    for number in 0..1025 {
        drop(bench.comes_in(&format!("in-{number}"), "101").await);
    }
    let last = ChannelId("in-1024".to_owned());
    mesh::testing::eventually(PATIENCE, "the last is refused", || async {
        let codes = bench.switch.hung_up(&last);
        if codes == [503] { Ok(()) } else { Err(format!("{codes:?}")) }
    })
    .await;

    assert_eq!(bench.switch.living().len(), 1024);
}

#[tokio::test(start_paused = true)]
async fn unknown_phones_and_numbers_are_refused_on_the_switch() {
    let bench = Bench::new();

    assert!(bench.dials("a", "999", "102").await.await.is_err());
    assert!(bench.comes_in("b", "999").await.await.is_err());

    for channel in ["a", "b"] {
        assert_eq!(bench.switch.hung_up(&ChannelId(channel.to_owned())), [404]);
    }
    bench.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_about_no_call_is_answered_with_nothing() {
    let bench = Bench::new();

    let handled = bench.happens(hung_up(&ChannelId("nobody".to_owned()))).await.await.unwrap();

    assert_eq!(handled.label, None);
}

#[tokio::test(start_paused = true)]
async fn a_channel_whose_end_was_lost_ends_its_call_at_the_second_look() {
    let bench = Bench::new();
    let (call, alice, bob) = bench.talking().await;

    bench.switch.lose(&alice);
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert!(bench.command(Action::Get(call)).await.unwrap().is_ok(), "it might be under way");
    tokio::time::sleep(Duration::from_secs(20)).await;

    assert_eq!(bench.switch.hung_up(&bob), [503]);
    bench.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_channel_of_no_call_is_hung_up_at_the_second_look() {
    let bench = Bench::new();
    let (_, alice, _) = bench.talking().await;
    let stray = ChannelId("stray".to_owned());

    bench.switch.invent(&stray);
    tokio::time::sleep(Duration::from_secs(45)).await;

    assert_eq!(bench.switch.hung_up(&stray), [503]);
    assert!(bench.switch.hung_up(&alice).is_empty());
    assert_eq!(bench.engine.load(), 2);
}
