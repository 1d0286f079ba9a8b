//! Wall time, injected: the one place that asks the operating system.

use std::sync::Arc;
use std::time::Duration;

/// A moment of wall time: microseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `micros` microseconds after 1970 UTC.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970 UTC.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since 1970 UTC; 0 before.
    #[must_use]
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0 / 1000).unwrap_or(0)
    }

    /// Whole seconds since 1970 UTC.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This moment plus `duration`, saturating.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Time since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Source of wall time. Clones share the source.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Base>);

/// Wall time at a known instant of tokio's clock, so that paused tests pause this too.
#[derive(Debug)]
struct Base {
    wall: Timestamp,
    instant: tokio::time::Instant,
}

impl Clock {
    /// The operating system's clock, read once and then advanced by tokio's monotonic time,
    /// so that it never runs backwards. Needs no runtime.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the system for the time"
    )]
    pub fn system() -> Self {
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Self::starting_at(Timestamp::default().plus(since_epoch))
    }

    /// A clock that shows `wall` now and advances with tokio's time, which tests can pause.
    #[must_use]
    pub fn starting_at(wall: Timestamp) -> Self {
        Self(Arc::new(Base { wall, instant: tokio::time::Instant::now() }))
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.wall.plus(self.0.instant.elapsed())
    }

    /// The instant of tokio's clock at which this clock will show `moment`; the present for the past.
    #[must_use]
    pub fn instant_of(&self, moment: Timestamp) -> tokio::time::Instant {
        tokio::time::Instant::now() + moment.since(self.now())
    }
}
