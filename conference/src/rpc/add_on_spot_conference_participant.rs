//! `OnSpotConference/add_on_spot_conference_participant`: brings somebody in.

use mesh::command::{Session, check};
use proto::conference::v1::{
    AddOnSpotConferenceParticipantRequest, AddOnSpotConferenceParticipantResponse,
};
use proto::switch::v1::AddParticipant;
use proto::switch::v1::add_participant::Whom;
use proto::switch::v1::conference_command::Command as Deed;
use tonic::{Request, Status};

use super::{Rpc, needed};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<AddOnSpotConferenceParticipantRequest>,
) -> Result<AddOnSpotConferenceParticipantResponse, Status> {
    let method = "OnSpotConference/add_on_spot_conference_participant";
    let (session, request) = Session::of(request, method)?;
    let params = AddOnSpotConferenceParticipantRequest {
        i_conference: needed("i_conference", request.i_conference)?,
        destination: check::given(request.destination),
        account_id: check::given(request.account_id),
        call: request.call.filter(|call| !call.id.is_empty()),
        prompts: request.prompts,
        request_id: None,
    };
    check::prompts(&params.prompts)?;
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let given = [params.destination.is_some(), params.account_id.is_some(), params.call.is_some()];
    check::one_of(&["destination", "account_id", "call"], given)?;
    let whom = if let Some(destination) = &params.destination {
        check::destination("destination", destination)?;
        Whom::Destination(destination.clone())
    } else if let Some(id) = &params.account_id {
        Whom::Account(rpc.directory.colleague(&session, id).await?)
    } else {
        Whom::Call(check::call(params.call.as_ref())?)
    };
    let add = AddParticipant {
        i_conference: params.i_conference.clone(),
        whom: Some(whom),
        prompts: params.prompts.clone(),
    };
    let done = rpc.act(&session, &params.i_conference, Deed::Add(add), repeatable).await?;
    Ok(AddOnSpotConferenceParticipantResponse {
        participant: Some(check::answered(done.participant, "participant")?),
    })
}
