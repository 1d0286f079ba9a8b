//! `OnSpotConference/delete_on_spot_conference_participant`: takes a participant out.

use mesh::command::{Session, check};
use proto::conference::v1::{
    DeleteOnSpotConferenceParticipantRequest, DeleteOnSpotConferenceParticipantResponse,
};
use proto::switch::v1::DeleteParticipant;
use proto::switch::v1::conference_command::Command as Deed;
use tonic::{Request, Status};

use super::{Rpc, needed};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<DeleteOnSpotConferenceParticipantRequest>,
) -> Result<DeleteOnSpotConferenceParticipantResponse, Status> {
    let method = "OnSpotConference/delete_on_spot_conference_participant";
    let (session, request) = Session::of(request, method)?;
    let params = DeleteOnSpotConferenceParticipantRequest {
        i_conference: needed("i_conference", request.i_conference)?,
        participant: needed("participant", request.participant)?,
        request_id: None,
    };
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let i_conference = params.i_conference.clone();
    let participant = params.participant.clone();
    let delete = DeleteParticipant { i_conference: i_conference.clone(), participant };
    rpc.act(&session, &i_conference, Deed::Delete(delete), repeatable).await?;
    Ok(DeleteOnSpotConferenceParticipantResponse { success: 1 })
}
