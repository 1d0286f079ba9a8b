//! How long to wait before the next attempt.

use std::time::Duration;

use uuid::Uuid;

/// Exponential, with jitter: each wait is between half and all of a bound that doubles.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    bound: Duration,
}

/// From 50 ms to one second, which suits the services of one mesh.
impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_millis(50), Duration::from_secs(1))
    }
}

impl Backoff {
    /// A backoff whose bound goes from `first` to `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, bound: first }
    }

    /// The wait before the next attempt.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "it never ends, so it is no iterator")]
    pub fn next(&mut self) -> Duration {
        let bound = self.bound;
        self.bound = (bound * 2).min(self.longest);
        jitter(bound)
    }

    /// An attempt succeeded.
    pub const fn reset(&mut self) {
        self.bound = self.first;
    }
}

/// A duration between half of `bound` and `bound`, at random, so that many do not act together.
#[must_use]
pub fn jitter(bound: Duration) -> Duration {
    let (_, random) = Uuid::new_v4().as_u64_pair();
    // The lowest 16 bits of a version 4 UUID are random.
    let share = u32::try_from(random & 0xffff).unwrap_or(0);
    bound / 2 + (bound / 2 / 0xffff) * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));

        for bound in [100, 200, 350, 350] {
            let wait = backoff.next();
            let bound = Duration::from_millis(bound);
            assert!(wait >= bound / 2 && wait <= bound, "{wait:?} for {bound:?}");
        }

        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
    }
}
