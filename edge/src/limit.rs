//! How many requests a session may send.

use std::time::Duration;

use tokio::time::Instant;

/// A client that sends this many times its rate is cut off.
const ABUSE: u32 = 10;

/// A rate with bursts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Requests a second.
    pub(crate) per_second: u32,
    /// Requests at once.
    pub(crate) burst: u32,
}

/// What a request may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Go on.
    Admitted,
    /// Too many; the next may come after this time.
    Limited(Duration),
    /// Far too many: the client does not heed its limit.
    Abusive,
}

/// Counts the requests of one session.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// When the bucket would be full again, at the present fill.
    full_at: Instant,
    /// Begin of the second in which requests are counted for abuse.
    second: Instant,
    in_second: u32,
}

impl Bucket {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { full_at: now, second: now, in_second: 0 }
    }

    /// Counts one request.
    pub(crate) fn take(&mut self, now: Instant, rate: Rate) -> Verdict {
        if now.duration_since(self.second) >= Duration::from_secs(1) {
            self.second = now;
            self.in_second = 0;
        }
        self.in_second += 1;
        let step = Duration::from_secs(1) / rate.per_second.max(1);
        let full_at = self.full_at.max(now) + step;
        let over = full_at.saturating_duration_since(now + step * rate.burst.max(1));
        if over.is_zero() {
            self.full_at = full_at;
            return Verdict::Admitted;
        }
        if self.in_second > rate.burst.saturating_add(rate.per_second.saturating_mul(ABUSE)) {
            return Verdict::Abusive;
        }
        Verdict::Limited(over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 100, burst: 200 };

    fn admitted(bucket: &mut Bucket, now: Instant, requests: u32) -> u32 {
        (0..requests).map(|_| u32::from(bucket.take(now, RATE) == Verdict::Admitted)).sum()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_then_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);

        assert_eq!(admitted(&mut bucket, start, 300), 200);
        assert_eq!(admitted(&mut bucket, start + Duration::from_millis(500), 100), 50);
        assert_eq!(admitted(&mut bucket, start + Duration::from_secs(10), 300), 200);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_limited_is_told_when_to_come_back() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        admitted(&mut bucket, start, 200);

        let Verdict::Limited(wait) = bucket.take(start, RATE) else { panic!("not limited") };

        assert_eq!(wait, Duration::from_millis(10));
        assert_eq!(bucket.take(start + wait, RATE), Verdict::Admitted);
    }

    #[tokio::test(start_paused = true)]
    async fn ten_times_the_limit_is_abuse() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);

        let last = (0..1_201).map(|_| bucket.take(start, RATE)).last();

        assert_eq!(last, Some(Verdict::Abusive));
    }
}
