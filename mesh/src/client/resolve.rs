//! From targets to endpoints.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::Shared;
use super::endpoint::{Address, Endpoint};
use crate::net::Target;

/// Time between two look-ups of a host name.
const RESOLVE_EVERY: Duration = Duration::from_secs(5);

/// Time between two look-ups while there is no address.
const RESOLVE_SOON: Duration = Duration::from_millis(200);

/// How long a look-up may take.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(3);

/// Keeps the endpoints of `target` in `shared` for as long as the pool lives.
pub(super) fn follow(shared: &Arc<Shared>, target: Target) {
    let Target::Tcp { host, port } = &target else {
        add(shared, Address { target: target.clone(), resolved: None });
        return;
    };
    if let Ok(ip) = host.parse::<IpAddr>() {
        let resolved = Some(SocketAddr::new(ip, *port));
        add(shared, Address { target, resolved });
        return;
    }
    let (host, port, shared) = (host.clone(), *port, Arc::clone(shared));
    shared.tasks.clone().spawn(async move {
        let end = shared.end.clone();
        end.run_until_cancelled(async {
            let mut known = BTreeSet::new();
            loop {
                look_up(&shared, &target, &host, port, &mut known).await;
                sleep(if known.is_empty() { RESOLVE_SOON } else { RESOLVE_EVERY }).await;
            }
        })
        .await;
    });
}

/// Looks the host up once. Without an answer the known addresses stay: a name server that fails
/// must not take the mesh with it.
async fn look_up(
    shared: &Arc<Shared>,
    target: &Target,
    host: &str,
    port: u16,
    known: &mut BTreeSet<SocketAddr>,
) {
    let found: BTreeSet<SocketAddr> =
        match timeout(RESOLVE_TIMEOUT, lookup_host((host, port))).await {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => {
                debug!(service = %shared.name, host, error = %error, "host not resolved");
                return;
            }
            Err(_elapsed) => {
                warn!(service = %shared.name, host, "host not resolved in time");
                return;
            }
        };
    if found.is_empty() {
        return;
    }
    for address in found.difference(known) {
        add(shared, Address { target: target.clone(), resolved: Some(*address) });
    }
    for address in known.difference(&found) {
        remove(shared, &Address { target: target.clone(), resolved: Some(*address) });
    }
    *known = found;
}

fn add(shared: &Arc<Shared>, address: Address) {
    let endpoint =
        Arc::new(Endpoint::new(shared.name.clone(), address.clone(), shared.end.child_token()));
    let is_new = shared.endpoints.write().insert(address, Arc::clone(&endpoint)).is_none();
    debug_assert!(is_new, "an address is added once");
    info!(service = %shared.name, address = %endpoint.address(), "instance added");
    super::endpoint::supervise(shared, endpoint);
}

fn remove(shared: &Arc<Shared>, address: &Address) {
    if let Some(endpoint) = shared.endpoints.write().remove(address) {
        info!(service = %shared.name, address = %endpoint.address(), "instance removed");
        endpoint.retire();
        shared.changed();
    }
}
