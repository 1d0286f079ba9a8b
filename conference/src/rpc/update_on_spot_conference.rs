//! `OnSpotConference/update_on_spot_conference`: gives a conference another name or owner.

use mesh::command::{Session, check};
use proto::conference::v1::{UpdateOnSpotConferenceRequest, UpdateOnSpotConferenceResponse};
use proto::switch::v1::ChangeConference;
use proto::switch::v1::conference_command::Command as Deed;
use tonic::{Request, Status};

use super::{Rpc, name, needed};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<UpdateOnSpotConferenceRequest>,
) -> Result<UpdateOnSpotConferenceResponse, Status> {
    let (session, request) = Session::of(request, "OnSpotConference/update_on_spot_conference")?;
    let params = UpdateOnSpotConferenceRequest {
        i_conference: needed("i_conference", request.i_conference)?,
        owner_account_id: check::given(request.owner_account_id),
        name: request.name,
        request_id: None,
    };
    params.name.as_deref().map_or(Ok(()), name)?;
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let owner = match &params.owner_account_id {
        Some(id) => Some(rpc.directory.conference_owner(&session, id).await?),
        None => None,
    };
    let i_conference = params.i_conference.clone();
    let change =
        ChangeConference { i_conference: i_conference.clone(), owner, name: params.name.clone() };
    rpc.act(&session, &i_conference, Deed::Change(change), repeatable).await?;
    Ok(UpdateOnSpotConferenceResponse { success: 1 })
}
