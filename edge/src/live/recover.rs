//! Brings one scope from a former live stream to the present one: replays what lies between, to
//! all of its subscribers at once.

use std::sync::Arc;

use mesh::client::Backoff;
use tokio::time::sleep;
use tonic::Status;
use tracing::warn;

use super::Live;
use super::replay::{Past, Replay, is_final};
use super::state::Turn;
use crate::metrics;

/// Replays until the scope is live, or another round has begun.
pub(super) async fn run(live: &Arc<Live>, id: u64, round: u64) {
    let mut backoff = Backoff::default();
    loop {
        let Ok(permit) = live.replays.acquire().await else { return };
        let replayed = replay(live, id, round).await;
        drop(permit);
        match replayed {
            Ok(is_over) if is_over => return,
            Ok(_) => backoff.reset(),
            Err(status) if is_final(&status) => {
                warn!(error = %status, "replay of a scope refused");
                if complete(live, id, round, Some("log_lost")) {
                    return;
                }
            }
            Err(status) => {
                warn!(error = %status, "replay of a scope broke off");
                sleep(backoff.next()).await;
            }
        }
    }
}

/// Replays once; true when nothing more is to be done.
async fn replay(live: &Arc<Live>, id: u64, round: u64) -> Result<bool, Status> {
    let Some(task) = live.state.lock().recovery(id, round) else { return Ok(true) };
    let replay = Replay::open(live, &task.scope, task.session.token(), &task.from, &task.to);
    let Some(mut replay) = replay.await? else { return Ok(complete(live, id, round, None)) };
    loop {
        let batch = replay.next().await?;
        if batch.is_empty() {
            return Ok(complete(live, id, round, None));
        }
        metrics::replayed(batch.len() as u64);
        let mut turn = Turn::default();
        let (mut lost, mut is_current) = (None, true);
        {
            let mut state = live.state.lock();
            for past in batch {
                match past {
                    Past::Event(event) => {
                        let _span = event.span(true);
                        is_current = state.recovered(id, round, &Arc::new(event), &mut turn);
                    }
                    Past::Lost(reason) => lost = Some(reason),
                }
            }
        }
        live.finish(turn);
        if !is_current {
            return Ok(true);
        }
        if let Some(reason) = lost {
            return Ok(complete(live, id, round, Some(&reason)));
        }
    }
}

fn complete(live: &Arc<Live>, id: u64, round: u64, lost: Option<&str>) -> bool {
    let mut turn = Turn::default();
    let needs_another = live.state.lock().replayed(id, round, lost, &mut turn);
    live.finish(turn);
    !needs_another
}
