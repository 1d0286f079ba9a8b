//! `CallControl/hold_call`: holds the other party.

use mesh::command::Session;
use proto::callcontrol::v1::{HoldCallRequest, HoldCallResponse};
use proto::switch::v1::HoldCall;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<HoldCallRequest>,
) -> Result<HoldCallResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/hold_call")?;
    let call = check::call(request.call.as_ref())?;
    let params = HoldCallRequest { call: Some(call.clone()), request_id: None };
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let command = Command::HoldCall(HoldCall { call: Some(call.clone()) });
    rpc.calls.act(&session, &call, command, repeatable).await?;
    Ok(HoldCallResponse { success: 1 })
}
