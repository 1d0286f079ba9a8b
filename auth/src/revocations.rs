//! The revocations that still matter, polled from the store and handed on.
//!
//! Every instance of auth polls, so none has to be told by another. The newest are kept in
//! memory, and each watcher reads them there: their number costs the store nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use futures::stream::unfold;
use mesh::Clock;
use mesh::caller::Caller;
use mesh::clock::Timestamp;
use mesh::health::Component;
use mesh::token::{self, Verifier};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::domain::directory::{Directory, StoreError};
use crate::domain::session::{Revocation, Revoked};
use crate::metrics;

/// Time between two polls.
const POLL_EVERY: Duration = Duration::from_millis(250);
/// Time between two signs of life.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Time that one poll may take.
const POLL_TIMEOUT: Duration = Duration::from_secs(2);

/// What is known of revocations. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Revocations {
    directory: Arc<dyn Directory>,
    clock: Clock,
    verifier: Verifier,
    /// How long a revocation matters: as long as a token that it concerns may live.
    kept: Duration,
    known: watch::Sender<Known>,
    poke: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Known {
    position: i64,
    recent: VecDeque<Revocation>,
    /// False while the store does not answer: then there is no sign of life either, and who
    /// watches knows that it does not know.
    is_current: bool,
}

/// What a watcher hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    /// Position of the newest revocation known; with `revocation`, of this one.
    pub(crate) position: i64,
    /// A revocation; a sign of life has none.
    pub(crate) revocation: Option<token::Revocation>,
}

impl Revocations {
    pub(crate) fn new(
        directory: Arc<dyn Directory>,
        clock: Clock,
        verifier: Verifier,
        kept: Duration,
    ) -> Self {
        Self {
            directory,
            clock,
            verifier,
            kept,
            known: watch::Sender::new(Known::default()),
            poke: Arc::new(Notify::new()),
        }
    }

    /// Reads what is new now.
    pub(crate) async fn poll(&self) -> Result<(), StoreError> {
        let before = self.known.borrow().position;
        let since = before_by(self.clock.now(), self.kept);
        // At first there may be only such as no longer matter. Asked for before the revocations,
        // so that one made in between is in them and not skipped.
        let from = if before == 0 { self.directory.revocation_position().await? } else { before };
        let new = self.directory.revocations(before, since).await?;
        let position = new.last().map_or(from, |last| last.position);
        metrics::revoked(new.len());
        for revocation in &new {
            self.verifier.revoke(to_token(revocation));
        }
        self.known.send_if_modified(|known| {
            let is_news = !new.is_empty() || !known.is_current || position != known.position;
            known.position = position;
            known.recent.extend(new);
            while known.recent.front().is_some_and(|oldest| oldest.at < since) {
                known.recent.pop_front();
            }
            known.is_current = true;
            is_news
        });
        Ok(())
    }

    /// Polls until `stop`; `store` says how it goes.
    pub(crate) async fn run(self, store: Component, stop: CancellationToken) {
        let polling = async {
            loop {
                let polled = timeout(POLL_TIMEOUT, self.poll()).await;
                let reason = match polled {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(mesh::fault::chain(&error)),
                    Err(_elapsed) => Some("the directory does not answer".to_owned()),
                };
                match reason {
                    None => {
                        self.verifier.note_auth();
                        store.ready();
                    }
                    Some(reason) => {
                        let was_current = self.known.send_if_modified(|known| {
                            std::mem::replace(&mut known.is_current, false)
                        });
                        if was_current {
                            warn!(error = reason, "revocations cannot be read");
                        }
                        store.down(reason);
                    }
                }
                timeout(POLL_EVERY, self.poke.notified()).await.ok();
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = polling => {}
        }
    }

    /// Whose a token is whose session goes on, though its rights may have changed.
    pub(crate) fn holder(&self, token: &str) -> Result<Arc<Caller>, token::TokenError> {
        self.verifier.holder(token)
    }

    /// Polls without waiting for the next turn, after a revocation made here.
    pub(crate) fn hurry(&self) {
        self.poke.notify_one();
    }

    /// The revocations after a position (0: all that matter), then new ones as they come, with a
    /// sign of life at once and each second. Never ends by itself.
    pub(crate) fn watch(&self, after: i64) -> impl Stream<Item = News> + use<> {
        let mut beat = interval_at(Instant::now(), BEAT_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watcher = Watcher {
            known: self.known.subscribe(),
            position: after,
            pending: VecDeque::new(),
            beat,
        };
        unfold(watcher, |mut watcher| async {
            let news = watcher.next().await;
            Some((news, watcher))
        })
    }
}

struct Watcher {
    known: watch::Receiver<Known>,
    position: i64,
    pending: VecDeque<News>,
    beat: tokio::time::Interval,
}

impl Watcher {
    async fn next(&mut self) -> News {
        loop {
            self.collect();
            if let Some(news) = self.pending.pop_front() {
                return news;
            }
            tokio::select! {
                changed = self.known.changed() => {
                    if changed.is_err() {
                        // The service has stopped; its server ends the stream.
                        std::future::pending::<()>().await;
                    }
                }
                _ = self.beat.tick() => {
                    let known = self.known.borrow();
                    if known.is_current {
                        return News { position: known.position, revocation: None };
                    }
                }
            }
        }
    }

    fn collect(&mut self) {
        let known = self.known.borrow_and_update();
        let new = known.recent.iter().filter(|revocation| revocation.position > self.position);
        self.pending.extend(new.map(|revocation| News {
            position: revocation.position,
            revocation: Some(to_token(revocation)),
        }));
        if let Some(last) = self.pending.back() {
            self.position = last.position;
        }
    }
}

/// The moment that lies `duration` before another.
pub(crate) fn before_by(moment: Timestamp, duration: Duration) -> Timestamp {
    let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(moment.as_micros().saturating_sub(micros))
}

fn to_token(revocation: &Revocation) -> token::Revocation {
    token::Revocation {
        subject: match &revocation.revoked {
            Revoked::Session(id) => token::Subject::Session(id.0.clone()),
            Revoked::User(subject) => token::Subject::User(subject.to_string()),
            Revoked::Role(role) => token::Subject::Role(role.clone()),
        },
        epoch: revocation.position,
        ends: revocation.ends,
    }
}
