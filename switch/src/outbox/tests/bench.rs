//! An outbox whose writer commits to a ledger in memory, and what the engine would know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh::Clock;
use mesh::clock::Timestamp;
use mesh::ledger::memory::{MemoryConfig, MemoryLedger};
use mesh::ledger::{Epoch, Ledger};
use mesh::ledger::{IndexChange, LogRead, NodeLease, ReadFrom};
use prost::Message as _;
use proto::call::v1::{CallInfo, CallRef, State};
use proto::switch::v1::{LegRecord, LogEntry, log_entry};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::outbox::{Batch, Bounds, Ended, Outbox, Writing};
use crate::wire;

pub(super) const NODE: &str = "node-1";

pub(super) const ROOMY: Bounds = Bounds { max_bytes: 1 << 20, commit_events: 16 };

/// One leg's state as the log tells it: call, tag, state, sequence.
pub(super) type Told = (String, String, State, i64);

pub(super) struct Bench {
    pub(super) memory: Arc<MemoryLedger>,
    pub(super) clock: Clock,
    pub(super) outbox: Outbox,
    pub(super) stop: CancellationToken,
    tasks: TaskTracker,
    ended: oneshot::Receiver<Ended>,
    /// What the engine knows of living legs.
    pub(super) living: BTreeMap<String, LegRecord>,
    /// All that it has told, in order.
    pub(super) told: Vec<Told>,
    sequences: BTreeMap<String, i64>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(ROOMY)
    }

    pub(super) fn with(bounds: Bounds) -> Self {
        Self::over(bounds, |memory| memory)
    }

    /// `wrap` puts something between the writer and the ledger.
    pub(super) fn over<L: Ledger>(
        bounds: Bounds,
        wrap: impl FnOnce(Arc<MemoryLedger>) -> Arc<L>,
    ) -> Self {
        let clock = Clock::starting_at(Timestamp::from_micros(1_700_000_000_000_000));
        let memory = Arc::new(MemoryLedger::new(clock.clone(), MemoryConfig::default()));
        let outbox = Outbox::new(bounds);
        let stop = CancellationToken::new();
        let writing = Writing {
            ledger: wrap(Arc::clone(&memory)),
            partition: 0,
            node: NODE.to_owned(),
            node_epoch: 1,
            clock: clock.clone(),
        };
        let tasks = TaskTracker::new();
        let (tell, ended) = oneshot::channel();
        let running = writing.run(outbox.clone(), stop.clone());
        tasks.spawn(async move { tell.send(running.await).ok() });
        Self {
            memory,
            clock,
            outbox,
            stop,
            tasks,
            ended,
            living: BTreeMap::new(),
            told: Vec::new(),
            sequences: BTreeMap::new(),
        }
    }

    /// A leg changes; the receiver is the one of [`Outbox::push`].
    pub(super) fn tell(&mut self, call: &str, tag: &str, state: State) -> oneshot::Receiver<()> {
        self.tell_moved(call, tag, state, None)
    }

    /// A leg changes, and goes on under another call.
    pub(super) fn tell_moved(
        &mut self,
        call: &str,
        tag: &str,
        state: State,
        moved_to: Option<&str>,
    ) -> oneshot::Receiver<()> {
        let sequence = self.sequences.entry(call.to_owned()).or_default();
        *sequence += 1;
        let record = LegRecord {
            call_info: Some(CallInfo {
                call: Some(CallRef { id: call.to_owned(), tag: Some(tag.to_owned()) }),
                state: state.into(),
                i_customer: 7,
                i_account: Some(1),
                start_time: 1_000_000,
                sequence: *sequence,
                moved_to: moved_to.map(|id| CallRef { id: id.to_owned(), tag: None }),
                ..CallInfo::default()
            }),
            i_reseller: 3,
            i_accounts: vec![1],
            node: NODE.to_owned(),
            ..LegRecord::default()
        };
        let key = mesh::calls_index::key_of(&record);
        self.told.push((call.to_owned(), tag.to_owned(), state, *sequence));
        if state == State::Terminated || moved_to.is_some() {
            self.living.remove(&key);
        } else {
            self.living.insert(key.clone(), record.clone());
        }
        let entry = wire::entry_of(&record, self.clock.now(), "");
        let events = vec![Bytes::from(entry.encode_to_vec())];
        self.outbox.push(Batch { legs: vec![(key, record)], events, ..Batch::default() })
    }

    /// A leg changes, and the store has it.
    pub(super) async fn write(&mut self, call: &str, tag: &str, state: State) {
        self.tell(call, tag, state).await.expect("in the store");
    }

    /// Long enough for the writer to notice whatever it notices by itself.
    pub(super) async fn calm(&self) {
        self.outbox.drained().await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        self.outbox.drained().await;
    }

    /// How the writer ended.
    pub(super) async fn ended(self) -> Ended {
        self.ended.await.expect("the writer ends by itself")
    }

    pub(super) async fn stopped(mut self) -> Ended {
        self.stop.cancel();
        let ended = (&mut self.ended).await.expect("the writer ends");
        self.tasks.close();
        self.tasks.wait().await;
        ended
    }

    pub(super) async fn epoch(&self) -> Epoch {
        self.memory.log_bounds(0).await.unwrap().epoch
    }

    /// The log of the present epoch.
    pub(super) async fn log(&self) -> Vec<Told> {
        let read = self.memory.read_log(0, &ReadFrom::Oldest, 1 << 20, Duration::ZERO).await;
        let LogRead::Entries(chunk) = read.unwrap() else { panic!("not the oldest") };
        let told = chunk.entries.into_iter().map(|(_, bytes)| {
            let entry = LogEntry::decode(bytes).unwrap();
            let Some(log_entry::Body::CallState(info)) = entry.body else {
                panic!("not a call state")
            };
            let state = info.state();
            let call = info.call.unwrap();
            (call.id, call.tag.unwrap(), state, info.sequence)
        });
        told.collect()
    }

    /// The store's records and indexes are those of the living legs, no more and no less.
    pub(super) async fn check_records(&self) {
        let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (key, record) in &self.living {
            let stored = self.memory.get(0, key).await.unwrap();
            let stored = stored.map(|bytes| LegRecord::decode(bytes).unwrap());
            assert_eq!(stored.as_ref(), Some(record), "{key}");
            let (_, index) = mesh::calls_index::changes(None, record);
            for change in index {
                let IndexChange::Add { index, member, .. } = change else { continue };
                expected.entry(index).or_default().insert(member);
            }
        }
        let calls = self.sequences.keys().map(|call| format!("call:{call}"));
        let states = [State::Trying, State::Ringing, State::Early, State::Connected, State::Held]
            .map(|state| format!("customer:7:state:{}", mesh::calls_index::state_name(state)));
        let others = ["all", "reseller:3", "customer:7", "account:1", "node:node-1"];
        let others = others.into_iter().map(str::to_owned);
        for index in calls.chain(states).chain(others) {
            let page = self.memory.page(0, &index, 0, 1 << 20).await.unwrap();
            let members: BTreeSet<_> = page.records.into_iter().map(|(key, _)| key).collect();
            assert_eq!(members, expected.remove(&index).unwrap_or_default(), "{index}");
        }
        assert!(expected.is_empty(), "unchecked: {expected:?}");
    }

    /// A lease, as sweepers look for one.
    pub(super) async fn take_lease(&self) {
        let lease = NodeLease {
            node: NODE.to_owned(),
            epoch: 1,
            address: String::new(),
            site: String::new(),
            load: 0,
            accepting: true,
            remaining: Duration::ZERO,
        };
        self.memory.renew_lease(&lease, Duration::from_secs(15)).await.unwrap();
    }
}
