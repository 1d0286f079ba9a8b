//! `CallControl/pickup_call`: takes a call that rings elsewhere with an account's phone.

use mesh::command::Session;
use proto::callcontrol::v1::{PickupCallRequest, PickupCallResponse};
use proto::switch::v1::PickupCall;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<PickupCallRequest>,
) -> Result<PickupCallResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/pickup_call")?;
    let call = check::call(request.call.as_ref())?;
    let request_id = check::request_id(request.request_id.as_deref())?;
    let account_id = check::given(request.account_id);
    let account = rpc.directory.account(&session, account_id.as_deref(), None).await?;
    let params = PickupCallRequest {
        call: Some(call.clone()),
        account_id: Some(account.account_id.clone()),
        request_id: None,
    };
    let repeatable = check::repeatable(request_id, &params)?;
    let command =
        Command::PickupCall(PickupCall { call: Some(call.clone()), account: Some(account) });
    rpc.calls.act(&session, &call, command, repeatable).await?;
    Ok(PickupCallResponse { success: 1 })
}
