//! `CallControl/send_dtmf`: sends digits to a leg's party.

use mesh::command::{Refusal, Session, dial};
use proto::callcontrol::v1::{SendDtmfRequest, SendDtmfResponse};
use proto::switch::v1::SendDtmf;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<SendDtmfRequest>,
) -> Result<SendDtmfResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/send_dtmf")?;
    let call = check::call(request.call.as_ref())?;
    let digits = request.digits;
    if digits.is_empty() {
        return Err(Refusal::MissingParam("digits").into());
    }
    if !dial::is_digits(&digits) {
        let rule = "must be 1 to 64 of 0-9, *, # and A-D";
        return Err(Refusal::InvalidParam { param: "digits", rule }.into());
    }
    let params =
        SendDtmfRequest { call: Some(call.clone()), digits: digits.clone(), request_id: None };
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let command = Command::SendDtmf(SendDtmf { call: Some(call.clone()), digits });
    rpc.calls.act(&session, &call, command, repeatable).await?;
    Ok(SendDtmfResponse { success: 1 })
}
