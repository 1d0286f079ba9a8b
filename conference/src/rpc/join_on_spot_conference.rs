//! `OnSpotConference/join_on_spot_conference`: calls an account's phone in, or changes how the
//! account takes part.

use mesh::command::{Refusal, Session, check};
use proto::conference::v1::{JoinMode, JoinOnSpotConferenceRequest, JoinOnSpotConferenceResponse};
use proto::switch::v1::JoinConference;
use proto::switch::v1::conference_command::Command as Deed;
use tonic::{Request, Status};

use super::{Rpc, needed};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<JoinOnSpotConferenceRequest>,
) -> Result<JoinOnSpotConferenceResponse, Status> {
    let (session, request) = Session::of(request, "OnSpotConference/join_on_spot_conference")?;
    let i_conference = needed("i_conference", request.i_conference)?;
    let mode = match JoinMode::try_from(request.mode) {
        Ok(JoinMode::Unspecified) => return Err(Refusal::MissingParam("mode").into()),
        Ok(mode) => mode.into(),
        Err(_unknown) => {
            let rule = "must be listen_only, private_talk or full";
            return Err(Refusal::InvalidParam { param: "mode", rule }.into());
        }
    };
    let named = check::given(request.account_id);
    let request_id = check::request_id(request.request_id.as_deref())?;
    let account = rpc.directory.account(&session, named.as_deref(), None).await?;
    let params = JoinOnSpotConferenceRequest {
        i_conference: i_conference.clone(),
        mode,
        account_id: Some(account.account_id.clone()),
        request_id: None,
    };
    let repeatable = check::repeatable(request_id, &params)?;
    let account = Some(account);
    let join = JoinConference { i_conference: i_conference.clone(), account, mode };
    rpc.act(&session, &i_conference, Deed::Join(join), repeatable).await?;
    Ok(JoinOnSpotConferenceResponse { success: 1 })
}
