//! The edge's parts, as everything in it shares them.

use std::collections::HashMap;
use std::sync::Arc;

use mesh::Clock;
use mesh::caller::Caller;
use mesh::client::Pool;
use mesh::token::{TokenError, Verifier};
use parking_lot::Mutex;
use proto::auth::v1::FindSessionRequest;
use proto::auth::v1::authentication_service_client::AuthenticationServiceClient;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tonic::Status;

use crate::config::Config;
use crate::entrance::Entrance;
use crate::http::remembered::Remembered;
use crate::limit::Rate;
use crate::live::Live;
use crate::metrics;
use crate::session::{Session, Sessions};
use crate::socket::Socket;
use crate::socket::registry::Sockets;
use crate::subscribed;

/// The edge's parts.
#[derive(Debug)]
pub(crate) struct Edge {
    /// Names this edge among those that run.
    pub(crate) id: String,
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) verifier: Verifier,
    pub(crate) auth: Pool,
    /// By full name of the gRPC service.
    pub(crate) services: HashMap<String, Pool>,
    pub(crate) tasks: TaskTracker,
    pub(crate) sockets: Arc<Sockets>,
    pub(crate) sessions: Sessions,
    pub(crate) live: Arc<Live>,
    pub(crate) remembered: Remembered,
    /// The public keys and when they were fetched.
    pub(crate) keys: Mutex<Option<(String, Instant)>>,
    /// Sessions whose rights are asked for.
    pub(crate) renewals: Semaphore,
    /// Sessions about whose subscriptions the mesh is told later.
    pub(crate) notes: Semaphore,
}

impl Edge {
    /// The rate of one session.
    pub(crate) const fn rate(&self) -> Rate {
        Rate { per_second: self.config.requests_per_second, burst: self.config.request_burst }
    }

    /// Whose a token is that came through `entrance`. One of another realm than the listener's is
    /// none there.
    pub(crate) async fn caller_of(
        &self,
        entrance: &Entrance,
        token: &str,
    ) -> Result<Arc<Caller>, TokenError> {
        let caller = self.verifier.verify(token).await?;
        if entrance.admits(caller.scope.realm()) { Ok(caller) } else { Err(TokenError::Malformed) }
    }

    /// The session of a token that came through `entrance`.
    pub(crate) async fn session_of(
        &self,
        entrance: &Entrance,
        token: &str,
    ) -> Result<Arc<Session>, TokenError> {
        let caller = self.caller_of(entrance, token).await?;
        self.sessions.open(caller, token).ok_or(TokenError::Malformed)
    }

    /// A token of the session with that id, as good as its newest: auth knows it.
    pub(crate) async fn find_session(
        &self,
        session_id: &str,
        deadline: Instant,
    ) -> Result<String, Status> {
        let mut asked =
            tonic::Request::new(FindSessionRequest { session_id: session_id.to_owned() });
        mesh::deadline::set(&mut asked, deadline);
        let found = AuthenticationServiceClient::new(self.auth.clone()).find_session(asked).await;
        found.map(|found| found.into_inner().access_token)
    }

    /// Forgets a socket that nobody reads any more.
    pub(crate) fn leave(self: &Arc<Self>, socket: &Arc<Socket>) {
        socket.gone();
        self.sockets.remove(socket.id);
        self.live.leave(socket.id);
        if let Some(session) = socket.set_session(None) {
            subscribed::note_later(self, session);
        }
        metrics::socket_ended();
    }

    /// Gives a socket a session; false when its user has too many sockets. Another session than
    /// before ends the subscriptions of the former.
    pub(crate) fn authenticate(
        self: &Arc<Self>,
        socket: &Arc<Socket>,
        session: &Arc<Session>,
    ) -> bool {
        if !socket.take_user_place(&self.sockets, &session.caller.user) {
            return false;
        }
        let former = socket.set_session(Some(Arc::clone(session)));
        if let Some(former) = former.filter(|former| former.id() != session.id()) {
            self.live.leave(socket.id);
            subscribed::note_later(self, former);
        }
        true
    }
}
