//! `OnSpotConference/get_on_spot_conference_list`: the conferences that go on, newest first.

use mesh::command::Session;
use proto::conference::v1::{GetOnSpotConferenceListRequest, GetOnSpotConferenceListResponse};
use tonic::{Request, Status};

use super::Rpc;

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<GetOnSpotConferenceListRequest>,
) -> Result<GetOnSpotConferenceListResponse, Status> {
    let (session, request) = Session::of(request, "OnSpotConference/get_on_spot_conference_list")?;
    Ok(rpc.lists.conferences(&session, &request).await?)
}
