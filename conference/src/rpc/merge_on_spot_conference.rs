//! `OnSpotConference/merge_on_spot_conference`: moves everybody of one conference into another.

use mesh::command::{Session, check};
use proto::conference::v1::{MergeOnSpotConferenceRequest, MergeOnSpotConferenceResponse};
use proto::switch::v1::MergeConferences;
use proto::switch::v1::conference_command::Command as Deed;
use tonic::{Request, Status};

use super::{Rpc, needed};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<MergeOnSpotConferenceRequest>,
) -> Result<MergeOnSpotConferenceResponse, Status> {
    let (session, request) = Session::of(request, "OnSpotConference/merge_on_spot_conference")?;
    let params = MergeOnSpotConferenceRequest {
        i_conference: needed("i_conference", request.i_conference)?,
        from_i_conference: needed("from_i_conference", request.from_i_conference)?,
        request_id: None,
    };
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let i_conference = params.i_conference.clone();
    let from_i_conference = params.from_i_conference.clone();
    let merge = MergeConferences { i_conference: i_conference.clone(), from_i_conference };
    rpc.act(&session, &i_conference, Deed::Merge(merge), repeatable).await?;
    Ok(MergeOnSpotConferenceResponse { success: 1 })
}
