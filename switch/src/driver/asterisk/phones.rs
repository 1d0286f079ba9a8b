//! Which phones can be reached: Asterisk's endpoints, named as the accounts' ids.
//!
//! An endpoint is unreachable when Asterisk says that it is `offline`: no contact of it is
//! registered, or none answers. Of one that Asterisk knows nothing about nothing is said.

use std::collections::BTreeSet;

use super::Inner;
use super::ari::{AriError, Path};
use super::message::Endpoint;
use crate::driver::Event;

const TECHNOLOGY: &str = "PJSIP";

impl Endpoint {
    fn is_offline(&self) -> bool {
        self.state.as_deref() == Some("offline")
    }
}

impl Inner {
    /// Asterisk says how an endpoint is; an event when that is news.
    pub(super) fn phone_changed(&self, endpoint: &Endpoint) -> Option<Event> {
        if endpoint.technology != TECHNOLOGY || endpoint.resource == self.trunk {
            return None;
        }
        let account_id = endpoint.resource.clone();
        let mut unregistered = self.unregistered.lock();
        let is_news = if endpoint.is_offline() {
            unregistered.insert(account_id.clone())
        } else {
            unregistered.remove(&account_id)
        };
        is_news.then(|| Event::Registered { account_id, is_registered: !endpoint.is_offline() })
    }

    /// Tells what has changed while nothing was heard.
    pub(super) async fn compare_phones(&self) -> Result<(), AriError> {
        let now = self.unreachable().await?;
        let before = std::mem::replace(&mut *self.unregistered.lock(), now.clone());
        let changed = before.symmetric_difference(&now);
        for account_id in changed.cloned() {
            let is_registered = !now.contains(&account_id);
            self.tell(Event::Registered { account_id, is_registered }).await;
        }
        Ok(())
    }

    /// The endpoints that cannot be reached, but the trunk's.
    pub(super) async fn unreachable(&self) -> Result<BTreeSet<String>, AriError> {
        let endpoints: Vec<Endpoint> =
            match self.ari.get(&Path::new(&["endpoints", TECHNOLOGY])).await {
                // Without the module, or without any endpoint: nothing is known.
                Err(error) if error.status() == Some(404) => Vec::new(),
                listed => listed?,
            };
        let offline = endpoints.into_iter().filter(Endpoint::is_offline);
        Ok(offline.map(|endpoint| endpoint.resource).filter(|name| *name != self.trunk).collect())
    }
}
