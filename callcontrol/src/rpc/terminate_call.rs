//! `CallControl/terminate_call`: ends a call or one leg of it.

use mesh::command::Session;
use proto::callcontrol::v1::{TerminateCallRequest, TerminateCallResponse};
use proto::switch::v1::TerminateCall;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<TerminateCallRequest>,
) -> Result<TerminateCallResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/terminate_call")?;
    let call = check::call(request.call.as_ref())?;
    let rule = "must be a SIP code from 200 to 699";
    let reason_code = check::reason_code(request.reason_code, 200..=699, rule)?;
    let params = TerminateCallRequest { call: Some(call.clone()), reason_code, request_id: None };
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let command = Command::TerminateCall(TerminateCall { call: Some(call.clone()), reason_code });
    rpc.calls.act(&session, &call, command, repeatable).await?;
    Ok(TerminateCallResponse { success: 1 })
}
