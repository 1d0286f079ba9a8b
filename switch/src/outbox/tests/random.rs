//! Legs change at random under a store that fails at random.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proto::call::v1::State;

use super::bench::{Bench, Told};
use super::flaky::{Dice, Flaky, Mood};
use crate::outbox::Bounds;

const SEEDS: u64 = 25;

/// Lets legs change for a while, then lets the store calm down.
async fn run(seed: u64, bounds: Bounds, mood: Mood) -> Bench {
    let mut flaky = None;
    let mut bench = Bench::over(bounds, |memory| {
        let made = Arc::new(Flaky::new(memory, seed, mood));
        flaky = Some(Arc::clone(&made));
        made
    });
    let mut dice = Dice::new(seed ^ 0xFFFF);
    let mut legs: Vec<(String, &str)> = Vec::new();
    for number in 0..400 {
        match dice.roll(10) {
            0..=2 => {
                let call = format!("c{number}");
                for tag in ["a", "b"] {
                    drop(bench.tell(&call, tag, State::Trying));
                    legs.push((call.clone(), tag));
                }
            }
            3..=4 if !legs.is_empty() => {
                let index = usize::try_from(dice.roll(legs.len() as u64)).unwrap();
                let (call, tag) = legs.swap_remove(index);
                drop(bench.tell(&call, tag, State::Terminated));
            }
            5..=8 if !legs.is_empty() => {
                let index = usize::try_from(dice.roll(legs.len() as u64)).unwrap();
                let (call, tag) = legs[index].clone();
                let states = [State::Ringing, State::Early, State::Connected, State::Held];
                let state = states[usize::try_from(dice.roll(4)).unwrap()];
                drop(bench.tell(&call, tag, state));
            }
            9 => tokio::time::sleep(Duration::from_millis(dice.roll(800))).await,
            _ => tokio::task::yield_now().await,
        }
    }
    flaky.unwrap().calm_down();
    bench.calm().await;
    bench
}

/// The newest that is told of each leg.
fn newest(told: Vec<Told>) -> BTreeMap<(String, String), (State, i64)> {
    let told = told.into_iter();
    told.map(|(call, tag, state, sequence)| ((call, tag), (state, sequence))).collect()
}

const ROOMY: Bounds = Bounds { max_bytes: 1 << 24, commit_events: 7 };
const NARROW: Bounds = Bounds { max_bytes: 3000, commit_events: 7 };

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_but_forgets_nothing_gets_every_event_once_and_in_order() {
    for seed in 0..SEEDS {
        let bench = run(seed, ROOMY, Mood::Unreliable).await;

        assert_eq!(bench.log().await, bench.told, "seed {seed}");
        bench.check_records().await;
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_the_store_forgets_it_ends_with_the_engines_state() {
    for (bounds, mood) in
        [(ROOMY, Mood::Forgetful), (NARROW, Mood::Unreliable), (NARROW, Mood::Forgetful)]
    {
        for seed in 0..SEEDS {
            let bench = run(seed, bounds, mood).await;

            bench.check_records().await;
            let in_log = newest(bench.log().await);
            for (leg, expected) in newest(bench.told.clone()) {
                let said = in_log.get(&leg);
                let is_gone = expected.0 == State::Terminated && said.is_none();
                assert!(
                    said == Some(&expected) || is_gone,
                    "seed {seed} {mood:?}: {leg:?} is {expected:?}, the log says {said:?}"
                );
            }
        }
    }
}
