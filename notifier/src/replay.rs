//! Past events of one scope, between places that the live stream named.
//!
//! A replay is pulled by its reader: it takes pages from the recent entries
//! where these reach back far enough, otherwise from the store, a bounded number
//! of pages at a time over all replays. Events of one partition come in the order
//! of the log; partitions are merged by time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use mesh::ledger::{Ledger, LogRead, Position, ReadFrom, StoreError};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::config::Config;
use crate::domain::entry::{Entry, Era, Place};
use crate::domain::frame::{Gap, Loss};
use crate::domain::scope::Access;
use crate::hub::{Hub, Page};
use crate::{metrics, wire};

/// Where a replay of one partition begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// After this place.
    After(Arc<Era>, Position),
    /// At this moment (milliseconds since 1970 UTC) of whatever epoch there is, which must be no
    /// younger.
    Since(u64),
    /// The caller's place says nothing of this partition.
    Unknown,
}

/// One partition of a replay: from where, and up to which place.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    /// Start.
    pub(crate) start: Start,
    /// End, inclusive, as the live stream said.
    pub(crate) to: Place,
}

/// What a replay gives.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// A past event.
    Event(Arc<Entry>),
    /// Events are gone; nothing comes after this.
    Gap(Gap),
}

/// What replays share.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The recent entries.
    pub(crate) hub: Arc<Hub>,
    /// The log.
    pub(crate) ledger: Arc<dyn Ledger>,
    /// One permit for each page that is read from the log.
    pub(crate) permits: Arc<Semaphore>,
    /// The settings.
    pub(crate) config: Arc<Config>,
}

/// One replay.
#[derive(Debug)]
pub(crate) struct Replay {
    source: Source,
    access: Access,
    parts: Vec<Part>,
    has_begun: bool,
    is_over: bool,
    read_log: bool,
    events: u64,
}

/// One partition.
#[derive(Debug)]
struct Part {
    /// Everything up to here is in `page` or has been given.
    seen: Place,
    to: Position,
    page: VecDeque<Arc<Entry>>,
    loss: Option<Loss>,
}

impl Part {
    fn new(span: Span) -> Self {
        let Span { start, to } = span;
        let born = to.era.epoch.born_millis;
        let (position, loss) = match start {
            Start::After(era, position) if era == to.era => (position, None),
            Start::Since(millis) if born <= millis => (before(millis), None),
            Start::After(..) | Start::Since(_) | Start::Unknown => {
                (Position::default(), Some(Loss::LogLost))
            }
        };
        let seen = Place { position, ..to.clone() };
        Self { seen, to: to.position, page: VecDeque::new(), loss }
    }

    fn is_read(&self) -> bool {
        self.seen.position >= self.to
    }

    /// The place at which the live stream goes on, with what was lost before it.
    fn gap(&self, loss: Loss) -> Gap {
        Gap { place: Place { position: self.to, ..self.seen.clone() }, loss }
    }
}

/// The last position before a moment.
fn before(millis: u64) -> Position {
    match millis.checked_sub(1) {
        Some(millis) => Position { millis, sequence: u64::MAX },
        None => Position::default(),
    }
}

impl Replay {
    /// A replay of what `access` gives, in these partitions.
    pub(crate) fn new(source: Source, access: Access, spans: Vec<Span>) -> Self {
        Self {
            source,
            access,
            parts: spans.into_iter().map(Part::new).collect(),
            has_begun: false,
            is_over: false,
            read_log: false,
            events: 0,
        }
    }

    /// The next event or gap; `None` at the end.
    ///
    /// # Errors
    /// When the store is needed and does not answer.
    pub(crate) async fn next(&mut self) -> Result<Option<Item>, StoreError> {
        if self.is_over {
            return Ok(None);
        }
        if !self.has_begun {
            // Whatever is gone is said before the first event: its receiver has to look at the
            // calls anew whichever partition it was.
            if self.parts.iter().all(|part| part.loss.is_none()) {
                self.fill().await?;
            }
            self.has_begun = true;
            if let Some(gap) = self.parts.iter().find_map(|part| part.loss.map(|it| part.gap(it))) {
                return Ok(Some(self.end_with(gap)));
            }
        }
        self.fill().await?;
        let next = self
            .parts
            .iter()
            .enumerate()
            .filter_map(|(at, part)| {
                let millis = part.page.front().map(|entry| entry.place.position.millis);
                // A loss found on the way comes after what could still be read.
                let is_lost = part.loss.is_some();
                millis.or(is_lost.then_some(0)).map(|millis| (millis, at))
            })
            .min();
        let Some(part) = next.and_then(|(_, at)| self.parts.get_mut(at)) else {
            self.is_over = true;
            return Ok(None);
        };
        if let Some(entry) = part.page.pop_front() {
            self.events += 1;
            return Ok(Some(Item::Event(entry)));
        }
        let gap = part.loss.map(|loss| part.gap(loss));
        Ok(gap.map(|gap| self.end_with(gap)))
    }

    fn end_with(&mut self, gap: Gap) -> Item {
        self.is_over = true;
        metrics::replay_lost(gap.loss);
        Item::Gap(gap)
    }

    /// Reads on in every partition of which nothing is at hand.
    async fn fill(&mut self) -> Result<(), StoreError> {
        for part in &mut self.parts {
            while part.page.is_empty() && part.loss.is_none() && !part.is_read() {
                let limit = self.source.config.replay_page;
                let partition = self.source.hub.partition(part.seen.partition);
                let recent =
                    partition.and_then(|it| it.page(&self.access, &part.seen, part.to, limit));
                let outcome = if let Some(page) = recent {
                    Ok(page)
                } else {
                    self.read_log = true;
                    self.source.read(&self.access, &part.seen, part.to).await?
                };
                match outcome {
                    Ok(page) => {
                        part.page = page.entries.into();
                        part.seen.position = page.seen;
                    }
                    Err(loss) => part.loss = Some(loss),
                }
            }
        }
        Ok(())
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        metrics::replayed(self.read_log, self.events);
    }
}

impl Source {
    /// Reads one page of the log after `seen`, with what matches up to `to`.
    async fn read(
        &self,
        access: &Access,
        seen: &Place,
        to: Position,
    ) -> Result<Result<Page, Loss>, StoreError> {
        let Ok(_permit) = self.permits.acquire().await else {
            return Err(StoreError { message: "the service is stopping".to_owned() });
        };
        let from = ReadFrom::After(seen.era.epoch.clone(), seen.position);
        let limit = self.config.replay_page;
        let asking = self.ledger.read_log(seen.partition, &from, limit, Duration::ZERO);
        let read = timeout(self.config.store_timeout, asking).await.unwrap_or_else(|_elapsed| {
            Err(StoreError { message: "no answer in time".to_owned() })
        })?;
        Ok(match read {
            LogRead::EpochChanged(_) => Err(Loss::LogLost),
            LogRead::Trimmed(bounds) if seen.position > bounds.last => Err(Loss::LogLost),
            LogRead::Trimmed(_) => Err(Loss::TooOld),
            LogRead::Entries(chunk) => {
                let read_at = Instant::now();
                let end = chunk.entries.last().map(|(position, _)| (*position).min(to));
                let entries = chunk
                    .entries
                    .into_iter()
                    .take_while(|(position, _)| *position <= to)
                    .filter_map(|(position, raw)| {
                        // One that cannot be read was reported by the reader.
                        let head = wire::head_of(&raw).ok()?;
                        let place = Place { position, ..seen.clone() };
                        access.matches(&head).then(|| Arc::new(Entry { place, head, raw, read_at }))
                    });
                Ok(Page { entries: entries.collect(), seen: end.unwrap_or(to) })
            }
        })
    }
}
