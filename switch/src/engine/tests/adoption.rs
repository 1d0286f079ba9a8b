//! A process of the node that goes on with the calls of the one before.

use std::time::Duration;

use mesh::ledger::{Ledger as _, Position};
use mesh::sweep::{Kept, left_by};
use prost::Message as _;
use proto::switch::v1::AccountingRecord;

use super::bench::{Bench, PATIENCE};
use crate::domain::{Action, CallId, Refusal, State};
use crate::driver::{Cause, ChannelId, Event, Op, Source};
use crate::engine::Rejection;

/// Takes up what the process before has left.
async fn takes_up(bench: &Bench) -> Kept {
    let left = left_by(bench.ledger.as_ref(), "node-1", 1).await.unwrap();
    let kept = bench.engine.adopt(left, PATIENCE).await;
    bench.engine.adoption_is_over();
    kept
}

async fn states(bench: &Bench, call: &CallId) -> Vec<State> {
    let done = bench.command(Action::Get(call.clone())).await.unwrap().unwrap();
    done.legs.iter().map(|leg| leg.state).collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_on_and_is_paid_for_as_one() {
    let bench = Bench::new();
    let (call, alice, bob) = bench.talking().await;
    tokio::time::sleep(Duration::from_secs(20)).await;

    let next = bench.successor().await;
    let unknown = next.command(Action::Get(call.clone())).await;
    assert!(matches!(unknown, Err(Rejection::Stopping)), "it is not known yet");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let kept = takes_up(&next).await;

    assert_eq!(kept.calls.iter().collect::<Vec<_>>(), [&call.0]);
    assert_eq!(states(&next, &call).await, [State::Connected, State::Connected]);
    assert_eq!(next.engine.load(), 2);
    let wanted = Source::Parties([bob.clone()].into());
    let ops = next.switch.ops.lock().clone();
    assert!(ops.contains(&Op::Hear { channel: alice.clone(), source: wanted }));
    tokio::time::sleep(Duration::from_secs(30)).await;
    next.switch.lose(&bob);
    let ended = Event::Ended { channel: bob, cause: Cause::HungUp };
    next.happens(ended).await.await.unwrap();
    assert_eq!(next.switch.hung_up(&alice), [487]);
    next.nothing_is_left().await;
    let chunk =
        next.ledger.read_accounting(0, Position { millis: 0, sequence: 0 }, 100).await.unwrap();
    let paid = chunk.entries.into_iter().map(|(_, bytes)| AccountingRecord::decode(bytes).unwrap());
    let seconds: Vec<_> = paid.map(|record| record.duration_us / 1_000_000).collect();
    assert_eq!(seconds, [60, 60], "of the caller and of the called");
}

#[tokio::test(start_paused = true)]
async fn what_has_gone_since_it_was_listed_ends() {
    let bench = Bench::new();
    let (call, alice, bob) = bench.talking().await;
    let next = bench.successor().await;
    next.switch.lose(&bob);

    takes_up(&next).await;

    let gone = next.command(Action::Get(call)).await;
    assert!(matches!(gone, Err(Rejection::Refused(Refusal::CallNotFound(_)))));
    assert_eq!(next.switch.hung_up(&alice), [487]);
    next.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn who_leaves_calls_to_the_next_process_finishes_what_is_under_way() {
    let bench = Bench::new();
    let (call, alice, bob) = bench.talking().await;
    bench.switch.slow_down(&alice, Duration::from_secs(2));
    let hold = bench.command(Action::Hold(call.clone(), None));
    let leaving = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        bench.engine.leave().await;
    };

    let (held, ()) = tokio::join!(hold, leaving);

    assert!(held.unwrap().is_ok());
    assert!(bench.switch.hung_up(&alice).is_empty() && bench.switch.hung_up(&bob).is_empty());
    let next = bench.successor().await;
    takes_up(&next).await;
    assert_eq!(states(&next, &call).await, [State::Holding, State::Held]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_to_go_on_is_hung_up() {
    let bench = Bench::new();
    drop(bench.dials("alice", "101", "102").await);
    let bob = bench.ringing("102", 0).await;

    let next = bench.successor().await;
    let kept = takes_up(&next).await;

    assert_eq!(kept, Kept::default());
    for channel in [ChannelId("alice".to_owned()), bob] {
        let until = "the channel is hung up";
        mesh::testing::eventually(PATIENCE, until, || async {
            let codes = next.switch.hung_up(&channel);
            if codes == [503] { Ok(()) } else { Err(format!("{codes:?}")) }
        })
        .await;
    }
}
