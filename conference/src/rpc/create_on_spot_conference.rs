//! `OnSpotConference/create_on_spot_conference`: turns an active call into a conference.
//!
//! The owner's service configuration is read here, before anything is done, and judged by the
//! engine behind what the contract checks before it.

use mesh::command::{Refusal, Session, check};
use proto::call::v1::{CallInfo, CallRef, Type};
use proto::conference::v1::{CreateOnSpotConferenceRequest, CreateOnSpotConferenceResponse};
use proto::switch::v1::conference_command::Command as Deed;
use proto::switch::v1::{Account, ConferenceOwner, CreateConference};
use tonic::{Request, Status};

use super::{Rpc, command, name};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<CreateOnSpotConferenceRequest>,
) -> Result<CreateOnSpotConferenceResponse, Status> {
    let (session, request) = Session::of(request, "OnSpotConference/create_on_spot_conference")?;
    let call = check::call(request.call.as_ref())?;
    name(&request.name)?;
    check::prompts(&request.prompts)?;
    let named = check::given(request.owner_account_id);
    let params = CreateOnSpotConferenceRequest {
        call: Some(call.clone()),
        name: request.name.clone(),
        owner_account_id: named.clone(),
        prompts: request.prompts.clone(),
        request_id: None,
    };
    let repeatable = check::repeatable(request.request_id.as_deref(), &params)?;
    let may_be_gone = repeatable.is_some() || !request.prompts.is_empty();
    let owner = owner(rpc, &session, &call, named.as_deref(), may_be_gone).await?;
    let create = CreateConference {
        call: Some(call.clone()),
        name: request.name,
        owner: Some(owner),
        prompts: request.prompts,
    };
    let command = command(Deed::Create(create));
    let done = rpc.commands.act(&session, &call, command, repeatable).await?;
    Ok(CreateOnSpotConferenceResponse {
        conference: Some(check::answered(done.conference, "conference")?),
    })
}

/// Who is to own it: in the account realm the session's account; above it the one that is named,
/// else that of the converting leg, else of the calling, else of the called party.
async fn owner(
    rpc: &Rpc,
    session: &Session,
    call: &CallRef,
    named: Option<&str>,
    may_be_gone: bool,
) -> Result<ConferenceOwner, Refusal> {
    let account_id = match (session.scope().i_account(), named) {
        (Some(_), named) => rpc.directory.account(session, named, None).await?.account_id,
        (None, Some(named)) => named.to_owned(),
        (None, None) => match rpc.commands.read(session, call).await {
            Ok(legs) => party_of(&legs, call)?,
            // The call may be over and the answer known, or the prompts may be bad, which comes
            // first: whoever has the call says so.
            Err(Refusal::Engine { .. } | Refusal::CallNotFound(_)) if may_be_gone => {
                let account = Some(Account::default());
                return Ok(ConferenceOwner { account, ..ConferenceOwner::default() });
            }
            Err(refusal) => return Err(refusal),
        },
    };
    rpc.directory.conference_owner(session, &account_id).await
}

fn party_of(legs: &[CallInfo], call: &CallRef) -> Result<String, Refusal> {
    let is_named = |leg: &&CallInfo| {
        let tag = leg.call.as_ref().and_then(|call| call.tag.as_ref());
        call.tag.is_some() && tag == call.tag.as_ref()
    };
    let account_id = |leg: &CallInfo| {
        let party = match leg.r#type() {
            Type::Incoming => leg.callee.as_ref(),
            Type::Outgoing | Type::Unspecified => leg.caller.as_ref(),
        };
        leg.i_account.and(party?.account_id.clone())
    };
    let named = legs.iter().find(is_named).and_then(account_id);
    let party = named.or_else(|| legs.iter().find_map(account_id));
    party.ok_or(Refusal::MissingParam("owner_account_id"))
}
