//! `CallControl/reject_call`: refuses the ringing leg.

use mesh::command::Session;
use proto::callcontrol::v1::{RejectCallRequest, RejectCallResponse};
use proto::switch::v1::RejectCall;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<RejectCallRequest>,
) -> Result<RejectCallResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/reject_call")?;
    let call = check::call(request.call.as_ref())?;
    let rule = "must be a SIP code from 400 to 699";
    let reason_code = check::reason_code(request.reason_code, 400..=699, rule)?;
    let params = RejectCallRequest { call: Some(call.clone()), reason_code, request_id: None };
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let command = Command::RejectCall(RejectCall { call: Some(call.clone()), reason_code });
    rpc.calls.act(&session, &call, command, repeatable).await?;
    Ok(RejectCallResponse { success: 1 })
}
