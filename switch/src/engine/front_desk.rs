//! Where new channels are received: whose are they?

use std::collections::HashMap;

use mesh::caller::Owner;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::actor::News;
use super::Engine;
use crate::domain::{Input, Route, Standard};
use crate::driver::{ChannelId, Handled, Op, Origin, Reason, Shown};

/// Offers that may be looked up at once; more are refused, as an overloaded switch does.
const MAX_OFFERS: usize = 1024;

/// Events that wait for one offer.
const MAX_WAITING: usize = 32;

/// The channels that are being looked up, and what happened on them meanwhile.
#[derive(Debug, Default)]
pub(super) struct FrontDesk(Mutex<HashMap<ChannelId, Vec<News>>>);

impl FrontDesk {
    /// Notes an offer; false when there are too many, or when it is being looked up already.
    pub(super) fn begin(&self, channel: &ChannelId) -> bool {
        let mut offers = self.0.lock();
        if offers.len() >= MAX_OFFERS || offers.contains_key(channel) {
            return false;
        }
        offers.insert(channel.clone(), Vec::new());
        true
    }

    /// Keeps an event if its channel is being looked up, else gives it back.
    pub(super) fn keep(&self, channel: &ChannelId, news: News) -> Option<News> {
        match self.0.lock().get_mut(channel) {
            Some(waiting) => {
                if waiting.len() < MAX_WAITING {
                    waiting.push(news);
                }
                None
            }
            None => Some(news),
        }
    }

    /// The look-up is over; gives what happened meanwhile.
    pub(super) fn end(&self, channel: &ChannelId) -> Vec<News> {
        self.0.lock().remove(channel).unwrap_or_default()
    }
}

/// Looks an offer up and gives it to the customer's actor, or refuses it.
pub(super) async fn receive(
    engine: &Engine,
    channel: ChannelId,
    origin: Origin,
    dialled: String,
    handled: Option<oneshot::Sender<Handled>>,
) {
    match identify(engine, &channel, origin, dialled).await {
        Ok((owner, input)) => {
            let Some(actor) = engine.actor_of(owner) else {
                refuse(engine, channel, Standard::Unavailable.reason()).await;
                return;
            };
            // An actor that has stopped has ended its calls.
            drop(actor.news.send(News { input, handled }).await);
        }
        Err(reason) => refuse(engine, channel, reason).await,
    }
}

async fn identify(
    engine: &Engine,
    channel: &ChannelId,
    origin: Origin,
    dialled: String,
) -> Result<(Owner, Input), Reason> {
    let directory = &engine.0.shared.directory;
    let channel = channel.clone();
    let unavailable = |error: crate::directory::DirectoryError| {
        tracing::warn!(%error, "call refused");
        Standard::Unavailable.reason()
    };
    let (owner, input) = match origin {
        Origin::Phone { account_id } => {
            let account = directory.account(&account_id).await.map_err(unavailable)?;
            let account = account.ok_or_else(|| Standard::NotFound.reason())?;
            let owner = Owner { i_reseller: account.i_reseller, i_customer: account.i_customer };
            (owner, Input::PhoneDials { channel, account, dialled })
        }
        Origin::Trunk { from } | Origin::Join { from } => {
            incoming(engine, channel, from, dialled).await?
        }
    };
    engine.0.homes.settle(owner.i_customer).await.map_err(|node| {
        tracing::warn!(node, "call came to a node that is not its customer's home");
        Standard::Unavailable.reason()
    })?;
    Ok((owner, input))
}

async fn incoming(
    engine: &Engine,
    channel: ChannelId,
    from: Shown,
    dialled: String,
) -> Result<(Owner, Input), Reason> {
    let found = engine.0.shared.directory.destination(&dialled).await.map_err(|error| {
        tracing::warn!(%error, "call refused");
        Standard::Unavailable.reason()
    })?;
    match (found.owner, found.route) {
        (Some(owner), route @ (Route::Account(_) | Route::Unattended)) => {
            Ok((owner, Input::TrunkCall { channel, from, dialled, route }))
        }
        _ => Err(Standard::NotFound.reason()),
    }
}

async fn refuse(engine: &Engine, channel: ChannelId, reason: Reason) {
    if let Err(error) = engine.0.shared.driver.run(Op::Hangup { channel, reason }).await {
        tracing::warn!(%error, "channel was not refused");
    }
}
