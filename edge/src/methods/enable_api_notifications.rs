//! `CallControl/enable_api_notifications`: subscribes a socket; over REST it only marks the
//! session as subscribed.

mod scope;
mod snapshot;

use std::time::Duration;

use mesh::cursor::Cursor;
use mesh::fault::Code;
use proto::callcontrol::v1::{EnableApiNotificationsRequest, EnableApiNotificationsResponse};

use crate::live::filter::Filter;
use crate::live::{JoinError, Wanted};
use crate::rpc::{After, Call, Fault, Origin, Outcome};
use crate::subscribed;

/// When to try again when the notifier has no room.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Seconds for which the log keeps what follows a cursor. The log's retention is an hour.
const CURSOR_LASTS: i64 = 3_600;

pub(super) async fn handle(
    call: &Call<'_>,
    params: EnableApiNotificationsRequest,
) -> Result<Outcome, Fault> {
    let session = call.session()?;
    let resume_from = match params.resume_from.as_deref().map(Cursor::decode) {
        None => None,
        Some(Ok(cursor)) => Some(cursor),
        Some(Err(_)) => return Err(invalid_cursor(call)),
    };
    let scope = scope::of(call, &params).await?;
    let filter = Filter::new(&params.kinds, &params.states);
    let subscription_id = filter.subscription_id(&scope);
    let joined = call.edge.live.join(scope.clone(), session).await;
    let joined = joined.map_err(|error| unable(call, &params, &error))?;

    let mut response = EnableApiNotificationsResponse {
        success: 1,
        subscription_id,
        cursor: String::new(),
        cursor_expires_in: CURSOR_LASTS,
        calls_list: Vec::new(),
    };
    let Origin::Socket(socket) = call.origin else {
        response.cursor = joined.cursor();
        if params.include_snapshot {
            response.calls_list = snapshot::take(call, &scope).await?;
        }
        session.shared.subscribe_over_rest(&response.subscription_id);
        subscribed::note(call.edge, session).await;
        return Ok(outcome(&params, &response));
    };
    let wanted = Wanted { filter, resume_from, generation: call.generation };
    let subscribed = call
        .edge
        .live
        .subscribe(&joined, socket, session, &response.subscription_id, wanted)
        .map_err(|error| unable(call, &params, &error))?;
    response.cursor = subscribed.cursor;
    crate::subscribed::note(call.edge, session).await;
    if params.include_snapshot {
        // Read after the cursor was taken: events wait until the answer is sent.
        match snapshot::take(call, &scope).await {
            Ok(calls_list) => response.calls_list = calls_list,
            Err(fault) => {
                if subscribed.is_new {
                    call.edge.live.unsubscribe(socket.id, Some(&response.subscription_id));
                } else if let Some(activation) = subscribed.activation {
                    call.edge.live.activate(activation);
                }
                return Err(fault);
            }
        }
    }
    let after = subscribed.activation.map_or(After::Nothing, After::Activate);
    Ok(outcome(&params, &response).then(after))
}

/// The answer; a snapshot is there also when it is empty.
fn outcome(
    params: &EnableApiNotificationsRequest,
    response: &EnableApiNotificationsResponse,
) -> Outcome {
    let outcome = Outcome::new(response);
    if params.include_snapshot && response.calls_list.is_empty() {
        return outcome.with_empty_list("calls_list");
    }
    outcome
}

fn invalid_cursor(call: &Call<'_>) -> Fault {
    let message = "`resume_from` is no cursor of this environment";
    Fault::new(call.method, Code::InvalidArgument, "INVALID_CURSOR", message)
        .with_params(&["resume_from"])
}

fn unable(call: &Call<'_>, params: &EnableApiNotificationsRequest, error: &JoinError) -> Fault {
    match error {
        JoinError::Refused(reason) => match reason.as_str() {
            // What may not be seen looks absent.
            "ACCESS_DENIED" | "INVALID_SCOPE" => scope::not_found(call, params),
            // As the token's verification names them: not known yet, and not good.
            "UNAVAILABLE" => Fault::unavailable(call.method, "notifier"),
            "AUTH_FAILED" | "JWT_INVALID" => Fault::not_authenticated(call.method),
            _ => Fault::limit_reached(call.method, RETRY_AFTER),
        },
        JoinError::Unavailable => Fault::unavailable(call.method, "notifier"),
        JoinError::Gone => Fault::not_authenticated(call.method),
    }
}
