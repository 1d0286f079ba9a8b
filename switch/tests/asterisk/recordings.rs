//! Recordings on a real Asterisk have both sides of what is said.

use phones::audio::level;
use switch::driver::{Driver as _, DriverError, Event, Op, RecordingId};

use crate::failures::{cut, on_a_cable};
use crate::fixture::{Fixture, id};
use crate::needs_asterisk;

fn recording() -> RecordingId {
    RecordingId("switch-1.one".to_owned())
}

fn record() -> Op {
    Op::Record { channel: id("a"), recording: recording() }
}

/// The samples of a WAV with 16 bits a sample.
fn samples(wav: &[u8]) -> Vec<f64> {
    assert!(wav.starts_with(b"RIFF") && wav.len() > 44, "{} bytes", wav.len());
    let samples = wav[44..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    samples.map(|sample| f64::from(sample) / 32_768.0).collect()
}

/// Two parties talk until each has heard more than a second of the other: a fifth at a time.
async fn talk(fixture: &Fixture) {
    let (alice, bob) = (&fixture.phones.alice, &fixture.phones.bob);
    for _ in 0..7 {
        alice.until_heard(&[(bob.tone, true)]).await;
        bob.until_heard(&[(alice.tone, true)]).await;
    }
}

/// What was recorded.
async fn collected(fixture: &Fixture) -> Vec<f64> {
    let file = fixture.media.path().join("whole.part");
    fixture.driver.collect(&recording(), &file).await.unwrap();
    let heard = samples(&std::fs::read(&file).unwrap());
    assert!(heard.len() > 8_000, "{} samples", heard.len());
    heard
}

#[tokio::test]
async fn both_sides_are_recorded_until_it_is_stopped() {
    needs_asterisk!();
    let mut fixture = Fixture::two_talk().await;

    fixture.run(record()).await;
    talk(&fixture).await;
    assert_eq!(fixture.listed().await, ["a", "b"]);
    fixture.run(Op::StopRecord { channel: id("a"), recording: recording() }).await;

    let heard = collected(&fixture).await;
    let middle = &heard[heard.len() / 2 - 2_000..heard.len() / 2 + 2_000];
    for phone in [&fixture.phones.alice, &fixture.phones.bob] {
        assert!(level(middle.iter().copied(), phone.tone) > 0.05, "{}", phone.user);
    }
    assert!(level(middle.iter().copied(), fixture.phones.carol.tone) < 0.01);
    assert_eq!(fixture.pbx.get("recordings/stored").await, serde_json::json!([]));
    let again = fixture.media.path().join("again.part");
    let again = fixture.driver.collect(&recording(), &again).await;
    assert!(matches!(again, Err(DriverError::Refused(_))), "{again:?}");
    for channel in ["a", "b"] {
        fixture.hang_up(channel, 487).await;
    }
    fixture.until_empty().await;
    assert_eq!(fixture.rest(), []);
}

#[tokio::test]
async fn a_recording_ends_with_its_party() {
    needs_asterisk!();
    let fixture = Fixture::two_talk().await;
    fixture.run(record()).await;
    talk(&fixture).await;

    fixture.hang_up("a", 487).await;

    collected(&fixture).await;
    fixture.hang_up("b", 487).await;
    fixture.until_empty().await;
}

#[tokio::test]
async fn a_party_that_has_gone_is_not_recorded() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.connect("a", "101").await;
    fixture.hang_up("a", 487).await;

    fixture.run(record()).await;

    let file = fixture.media.path().join("none.part");
    let none = fixture.driver.collect(&recording(), &file).await;
    assert!(matches!(none, Err(DriverError::Refused(_))), "{none:?}");
    fixture.until_empty().await;
    assert_eq!(fixture.rest(), []);
}

#[tokio::test]
async fn a_recording_that_somebody_ends_at_the_console_is_told_and_kept() {
    needs_asterisk!();
    let mut fixture = Fixture::two_talk().await;
    fixture.run(record()).await;
    talk(&fixture).await;

    let snoop = fixture.pbx.snoop_names().await.remove(0);
    fixture.pbx.delete(&format!("channels/{snoop}")).await;

    let ended = Event::RecordingEnded { channel: id("a"), recording: recording() };
    assert_eq!(fixture.next().await, ended);
    collected(&fixture).await;
    for channel in ["a", "b"] {
        fixture.hang_up(channel, 487).await;
    }
    fixture.until_empty().await;
    assert_eq!(fixture.rest(), []);
}

#[tokio::test]
async fn a_recording_is_not_forgotten_while_asterisk_is_away() {
    needs_asterisk!();
    let (mut fixture, cable) = on_a_cable().await;
    fixture.connect("a", "101").await;
    fixture.connect("b", "102").await;
    fixture.hear_each_other(&["a", "b"]).await;
    fixture.run(record()).await;
    talk(&fixture).await;
    fixture.run(Op::StopRecord { channel: id("a"), recording: recording() }).await;

    cut(&fixture, &cable).await;
    let file = fixture.media.path().join("whole.part");
    let away = fixture.driver.collect(&recording(), &file).await;
    assert!(matches!(away, Err(DriverError::Unreachable)), "{away:?}");
    cable.is_plugged.send_replace(true);
    fixture.until_connected(true).await;

    collected(&fixture).await;
    assert_eq!(fixture.rest(), []);
}

#[tokio::test]
async fn a_recording_that_is_given_up_is_not_left_with_asterisk() {
    needs_asterisk!();
    let mut fixture = Fixture::two_talk().await;
    fixture.run(record()).await;
    talk(&fixture).await;

    fixture.driver.discard(&recording()).await.unwrap();

    assert_eq!(fixture.pbx.get("recordings/stored").await, serde_json::json!([]));
    fixture.driver.discard(&recording()).await.unwrap();
    for channel in ["a", "b"] {
        fixture.hang_up(channel, 487).await;
    }
    fixture.until_empty().await;
    assert_eq!(fixture.rest(), []);
}
