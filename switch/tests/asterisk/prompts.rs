//! Prompts on a real Asterisk: heard by the party that they are played to, and by nobody else.

use std::time::Duration;

use mesh::testing::eventually;
use switch::audio::builtin_prompts;
use switch::driver::{Clip, Content, Driver as _, Event, Op, PlaybackEnd, PlaybackId, Source};

use crate::failures::{Cable, cut, on_a_cable};
use crate::fixture::{Fixture, id};
use crate::needs_asterisk;
use crate::pbx::MUSIC;
use crate::phone::PATIENCE;

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

fn stop(channel: &str, playback: &str) -> Op {
    Op::StopPlay { channel: id(channel), playback: PlaybackId(playback.to_owned()) }
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
    fixture.run(stop("a", "p")).await;

    alice.until_heard(&[(ENTER_NUMBER, false), (FALLBACK, false)]).await;
    assert_eq!((fixture.rest(), files(&fixture)), (Vec::new(), 0));
    fixture.hang_up("a", 487).await;
    fixture.until_empty().await;
}

#[tokio::test]
async fn any_number_of_prompts_is_played_in_one_go() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.connect("a", "101").await;

    // Their paths are far longer than the first line of a request may be.
    fixture.run(play("a", "p", vec![clip("visa/enter-number.au"); 120], 1)).await;

    fixture.phones.alice.until_heard(&[(ENTER_NUMBER, true)]).await;
    assert_eq!(files(&fixture), 120);
    fixture.run(stop("a", "p")).await;
    assert_eq!((fixture.rest(), files(&fixture)), (Vec::new(), 0));
}

#[tokio::test]
async fn who_is_played_to_is_heard_meanwhile() {
    needs_asterisk!();
    let mut fixture = Fixture::two_talk().await;
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

/// The end of a round goes unheard.
async fn miss_the_end(fixture: &Fixture, cable: &Cable) {
    cut(fixture, cable).await;
    eventually(PATIENCE, "the round is over", || async {
        match fixture.pbx.get("playbacks/p.0").await["id"].as_str() {
            None => Ok(()),
            Some(there) => Err(there.to_owned()),
        }
    })
    .await;
    cable.is_plugged.send_replace(true);
    fixture.until_connected(true).await;
}

#[tokio::test]
async fn a_prompt_whose_end_was_missed_is_told_to_be_over_once() {
    needs_asterisk!();
    let (mut fixture, cable) = on_a_cable().await;
    fixture.connect("a", "101").await;
    fixture.hear("a", Source::Music).await;
    fixture.run(play("a", "p", vec![clip("visa/enter-number.au")], 1)).await;

    miss_the_end(&fixture, &cable).await;

    assert_eq!(fixture.next().await, over("a", "p", PlaybackEnd::Completed));
    fixture.phones.alice.until_heard(&[(MUSIC, true), (ENTER_NUMBER, false)]).await;
    assert_eq!((fixture.rest(), files(&fixture)), (Vec::new(), 0));
}

#[tokio::test]
async fn a_prompt_that_is_repeated_goes_on_after_a_break() {
    needs_asterisk!();
    let (mut fixture, cable) = on_a_cable().await;
    fixture.connect("a", "101").await;
    fixture.run(play("a", "p", vec![clip("visa/enter-number.au")], 0)).await;

    miss_the_end(&fixture, &cable).await;

    fixture.phones.alice.until_heard(&[(ENTER_NUMBER, true)]).await;
    fixture.run(stop("a", "p")).await;
    fixture.phones.alice.until_heard(&[(ENTER_NUMBER, false)]).await;
    assert_eq!((fixture.rest(), files(&fixture)), (Vec::new(), 0));
}

#[tokio::test]
async fn a_stop_that_is_refused_once_stops_all_the_same() {
    needs_asterisk!();
    let mut fixture =
        Fixture::refusing(|request| request.starts_with("DELETE /ari/playbacks")).await;
    fixture.connect("a", "101").await;
    fixture.hear("a", Source::Music).await;
    let alice = fixture.phones.alice.clone();
    fixture.run(play("a", "p", vec![clip("visa/enter-number.au")], 0)).await;
    alice.until_heard(&[(ENTER_NUMBER, true)]).await;

    assert!(fixture.driver.run(stop("a", "p")).await.is_err());

    alice.until_heard(&[(ENTER_NUMBER, false), (MUSIC, true)]).await;
    assert_eq!(fixture.rest(), []);
}
