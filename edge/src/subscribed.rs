//! Whether a session is subscribed, told to the mesh: on which socket or edge does not matter to
//! what a subscription opens.
//!
//! The edge notes it with callcontrol for as long as the session's token lasts, again when the
//! token is refreshed, and takes the note back when the last subscription here ends. A note that
//! cannot be taken back, since the store is away, ends with the token.

use std::sync::Arc;
use std::time::Duration;

use proto::callcontrol::v1::NoteSubscriptionRequest;
use proto::callcontrol::v1::call_control_service_client::CallControlServiceClient;
use tokio::time::Instant;
use tracing::debug;

use crate::edge::Edge;
use crate::session::Session;

/// Time for a note: what waits for it is worth more.
const NOTE_WITHIN: Duration = Duration::from_secs(1);

/// Notes at the same time of sockets that ended: when an edge stops, all of them do.
pub(crate) const NOTES: usize = 64;

/// The service that keeps the notes.
const KEEPER: &str = "cordboard.callcontrol.v1.CallControlService";

/// Brings the note of a session up to date.
pub(crate) async fn note(edge: &Edge, session: &Session) {
    let lasts_seconds =
        if session.is_subscribed() { session.expires_in(edge.clock.now().as_seconds()) } else { 0 };
    let until = if lasts_seconds > 0 { session.caller.expires_at } else { 0 };
    if session.shared.set_noted_until(until) == until {
        return;
    }
    let Some(pool) = edge.services.get(KEEPER) else { return };
    let subscriber = edge.id.clone();
    let mut request = tonic::Request::new(NoteSubscriptionRequest { subscriber, lasts_seconds });
    mesh::deadline::set(&mut request, Instant::now() + NOTE_WITHIN);
    request
        .metadata_mut()
        .insert(mesh::metadata::AUTHORIZATION, session.credential.authorization());
    let noted = CallControlServiceClient::new(pool.clone()).note_subscription(request).await;
    if let Err(status) = noted {
        session.shared.set_noted_until(-1);
        debug!(code = ?status.code(), "subscription was not noted; it counts on this edge alone");
    }
}

/// The same, for who cannot wait.
pub(crate) fn note_later(edge: &Arc<Edge>, session: Arc<Session>) {
    if session.shared.is_noted() && !session.is_subscribed() {
        let noting = Arc::clone(edge);
        edge.tasks.spawn(async move {
            // Fails only when it is closed, which it never is.
            let _permit = noting.notes.acquire().await;
            note(&noting, &session).await;
        });
    }
}
