//! Cuts sockets off whose session was ended, or whose scope changed.

use std::sync::Arc;

use mesh::caller::Caller;
use mesh::token::Revocation;
use tokio::sync::broadcast::error::RecvError;
use tracing::warn;

use crate::edge::Edge;
use crate::socket::close::Reason;

/// Follows revocations for ever.
pub(crate) async fn run(edge: Arc<Edge>) {
    let mut revocations = edge.verifier.subscribe_revocations();
    loop {
        match revocations.recv().await {
            Ok(revocation) => {
                let reason = reason(&revocation);
                close(&edge, reason, |caller| revocation.covers(caller));
            }
            Err(RecvError::Lagged(missed)) => {
                warn!(missed, "revocations came too fast; every session is checked");
                close(&edge, Reason::Revoked, |caller| edge.verifier.still_good(caller).is_err());
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// A session whose scope changed needs a new token, which says its new scope: the socket is
/// closed as one whose token expired, and what it missed is resumed under the new scope.
const fn reason(revocation: &Revocation) -> Reason {
    if revocation.ends { Reason::Revoked } else { Reason::NotAuthenticated }
}

fn close(edge: &Edge, reason: Reason, is_meant: impl Fn(&Caller) -> bool) {
    edge.sockets.for_each(|socket| {
        if socket.session().is_some_and(|session| is_meant(&session.caller)) {
            // No event may follow, though the close frame may still wait in the queue.
            edge.live.leave(socket.id);
            if !socket.is_logging_out() {
                edge.close(socket, reason);
            }
        }
    });
}
