//! A call: its legs and how far it is.

use std::time::Duration;

use mesh::caller::Owner;
use mesh::clock::Timestamp;

use super::command::{Action, CallerScope, Cause, Refusal, allowed_states};
use super::effect::Route;
use super::leg::{Direction, End, Leg, Phase, State};
use super::names::{CallId, Tag};
use super::party::Party;
use super::view::{LegView, Seen};
use crate::driver::{ChannelId, Reason};

/// How long a leg may ring when nobody says otherwise.
pub(super) const RING_TIMEOUT: Duration = Duration::from_mins(1);

/// How far a call is in being set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Waits for the directory; the caller's phone has not been dialled yet (`originate_call`).
    AdmittingOrigination,
    /// Waits for the directory; the caller is on the line.
    AdmittingDialled,
    /// The caller's own phone rings; when it answers, the route is dialled.
    CallingBack(Route),
    /// The called leg is being tried.
    Reaching,
    /// Two parties talk.
    Talking,
}

/// A call of one customer.
#[derive(Clone, Debug)]
pub struct Call {
    pub(super) owner: Owner,
    pub(super) id: CallId,
    pub(super) tracking_id: String,
    pub(super) plan: Plan,
    /// Events told so far.
    pub(super) sequence: u64,
    /// Caller's first; ended legs stay until the call is over.
    pub(super) legs: Vec<Leg>,
    /// How the caller is shown to those who are called.
    pub(super) presented: Party,
    /// What was dialled.
    pub(super) destination: String,
    pub(super) ring_timeout: Duration,
    pub(super) seen_by: Seen,
}

/// A leg that comes to be.
#[derive(Debug)]
pub(super) struct NewLeg {
    pub(super) tag: Tag,
    pub(super) channel: ChannelId,
    pub(super) awaits_answer: bool,
    pub(super) end: End,
    pub(super) direction: Direction,
    pub(super) is_external: bool,
    pub(super) caller: Party,
    pub(super) callee: Party,
    pub(super) i_account: Option<i64>,
}

impl Call {
    pub(super) fn new(
        owner: Owner,
        id: CallId,
        tracking_id: String,
        plan: Plan,
        destination: String,
    ) -> Self {
        Self {
            owner,
            id,
            tracking_id,
            plan,
            sequence: 0,
            legs: Vec::new(),
            presented: Party::default(),
            destination,
            ring_timeout: RING_TIMEOUT,
            seen_by: Seen::default(),
        }
    }

    /// Adds a leg that is being set up.
    pub(super) fn add(&mut self, now: Timestamp, new: NewLeg) {
        self.seen_by.i_accounts.extend(new.i_account);
        self.legs.push(Leg {
            tag: new.tag,
            channel: new.channel,
            awaits_answer: new.awaits_answer,
            end: new.end,
            direction: new.direction,
            is_external: new.is_external,
            caller: new.caller,
            callee: new.callee,
            i_account: new.i_account,
            phase: Phase::Trying,
            holds: false,
            start_time: now,
            connect_time: None,
            update_time: now,
            deadline: None,
            hears: crate::driver::Source::Silence,
            picked_up_by: None,
            waiting: Vec::new(),
            told: None,
        });
    }

    /// Legs that have not ended.
    pub(super) fn living(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().filter(|leg| leg.is_alive())
    }

    /// True when every leg has ended.
    pub(super) fn is_over(&self) -> bool {
        self.living().next().is_none()
    }

    pub(super) fn leg_mut(&mut self, tag: &Tag) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.tag == *tag)
    }

    pub(super) fn leg(&self, tag: &Tag) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.tag == *tag)
    }

    /// The living leg at one end.
    pub(super) fn at_mut(&mut self, end: End) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.end == end && leg.is_alive())
    }

    /// True when another connected leg holds this one.
    pub(super) fn is_held(&self, leg: &Leg) -> bool {
        self.living().any(|other| other.tag != leg.tag && other.is_connected() && other.holds)
    }

    /// The state that a leg shows.
    pub(super) fn state(&self, leg: &Leg) -> State {
        leg.state(self.is_held(leg))
    }

    /// True when a session of this scope may see the call, given that its environment reaches it.
    pub(super) fn is_visible_to(&self, scope: &CallerScope) -> bool {
        scope.i_account().is_none_or(|i_account| self.seen_by.i_accounts.contains(&i_account))
    }

    /// The leg that a command means, when the state table allows the command on it.
    pub(super) fn target(
        &self,
        scope: &CallerScope,
        action: &Action,
        tag: Option<&Tag>,
    ) -> Result<&Leg, Refusal> {
        let named = match tag {
            None => None,
            Some(tag) => Some(self.leg(tag).ok_or_else(|| Refusal::CallNotFound(self.id.clone()))?),
        };
        let expected = allowed_states(action);
        let leg = match (action, named) {
            (_, Some(leg)) if !leg.is_alive() => leg,
            (Action::Answer(..) | Action::Reject(..), named) => match self.ringing(named)? {
                Some(ringing) => ringing,
                None => named
                    .or_else(|| self.default_leg(scope))
                    .ok_or_else(|| Refusal::CallNotFound(self.id.clone()))?,
            },
            (_, Some(leg)) => leg,
            (_, None) => {
                self.default_leg(scope).ok_or_else(|| Refusal::CallNotFound(self.id.clone()))?
            }
        };
        let state = self.state(leg);
        let has_phone = leg.i_account.is_some() || leg.end == End::Caller;
        if expected.contains(&state) && (expected != [State::Ringing] || has_phone) {
            Ok(leg)
        } else {
            Err(Refusal::WrongState { state, expected })
        }
    }

    /// The one leg whose phone rings; `named` decides when several do.
    fn ringing<'a>(&'a self, named: Option<&'a Leg>) -> Result<Option<&'a Leg>, Refusal> {
        let mut ringing =
            self.living().filter(|leg| leg.phase == Phase::Ringing && leg.i_account.is_some());
        let first = ringing.next();
        if ringing.next().is_none() {
            return Ok(first);
        }
        match named {
            Some(leg) if leg.phase == Phase::Ringing => Ok(Some(leg)),
            _ => Err(Refusal::TagRequired),
        }
    }

    /// The leg meant when none is named: the session's own, else the calling account's, else the
    /// called account's, else any.
    fn default_leg(&self, scope: &CallerScope) -> Option<&Leg> {
        let own = scope.i_account();
        self.living()
            .find(|leg| own.is_some() && leg.i_account == own)
            .or_else(|| self.living().find(|leg| leg.end == End::Caller && leg.i_account.is_some()))
            .or_else(|| self.living().find(|leg| leg.i_account.is_some()))
            .or_else(|| self.living().next())
    }

    /// What a leg shows now, as the event number `sequence`.
    pub(super) fn view(&self, leg: &Leg, now: Timestamp, caused_by: Option<Cause>) -> LegView {
        let reason: Option<Reason> = match &leg.phase {
            Phase::Ended(reason) => Some(reason.clone()),
            Phase::Trying | Phase::Ringing | Phase::Early | Phase::Connected => None,
        };
        LegView {
            owner: self.owner,
            call_id: self.id.clone(),
            tag: leg.tag.clone(),
            tracking_id: self.tracking_id.clone(),
            previous_tracking_id: None,
            state: self.state(leg),
            direction: leg.direction,
            is_external: leg.is_external,
            caller: leg.caller.clone(),
            callee: leg.callee.clone(),
            i_account: leg.i_account,
            start_time: leg.start_time,
            connect_time: leg.connect_time,
            update_time: leg.update_time,
            duration_seconds: leg.connect_time.map_or(0, |since| now.since(since).as_secs()),
            reason,
            caused_by,
            sequence: self.sequence,
            seen_by: self.seen_by.clone(),
        }
    }
}
