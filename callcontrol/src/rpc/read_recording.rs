//! `ReadRecording`: a part of a recording's file, from the node that has it.

use mesh::command::{Refusal, Session};
use proto::callcontrol::v1::{ReadRecordingRequest, ReadRecordingResponse};
use proto::options::v1::{Component, Level};
use tonic::{Request, Status};

use super::Rpc;

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<ReadRecordingRequest>,
) -> Result<ReadRecordingResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/get_recording_list")?;
    // It is no method of the public API, so nobody has checked.
    if !session.caller.may(Component::CallControl, Level::Read) {
        return Err(Refusal::AccessDenied.into());
    }
    let ReadRecordingRequest { i_recording, offset } = request;
    let part = rpc.calls.read_recording(&session, i_recording, offset).await?;
    Ok(ReadRecordingResponse { data: part.data, size: part.size })
}
