//! `Session/change_password`: gives the caller, or who proves to be `login`, another password.
//! Auth ends all sessions of the user, and their sockets are closed as for any revocation: the one
//! that asked after it has its answer.

use std::sync::Arc;

use mesh::fault::Code;
use mesh::token::{Revocation, Subject};
use proto::auth::v1::ChangePasswordRequest as Change;
use proto::options::v1::Realm;
use proto::session::v1::{ChangePasswordRequest, ChangePasswordResponse};

use super::{authentication, request};
use crate::rpc::{After, Call, Fault, Outcome};
use crate::session::Session;

pub(super) async fn handle(
    call: &Call<'_>,
    params: ChangePasswordRequest,
) -> Result<Outcome, Fault> {
    let session = match &params.login {
        Some(_) => None,
        None => Some(call.session()?),
    };
    let entrance = call.origin.entrance();
    let asked = Realm::try_from(params.realm).unwrap_or(Realm::Unspecified);
    // On a listener that is bound to another realm the login does not exist.
    let realm = entrance.login_realm(asked).ok_or_else(|| {
        let message = "login or password is wrong";
        Fault::new(call.method, Code::Unauthenticated, "OLD_PASSWORD_WRONG", message)
    })?;
    let mut change = request(
        call,
        Change {
            old_password: params.old_password,
            new_password: params.new_password,
            login: params.login,
            realm: realm.into(),
            address: entrance.address.to_string(),
        },
    );
    if session.is_none() {
        change.metadata_mut().remove(mesh::metadata::AUTHORIZATION);
    }
    let socket = call.origin.socket();
    let leaving = |is_leaving| {
        if let Some(socket) = socket {
            socket.set_leaving(is_leaving);
        }
    };
    // The revocation may come before the answer of auth.
    leaving(true);
    if let Err(status) = authentication(call).change_password(change).await {
        leaving(false);
        return Err(Fault::from_status(call.method, &status));
    }
    if let Some(session) = session {
        // Auth pushes it too, but who has the answer may ask again at once.
        let subject = Subject::Session(session.id().to_owned());
        call.edge.verifier.revoke(Revocation { subject, epoch: 0, ends: true });
        call.edge.sessions.forget(session.id());
        call.edge.remembered.forget_session(session.token());
    }
    let outcome = Outcome::new(&ChangePasswordResponse { success: 1 });
    let is_over = |session: Arc<Session>| call.edge.verifier.still_good(&session.caller).is_err();
    if socket.and_then(|socket| socket.session()).is_some_and(is_over) {
        return Ok(outcome.then(After::CloseRevoked));
    }
    leaving(false);
    Ok(outcome)
}
