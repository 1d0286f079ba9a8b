//! `Session/login`: opens a session; over a WebSocket it becomes the socket's.

use mesh::fault::Code;
use proto::auth::v1::OpenSessionRequest;
use proto::options::v1::Realm;
use proto::session::v1::{LoginRequest, LoginResponse};

use super::{authentication, enter, invalid, request, tokens};
use crate::rpc::{After, Call, Fault, Outcome};

pub(super) async fn handle(call: &Call<'_>, params: LoginRequest) -> Result<Outcome, Fault> {
    match (&params.password, &params.token) {
        (Some(_), Some(_)) => {
            return Err(invalid(call, "`password` and `token` exclude each other", &["token"]));
        }
        (None, None) => {
            let message = "`password` or `token` is required";
            return Err(Fault::new(call.method, Code::InvalidArgument, "MISSING_PARAM", message)
                .with_params(&["password"]));
        }
        _ => {}
    }
    let entrance = call.origin.entrance();
    let asked = Realm::try_from(params.realm).unwrap_or(Realm::Unspecified);
    // On a listener that is bound to another realm the login does not exist.
    let realm = entrance.login_realm(asked).ok_or_else(|| {
        Fault::new(call.method, Code::Unauthenticated, "AUTH_FAILED", "login or password is wrong")
    })?;
    let open = OpenSessionRequest {
        login: params.login,
        password: params.password,
        token: params.token,
        realm: realm.into(),
        address: entrance.address.to_string(),
    };
    // The session on the socket, if any, has nothing to do with the new one.
    let mut open = request(call, open);
    open.metadata_mut().remove(mesh::metadata::AUTHORIZATION);
    let opened = authentication(call).open_session(open).await;
    let opened = opened.map_err(|status| Fault::from_status(call.method, &status))?;
    let tokens = tokens(call.method, opened.into_inner().tokens)?;
    enter(call, &tokens).await?;
    let after =
        After::SetCookie { token: tokens.access_token.clone(), expires_in: tokens.expires_in };
    Ok(Outcome::new(&LoginResponse {
        session_id: tokens.session_id,
        access_token: tokens.access_token,
        refresh_token: tokens.refresh_token,
        expires_at: tokens.expires_at_us,
        expires_in: tokens.expires_in,
    })
    .then(after))
}
