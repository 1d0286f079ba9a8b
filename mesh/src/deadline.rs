//! By when a request must be answered, and how that is passed on.
//!
//! A deadline travels as `grpc-timeout`: time left, so that clocks need not agree. The server
//! puts it into the request's extensions and around the handler, the client takes the earliest
//! of what the caller set, what the handler that calls was given, and the default.

use std::future::Future;
use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderValue;
use tokio::time::Instant;

/// Time for a unary request that came without a deadline.
pub const DEFAULT: Duration = Duration::from_secs(10);

/// Time left, in a unit that the value names.
pub(crate) const HEADER: &str = "grpc-timeout";

/// Longest time-out that is honoured; keeps the arithmetic of instants in range.
pub(crate) const LONGEST: Duration = Duration::from_hours(24);

/// A deadline among the extensions of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(pub(crate) Instant);

tokio::task_local! {
    static CURRENT: Instant;
}

/// By when `request` must be answered; the default from now when nobody said.
#[must_use]
pub fn of<T>(request: &tonic::Request<T>) -> Instant {
    request
        .extensions()
        .get::<Deadline>()
        .map(|deadline| deadline.0)
        .or_else(|| from_headers(request.metadata().as_ref()))
        .unwrap_or_else(|| Instant::now() + DEFAULT)
}

/// Sets by when `request`, which is about to be sent, must be answered.
pub fn set<T>(request: &mut tonic::Request<T>, deadline: Instant) {
    request.extensions_mut().insert(Deadline(deadline));
}

/// The deadline of the request that this task is handling.
#[must_use]
pub fn current() -> Option<Instant> {
    CURRENT.try_with(|deadline| *deadline).ok()
}

/// Runs `future` under a deadline, for the requests that it sends. Does not end it.
pub fn scope<F: Future>(deadline: Instant, future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(deadline, future)
}

/// The deadline that a request came with, in its extensions or its headers.
pub(crate) fn stated<T>(request: &http::Request<T>) -> Option<Instant> {
    let set = request.extensions().get::<Deadline>().map(|deadline| deadline.0);
    set.or_else(|| from_headers(request.headers()))
}

/// The deadline that headers state.
pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Instant> {
    let timeout = parse(headers.get(HEADER)?.to_str().ok()?)?;
    Some(Instant::now() + timeout.min(LONGEST))
}

/// States the deadline in headers. Rounds up, so that the server does not end first.
pub(crate) fn to_headers(headers: &mut HeaderMap, deadline: Instant) {
    let left = deadline.saturating_duration_since(Instant::now()).min(LONGEST);
    let text = if left < Duration::from_secs(99) {
        format!("{}u", left.as_micros() + 1)
    } else {
        format!("{}m", left.as_millis() + 1)
    };
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(HEADER, value);
    }
}

/// Reads at most eight digits and a unit.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_the_specification_are_read() {
        assert_eq!(parse("2H"), Some(Duration::from_hours(2)));
        assert_eq!(parse("1M"), Some(Duration::from_mins(1)));
        assert_eq!(parse("99999999m"), Some(Duration::from_millis(99_999_999)));
        for wrong in ["", "m", "1", "123456789m", "-1S", "1x", "1é"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_survives_the_headers() {
        for left in [
            Duration::ZERO,
            Duration::from_secs(3),
            Duration::from_secs(98),
            Duration::from_hours(9),
        ] {
            let deadline = Instant::now() + left;
            let mut headers = HeaderMap::new();

            to_headers(&mut headers, deadline);

            let read = from_headers(&headers).unwrap();
            assert!(read > deadline && read <= deadline + Duration::from_millis(1), "{headers:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_deadline_has_the_default() {
        let mut request = tonic::Request::new(());
        assert_eq!(of(&request), Instant::now() + DEFAULT);

        set(&mut request, Instant::now() + Duration::from_secs(1));

        assert_eq!(of(&request), Instant::now() + Duration::from_secs(1));
    }
}
