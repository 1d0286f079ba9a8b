//! `CallControl/stop_play_prompt`: stops what is played to a leg's party.

use mesh::command::Session;
use proto::callcontrol::v1::{StopPlayPromptRequest, StopPlayPromptResponse};
use proto::switch::v1::StopPlay;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<StopPlayPromptRequest>,
) -> Result<StopPlayPromptResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/stop_play_prompt")?;
    let call = check::call(request.call.as_ref())?;
    let params = StopPlayPromptRequest { call: Some(call.clone()), request_id: None };
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let command = Command::StopPlay(StopPlay { call: Some(call.clone()) });
    rpc.calls.act(&session, &call, command, repeatable).await?;
    Ok(StopPlayPromptResponse { success: 1 })
}
