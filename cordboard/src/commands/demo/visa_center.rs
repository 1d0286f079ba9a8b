//! The visa processing centre: an application takes the calls to its access number.

use anyhow::ensure;
use serde_json::{Value, json};

use super::hands::{Sound, Who};
use super::scenarios::Stage;

const NUMBER: &str = "1733355700";

pub(super) async fn play(stage: &Stage) -> anyhow::Result<()> {
    stage.timeline.title("Mary asks the visa center whether her visa is approved");
    let mut program = stage.sign_in("301").await?;
    let wanted = json!({"access_number": NUMBER});
    program.call("CallControl/enable_api_notifications", wanted).await?;
    stage.timeline.hand(&format!("Mary Smith dials {NUMBER}"));
    let mary = stage.hands.call_in("12065550100", "Mary Smith", NUMBER).await?;

    let ringing = program.until_state("ringing").await?;
    let call = json!({"id": ringing.pointer("/call_info/call/id")});
    program.call("CallControl/answer_call", json!({"call": call})).await?;
    let ask = json!({
        "call": call,
        "prompts": ["visa/enter-number.au"],
        "interrupt_playback_on_input": "Y",
    });
    program.call("CallControl/play_prompt", ask).await?;
    stage.hears(Who::Caller(&mary), Sound::Prompt("visa/enter-number.au")).await?;
    stage.timeline.check("Mary is asked for her registration number");
    let collect = json!({"call": call, "terminators": "#"});
    program.call("CallControl/start_dtmf_detect", collect).await?;
    stage.timeline.hand("Mary types 20260117#");
    stage.hands.press(&mary, "20260117#").await?;
    let collected = until_event(&mut program, "input_collected").await?;
    let digits = collected.pointer("/ivr_info/digits");
    ensure!(digits == Some(&json!("20260117")), "collected {digits:?}");
    stage.timeline.check("the program has the number, and looks it up in its own database");

    let approval = stage.hands.approval();
    let tell = json!({"call": call, "prompts": [approval]});
    program.call("CallControl/play_prompt", tell).await?;
    stage.hears(Who::Caller(&mary), Sound::Prompt(approval)).await?;
    stage.timeline.check("Mary hears that her visa is approved");
    until_event(&mut program, "prompt_playback_completed").await?;
    program.call("CallControl/terminate_call", json!({"call": call})).await?;
    program.until_over(1).await
}

/// The next event of that name about prompts and digits.
async fn until_event(program: &mut super::client::Client, event: &str) -> anyhow::Result<Value> {
    program
        .until(event, |method, params| {
            method == "CallControl/ivr_event"
                && params.pointer("/ivr_info/event") == Some(&json!(event))
        })
        .await
}
