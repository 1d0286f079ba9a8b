//! `CallControl/transfer_call`: hands the other party over, to somebody who is dialled or to the
//! other party of a second call.

use mesh::command::Session;
use proto::call::v1::CallRef;
use proto::callcontrol::v1::{TransferCallRequest, TransferCallResponse};
use proto::switch::v1::TransferCall;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<TransferCallRequest>,
) -> Result<TransferCallResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/transfer_call")?;
    let call = check::call(request.call.as_ref())?;
    let destination = check::given(request.destination);
    let target_call = request.target_call.map(|target| target.id).filter(|id| !id.is_empty());
    let given = [destination.is_some(), target_call.is_some()];
    check::one_of(&["destination", "target_call"], given)?;
    if let Some(destination) = &destination {
        check::destination("destination", destination)?;
    }
    if let Some(target) = &target_call {
        check::target_call(target)?;
    }
    let params = TransferCallRequest {
        call: Some(call.clone()),
        destination: destination.clone(),
        target_call: target_call.clone().map(|id| CallRef { id, tag: None }),
        request_id: None,
    };
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let command =
        Command::TransferCall(TransferCall { call: Some(call.clone()), destination, target_call });
    let done = rpc.calls.act(&session, &call, command, repeatable).await?;
    Ok(TransferCallResponse {
        tracking_id: check::answered(done.tracking_id, "tracking id")?,
        previous_tracking_id: check::answered(done.previous_tracking_id, "previous tracking id")?,
    })
}
