//! `CallControl/play_prompt`: plays prompts to a leg's party.

use mesh::command::{Refusal, Session};
use proto::callcontrol::v1::{PlayPromptRequest, PlayPromptResponse};
use proto::switch::v1::Play;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<PlayPromptRequest>,
) -> Result<PlayPromptResponse, Status> {
    let (session, mut params) = Session::of(request, "CallControl/play_prompt")?;
    let call = check::call(params.call.as_ref())?;
    if params.prompts.is_empty() {
        return Err(Refusal::MissingParam("prompts").into());
    }
    check::prompts(&params.prompts)?;
    check::repeat(params.repeat)?;
    params.call = Some(call.clone());
    let request_id = params.request_id.take();
    let repeatable = check::repeatable(request_id.as_deref(), &params)?;
    let command = Command::Play(Play {
        call: params.call,
        prompts: params.prompts,
        repeat: params.repeat,
        interrupt_on_input: params.interrupt_playback_on_input,
        ..Play::default()
    });
    rpc.calls.act(&session, &call, command, repeatable).await?;
    Ok(PlayPromptResponse { success: 1 })
}
