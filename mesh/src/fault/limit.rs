//! Keeps a lost dependency from filling the log.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Lines a second of one reason.
const LINES: u64 = 10;

const SECOND: Duration = Duration::from_secs(1);

struct Window {
    began: Instant,
    faults: u64,
}

/// By reason; reasons are few.
static WINDOWS: LazyLock<Mutex<HashMap<&'static str, Window>>> = LazyLock::new(Mutex::default);

/// Says whether a fault of this reason may be logged now, and if so how many were suppressed in
/// the second before.
pub(super) fn may_log(reason: &'static str) -> Option<u64> {
    let now = Instant::now();
    let mut windows = WINDOWS.lock();
    let window = windows.entry(reason).or_insert(Window { began: now, faults: 0 });
    let mut suppressed = 0;
    if now.duration_since(window.began) >= SECOND {
        suppressed = window.faults.saturating_sub(LINES);
        *window = Window { began: now, faults: 0 };
    }
    window.faults += 1;
    (window.faults <= LINES).then_some(suppressed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_cut_and_counted() {
        let logged = (0..100).filter(|_| may_log("FLOOD").is_some()).count();
        assert_eq!(logged, 10);

        tokio::time::advance(SECOND).await;

        assert_eq!(may_log("FLOOD"), Some(90));
        assert_eq!(may_log("OTHER"), Some(0));
    }
}
