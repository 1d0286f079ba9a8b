//! Many calls at once, and what the engine costs beside a bare request to Asterisk.

use std::collections::BTreeSet;
use std::time::Duration;

use mesh::testing::eventually;
use proto::call::v1::CallRef;
use proto::switch::v1::TerminateCall;
use proto::switch::v1::command_request::Command;
use switch::driver::asterisk::{self, Url};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::harness::Harness;
use crate::fixture::Phones;
use crate::needs_asterisk;
use crate::pbx::Pbx;

/// Calls that are up together.
const CALLS: usize = 200;

/// Time between two: 20 a second.
const BEAT: Duration = Duration::from_millis(50);

/// How long what was asked may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bare requests, for comparison.
const BARE: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_calls_come_and_go_and_none_is_lost_or_left() {
    needs_asterisk!();
    let phones = Phones::start().await;
    let (alice, bob) = (phones.crowd("101").await, phones.crowd("102").await);
    let pbx = Pbx::start_with(&[alice.line(), bob.line()]).await;
    let config = asterisk::Config { url: Url::new(pbx.url()), ..asterisk::Config::default() };
    let harness = Harness::configured(phones, pbx, config).await;

    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut asked = Vec::new();
    for _ in 0..BARE {
        beat.tick().await;
        asked.push(Instant::now());
        harness.originate_bare("101").await;
    }
    alice.until_came(BARE, PATIENCE).await.unwrap();
    let bare = Latency::of(&asked, &alice.take_came());
    alice.until_talks(0, PATIENCE).await.unwrap();

    let mut calls = Vec::new();
    asked.clear();
    let mut answered = Vec::new();
    for _ in 0..CALLS {
        beat.tick().await;
        let began = Instant::now();
        asked.push(began);
        calls.push(harness.originate("101", "102").await);
        answered.push(began.elapsed());
    }
    alice.until_talks(CALLS, PATIENCE).await.unwrap();
    bob.until_talks(CALLS, PATIENCE).await.unwrap();
    let originated = Latency::of(&asked, &alice.take_came());
    harness.until_connected(&calls).await;
    // On a busy machine the two wishes of a call come apart, and for a moment one listens to the other.
    eventually(PATIENCE, "nobody listens", || async {
        let there = (harness.pbx.snoops().await, harness.pbx.bridges().await.len());
        if there == (0, CALLS) { Ok(()) } else { Err(format!("{there:?}")) }
    })
    .await;
    assert_eq!(harness.channels_in_store().await, channels(&harness.pbx).await);
    assert_eq!(channels(&harness.pbx).await.len(), 2 * CALLS);
    assert_eq!(harness.pbx.bridges().await.len(), CALLS);

    for call in &calls {
        beat.tick().await;
        let call = Some(CallRef { id: call.clone(), tag: None });
        let terminate = TerminateCall { call, reason_code: None };
        harness.command(Command::TerminateCall(terminate)).await;
    }
    alice.until_talks(0, PATIENCE).await.unwrap();
    bob.until_talks(0, PATIENCE).await.unwrap();
    harness.until_empty().await;
    assert!(harness.is_settled().await, "nothing is left in the store");
    for call in &calls {
        harness.counts(call).await;
    }

    println!("bare originate to INVITE: {bare}");
    println!("originate_call to INVITE: {originated}");
    println!("originate_call to its answer: {}", Latency::from(answered));
    println!(
        "added at the median: {} us",
        originated.median.saturating_sub(bare.median).as_micros()
    );
}

async fn channels(pbx: &Pbx) -> BTreeSet<String> {
    let channels = pbx.get("channels").await;
    let ids = channels.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned());
    ids.collect()
}

struct Latency {
    median: Duration,
    most: Duration,
    longest: Duration,
}

impl Latency {
    /// From each question to what came of it, in order.
    fn of(asked: &[Instant], came: &[Instant]) -> Self {
        assert_eq!(asked.len(), came.len());
        asked
            .iter()
            .zip(came)
            .map(|(asked, came)| came.duration_since(*asked))
            .collect::<Vec<_>>()
            .into()
    }
}

impl From<Vec<Duration>> for Latency {
    fn from(mut all: Vec<Duration>) -> Self {
        all.sort();
        let at = |percent: usize| all[(all.len() - 1) * percent / 100];
        Self { median: at(50), most: at(99), longest: at(100) }
    }
}

impl std::fmt::Display for Latency {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros = [self.median, self.most, self.longest].map(|time| time.as_micros());
        write!(formatter, "p50 {} us, p99 {} us, longest {} us", micros[0], micros[1], micros[2])
    }
}
