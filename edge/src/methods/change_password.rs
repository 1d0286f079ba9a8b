//! `Session/change_password`: gives the caller, or who proves to be `login`, another password.
//! Auth ends the other sessions of the user, and their sockets are closed as for any revocation.

use mesh::fault::Code;
use proto::auth::v1::ChangePasswordRequest as Change;
use proto::options::v1::Realm;
use proto::session::v1::{ChangePasswordRequest, ChangePasswordResponse};

use super::{authentication, request};
use crate::rpc::{Call, Fault, Outcome};

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
    let changed = authentication(call).change_password(change).await;
    changed.map_err(|status| Fault::from_status(call.method, &status))?;
    if let Some(session) = session {
        // It goes on, but no more for who still knows the old password.
        call.edge.remembered.forget_session(session.token());
    }
    Ok(Outcome::new(&ChangePasswordResponse { success: 1 }))
}
