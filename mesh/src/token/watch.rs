//! Follows auth: public keys and revocations.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use proto::auth::v1::authentication_service_client::AuthenticationServiceClient;
use proto::auth::v1::{GetKeysRequest, WatchRevocationsRequest};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::{Keys, Revocation, Shared};
use crate::client::{Backoff, Pool};
use crate::health::Component;

/// Shortest time between two fetches of the keys.
const FETCH_EVERY: Duration = Duration::from_secs(1);

/// The keys are fetched again after this time, so that a withdrawn key is forgotten.
const REFRESH: Duration = Duration::from_mins(5);

/// Auth sends a sign of life each second; without one for this long the stream is dead.
const SILENCE: Duration = Duration::from_secs(3);

/// Keeps the public keys fresh, for ever.
pub(super) async fn keys(shared: &Arc<Shared>, auth: &Pool) {
    let mut client = AuthenticationServiceClient::new(auth.clone());
    loop {
        match fetch_keys(&mut client).await {
            Ok(keys) => {
                shared.keys.send_replace(keys);
                sleep(FETCH_EVERY).await;
                // Asked for again by a token with an unknown key, at most once a second.
                timeout(REFRESH, shared.refetch.notified()).await.ok();
            }
            Err(error) => {
                warn!(error = format!("{error:#}"), "public keys not fetched");
                sleep(FETCH_EVERY / 4).await;
            }
        }
    }
}

async fn fetch_keys(client: &mut AuthenticationServiceClient<Pool>) -> anyhow::Result<Keys> {
    let response = client.get_keys(GetKeysRequest {}).await?;
    Keys::read(&response.into_inner().jwks)
}

/// Keeps the revocations current, for ever.
pub(super) async fn revocations(shared: &Arc<Shared>, auth: &Pool, component: Option<&Component>) {
    let mut position = 0;
    let mut backoff = Backoff::default();
    loop {
        let Err(error) = follow(shared, auth, component, &mut position, &mut backoff).await;
        if let Some(component) = component {
            let reason = format!("revocations do not arrive: {error:#}");
            if shared.keys.borrow().is_empty() {
                component.down(reason);
            } else {
                component.degraded(reason);
            }
        }
        warn!(error = format!("{error:#}"), position, "revocation stream ended");
        sleep(backoff.next()).await;
    }
}

async fn follow(
    shared: &Arc<Shared>,
    auth: &Pool,
    component: Option<&Component>,
    position: &mut i64,
    backoff: &mut Backoff,
) -> anyhow::Result<std::convert::Infallible> {
    let mut client = AuthenticationServiceClient::new(auth.without_deadline());
    let request = WatchRevocationsRequest { after: *position };
    let opening = timeout(SILENCE, client.watch_revocations(request));
    let mut stream = opening.await.context("no answer")??.into_inner();
    info!(position, "following revocations");
    loop {
        let message = timeout(SILENCE, stream.message()).await.context("no sign of life")??;
        let Some(message) = message else { bail!("stream ended") };
        backoff.reset();
        *position = message.position;
        shared.note_auth();
        if let Some(revocation) = message.revocation.and_then(Revocation::from_proto) {
            super::Verifier(Arc::clone(shared)).revoke(revocation);
        }
        if let Some(component) = component.filter(|_| !shared.keys.borrow().is_empty()) {
            component.ready();
        }
    }
}
