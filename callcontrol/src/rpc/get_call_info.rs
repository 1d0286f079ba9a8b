//! `CallControl/get_call_info`: the legs of one call, from the engine that holds it.

use mesh::calls_index::duration_seconds;
use mesh::command::{Refusal, Session};
use proto::call::v1::State;
use proto::callcontrol::v1::{GetCallInfoRequest, GetCallInfoResponse};
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<GetCallInfoRequest>,
) -> Result<GetCallInfoResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/get_call_info")?;
    let call = check::call(request.call.as_ref())?;
    let mut legs = rpc.calls.read(&session, &call).await?;
    if let Some(tag) = &call.tag {
        legs.retain(|leg| leg.call.as_ref().is_some_and(|of| of.tag.as_ref() == Some(tag)));
    }
    if legs.is_empty() {
        return Err(Refusal::CallNotFound(call.id).into());
    }
    let now = rpc.calls.clock.now();
    for leg in legs.iter_mut().filter(|leg| leg.state() != State::Terminated) {
        leg.duration = duration_seconds(leg, now);
    }
    Ok(GetCallInfoResponse { call_info: legs })
}
