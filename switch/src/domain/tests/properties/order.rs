//! In which order a leg passes its states.

use crate::domain::State;

/// The order of states that the contract promises.
pub(super) fn is_legal(before: Option<State>, next: State) -> bool {
    use State::{
        Connected, Dequeued, Early, Held, Holding, Parked, Queued, Ringing, Terminated,
        Transferred, Trying,
    };
    match before {
        // A leg comes to be, or comes from another call.
        None => matches!(next, Trying | Connected),
        Some(Trying) => matches!(next, Ringing | Early | Connected | Queued | Terminated),
        Some(Queued) => next == Dequeued,
        Some(Dequeued) => matches!(next, Connected | Early | Terminated),
        Some(Ringing) => matches!(next, Early | Connected | Terminated),
        // Again when the call is sent on; back when it could not be handed over.
        Some(Early) => {
            matches!(next, Early | Connected | Held | Holding | Queued | Terminated)
        }
        Some(Connected | Held | Holding) => !matches!(next, Trying | Ringing),
        Some(Parked) => matches!(next, Connected | Terminated),
        Some(Transferred) => next == Terminated,
        Some(Terminated) => false,
    }
}
