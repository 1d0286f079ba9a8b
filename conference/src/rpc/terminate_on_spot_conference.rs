//! `OnSpotConference/terminate_on_spot_conference`: ends a conference and every leg in it.

use mesh::command::{Session, check};
use proto::conference::v1::{TerminateOnSpotConferenceRequest, TerminateOnSpotConferenceResponse};
use proto::switch::v1::TerminateConference;
use proto::switch::v1::conference_command::Command as Deed;
use tonic::{Request, Status};

use super::{Rpc, needed};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<TerminateOnSpotConferenceRequest>,
) -> Result<TerminateOnSpotConferenceResponse, Status> {
    let method = "OnSpotConference/terminate_on_spot_conference";
    let (session, request) = Session::of(request, method)?;
    let i_conference = needed("i_conference", request.i_conference)?;
    let params =
        TerminateOnSpotConferenceRequest { i_conference: i_conference.clone(), request_id: None };
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let terminate = TerminateConference { i_conference: i_conference.clone() };
    rpc.act(&session, &i_conference, Deed::Terminate(terminate), repeatable).await?;
    Ok(TerminateOnSpotConferenceResponse { success: 1 })
}
