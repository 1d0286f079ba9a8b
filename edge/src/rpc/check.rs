//! What every request goes through, in the order of the contract: method, session, realm and
//! role, params; then whoever answers the method.

use std::sync::Arc;

use proto::api::Method;
use proto::json::Path;
use serde_json::Value;
use tokio::time::Instant;

use super::{Call, Fault, Origin, Outcome, audit, forward};
use crate::config::Mode;
use crate::edge::Edge;
use crate::limit::Verdict;
use crate::methods;
use crate::renewal;
use crate::session::Session;
use crate::socket::close::Reason;

/// Whether a request has a session, and if not, why: a REST request may name a bad one, or none.
pub(crate) type Given = Result<Option<Arc<Session>>, Fault>;

/// Checks a request and has it answered. `generation` is that of the socket's session.
pub(crate) async fn run(
    edge: &Arc<Edge>,
    origin: &Origin,
    given: Given,
    generation: u64,
    method: &'static Method,
    params: &Value,
) -> Result<Outcome, Fault> {
    admit(edge, origin, &given, method)?;
    if edge.config.api.mode == Mode::Standalone {
        return Err(Fault::standalone(method));
    }
    if method.websocket_only && origin.socket().is_none() {
        return Err(Fault::no_such_method(method.name));
    }
    let is_anonymous =
        method.anonymous || method.anonymous_with.is_some_and(|param| params.get(param).is_some());
    let session = session(edge, origin, given, method, is_anonymous).await?;
    let entry = audit::Entry::begin(method, session.as_deref(), params, origin.label());
    let answer = serve(edge, origin, session, generation, method, params).await;
    if let Some(entry) = entry {
        entry.finish(&answer);
    }
    answer
}

/// The session of a request that is answered otherwise than by the method's handler, when it may
/// call the method.
pub(crate) async fn entitled(
    edge: &Arc<Edge>,
    origin: &Origin,
    given: Given,
    method: &'static Method,
) -> Result<Arc<Session>, Fault> {
    admit(edge, origin, &given, method)?;
    if edge.config.api.mode == Mode::Standalone {
        return Err(Fault::standalone(method));
    }
    let session = session(edge, origin, given, method, false).await?;
    let session = session.ok_or_else(|| Fault::not_authenticated(method))?;
    may_call(&session, method)?;
    Ok(session)
}

/// Refuses when realm or role do not allow the method.
fn may_call(session: &Session, method: &'static Method) -> Result<(), Fault> {
    let caller = &session.caller;
    if method.is_open_to(caller.scope.realm()) && caller.may(method.component, method.level) {
        Ok(())
    } else {
        Err(Fault::access_denied(method))
    }
}

/// Has a request with its session answered.
async fn serve(
    edge: &Arc<Edge>,
    origin: &Origin,
    session: Option<Arc<Session>>,
    generation: u64,
    method: &'static Method,
    params: &Value,
) -> Result<Outcome, Fault> {
    if let Some(session) = session.as_ref().filter(|_| !method.anonymous) {
        may_call(session, method)?;
    }
    let request = (method.read_params)(params).map_err(|mut problems| {
        if let Some(param) = methods::missing(method, params) {
            problems.add_missing(&Path::ROOT.field(param));
        }
        Fault::params(method, &problems)
    })?;
    let request_id = method.request_id_of(params);
    let call = Call { edge, method, origin, session, generation, request_id };
    if method.is_handled_by_edge() {
        methods::handle(&call, request).await
    } else {
        forward::forward(&call, request).await
    }
}

/// Counts the request by its session.
fn admit(
    edge: &Edge,
    origin: &Origin,
    given: &Given,
    method: &'static Method,
) -> Result<(), Fault> {
    let (now, rate) = (Instant::now(), edge.rate());
    let verdict = match (origin, given) {
        (Origin::Socket(socket), _) => socket.take(now, rate),
        (Origin::Rest(_), Ok(Some(session))) => session.shared.take(now, rate),
        (Origin::Rest(_), _) => Verdict::Admitted,
    };
    match verdict {
        Verdict::Admitted => Ok(()),
        Verdict::Limited(wait) => Err(Fault::limit_reached(method, wait)),
        Verdict::Abusive => {
            if let Some(socket) = origin.socket() {
                socket.close(Reason::Abusive);
            }
            Err(Fault::limit_reached(method, std::time::Duration::from_secs(1)))
        }
    }
}

/// The session that the method gets. One whose rights have changed gets the new ones first, when
/// it is a socket's.
async fn session(
    edge: &Arc<Edge>,
    origin: &Origin,
    given: Given,
    method: &'static Method,
    is_anonymous: bool,
) -> Result<Option<Arc<Session>>, Fault> {
    let session = match given {
        Ok(session) => session,
        Err(_) if is_anonymous => None,
        Err(fault) => return Err(fault),
    };
    match session {
        Some(session) if edge.verifier.still_good(&session.caller).is_ok() => Ok(Some(session)),
        Some(session) if edge.verifier.is_outdated(&session.caller) => {
            let present = match origin.socket() {
                Some(socket) => renewal::present(edge, socket).await,
                None => None,
            };
            match present.filter(|present| present.id() == session.id()) {
                Some(present) => Ok(Some(present)),
                None if is_anonymous => Ok(Some(session)),
                None => Err(Fault::not_authenticated(method)),
            }
        }
        // A method that needs no session says itself what an ended one means to it.
        session if is_anonymous => Ok(session),
        _ => Err(Fault::not_authenticated(method)),
    }
}
