//! Where new channels are received: whose are they? One of a customer who is at home on another
//! node is handed over to that node before anything is told of it.

use std::collections::HashMap;

use mesh::caller::Owner;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Engine;
use super::actor::News;
use crate::domain::{Input, Route, Standard};
use crate::driver::{ChannelId, Event, Handled, Origin, Shown};

/// Offers that may be looked up at once; more are refused, as an overloaded switch does.
const MAX_OFFERS: usize = 1024;

/// Events that wait for one offer.
const MAX_WAITING: usize = 32;

/// The channels that are being looked up, and what happened on them meanwhile.
#[derive(Debug, Default)]
pub(super) struct FrontDesk(Mutex<HashMap<ChannelId, Vec<News>>>);

/// What became of the noting of an offer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// It is to be looked up.
    Begun,
    /// It is being looked up already.
    Known,
    /// Too many are.
    Full,
}

impl FrontDesk {
    /// Notes an offer.
    pub(super) fn begin(&self, channel: &ChannelId) -> Begin {
        let mut offers = self.0.lock();
        if offers.contains_key(channel) {
            return Begin::Known;
        }
        if offers.len() >= MAX_OFFERS {
            return Begin::Full;
        }
        offers.insert(channel.clone(), Vec::new());
        Begin::Begun
    }

    /// Keeps an event if its channel is being looked up, else gives it back. Of too many only the
    /// channel's end is kept.
    pub(super) fn keep(&self, channel: &ChannelId, news: News) -> Option<News> {
        match self.0.lock().get_mut(channel) {
            Some(waiting) => {
                let is_end = matches!(news.input.event(), Some(Event::Ended { .. }));
                if is_end || waiting.len() < MAX_WAITING {
                    waiting.push(news);
                }
                None
            }
            None => Some(news),
        }
    }

    /// What happened since the last time that this was asked; when that is nothing, `None`, and
    /// from then on events are no longer kept. So none overtakes another.
    pub(super) fn next(&self, channel: &ChannelId) -> Option<Vec<News>> {
        let mut offers = self.0.lock();
        let waiting = std::mem::take(offers.get_mut(channel)?);
        if waiting.is_empty() {
            offers.remove(channel);
            return None;
        }
        Some(waiting)
    }

    /// Whether the channel is being looked up.
    pub(super) fn has(&self, channel: &ChannelId) -> bool {
        self.0.lock().contains_key(channel)
    }
}

/// A channel that comes in.
pub(super) struct Offer {
    pub(super) channel: ChannelId,
    pub(super) origin: Origin,
    pub(super) dialled: String,
    /// The engine's life in which it came.
    pub(super) life: u64,
}

/// Looks an offer up and gives it to the customer's actor, hands it over, or refuses it.
pub(super) async fn receive(
    engine: &Engine,
    offer: Offer,
    handled: Option<oneshot::Sender<Handled>>,
) {
    let Offer { channel, origin, dialled, life } = offer;
    let (owner, input) = match identify(engine, &channel, origin.clone(), dialled.clone()).await {
        Ok(identified) => identified,
        Err(reason) => return engine.refuse(channel, reason).await,
    };
    if let Err(home) = engine.0.homes.settle(owner.i_customer).await {
        let driver = &engine.0.shared.driver;
        if let Err(error) = driver.hand_over(&channel, &home, &origin, &dialled).await {
            tracing::warn!(%error, home, "call came to a node that is not its customer's home");
            engine.refuse(channel, Standard::Unavailable).await;
        }
        return;
    }
    if !engine.offer(owner, &channel, life, News { input, handled }).await {
        engine.refuse(channel, Standard::Unavailable).await;
    }
}

async fn identify(
    engine: &Engine,
    channel: &ChannelId,
    origin: Origin,
    dialled: String,
) -> Result<(Owner, Input), Standard> {
    let directory = &engine.0.shared.directory;
    let channel = channel.clone();
    let unavailable = |error: crate::directory::DirectoryError| {
        tracing::warn!(%error, "call refused");
        Standard::Unavailable
    };
    match origin {
        Origin::Phone { account_id } => {
            let account = directory.account(&account_id).await.map_err(unavailable)?;
            let account = account.ok_or(Standard::NotFound)?;
            let owner = Owner { i_reseller: account.i_reseller, i_customer: account.i_customer };
            Ok((owner, Input::PhoneDials { channel, account, dialled }))
        }
        Origin::Trunk { from } | Origin::Join { from } => {
            incoming(engine, channel, from, dialled).await
        }
    }
}

async fn incoming(
    engine: &Engine,
    channel: ChannelId,
    from: Shown,
    dialled: String,
) -> Result<(Owner, Input), Standard> {
    let found = engine.0.shared.directory.destination(&dialled).await.map_err(|error| {
        tracing::warn!(%error, "call refused");
        Standard::Unavailable
    })?;
    match (found.owner, found.route) {
        (
            Some(owner),
            // An owned number that leads nowhere is a call that ends; one of nobody is none.
            route @ (Route::Account(_)
            | Route::HuntGroup(_)
            | Route::Application(_)
            | Route::Nowhere),
        ) => Ok((owner, Input::TrunkCall { channel, from, dialled, route })),
        _ => Err(Standard::NotFound),
    }
}
