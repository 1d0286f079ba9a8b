//! Prompts: what is heard, for how long.

use serde_json::json;

use super::*;
use crate::driver::{Clip, PlaybackEnd, PlaybackId};

fn clip(name: &str, seconds: u64) -> Clip {
    Clip {
        name: name.to_owned(),
        duration: Duration::from_secs(seconds),
        is_fetched: false,
        content: crate::driver::Content::default(),
    }
}

fn play(channel: &ChannelId, name: &str, clips: &[Clip], repeat: u32) -> Op {
    let playback = PlaybackId(name.to_owned());
    Op::Play { channel: channel.clone(), playback, clips: clips.to_vec(), repeat }
}

fn completed(channel: &ChannelId, name: &str) -> Event {
    let playback = PlaybackId(name.to_owned());
    Event::PlaybackEnded { channel: channel.clone(), playback, end: PlaybackEnd::Completed }
}

#[tokio::test(start_paused = true)]
async fn prompts_are_heard_one_after_the_other_as_often_as_is_wanted() {
    let mut bench = Bench::new();
    let alice = bench.talk("a", "101").await;
    let bob = bench.talk("b", "102").await;
    bench.bridge(&alice, &bob).await;
    let started = Instant::now();

    bench.run(play(&alice, "p", &[clip("one.au", 2), clip("two.wav", 1)], 2)).await;
    for name in ["one.au", "two.wav", "one.au", "two.wav"] {
        // Shortly before the clip's end.
        let millis = if name == "one.au" { 1_900 } else { 900 };
        tokio::time::sleep(Duration::from_millis(millis)).await;
        assert_eq!(bench.hears("101").await, json!(format!("prompt:{name}")));
        if started.elapsed() < Duration::from_secs(5) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    assert_eq!(bench.hears("102").await, json!(["101"]), "the other party hears no prompt");

    assert_eq!(bench.next_event().await, completed(&alice, "p"));
    assert_eq!(started.elapsed(), Duration::from_secs(6));
    assert_eq!(bench.hears("101").await, json!(["102"]));
    bench.stays_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_is_stopped_or_whose_party_goes_says_nothing_more() {
    let mut bench = Bench::new();
    let alice = bench.talk("a", "101").await;
    let stop =
        |name: &str| Op::StopPlay { channel: id("a"), playback: PlaybackId(name.to_owned()) };

    bench.run(play(&alice, "p", &[clip("one.au", 2)], 0)).await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(bench.hears("101").await, json!("prompt:one.au"), "until it is stopped");
    bench.run(stop("earlier")).await;
    assert_eq!(bench.hears("101").await, json!("prompt:one.au"), "another one is meant");
    bench.run(stop("p")).await;
    assert_eq!(bench.hears("101").await, json!("silence"));
    bench.run(play(&alice, "q", &[clip("one.au", 2)], 1)).await;
    bench.hangup(alice, 487, "BYE Received").await;

    bench.stays_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_prompt_to_the_other_side_of_a_join_is_heard_there() {
    let mut bench = Bench::new();
    let alice = bench.talk("a", "101").await;
    bench.dial("outer", Endpoint::Join { number: "102".to_owned() }).await;
    let inner = bench.next_offer().await;
    let bob = bench.talk("b", "102").await;
    bench.run(Op::Answer { channel: inner.clone() }).await;
    bench.bridge(&alice, &id("outer")).await;
    bench.bridge(&bob, &inner).await;
    assert_eq!(bench.hears("102").await, json!(["101"]));

    bench.run(play(&id("outer"), "p", &[clip("one.au", 2)], 1)).await;

    assert_eq!(bench.hears("102").await, json!("prompt:one.au"));
    assert_eq!(bench.hears("101").await, json!(["102"]));
}
