//! `CallControl/stop_dtmf_detect`: stops collecting digits from a leg's party.

use mesh::command::Session;
use proto::callcontrol::v1::{StopDtmfDetectRequest, StopDtmfDetectResponse};
use proto::switch::v1::StopDtmfDetect;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<StopDtmfDetectRequest>,
) -> Result<StopDtmfDetectResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/stop_dtmf_detect")?;
    let call = check::call(request.call.as_ref())?;
    let params = StopDtmfDetectRequest { call: Some(call.clone()), request_id: None };
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let command = Command::StopDtmfDetect(StopDtmfDetect { call: Some(call.clone()) });
    rpc.calls.act(&session, &call, command, repeatable).await?;
    Ok(StopDtmfDetectResponse { success: 1 })
}
