//! Sessions whose rights have changed while a socket has them.
//!
//! A changed role, or scope, makes the tokens of a session outdated without ending it. Its sockets
//! go on: the edge has auth say what the session may now, takes the token that says so for the
//! socket, and ends the subscriptions that are not allowed any more. Until that is done requests of
//! the socket wait; a socket for which it does not come about in time is closed as one whose token
//! has expired, so that nothing of the former rights outlives their change by a second.
//!
//! The client's own copy of the token stays outdated: with it, a new socket or a REST request is
//! refused, and the client refreshes.
//!
//! A session that was refreshed elsewhere (over REST, on another socket or edge) has a newer token
//! too: a socket whose own is about to end goes on with that one.

use std::sync::Arc;
use std::time::Duration;

use mesh::fault::Code;
use proto::auth::v1::authentication_service_client::AuthenticationServiceClient;
use proto::auth::v1::authorization_service_client::AuthorizationServiceClient;
use proto::auth::v1::check_scope_request::Of;
use proto::auth::v1::{CheckScopeRequest, RenewSessionRequest};
use proto::options::v1::{Component, Level};
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tracing::debug;

use crate::edge::Edge;
use crate::live::scope::Scope;
use crate::session::Session;
use crate::socket::Socket;
use crate::socket::close::Reason;

/// Time from the change of rights to the new ones; with the time that news of it takes below a
/// second.
const RENEW_WITHIN: Duration = Duration::from_millis(600);

/// Questions to auth at the same time; the rest wait, within their time.
pub(crate) const RENEWALS: usize = 64;

/// Why a socket has no session with present rights.
#[derive(Debug)]
enum Failure {
    /// The session has ended, or the socket has another one.
    Over,
    /// Auth does not answer.
    Unavailable(Status),
}

/// Brings the rights of a socket up to date, or closes it.
pub(crate) async fn run(edge: &Arc<Edge>, socket: &Arc<Socket>) {
    run_after(edge, socket, None).await;
}

/// The same; with `refused`, the epoch of a token that a service has refused, also when the edge has
/// not heard yet that it is outdated.
async fn run_after(edge: &Arc<Edge>, socket: &Arc<Socket>, refused: Option<i64>) {
    let Some(failure) = failure_of(edge, socket, refused).await else { return };
    let is_outdated = |session: Arc<Session>| edge.verifier.still_good(&session.caller).is_err();
    if socket.session().is_some_and(is_outdated) {
        edge.live.leave(socket.id);
        socket.close(failure);
    }
}

/// Why the rights of a socket could not be brought up to date, if they could not.
async fn failure_of(
    edge: &Arc<Edge>,
    socket: &Arc<Socket>,
    refused: Option<i64>,
) -> Option<Reason> {
    let deadline = Instant::now() + RENEW_WITHIN;
    let renewing = renew(edge, socket, refused, deadline);
    match timeout_at(deadline, renewing).await {
        Ok(Ok(())) => None,
        Ok(Err(Failure::Over)) => Some(Reason::Revoked),
        Ok(Err(Failure::Unavailable(status))) => {
            debug!(code = ?status.code(), "rights were not renewed");
            Some(Reason::NotAuthenticated)
        }
        Err(_elapsed) => Some(Reason::NotAuthenticated),
    }
}

/// Looks after sockets for which the notifier accepts no token, for ever. Auth says whether their
/// session has ended or what it may now; one that may what it could is closed, as nothing would come.
pub(crate) async fn follow_refusals(edge: Arc<Edge>) {
    loop {
        for socket in edge.live.refused().await {
            let edge = Arc::clone(&edge);
            edge.tasks.clone().spawn(async move { after_refusal(&edge, &socket).await });
        }
    }
}

async fn after_refusal(edge: &Arc<Edge>, socket: &Arc<Socket>) {
    let Some(refused) = socket.session() else { return };
    let failure = failure_of(edge, socket, Some(refused.caller.epoch)).await;
    let Some(present) = socket.session().filter(|present| present.id() == refused.id()) else {
        return;
    };
    if failure.is_some() || present.caller.epoch <= refused.caller.epoch {
        edge.live.leave(socket.id);
        socket.close(failure.unwrap_or(Reason::NotAuthenticated));
    }
}

/// The session of a socket, once its rights are up to date; `None` when it has ended.
pub(crate) async fn present(edge: &Arc<Edge>, socket: &Arc<Socket>) -> Option<Arc<Session>> {
    run(edge, socket).await;
    socket.session().filter(|session| edge.verifier.still_good(&session.caller).is_ok())
}

/// The session of a socket with newer rights than those of a token that a service has refused;
/// `None` when there are none.
pub(crate) async fn newer(
    edge: &Arc<Edge>,
    socket: &Arc<Socket>,
    refused: &Session,
) -> Option<Arc<Session>> {
    run_after(edge, socket, Some(refused.caller.epoch)).await;
    let present = socket.session().filter(|present| present.id() == refused.id())?;
    (present.caller.epoch > refused.caller.epoch).then_some(present)
}

/// Has a socket whose token is about to end go on with a newer one of its session. Auth is asked for
/// one when the token is over; when there is none, the socket is closed.
pub(crate) async fn prolong(edge: &Arc<Edge>, socket: &Arc<Socket>) {
    let Some(session) = socket.session() else { return };
    let deadline = Instant::now() + RENEW_WITHIN;
    let prolonging = async {
        let newer = longer(edge, socket, &session, deadline).await?;
        adopt(edge, socket, newer, deadline).await.ok()
    };
    // What fails leaves the token as it is.
    let _is_done = timeout_at(deadline, prolonging).await;
    if socket.session().is_some_and(|session| edge.verifier.has_expired(&session.caller)) {
        edge.live.leave(socket.id);
        socket.close(Reason::NotAuthenticated);
    }
}

/// A token of the session that ends later than the present one.
async fn longer(
    edge: &Arc<Edge>,
    socket: &Socket,
    session: &Session,
    deadline: Instant,
) -> Option<Arc<Session>> {
    let _turn = session.shared.turn().await;
    let is_longer = |other: &Arc<Session>| other.caller.expires_at > session.caller.expires_at;
    if let Some(known) = known(edge, socket, session).await.filter(is_longer) {
        return Some(known);
    }
    if !edge.verifier.has_expired(&session.caller) {
        return None;
    }
    let _permit = edge.renewals.acquire().await.ok()?;
    let token = edge.find_session(session.id(), deadline).await.ok()?;
    edge.session_of(&socket.entrance, &token).await.ok().filter(is_longer)
}

async fn renew(
    edge: &Arc<Edge>,
    socket: &Arc<Socket>,
    refused: Option<i64>,
    deadline: Instant,
) -> Result<(), Failure> {
    let session = socket.session().ok_or(Failure::Over)?;
    // The sockets of a session, and requests on them, share one renewal.
    let turn = Arc::clone(&session.shared);
    let _turn = turn.turn().await;
    let present = socket.session().ok_or(Failure::Over)?;
    let is_good = match refused {
        Some(epoch) => present.caller.epoch > epoch,
        None => edge.verifier.still_good(&present.caller).is_ok(),
    };
    if present.id() != session.id() || is_good {
        return Ok(());
    }
    let is_newer = |known: &Arc<Session>| known.caller.epoch > session.caller.epoch;
    let renewed = match known(edge, socket, &session).await.filter(is_newer) {
        Some(renewed) => renewed,
        None => ask(edge, socket, &session, deadline).await?,
    };
    adopt(edge, socket, renewed, deadline).await
}

/// The newest token of the session that this edge has seen.
async fn known(edge: &Edge, socket: &Socket, session: &Session) -> Option<Arc<Session>> {
    let token = edge.sessions.token_of(session.id())?;
    edge.session_of(&socket.entrance, &token).await.ok()
}

/// Asks auth what the session may now.
async fn ask(
    edge: &Edge,
    socket: &Socket,
    session: &Session,
    deadline: Instant,
) -> Result<Arc<Session>, Failure> {
    // Fails only when it is closed, which it never is.
    let _permit = edge.renewals.acquire().await.map_err(|_closed| Failure::Over)?;
    let asked = RenewSessionRequest { access_token: session.token().to_owned() };
    let mut asked = tonic::Request::new(asked);
    mesh::deadline::set(&mut asked, deadline);
    let answer = AuthenticationServiceClient::new(edge.auth.clone()).renew_session(asked).await;
    let answer = answer.map_err(|status| match Code::from(status.code()) {
        Code::Unauthenticated => Failure::Over,
        _ => Failure::Unavailable(status),
    })?;
    let token = answer.into_inner().access_token;
    let renewed = edge.session_of(&socket.entrance, &token).await;
    let renewed =
        renewed.map_err(|error| Failure::Unavailable(Status::internal(error.to_string())));
    renewed.and_then(
        |renewed| {
            if renewed.id() == session.id() { Ok(renewed) } else { Err(Failure::Over) }
        },
    )
}

/// Gives the socket its session with present rights, and ends what they do not allow.
async fn adopt(
    edge: &Arc<Edge>,
    socket: &Arc<Socket>,
    renewed: Arc<Session>,
    deadline: Instant,
) -> Result<(), Failure> {
    let is_same = socket.session().is_some_and(|present| present.id() == renewed.id());
    if !is_same {
        return Ok(());
    }
    socket.set_session(Some(Arc::clone(&renewed)));
    if !renewed.caller.may(Component::CallControl, Level::Read) {
        edge.live.leave(socket.id);
        return Ok(());
    }
    for scope in edge.live.scopes_of(socket.id) {
        if !reaches(edge, &renewed, &scope, deadline).await.map_err(Failure::Unavailable)? {
            edge.live.unsubscribe_scope(socket.id, &scope);
        }
    }
    edge.live.renewed(socket.id);
    Ok(())
}

/// Whether a session may still see a scope.
async fn reaches(
    edge: &Edge,
    session: &Session,
    scope: &Scope,
    deadline: Instant,
) -> Result<bool, Status> {
    if *scope == Scope::own(&session.caller.scope) {
        return Ok(true);
    }
    let of = match scope.clone() {
        // Wider than any but the own scope.
        Scope::Everything | Scope::Reseller(_) => return Ok(false),
        Scope::Customer(i_customer) => Of::ICustomer(i_customer),
        Scope::Account { i_account, .. } => Of::IAccount(i_account),
        Scope::AccessNumber { access_number, .. } => Of::AccessNumber(access_number),
        Scope::Queue { i_c_queue, .. } => Of::ICQueue(i_c_queue),
    };
    let mut asked = tonic::Request::new(CheckScopeRequest { of: Some(of) });
    mesh::deadline::set(&mut asked, deadline);
    asked.metadata_mut().insert(mesh::metadata::AUTHORIZATION, session.credential.authorization());
    let answer = AuthorizationServiceClient::new(edge.auth.clone()).check_scope(asked).await?;
    Ok(answer.into_inner().in_scope)
}
