//! Prompts on a real Asterisk: heard by the party that they are played to, and by nobody else.

use std::time::Duration;

use switch::audio::builtin_prompts;
use switch::driver::{Clip, Content, Event, Op, PlaybackEnd, PlaybackId, Source};

use crate::fixture::{Fixture, id};
use crate::needs_asterisk;
use crate::pbx::MUSIC;

/// Pitches of two of the prompts that the program brings along.
const ENTER_NUMBER: f64 = 440.0;
const FALLBACK: f64 = 390.0;

fn clip(name: &str) -> Clip {
    let (_, bytes) = builtin_prompts().find(|(path, _)| *path == name).unwrap();
    let (name, duration) = (name.to_owned(), Duration::from_secs(2));
    Clip { name, duration, is_fetched: false, content: Content::new(bytes) }
}

fn play(channel: &str, playback: &str, clips: Vec<Clip>, repeat: u32) -> Op {
    Op::Play { channel: id(channel), playback: PlaybackId(playback.to_owned()), clips, repeat }
}

fn over(channel: &str, playback: &str, end: PlaybackEnd) -> Event {
    Event::PlaybackEnded { channel: id(channel), playback: PlaybackId(playback.to_owned()), end }
}

fn files(fixture: &Fixture) -> usize {
    std::fs::read_dir(fixture.media.path()).unwrap().count()
}

#[tokio::test]
async fn a_prompt_is_played_in_place_of_what_is_heard() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.connect("a", "101").await;
    let alice = fixture.phones.alice.clone();
    fixture.hear("a", Source::Music).await;
    alice.until_heard(&[(MUSIC, true)]).await;

    let clips = vec![clip("visa/enter-number.au"), clip("ivr/fallback.au")];
    fixture.run(play("a", "p", clips, 1)).await;

    alice.until_heard(&[(ENTER_NUMBER, true), (MUSIC, false)]).await;
    alice.until_heard(&[(FALLBACK, true), (MUSIC, false)]).await;
    assert_eq!(fixture.next().await, over("a", "p", PlaybackEnd::Completed));
    alice.until_heard(&[(MUSIC, true), (FALLBACK, false)]).await;
    assert_eq!(files(&fixture), 0);
}

#[tokio::test]
async fn a_prompt_is_repeated_until_it_is_stopped() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.connect("a", "101").await;
    let alice = fixture.phones.alice.clone();

    let clips = vec![clip("visa/enter-number.au"), clip("ivr/fallback.au")];
    fixture.run(play("a", "p", clips, 0)).await;
    for _ in 0..2 {
        alice.until_heard(&[(ENTER_NUMBER, true)]).await;
        alice.until_heard(&[(FALLBACK, true)]).await;
    }
    alice.press('5').await;
    assert_eq!(fixture.next().await, Event::Digit { channel: id("a"), digit: '5' });
    fixture.run(Op::StopPlay { channel: id("a"), playback: PlaybackId("p".to_owned()) }).await;

    alice.until_heard(&[(ENTER_NUMBER, false), (FALLBACK, false)]).await;
    assert_eq!((fixture.rest(), files(&fixture)), (Vec::new(), 0));
    fixture.hang_up("a", 487).await;
    fixture.until_empty().await;
}

#[tokio::test]
async fn who_is_played_to_is_heard_meanwhile() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.connect("a", "101").await;
    fixture.connect("b", "102").await;
    fixture.hear_each_other(&["a", "b"]).await;
    let (alice, bob) = (fixture.phones.alice.clone(), fixture.phones.bob.clone());

    fixture.run(play("a", "p", vec![clip("visa/enter-number.au")], 3)).await;

    alice.until_heard(&[(ENTER_NUMBER, true), (bob.tone, false)]).await;
    bob.until_heard(&[(ENTER_NUMBER, false), (alice.tone, true)]).await;
    assert_eq!(fixture.next().await, over("a", "p", PlaybackEnd::Completed));
    alice.until_heard(&[(ENTER_NUMBER, false), (bob.tone, true)]).await;
    bob.until_heard(&[(alice.tone, true)]).await;
    assert_eq!(fixture.pbx.bridges().await, [["a", "b"]]);
}

#[tokio::test]
async fn what_asterisk_cannot_play_has_failed() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.connect("a", "101").await;
    let content = Content::new(b"RIFF this is none".to_vec());

    let broken = Clip { content, ..clip("visa/enter-number.au") };
    fixture.run(play("a", "p", vec![broken], 1)).await;

    assert_eq!(fixture.next().await, over("a", "p", PlaybackEnd::Failed));
    assert_eq!(files(&fixture), 0);
}

#[tokio::test]
async fn a_party_that_hangs_up_ends_its_prompt() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.connect("a", "101").await;
    fixture.run(play("a", "p", vec![clip("visa/enter-number.au")], 0)).await;

    fixture.phones.alice.hang_up().await;

    assert_eq!(fixture.next().await, crate::fixture::ended("a", switch::driver::Cause::HungUp));
    fixture.until_empty().await;
    assert_eq!((fixture.rest(), files(&fixture)), (Vec::new(), 0));
}
