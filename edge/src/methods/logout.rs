//! `Session/logout`: ends a session everywhere.

use std::sync::Arc;

use mesh::fault::Code;
use mesh::token::TokenError;
use proto::auth::v1::EndSessionRequest;
use proto::session::v1::{LogoutRequest, LogoutResponse};

use super::{authentication, request};
use crate::rpc::{After, Call, Fault, Outcome};

pub(super) async fn handle(call: &Call<'_>, params: LogoutRequest) -> Result<Outcome, Fault> {
    let own = call.session()?;
    let session = match &params.access_token {
        None => Arc::clone(own),
        Some(token) => call.verify(token).await.map_err(|error| match error {
            TokenError::Malformed | TokenError::BadSignature | TokenError::UnknownKey => {
                Fault::new(
                    call.method,
                    Code::InvalidArgument,
                    "ACCESS_TOKEN_INVALID",
                    error.to_string(),
                )
            }
            TokenError::Expired | TokenError::Revoked => Fault::not_authenticated(call.method),
            TokenError::KeysUnavailable => Fault::unavailable(call.method, "authentication"),
        })?,
    };
    let mut end = request(call, EndSessionRequest {});
    end.metadata_mut().insert(mesh::metadata::AUTHORIZATION, session.authorization.clone());
    let ended = authentication(call).end_session(end).await;
    ended.map_err(|status| Fault::from_status(call.method, &status))?;

    call.edge.sessions.forget(session.id());
    let outcome = Outcome::new(&LogoutResponse { success: 1 });
    Ok(if session.id() == own.id() { outcome.then(After::CloseRevoked) } else { outcome })
}
