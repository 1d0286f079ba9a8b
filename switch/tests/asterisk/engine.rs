//! The whole switch service on a real Asterisk: commands go in over its HTTP API, and the
//! event log tells what the contract's table says.

mod adoption;
mod faults;
pub(crate) mod harness;
mod missed;
mod nodes;
mod phones;

use proto::call::v1::CallRef;
use proto::switch::v1::command_request::Command;
use proto::switch::v1::{
    HoldCall, ParkCall, ResumeCall, RetrieveCall, SendDtmf, TerminateCall, TransferCall,
};

use self::harness::{ALICE, BOB, CAROL, Harness, TRUNK};
use crate::needs_asterisk;
use crate::pbx::{MUSIC, RINGBACK};
use crate::phone::Manner;

#[tokio::test]
async fn a_call_is_placed_held_taken_back_and_hung_up() {
    needs_asterisk!();
    let harness = Harness::start().await;
    let (alice, bob) = (&harness.phones.alice, &harness.phones.bob);
    bob.set_manner(Manner::Ring);

    let call = harness.originate("101", "102").await;
    harness.until(&call, BOB, &["trying", "ringing"]).await;
    alice.hears(RINGBACK).await;
    assert_eq!(bob.shown(), ("Alice".to_owned(), "101".to_owned()));
    bob.answer().await;
    harness.until(&call, ALICE, &["trying", "ringing", "early", "connected"]).await;
    harness.until(&call, BOB, &["trying", "ringing", "connected"]).await;
    alice.until_heard(&[(bob.tone, true), (RINGBACK, false)]).await;
    bob.hears(alice.tone).await;

    let held = Some(CallRef { id: call.clone(), tag: Some(harness.tag(&call, ALICE).await) });
    harness.command(Command::HoldCall(HoldCall { call: held.clone() })).await;
    bob.until_heard(&[(MUSIC, true), (alice.tone, false)]).await;
    alice.until_heard(&[(bob.tone, false)]).await;
    harness.command(Command::ResumeCall(ResumeCall { call: held.clone() })).await;
    bob.until_heard(&[(MUSIC, false), (alice.tone, true)]).await;
    let digits = SendDtmf { call: held, digits: "42".to_owned() };
    harness.command(Command::SendDtmf(digits)).await;
    alice.sees("INFO 2", 1).await;

    bob.hang_up().await;
    harness
        .until(
            &call,
            BOB,
            &["trying", "ringing", "connected", "held", "connected", "terminated 487 BYE Received"],
        )
        .await;
    harness
        .until(
            &call,
            ALICE,
            &[
                "trying",
                "ringing",
                "early",
                "connected",
                "holding",
                "connected",
                "terminated 487 BYE Received",
            ],
        )
        .await;
    alice.sees("BYE", 1).await;
    harness.until_empty().await;
}

#[tokio::test]
async fn a_phone_dials_a_phone() {
    needs_asterisk!();
    let harness = Harness::start().await;
    let (alice, bob) = (&harness.phones.alice, &harness.phones.bob);
    bob.set_manner(Manner::Ring);

    alice.call("102").await;
    let call = harness.new_call().await;
    alice.sees("180", 1).await;
    bob.answer().await;
    alice.sees("200", 1).await;
    alice.hears(bob.tone).await;
    bob.hears(alice.tone).await;
    let whole = CallRef { id: call.clone(), tag: None };
    let terminate = TerminateCall { call: Some(whole), reason_code: None };
    harness.command(Command::TerminateCall(terminate)).await;

    let over = "terminated 487 Answer Leg Disconnected Via Call Control API";
    harness.until(&call, ALICE, &["trying", "early", "connected", over]).await;
    harness.until(&call, BOB, &["trying", "ringing", "connected", over]).await;
    alice.sees("BYE", 1).await;
    bob.sees("BYE", 1).await;
    harness.until_empty().await;
}

#[tokio::test]
async fn calls_go_to_and_come_from_the_public_network() {
    needs_asterisk!();
    let harness = Harness::start().await;
    let (alice, trunk) = (&harness.phones.alice, &harness.phones.trunk);

    let out = harness.originate("101", "12065550100").await;
    harness.until(&out, ALICE, &["trying", "ringing", "early", "connected"]).await;
    harness.until(&out, TRUNK, &["trying", "ringing", "connected"]).await;
    alice.hears(trunk.tone).await;
    assert_eq!(trunk.log()[0], "INVITE 12065550100");
    trunk.hang_up().await;
    alice.sees("BYE", 1).await;

    trunk.call_as("101", "Mr Smith", "4915550100").await;
    let back = harness.new_call().await;
    harness.until(&back, TRUNK, &["trying", "early", "connected"]).await;
    harness.until(&back, ALICE, &["trying", "ringing", "connected"]).await;
    assert_eq!(alice.shown(), ("Mr Smith".to_owned(), "4915550100".to_owned()));
    trunk.hears(alice.tone).await;
    alice.hang_up().await;
    trunk.sees("BYE", 1).await;
    harness.until_empty().await;
}

#[tokio::test]
async fn refusals_end_both_legs_with_the_far_end_s_code() {
    needs_asterisk!();
    let harness = Harness::start().await;
    let bob = &harness.phones.bob;

    for (code, text) in [(486, "Busy Here"), (603, "Decline"), (480, "Temporarily Unavailable")] {
        bob.set_manner(Manner::Refuse(code));
        let call = harness.originate("101", "102").await;
        let over = format!("terminated {code} {text}");
        harness.until(&call, BOB, &["trying", &over]).await;
        harness.until(&call, ALICE, &["trying", "ringing", "early", &over]).await;
    }

    // Nobody is registered there.
    let call = harness.originate("101", "109").await;
    let over = "terminated 480 Temporarily Unavailable";
    harness.until(&call, ALICE, &["trying", "ringing", "early", over]).await;

    // A phone that dials hears the code itself.
    if harness.pbx.is_old().await {
        return;
    }
    bob.set_manner(Manner::Refuse(486));
    harness.phones.alice.call("102").await;
    harness.phones.alice.sees("486", 1).await;
    harness.phones.alice.call("999").await;
    harness.phones.alice.sees("404", 1).await;
    harness.until_empty().await;
}

#[tokio::test]
async fn two_customers_talk_over_two_calls() {
    needs_asterisk!();
    let harness = Harness::start().await;
    let (alice, carol) = (&harness.phones.alice, &harness.phones.carol);

    alice.call("103").await;
    let calls = [harness.new_call().await, harness.new_call().await];
    harness.until(&calls[0], ALICE, &["trying", "early", "connected"]).await;
    harness.until(&calls[0], TRUNK, &["trying", "ringing", "connected"]).await;
    harness.until(&calls[1], TRUNK, &["trying", "early", "connected"]).await;
    harness.until(&calls[1], CAROL, &["trying", "ringing", "connected"]).await;
    alice.hears(carol.tone).await;
    carol.hears(alice.tone).await;

    carol.hang_up().await;
    alice.sees("BYE", 1).await;
    for call in &calls {
        let over = "terminated 487 BYE Received";
        harness.until_last(call, TRUNK, over).await;
    }
    harness.until_empty().await;
}

#[tokio::test]
async fn a_call_is_handed_over_to_another_phone() {
    needs_asterisk!();
    let harness = Harness::start().await;
    let phones = &harness.phones;
    phones.trunk.call_as("101", "Mr Smith", "4915550100").await;
    let call = harness.new_call().await;
    harness.until(&call, ALICE, &["trying", "ringing", "connected"]).await;

    let transferor = CallRef { id: call.clone(), tag: Some(harness.tag(&call, ALICE).await) };
    let transfer = TransferCall {
        call: Some(transferor),
        destination: Some("102".to_owned()),
        target_call: None,
    };
    harness.command(Command::TransferCall(transfer)).await;

    harness.until(&call, BOB, &["trying", "ringing", "connected"]).await;
    harness.until(&call, TRUNK, &["trying", "early", "connected", "early", "connected"]).await;
    phones.alice.sees("BYE", 1).await;
    phones.trunk.hears(phones.bob.tone).await;
    phones.bob.hears(phones.trunk.tone).await;
    phones.trunk.hang_up().await;
    phones.bob.sees("BYE", 1).await;
    harness.until_empty().await;
}

#[tokio::test]
async fn a_parked_party_hears_music_until_it_is_taken() {
    needs_asterisk!();
    let harness = Harness::start().await;
    let phones = &harness.phones;
    phones.trunk.call_as("101", "Mr Smith", "4915550100").await;
    let call = harness.new_call().await;
    harness.until(&call, ALICE, &["trying", "ringing", "connected"]).await;

    let parker = CallRef { id: call.clone(), tag: Some(harness.tag(&call, ALICE).await) };
    let done =
        harness.command(Command::ParkCall(ParkCall { call: Some(parker), slot: None })).await;
    phones.alice.sees("BYE", 1).await;
    phones.trunk.hears(MUSIC).await;
    let retrieve = RetrieveCall {
        slot: done.slot,
        account: Some(harness::account(2)),
        ..RetrieveCall::default()
    };
    harness.command(Command::RetrieveCall(retrieve)).await;

    phones.trunk.until_heard(&[(phones.bob.tone, true), (MUSIC, false)]).await;
    phones.bob.hears(phones.trunk.tone).await;
}

#[tokio::test]
async fn calls_are_lost_with_asterisk_and_end_with_the_service() {
    needs_asterisk!();
    let mut harness = Harness::start().await;
    let lost = harness.originate("101", "102").await;
    harness.until(&lost, BOB, &["trying", "ringing", "connected"]).await;

    harness.pbx.restart().await;
    harness.until_last(&lost, ALICE, "terminated 503 Switch Lost").await;
    harness.until_last(&lost, BOB, "terminated 503 Switch Lost").await;
    harness.phones.alice.forget();
    harness.phones.bob.forget();

    harness.until_ready().await;
    let call = harness.originate("101", "102").await;
    harness.until(&call, BOB, &["trying", "ringing", "connected"]).await;
    harness.stop().await;
    harness.until_last(&call, BOB, "terminated 503 Switch Lost").await;
    harness.phones.alice.sees("BYE", 1).await;
    harness.phones.bob.sees("BYE", 1).await;
    harness.until_empty().await;
}
