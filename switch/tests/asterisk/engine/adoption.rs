//! The process of the switch dies and starts again; Asterisk keeps the channels.

use proto::call::v1::CallRef;
use proto::switch::v1::command_request::Command;
use proto::switch::v1::{HoldCall, ParkCall, ResumeCall, RetrieveCall};

use switch::driver::asterisk::{self, Url};

use super::harness::{self, ALICE, BOB, Harness, TRUNK};
use crate::fixture::Phones;
use crate::needs_asterisk;
use crate::pbx::MUSIC;
use crate::phone::Manner;

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
