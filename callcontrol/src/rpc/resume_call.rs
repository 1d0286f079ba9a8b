//! `CallControl/resume_call`: takes the held party back.

use mesh::command::Session;
use proto::callcontrol::v1::{ResumeCallRequest, ResumeCallResponse};
use proto::switch::v1::ResumeCall;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<ResumeCallRequest>,
) -> Result<ResumeCallResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/resume_call")?;
    let call = check::call(request.call.as_ref())?;
    let params = ResumeCallRequest { call: Some(call.clone()), request_id: None };
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let command = Command::ResumeCall(ResumeCall { call: Some(call.clone()) });
    rpc.calls.act(&session, &call, command, repeatable).await?;
    Ok(ResumeCallResponse { success: 1 })
}
