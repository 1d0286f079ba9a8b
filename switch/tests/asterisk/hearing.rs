//! One hears another who does not hear it: listeners, whispers, private talk; by tones in the audio.

use std::collections::BTreeSet;

use mesh::testing::eventually;
use switch::driver::{Cause, ChannelId, MixId, Op, Source};

use crate::fixture::{Fixture, ended, id};
use crate::needs_asterisk;
use crate::pbx::bridges_are;
use crate::phone::{PATIENCE, Phone};

/// Three phones on the line, as channels `a`, `b` and `c`.
async fn three() -> (Fixture, [Phone; 3]) {
    three_in(Fixture::start().await).await
}

async fn three_in(mut fixture: Fixture) -> (Fixture, [Phone; 3]) {
    for (channel, account) in [("a", "101"), ("b", "102"), ("c", "103")] {
        fixture.connect(channel, account).await;
    }
    let phones = &fixture.phones;
    let phones = [phones.alice.clone(), phones.bob.clone(), phones.carol.clone()];
    (fixture, phones)
}

fn parties(channels: &[&str]) -> Source {
    Source::Parties(channels.iter().map(|channel| id(channel)).collect())
}

/// Says for each channel whom it hears, and waits until the phones hear it.
async fn hear(fixture: &Fixture, phones: &[Phone; 3], wishes: [&[&str]; 3]) {
    let names = ["a", "b", "c"];
    for (channel, wish) in names.iter().zip(wishes) {
        fixture.hear(channel, parties(wish)).await;
    }
    are_heard(phones, wishes).await;
}

async fn are_heard(phones: &[Phone; 3], wishes: [&[&str]; 3]) {
    let names = ["a", "b", "c"];
    for (phone, wish) in phones.iter().zip(wishes) {
        let others = names.iter().zip(phones).filter(|(_, other)| other.user != phone.user);
        let tones: Vec<_> = others.map(|(name, other)| (other.tone, wish.contains(name))).collect();
        phone.until_heard(&tones).await;
    }
}

/// Waits until Asterisk has so many snoop channels.
async fn snoops_are(fixture: &Fixture, count: usize) {
    eventually(PATIENCE, &format!("{count} snoop channels"), || async {
        let there = fixture.pbx.snoops().await;
        if there == count { Ok(()) } else { Err(there.to_string()) }
    })
    .await;
}

async fn end(fixture: &mut Fixture) {
    for channel in ["a", "b", "c"] {
        fixture.hang_up(channel, 487).await;
    }
    fixture.until_empty().await;
    assert_eq!(fixture.rest(), []);
}

#[tokio::test]
async fn who_is_not_to_be_heard_is_not_heard() {
    needs_asterisk!();
    let (mut fixture, phones) = three().await;

    hear(&fixture, &phones, [&["b"], &[], &[]]).await;
    hear(&fixture, &phones, [&[], &["a"], &["a"]]).await;

    end(&mut fixture).await;
}

#[tokio::test]
async fn a_supervisor_spies_whispers_and_joins() {
    needs_asterisk!();
    let (mut fixture, phones) = three().await;
    hear(&fixture, &phones, [&["b"], &["a"], &[]]).await;

    // Spy.
    hear(&fixture, &phones, [&["b"], &["a"], &["a", "b"]]).await;
    assert_eq!(fixture.pbx.bridges().await, [["a", "b", "c"]], "a muted listener needs no more");
    // Whisper to b.
    hear(&fixture, &phones, [&["b"], &["a", "c"], &["a", "b"]]).await;
    snoops_are(&fixture, 3).await;
    assert_eq!(
        fixture.listed().await,
        ["a", "b", "c"],
        "what the driver needs is none of the engine's"
    );
    // Barge.
    hear(&fixture, &phones, [&["b", "c"], &["a", "c"], &["a", "b"]]).await;
    bridges_are(&fixture.pbx, &[vec!["a", "b", "c"]]).await;
    snoops_are(&fixture, 0).await;
    // And back.
    hear(&fixture, &phones, [&["b"], &["a"], &["a", "b"]]).await;

    end(&mut fixture).await;
}

#[tokio::test]
async fn a_private_talk_is_heard_by_two_and_the_room_by_all() {
    needs_asterisk!();
    let (mut fixture, phones) = three().await;
    let mix = || MixId("room".to_owned());
    let in_room = |beside: &[&str]| Source::Mix {
        mix: mix(),
        beside: beside.iter().map(|channel| id(channel)).collect(),
        except: BTreeSet::<ChannelId>::new(),
    };
    for channel in ["a", "b", "c"] {
        fixture.run(Op::Speak { channel: id(channel), mix: Some(mix()) }).await;
        fixture.hear(channel, in_room(&[])).await;
    }
    are_heard(&phones, [&["b", "c"], &["a", "c"], &["a", "b"]]).await;

    // c talks with the moderator a; b hears nothing of it.
    fixture.run(Op::Speak { channel: id("c"), mix: None }).await;
    fixture.hear("a", in_room(&["c"])).await;
    are_heard(&phones, [&["b", "c"], &["a"], &["a", "b"]]).await;

    // The moderator leaves: of the talk nothing stays but that one listens to the other.
    fixture.phones.alice.hang_up().await;
    phones[1].until_heard(&[(phones[0].tone, false), (phones[2].tone, false)]).await;
    phones[2].until_heard(&[(phones[0].tone, false), (phones[1].tone, true)]).await;
    assert_eq!(fixture.next().await, ended("a", Cause::HungUp));
    end(&mut fixture).await;
}

#[tokio::test]
async fn a_whisper_that_somebody_cuts_at_the_console_comes_back() {
    needs_asterisk!();
    let (mut fixture, phones) = three().await;
    hear(&fixture, &phones, [&["b"], &["a", "c"], &["a", "b"]]).await;
    let channels = fixture.pbx.get("channels").await;
    let names = channels.as_array().unwrap().iter().map(|channel| channel["id"].as_str().unwrap());
    let snoops: Vec<_> = names.filter(|name| name.contains("-snoop-")).collect();
    assert_eq!(snoops.len(), 3);

    for snoop in snoops {
        fixture.pbx.delete(&format!("channels/{snoop}")).await;
        snoops_are(&fixture, 3).await;
        are_heard(&phones, [&["b"], &["a", "c"], &["a", "b"]]).await;
    }

    end(&mut fixture).await;
}

#[tokio::test]
async fn a_whisper_whose_end_is_refused_once_ends_at_once_all_the_same() {
    needs_asterisk!();
    let is_end = |request: &str| request.starts_with("DELETE") && request.contains("-snoop-");
    let (mut fixture, phones) = three_in(Fixture::refusing(is_end).await).await;
    hear(&fixture, &phones, [&["b"], &["a", "c"], &["a", "b"]]).await;

    let wish = Op::Hear { channel: id("b"), source: parties(&["a"]) };
    fixture.run(wish).await;

    snoops_are(&fixture, 0).await;
    are_heard(&phones, [&["b"], &["a"], &["a", "b"]]).await;
    end(&mut fixture).await;
}
