//! `Session/logout`: ends a session everywhere.

use std::sync::Arc;

use mesh::fault::Code;
use mesh::token::{Revocation, Subject, TokenError};
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
    let socket = call.origin.socket().filter(|_| session.id() == own.id());
    if let Some(socket) = socket {
        // The revocation may come before the answer of auth.
        socket.set_leaving(true);
    }
    let mut end = request(call, EndSessionRequest {});
    end.metadata_mut().insert(mesh::metadata::AUTHORIZATION, session.credential.authorization());
    if let Err(status) = authentication(call).end_session(end).await {
        if let Some(socket) = socket {
            socket.set_leaving(false);
        }
        return Err(Fault::from_status(call.method, &status));
    }
    // Auth pushes it too, but who has the answer may ask again at once.
    let subject = Subject::Session(session.id().to_owned());
    call.edge.verifier.revoke(Revocation { subject, epoch: 0, ends: true });
    call.edge.sessions.forget(session.id());
    let outcome = Outcome::new(&LogoutResponse { success: 1 });
    Ok(if socket.is_some() { outcome.then(After::CloseRevoked) } else { outcome })
}
