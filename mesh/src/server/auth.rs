//! Who calls, and may they: by the contract's options of the RPC.

use std::sync::Arc;

use http::Request;
use tonic::Status;

use crate::caller::{self, Caller};
use crate::fault::{self, Code};
use crate::metadata;
use crate::methods::{Access, Rpc};
use crate::token::{TokenError, Verifier};

/// Puts the caller into the request's extensions, or refuses.
///
/// A public method needs a good token of a realm and role that may call it. An internal RPC and
/// an anonymous method take one when there is one; an anonymous method ignores a bad one, since
/// e.g. a session is refreshed when its token has expired.
pub(super) async fn authenticate<B>(
    verifier: Option<&Verifier>,
    rpc: Option<&Rpc>,
    request: &mut Request<B>,
) -> Result<(), Status> {
    let access = rpc.and_then(|rpc| rpc.access.as_ref());
    let needs_session = access.is_some_and(|access| !access.is_anonymous);
    let caller = match (verifier, metadata::token(request.headers())) {
        (Some(verifier), Some(token)) => Some(verifier.verify(token).await),
        _ => None,
    };
    let caller = match caller {
        Some(Ok(caller)) => Some(caller),
        Some(Err(error)) if access.is_none_or(|access| !access.is_anonymous) => {
            return Err(refused(error));
        }
        Some(Err(_)) | None => None,
    };
    match (caller, access) {
        (Some(caller), Some(access)) if needs_session => {
            if !allows(access, &caller) {
                return Err(denied());
            }
            request.extensions_mut().insert(caller);
        }
        (Some(caller), _) => {
            request.extensions_mut().insert::<Arc<Caller>>(caller);
        }
        (None, _) if needs_session => return Err(caller::not_authenticated()),
        (None, _) => {}
    }
    Ok(())
}

fn allows(access: &Access, caller: &Caller) -> bool {
    access.realms.contains(&caller.scope.realm()) && caller.may(access.component, access.level)
}

fn refused(error: TokenError) -> Status {
    fault::status(fault::DOMAIN, &error)
}

fn denied() -> Status {
    fault::own(Code::PermissionDenied, "ACCESS_DENIED", "the realm or role does not allow it")
}
