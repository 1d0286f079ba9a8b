//! `Session/login_to_realm`: opens a session of somebody below; over a WebSocket it becomes the
//! socket's.

use proto::auth::v1::OpenSessionBelowRequest;
use proto::options::v1::Realm;
use proto::session::v1::{LoginToRealmRequest, LoginToRealmResponse};

use super::{authentication, enter, request, tokens};
use crate::rpc::{Call, Fault, Outcome};

pub(super) async fn handle(call: &Call<'_>, params: LoginToRealmRequest) -> Result<Outcome, Fault> {
    let open = OpenSessionBelowRequest { login: params.login, realm: params.realm };
    let opened = authentication(call).open_session_below(request(call, open)).await;
    let opened = opened.map_err(|status| Fault::from_status(call.method, &status))?;
    let tokens = tokens(call.method, opened.into_inner().tokens)?;
    // A listener that is bound to another realm serves no session of this one: its tokens are for
    // where that realm is served, and the socket keeps its session.
    let realm = Realm::try_from(params.realm).unwrap_or(Realm::Unspecified);
    if call.origin.entrance().admits(realm) {
        enter(call, &tokens).await?;
    }
    // No cookie: the caller's own session goes on in its browser.
    Ok(Outcome::new(&LoginToRealmResponse {
        session_id: tokens.session_id,
        access_token: tokens.access_token,
        refresh_token: tokens.refresh_token,
        expires_at: tokens.expires_at_us,
        expires_in: tokens.expires_in,
    }))
}
