use super::*;

/// A joined pair: `outer`, dialled, and the inner channel that was offered.
async fn joined(bench: &mut Bench) -> ChannelId {
    bench.dial("outer", Endpoint::Join { number: "1733355700".to_owned() }).await;
    bench.next_offer().await
}

#[tokio::test(start_paused = true)]
async fn the_other_environment_is_offered_the_call_and_who_calls() {
    let mut bench = Bench::new();

    bench.dial("outer", Endpoint::Join { number: "1733355700".to_owned() }).await;

    let Event::Offered { origin, dialled, .. } = bench.next_event().await else { panic!() };
    let from = Shown { number: "100".to_owned(), name: "Alice".to_owned() };
    assert_eq!(origin, Origin::Join { from });
    assert_eq!(dialled, "1733355700");
}

#[tokio::test(start_paused = true)]
async fn ringing_and_answer_pass_from_the_inner_to_the_outer_channel_once() {
    let mut bench = Bench::new();
    let inner = joined(&mut bench).await;

    for _ in 0..2 {
        bench.run(Op::Ring { channel: inner.clone() }).await;
        bench.run(Op::Answer { channel: inner.clone() }).await;
    }

    assert_eq!(bench.next_event().await, ringing("outer"));
    assert_eq!(bench.next_event().await, answered("outer"));
    bench.stays_quiet().await;
    assert!(bench.sim.channels().await.unwrap().iter().all(|channel| channel.is_answered));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_passes_with_its_code() {
    let mut bench = Bench::new();
    let inner = joined(&mut bench).await;

    bench.hangup(inner, 486, "Busy Here").await;

    assert_eq!(bench.next_event().await, refused("outer", 486));
    assert_eq!(bench.sim.channels().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_conversation_passes_as_hanging_up() {
    let mut bench = Bench::new();
    let inner = joined(&mut bench).await;
    bench.run(Op::Answer { channel: inner.clone() }).await;
    assert_eq!(bench.next_event().await, answered("outer"));

    bench.hangup(inner, 487, "BYE Received").await;

    assert_eq!(bench.next_event().await, hung_up("outer"));
}

#[tokio::test(start_paused = true)]
async fn giving_up_the_outer_channel_passes_as_hanging_up() {
    let mut bench = Bench::new();
    let inner = joined(&mut bench).await;

    bench.hangup(id("outer"), 487, "Request Terminated").await;

    assert_eq!(bench.next_event().await, Event::Ended { channel: inner, cause: Cause::HungUp });
    assert_eq!(bench.sim.channels().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn two_parties_hear_each_other_and_the_music_through_a_join() {
    let mut bench = Bench::new();
    let caller = bench.talk("a", "101").await;
    let inner = joined(&mut bench).await;
    bench.bridge(&caller, &id("outer")).await;
    let called = bench.talk("b", "102").await;
    assert_eq!(bench.hears("101").await, serde_json::json!([]));
    bench.run(Op::Answer { channel: inner.clone() }).await;
    bench.bridge(&called, &inner).await;

    assert_eq!(bench.hears("101").await, serde_json::json!(["102"]));
    assert_eq!(bench.hears("102").await, serde_json::json!(["101"]));

    bench.hear(&caller, Source::Silence).await;
    bench.hear(&id("outer"), Source::Music).await;
    assert_eq!(bench.hears("101").await, "silence");
    assert_eq!(bench.hears("102").await, "music");
}

#[tokio::test(start_paused = true)]
async fn keys_pass_through_a_join_to_whom_they_can_be_heard_by() {
    let mut bench = Bench::new();
    let caller = bench.talk("a", "101").await;
    let inner = joined(&mut bench).await;
    bench.sim.phone_keys("101", "1", 0, None).await.unwrap();
    bench.bridge(&caller, &id("outer")).await;

    bench.sim.phone_keys("101", "2", 0, None).await.unwrap();
    bench.run(Op::SendDigits { channel: id("outer"), digits: "3".to_owned() }).await;

    let digit = |channel: &ChannelId, digit| Event::Digit { channel: channel.clone(), digit };
    assert_eq!(bench.next_event().await, digit(&caller, '1'));
    assert_eq!(bench.next_event().await, digit(&caller, '2'));
    assert_eq!(bench.next_event().await, digit(&inner, '2'));
    assert_eq!(bench.next_event().await, digit(&inner, '3'));
    bench.stays_quiet().await;
}
