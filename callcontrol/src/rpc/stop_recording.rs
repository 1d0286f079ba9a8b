//! `CallControl/stop_recording`: stops recording a call.

use mesh::command::Session;
use proto::callcontrol::v1::{StopRecordingRequest, StopRecordingResponse};
use proto::switch::v1::StopRecording;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<StopRecordingRequest>,
) -> Result<StopRecordingResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/stop_recording")?;
    let call = check::call(request.call.as_ref())?;
    let params = StopRecordingRequest { call: Some(call.clone()), request_id: None };
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let command = Command::StopRecording(StopRecording { call: Some(call.clone()) });
    rpc.calls.act(&session, &call, command, repeatable).await?;
    Ok(StopRecordingResponse { success: 1 })
}
