//! The REST twin: the same methods, one request each.

use std::sync::Arc;

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use mesh::fault::Code;
use mesh::trace;
use proto::api::{self, Method};
use proto::auth::v1::OpenSessionRequest;
use proto::auth::v1::authentication_service_client::AuthenticationServiceClient;
use proto::options::v1::Realm;
use serde_json::{Map, Value};

use super::credentials::{self, Carried};
use super::form;
use super::reply::{self, Reply};
use crate::edge::Edge;
use crate::entrance::Entrance;
use crate::metrics;
use crate::rpc::check::Given;
use crate::rpc::{After, Fault, Origin, answer as rpc_answer, check};
use crate::session::Session;

/// What auth says of a login whose password must be changed first.
const MUST_CHANGE: &str = "Server.Session.alert_You_must_change_password";

/// Answers `POST /rest/{name}`.
pub(super) async fn answer(
    edge: &Arc<Edge>,
    entrance: Entrance,
    name: &str,
    request: Request<Incoming>,
) -> Reply {
    let (head, body) = request.into_parts();
    let Some(method) = api::method(name) else {
        metrics::refused("rest");
        return fault(&Fault::no_such_method(name));
    };
    let body = Limited::new(body, edge.config.max_body_bytes).collect();
    let Ok(Ok(body)) = tokio::time::timeout(edge.config.request_timeout, body).await else {
        metrics::refused("rest");
        return fault(&Fault::not_a_request("the body is too long or did not arrive"));
    };
    let body = body.to_bytes();
    let form = match form::read(&head.headers, &body) {
        Ok(form) => form,
        Err(why) => {
            metrics::refused("rest");
            return fault(&Fault::not_a_request(why));
        }
    };
    let origin = Origin::Rest(entrance);
    let parent = trace::Context::from_headers(&head.headers);
    let checked = async {
        let given = given(edge, &entrance, method, &head.headers, &form.auth_info).await;
        let params = with_login(method, &given, form.params, &form.auth_info);
        check::run(edge, &origin, given, 0, method, &params).await
    };
    let (outcome, trace_id) = rpc_answer::in_span(&origin, method, parent, checked).await;
    match outcome {
        Ok(outcome) => {
            let mut reply = reply::json(outcome.result);
            if let After::SetCookie { token, expires_in } = outcome.after
                && let Some(cookie) = cookie(edge, &entrance, &token, expires_in)
            {
                reply.headers_mut().insert(SET_COOKIE, cookie);
            } else if method.name == "Session/logout"
                && let Some(cookie) = cookie(edge, &entrance, "", 0)
            {
                reply.headers_mut().insert(SET_COOKIE, cookie);
            }
            reply
        }
        Err(refusal) => {
            let mut reply = fault(&refusal);
            if let Ok(value) = HeaderValue::try_from(trace_id) {
                reply.headers_mut().insert("x-trace-id", value);
            }
            reply
        }
    }
}

fn fault(fault: &Fault) -> Reply {
    reply::fault(StatusCode::INTERNAL_SERVER_ERROR, &fault.faultcode, &fault.message)
}

fn cookie(edge: &Edge, entrance: &Entrance, token: &str, expires_in: i64) -> Option<HeaderValue> {
    let is_secure = edge.config.secure_cookie || entrance.is_secure;
    let (name, secure) = (entrance.cookie_name(), if is_secure { "; Secure" } else { "" });
    let text =
        format!("{name}={token}; Path=/; Max-Age={expires_in}; HttpOnly; SameSite=Strict{secure}");
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Who must change the password has no session before: the method that changes it is told who that
/// is, as if the params had said so.
fn with_login(
    method: &Method,
    given: &Given,
    params: Value,
    auth_info: &Map<String, Value>,
) -> Value {
    let must_change = given.as_ref().is_err_and(|fault| fault.faultcode == MUST_CHANGE);
    match (params, method.anonymous_with) {
        (Value::Object(mut params), Some(name)) if must_change && !params.contains_key(name) => {
            for name in [name, "realm"] {
                if let Some(value) = auth_info.get(name) {
                    params.insert(name.to_owned(), value.clone());
                }
            }
            Value::Object(params)
        }
        (params, _) => params,
    }
}

/// The session that a request names: by header, by `auth_info`, by cookie.
pub(super) async fn given(
    edge: &Arc<Edge>,
    entrance: &Entrance,
    method: &'static Method,
    headers: &HeaderMap,
    auth_info: &Map<String, Value>,
) -> Given {
    let text = |name: &str| auth_info.get(name).and_then(Value::as_str).filter(|it| !it.is_empty());
    if let Some(token) = mesh::metadata::token(headers).or_else(|| text("access_token")) {
        return verify(edge, entrance, method, token).await.map(Some);
    }
    if let Some(session_id) = text("session_id") {
        return named(edge, entrance, method, session_id).await.map(Some);
    }
    if let Some(login) = text("login") {
        if method.anonymous {
            // What the method does has nothing to do with who calls it.
            return Ok(None);
        }
        let secret = Secret { password: text("password"), token: text("token") };
        return log_in(edge, entrance, method, login, secret, text("realm")).await.map(Some);
    }
    match credentials::of(headers, &entrance.cookie_name(), &edge.config.allowed_origins) {
        Carried::Token(token) => verify(edge, entrance, method, token).await.map(Some),
        Carried::ForeignOrigin => Err(Fault::access_denied(method)),
        Carried::Nothing => Err(Fault::envelope_missed(method)),
    }
}

async fn verify(
    edge: &Arc<Edge>,
    entrance: &Entrance,
    method: &'static Method,
    token: &str,
) -> Result<Arc<Session>, Fault> {
    edge.session_of(entrance, token).await.map_err(|error| Fault::token(method, error))
}

/// The session of that id: this edge knows it, or auth does.
async fn named(
    edge: &Arc<Edge>,
    entrance: &Entrance,
    method: &'static Method,
    session_id: &str,
) -> Result<Arc<Session>, Fault> {
    if let Some(token) = edge.sessions.token_of(session_id)
        && let Ok(session) = edge.session_of(entrance, &token).await
    {
        return Ok(session);
    }
    let deadline = tokio::time::Instant::now() + edge.config.request_timeout;
    let found = edge.find_session(session_id, deadline).await;
    let token = found.map_err(|status| match Code::from(status.code()) {
        Code::Unauthenticated => Fault::no_such_session(method),
        _ => Fault::from_status(method, &status),
    })?;
    verify(edge, entrance, method, &token).await
}

/// Password or API token.
struct Secret<'a> {
    password: Option<&'a str>,
    token: Option<&'a str>,
}

async fn log_in(
    edge: &Arc<Edge>,
    entrance: &Entrance,
    method: &'static Method,
    login: &str,
    secret: Secret<'_>,
    realm: Option<&str>,
) -> Result<Arc<Session>, Fault> {
    let Secret { password, token } = secret;
    if password.is_none() && token.is_none() {
        return Err(Fault::envelope_missed(method));
    }
    let name = edge.remembered.name(&[
        &entrance.cookie_name(),
        login,
        password.unwrap_or_default(),
        token.unwrap_or_default(),
        realm.unwrap_or_default(),
    ]);
    if let Some(token) = edge.remembered.get(&name) {
        match verify(edge, entrance, method, &token).await {
            Ok(session) => return Ok(session),
            Err(_) => edge.remembered.forget(&name),
        }
    }
    let realm = realm.map(|realm| realm.trim_end_matches('s'));
    let realm = realm.and_then(mesh::caller::realm_of_name).unwrap_or(Realm::Unspecified);
    let Some(realm) = entrance.login_realm(realm) else {
        return Err(Fault::not_authenticated(method));
    };
    let mut request = tonic::Request::new(OpenSessionRequest {
        login: login.to_owned(),
        password: password.map(str::to_owned),
        token: token.filter(|_| password.is_none()).map(str::to_owned),
        realm: realm.into(),
        address: entrance.address.to_string(),
    });
    let deadline = tokio::time::Instant::now() + edge.config.request_timeout;
    mesh::deadline::set(&mut request, deadline);
    let opened = AuthenticationServiceClient::new(edge.auth.clone()).open_session(request).await;
    let opened = opened.map_err(|status| Fault::from_status(method, &status))?;
    let tokens = opened.into_inner().tokens.ok_or_else(|| Fault::internal(method))?;
    let session = verify(edge, entrance, method, &tokens.access_token).await?;
    edge.remembered.put(name, tokens.access_token);
    Ok(session)
}
