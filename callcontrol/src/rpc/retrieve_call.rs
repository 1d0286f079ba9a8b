//! `CallControl/retrieve_call`: takes a parked party with an account's phone.
//!
//! A slot is one of the account's customer, so the command goes to that customer's home, where
//! all of its calls are.

use mesh::command::Session;
use proto::call::v1::CallRef;
use proto::callcontrol::v1::{RetrieveCallRequest, RetrieveCallResponse};
use proto::switch::v1::RetrieveCall;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<RetrieveCallRequest>,
) -> Result<RetrieveCallResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/retrieve_call")?;
    let slot = check::slot(request.slot)?;
    let call_id = match request.call.filter(|call| !call.id.is_empty()) {
        Some(call) => Some(check::call(Some(&call))?.id),
        None => None,
    };
    check::one_of(&["slot", "call"], [slot.is_some(), call_id.is_some()])?;
    let request_id = check::request_id(request.request_id.as_deref())?;
    let account_id = check::given(request.account_id);
    let account = rpc.directory.account(&session, account_id.as_deref(), None).await?;
    let params = RetrieveCallRequest {
        slot: slot.clone(),
        call: call_id.clone().map(|id| CallRef { id, tag: None }),
        account_id: Some(account.account_id.clone()),
        request_id: None,
    };
    let repeatable = check::repeatable(request_id, &params)?;
    let i_customer = account.i_customer;
    let command = Command::RetrieveCall(RetrieveCall { slot, call_id, account: Some(account) });
    rpc.calls.act_at_home(&session, i_customer, command, repeatable).await?;
    Ok(RetrieveCallResponse { success: 1 })
}
