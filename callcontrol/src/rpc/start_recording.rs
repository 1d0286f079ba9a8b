//! `CallControl/start_recording`: records a call.

use mesh::command::Session;
use proto::callcontrol::v1::{StartRecordingRequest, StartRecordingResponse};
use proto::switch::v1::StartRecording;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<StartRecordingRequest>,
) -> Result<StartRecordingResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/start_recording")?;
    let call = check::call(request.call.as_ref())?;
    let params = StartRecordingRequest { call: Some(call.clone()), request_id: None };
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let command = Command::StartRecording(StartRecording { call: Some(call.clone()) });
    rpc.calls.act(&session, &call, command, repeatable).await?;
    Ok(StartRecordingResponse { success: 1 })
}
