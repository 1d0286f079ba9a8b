//! Goes on with the calls that an earlier process of this node has left, where the switch has kept
//! their channels.
//!
//! | the engine | what happens | next |
//! | --- | --- | --- |
//! | pending | the node has its lease, the records are read and the channels listed: calls that can go on get their actors | taken |
//! | taken | all else that the store has under the node's name has been ended | over |
//! | over | the switch is heard: channels that an earlier process has labelled and no call has are hung up | |
//!
//! While it is pending, nothing is known of calls that may turn out to go on: commands on them are answered
//! as by a node that takes none, and no channel is taken for a stray. Which calls go on is in
//! [`adoption`](crate::domain::GoesOn).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use futures::StreamExt as _;
use mesh::caller::Owner;
use mesh::sweep::{Kept, Left};
use parking_lot::Mutex;
use proto::switch::v1::{ConferenceRecord, LegRecord};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::actor::News;
use super::{Engine, HANG_UPS};
use crate::domain::{GoesOn, Input, LeftConference, LeftLeg, Legacy, Recorded};
use crate::driver::{Cause, Channel, ChannelId, Event, RecordingId};
use crate::wire;

/// How long the directory may take to say who owns a conference.
const LOOK_UP: Duration = Duration::from_secs(5);

/// How far it is.
#[derive(Debug)]
pub(super) struct Adoption {
    is_pending: watch::Sender<bool>,
    kept: Mutex<Option<Kept>>,
    /// What was being recorded and is being fetched from the switch.
    recordings: Mutex<HashSet<RecordingId>>,
}

impl Adoption {
    /// Pending, or over from the beginning.
    pub(super) fn new(is_pending: bool) -> Self {
        Self {
            is_pending: watch::Sender::new(is_pending),
            kept: Mutex::default(),
            recordings: Mutex::default(),
        }
    }

    pub(super) fn is_pending(&self) -> bool {
        *self.is_pending.borrow()
    }

    async fn is_over(&self) {
        // The sender lives as long as the engine.
        drop(self.is_pending.subscribe().wait_for(|is_pending| !*is_pending).await);
    }

    /// Nothing is taken up any more.
    pub(super) fn finish(&self) {
        self.kept.lock().take();
        self.is_pending.send_replace(false);
    }
}

impl Engine {
    /// True until the node has looked at what its earlier process has left.
    pub(crate) fn may_adopt(&self) -> bool {
        self.0.adoption.is_pending()
    }

    /// Takes up what can go on of what is `left`, and says what that is; the same when it is
    /// asked again. The switch has the time `limit` to be heard.
    pub(crate) async fn adopt(&self, left: Left, limit: Duration) -> Kept {
        if let Some(kept) = self.0.adoption.kept.lock().clone() {
            return kept;
        }
        let recordings = self.left_recordings(&left.legs);
        let ids = recordings.iter().map(|recorded| recorded.id.clone());
        self.0.adoption.recordings.lock().extend(ids);
        let kept =
            if left.legs.is_empty() { Kept::default() } else { self.take_up(left, limit).await };
        // The others end with their calls' new life.
        for recorded in recordings {
            if !kept.calls.contains(&recorded.call_id.0) {
                self.0.shared.keep(recorded);
            }
        }
        *self.0.adoption.kept.lock() = Some(kept.clone());
        kept
    }

    /// All else has been ended.
    pub(crate) fn adoption_is_over(&self) {
        self.0.adoption.finish();
    }

    async fn take_up(&self, left: Left, limit: Duration) -> Kept {
        let Some(there) = self.channels_within(limit).await else {
            tracing::warn!("switch is not heard, earlier calls are released");
            return Kept::default();
        };
        let mut kept = Kept::default();
        let mut taken = Vec::new();
        let mut customers = by_customer(left.legs, &there);
        let mut conferences = self.conferences_of(left.conferences).await;
        for (i_customer, (owner, calls)) in &mut customers {
            if self.0.homes.settle(*i_customer).await.is_err() {
                // Its calls are elsewhere now.
                continue;
            }
            let conferences = conferences.remove(i_customer).unwrap_or_default();
            let legacy = legacy(std::mem::take(calls), conferences);
            if legacy.calls.is_empty() {
                continue;
            }
            taken.extend(self.give(*owner, legacy, &mut kept).await);
        }
        tracing::info!(calls = kept.calls.len(), "calls of the earlier process go on");
        self.end_gone(&taken).await;
        kept
    }

    /// What was being recorded when the process ended.
    fn left_recordings(&self, legs: &[LegRecord]) -> Vec<Recorded> {
        let now = self.0.shared.clock.now();
        let recorded = |leg| wire::adoption::left_recording(leg, legs, now);
        legs.iter().filter_map(recorded).collect()
    }

    /// Has the switch forget, once, what an earlier process has recorded and nobody can have any more.
    async fn discard_recordings(&self) {
        let shared = &self.0.shared;
        let Ok(left) = shared.driver.left_recordings().await else { return };
        let is_own = |id: &RecordingId| {
            let (node, unique) = id.0.rsplit_once('.').unwrap_or_default();
            node == shared.place.node && !unique.is_empty()
        };
        let fetched = self.0.adoption.recordings.lock().clone();
        for recording in left.iter().filter(|id| is_own(id) && !fetched.contains(id)) {
            tracing::info!(
                recording = recording.0,
                "a recording of an earlier process is given up"
            );
            if let Err(error) = shared.driver.discard(recording).await {
                tracing::warn!(%error, "a recording was left with the switch");
            }
        }
    }

    /// The ids of the switch's channels, if it is heard in time.
    async fn channels_within(&self, limit: Duration) -> Option<HashSet<ChannelId>> {
        let driver = &self.0.shared.driver;
        let listed = async {
            driver.heard().await;
            driver.channels().await
        };
        match timeout(limit, listed).await {
            Ok(Ok(channels)) => Some(channels.into_iter().map(|channel| channel.id).collect()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "channels cannot be listed");
                None
            }
            Err(_) => None,
        }
    }

    /// Gives a customer's actor its calls; says which channels they have.
    async fn give(&self, owner: Owner, legacy: Legacy, kept: &mut Kept) -> Vec<ChannelId> {
        let Some(actor) = self.actor_of(owner, Some(self.life())) else { return Vec::new() };
        let shared = &self.0.shared;
        let mut channels = Vec::new();
        for leg in legacy.calls.iter().flatten() {
            shared.note_call(&leg.view.call_id, owner.i_customer);
            kept.calls.insert(leg.view.call_id.0.clone());
            kept.phones.extend(leg.view.i_account);
            if leg.is_there {
                shared.note_channel(&leg.memo.channel, owner.i_customer);
                channels.push(leg.memo.channel.clone());
            }
        }
        for conference in &legacy.conferences {
            shared.note_conference(conference.view.id.clone(), owner.i_customer);
            kept.conferences.insert(conference.view.id.0.clone());
        }
        let (handled, taken) = oneshot::channel();
        let input = Input::Adopt(Box::new(legacy));
        drop(actor.news.send(News { input, handled: Some(handled) }).await);
        // An actor that has stopped has nothing to say.
        drop(taken.await);
        channels
    }

    /// Ends what has gone since the channels were listed.
    async fn end_gone(&self, taken: &[ChannelId]) {
        let Ok(channels) = self.0.shared.driver.channels().await else { return };
        let there: HashSet<ChannelId> = channels.into_iter().map(|channel| channel.id).collect();
        for channel in taken.iter().filter(|channel| !there.contains(channel)).cloned() {
            let event = Event::Ended { channel, cause: Cause::HungUp };
            self.deliver(News { input: Input::Corrected(event), handled: None }).await;
        }
    }

    /// The conferences of each customer, with their owners.
    async fn conferences_of(
        &self,
        records: Vec<ConferenceRecord>,
    ) -> BTreeMap<i64, Vec<LeftConference>> {
        let mut conferences: BTreeMap<i64, Vec<LeftConference>> = BTreeMap::new();
        for record in records {
            let shown = record.conference.clone().unwrap_or_default();
            let account_id = shown.owner.unwrap_or_default().account_id;
            let looking = self.0.shared.directory.account(&account_id);
            let Ok(Ok(Some(owner))) = timeout(LOOK_UP, looking).await else {
                tracing::warn!("owner of a conference is not known, it ends");
                continue;
            };
            let left = wire::adoption::left_conference(record, owner);
            conferences.entry(shown.i_customer).or_default().extend(left);
        }
        conferences
    }

    pub(super) async fn other_nodes(&self) -> OtherNodes {
        let shared = &self.0.shared;
        let alive = shared.ledger.leases().await.ok().map(|leases| {
            let alive = leases.into_iter().filter(|lease| !lease.remaining.is_zero());
            alive.map(|lease| lease.node).collect()
        });
        OtherNodes { own: shared.place.node.clone(), alive }
    }

    /// Hangs up, once, what an earlier process has left and nothing has become of.
    pub(super) async fn release_strays(&self) {
        self.0.adoption.is_over().await;
        if !self.0.shared.driver.keeps_channels() {
            return;
        }
        self.0.shared.driver.heard().await;
        self.discard_recordings().await;
        let Ok(channels) = self.0.shared.driver.channels().await else { return };
        let others = self.other_nodes().await;
        let known = self.0.shared.channels();
        let is_stray = |channel: &Channel| {
            !channel.label.call_id.is_empty()
                && !others.have(channel)
                && !known.contains(&channel.id)
                && !self.0.front_desk.has(&channel.id)
        };
        let strays = channels.into_iter().filter(is_stray);
        let ending = strays.map(|channel| self.hang_up(channel.id));
        futures::stream::iter(ending).for_each_concurrent(HANG_UPS, |done| done).await;
    }
}

/// The nodes besides this one that are there, as far as that is known.
pub(super) struct OtherNodes {
    own: String,
    /// `None` while the store is away.
    alive: Option<HashSet<String>>,
}

impl OtherNodes {
    /// True when the channel is, or may be, that of a call of another node: two nodes have connected to
    /// one switch under one name.
    pub(super) fn have(&self, channel: &Channel) -> bool {
        let Some((node, _)) = channel.label.call_id.split_once('.') else { return false };
        node != self.own && self.alive.as_ref().is_none_or(|alive| alive.contains(node))
    }
}

/// The legs of each customer's calls.
type Customers = BTreeMap<i64, (Owner, BTreeMap<String, Vec<LeftLeg>>)>;

/// Sorts legs; a call with a leg that cannot go on is not among them.
fn by_customer(records: Vec<LegRecord>, there: &HashSet<ChannelId>) -> Customers {
    let mut customers = Customers::new();
    let mut lost: BTreeSet<String> = BTreeSet::new();
    for record in records {
        let call_id = record.call_info.as_ref().and_then(|info| info.call.as_ref());
        let Some(call_id) = call_id.map(|call| call.id.clone()) else { continue };
        let channel = record.memo.as_ref().map(|memo| ChannelId(memo.channel.clone()));
        let is_there = channel.is_some_and(|channel| there.contains(&channel));
        match wire::adoption::left_leg(record, is_there) {
            Some(leg) => {
                let owner = leg.view.owner;
                let (_, calls) =
                    customers.entry(owner.i_customer).or_insert_with(|| (owner, BTreeMap::new()));
                calls.entry(call_id).or_default().push(leg);
            }
            None => {
                lost.insert(call_id);
            }
        }
    }
    for (_, calls) in customers.values_mut() {
        calls.retain(|call_id, _| !lost.contains(call_id));
    }
    customers
}

/// The calls that go on, and the conferences in which they are.
fn legacy(calls: BTreeMap<String, Vec<LeftLeg>>, conferences: Vec<LeftConference>) -> Legacy {
    let mut used = BTreeSet::new();
    let goes_on = |legs: &Vec<LeftLeg>| match GoesOn::of(legs) {
        Some(GoesOn::Conferring(id)) => {
            let is_there = conferences.iter().any(|conference| conference.view.id == id);
            if is_there {
                used.insert(id);
            }
            is_there
        }
        Some(GoesOn::Talking | GoesOn::Parked) => true,
        None => false,
    };
    let calls = calls.into_values().filter(goes_on).collect();
    let conferences = conferences.into_iter().filter(|it| used.contains(&it.view.id)).collect();
    Legacy { calls, conferences }
}
