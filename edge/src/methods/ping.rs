//! `Session/ping`: says whether a session is alive.

use mesh::caller::{Caller, Scope};
use mesh::fault::Code;
use mesh::token::TokenError;
use proto::session::v1::{PingRequest, PingResponse};

use crate::rpc::{Call, Fault, Outcome};

pub(super) async fn handle(call: &Call<'_>, params: PingRequest) -> Result<Outcome, Fault> {
    let user_id = match &params.access_token {
        Some(token) => match call.edge.caller_of(call.origin.entrance(), token).await {
            Ok(caller) => user_id(&caller),
            Err(TokenError::Expired | TokenError::Revoked) => 0,
            Err(TokenError::KeysUnavailable) => {
                return Err(Fault::unavailable(call.method, "authentication"));
            }
            Err(
                error @ (TokenError::Malformed | TokenError::BadSignature | TokenError::UnknownKey),
            ) => {
                return Err(Fault::new(
                    call.method,
                    Code::InvalidArgument,
                    "ACCESS_TOKEN_INVALID",
                    error.to_string(),
                ));
            }
        },
        None => call
            .session
            .as_ref()
            .filter(|session| call.edge.verifier.still_good(&session.caller).is_ok())
            .map_or(0, |session| user_id(&session.caller)),
    };
    Ok(Outcome::new(&PingResponse { user_id }))
}

/// `i_user`, `i_reseller`, `i_customer` or `i_account`.
pub(super) fn user_id(caller: &Caller) -> i64 {
    match caller.scope {
        // The subject is `admin:<i_user>`.
        Scope::Everything => {
            caller.user.rsplit(':').next().and_then(|number| number.parse().ok()).unwrap_or(1)
        }
        Scope::Reseller { i_reseller } => i_reseller,
        Scope::Customer { i_customer } => i_customer,
        Scope::Account { i_account, .. } => i_account,
    }
}
