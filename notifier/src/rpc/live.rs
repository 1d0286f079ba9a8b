//! `Live`: one stream an edge.
//!
//! A task reads what the edge asks and changes its scopes; the answer takes what
//! waits in the outbox. The edge's asking and its reading do not wait for each
//! other, nor does a token that takes time to verify delay events.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use mesh::token::{Revocation, TokenError};
use proto::notifier::v1 as contract;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Status, Streaming};
use tracing::{debug, warn};

use super::error::Denial;
use super::{RequestError, Shared, parse};
use crate::domain::outbox::{Outbox, TooSlow};
use crate::domain::scope::Scope;
use crate::hub::LiveScopes;
use crate::presence::Number;
use crate::{metrics, wire};

/// What an edge gets.
#[derive(Debug)]
pub(crate) struct LiveStream {
    outbox: Arc<Outbox>,
    /// Ends the task.
    _reading: DropGuard,
}

impl Stream for LiveStream {
    type Item = Result<wire::LiveResponse, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.outbox.poll_next(cx).map(|next| {
            next.map(|frame| {
                frame.map(wire::LiveResponse::from).map_err(|TooSlow| {
                    warn!(stream = self.outbox.stream, "edge is too slow, its stream ends");
                    metrics::slow_edge();
                    RequestError::TooSlow.into()
                })
            })
        })
    }
}

/// Opens the stream.
pub(super) fn open(shared: &Arc<Shared>, requests: Streaming<contract::LiveRequest>) -> LiveStream {
    let outbox = shared.hub.open(shared.config.edge_buffer_bytes);
    let scopes = LiveScopes::new(Arc::clone(&shared.hub), Arc::clone(&outbox));
    let stop = shared.stop.child_token();
    let reader = Reader { shared: Arc::clone(shared), scopes, outdated: VecDeque::new() };
    shared.tasks.spawn(reader.run(requests, stop.clone()));
    LiveStream { outbox, _reading: stop.drop_guard() }
}

/// Reads what an edge asks.
struct Reader {
    shared: Arc<Shared>,
    scopes: LiveScopes,
    /// Changes of rights, and until when the edge may bring new tokens. They are few, and each
    /// waits for less than a second.
    outdated: VecDeque<(Instant, Revocation)>,
}

/// How long an edge may take to bring a token with new rights.
const RENEW_WITHIN: Duration = Duration::from_millis(700);

/// Waits until then, or for ever.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

impl Reader {
    /// Runs until the edge asks no more, its stream is dropped, or the service stops.
    async fn run(
        mut self,
        mut requests: Streaming<contract::LiveRequest>,
        stop: CancellationToken,
    ) {
        // Before the first token is verified, so that no revocation falls between.
        let mut revocations = self.shared.verifier.subscribe_revocations();
        loop {
            let next = self.outdated.front().map(|(until, _)| *until);
            tokio::select! {
                () = stop.cancelled() => return,
                () = until(next) => {
                    if let Some((_, revocation)) = self.outdated.pop_front() {
                        self.refuse(&revocation);
                    }
                }
                revocation = revocations.recv() => match revocation {
                    Ok(revocation) => self.revoke(revocation),
                    Err(RecvError::Lagged(_)) => self.revoke_any(),
                    // The verifier lives as long as the service.
                    Err(RecvError::Closed) => return,
                },
                request = requests.message() => match request {
                    Ok(Some(request)) => {
                        if stop.run_until_cancelled(self.handle(request)).await.is_none() {
                            return;
                        }
                    }
                    Ok(None) => return,
                    Err(status) => {
                        debug!(code = ?status.code(), "live stream of an edge broke");
                        return;
                    }
                },
            }
        }
    }

    async fn handle(&mut self, request: contract::LiveRequest) {
        use contract::live_request::Request;

        match request.request {
            Some(Request::Subscribe(subscribe)) => {
                let scope_id = subscribe.scope_id;
                if let Err(reason) = self.subscribe(subscribe).await {
                    debug!(reason, "scope refused");
                    self.scopes.refuse(scope_id, reason);
                }
            }
            Some(Request::Unsubscribe(unsubscribe)) => self.scopes.remove(unsubscribe.scope_id),
            // Of a newer edge.
            None => {}
        }
    }

    async fn subscribe(&mut self, subscribe: contract::Subscribe) -> Result<(), &'static str> {
        let scope_id = subscribe.scope_id;
        let scope = parse::scope(subscribe.scope).ok_or("INVALID_SCOPE")?;
        let limit = self.shared.config.scopes_per_edge;
        if !self.scopes.contains(scope_id) && self.scopes.len() >= limit {
            return Err("TOO_MANY_SCOPES");
        }
        // Until then there is no place to join at.
        self.shared.hub.until_started().await;
        let admitted = self.shared.admit(scope, &subscribe.token).await;
        let (access, caller) = admitted.map_err(Denial::reason)?;
        let listening = match &access.scope {
            Scope::AccessNumber { i_customer, access_number } => {
                let number =
                    Number { i_customer: *i_customer, access_number: access_number.clone() };
                Some(self.shared.presence.enter(number).await)
            }
            _ => None,
        };
        self.scopes.add(scope_id, access, caller, listening);
        Ok(())
    }

    /// Takes back what a revoked token has opened: at once when its session was ended; when its
    /// rights changed, the edge has a little time to bring a token that says the new ones.
    fn revoke(&mut self, revocation: Revocation) {
        if revocation.ends {
            self.refuse(&revocation);
        } else {
            self.outdated.push_back((Instant::now() + RENEW_WITHIN, revocation));
        }
    }

    fn refuse(&mut self, revocation: &Revocation) {
        let reason = Denial::Token(TokenError::Revoked).reason();
        self.scopes.refuse_callers(reason, |caller| revocation.covers(caller));
    }

    /// Some revocations were missed: every caller is asked about. An expired token does not end
    /// its scope; how long a session may outlive its token is for the edge to say.
    fn revoke_any(&mut self) {
        let verifier = self.shared.verifier.clone();
        let reason = Denial::Token(TokenError::Revoked).reason();
        self.scopes.refuse_callers(reason, |caller| {
            verifier.still_good(caller) == Err(TokenError::Revoked)
        });
    }
}
