//! One partition: where its reader stands, what it read last, and who listens.

use std::sync::Arc;
use std::time::Duration;

use mesh::ledger::{Partition as Number, Position};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{Span, info_span};

use crate::domain::entry::{Entry, Place};
use crate::domain::frame::{Frame, Gap, Loss};
use crate::domain::index::{Index, Match};
use crate::domain::recent::Recent;
use crate::domain::scope::Access;

/// One partition of the log as this process has read it.
#[derive(Debug)]
pub(crate) struct Partition {
    /// Its number.
    pub(crate) number: Number,
    held: Mutex<Held>,
    /// Told when something was read that is to be posted.
    called: Notify,
}

/// What the lock of a partition guards.
#[derive(Debug)]
pub(crate) struct Held {
    /// Everything up to here has been handed out; `None` until the reader knows where it begins.
    pub(super) place: Option<Place>,
    /// Who listens.
    pub(super) index: Index,
    recent: Recent,
    /// Where the reading of this era began.
    since: Position,
    /// The last entry that is to be posted.
    last_callback: Option<Position>,
    /// Kept for its memory.
    matches: Vec<Match>,
}

/// How far this process has read, as seen from an earlier place.
#[derive(Clone, Debug)]
pub(crate) struct Outlook {
    /// Everything up to here has been read.
    pub(crate) place: Place,
    /// It is no further than the earlier place.
    pub(crate) is_over: bool,
    /// Nothing between the two is to be posted.
    pub(crate) has_no_callbacks: bool,
}

/// What a look into the recent entries gave.
#[derive(Debug)]
pub(crate) struct Page {
    /// The entries that matched, oldest first.
    pub(crate) entries: Vec<Arc<Entry>>,
    /// Everything that matches up to here is in the page or before it.
    pub(crate) seen: Position,
}

impl Partition {
    pub(super) fn new(number: Number, window: Duration, max_bytes: usize) -> Self {
        let held = Held {
            place: None,
            index: Index::default(),
            recent: Recent::new(window, max_bytes),
            since: Position::default(),
            last_callback: None,
            matches: Vec::new(),
        };
        Self { number, held: Mutex::new(held), called: Notify::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock()
    }

    /// The reader begins at `place`.
    pub(crate) fn start(&self, place: Place) {
        let mut held = self.lock();
        held.restart(place);
        drop(held);
        self.called.notify_one();
    }

    /// Returns when something may have been read that is to be posted; for one who follows.
    pub(crate) async fn called(&self) {
        self.called.notified().await;
    }

    /// How far this process has read; `None` before it has begun.
    pub(crate) fn outlook(&self, from: &Place) -> Option<Outlook> {
        let held = self.lock();
        let place = held.place.clone()?;
        let is_same = place.era == from.era;
        let has_no_callbacks = is_same
            && from.position >= held.since
            && held.last_callback.is_none_or(|last| last <= from.position);
        let is_over = is_same && from.position >= place.position;
        Some(Outlook { place, is_over, has_no_callbacks })
    }

    /// Hands out entries, which follow the place in the same era, and moves the place to `up_to`.
    /// Returns how many messages they became.
    pub(crate) fn publish(&self, entries: Vec<Arc<Entry>>, up_to: Position) -> u64 {
        let mut held = self.lock();
        let Held { place, index, recent, last_callback, matches, .. } = &mut *held;
        let mut is_called = false;
        let mut sent = 0;
        for entry in entries {
            index.find(&entry.head, matches);
            let _span = if matches.is_empty() { None } else { span_of(&entry, matches.len()) };
            for of_stream in matches.chunk_by(|one, other| one.0 == other.0) {
                let Some((stream, _)) = of_stream.first() else { continue };
                let Some(outbox) = index.outbox(*stream) else { continue };
                let scope_ids = of_stream.iter().map(|(_, scope_id)| *scope_id).collect();
                outbox.push(Frame::Event { entry: Arc::clone(&entry), scope_ids });
                sent += 1;
            }
            if entry.head.has_callbacks {
                *last_callback = Some(entry.place.position);
                is_called = true;
            }
            recent.push(entry);
        }
        if let Some(place) = place {
            place.position = up_to;
        }
        drop(held);
        if is_called {
            self.called.notify_one();
        }
        sent
    }

    /// Events are gone: tells everybody who listens, and goes on from `place`.
    pub(crate) fn lose(&self, place: Place, loss: Loss) {
        let mut held = self.lock();
        for outbox in held.index.outboxes() {
            outbox.push(Frame::Gap(Gap { place: place.clone(), loss }));
        }
        held.restart(place);
        drop(held);
        self.called.notify_one();
    }

    /// Lets go of what is older than the window.
    pub(crate) fn expire(&self, now: Instant) {
        self.lock().recent.expire(now);
    }

    /// Looks for entries of `access` after `after` and up to `to`, among at most `limit` recent
    /// ones. `None` when these do not reach back to `after`.
    pub(crate) fn page(
        &self,
        access: &Access,
        after: &Place,
        to: Position,
        limit: usize,
    ) -> Option<Page> {
        let held = self.lock();
        let place = held.place.as_ref()?;
        let is_there = place.era == after.era && after.position >= held.recent.floor();
        if !is_there || place.position < to {
            return None;
        }
        let mut page = Page { entries: Vec::new(), seen: to };
        let of_customer = access.scope.i_customer();
        for (number, entry) in held.recent.after(after.position, of_customer).enumerate() {
            if entry.place.position > to {
                break;
            }
            if number == limit {
                return Some(page);
            }
            page.seen = entry.place.position;
            if access.matches(&entry.head) {
                page.entries.push(Arc::clone(entry));
            }
        }
        page.seen = to;
        Some(page)
    }
}

impl Held {
    fn restart(&mut self, place: Place) {
        self.recent.restart(place.position);
        self.since = place.position;
        self.last_callback = None;
        self.place = Some(place);
    }
}

/// A span of handing out an entry, in the trace of what caused it.
fn span_of(entry: &Entry, scopes: usize) -> Option<Span> {
    let (partition, scopes) = (i64::from(entry.place.partition), i64::try_from(scopes).ok());
    mesh::trace::following(
        &entry.head.traceparent,
        || info_span!(parent: None, "notify", partition, scopes),
    )
}
