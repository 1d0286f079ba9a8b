//! The way of a registration: to the actor of the phone's customer.
//!
//! Whose phone it is has to be looked up, in the order of the news of each phone: one task does
//! so, one phone after the other. Only the newest news of a phone waits, so what waits is bounded
//! by the number of phones. What is lost on the way is found at the next comparison with the
//! switch's own list.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mesh::caller::Owner;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::actor::News;
use crate::domain::Input;
use crate::driver::Handled;

/// How long the directory may take to say whose phone it is; the next comparison tries again.
const LOOK_UP: Duration = Duration::from_secs(5);

/// Registrations on their way, and those that have arrived.
#[derive(Debug, Default)]
pub(super) struct Registrations {
    inner: Mutex<Inner>,
    noted: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// The newest news of each phone, by the account's id.
    waiting: BTreeMap<String, Waiting>,
    /// Phones of which an actor knows that they cannot be reached.
    unregistered: BTreeSet<String>,
}

#[derive(Debug)]
struct Waiting {
    is_registered: bool,
    handled: Option<oneshot::Sender<Handled>>,
}

impl Registrations {
    /// News of a phone; takes the place of older news that still wait.
    pub(super) fn note(
        &self,
        account_id: String,
        is_registered: bool,
        handled: Option<oneshot::Sender<Handled>>,
    ) {
        self.inner.lock().waiting.insert(account_id, Waiting { is_registered, handled });
        self.noted.notify_one();
    }

    /// Forgets everything: the actors are gone.
    pub(super) fn clear(&self) {
        *self.inner.lock() = Inner::default();
    }

    async fn next(&self) -> (String, Waiting) {
        loop {
            if let Some(first) = self.inner.lock().waiting.pop_first() {
                return first;
            }
            self.noted.notified().await;
        }
    }

    /// Notes what the switch's own list says otherwise than what has arrived or is on its way.
    fn compare(&self, unregistered: &BTreeSet<String>) {
        let mut inner = self.inner.lock();
        let Inner { waiting, unregistered: known } = &mut *inner;
        let back: Vec<_> = known.difference(unregistered).cloned().collect();
        let away: Vec<_> = unregistered.difference(known).cloned().collect();
        for (ids, is_registered) in [(back, true), (away, false)] {
            for account_id in ids {
                waiting.entry(account_id).or_insert(Waiting { is_registered, handled: None });
            }
        }
        drop(inner);
        self.noted.notify_one();
    }

    fn arrived(&self, account_id: String, is_registered: bool) {
        let mut inner = self.inner.lock();
        if is_registered {
            inner.unregistered.remove(&account_id);
        } else {
            inner.unregistered.insert(account_id);
        }
    }
}

impl Engine {
    /// Brings registrations to the actors until `stop`.
    pub async fn follow_registrations(self, stop: CancellationToken) {
        let following = async {
            loop {
                let (account_id, news) = self.0.registrations.next().await;
                self.register(account_id, news).await;
            }
        };
        stop.run_until_cancelled(following).await;
    }

    /// Compares what is known of the phones with what the switch says.
    pub(super) async fn compare_phones(&self) {
        match self.0.shared.driver.unregistered().await {
            Ok(ids) => self.0.registrations.compare(&ids.into_iter().collect()),
            Err(error) => tracing::warn!(%error, "phones cannot be listed"),
        }
    }

    async fn register(&self, account_id: String, Waiting { is_registered, handled }: Waiting) {
        let life = self.life();
        let looking = self.0.shared.directory.account(&account_id);
        let account = match tokio::time::timeout(LOOK_UP, looking).await {
            Ok(Ok(Some(account))) => account,
            // Not one of ours.
            Ok(Ok(None)) => return,
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("directory does not say whose phone has changed");
                return;
            }
        };
        let owner = Owner { i_reseller: account.i_reseller, i_customer: account.i_customer };
        if !self.0.homes.tells_of_phones(owner.i_customer).await {
            // Its home has a switch of its own, which tells.
            return;
        }
        let Some(actor) = self.actor_of(owner, Some(life)) else { return };
        let input = Input::Registered { account, is_registered };
        if actor.news.send(News { input, handled }).await.is_ok() && self.life() == life {
            self.0.registrations.arrived(account_id, is_registered);
        }
    }
}
