//! A fixed rate, kept from the intended times: what is late is not sent later.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How often the pace looks whether something is due.
const TURN: Duration = Duration::from_millis(2);

/// Does `total` things at `per_second`, giving each its number.
pub(crate) async fn keep<F>(per_second: u64, total: u64, mut act: F) -> anyhow::Result<()>
where
    F: AsyncFnMut(u64) -> anyhow::Result<()>,
{
    let begin = Instant::now();
    let mut done = 0;
    while done < total {
        let passed = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        let due = (passed.saturating_mul(per_second) / 1_000_000 + 1).min(total);
        for number in done..due {
            act(number).await?;
        }
        done = due;
        sleep_until(Instant::now() + TURN).await;
    }
    Ok(())
}
