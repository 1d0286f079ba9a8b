//! Consequences of operations, on their way to the engine: what a hand waits for, so
//! that what is read afterwards shows all of its effect.

use std::collections::VecDeque;

use futures::FutureExt as _;
use futures::future::Shared;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::driver::Handled;

/// Consequences remembered; a hand during more than these sees the newest only.
const MAX_RIPPLES: usize = 64;

/// Completes when the engine has handled an event.
pub(super) type Ripple = Shared<oneshot::Receiver<Handled>>;

/// The newest consequences, numbered from 0. Nothing is kept while no hand is at work.
#[derive(Debug, Default)]
pub(super) struct Ripples {
    watches: usize,
    newest: VecDeque<Ripple>,
    end: u64,
}

impl Ripples {
    /// Whether somebody will wait for what happens now.
    pub(super) fn are_watched(&self) -> bool {
        self.watches > 0
    }

    pub(super) fn extend(&mut self, handled: Vec<oneshot::Receiver<Handled>>) {
        for receiver in handled {
            if self.newest.len() == MAX_RIPPLES {
                self.newest.pop_front();
            }
            self.newest.push_back(receiver.shared());
            self.end += 1;
        }
    }
}

/// A hand at work: what happens from its beginning on can be waited for.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    ripples: &'a Mutex<Ripples>,
    mark: u64,
}

impl<'a> Watch<'a> {
    pub(super) fn begin(ripples: &'a Mutex<Ripples>) -> Self {
        let mut locked = ripples.lock();
        locked.watches += 1;
        Self { ripples, mark: locked.end }
    }

    /// The number of the first consequence since the beginning.
    pub(super) fn mark(&self) -> u64 {
        self.mark
    }

    /// Those from the number `mark` on, and the number that the next one will have.
    pub(super) fn since(&self, mark: u64) -> (Vec<Ripple>, u64) {
        let ripples = self.ripples.lock();
        let count = usize::try_from(ripples.end.saturating_sub(mark)).unwrap_or(usize::MAX);
        let known = ripples.newest.len();
        let newest = ripples.newest.iter().skip(known.saturating_sub(count)).cloned().collect();
        (newest, ripples.end)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut ripples = self.ripples.lock();
        ripples.watches -= 1;
        if ripples.watches == 0 {
            ripples.newest.clear();
        }
    }
}
