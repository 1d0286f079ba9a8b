//! `CallControl/redirect_call`: sends a ringing call on to somebody else.

use mesh::command::Session;
use proto::callcontrol::v1::{RedirectCallRequest, RedirectCallResponse};
use proto::switch::v1::RedirectCall;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<RedirectCallRequest>,
) -> Result<RedirectCallResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/redirect_call")?;
    let call = check::call(request.call.as_ref())?;
    let destination = request.destination;
    check::destination("destination", &destination)?;
    let params = RedirectCallRequest {
        call: Some(call.clone()),
        destination: destination.clone(),
        request_id: None,
    };
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let command = Command::RedirectCall(RedirectCall { call: Some(call.clone()), destination });
    rpc.calls.act(&session, &call, command, repeatable).await?;
    Ok(RedirectCallResponse { success: 1 })
}
