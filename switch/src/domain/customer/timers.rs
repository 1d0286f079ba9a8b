//! What is due when. A timer is named by what it is for, so that setting it again moves it
//! and stopping it needs no memory of when it was due.

use std::collections::{BTreeMap, BTreeSet};

use mesh::clock::Timestamp;

use super::credit::Which;
use crate::domain::names::{CallId, Tag};

/// What a timer is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::domain) enum Timer {
    /// Something of a call; forgotten when the call is over.
    Call(CallId, CallTimer),
    /// A queue is to be looked after.
    Queue(i64),
    /// It is time to ask who listens to an access number.
    AccessNumber(String),
}

/// What a call's timer is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::domain) enum CallTimer {
    /// A leg's ringing or waiting ends.
    Leg(Tag),
    /// The time for a leg's digits is over.
    Digits(Tag),
    /// No application has taken the call.
    Offer,
    /// The call has waited in its queue for as long as it may.
    Waited,
    /// A prompt of an invitation to a conference ends.
    Invitation(Tag),
    /// Nobody has decided about a called leg, or about a call to a group.
    Decision(Option<Tag>),
    /// The credit for one of a leg's charges has to be looked after.
    Credit(Tag, Which),
}

impl Timer {
    /// The end of a leg's ringing or waiting.
    pub(in crate::domain) fn leg(call_id: &CallId, tag: &Tag) -> Self {
        Self::Call(call_id.clone(), CallTimer::Leg(tag.clone()))
    }
}

/// All timers of a customer.
#[derive(Debug, Default)]
pub(in crate::domain) struct Timers {
    due: BTreeSet<(Timestamp, Timer)>,
    set: BTreeMap<Timer, Timestamp>,
}

impl Timers {
    /// Sets a timer, also anew.
    pub(in crate::domain) fn set(&mut self, timer: Timer, at: Timestamp) {
        if let Some(before) = self.set.insert(timer.clone(), at) {
            self.due.remove(&(before, timer.clone()));
        }
        self.due.insert((at, timer));
    }

    /// Sets a timer unless it is to be due anyway.
    pub(in crate::domain) fn set_unless_set(&mut self, timer: Timer, at: Timestamp) {
        if !self.is_set(&timer) {
            self.set(timer, at);
        }
    }

    /// Stops a timer; no matter when it is not set.
    pub(in crate::domain) fn stop(&mut self, timer: &Timer) {
        if let Some(at) = self.set.remove(timer) {
            self.due.remove(&(at, timer.clone()));
        }
    }

    /// True from when it was set until it is due or stopped.
    pub(in crate::domain) fn is_set(&self, timer: &Timer) -> bool {
        self.set.contains_key(timer)
    }

    /// When the first is due.
    pub(in crate::domain) fn first(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes out the first that is due at `now`.
    pub(in crate::domain) fn pop_due(&mut self, now: Timestamp) -> Option<Timer> {
        self.first().filter(|at| *at <= now)?;
        let (_, timer) = self.due.pop_first()?;
        self.set.remove(&timer);
        Some(timer)
    }

    /// Stops all timers of a call.
    pub(in crate::domain) fn forget(&mut self, call_id: &CallId) {
        let least = Timer::leg(call_id, &Tag(String::new()));
        let timers: Vec<Timer> = self
            .set
            .range(least..)
            .map(|(timer, _)| timer)
            .take_while(|timer| matches!(timer, Timer::Call(of, _) if of == call_id))
            .cloned()
            .collect();
        for timer in timers {
            self.stop(&timer);
        }
    }

    /// True when nothing is to come.
    #[cfg(test)]
    pub(in crate::domain) fn is_empty(&self) -> bool {
        self.due.is_empty() && self.set.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn timer(call: &str, tag: &str) -> Timer {
        Timer::leg(&CallId(call.to_owned()), &Tag(tag.to_owned()))
    }

    #[test]
    fn a_timer_that_is_set_again_is_due_once_at_its_new_time() {
        let mut timers = Timers::default();
        timers.set(timer("a", "1"), at(5));
        timers.set(timer("a", "1"), at(9));
        assert_eq!(timers.first(), Some(at(9)));
        assert_eq!(timers.pop_due(at(8)), None);
        assert_eq!(timers.pop_due(at(9)), Some(timer("a", "1")));
        assert!(timers.is_empty());
    }

    #[test]
    fn timers_are_due_in_the_order_of_their_times() {
        let mut timers = Timers::default();
        timers.set(timer("a", "1"), at(3));
        timers.set(timer("b", "1"), at(1));
        timers.set(timer("a", "2"), at(2));
        let order: Vec<_> = std::iter::from_fn(|| timers.pop_due(at(10))).collect();
        assert_eq!(order, [timer("b", "1"), timer("a", "2"), timer("a", "1")]);
    }

    #[test]
    fn forgetting_a_call_stops_its_timers_and_no_others() {
        let mut timers = Timers::default();
        timers.set(timer("a", "1"), at(1));
        timers.set(timer("b", "1"), at(2));
        timers.set(timer("b", "2"), at(3));
        timers.set(timer("c", "1"), at(4));
        timers.forget(&CallId("b".to_owned()));
        assert!(timers.is_set(&timer("a", "1")) && timers.is_set(&timer("c", "1")));
        assert!(!timers.is_set(&timer("b", "1")) && !timers.is_set(&timer("b", "2")));
        timers.stop(&timer("a", "1"));
        timers.stop(&timer("c", "1"));
        assert!(timers.is_empty());
    }
}
