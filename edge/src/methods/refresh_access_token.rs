//! `Session/refresh_access_token`: new tokens; a socket of the session goes on with them.

use std::sync::Arc;

use mesh::fault::Code;
use mesh::token::TokenError;
use proto::auth::v1::RefreshSessionRequest;
use proto::options::v1::{Component, Level};
use proto::session::v1::{RefreshAccessTokenRequest, RefreshAccessTokenResponse};

use super::{authentication, request, tokens};
use crate::rpc::{After, Call, Fault, Outcome};
use crate::subscribed;

pub(super) async fn handle(
    call: &Call<'_>,
    params: RefreshAccessTokenRequest,
) -> Result<Outcome, Fault> {
    let refresh = RefreshSessionRequest { refresh_token: params.refresh_token };
    // The access token may have expired: auth must not be given it.
    let mut refresh = request(call, refresh);
    refresh.metadata_mut().remove(mesh::metadata::AUTHORIZATION);
    let refreshed = authentication(call).refresh_session(refresh).await;
    let refreshed = refreshed.map_err(|status| Fault::from_status(call.method, &status))?;
    let tokens = tokens(call.method, refreshed.into_inner().tokens)?;

    let session = call.verify(&tokens.access_token).await.map_err(|error| match error {
        // Of another realm than the listener's. It may be used where it belongs within the
        // tolerance for repeated ones.
        TokenError::Malformed => {
            let message = "the refresh token is not good";
            Fault::new(call.method, Code::Unauthenticated, "REFRESH_FAILED", message)
        }
        error => Fault::token(call.method, error),
    })?;
    if let Some(socket) = call.origin.socket()
        && socket.session().is_some_and(|present| present.id() == session.id())
    {
        if !session.caller.may(Component::CallControl, Level::Read) {
            call.edge.live.leave(socket.id);
        }
        socket.set_session(Some(Arc::clone(&session)));
    }
    if session.is_subscribed() {
        subscribed::note(call.edge, &session).await;
    }
    let after =
        After::SetCookie { token: tokens.access_token.clone(), expires_in: tokens.expires_in };
    Ok(Outcome::new(&RefreshAccessTokenResponse {
        session_id: tokens.session_id,
        access_token: tokens.access_token,
        refresh_token: tokens.refresh_token,
        expires_at: tokens.expires_at_us,
        expires_in: tokens.expires_in,
    })
    .then(after))
}
