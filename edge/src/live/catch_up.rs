//! Catches one subscription of one socket up from the log: after a resume, or when the socket has
//! not read fast enough.

use std::sync::Arc;

use mesh::client::Backoff;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::filter::Filter;
use super::place::Places;
use super::replay::{Past, Replay, is_final};
use super::scope::Scope;
use super::state::{Next, Turn, Who};
use super::{Live, event};
use crate::metrics;
use crate::socket::close::Reason;
use crate::wire::{Frame, Pushed};

/// How a replay for a socket ended.
enum Ended {
    /// Everything was passed on.
    Complete,
    /// It broke off after these places.
    BrokenOff(Places),
    /// The socket is gone, or was too slow.
    Gone,
}

/// Serves from the log what a member misses until it is live.
pub(super) async fn run(live: &Arc<Live>, who: Who) {
    let mut backoff = Backoff::default();
    loop {
        if !drained(live, &who).await {
            return;
        }
        let mut turn = Turn::default();
        let next = live.state.lock().next_round(&who, &mut turn);
        live.finish(turn);
        let (scope, filter, from, to) = match next {
            Next::Over => return,
            Next::Wait => {
                // Below half its budget and yet no room: what waits is more than the rest.
                sleep(backoff.next()).await;
                continue;
            }
            Next::Replay { scope, filter, from, to } => (scope, filter, from, to),
        };
        let Ok(permit) = live.replays.acquire().await else { return };
        let ended = serve(live, &who, &scope, filter, from, &to).await;
        drop(permit);
        match ended {
            Ended::Complete => backoff.reset(),
            Ended::Gone => return,
            Ended::BrokenOff(from) => {
                live.state.lock().broken_off(&who, from);
                sleep(backoff.next()).await;
            }
        }
    }
}

/// Waits until the socket has room; one that does not drain in time is closed.
async fn drained(live: &Live, who: &Who) -> bool {
    match timeout(live.slow_reader_timeout, who.socket.outbound.drained()).await {
        Ok(is_open) => is_open,
        Err(_elapsed) => {
            who.socket.close(Reason::TooSlow);
            false
        }
    }
}

async fn serve(
    live: &Arc<Live>,
    who: &Who,
    scope: &Scope,
    filter: Filter,
    mut from: Places,
    to: &Places,
) -> Ended {
    let Some(session) = who.socket.session() else { return Ended::Gone };
    let mut replay = match Replay::open(live, scope, session.token(), &from, to).await {
        Ok(Some(replay)) => replay,
        Ok(None) => return Ended::Complete,
        Err(status) if is_final(&status) => {
            warn!(error = %status, "replay refused");
            return lost(live, who, "log_lost", to, scope);
        }
        Err(status) => {
            debug!(error = %status, "replay not opened");
            return Ended::BrokenOff(from);
        }
    };
    loop {
        let batch = match replay.next().await {
            Ok(batch) if batch.is_empty() => return Ended::Complete,
            Ok(batch) => batch,
            Err(status) => {
                warn!(error = %status, "replay broke off");
                return Ended::BrokenOff(from);
            }
        };
        metrics::replayed(batch.len() as u64);
        for past in batch {
            match past {
                Past::Event(event) => {
                    let _span = event.span(true);
                    if filter.wants(event.kind, event.state)
                        && !push(live, who, &event.frame(&who.subscription)).await
                    {
                        return Ended::Gone;
                    }
                    from.set(event.place);
                }
                Past::Lost(reason) => return lost(live, who, &reason, to, scope),
            }
        }
        who.socket.outbound.flush();
    }
}

/// Tells the member that what it missed is gone; it goes on after `to`.
fn lost(live: &Live, who: &Who, reason: &str, to: &Places, scope: &Scope) -> Ended {
    metrics::gaps(event::gap_label(reason), 1);
    live.state.lock().lost(who, reason, to);
    who.socket.send(event::gap(&who.subscription, reason, to.cursor(scope)));
    Ended::Complete
}

/// Pushes a frame when there is room for it; false when the socket is gone or too slow.
async fn push(live: &Live, who: &Who, frame: &Frame) -> bool {
    loop {
        match who.socket.outbound.push_event(frame.clone()) {
            Pushed::Taken { .. } => return true,
            Pushed::Closed => return false,
            Pushed::Full => {
                if !drained(live, who).await {
                    return false;
                }
            }
        }
    }
}
