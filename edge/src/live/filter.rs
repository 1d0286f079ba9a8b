//! Which events of its scope a subscription wants.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proto::call::v1::State;
use proto::callcontrol::v1::NotificationKind as Kind;
use sha2::{Digest as _, Sha256};

use super::scope::Scope;

/// Bytes of the hash that names a subscription.
const ID_BYTES: usize = 15;

/// Which events: sets of kinds and states, as bits; an empty set means all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Filter {
    kinds: u32,
    states: u32,
}

impl Filter {
    /// Wants these kinds, and of `call_state` these states; none means all. Numbers as in proto.
    pub(crate) fn new(kinds: &[i32], states: &[i32]) -> Self {
        Self { kinds: bits(kinds), states: bits(states) }
    }

    /// Tells whether an event is wanted. `state` is that of a `call_state`.
    pub(crate) const fn wants(self, kind: Kind, state: State) -> bool {
        let is_kind = self.wants_kind(kind);
        let is_state = self.states == 0
            || !matches!(kind, Kind::CallState)
            || self.states & bit(state as i32) != 0;
        is_kind && is_state
    }

    /// Tells whether events of the kind are wanted, as far as `kinds` says.
    pub(crate) const fn wants_kind(self, kind: Kind) -> bool {
        self.kinds == 0 || self.kinds & bit(kind as i32) != 0
    }

    /// The id of the subscription with this filter in `scope`: whoever subscribes to the same has
    /// the same id, on every edge.
    pub(crate) fn subscription_id(self, scope: &Scope) -> String {
        let text = format!("{:x}|{:x}|{}", self.kinds, self.states, scope.name());
        let hash = Sha256::digest(text.as_bytes());
        URL_SAFE_NO_PAD.encode(hash.get(..ID_BYTES).unwrap_or_default())
    }
}

const fn bit(number: i32) -> u32 {
    1 << (number & 31)
}

fn bits(numbers: &[i32]) -> u32 {
    numbers.iter().fold(0, |bits, number| bits | bit(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_filters_everything_is_wanted() {
        assert!(Filter::default().wants(Kind::CallState, State::Held));
        assert!(Filter::default().wants(Kind::Availability, State::Unspecified));
    }

    #[test]
    fn states_filter_call_state_alone() {
        let filter = Filter::new(&[], &[State::Connected as i32, State::Terminated as i32]);

        assert!(filter.wants(Kind::CallState, State::Connected));
        assert!(!filter.wants(Kind::CallState, State::Ringing));
        assert!(filter.wants(Kind::IvrEvent, State::Unspecified));
    }

    #[test]
    fn kinds_filter_kinds() {
        let filter = Filter::new(&[Kind::QueueStats as i32], &[]);

        assert!(filter.wants(Kind::QueueStats, State::Unspecified));
        assert!(!filter.wants(Kind::CallState, State::Connected));
    }

    #[test]
    fn the_id_follows_from_scope_and_filters() {
        let scope = Scope::Customer(1);
        let filter = |states: &[i32]| Filter::new(&[], states).subscription_id(&scope);

        assert_eq!(filter(&[1, 2]), filter(&[2, 1, 1]));
        assert_ne!(filter(&[1]), filter(&[2]));
        assert_ne!(filter(&[1]), Filter::new(&[], &[1]).subscription_id(&Scope::Customer(2)));
        // The same on every edge and in every version: clients compare it over reconnects.
        assert_eq!(Filter::default().subscription_id(&scope), "okVT89K_gpqDJoBPgMxL");
    }
}
