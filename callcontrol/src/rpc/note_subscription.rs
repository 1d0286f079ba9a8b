//! `NoteSubscription`: an edge says that a session has subscriptions with it, or none any more.

use std::time::Duration;

use mesh::caller;
use mesh::command::Refusal;
use proto::callcontrol::v1::{NoteSubscriptionRequest, NoteSubscriptionResponse};
use tonic::{Request, Status};

use super::Rpc;

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<NoteSubscriptionRequest>,
) -> Result<NoteSubscriptionResponse, Status> {
    let caller = caller::of(&request)?;
    let NoteSubscriptionRequest { subscriber, lasts_seconds } = request.into_inner();
    let lasts = Duration::from_secs(u64::try_from(lasts_seconds).unwrap_or(0));
    let noted = rpc.lists.note_subscription(&caller, &subscriber, lasts).await;
    noted.map_err(Refusal::Store)?;
    Ok(NoteSubscriptionResponse {})
}
