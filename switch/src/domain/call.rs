//! A call: its legs and how far it is.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh::caller::Owner;
use mesh::clock::Timestamp;

use super::application::{Application, Asked};
use super::command::{Action, CallerScope, Cause, Refusal, allowed_states};
use super::customer::Invite;
use super::dialogue::Dialogue;
use super::effect::Route;
use super::leg::{Direction, End, Leg, Phase, State};
use super::names::{CallId, ConferenceId, Tag};
use super::party::Party;
use super::phone::Use;
use super::queue::{QueueInfo, Stay};
use super::view::{Callback, LegView, Seen};
use crate::driver::{ChannelId, PlaybackId, Reason};

/// How long a leg may ring when nobody says otherwise.
pub(super) const RING_TIMEOUT: Duration = Duration::from_mins(1);

/// How far a call is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Waits for the directory; the caller's phone has not been dialled yet (`originate_call`).
    AdmittingOrigination,
    /// Waits for the directory; the caller is on the line.
    AdmittingDialled,
    /// Waits for the directory; the first of two numbers has not been dialled yet.
    AdmittingFirst,
    /// The caller's own phone rings; when it answers, the route is dialled.
    CallingBack(Route),
    /// The first of two numbers rings.
    CallingFirst,
    /// Waits for the directory; the first of two numbers is on the line.
    AdmittingSecond,
    /// Waits for the directory; the call has been sent on, perhaps by a command.
    Redirecting(Option<Cause>),
    /// Called legs are being tried; the first that answers gets the call.
    Reaching,
    /// A party hears why it goes no further (the first of two numbers why the second failed; a
    /// caller that there is no application), and is then released.
    Announcing {
        /// What it hears.
        playback: PlaybackId,
        /// Why it is released.
        reason: Reason,
    },
    /// An application is asked to take the party that waits.
    Offered(Asked),
    /// An application has the party.
    Served(Box<Application>),
    /// One party waits in a queue; agents may be ringing.
    Queued,
    /// Two parties talk.
    Talking,
    /// One party is being handed over.
    Transferring(Transfer),
    /// Waits for the directory; somebody is to be called into a conference.
    Inviting(Box<Invite>),
    /// Its legs are participants of a conference.
    Conferring(ConferenceId),
    /// One party waits in a slot.
    Parked(Parking),
    /// One party waits in a slot, and a phone rings to take it.
    Retrieving {
        /// The phone.
        tag: Tag,
        /// Where the party waits.
        parking: Parking,
        /// True when the phone is the parker's, after the time in the slot.
        is_recall: bool,
    },
}

/// A blind transfer under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Transfer {
    /// Whose command it was.
    pub(super) transferor: Transferor,
    /// Who is handed over; waits.
    pub(super) staying: Tag,
    /// Who is dialled, once the directory has said where.
    pub(super) target: Option<Tag>,
    /// The application that is asked instead of somebody who is dialled.
    pub(super) asked: Option<Asked>,
    /// The conversation's id from then on.
    pub(super) tracking_id: String,
    pub(super) cause: Cause,
}

/// Who hands a party over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Transferor {
    /// The other party; waits unheard, or has gone.
    Leg(Tag),
    /// The application that has the party.
    Application(Box<Application>),
}

impl Transferor {
    /// True for the party whose leg this is.
    pub(super) fn is_leg(&self, tag: &Tag) -> bool {
        matches!(self, Self::Leg(own) if own == tag)
    }
}

/// A party in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parking {
    pub(super) slot: String,
    pub(super) parked: Tag,
    /// Who is called back after the time in the slot.
    pub(super) parker: Party,
}

/// What is owed to whoever started a call, until the directory has said where it goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Admission {
    /// Commands that wait for it: the first, and its repetitions.
    pub(super) command_ids: Vec<String>,
    pub(super) cause: Option<Cause>,
}

/// The second of two numbers.
#[derive(Clone, Debug)]
pub(super) struct Second {
    pub(super) destination: String,
    pub(super) caller_id: Option<String>,
    /// Who pays.
    pub(super) i_account: i64,
}

/// A call of one customer.
#[derive(Clone, Debug)]
pub struct Call {
    pub(super) owner: Owner,
    pub(super) id: CallId,
    pub(super) tracking_id: String,
    pub(super) previous_tracking_id: Option<String>,
    pub(super) plan: Plan,
    /// Nothing is told before the directory has said who is called, so that the called account
    /// sees the call from its first event on.
    pub(super) admission: Option<Admission>,
    pub(super) second: Option<Second>,
    /// How often it was sent on.
    pub(super) redirects: u32,
    /// The account that has paid last.
    pub(super) payer: Option<i64>,
    /// The account that had the number looked up which is being dialled: it pays for the way there.
    pub(super) placer: Option<i64>,
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
    /// The access number through which it came last.
    pub(super) access_number: Option<String>,
    /// The access number for which the customer watches it.
    pub(super) watched: Option<String>,
    /// It is to be recorded for as long as parties are through.
    pub(super) is_recorded: bool,
    /// The last stay in a queue.
    pub(super) stay: Option<Stay>,
    /// Where the call goes when nobody decides about a called leg, or about a call to a group.
    pub(super) fallbacks: BTreeMap<Option<Tag>, String>,
    /// Where its states are posted.
    pub(super) callback: Option<Callback>,
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
    /// Who is on the leg.
    pub(super) party: Party,
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
            previous_tracking_id: None,
            plan,
            admission: Some(Admission::default()),
            second: None,
            redirects: 0,
            payer: None,
            placer: None,
            sequence: 0,
            legs: Vec::new(),
            presented: Party::default(),
            destination,
            ring_timeout: RING_TIMEOUT,
            seen_by: Seen::default(),
            access_number: None,
            watched: None,
            is_recorded: false,
            stay: None,
            fallbacks: BTreeMap::new(),
            callback: None,
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
            party: new.party,
            i_account: new.i_account,
            phase: Phase::Trying,
            holds: false,
            is_counted: false,
            use_of_phone: Use::None,
            start_time: now,
            connect_time: None,
            update_time: now,
            charges: Vec::new(),
            hears: crate::driver::Source::Silence,
            recording: None,
            dialogue: Dialogue::default(),
            speaks_in: None,
            seat: None,
            picked_up_by: None,
            waiting: Vec::new(),
            retold: None,
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
    pub(super) fn at_mut(&mut self, end: &End) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.end == *end && leg.is_alive())
    }

    /// The other party of a conversation; nobody for those who listen in.
    pub(super) fn other_party(&self, tag: &Tag) -> Option<&Leg> {
        self.leg(tag).filter(|leg| leg.is_party())?;
        self.living().find(|leg| leg.tag != *tag && leg.is_party() && leg.is_connected())
    }

    /// True when another party holds this one.
    pub(super) fn is_held(&self, leg: &Leg) -> bool {
        self.living().any(|other| {
            other.tag != leg.tag && other.is_party() && other.is_connected() && other.holds
        })
    }

    /// True for the party that stays while its call is being transferred.
    pub(super) fn waits_for_target(&self, leg: &Leg) -> bool {
        matches!(&self.plan, Plan::Transferring(transfer) if transfer.staying == leg.tag)
            && leg.is_connected()
    }

    /// True for the party that waits unheard until its call has been handed over.
    pub(super) fn hands_over(&self, leg: &Leg) -> bool {
        matches!(&self.plan, Plan::Transferring(transfer) if transfer.transferor.is_leg(&leg.tag))
    }

    /// The state that a leg shows.
    pub(super) fn state(&self, leg: &Leg) -> State {
        if let Some(seat) = &leg.seat {
            return leg.state(seat.is_held);
        }
        if self.waits_for_target(leg) {
            return State::Early;
        }
        leg.state(leg.is_party() && self.is_held(leg))
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
        if action.means_ringing_leg()
            && named.is_none_or(Leg::is_alive)
            && let Some(leg) = self.offered()
        {
            return Ok(leg);
        }
        let leg = match (action.means_ringing_leg(), named) {
            (_, Some(leg)) if !leg.is_alive() => leg,
            (true, named) => match self.ringing(named)? {
                Some(ringing) => ringing,
                None => named
                    .or_else(|| self.default_leg(scope))
                    .ok_or_else(|| Refusal::CallNotFound(self.id.clone()))?,
            },
            (false, Some(leg)) => leg,
            (false, None) => {
                self.default_leg(scope).ok_or_else(|| Refusal::CallNotFound(self.id.clone()))?
            }
        };
        let state = self.state(leg);
        let has_phone = leg.i_account.is_some();
        if expected.contains(&state) && (expected != [State::Ringing] || has_phone) {
            Ok(leg)
        } else {
            Err(Refusal::WrongState { state, expected })
        }
    }

    /// The leg whose party an application may take: it rings, or waits on the line.
    pub(super) fn offered(&self) -> Option<&Leg> {
        let asked = self.asked()?;
        let leg = match &self.plan {
            Plan::Transferring(transfer) => self.leg(&transfer.staying)?,
            _ => self.living().find(|leg| leg.end == End::Caller)?,
        };
        let is_on_line = matches!(leg.phase, Phase::Early | Phase::Connected);
        (leg.is_alive() && (asked.is_alerted || is_on_line)).then_some(leg)
    }

    /// The one leg whose phone rings; `named` decides when several do. A phone that is to listen
    /// in is meant when it is named, or when no other rings.
    fn ringing<'a>(&'a self, named: Option<&'a Leg>) -> Result<Option<&'a Leg>, Refusal> {
        let ringing =
            self.living().filter(|leg| leg.phase == Phase::Ringing && leg.i_account.is_some());
        let (parties, listeners): (Vec<_>, Vec<_>) = ringing.partition(|leg| leg.is_party());
        if let Some(leg) = named.filter(|leg| leg.phase == Phase::Ringing) {
            let has_phone = leg.i_account.is_some();
            return Ok(has_phone.then_some(leg).or_else(|| parties.first().copied()));
        }
        match (parties.as_slice(), listeners.as_slice()) {
            ([one], _) | ([], [one]) => Ok(Some(one)),
            ([], []) => Ok(None),
            _ => Err(Refusal::TagRequired),
        }
    }

    /// The leg meant when none is named: the session's own, else the calling account's, else the
    /// called account's, else any. Who listens in is meant in its own session alone.
    fn default_leg(&self, scope: &CallerScope) -> Option<&Leg> {
        let own = scope.i_account();
        let parties = || self.living().filter(|leg| leg.is_party());
        parties()
            .find(|leg| own.is_some() && leg.i_account == own)
            .or_else(|| self.listener(scope))
            .or_else(|| parties().find(|leg| leg.end == End::Caller && leg.i_account.is_some()))
            .or_else(|| parties().find(|leg| leg.i_account.is_some()))
            .or_else(|| parties().next())
    }

    /// The leg of the session's own account when it is no party, but listens in.
    pub(super) fn listener(&self, scope: &CallerScope) -> Option<&Leg> {
        let own = scope.i_account()?;
        let is_party = self.living().any(|leg| leg.is_party() && leg.i_account == Some(own));
        self.living().find(|leg| leg.i_account == Some(own)).filter(|_| !is_party)
    }

    /// The party with which a leg's party talks, when the state of both allows the command.
    pub(super) fn conversation(&self, tag: &Tag, action: &Action) -> Result<&Leg, Refusal> {
        let leg = self
            .leg(tag)
            .filter(|leg| leg.is_party())
            .ok_or_else(|| Refusal::CallNotFound(self.id.clone()))?;
        let expected = allowed_states(action);
        let state = self.state(leg);
        if !expected.contains(&state) {
            return Err(Refusal::WrongState { state, expected });
        }
        if matches!(self.plan, Plan::Conferring(_)) {
            return Err(Refusal::InConference(state));
        }
        if let Some(other) = self.other_party(tag).filter(|_| self.plan == Plan::Talking) {
            return Ok(other);
        }
        // The leg's own state allows it; what does not is how far the other party is.
        let other = self.living().find(|leg| leg.tag != *tag && leg.is_party());
        let others = other.map(|leg| self.state(leg)).filter(|state| !expected.contains(state));
        Err(match others {
            Some(state) => Refusal::WrongState { state, expected },
            None => Refusal::NoSecondParty(state),
        })
    }

    /// True when those who may hear a leg's party do: it is through, does not hold, and neither
    /// hands its call over nor waits for the target.
    pub(super) fn is_heard(&self, leg: &Leg) -> bool {
        leg.is_connected() && !leg.holds && !self.hands_over(leg) && !self.waits_for_target(leg)
    }

    /// The stay in a queue of the leg that waits or waited.
    pub(super) fn queue_info(&self, leg: &Leg, now: Timestamp) -> Option<QueueInfo> {
        self.stay.as_ref().filter(|stay| stay.tag == leg.tag).map(|stay| stay.info(now))
    }

    /// What a leg shows now, as the event number `sequence`.
    pub(super) fn view(&self, leg: &Leg, now: Timestamp, caused_by: Option<Cause>) -> LegView {
        let reason: Option<Reason> = match (&leg.phase, &leg.retold) {
            (Phase::Ended(reason), _) => Some(reason.clone()),
            (_, Some(retold)) => retold.reason.clone(),
            (_, None) => None,
        };
        LegView {
            owner: self.owner,
            call_id: self.id.clone(),
            tag: leg.tag.clone(),
            tracking_id: self.tracking_id.clone(),
            previous_tracking_id: self.previous_tracking_id.clone(),
            state: self.state(leg),
            direction: leg.direction,
            is_external: leg.is_external,
            caller: leg.caller.clone(),
            callee: leg.callee.clone(),
            i_account: leg.i_account,
            access_number: self.access_number.clone(),
            start_time: leg.start_time,
            connect_time: leg.connect_time,
            update_time: leg.update_time,
            duration_seconds: leg.connect_time.map_or(0, |since| now.since(since).as_secs()),
            reason,
            moved_to: None,
            queue_info: self.queue_info(leg, now),
            conference: leg.seat.as_ref().map(|seat| seat.conference.clone()),
            recording: leg.recording.clone(),
            charges: if leg.is_alive() { self.charged(leg) } else { Vec::new() },
            caused_by,
            is_corrective: false,
            sequence: self.sequence,
            seen_by: self.seen_by.clone(),
            callback: self.callback.clone(),
            memo: self.memo(leg).map(Box::new),
        }
    }
}
