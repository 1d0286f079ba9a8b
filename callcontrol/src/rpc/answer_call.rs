//! `CallControl/answer_call`: answers the ringing leg.

use mesh::command::Session;
use proto::callcontrol::v1::{AnswerCallRequest, AnswerCallResponse};
use proto::switch::v1::AnswerCall;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<AnswerCallRequest>,
) -> Result<AnswerCallResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/answer_call")?;
    let call = check::call(request.call.as_ref())?;
    let params = AnswerCallRequest { call: Some(call.clone()), request_id: None };
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let command = Command::AnswerCall(AnswerCall { call: Some(call.clone()) });
    rpc.calls.act(&session, &call, command, repeatable).await?;
    Ok(AnswerCallResponse { success: 1 })
}
