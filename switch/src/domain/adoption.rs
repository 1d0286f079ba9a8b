//! What outlives the process: what is noted of calls so that a node that starts again can go on with
//! those whose channels the switch has kept.
//!
//! | the call | after a restart |
//! | --- | --- |
//! | two parties talk, hold or are held; somebody may listen in | goes on |
//! | its legs are through in a conference | goes on, and the conference with it; who only heard the invitation is in |
//! | one party waits in a slot | goes on waiting, and the parker is called back at the same time as otherwise |
//! | is being set up, rings, is transferred, redirected, retrieved or picked up | is released: what the command had still to do is not known |
//! | waits in a queue, is with an application | is released: the queue's and the application's own memory is gone |
//!
//! Of a call that goes on a leg whose channel has gone meanwhile ends as if its party had just hung up.
//! A call of which no channel is left is released. Released is "Switch Lost" 503. What was played,
//! collected or recorded when the process ended is over; a recording is kept as far as it has come.

use super::call::{Call, Plan};
use super::charge::{Charge, Rating};
use super::conference::ConferenceView;
use super::leg::{Direction, End, Leg, Phase, State};
use super::names::{ConferenceId, Tag};
use super::party::{Account, Party};
use super::view::LegView;
use crate::driver::ChannelId;

/// What has to be known of a leg beside what is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memo {
    /// The switch's channel.
    pub channel: ChannelId,
    /// Which end of its call it is.
    pub end: End,
    /// Who is on it.
    pub party: Party,
    /// How the call's caller is shown to those who are called.
    pub presented: Party,
    /// What was dialled.
    pub destination: String,
    /// The account that has paid for the call last.
    pub payer: Option<i64>,
    /// The account that had the number looked up that was dialled last.
    pub placer: Option<i64>,
    /// How often the call was sent on.
    pub redirects: u32,
    /// The slot in which the leg waits, and who parked it there.
    pub parking: Option<(String, Party)>,
    /// What will be paid for it when somebody else no longer pays.
    pub idle_charges: Vec<IdleCharge>,
}

/// A voice charge that has not begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdleCharge {
    /// Who will pay.
    pub payer: i64,
    /// As who.
    pub direction: Direction,
    /// By which rating entry.
    pub rating: Rating,
    /// Number of the caller.
    pub cli: String,
    /// Number called.
    pub cld: String,
    /// The leg that pays while it lives.
    pub through: Option<Tag>,
}

impl From<&Charge> for IdleCharge {
    fn from(charge: &Charge) -> Self {
        Self {
            payer: charge.payer,
            direction: charge.direction,
            rating: charge.rating,
            cli: charge.cli.clone(),
            cld: charge.cld.clone(),
            through: charge.through.clone(),
        }
    }
}

impl Call {
    /// What is noted of a leg, for when its node has to go on after a restart.
    pub(super) fn memo(&self, leg: &Leg) -> Option<Memo> {
        let parking = match &self.plan {
            Plan::Talking | Plan::Conferring(_) if leg.is_connected() => None,
            Plan::Parked(parking) if leg.phase == Phase::Parked => {
                Some((parking.slot.clone(), parking.parker.clone()))
            }
            _ => return None,
        };
        let idle = leg.charges.iter().filter(|charge| charge.began.is_none());
        Some(Memo {
            channel: leg.channel.clone(),
            end: leg.end.clone(),
            party: leg.party.clone(),
            presented: self.presented.clone(),
            destination: self.destination.clone(),
            payer: self.payer,
            placer: self.placer,
            redirects: self.redirects,
            parking,
            idle_charges: idle.map(IdleCharge::from).collect(),
        })
    }
}

/// A leg that an earlier process has left.
#[derive(Clone, Debug)]
pub struct LeftLeg {
    /// What was told of it last.
    pub view: LegView,
    /// What was noted of it.
    pub memo: Memo,
    /// Number of its call's newest event, as far as its record knows.
    pub call_sequence: u64,
    /// Whether the switch still has its channel.
    pub is_there: bool,
}

/// A conference that an earlier process has left.
#[derive(Clone, Debug)]
pub struct LeftConference {
    /// What was kept of it.
    pub view: ConferenceView,
    /// Who owns it.
    pub owner: Account,
}

/// Calls of one customer that go on.
#[derive(Clone, Debug, Default)]
pub struct Legacy {
    /// The legs of each call.
    pub calls: Vec<Vec<LeftLeg>>,
    /// The conferences in which some of them are.
    pub conferences: Vec<LeftConference>,
}

/// How a call goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoesOn {
    /// Two parties talk.
    Talking,
    /// In a conference.
    Conferring(ConferenceId),
    /// One party waits in a slot.
    Parked,
}

impl GoesOn {
    /// How the call of these legs goes on; `None` when it is to be released.
    #[must_use]
    pub fn of(legs: &[LeftLeg]) -> Option<Self> {
        if !legs.iter().any(|leg| leg.is_there) {
            return None;
        }
        let is_through = |leg: &LeftLeg| {
            matches!(leg.view.state, State::Connected | State::Held | State::Holding)
        };
        if let [leg] = legs
            && leg.view.state == State::Parked
            && leg.memo.parking.is_some()
        {
            return Some(Self::Parked);
        }
        if !legs.iter().all(is_through) {
            return None;
        }
        let mut conferences = legs.iter().map(|leg| leg.view.conference.as_ref().map(|it| &it.id));
        match conferences.next()? {
            Some(id) => {
                conferences.all(|other| other == Some(id)).then(|| Self::Conferring(id.clone()))
            }
            None if conferences.any(|other| other.is_some()) => None,
            None => {
                let parties = legs.iter().filter(|leg| !matches!(leg.memo.end, End::Supervisor(_)));
                (parties.count() == 2).then_some(Self::Talking)
            }
        }
    }
}
