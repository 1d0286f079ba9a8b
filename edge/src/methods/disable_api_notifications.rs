//! `CallControl/disable_api_notifications`: ends a subscription of this socket, or all.

use mesh::fault::Code;
use proto::callcontrol::v1::{DisableApiNotificationsRequest, DisableApiNotificationsResponse};

use crate::rpc::{Call, Fault, Origin, Outcome};
use crate::subscribed;

pub(super) async fn handle(
    call: &Call<'_>,
    params: &DisableApiNotificationsRequest,
) -> Result<Outcome, Fault> {
    let id = params.subscription_id.as_deref();
    let is_ended = match call.origin {
        Origin::Socket(socket) => call.edge.live.unsubscribe(socket.id, id),
        Origin::Rest(_) => call.session()?.shared.unsubscribe_over_rest(id),
    };
    if !is_ended && id.is_some() {
        let message = "there is no such subscription here";
        return Err(Fault::new(call.method, Code::NotFound, "SUBSCRIPTION_NOT_FOUND", message));
    }
    subscribed::note(call.edge, call.session()?).await;
    Ok(Outcome::new(&DisableApiNotificationsResponse { success: 1 }))
}
