//! Help for tests.

pub mod hooks;
pub mod overlay;
pub mod pki;
pub mod ports;
pub mod postgres;
pub mod redis;
pub mod token;

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks again and again until `look` gives a value; `what` says in words what is waited for.
///
/// # Panics
/// At the deadline, with the last state seen.
pub async fn eventually<T>(
    deadline: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let end = Instant::now() + deadline;
    loop {
        match look().await {
            Ok(value) => return value,
            #[expect(clippy::panic, reason = "this is how a test fails")]
            Err(state) if Instant::now() >= end => {
                panic!("{what}: not within {deadline:?}; last seen: {state}")
            }
            Err(_) => sleep(LOOK_EVERY).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_value_is_given_once_it_is_there() {
        let mut looks = 0;
        let look = || {
            looks += 1;
            let seen = looks;
            async move { if seen == 3 { Ok(seen) } else { Err(format!("{seen} looks")) } }
        };

        assert_eq!(eventually(Duration::from_secs(1), "three looks", look).await, 3);
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "a miracle: not within 1s; last seen: nothing")]
    async fn the_last_state_is_told_at_the_deadline() {
        let look = || async { Err::<(), _>("nothing".to_owned()) };

        eventually(Duration::from_secs(1), "a miracle", look).await;
    }
}
