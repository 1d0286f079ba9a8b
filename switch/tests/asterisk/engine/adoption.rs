//! The process of the switch dies and starts again; Asterisk keeps the channels.

use mesh::testing::eventually;
use proto::call::v1::CallRef;
use proto::switch::v1::command_request::Command;
use proto::switch::v1::{
    HoldCall, ParkCall, ResumeCall, RetrieveCall, StartRecording, TransferCall,
};

use switch::driver::asterisk::{self, Url};

use super::harness::{self, ALICE, BOB, Harness, TRUNK};
use crate::fixture::Phones;
use crate::needs_asterisk;
use crate::pbx::MUSIC;
use crate::phone::{Manner, PATIENCE};

const BYE: &str = "terminated 487 BYE Received";
const LOST: &str = "terminated 503 Switch Lost";
const INVITED: &str = "participant_invited";
const JOINED: &str = "participant_joined";
const LEFT: &str = "participant_left";

#[tokio::test]
async fn two_parties_go_on_talking_and_their_call_can_be_commanded() {
    needs_asterisk!();
    let mut harness = Harness::start().await;
    let call = harness.originate("101", "102").await;
    harness.until(&call, BOB, &["trying", "ringing", "connected"]).await;
    let (alice, bob) = (harness.phones.alice.clone(), harness.phones.bob.clone());
    alice.hears(bob.tone).await;
    let bridges = harness.pbx.bridges().await;

    harness.crash().await;

    assert_eq!(harness.pbx.bridges().await, bridges);
    alice.hears(bob.tone).await;
    bob.hears(alice.tone).await;
    let leg = Some(CallRef { id: call.clone(), tag: Some(harness.tag(&call, ALICE).await) });
    harness.command(Command::HoldCall(HoldCall { call: leg.clone() })).await;
    bob.until_heard(&[(MUSIC, true), (alice.tone, false)]).await;
    harness.command(Command::ResumeCall(ResumeCall { call: leg })).await;
    bob.until_heard(&[(MUSIC, false), (alice.tone, true)]).await;
    bob.hang_up().await;
    alice.sees("BYE", 1).await;
    let states = ["trying", "ringing", "connected", "held", "connected", BYE];
    harness.until(&call, BOB, &states).await;
    let states = ["trying", "ringing", "early", "connected", "holding", "connected", BYE];
    harness.until(&call, ALICE, &states).await;
    harness.counts(&call).await;
    harness.until_empty().await;
    assert!(harness.is_settled().await, "nothing is left in the store");
}

/// The recordings of the first customer, each with the bytes of its audio.
fn kept(harness: &Harness) -> Vec<(String, u64)> {
    let folder = harness.world.recordings.path().join("switch-1/1");
    let Ok(files) = std::fs::read_dir(folder) else { return Vec::new() };
    let files = files.map(|file| file.unwrap().path());
    let whole = files.filter(|path| path.extension().is_some_and(|is| is == "json"));
    let kept = whole.map(|path| {
        let bytes = std::fs::metadata(path.with_extension("wav")).unwrap().len();
        (path.file_stem().unwrap().to_string_lossy().into_owned(), bytes)
    });
    kept.collect()
}

/// Alice and Bob talk, and are recorded; gives their call.
async fn recorded() -> (Harness, String) {
    let harness = Harness::start().await;
    let call = harness.originate("101", "102").await;
    harness.until(&call, BOB, &["trying", "ringing", "connected"]).await;
    let whole = Some(CallRef { id: call.clone(), tag: None });
    harness.command(Command::StartRecording(StartRecording { call: whole })).await;
    (harness, call)
}

#[tokio::test]
async fn what_was_recorded_when_the_process_died_is_kept() {
    needs_asterisk!();
    let (mut harness, _) = recorded().await;
    let (alice, bob) = (harness.phones.alice.clone(), harness.phones.bob.clone());
    for _ in 0..7 {
        alice.until_heard(&[(bob.tone, true)]).await;
        bob.until_heard(&[(alice.tone, true)]).await;
    }
    harness.pbx.set_recording("cordboard~switch-1.unknown");
    // Of another node, another application, and nobody.
    let of_others = ["cordboard~switch-2.unknown", "other~switch-1.unknown", "switch-1.unknown"];
    for name in of_others {
        harness.pbx.set_recording(name);
    }

    harness.crash().await;

    eventually(PATIENCE, "the recording is kept", || async {
        let (kept, mut left) = (kept(&harness), harness.pbx.recordings().await);
        left.sort();
        let is_so = kept.len() == 1 && left == of_others;
        if is_so { Ok(()) } else { Err(format!("{kept:?}, {left:?}")) }
    })
    .await;
    assert!(kept(&harness)[0].1 > 16_000, "a second, 8,000 samples of 16 bits");
    alice.hears(bob.tone).await;
    bob.hang_up().await;
    alice.sees("BYE", 1).await;
    harness.until_empty().await;
    assert_eq!(kept(&harness).len(), 1);
}

#[tokio::test]
async fn what_was_recorded_of_a_call_that_ends_with_the_process_is_kept() {
    needs_asterisk!();
    let (mut harness, call) = recorded().await;
    let alice = harness.phones.alice.clone();
    alice.hears(harness.phones.bob.tone).await;
    // Being transferred, it does not go on.
    harness.phones.trunk.set_manner(Manner::Ring);
    let transfer = TransferCall {
        call: Some(CallRef { id: call.clone(), tag: Some(harness.tag(&call, ALICE).await) }),
        destination: Some("12065550100".to_owned()),
        target_call: None,
    };
    harness.command(Command::TransferCall(transfer)).await;
    harness.until(&call, TRUNK, &["trying", "ringing"]).await;

    harness.crash().await;

    harness.until_last(&call, BOB, LOST).await;
    eventually(PATIENCE, "the recording is kept", || async {
        let (kept, left) = (kept(&harness), harness.pbx.recordings().await);
        if kept.len() == 1 && left.is_empty() { Ok(()) } else { Err(format!("{kept:?}, {left:?}")) }
    })
    .await;
    harness.until_empty().await;
}

#[tokio::test]
async fn who_is_held_stays_held() {
    needs_asterisk!();
    let mut harness = Harness::start().await;
    let call = harness.originate("101", "12065550100").await;
    harness.until(&call, TRUNK, &["trying", "ringing", "connected"]).await;
    let leg = Some(CallRef { id: call.clone(), tag: Some(harness.tag(&call, ALICE).await) });
    harness.command(Command::HoldCall(HoldCall { call: leg.clone() })).await;
    harness.phones.trunk.hears(MUSIC).await;

    harness.crash().await;

    harness.phones.trunk.until_heard(&[(MUSIC, true), (harness.phones.alice.tone, false)]).await;
    harness.command(Command::ResumeCall(ResumeCall { call: leg })).await;
    harness.phones.trunk.hears(harness.phones.alice.tone).await;
    harness.phones.alice.hang_up().await;
    let states = ["trying", "ringing", "connected", "held", "connected", BYE];
    harness.until(&call, TRUNK, &states).await;
    harness.counts(&call).await;
    harness.until_empty().await;
}

#[tokio::test]
async fn who_hung_up_meanwhile_is_told_of_once_and_the_other_is_released() {
    needs_asterisk!();
    let mut harness = Harness::start().await;
    let call = harness.originate("101", "102").await;
    harness.until(&call, BOB, &["trying", "ringing", "connected"]).await;

    harness.service.crash().await;
    harness.phones.bob.hang_up().await;
    harness.phones.bob.sees("200 BYE", 1).await;
    harness.start_again().await;

    harness.phones.alice.sees("BYE", 1).await;
    harness.until(&call, BOB, &["trying", "ringing", "connected", BYE]).await;
    harness.until(&call, ALICE, &["trying", "ringing", "early", "connected", BYE]).await;
    let last = harness.corrective(&call).await.pop();
    assert_eq!(last, Some(("terminated".to_owned(), true)));
    harness.counts(&call).await;
    harness.until_empty().await;
}

#[tokio::test]
async fn a_parked_party_waits_on_and_can_be_taken() {
    needs_asterisk!();
    let mut harness = Harness::start().await;
    harness.phones.trunk.call_as("101", "Mr Smith", "4915550100").await;
    let call = harness.new_call().await;
    harness.until(&call, ALICE, &["trying", "ringing", "connected"]).await;
    let parker = CallRef { id: call.clone(), tag: Some(harness.tag(&call, ALICE).await) };
    let done =
        harness.command(Command::ParkCall(ParkCall { call: Some(parker), slot: None })).await;

    harness.crash().await;

    harness.phones.trunk.hears(MUSIC).await;
    let retrieve = RetrieveCall {
        slot: done.slot,
        account: Some(harness::account(2)),
        ..RetrieveCall::default()
    };
    harness.command(Command::RetrieveCall(retrieve)).await;
    harness.phones.trunk.until_heard(&[(harness.phones.bob.tone, true), (MUSIC, false)]).await;
    harness.phones.bob.hang_up().await;
    harness.until_last(&call, TRUNK, BYE).await;
    harness.counts(&call).await;
    harness.until_empty().await;
}

#[tokio::test]
async fn a_conference_goes_on_until_the_last_has_left() {
    needs_asterisk!();
    let mut harness = Harness::start().await;
    let call = harness.originate("101", "102").await;
    harness.until(&call, BOB, &["trying", "ringing", "connected"]).await;
    let leg = CallRef { id: call.clone(), tag: Some(harness.tag(&call, ALICE).await) };
    let conference = harness.confer(leg, ALICE).await;
    harness.until_conference(&conference, &["created", INVITED, INVITED, JOINED, JOINED]).await;
    let (alice, bob) = (harness.phones.alice.clone(), harness.phones.bob.clone());
    alice.hears(bob.tone).await;

    harness.crash().await;

    alice.hears(bob.tone).await;
    bob.hears(alice.tone).await;
    let carol = harness.add_to(&conference, "12065550100").await;
    harness.until(&carol, TRUNK, &["trying", "ringing", "connected"]).await;
    alice.until_heard(&[(bob.tone, true), (harness.phones.trunk.tone, true)]).await;
    for phone in [&alice, &bob, &harness.phones.trunk] {
        phone.hang_up().await;
    }
    let told = [
        &["created", INVITED, INVITED, JOINED, JOINED, INVITED, JOINED][..],
        &[LEFT, LEFT, LEFT, "ended"],
    ];
    harness.until_conference(&conference, &told.concat()).await;
    harness.until_last(&call, ALICE, BYE).await;
    harness.counts(&call).await;
    harness.until_empty().await;
    assert!(harness.is_settled().await, "nothing is left in the store");
}

#[tokio::test]
async fn calls_go_on_over_a_stop_that_leaves_them() {
    needs_asterisk!();
    let phones = Phones::start().await;
    let pbx = phones.pbx().await;
    let config = asterisk::Config {
        url: Url::new(pbx.url()),
        keep_calls: true,
        ..asterisk::Config::default()
    };
    let mut harness = Harness::configured(phones, pbx, config).await;
    let call = harness.originate("101", "102").await;
    harness.until(&call, BOB, &["trying", "ringing", "connected"]).await;

    harness.stop().await;
    harness.phones.alice.hears(harness.phones.bob.tone).await;
    harness.start_again().await;

    harness.phones.alice.hears(harness.phones.bob.tone).await;
    harness.phones.bob.hang_up().await;
    harness.until(&call, BOB, &["trying", "ringing", "connected", BYE]).await;
    harness.counts(&call).await;
    harness.until_empty().await;
}

#[tokio::test]
async fn what_the_store_knows_nothing_of_is_hung_up() {
    needs_asterisk!();
    let mut harness = Harness::start().await;
    let call = harness.originate("101", "102").await;
    harness.until(&call, BOB, &["trying", "ringing", "connected"]).await;

    harness.service.crash().await;
    harness.forget_everything();
    harness.start_again().await;

    harness.phones.alice.sees("BYE", 1).await;
    harness.phones.bob.sees("BYE", 1).await;
    harness.until_empty().await;
}

#[tokio::test]
async fn calls_end_when_asterisk_has_died_as_well() {
    needs_asterisk!();
    let mut harness = Harness::start().await;
    let call = harness.originate("101", "102").await;
    harness.until(&call, BOB, &["trying", "ringing", "connected"]).await;

    harness.service.crash().await;
    harness.pbx.restart().await;
    harness.start_again().await;

    harness.until(&call, BOB, &["trying", "ringing", "connected", LOST]).await;
    harness.until(&call, ALICE, &["trying", "ringing", "early", "connected", LOST]).await;
    harness.counts(&call).await;
}

#[tokio::test]
async fn calls_that_ring_are_released_on_both_sides() {
    needs_asterisk!();
    let mut harness = Harness::start().await;
    harness.phones.bob.set_manner(Manner::Ring);
    let call = harness.originate("101", "102").await;
    harness.until(&call, BOB, &["trying", "ringing"]).await;
    harness.phones.trunk.call_as("102", "Mr Smith", "4915550100").await;
    let second = harness.new_call().await;
    harness.until(&second, BOB, &["trying", "ringing"]).await;

    harness.crash().await;

    harness.until(&call, ALICE, &["trying", "ringing", "early", LOST]).await;
    harness.until(&call, BOB, &["trying", "ringing", LOST]).await;
    harness.until_last(&second, TRUNK, LOST).await;
    harness.phones.alice.sees("BYE", 1).await;
    harness.phones.bob.sees("CANCEL", 1).await;
    harness.until_empty().await;
    // And new ones work.
    harness.phones.bob.set_manner(Manner::Answer);
    let next = harness.originate("101", "102").await;
    harness.until(&next, BOB, &["trying", "ringing", "connected"]).await;
}

#[tokio::test]
async fn a_call_between_two_customers_goes_on_on_both_sides() {
    needs_asterisk!();
    let mut harness = Harness::start().await;
    harness.phones.alice.call("103").await;
    let calls = [harness.new_call().await, harness.new_call().await];
    harness.until_last(&calls[0], ALICE, "connected").await;
    let carol = harness.phones.carol.clone();
    harness.phones.alice.hears(carol.tone).await;

    harness.crash().await;

    harness.phones.alice.hears(carol.tone).await;
    carol.hears(harness.phones.alice.tone).await;
    carol.hang_up().await;
    harness.phones.alice.sees("BYE", 1).await;
    for call in &calls {
        harness.until_last(call, TRUNK, BYE).await;
        harness.counts(call).await;
    }
    harness.until_empty().await;
}
