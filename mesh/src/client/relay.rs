//! The relay stream of one connection: requests of many sessions share it, in place of an RPC
//! each.
//!
//! It is opened with the first request that wants it. Until it stands, while it is lost, and with
//! a peer that knows no such stream, requests go as RPCs of their own. A request that the stream
//! has taken is never sent again: what became of it when the stream breaks is unknown, as with an
//! RPC whose connection breaks.

mod answers;
mod lane;
mod outgoing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Request, Response, Version};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};
use tonic::body::Body;
use tonic::{Code, Status};
use tracing::debug;

use super::{Shared, call};
use outgoing::Outgoing;

pub(super) use lane::Lane;

/// The RPC that carries the requests.
const PATH: &str = "/cordboard.relay.v1.RelayService/Relay";

/// How long the peer may take to accept a stream.
const OPEN_TIMEOUT: Duration = Duration::from_secs(3);

/// Pause before a stream that ended or was not accepted is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// The relay stream of one connection.
pub(super) struct Relay(Mutex<State>);

enum State {
    /// May be opened from then on.
    Closed(Instant),
    Opening,
    Open(Arc<Lane>),
    /// The connection is over, or its peer knows no such stream.
    Never,
}

impl fmt::Debug for Relay {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*self.0.lock() {
            State::Closed(_) => "closed",
            State::Opening => "opening",
            State::Open(_) => "open",
            State::Never => "never",
        };
        out.write_str(state)
    }
}

impl Relay {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State::Closed(Instant::now())))
    }

    /// The stream, when it stands. Begins to open it when it may.
    pub(super) fn lane(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        sender: &SendRequest<Body>,
    ) -> Option<Arc<Lane>> {
        let mut state = self.0.lock();
        match &*state {
            State::Open(lane) => return Some(Arc::clone(lane)),
            State::Closed(from) if Instant::now() >= *from => {}
            State::Closed(_) | State::Opening | State::Never => return None,
        }
        *state = State::Opening;
        let (relay, shared, sender) = (Arc::clone(self), Arc::clone(shared), sender.clone());
        shared.tasks.clone().spawn(async move {
            let lane = Over(Arc::new(Lane::new(&shared.name)));
            let running = relay.run(&lane.0, sender);
            let next = shared.end.run_until_cancelled(running).await;
            relay.set(next.unwrap_or(State::Never));
        });
        None
    }

    /// Takes no more requests: the connection is over or about to be. Those under way go on.
    pub(super) fn retire(&self) {
        let former = std::mem::replace(&mut *self.0.lock(), State::Never);
        if let State::Open(lane) = former {
            lane.close();
        }
    }

    /// Opens the stream and reads it until it ends; says what follows.
    async fn run(&self, lane: &Arc<Lane>, mut sender: SendRequest<Body>) -> State {
        let again = || State::Closed(Instant::now() + PAUSE);
        let opening = sender.send_request(request(lane));
        // Not opened by a connection that is about to end: the next one opens its own.
        drop(sender);
        let Ok(Ok(response)) = timeout(OPEN_TIMEOUT, opening).await else { return again() };
        match refusal_of(&response) {
            None => {}
            Some(Code::Unimplemented) => return State::Never,
            Some(code) => {
                debug!(service = lane.service(), code = ?code, "relay stream refused");
                return again();
            }
        }
        if self.set(State::Open(Arc::clone(lane))) {
            // Requests go by themselves until the connection that follows has a stream.
            let end = answers::read(response.into_body(), lane, || self.retire()).await;
            debug!(service = lane.service(), end, "relay stream ended");
        }
        again()
    }

    /// False, and nothing is changed, when the connection is over.
    fn set(&self, next: State) -> bool {
        let mut state = self.0.lock();
        let goes_on = !matches!(&*state, State::Never);
        if goes_on {
            *state = next;
        }
        goes_on
    }
}

/// Ends a stream when dropped, however its task ends: whoever waits is told.
struct Over(Arc<Lane>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.over();
    }
}

fn request(lane: &Arc<Lane>) -> Request<Body> {
    let mut request = Request::new(Body::new(Outgoing::new(Arc::clone(lane))));
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = call::absolute(&http::Uri::from_static(PATH), lane.service());
    let headers = request.headers_mut();
    headers.insert("te", HeaderValue::from_static("trailers"));
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    request
}

/// Why the peer does not take the stream, if it does not.
fn refusal_of(response: &Response<Incoming>) -> Option<Code> {
    if !response.status().is_success() {
        return Some(Code::Unavailable);
    }
    Status::from_header_map(response.headers()).map(|status| status.code())
}

#[cfg(test)]
mod tests;
