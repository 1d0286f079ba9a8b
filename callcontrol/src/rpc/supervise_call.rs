//! `CallControl/supervise_call`: has an account's phone listen in on a connected call.

use mesh::command::{Refusal, Session};
use proto::callcontrol::v1::{SuperviseCallRequest, SuperviseCallResponse, SuperviseMode};
use proto::options::v1::{Component, Level};
use proto::switch::v1::command_request::Command;
use proto::switch::v1::{SuperviseCall, SuperviseMode as EngineMode};
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<SuperviseCallRequest>,
) -> Result<SuperviseCallResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/supervise_call")?;
    // The contract's option names one component, and who supervises also acts on a call.
    if !session.caller.may(Component::CallControl, Level::Modify) {
        return Err(Refusal::AccessDenied.into());
    }
    let call = check::call(request.call.as_ref())?;
    let mode = mode(request.mode)?;
    let account_id = check::given(Some(request.account_id));
    let account_id = account_id.ok_or(Refusal::MissingParam("account_id"))?;
    let request_id = check::request_id(request.request_id.as_deref())?;
    let account = rpc.directory.account(&session, Some(&account_id), None).await?;
    let params = SuperviseCallRequest {
        call: Some(call.clone()),
        mode: request.mode,
        account_id: account.account_id.clone(),
        request_id: None,
    };
    let repeatable = check::repeatable(request_id, &params)?;
    let command = Command::SuperviseCall(SuperviseCall {
        call: Some(call.clone()),
        mode: mode.into(),
        account: Some(account),
    });
    rpc.calls.act(&session, &call, command, repeatable).await?;
    Ok(SuperviseCallResponse { success: 1 })
}

fn mode(mode: i32) -> Result<EngineMode, Refusal> {
    match SuperviseMode::try_from(mode) {
        Ok(SuperviseMode::Spy) => Ok(EngineMode::Spy),
        Ok(SuperviseMode::Whisper) => Ok(EngineMode::Whisper),
        Ok(SuperviseMode::Barge) => Ok(EngineMode::Barge),
        Ok(SuperviseMode::Unspecified) => Err(Refusal::MissingParam("mode")),
        Err(_unknown) => {
            let rule = "must be spy, whisper or barge";
            Err(Refusal::InvalidParam { param: "mode", rule })
        }
    }
}
