//! `OnSpotConference/update_on_spot_conference_participant`: mutes or holds, or ends that.

use mesh::command::{Session, check};
use proto::conference::v1::{
    UpdateOnSpotConferenceParticipantRequest, UpdateOnSpotConferenceParticipantResponse,
};
use proto::switch::v1::UpdateParticipant;
use proto::switch::v1::conference_command::Command as Deed;
use tonic::{Request, Status};

use super::{Rpc, needed};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<UpdateOnSpotConferenceParticipantRequest>,
) -> Result<UpdateOnSpotConferenceParticipantResponse, Status> {
    let method = "OnSpotConference/update_on_spot_conference_participant";
    let (session, request) = Session::of(request, method)?;
    let i_conference = needed("i_conference", request.i_conference)?;
    let participant = needed("participant", request.participant)?;
    let (mute, hold) = (request.mute, request.hold);
    let params = UpdateOnSpotConferenceParticipantRequest {
        i_conference: i_conference.clone(),
        participant: participant.clone(),
        mute,
        hold,
        request_id: None,
    };
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let update = UpdateParticipant { i_conference: i_conference.clone(), participant, mute, hold };
    rpc.act(&session, &i_conference, Deed::Update(update), repeatable).await?;
    Ok(UpdateOnSpotConferenceParticipantResponse { success: 1 })
}
