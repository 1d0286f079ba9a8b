//! Random commits, some sent twice or late, by two writers, against a model that
//! is too simple to be wrong.

use std::collections::{BTreeMap, BTreeSet};

use mesh::ledger::{Commit, CommitError, Position};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::subject::{Draft, Kind, Node, Subject, bytes};

const RUNS: usize = 12;
const STEPS: usize = 40;

#[derive(Clone, Debug)]
struct Step {
    writer: usize,
    parts: Vec<Part>,
    require: Option<u8>,
    events: u8,
    accounting: u8,
    renew: bool,
    /// The answer is lost so many times.
    resends: u8,
    /// An old commit of the writer arrives once more before this one.
    late_copy: Option<prop::sample::Index>,
}

#[derive(Clone, Debug)]
enum Part {
    Put(u8, u8),
    Delete(u8),
    Add(u8, i8),
    Remove(u8),
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        4 => (0..6_u8, any::<u8>()).prop_map(|(key, value)| Part::Put(key, value)),
        1 => (0..6_u8).prop_map(Part::Delete),
        4 => (0..6_u8, any::<i8>()).prop_map(|(key, score)| Part::Add(key, score)),
        1 => (0..6_u8).prop_map(Part::Remove),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    (
        0..2_usize,
        prop::collection::vec(part(), 0..6),
        prop::option::weighted(0.2, 0..6_u8),
        0..4_u8,
        0..2_u8,
        prop::bool::weighted(0.05),
        prop_oneof![3 => Just(0_u8), 1 => 1..3_u8],
        prop::option::weighted(0.2, any::<prop::sample::Index>()),
    )
        .prop_map(|(writer, parts, require, events, accounting, renew, resends, late_copy)| {
            Step { writer, parts, require, events, accounting, renew, resends, late_copy }
        })
}

/// What a store holds, as plainly as can be said.
#[derive(Debug, Default, PartialEq)]
struct Model {
    records: BTreeMap<String, String>,
    index: BTreeMap<String, i64>,
    events: Vec<String>,
    accounting: Vec<String>,
}

fn key(number: u8) -> String {
    format!("key{number}")
}

impl Model {
    fn apply(&mut self, step: &Step, events: &[String]) {
        for part in &step.parts {
            match part {
                Part::Put(number, value) => {
                    self.records.insert(key(*number), value.to_string());
                }
                Part::Delete(number) => {
                    self.records.remove(&key(*number));
                }
                Part::Add(number, score) => {
                    self.index.insert(key(*number), i64::from(*score));
                }
                Part::Remove(number) => {
                    self.index.remove(&key(*number));
                }
            }
        }
        if step.renew {
            self.events.clear();
        }
        self.events.extend_from_slice(events);
        self.accounting.extend((0..step.accounting).map(|number| number.to_string()));
    }

    /// Keys of the page: in order, without members that have no record.
    fn page(&self) -> Vec<(String, String)> {
        let order: BTreeSet<_> = self.index.iter().map(|(key, score)| (*score, key)).collect();
        order
            .into_iter()
            .filter_map(|(_, key)| Some((key.clone(), self.records.get(key)?.clone())))
            .collect()
    }
}

fn draft(node: &Node, step: &Step, events: &[String]) -> Commit {
    let mut commit = node.draft();
    for part in &step.parts {
        commit = match part {
            Part::Put(number, value) => commit.put(&key(*number), &value.to_string()),
            Part::Delete(number) => commit.delete(&key(*number)),
            Part::Add(number, score) => commit.add("index", &key(*number), i64::from(*score)),
            Part::Remove(number) => commit.remove("index", &key(*number)),
        };
    }
    if let Some(number) = step.require {
        commit = commit.require(&key(number));
    }
    for event in events {
        commit = commit.event(event);
    }
    for number in 0..step.accounting {
        commit = commit.account(&number.to_string());
    }
    if step.renew { commit.renewing() } else { commit }
}

pub(super) async fn random_commits_agree_with_a_model(kind: Kind) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let runs = prop::collection::vec(step(), STEPS);
    for run in 0..RUNS {
        let steps = runs.new_tree(&mut runner).unwrap().current();
        Box::pin(play(kind, run, &steps)).await;
    }
}

async fn play(kind: Kind, run: usize, steps: &[Step]) {
    let store = Subject::of(kind).await;
    let mut model = Model::default();
    let mut nodes = [Node::new("n1"), Node::new("n2")];
    let mut sent: [Vec<Commit>; 2] = Default::default();
    for (number, step) in steps.iter().enumerate() {
        let place = format!("run {run}, step {number}: {step:?}");
        let node = &mut nodes[step.writer];
        let sent = &mut sent[step.writer];
        if let (Some(copy), false) = (&step.late_copy, sent.is_empty()) {
            // Whatever it hears: it changes nothing. Only the first of an epoch, come after
            // others, would begin an epoch; see `a_writer_that_starts_over_begins_an_epoch`.
            let copy = copy.get(sent);
            if copy.writer.sequence > 1 || copy.writer.log_epoch.is_none() {
                drop(store.commit(copy).await);
            }
        }
        let events: Vec<_> = (0..step.events).map(|event| format!("{number} {event}")).collect();

        // Another writer may have renewed the epoch; then the commit is made anew.
        let outcome = loop {
            let commit = draft(node, step, &events);
            for _ in 0..step.resends {
                drop(store.commit(&commit).await);
            }
            match node.send(&*store, &commit).await {
                Err(CommitError::EpochChanged(_)) => {}
                outcome => {
                    if outcome.is_ok() {
                        sent.push(commit);
                    }
                    break outcome;
                }
            }
        };

        let may = step.require.is_none_or(|number| model.records.contains_key(&key(number)));
        assert_eq!(outcome.is_ok(), may, "{place}");
        if may {
            model.apply(step, &events);
        }
        compare(&store, &model, &place).await;
    }
}

async fn compare(store: &Subject, model: &Model, place: &str) {
    for number in 0..6 {
        let record = store.get(0, &key(number)).await.unwrap();
        assert_eq!(record, model.records.get(&key(number)).map(|value| bytes(value)), "{place}");
    }
    let events: Vec<_> = model.events.iter().map(|event| bytes(event)).collect();
    assert_eq!(store.events(0).await, events, "{place}");
    let accounting = store.read_accounting(0, Position::default(), 1000).await.unwrap();
    let accounting: Vec<_> = accounting.entries.into_iter().map(|(_, record)| record).collect();
    let expected: Vec<_> = model.accounting.iter().map(|record| bytes(record)).collect();
    assert_eq!(accounting, expected, "{place}");
    if model.index.keys().all(|key| model.records.contains_key(key)) {
        let page = store.page(0, "index", 0, 100).await.unwrap();
        let expected: Vec<_> =
            model.page().into_iter().map(|(key, value)| (key, bytes(&value))).collect();
        assert_eq!(page.records, expected, "{place}");
        assert_eq!(usize::try_from(page.total).unwrap(), model.index.len(), "{place}");
    }
}
