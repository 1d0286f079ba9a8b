//! What is counted: legs, slots, recordings.

use std::collections::BTreeSet;

use super::Checker;
use crate::domain::{Recorded, State};

impl Checker {
    /// A recording is over once, after it was begun.
    pub(super) fn recorded(&mut self, recorded: &Recorded) {
        assert!(recorded.begun <= recorded.ended);
        assert!(self.recordings.remove(&recorded.id), "{recorded:?} was not begun");
    }

    pub(super) fn check_counts(&self) {
        let legs = self.calls.values().flat_map(|call| call.legs.values());
        let living = legs.filter(|leg| leg.is_alive()).count() + self.unadmitted.len();
        let parked = self.calls.iter().filter_map(|(call_id, call)| {
            let mut legs = call.legs.values();
            legs.any(|leg| leg.last.state == State::Parked).then_some(call_id)
        });
        let parked: BTreeSet<_> = parked.collect();
        let in_slots: Vec<_> = self.bench.customer.parked().collect();
        assert_eq!(in_slots.len(), parked.len(), "one slot a parked call");
        assert_eq!(in_slots.into_iter().collect::<BTreeSet<_>>(), parked);
        assert_eq!(self.bench.customer.live_legs(), living);
        if living == 0 {
            assert!(self.bench.customer.is_idle(), "something is left of calls that are over");
        }
    }
}
