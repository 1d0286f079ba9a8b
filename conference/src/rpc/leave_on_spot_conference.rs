//! `OnSpotConference/leave_on_spot_conference`: takes an account out; the rest goes on.

use mesh::command::{Session, check};
use proto::conference::v1::{LeaveOnSpotConferenceRequest, LeaveOnSpotConferenceResponse};
use proto::switch::v1::LeaveConference;
use proto::switch::v1::conference_command::Command as Deed;
use tonic::{Request, Status};

use super::{Rpc, needed};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<LeaveOnSpotConferenceRequest>,
) -> Result<LeaveOnSpotConferenceResponse, Status> {
    let (session, request) = Session::of(request, "OnSpotConference/leave_on_spot_conference")?;
    let i_conference = needed("i_conference", request.i_conference)?;
    let named = check::given(request.account_id);
    let request_id = check::request_id(request.request_id.as_deref())?;
    let account = rpc.directory.account(&session, named.as_deref(), None).await?;
    let params = LeaveOnSpotConferenceRequest {
        i_conference: i_conference.clone(),
        account_id: Some(account.account_id.clone()),
        request_id: None,
    };
    let repeatable = check::repeatable(request_id, &params)?;
    let leave = LeaveConference { i_conference: i_conference.clone(), account: Some(account) };
    rpc.act(&session, &i_conference, Deed::Leave(leave), repeatable).await?;
    Ok(LeaveOnSpotConferenceResponse { success: 1 })
}
