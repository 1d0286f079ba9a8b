//! The list of living legs: the read side, from the store.
//!
//! Which index is read follows from the scope of the session and what was asked for; what an
//! index does not tell is filtered from its records. The ends of the logs are taken before the
//! list is read, so a subscription that resumes from the cursor misses no later change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use mesh::Clock;
use mesh::caller::{Caller, Scope};
use mesh::calls_index::{self, Index};
use mesh::clock::Timestamp;
use mesh::command::{Directory, Refusal, Session};
use mesh::cursor::{Cursor, Place};
use mesh::ledger::{Ledger, Partition, StoreError, partition_of};
use prost::Message as _;
use proto::auth::v1::check_scope_request::Of;
use proto::call::v1::{CallInfo, QueueInfo, State};
use proto::callcontrol::v1::{GetSipCallsListRequest, GetSipCallsListResponse};
use proto::switch::v1::LegRecord;
use tokio::time::timeout_at;

/// Legs in a list when nobody says how many.
const DEFAULT_LIMIT: u64 = 100;

/// Most legs in a list.
const MAX_LIMIT: u64 = 1_000;

/// Records read at a time where a filter applies.
const CHUNK: u64 = 1_000;

/// Reads lists.
#[derive(Debug)]
pub(crate) struct Lists {
    /// The store.
    pub(crate) ledger: Arc<dyn Ledger>,
    /// The clock.
    pub(crate) clock: Clock,
    /// Who knows scopes.
    pub(crate) directory: Directory,
}

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Query {
    index: Index<'static>,
    /// The customer whose legs they are; `None` for all that the index has.
    i_customer: Option<i64>,
    state: Option<State>,
    i_c_queue: Option<i64>,
}

/// A part of a list, in the order of its index.
#[derive(Debug, Default)]
struct Part {
    /// By start and key.
    legs: BTreeMap<(i64, String), CallInfo>,
    total: u64,
}

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug)]
struct Window {
    offset: u64,
    limit: u64,
    /// Whether the number of all is wanted.
    counts: bool,
}

impl Lists {
    /// The living legs that the session may see and asked for.
    ///
    /// # Errors
    /// `NotSubscribed`, what is not found in the scope, or what came between.
    pub(crate) async fn read(
        &self,
        session: &Session,
        request: &GetSipCallsListRequest,
    ) -> Result<GetSipCallsListResponse, Refusal> {
        let query = self.query(session, request).await?;
        let may_be_unsubscribed = request.include_unsubscribed && session.is_rest();
        if !may_be_unsubscribed && !self.is_subscribed(session).await? {
            return Err(Refusal::NotSubscribed);
        }
        let limit = u64::try_from(request.limit).unwrap_or(0);
        let window = Window {
            offset: u64::try_from(request.offset).unwrap_or(0),
            limit: if limit == 0 { DEFAULT_LIMIT } else { limit.min(MAX_LIMIT) },
            counts: request.get_total,
        };
        let late =
            |_elapsed| Refusal::Store(StoreError { message: "no answer in time".to_owned() });
        let reading = async {
            let cursor = self.cursor(&query).await?;
            let (calls_list, total) = self.legs(&query, window).await?;
            let total = window.counts.then(|| i64::try_from(total).unwrap_or(i64::MAX));
            Ok(GetSipCallsListResponse { calls_list, total, cursor: cursor.encode() })
        };
        timeout_at(session.deadline, reading).await.map_err(late)?.map_err(Refusal::Store)
    }

    /// Notes that an edge has subscriptions of a session.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub(crate) async fn note_subscription(
        &self,
        caller: &Caller,
        subscriber: &str,
        lasts: Duration,
    ) -> Result<(), StoreError> {
        let (i_customer, name) = note_of(caller);
        self.ledger.note_presence(i_customer, &name, subscriber, lasts).await
    }

    /// True when the session has a subscription, on the edge that asks or noted by another.
    async fn is_subscribed(&self, session: &Session) -> Result<bool, Refusal> {
        if session.is_subscribed() {
            return Ok(true);
        }
        let (i_customer, name) = note_of(&session.caller);
        let late =
            |_elapsed| Refusal::Store(StoreError { message: "no answer in time".to_owned() });
        let asking = self.ledger.presence(i_customer, &name);
        let subscribers = timeout_at(session.deadline, asking).await.map_err(late)?;
        Ok(subscribers.map_err(Refusal::Store)?.listeners > 0)
    }

    /// Finds out what may be listed.
    async fn query(
        &self,
        session: &Session,
        request: &GetSipCallsListRequest,
    ) -> Result<Query, Refusal> {
        let scope = *session.scope();
        let i_customer = match request.i_customer {
            Some(asked) => Some(self.customer(session, asked).await?),
            None => scope.i_customer(),
        };
        let fits = |owner: i64| i_customer.is_none_or(|i_customer| i_customer == owner);
        let of_account = match request.i_account {
            Some(asked) => {
                let owner = self.owner_of_account(session, asked).await?;
                Some((asked, owner.filter(|owner| fits(*owner)).ok_or(Refusal::AccountNotFound)?))
            }
            None => None,
        };
        let of_queue = match request.i_c_queue {
            Some(asked) => {
                let owner = self.directory.customer_of(session, Of::ICQueue(asked)).await?;
                Some((asked, owner.filter(|owner| fits(*owner)).ok_or(Refusal::QueueNotFound)?))
            }
            None => None,
        };
        let state = Some(request.state()).filter(|state| *state != State::Unspecified);
        let i_c_queue = of_queue.map(|(i_c_queue, _)| i_c_queue);
        let query = |index, i_customer| Query { index, i_customer, state, i_c_queue };
        let own_account = || scope.i_account().zip(scope.i_customer());
        Ok(match (of_account, of_queue, i_customer) {
            (Some((i_account, owner)), _, _) => query(Index::Account(i_account), Some(owner)),
            (None, Some((i_c_queue, owner)), _) => query(Index::Queue(i_c_queue), Some(owner)),
            (None, None, Some(i_customer)) => match (own_account(), state) {
                (Some((i_account, own)), _) => query(Index::Account(i_account), Some(own)),
                (None, Some(state)) => Query {
                    state: None,
                    ..query(Index::CustomerState(i_customer, state), Some(i_customer))
                },
                (None, None) => query(Index::Customer(i_customer), Some(i_customer)),
            },
            (None, None, None) => match scope {
                Scope::Reseller { i_reseller } => query(Index::Reseller(i_reseller), None),
                Scope::Everything | Scope::Customer { .. } | Scope::Account { .. } => {
                    query(Index::All, None)
                }
            },
        })
    }

    /// A customer in scope.
    ///
    /// # Errors
    /// `CustomerNotFound`, or what came between.
    pub(crate) async fn customer(&self, session: &Session, asked: i64) -> Result<i64, Refusal> {
        let found = match session.scope().i_customer() {
            Some(own) => Some(own).filter(|own| *own == asked),
            None => self.directory.customer_of(session, Of::ICustomer(asked)).await?,
        };
        found.ok_or(Refusal::CustomerNotFound)
    }

    async fn owner_of_account(
        &self,
        session: &Session,
        asked: i64,
    ) -> Result<Option<i64>, Refusal> {
        match *session.scope() {
            Scope::Account { i_customer, i_account } => {
                Ok(Some(i_customer).filter(|_| asked == i_account))
            }
            Scope::Everything | Scope::Reseller { .. } | Scope::Customer { .. } => {
                self.directory.customer_of(session, Of::IAccount(asked)).await
            }
        }
    }

    fn partitions_of(&self, query: &Query) -> Vec<Partition> {
        let partitions = self.ledger.partitions();
        match query.i_customer {
            Some(i_customer) => vec![partition_of(i_customer, partitions)],
            None => (0..partitions).collect(),
        }
    }

    /// Where the logs end now.
    async fn cursor(&self, query: &Query) -> Result<Cursor, StoreError> {
        let place = async |partition| {
            let bounds = self.ledger.log_bounds(partition).await?;
            Ok(Place { partition, epoch: bounds.epoch, position: bounds.last })
        };
        let places = self.partitions_of(query).into_iter().map(place);
        let places: Vec<Place> = try_join_all(places).await?;
        Ok(match (query.i_customer, <[Place; 1]>::try_from(places)) {
            (Some(i_customer), Ok([place])) => Cursor::One { i_customer, place },
            (None, Ok(place)) => Cursor::Wide(place.into()),
            (_, Err(places)) => Cursor::Wide(places),
        })
    }

    /// The legs in the window and how many there are in all.
    async fn legs(
        &self,
        query: &Query,
        window: Window,
    ) -> Result<(Vec<CallInfo>, u64), StoreError> {
        let partitions = self.partitions_of(query);
        // One partition without a filter: the index knows where the window begins.
        let is_direct = partitions.len() == 1 && query.state.is_none() && query.i_c_queue.is_none();
        let (skipped, rest) = if is_direct { (window.offset, 0) } else { (0, window.offset) };
        let wanted = Window { offset: skipped, limit: rest + window.limit, ..window };
        let parts = partitions.into_iter().map(|partition| self.part(query, partition, wanted));
        let parts = try_join_all(parts).await?;
        let total = parts.iter().map(|part| part.total).sum();
        let legs: BTreeMap<_, _> = parts.into_iter().flat_map(|part| part.legs).collect();
        let now = self.clock.now();
        let rest = usize::try_from(rest).unwrap_or(usize::MAX);
        let limit = usize::try_from(window.limit).unwrap_or(usize::MAX);
        let shown = legs.into_values().skip(rest).take(limit).map(|info| CallInfo {
            duration: calls_index::duration_seconds(&info, now),
            queue_info: waiting(&info, now),
            ..info
        });
        Ok((shown.collect(), total))
    }

    /// Reads one partition's index until there are enough legs.
    async fn part(
        &self,
        query: &Query,
        partition: Partition,
        window: Window,
    ) -> Result<Part, StoreError> {
        let index = query.index.to_string();
        let is_filtered = query.state.is_some() || query.i_c_queue.is_some();
        let mut part = Part::default();
        let mut offset = window.offset;
        loop {
            let found = u64::try_from(part.legs.len()).unwrap_or(u64::MAX);
            let missing = window.limit.saturating_sub(found);
            let size = if is_filtered { CHUNK } else { missing.min(CHUNK) };
            let page = self.ledger.page(partition, &index, offset, size).await?;
            for (key, value) in page.records {
                let Ok(record) = LegRecord::decode(value) else { continue };
                if !query.matches(&record) {
                    continue;
                }
                part.total += 1;
                if let Some(info) = record.call_info {
                    part.legs.insert((info.start_time, key), info);
                }
            }
            offset = offset.saturating_add(size);
            let has_enough =
                u64::try_from(part.legs.len()).is_ok_and(|found| found >= window.limit);
            let may_stop = has_enough && !(is_filtered && window.counts);
            if may_stop || offset >= page.total {
                if !is_filtered {
                    part.total = page.total;
                }
                return Ok(part);
            }
        }
    }
}

/// The stay in a queue, with the time until now while it lasts.
fn waiting(info: &CallInfo, now: Timestamp) -> Option<QueueInfo> {
    let mut stay = info.queue_info.clone()?;
    if info.state() == State::Queued {
        let since = Timestamp::from_micros(info.update_time);
        stay.waited = i64::try_from(now.since(since).as_secs()).unwrap_or(i64::MAX);
    }
    Some(stay)
}

impl Query {
    fn matches(&self, record: &LegRecord) -> bool {
        let state = record.call_info.as_ref().map(CallInfo::state);
        self.state.is_none_or(|wanted| state == Some(wanted))
            && self.i_c_queue.is_none_or(|wanted| record.i_c_queues.contains(&wanted))
    }
}

/// Where the ledger notes whether a session is subscribed: among those who listen to numbers, under a
/// name that no number has.
fn note_of(caller: &Caller) -> (i64, String) {
    (caller.scope.i_customer().unwrap_or(0), format!("session {}", caller.session_id))
}
