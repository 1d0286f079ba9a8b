//! `Session/change_password`: gives the caller another password. Auth ends the other sessions of
//! the user, and their sockets are closed as for any revocation.

use proto::auth::v1::ChangePasswordRequest as Change;
use proto::session::v1::{ChangePasswordRequest, ChangePasswordResponse};

use super::{authentication, request};
use crate::rpc::{Call, Fault, Outcome};

pub(super) async fn handle(
    call: &Call<'_>,
    params: ChangePasswordRequest,
) -> Result<Outcome, Fault> {
    let session = call.session()?;
    let change = Change { old_password: params.old_password, new_password: params.new_password };
    let changed = authentication(call).change_password(request(call, change)).await;
    changed.map_err(|status| Fault::from_status(call.method, &status))?;
    // The caller's session goes on, but no more for who still knows the old password.
    call.edge.remembered.forget_session(session.token());
    Ok(Outcome::new(&ChangePasswordResponse { success: 1 }))
}
