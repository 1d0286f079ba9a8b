//! Who hears whom, by tones in the audio and by Asterisk's own list of bridges.

use switch::driver::{Cause, Event, Op, Source};

use crate::fixture::{Fixture, ended, id};
use crate::needs_asterisk;
use crate::pbx::{MUSIC, RINGBACK, bridges_are};

#[tokio::test]
async fn two_that_hear_each_other_share_a_bridge() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.connect("a", "101").await;
    fixture.connect("b", "102").await;

    fixture.hear_each_other(&["a", "b"]).await;

    assert_eq!(fixture.pbx.bridges().await, [["a", "b"]]);
    let (alice, bob) = (&fixture.phones.alice, &fixture.phones.bob);
    alice.until_heard(&[(bob.tone, true), (alice.tone, false)]).await;
    bob.until_heard(&[(alice.tone, true), (bob.tone, false)]).await;

    fixture.phones.bob.hang_up().await;
    assert_eq!(fixture.next().await, ended("b", Cause::HungUp));
    fixture.hang_up("a", 487).await;
    fixture.phones.alice.sees("BYE", 1).await;
    fixture.until_empty().await;
    assert_eq!(fixture.rest(), []);
}

#[tokio::test]
async fn the_held_hears_music_and_the_holder_silence() {
    needs_asterisk!();
    let fixture = Fixture::two_talk().await;
    let (alice, bob) = (fixture.phones.alice.clone(), fixture.phones.bob.clone());

    fixture.hear("a", Source::Silence).await;
    fixture.hear("b", Source::Music).await;
    bob.until_heard(&[(MUSIC, true), (alice.tone, false)]).await;
    alice.until_heard(&[(MUSIC, false), (bob.tone, false)]).await;
    bridges_are(&fixture.pbx, &[]).await;

    fixture.hear_each_other(&["a", "b"]).await;
    bob.until_heard(&[(MUSIC, false), (alice.tone, true)]).await;
    alice.until_heard(&[(bob.tone, true)]).await;
    assert_eq!(fixture.pbx.bridges().await, [["a", "b"]]);
}

#[tokio::test]
async fn ringback_is_heard_until_somebody_is_there() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.connect("a", "101").await;
    fixture.hear("a", Source::Ringback).await;
    fixture.phones.alice.hears(RINGBACK).await;

    fixture.connect("b", "102").await;
    fixture.hear_each_other(&["a", "b"]).await;

    let (alice, bob) = (&fixture.phones.alice, &fixture.phones.bob);
    alice.until_heard(&[(bob.tone, true), (RINGBACK, false)]).await;
    bob.until_heard(&[(alice.tone, true), (RINGBACK, false)]).await;
}

#[tokio::test]
async fn three_hear_each_other_and_one_leaves() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    for (channel, account) in [("a", "101"), ("b", "102"), ("c", "103")] {
        fixture.connect(channel, account).await;
    }
    let phones = [&fixture.phones.alice, &fixture.phones.bob, &fixture.phones.carol];
    let [alice, bob, carol] = phones.map(Clone::clone);

    fixture.hear_each_other(&["a", "b"]).await;
    fixture.hear_each_other(&["a", "b", "c"]).await;
    alice.until_heard(&[(bob.tone, true), (carol.tone, true)]).await;
    carol.until_heard(&[(bob.tone, true), (alice.tone, true)]).await;

    fixture.hear_each_other(&["a", "c"]).await;
    fixture.hear("b", Source::Music).await;
    alice.until_heard(&[(bob.tone, false), (carol.tone, true)]).await;
    bob.until_heard(&[(MUSIC, true), (alice.tone, false), (carol.tone, false)]).await;
    assert_eq!(fixture.pbx.bridges().await, [["a", "c"]]);
}

#[tokio::test]
async fn wishes_that_come_at_once_end_as_the_last_ones_say() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.connect("a", "101").await;
    fixture.connect("b", "102").await;

    for _ in 0..20 {
        let talk = |other: &str| Source::Parties([id(other)].into());
        tokio::join!(fixture.hear("a", talk("b")), fixture.hear("b", talk("a")));
        tokio::join!(fixture.hear("a", Source::Silence), fixture.hear("b", Source::Music));
    }
    let talk = |other: &str| Source::Parties([id(other)].into());
    tokio::join!(fixture.hear("b", talk("a")), fixture.hear("a", talk("b")));

    bridges_are(&fixture.pbx, &[vec!["a", "b"]]).await;
    let (alice, bob) = (&fixture.phones.alice, &fixture.phones.bob);
    alice.until_heard(&[(bob.tone, true), (MUSIC, false)]).await;
    bob.until_heard(&[(alice.tone, true), (MUSIC, false)]).await;
    for channel in ["a", "b"] {
        fixture.hang_up(channel, 487).await;
    }
    fixture.until_empty().await;
}

#[tokio::test]
async fn keys_and_hold_of_a_phone_are_told() {
    needs_asterisk!();
    let mut fixture = Fixture::two_talk().await;
    let (alice, bob) = (fixture.phones.alice.clone(), fixture.phones.bob.clone());

    for digit in ['5', '#', '*'] {
        alice.press(digit).await;
        assert_eq!(fixture.next().await, Event::Digit { channel: id("a"), digit });
    }

    alice.hold().await;
    assert_eq!(fixture.next().await, Event::Held { channel: id("a") });
    fixture.hear("a", Source::Silence).await;
    fixture.hear("b", Source::Music).await;
    bob.until_heard(&[(MUSIC, true), (alice.tone, false)]).await;
    alice.resume().await;
    assert_eq!(fixture.next().await, Event::Resumed { channel: id("a") });
    fixture.hear_each_other(&["a", "b"]).await;
    bob.until_heard(&[(MUSIC, false), (alice.tone, true)]).await;
    alice.until_heard(&[(bob.tone, true)]).await;
}

#[tokio::test]
async fn digits_are_sent_to_a_party() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.connect("a", "101").await;

    fixture.run(Op::SendDigits { channel: id("a"), digits: "1#".to_owned() }).await;

    fixture.phones.alice.sees("INFO 1", 1).await;
    fixture.phones.alice.sees("INFO #", 1).await;
}
