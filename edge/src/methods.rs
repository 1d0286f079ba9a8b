//! The methods that the edge answers itself, one module each. All others are forwarded without
//! being known by name.

mod authenticate;
mod change_password;
mod disable_api_notifications;
mod discover;
mod enable_api_notifications;
mod get_session_data;
mod login;
mod login_to_realm;
mod logout;
mod ping;
mod refresh_access_token;

use std::time::Duration;

use bytes::Bytes;
use mesh::fault::Code;
use proto::api::Method;
use proto::auth::v1::Tokens;
use proto::auth::v1::authentication_service_client::AuthenticationServiceClient;
use tokio::time::Instant;

use crate::rpc::{Call, Fault, Outcome};

/// Answers one of the edge's own methods; `request` is its encoded request message.
pub(crate) async fn handle(call: &Call<'_>, request: Bytes) -> Result<Outcome, Fault> {
    match call.method.name {
        "Session/login" => login::handle(call, read(call, request)?).await,
        "Session/login_to_realm" => login_to_realm::handle(call, read(call, request)?).await,
        "Session/authenticate" => authenticate::handle(call, read(call, request)?).await,
        "Session/ping" => ping::handle(call, read(call, request)?).await,
        "Session/refresh_access_token" => {
            refresh_access_token::handle(call, read(call, request)?).await
        }
        "Session/get_session_data" => get_session_data::handle(call).await,
        "Session/change_password" => change_password::handle(call, read(call, request)?).await,
        "Session/logout" => logout::handle(call, read(call, request)?).await,
        "CallControl/enable_api_notifications" => {
            enable_api_notifications::handle(call, read(call, request)?).await
        }
        "CallControl/disable_api_notifications" => {
            disable_api_notifications::handle(call, &read(call, request)?).await
        }
        "rpc.discover" => Ok(discover::handle()),
        _ => Err(Fault::not_implemented(call.method)),
    }
}

/// A param that one of the edge's own methods misses and the contract's options cannot say: one of
/// several that stand for each other.
pub(crate) fn missing(method: &Method, params: &serde_json::Value) -> Option<&'static str> {
    let is_given = |name: &str| params.get(name).is_some_and(|value| !value.is_null());
    let has_none = method.name == "Session/login" && !is_given("password") && !is_given("token");
    has_none.then_some("password")
}

fn read<T: prost::Message + Default>(call: &Call<'_>, request: Bytes) -> Result<T, Fault> {
    // It was encoded from checked params just now.
    T::decode(request).map_err(|_| Fault::internal(call.method))
}

/// Where sessions are opened and ended.
fn authentication(call: &Call<'_>) -> AuthenticationServiceClient<mesh::client::Pool> {
    AuthenticationServiceClient::new(call.edge.auth.clone())
}

/// A request to auth with a deadline, and the session's token if there is one.
fn request<T>(call: &Call<'_>, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    mesh::deadline::set(&mut request, Instant::now() + call.edge.config.request_timeout);
    if let Some(session) = &call.session {
        let token = session.credential.authorization();
        request.metadata_mut().insert(mesh::metadata::AUTHORIZATION, token);
    }
    request
}

/// The tokens of an answer of auth.
fn tokens(method: &'static Method, tokens: Option<Tokens>) -> Result<Tokens, Fault> {
    tokens.ok_or_else(|| Fault::internal(method))
}

/// Verifies the token of a session that was just opened, and makes it the socket's if the request
/// came over one.
async fn enter(call: &Call<'_>, tokens: &Tokens) -> Result<(), Fault> {
    let session = call
        .verify(&tokens.access_token)
        .await
        .map_err(|error| Fault::token(call.method, error))?;
    match call.origin.socket() {
        Some(socket) if !call.edge.authenticate(socket, &session) => {
            Err(Fault::limit_reached(call.method, Duration::from_secs(1)))
        }
        _ => Ok(()),
    }
}

/// A wrong use of params that the contract's options cannot say.
fn invalid(call: &Call<'_>, message: &str, params: &[&str]) -> Fault {
    Fault::new(call.method, Code::InvalidArgument, "INVALID_PARAM", message).with_params(params)
}
