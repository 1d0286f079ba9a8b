//! Sweeps over the store in memory.

use proto::call::v1::{CallInfo, CallRef};
use proto::switch::v1::AccountingRecord;

use super::*;
use crate::ledger::memory::{MemoryConfig, MemoryLedger};
use crate::ledger::{LogRead, NodeLease, ReadFrom, partition_of};

const NODE: &str = "node-1";

struct Fixture {
    clock: Clock,
    ledger: MemoryLedger,
    committed: u64,
}

impl Fixture {
    fn new() -> Self {
        let clock = Clock::starting_at(Timestamp::from_micros(1_000_000_000));
        let config = MemoryConfig { partitions: 4, ..MemoryConfig::default() };
        Self { ledger: MemoryLedger::new(clock.clone(), config), clock, committed: 0 }
    }

    /// Writes a leg as the engine of `node` does.
    async fn put(&mut self, node: &str, i_customer: i64, call: &str, tag: &str, sequence: i64) {
        self.try_put(node, i_customer, call, tag, sequence).await.unwrap();
    }

    async fn try_put(
        &mut self,
        node: &str,
        i_customer: i64,
        call: &str,
        tag: &str,
        sequence: i64,
    ) -> Result<Committed, CommitError> {
        self.commit(node, i_customer, &[record(node, i_customer, call, tag, sequence)]).await
    }

    /// Writes legs of one customer in one commit.
    async fn commit(
        &mut self,
        node: &str,
        i_customer: i64,
        records: &[LegRecord],
    ) -> Result<Committed, CommitError> {
        let (mut state, mut index) = (Vec::new(), Vec::new());
        for record in records {
            let (states, indexes) = calls_index::changes(None, record);
            state.extend(states);
            index.extend(indexes);
        }
        // A process of its own for each commit, to keep the test short.
        self.committed += 1;
        let writer = Writer {
            node: format!("{node}-{}", self.committed),
            node_epoch: 1,
            sequence: 1,
            log_epoch: None,
        };
        let commit = Commit {
            partition: partition_of(i_customer, 4),
            writer,
            require: Vec::new(),
            state,
            index,
            events: Vec::new(),
            accounting: Vec::new(),
            renew_epoch: false,
        };
        self.ledger.commit(&commit).await
    }

    async fn lease(&self, epoch: u64) {
        let lease = NodeLease {
            node: NODE.to_owned(),
            epoch,
            address: "memory:switch".to_owned(),
            site: "main".to_owned(),
            load: 0,
            accepting: true,
            remaining: Duration::ZERO,
        };
        self.ledger.renew_lease(&lease, Duration::from_secs(15)).await.unwrap();
    }

    /// What the log tells, oldest first.
    async fn told(&self) -> Vec<LogEntry> {
        let mut told = Vec::new();
        for partition in 0..4 {
            let from = ReadFrom::Oldest;
            let read = self.ledger.read_log(partition, &from, 1_000, Duration::ZERO).await.unwrap();
            let LogRead::Entries(chunk) = read else { panic!("{read:?}") };
            told.extend(
                chunk.entries.into_iter().map(|(_, entry)| LogEntry::decode(entry).unwrap()),
            );
        }
        told
    }

    async fn legs(&self) -> u64 {
        let mut legs = 0;
        for partition in 0..4 {
            legs += self.ledger.page(partition, "all", 0, 1).await.unwrap().total;
        }
        legs
    }
}

/// A connected leg.
fn record(node: &str, i_customer: i64, call: &str, tag: &str, sequence: i64) -> LegRecord {
    LegRecord {
        call_info: Some(CallInfo {
            call: Some(CallRef { id: call.to_owned(), tag: Some(tag.to_owned()) }),
            state: State::Connected.into(),
            i_customer,
            connect_time: Some(990_000_000),
            sequence,
            ..CallInfo::default()
        }),
        i_accounts: vec![1, 2],
        node: node.to_owned(),
        ..LegRecord::default()
    }
}

fn info(entry: &LogEntry) -> CallInfo {
    match &entry.body {
        Some(log_entry::Body::CallState(info)) => info.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn final_events_go_on_from_the_newest_of_the_call_also_when_its_leg_is_gone() {
    let mut legs = Legs::new();
    let mut left = record(NODE, 1, "node-1.c", "a", 3);
    // Event 7 was that of a leg that has ended since.
    left.call_sequence = 7;
    legs.insert(calls_index::key_of(&left), left);
    let writer = Writer { node: NODE.to_owned(), node_epoch: 1, sequence: 1, log_epoch: None };

    let commit = ending(partition_of(1, 4), writer, &legs, Timestamp::from_micros(1_000_000_000));

    let told = LogEntry::decode(commit.events[0].clone()).unwrap();
    assert_eq!(info(&told).sequence, 8);
}

#[tokio::test(start_paused = true)]
async fn each_leg_of_the_node_is_terminated_and_forgotten() {
    let mut fixture = Fixture::new();
    for i_customer in 1..=5 {
        let call = format!("{NODE}.c{i_customer}");
        fixture.put(NODE, i_customer, &call, "a", 6).await;
        fixture.put(NODE, i_customer, &call, "b", 7).await;
    }
    fixture.put("node-2", 1, "node-2.c", "a", 1).await;

    let swept = end_calls_of(&fixture.ledger, NODE, 3, &fixture.clock).await.unwrap();

    assert_eq!(swept, Swept { calls: 5, legs: 10 });
    assert_eq!(fixture.legs().await, 1, "the other node's leg is left");
    let told = fixture.told().await;
    assert_eq!(told.len(), 10);
    for entry in &told {
        let info = info(entry);
        assert_eq!(entry.i_accounts, [1, 2]);
        assert_eq!(info.state(), State::Terminated);
        assert_eq!((info.reason.as_deref(), info.reason_code), (Some("Switch Lost"), Some(503)));
        assert_eq!(info.duration, 10);
    }
    let of_first = told.iter().map(info).filter(|info| info.i_customer == 1);
    assert_eq!(of_first.map(|info| info.sequence).collect::<Vec<_>>(), [8, 9]);
}

#[tokio::test(start_paused = true)]
async fn a_leg_that_moved_to_another_call_is_terminated_there_and_nowhere_else() {
    let mut fixture = Fixture::new();
    fixture.put(NODE, 1, "node-1.c1", "a", 7).await;
    fixture.put(NODE, 1, "node-1.c2", "b", 21).await;
    let mut left = record(NODE, 1, "node-1.c2", "b", 22);
    if let Some(info) = &mut left.call_info {
        info.set_state(State::Transferred);
        info.moved_to = Some(CallRef { id: "node-1.c1".to_owned(), tag: None });
    }
    let came = record(NODE, 1, "node-1.c1", "b", 8);
    fixture.commit(NODE, 1, &[left, came]).await.unwrap();

    let swept = end_calls_of(&fixture.ledger, NODE, 3, &fixture.clock).await.unwrap();

    assert_eq!(swept, Swept { calls: 1, legs: 2 });
    let told = fixture.told().await;
    let told: Vec<_> = told
        .iter()
        .map(info)
        .map(|info| (info.call.map(|call| (call.id, call.tag)), info.sequence))
        .collect();
    let leg = |tag: &str| Some(("node-1.c1".to_owned(), Some(tag.to_owned())));
    assert_eq!(told, [(leg("a"), 9), (leg("b"), 10)]);
    assert_eq!(fixture.legs().await, 0);
}

#[tokio::test(start_paused = true)]
async fn the_node_is_fenced_in_every_partition() {
    let fixture = Fixture::new();

    end_calls_of(&fixture.ledger, NODE, 3, &fixture.clock).await.unwrap();

    for partition in 0..4 {
        for (node_epoch, is_fenced) in [(3, true), (4, false)] {
            let writer = Writer { node: NODE.to_owned(), node_epoch, sequence: 1, log_epoch: None };
            let commit = ending(partition, writer, &Legs::new(), fixture.clock.now());
            let outcome = fixture.ledger.commit(&commit).await;
            assert_eq!(matches!(outcome, Err(CommitError::Fenced)), is_fenced, "{outcome:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_sweepers_one_ends_each_leg() {
    let mut fixture = Fixture::new();
    for call in 0..20 {
        let call = format!("{NODE}.c{call}");
        fixture.put(NODE, 1, &call, "a", 1).await;
        fixture.put(NODE, 1, &call, "b", 2).await;
    }

    let (one, other) = tokio::join!(
        end_calls_of(&fixture.ledger, NODE, 3, &fixture.clock),
        end_calls_of_lost(&fixture.ledger, NODE, 3, &fixture.clock),
    );

    assert_eq!(one.unwrap().legs + other.unwrap().legs, 40);
    assert_eq!(fixture.told().await.len(), 40);
    assert_eq!(fixture.legs().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_ends_no_leg_twice() {
    let mut fixture = Fixture::new();
    fixture.put(NODE, 1, "node-1.c1", "a", 1).await;
    fixture.put(NODE, 1, "node-1.c2", "a", 1).await;
    fixture.ledger.lose_answers(2);

    let swept = end_calls_of(&fixture.ledger, NODE, 3, &fixture.clock).await.unwrap();

    assert_eq!(swept, Swept { calls: 2, legs: 2 });
    assert_eq!(fixture.told().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_log_with_another_epoch_does_not_stop_the_sweep() {
    let mut fixture = Fixture::new();
    fixture.put(NODE, 1, "node-1.c1", "a", 1).await;
    let before = fixture.ledger.log_bounds(partition_of(1, 4)).await.unwrap().epoch;

    end_calls_of(&fixture.ledger, NODE, 3, &fixture.clock).await.unwrap();
    fixture.put(NODE, 1, "node-1.c2", "a", 1).await;
    end_calls_of(&fixture.ledger, NODE, 4, &fixture.clock).await.unwrap();

    let after = fixture.ledger.log_bounds(partition_of(1, 4)).await.unwrap().epoch;
    assert_eq!(before, after, "sweeps begin no epoch");
    assert_eq!(fixture.told().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_came_back_keeps_its_calls() {
    let mut fixture = Fixture::new();
    fixture.put(NODE, 1, "node-1.c1", "a", 1).await;
    fixture.lease(4).await;

    let lost = end_calls_of_lost(&fixture.ledger, NODE, 3, &fixture.clock).await;

    assert!(matches!(lost, Err(SweepError::CameBack)), "{lost:?}");
    assert_eq!(fixture.legs().await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_an_error() {
    let fixture = Fixture::new();
    fixture.ledger.set_reachable(false);

    let outcome = end_calls_of(&fixture.ledger, NODE, 3, &fixture.clock).await;

    assert!(matches!(outcome, Err(SweepError::Store(_))), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_being_paid_for_a_leg_is_accounted_for_with_its_end() {
    let mut fixture = Fixture::new();
    let open = |i_account, running_since_us| OpenCharge {
        record: Some(AccountingRecord {
            tag: "a".to_owned(),
            i_account,
            connect_time_us: 990_000_000,
            duration_us: 3_000_000,
            disconnect_time_us: 995_000_000,
            ..AccountingRecord::default()
        }),
        running_since_us,
    };
    let charges = vec![open(1, 998_000_000), open(2, 0)];
    let leg = LegRecord { charges, ..record(NODE, 1, "node-1.c1", "a", 3) };
    fixture.commit(NODE, 1, &[leg]).await.unwrap();

    end_calls_of(&fixture.ledger, NODE, 1, &fixture.clock).await.unwrap();

    let partition = partition_of(1, 4);
    let start = crate::ledger::Position::default();
    let read = fixture.ledger.read_accounting(partition, start, 10).await.unwrap();
    let paid: Vec<_> = read
        .entries
        .into_iter()
        .map(|(_, entry)| AccountingRecord::decode(entry).unwrap())
        .map(|paid| (paid.i_account, paid.duration_us, paid.disconnect_time_us))
        .collect();
    assert_eq!(paid, [(1, 5_000_000, 1_000_000_000), (2, 3_000_000, 995_000_000)]);
    assert!(fixture.told().await.iter().all(|entry| entry.body.is_some()));
}

#[tokio::test]
async fn conferences_of_the_node_end_with_everybody_in_them() {
    use proto::conference::v1::{Conference, ConferenceState};
    use proto::switch::v1::ConferenceRecord;
    let fixture = Fixture::new();
    let record = |node: &str| ConferenceRecord {
        conference: Some(Conference {
            i_conference: format!("{node}.c"),
            state: ConferenceState::Active.into(),
            i_customer: 7,
            ..Conference::default()
        }),
        node: node.to_owned(),
        ..ConferenceRecord::default()
    };
    let partition = partition_of(7, 4);
    for (sequence, node) in [(1, NODE), (2, "node-2")] {
        let (state, index) = crate::conferences_index::changes(&record(node));
        let writer = Writer { node: "w".to_owned(), node_epoch: 1, sequence, log_epoch: None };
        let commit = Commit {
            partition,
            writer,
            require: Vec::new(),
            state: vec![state],
            index,
            events: Vec::new(),
            accounting: Vec::new(),
            renew_epoch: false,
        };
        let known = fixture.ledger.log_bounds(partition).await.unwrap().epoch;
        let writer = Writer { log_epoch: (sequence > 1).then_some(known), ..commit.writer.clone() };
        fixture.ledger.commit(&Commit { writer, ..commit }).await.unwrap();
    }

    end_calls_of(&fixture.ledger, NODE, 1, &fixture.clock).await.unwrap();

    let state = async |node: &str| {
        let key = crate::conferences_index::key(&format!("{node}.c"));
        let value = fixture.ledger.get(partition, &key).await.unwrap().unwrap();
        ConferenceRecord::decode(value).unwrap().conference.unwrap().state()
    };
    assert_eq!(state(NODE).await, ConferenceState::Ended);
    assert_eq!(state("node-2").await, ConferenceState::Active);
}

fn phone(node: &str, i_account: i64) -> PhoneRecord {
    PhoneRecord {
        i_account,
        account_id: i_account.to_string(),
        i_customer: 7,
        i_reseller: 0,
        availability: "busy".to_owned(),
        node: node.to_owned(),
        time_us: 1,
    }
}

#[tokio::test]
async fn phones_of_a_lost_node_are_free_after_its_calls_have_ended() {
    let mut fixture = Fixture::new();
    fixture.put(NODE, 7, "c1", "a", 1).await;
    for (number, record) in [phone(NODE, 1), phone(NODE, 2), phone("node-2", 1)].iter().enumerate()
    {
        let (state, index) = phones_index::changes(record);
        let writer = Writer {
            node: format!("writer-{number}"),
            node_epoch: 1,
            sequence: 1,
            log_epoch: None,
        };
        let commit = Commit {
            state,
            index,
            ..freeing(partition_of(7, 4), writer, &[], Timestamp::default())
        };
        fixture.ledger.commit(&commit).await.unwrap();
    }

    for _ in 0..2 {
        end_calls_of(&fixture.ledger, NODE, 1, &fixture.clock).await.unwrap();
    }

    let left = phones_index::of_customer(&fixture.ledger, 7).await.unwrap();
    assert_eq!(left.len(), 1, "what another node says stays: {left:?}");
    let read = fixture
        .ledger
        .read_log(partition_of(7, 4), &ReadFrom::Oldest, 100, Duration::ZERO)
        .await
        .unwrap();
    let LogRead::Entries(chunk) = read else { panic!("{read:?}") };
    let told: Vec<_> = chunk
        .entries
        .into_iter()
        .filter_map(|(_, raw)| match LogEntry::decode(raw).unwrap().body {
            Some(log_entry::Body::Availability(it)) => Some((it.account_id, it.availability)),
            Some(log_entry::Body::CallState(_)) => Some(("call".to_owned(), String::new())),
            _ => None,
        })
        .collect();
    let free = |id: &str| (id.to_owned(), "available".to_owned());
    assert_eq!(told, [("call".to_owned(), String::new()), free("1"), free("2")]);
}

#[tokio::test]
async fn what_a_node_goes_on_with_is_left_alone() {
    let mut fixture = Fixture::new();
    fixture.put(NODE, 7, "c1", "a", 1).await;
    fixture.put(NODE, 7, "c2", "b", 1).await;
    let (state, index) = phones_index::changes(&phone(NODE, 1));
    let writer = Writer { node: "writer".to_owned(), node_epoch: 1, sequence: 1, log_epoch: None };
    let commit =
        Commit { state, index, ..freeing(partition_of(7, 4), writer, &[], Timestamp::default()) };
    fixture.ledger.commit(&commit).await.unwrap();
    let left = left_by(&fixture.ledger, NODE, 1).await.unwrap();
    assert_eq!(left.legs.len(), 2);

    let kept = Kept {
        calls: BTreeSet::from(["c1".to_owned()]),
        phones: BTreeSet::from([1]),
        ..Kept::default()
    };
    let swept = end_calls_but(&fixture.ledger, NODE, 1, &fixture.clock, &kept).await.unwrap();

    assert_eq!(swept, Swept { calls: 1, legs: 1 });
    let left = left_by(&fixture.ledger, NODE, 1).await.unwrap();
    let calls: Vec<_> = left.legs.iter().filter_map(call_id).collect();
    assert_eq!(calls, ["c1"]);
    assert_eq!(phones_index::of_customer(&fixture.ledger, 7).await.unwrap().len(), 1);
}
