//! Prompts, keys and recordings.

use mesh::testing::eventually;
use proto::switch::v1 as pb;
use proto::switch::v1::command_request::Command;

use super::stage::{ALICE, BOB, DORA, Hears, PROMPT, Stage};
use crate::phone::PATIENCE;
use crate::scenarios;

scenarios!(
    a_caller_hears_a_prompt_presses_keys_and_is_put_through,
    one_party_hears_a_prompt_and_is_heard_meanwhile,
    a_call_is_recorded,
);

/// An access number of an application.
const ACCESS_NUMBER: &str = "8000";

async fn play(stage: &Stage, call: &str, who: &str, repeat: i32) {
    let play = pb::Play {
        call: Some(stage.leg(call, who).await),
        prompts: vec![PROMPT.to_owned()],
        repeat,
        interrupt_on_input: true,
        ..pb::Play::default()
    };
    stage.desk.command(Command::Play(play)).await;
}

async fn a_caller_hears_a_prompt_presses_keys_and_is_put_through(stage: &Stage) {
    stage.desk.listens(ACCESS_NUMBER).await;
    let call = stage.dials(ALICE, ACCESS_NUMBER).await;
    stage.until_last(&call, ALICE, "ringing").await;
    let leg = Some(stage.leg(&call, ALICE).await);
    stage.desk.command(Command::AnswerCall(pb::AnswerCall { call: leg.clone() })).await;
    stage.until_last(&call, ALICE, "connected").await;

    play(stage, &call, ALICE, 0).await;
    let detect = pb::StartDtmfDetect {
        call: leg.clone(),
        max_digits: 8,
        min_digits: 1,
        terminators: "#".to_owned(),
        first_digit_ms: 10_000,
        inter_digit_ms: 5_000,
        total_ms: 30_000,
    };
    stage.desk.command(Command::StartDtmfDetect(detect)).await;
    stage.hears(ALICE, Hears::Prompt).await;
    stage.presses(ALICE, "12#").await;
    let told = ["dtmf 1", "prompt_playback_interrupted", "dtmf 2", "dtmf #", "input_collected 12"];
    stage.desk.until_ivr(&call, &told).await;

    let destination = Some(DORA.to_owned());
    let transfer = pb::TransferCall { call: leg, destination, target_call: None };
    stage.desk.command(Command::TransferCall(transfer)).await;
    stage.hears(ALICE, Hears::Voices(&[DORA])).await;
    stage.hangs_up(ALICE).await;
    stage.until_last(&call, DORA, "terminated 487 BYE Received").await;
}

async fn one_party_hears_a_prompt_and_is_heard_meanwhile(stage: &Stage) {
    let call = stage.connect(ALICE, BOB).await;

    play(stage, &call, ALICE, 1).await;

    stage.hears(ALICE, Hears::Prompt).await;
    stage.hears(BOB, Hears::Voices(&[ALICE])).await;
    stage.desk.until_ivr(&call, &["prompt_playback_completed"]).await;
    stage.hears(ALICE, Hears::Voices(&[BOB])).await;
    stage.hears(BOB, Hears::Voices(&[ALICE])).await;
    stage.terminate(&call).await;
}

async fn a_call_is_recorded(stage: &Stage) {
    let call = stage.connect(ALICE, BOB).await;
    stage.hears(ALICE, Hears::Voices(&[BOB])).await;
    let leg = Some(stage.leg(&call, ALICE).await);

    stage.desk.command(Command::StartRecording(pb::StartRecording { call: leg.clone() })).await;
    stage.hears(BOB, Hears::Voices(&[ALICE])).await;
    stage.desk.command(Command::StopRecording(pb::StopRecording { call: leg.clone() })).await;

    let recording = eventually(PATIENCE, "a recording", || async {
        let list = pb::ListRecordings { call: leg.clone(), limit: 10, ..Default::default() };
        let done = stage.desk.command(Command::ListRecordings(list)).await;
        done.recordings.into_iter().next().ok_or_else(|| "none".to_owned())
    })
    .await;
    assert!(recording.size > 44, "{recording:?}");
    let read = pb::ReadRecording { i_recording: recording.i_recording, offset: 0 };
    let part = stage.desk.command(Command::ReadRecording(read)).await.part.unwrap();
    assert!(part.data.starts_with(b"RIFF"));
    stage.terminate(&call).await;
}
