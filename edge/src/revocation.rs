//! Cuts sockets off whose session was ended, and brings those up to date whose rights changed.

use std::sync::Arc;

use mesh::caller::Caller;
use tokio::sync::broadcast::error::RecvError;
use tracing::warn;

use crate::edge::Edge;
use crate::renewal;
use crate::socket::Socket;
use crate::socket::close::Reason;

/// Follows revocations for ever.
pub(crate) async fn run(edge: Arc<Edge>) {
    let mut revocations = edge.verifier.subscribe_revocations();
    loop {
        match revocations.recv().await {
            Ok(revocation) => look(&edge, |caller| revocation.covers(caller)),
            Err(RecvError::Lagged(missed)) => {
                warn!(missed, "revocations came too fast; every session is checked");
                look(&edge, |caller| edge.verifier.still_good(caller).is_err());
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// Looks after the sockets of the callers that are meant.
fn look(edge: &Arc<Edge>, is_meant: impl Fn(&Caller) -> bool) {
    edge.sockets.for_each(|socket| {
        let Some(session) = socket.session().filter(|session| is_meant(&session.caller)) else {
            return;
        };
        if edge.verifier.is_outdated(&session.caller) {
            let (edge, socket) = (Arc::clone(edge), Arc::clone(socket));
            edge.tasks.clone().spawn(async move { renewal::run(&edge, &socket).await });
        } else {
            cut_off(edge, socket);
        }
    });
}

fn cut_off(edge: &Edge, socket: &Arc<Socket>) {
    // No event may follow, though the close frame may still wait in the queue.
    edge.live.leave(socket.id);
    if !socket.is_leaving() {
        socket.close(Reason::Revoked);
    }
}
