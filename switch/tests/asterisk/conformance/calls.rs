//! Calls between two and more.

use proto::switch::v1 as pb;
use proto::switch::v1::command_request::Command;

use super::stage::{ALICE, BOB, DORA, EMIL, FRIDA, Hears, Stage, number_of};
use crate::engine::harness::account;
use crate::scenarios;

const OVER: &str = "terminated 487 BYE Received";

scenarios!(
    a_call_is_placed_held_and_taken_back,
    a_phone_dials_and_its_call_is_handed_over,
    a_call_is_handed_over_after_a_word_with_the_other,
    a_call_that_rings_is_redirected,
    two_numbers_are_connected,
    a_parked_call_is_taken_by_another,
    a_supervisor_spies_whispers_and_joins,
    a_caller_waits_in_a_queue,
    failures_have_their_codes,
);

async fn a_call_is_placed_held_and_taken_back(stage: &Stage) {
    stage.lets_ring(BOB).await;
    let call = stage.desk.originate(ALICE, BOB).await;
    stage.desk.until(&call, number_of(BOB), &["trying", "ringing"]).await;
    stage.hears(ALICE, Hears::Ringback).await;
    stage.answers(BOB).await;
    let expected = ["trying", "ringing", "early", "connected"];
    stage.desk.until(&call, number_of(ALICE), &expected).await;
    stage.hears(ALICE, Hears::Voices(&[BOB])).await;
    stage.hears(BOB, Hears::Voices(&[ALICE])).await;

    let leg = Some(stage.leg(&call, ALICE).await);
    stage.desk.command(Command::HoldCall(pb::HoldCall { call: leg.clone() })).await;
    stage.hears(BOB, Hears::Music).await;
    stage.hears(ALICE, Hears::Silence).await;
    stage.desk.command(Command::ResumeCall(pb::ResumeCall { call: leg })).await;
    stage.hears(BOB, Hears::Voices(&[ALICE])).await;

    stage.holds(BOB).await;
    stage.hears(ALICE, Hears::Music).await;
    stage.resumes(BOB).await;
    stage.hears(ALICE, Hears::Voices(&[BOB])).await;

    stage.hangs_up(BOB).await;
    stage.until_last(&call, ALICE, OVER).await;
    stage.until_last(&call, BOB, OVER).await;
    stage.desk.counts(&call).await;
}

async fn a_phone_dials_and_its_call_is_handed_over(stage: &Stage) {
    let call = stage.dials(ALICE, BOB).await;
    stage.until_last(&call, BOB, "connected").await;
    stage.hears(BOB, Hears::Voices(&[ALICE])).await;

    stage.lets_ring(DORA).await;
    let transfer = pb::TransferCall {
        call: Some(stage.leg(&call, BOB).await),
        destination: Some(DORA.to_owned()),
        target_call: None,
    };
    stage.desk.command(Command::TransferCall(transfer)).await;
    stage.until_last(&call, DORA, "ringing").await;
    stage.hears(ALICE, Hears::Ringback).await;
    stage.answers(DORA).await;

    stage.hears(ALICE, Hears::Voices(&[DORA])).await;
    stage.hears(DORA, Hears::Voices(&[ALICE])).await;
    stage.hangs_up(ALICE).await;
    stage.until_last(&call, DORA, OVER).await;
    stage.desk.counts(&call).await;
}

async fn a_call_is_handed_over_after_a_word_with_the_other(stage: &Stage) {
    let call = stage.connect(ALICE, FRIDA).await;
    let leg = stage.leg(&call, FRIDA).await;
    stage.desk.command(Command::HoldCall(pb::HoldCall { call: Some(leg.clone()) })).await;
    stage.hears(ALICE, Hears::Music).await;
    let consultation = stage.connect(FRIDA, DORA).await;

    let target_call = Some(consultation.clone());
    let transfer = pb::TransferCall { call: Some(leg), destination: None, target_call };
    stage.desk.command(Command::TransferCall(transfer)).await;

    stage.hears(ALICE, Hears::Voices(&[DORA])).await;
    stage.hears(DORA, Hears::Voices(&[ALICE])).await;
    stage.hangs_up(DORA).await;
    stage.until_last(&call, ALICE, OVER).await;
    stage.desk.counts(&call).await;
    stage.desk.counts(&consultation).await;
}

async fn a_call_that_rings_is_redirected(stage: &Stage) {
    stage.lets_ring(BOB).await;
    let call = stage.dials(ALICE, BOB).await;
    stage.until_last(&call, BOB, "ringing").await;

    let call_ref = Some(stage.leg(&call, BOB).await);
    let redirect = pb::RedirectCall { call: call_ref, destination: DORA.to_owned() };
    stage.desk.command(Command::RedirectCall(redirect)).await;

    stage.until_last(&call, DORA, "connected").await;
    stage.hears(ALICE, Hears::Voices(&[DORA])).await;
    stage.terminate(&call).await;
    stage
        .until_last(&call, ALICE, "terminated 487 Answer Leg Disconnected Via Call Control API")
        .await;
}

async fn two_numbers_are_connected(stage: &Stage) {
    let call_id = format!("switch-1.{}", uuid::Uuid::now_v7().simple());
    let leg = |who: &str| Some(pb::AdvancedLeg { destination: who.to_owned(), caller_id: None });
    let originate = pb::OriginateAdvancedCall {
        call_id: call_id.clone(),
        account: Some(account(number_of(EMIL))),
        first: leg(ALICE),
        second: leg(BOB),
        timeout_seconds: 30,
    };
    stage.desk.command(Command::OriginateAdvancedCall(originate)).await;

    stage.until_last(&call_id, BOB, "connected").await;
    stage.hears(ALICE, Hears::Voices(&[BOB])).await;
    stage.hears(BOB, Hears::Voices(&[ALICE])).await;
    stage.hangs_up(ALICE).await;
    stage.until_last(&call_id, BOB, OVER).await;
}

async fn a_parked_call_is_taken_by_another(stage: &Stage) {
    let call = stage.connect(ALICE, BOB).await;
    let park = pb::ParkCall { call: Some(stage.leg(&call, BOB).await), slot: None };
    let done = stage.desk.command(Command::ParkCall(park)).await;
    stage.hears(ALICE, Hears::Music).await;

    let account = Some(account(number_of(DORA)));
    let retrieve = pb::RetrieveCall { slot: done.slot, account, ..pb::RetrieveCall::default() };
    stage.desk.command(Command::RetrieveCall(retrieve)).await;

    stage.hears(ALICE, Hears::Voices(&[DORA])).await;
    stage.hears(DORA, Hears::Voices(&[ALICE])).await;
    stage.hangs_up(DORA).await;
    stage.until_last(&call, ALICE, OVER).await;
}

async fn a_supervisor_spies_whispers_and_joins(stage: &Stage) {
    use pb::SuperviseMode::{Barge, Spy, Whisper};
    let call = stage.connect(ALICE, BOB).await;
    let supervise = async |mode: pb::SuperviseMode| {
        let supervise = pb::SuperviseCall {
            call: Some(stage.leg(&call, BOB).await),
            mode: mode.into(),
            account: Some(account(number_of(DORA))),
        };
        stage.desk.command(Command::SuperviseCall(supervise)).await;
    };
    let everybody_hears = async |alice, bob| {
        stage.hears(DORA, Hears::Voices(&[ALICE, BOB])).await;
        stage.hears(ALICE, Hears::Voices(alice)).await;
        stage.hears(BOB, Hears::Voices(bob)).await;
    };

    supervise(Spy).await;
    everybody_hears(&[BOB], &[ALICE]).await;
    supervise(Whisper).await;
    everybody_hears(&[BOB], &[ALICE, DORA]).await;
    supervise(Barge).await;
    everybody_hears(&[BOB, DORA], &[ALICE, DORA]).await;
    supervise(Spy).await;
    everybody_hears(&[BOB], &[ALICE]).await;

    stage.hangs_up(ALICE).await;
    stage.until_last(&call, DORA, "terminated 487 BYE Received").await;
}

/// The group of the directory whose agents are Bob and Dora.
const QUEUE: &str = "7000";

async fn a_caller_waits_in_a_queue(stage: &Stage) {
    stage.refuses(BOB, 603).await;
    stage.lets_ring(DORA).await;
    let call = stage.dials(ALICE, QUEUE).await;
    stage.hears(ALICE, Hears::Music).await;
    stage.until_last(&call, DORA, "ringing").await;
    stage.hears(ALICE, Hears::Music).await;
    stage.answers(DORA).await;

    stage.hears(ALICE, Hears::Voices(&[DORA])).await;
    stage.hangs_up(DORA).await;
    stage.until_last(&call, ALICE, OVER).await;
    stage.desk.counts(&call).await;
}

async fn failures_have_their_codes(stage: &Stage) {
    for (code, text) in [(486, "Busy Here"), (603, "Decline")] {
        stage.refuses(BOB, code).await;
        let call = stage.desk.originate(ALICE, BOB).await;
        let over = format!("terminated {code} {text}");
        stage.until_last(&call, BOB, &over).await;
        stage.until_last(&call, ALICE, &over).await;
        stage.desk.counts(&call).await;
    }
    stage.lets_ring(BOB).await;
    let call = stage.dials(ALICE, BOB).await;
    stage.until_last(&call, BOB, "ringing").await;
    stage.hangs_up(ALICE).await;
    let over = "terminated 487 Request Terminated";
    stage.until_last(&call, BOB, over).await;
    stage.until_last(&call, ALICE, over).await;
}
