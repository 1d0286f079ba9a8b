//! `OnSpotConference/get_on_spot_conference_participant_list`: who is and who was in.

use mesh::command::Session;
use proto::conference::v1::{
    GetOnSpotConferenceParticipantListRequest, GetOnSpotConferenceParticipantListResponse,
};
use tonic::{Request, Status};

use super::{Rpc, needed};
use crate::list::Window;

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<GetOnSpotConferenceParticipantListRequest>,
) -> Result<GetOnSpotConferenceParticipantListResponse, Status> {
    let method = "OnSpotConference/get_on_spot_conference_participant_list";
    let (session, request) = Session::of(request, method)?;
    let i_conference = needed("i_conference", request.i_conference)?;
    let roster = rpc.lists.roster(&session, &i_conference).await?;
    let total = i64::try_from(roster.len()).unwrap_or(i64::MAX);
    Ok(GetOnSpotConferenceParticipantListResponse {
        participant_list: Window::new(request.limit, request.offset).cut(roster),
        total: request.get_total.then_some(total),
    })
}
