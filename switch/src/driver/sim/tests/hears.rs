use serde_json::json;

use super::*;

/// 101 and 102 talk.
async fn conversation(bench: &mut Bench) -> (ChannelId, ChannelId) {
    let one = bench.talk("a", "101").await;
    let other = bench.talk("b", "102").await;
    bench.bridge(&one, &other).await;
    (one, other)
}

#[tokio::test(start_paused = true)]
async fn an_idle_phone_hears_nobody() {
    let bench = Bench::new();

    let phone = serde_json::to_value(bench.sim.phone("101").await.unwrap()).unwrap();

    assert_eq!(
        phone,
        json!({"state": "idle", "call_id": null, "tag": null, "behaviour": "answer_after",
            "ms": 500, "hears": [], "calls": []})
    );
}

#[tokio::test(start_paused = true)]
async fn a_ringing_phone_shows_its_call_and_hears_nobody() {
    let mut bench = Bench::new();
    bench.dial("a", phone("101")).await;
    assert_eq!(bench.next_event().await, ringing("a"));
    bench.label("a", "ringing").await;

    let phone = serde_json::to_value(bench.sim.phone("101").await.unwrap()).unwrap();

    assert_eq!(
        phone,
        json!({"state": "ringing", "call_id": "call-a", "tag": "a", "behaviour": "answer_after",
            "ms": 500, "hears": [], "calls": [
                {"state": "ringing", "call_id": "call-a", "tag": "a", "hears": [],
                    "shown": {"number": "100", "name": "Alice"}}]})
    );
}

#[tokio::test(start_paused = true)]
async fn two_parties_in_a_conversation_hear_each_other() {
    let mut bench = Bench::new();
    conversation(&mut bench).await;

    assert_eq!(bench.hears("101").await, json!(["102"]));
    assert_eq!(bench.hears("102").await, json!(["101"]));
}

#[tokio::test(start_paused = true)]
async fn a_party_is_not_heard_before_it_has_answered() {
    let mut bench = Bench::new();
    let one = bench.talk("a", "101").await;
    bench.dial("b", trunk("12065550100")).await;
    bench.bridge(&one, &id("b")).await;

    assert_eq!(bench.hears("101").await, json!([]));
    assert_eq!(bench.next_event().await, ringing("b"));
    assert_eq!(bench.next_event().await, answered("b"));
    assert_eq!(bench.hears("101").await, json!(["12065550100"]));
}

#[tokio::test(start_paused = true)]
async fn a_party_that_hung_up_is_not_heard() {
    let mut bench = Bench::new();
    conversation(&mut bench).await;

    bench.sim.phone_hand("102", Hand::Hangup, None).await.unwrap();

    assert_eq!(bench.hears("101").await, json!([]));
}

#[tokio::test(start_paused = true)]
async fn one_who_holds_hears_silence_and_one_who_is_held_music() {
    let mut bench = Bench::new();
    let (one, other) = conversation(&mut bench).await;

    bench.hear(&one, Source::Silence).await;
    bench.label("a", "holding").await;
    bench.hear(&other, Source::Music).await;
    bench.label("b", "held").await;

    assert_eq!(bench.hears("101").await, "silence");
    assert_eq!(bench.hears("102").await, "music");
}

#[tokio::test(start_paused = true)]
async fn of_several_calls_those_on_hold_are_not_heard() {
    let mut bench = Bench::new();
    let (one, _other) = conversation(&mut bench).await;
    bench.hear(&one, Source::Music).await;
    bench.label("a", "held").await;
    let third = bench.talk("c", "103").await;
    let second_line = bench.talk("d", "101").await;
    bench.bridge(&second_line, &third).await;

    assert_eq!(bench.hears("101").await, json!(["103"]));
    let phone = bench.sim.phone("101").await.unwrap();
    assert_eq!(phone.tag.as_deref(), Some("d"));
    assert_eq!(phone.calls[0].hears, Hears::Music);

    bench.label("d", "holding").await;
    bench.hear(&second_line, Source::Silence).await;
    assert_eq!(bench.hears("101").await, "music");
}

#[tokio::test(start_paused = true)]
async fn one_who_waits_for_the_other_end_hears_ringback() {
    let mut bench = Bench::new();
    bench.sim.dial("101", "102").await.unwrap();
    let channel = bench.next_offer().await;

    assert_eq!(bench.hears("101").await, "silence");
    bench.run(Op::Ring { channel: channel.clone() }).await;
    bench.hear(&channel, Source::Ringback).await;
    assert_eq!(bench.hears("101").await, "ringback");
}

#[tokio::test(start_paused = true)]
async fn digits_that_the_switch_plays_are_shown() {
    let mut bench = Bench::new();
    bench.talk("a", "101").await;

    bench.run(Op::SendDigits { channel: id("a"), digits: "12".to_owned() }).await;
    bench.run(Op::SendDigits { channel: id("a"), digits: "#".to_owned() }).await;

    assert_eq!(bench.sim.phone("101").await.unwrap().digits, "12#");
}

/// Hears a room, but for `except`, and `beside` it.
fn room(beside: &[&ChannelId], except: &[&ChannelId]) -> Source {
    let set = |channels: &[&ChannelId]| channels.iter().map(|it| (*it).clone()).collect();
    Source::Mix { mix: MixId("m".to_owned()), beside: set(beside), except: set(except) }
}

#[tokio::test(start_paused = true)]
async fn in_a_room_everybody_hears_who_speaks_into_it_but_itself() {
    let mut bench = Bench::new();
    let one = bench.talk("a", "101").await;
    let other = bench.talk("b", "102").await;
    let third = bench.talk("c", "103").await;
    for channel in [&one, &other, &third] {
        bench.hear(channel, room(&[], &[])).await;
        bench.speak(channel, Some("m")).await;
    }
    assert_eq!(bench.hears("101").await, json!(["102", "103"]));

    bench.speak(&other, None).await;
    assert_eq!(bench.hears("101").await, json!(["103"]));
    assert_eq!(bench.hears("102").await, json!(["101", "103"]), "and still hears");
    bench.hear(&one, room(&[&other], &[&third])).await;
    assert_eq!(bench.hears("101").await, json!(["102"]));
    bench.speak(&third, Some("another")).await;
    assert_eq!(bench.hears("102").await, json!(["101"]));
}
