//! A list and the events after its cursor agree, by the rule of `sequence` that applications
//! follow: of a call that is held at some `sequence`, events that are not above it are ignored.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh::calls_index::Index;
use mesh::ledger::{Ledger as _, LogRead, ReadFrom};
use proptest::prelude::*;
use prost::Message as _;
use proto::call::v1::{CallInfo, State};
use proto::switch::v1::{LegRecord, LogEntry, log_entry};

use super::bench::{Bench, ROOMY};

/// What an application knows: its legs, and the `sequence` at which it holds each call.
#[derive(Debug, Default)]
struct Application {
    legs: BTreeMap<(String, String), (State, i64)>,
    held: BTreeMap<String, i64>,
}

impl Application {
    /// Begins with a list.
    fn new(list: &[CallInfo]) -> Self {
        let mut application = Self::default();
        for info in list {
            let (call, tag) = names(info);
            let held = application.held.entry(call.clone()).or_default();
            *held = info.sequence.max(*held);
            application.legs.insert((call, tag), (info.state(), info.sequence));
        }
        application
    }

    /// Takes an event in.
    fn take(&mut self, info: &CallInfo) {
        let (call, tag) = names(info);
        let held = self.held.entry(call.clone()).or_default();
        if info.sequence <= *held {
            return;
        }
        *held = info.sequence;
        if info.state() == State::Terminated || info.moved_to.is_some() {
            self.legs.remove(&(call, tag));
        } else {
            self.legs.insert((call, tag), (info.state(), info.sequence));
        }
    }
}

fn names(info: &CallInfo) -> (String, String) {
    let call = info.call.clone().unwrap();
    (call.id, call.tag.unwrap())
}

/// The customer's living legs, as lists show them.
async fn list(bench: &Bench) -> Vec<CallInfo> {
    let index = Index::Customer(7).to_string();
    let page = bench.memory.page(0, &index, 0, 1 << 20).await.unwrap();
    let records = page.records.into_iter();
    records.map(|(_, value)| LegRecord::decode(value).unwrap().call_info.unwrap()).collect()
}

/// What happens to one of a few legs.
#[derive(Clone, Debug)]
enum Step {
    Tell { call: u8, tag: u8, state: State },
    Move { call: u8, tag: u8 },
    Commit,
}

fn step() -> impl Strategy<Value = Step> {
    let states = prop_oneof![
        Just(State::Trying),
        Just(State::Ringing),
        Just(State::Connected),
        Just(State::Held),
        Just(State::Terminated),
    ];
    prop_oneof![
        6 => (0..4_u8, 0..3_u8, states)
            .prop_map(|(call, tag, state)| Step::Tell { call, tag, state }),
        1 => (0..4_u8, 0..3_u8).prop_map(|(call, tag)| Step::Move { call, tag }),
        2 => Just(Step::Commit),
    ]
}

/// Plays `steps` and takes a cursor before, and a list after, some of them: whatever lies between.
async fn play(steps: Vec<Step>, cursor_at: usize, list_at: usize) -> Result<(), TestCaseError> {
    let mut bench = Bench::with(ROOMY);
    let (mut cursor, mut listed) = (None, None);
    let count = steps.len();
    for (number, step) in steps.into_iter().enumerate() {
        if number == cursor_at % count {
            bench.outbox.drained().await;
            let bounds = bench.memory.log_bounds(0).await.unwrap();
            cursor = Some((bounds.epoch, bounds.last));
        }
        let (call, tag) = (|call: u8| format!("c{call}"), |tag: u8| format!("t{tag}"));
        match step {
            Step::Tell { call: id, tag: of, state } => {
                drop(bench.tell(&call(id), &tag(of), state));
            }
            Step::Move { call: id, tag: of } => {
                let to = format!("moved{number}");
                drop(bench.tell_moved(&call(id), &tag(of), State::Transferred, Some(&to)));
            }
            Step::Commit => bench.outbox.drained().await,
        }
        // Whatever has been committed by now, and no more.
        if cursor.is_some() && listed.is_none() && number >= list_at % count {
            listed = Some(list(&bench).await);
        }
    }
    bench.outbox.drained().await;
    let Some((epoch, place)) = cursor else { return Ok(()) };
    let listed = match listed {
        Some(listed) => listed,
        None => list(&bench).await,
    };

    let mut application = Application::new(&listed);
    let from = ReadFrom::After(epoch, place);
    let read = bench.memory.read_log(0, &from, 1 << 20, Duration::ZERO).await.unwrap();
    let LogRead::Entries(chunk) = read else { panic!("{read:?}") };
    for (_, raw) in chunk.entries {
        if let Some(log_entry::Body::CallState(info)) = LogEntry::decode(raw).unwrap().body {
            application.take(&info);
        }
    }

    let truth = Application::new(&list(&bench).await);
    prop_assert_eq!(application.legs, truth.legs);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_list_and_the_events_after_its_cursor_agree(
        steps in prop::collection::vec(step(), 1..60),
        cursor_at: usize,
        list_at: usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(play(steps, cursor_at, list_at))?;
    }
}
