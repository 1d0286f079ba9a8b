//! `Session/authenticate`: gives a socket the session of a token obtained elsewhere.

use proto::session::v1::{AuthenticateRequest, AuthenticateResponse};

use crate::rpc::{Call, Fault, Outcome};

pub(super) async fn handle(call: &Call<'_>, params: AuthenticateRequest) -> Result<Outcome, Fault> {
    let session = call
        .verify(&params.access_token)
        .await
        .map_err(|error| Fault::token(call.method, error))?;
    let socket = call.origin.socket().ok_or_else(|| Fault::no_such_method(call.method.name))?;
    if !call.edge.authenticate(socket, &session) {
        return Err(Fault::limit_reached(call.method, std::time::Duration::from_secs(1)));
    }
    Ok(Outcome::new(&AuthenticateResponse {
        session_id: session.id().to_owned(),
        realm: session.caller.scope.realm().into(),
        expires_in: session.expires_in(call.edge.clock.now().as_seconds()),
    }))
}
