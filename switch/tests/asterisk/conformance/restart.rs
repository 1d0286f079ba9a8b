//! What goes on when the process of a node dies under calls that are more than two who talk.

use mesh::testing::eventually;
use proto::switch::v1 as pb;
use proto::switch::v1::command_request::Command;

use super::stage::{ALICE, BOB, DORA, Hears, Stage, number_of};
use crate::engine::harness::account;
use crate::needs_asterisk;
use crate::phone::PATIENCE;

#[tokio::test]
async fn a_whisper_goes_on_and_nothing_of_the_earlier_process_stays() {
    needs_asterisk!();
    let mut stage = Stage::asterisk().await;
    let call = stage.connect(ALICE, BOB).await;
    let supervise = pb::SuperviseCall {
        call: Some(stage.leg(&call, BOB).await),
        mode: pb::SuperviseMode::Whisper.into(),
        account: Some(account(number_of(DORA))),
    };
    stage.desk.command(Command::SuperviseCall(supervise)).await;
    let everybody_hears = async |stage: &Stage| {
        stage.hears(DORA, Hears::Voices(&[ALICE, BOB])).await;
        stage.hears(BOB, Hears::Voices(&[ALICE, DORA])).await;
        stage.hears(ALICE, Hears::Voices(&[BOB])).await;
    };
    everybody_hears(&stage).await;
    let snoops = stage.snoops().await;

    stage.starts_anew().await;

    everybody_hears(&stage).await;
    eventually(PATIENCE, "no more snoop channels than before", || async {
        let there = stage.snoops().await;
        if there == snoops { Ok(()) } else { Err(there.to_string()) }
    })
    .await;
    stage.hangs_up(ALICE).await;
    stage.until_last(&call, DORA, "terminated 487 BYE Received").await;
    stage.until_empty().await;
}
