//! `CallControl/park_call`: parks the other party.

use mesh::command::Session;
use proto::callcontrol::v1::{ParkCallRequest, ParkCallResponse};
use proto::switch::v1::ParkCall;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<ParkCallRequest>,
) -> Result<ParkCallResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/park_call")?;
    let call = check::call(request.call.as_ref())?;
    let slot = check::slot(request.slot)?;
    let params = ParkCallRequest { call: Some(call.clone()), slot: slot.clone(), request_id: None };
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let command = Command::ParkCall(ParkCall { call: Some(call.clone()), slot });
    let done = rpc.calls.act(&session, &call, command, repeatable).await?;
    Ok(ParkCallResponse { slot: check::answered(done.slot, "slot")? })
}
