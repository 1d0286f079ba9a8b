//! `CallControl/get_sip_calls_list`: the living legs in scope.

use mesh::command::Session;
use proto::callcontrol::v1::{GetSipCallsListRequest, GetSipCallsListResponse};
use tonic::{Request, Status};

use super::Rpc;

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<GetSipCallsListRequest>,
) -> Result<GetSipCallsListResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/get_sip_calls_list")?;
    Ok(rpc.lists.read(&session, &request).await?)
}
