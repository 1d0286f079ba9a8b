//! Gives a request to the service that answers it: raw bytes by path, and metadata that is the
//! same for every method. No method is known by name here.

use bytes::Bytes;
use http::HeaderValue;
use mesh::client::Ask;
use mesh::metadata;
use proto::api::Method;
use tokio::time::Instant;
use tracing::error;

use super::{Call, Fault, Origin, Outcome};
use crate::renewal;

/// The code of a request whose token is not good.
const NOT_AUTHENTICATED: i32 = -32001;

/// Forwards and writes the answer as JSON.
pub(crate) async fn forward(call: &Call<'_>, request: Bytes) -> Result<Outcome, Fault> {
    let session = call.session()?;
    let sent = unary(call, call.method, request.clone(), session.is_subscribed()).await;
    let response = match (sent, call.origin.socket()) {
        // A service may have heard before the edge that the rights of a session changed. It says so
        // before it looks at the request, which may be sent again with the new ones.
        (Err(refused), Some(socket)) if refused.code == NOT_AUTHENTICATED => {
            let renewed = renewal::newer(call.edge, socket, session).await.ok_or(refused)?;
            if !renewed.caller.may(call.method.component, call.method.level) {
                return Err(Fault::access_denied(call.method));
            }
            let call = Call { session: Some(renewed), ..*call };
            unary(&call, call.method, request, session.is_subscribed()).await?
        }
        (sent, _) => sent?,
    };
    let result = (call.method.write_result)(&response).map_err(|problem| {
        error!(method = call.method.name, error = %problem, "answer of a service is unreadable");
        Fault::internal(call.method)
    })?;
    Ok(Outcome { result, after: super::After::Nothing })
}

/// Calls `target`, which may be another method than the one that the application called. Commands
/// share one stream; what only reads may have long answers, behind which they would wait.
pub(crate) async fn unary(
    call: &Call<'_>,
    target: &'static Method,
    request: Bytes,
    is_subscribed: bool,
) -> Result<Bytes, Fault> {
    let pool = call
        .edge
        .services
        .get(target.grpc_service)
        .ok_or_else(|| Fault::unavailable(call.method, target.owner))?;
    let ask = ask(call, target, request, is_subscribed)?;
    let answer = if target.mutates { pool.ask(ask).await } else { pool.ask_alone(ask).await };
    answer.map_err(|status| Fault::from_status(call.method, &status))
}

/// The request as every service wants it.
fn ask(
    call: &Call<'_>,
    target: &'static Method,
    message: Bytes,
    is_subscribed: bool,
) -> Result<Ask, Fault> {
    if call.request_id.is_some_and(|request_id| HeaderValue::from_str(request_id).is_err()) {
        let message = "`request_id` must be printable ASCII";
        let code = mesh::fault::Code::InvalidArgument;
        let fault = Fault::new(call.method, code, "INVALID_PARAM", message);
        return Err(fault.with_params(&["request_id"]));
    }
    Ok(Ask {
        path: target.grpc_path,
        message,
        credential: call.session.as_ref().map(|session| session.credential.clone()),
        deadline: Instant::now() + call.edge.config.request_timeout,
        method: target.name,
        request_id: call.request_id.map(str::to_owned),
        is_subscribed,
        transport: match call.origin {
            Origin::Socket(_) => metadata::TRANSPORT_WEBSOCKET,
            Origin::Rest(_) => metadata::TRANSPORT_REST,
        },
    })
}
