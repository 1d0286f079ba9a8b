//! Many conferences, and a large one: what a command costs.
//!
//! Costs are counted, not timed: operations of the switch, events, and participants in the records
//! that are written.

use super::*;

/// What a step has led to.
#[derive(Debug, PartialEq, Eq)]
struct Cost {
    operations: usize,
    states: usize,
    news: usize,
    /// Participants in the records of conferences.
    kept: usize,
}

impl Bench {
    fn cost(&mut self, step: impl FnOnce(&mut Self)) -> Cost {
        let before = (self.ops.len(), self.told.len(), self.news.len(), self.kept.len());
        step(self);
        Cost {
            operations: self.ops.len() - before.0,
            states: self.told.len() - before.1,
            news: self.news.len() - before.2,
            kept: self.kept[before.3..].iter().map(|view| view.participants.len()).sum(),
        }
    }

    /// Somebody from outside is called in and answers.
    fn bring(&mut self, id: &ConferenceId, number: &str) -> Tag {
        let whom = Whom::Number(number.to_owned());
        self.confer(CUSTOMER, ConferenceAction::Add(id.clone(), whom, Vec::new()));
        let call = self.resolves.last().unwrap().0.clone();
        self.resolve(&call, Ok(to_pstn(number)));
        let (_, outcome) = self.replies.last().unwrap().clone();
        let tag = outcome.unwrap().participant.unwrap().tag;
        self.answers(&tag);
        tag
    }

    /// A conference of so many, and who came last.
    fn conference_of(&mut self, members: usize) -> (ConferenceId, Tag) {
        self.look_away();
        let call = self.trunk_calls(PETER, "101");
        let alice = self.tag(1);
        self.answers(&alice);
        let done = self.confer(CUSTOMER, create(&call, "101", true)).unwrap().unwrap();
        let id = done.conference.unwrap().id;
        self.pass(1_000);
        let mut last = alice;
        for number in 2..members {
            last = self.bring(&id, &format!("120655{number:05}"));
        }
        (id, last)
    }
}

fn mute(id: &ConferenceId, tag: &Tag) -> ConferenceAction {
    let participant = tag.clone();
    ConferenceAction::Update { id: id.clone(), participant, mute: Some(true), hold: None }
}

#[test]
fn a_command_costs_the_same_among_a_thousand_conferences_as_alone() {
    let mut alone = Bench::new();
    let (id, last) = alone.conference_of(4);
    let expected = alone.cost(|bench| {
        bench.confer(CUSTOMER, mute(&id, &last)).unwrap().unwrap();
    });
    let expected_join = alone.cost(|bench| drop(bench.bring(&id, "12065599999")));

    let mut bench = Bench::new();
    let mut newest = None;
    for _ in 0..1_000 {
        newest = Some(bench.conference_of(4));
    }
    let (id, last) = newest.unwrap();

    let muting = bench.cost(|bench| {
        bench.confer(CUSTOMER, mute(&id, &last)).unwrap().unwrap();
    });
    let joining = bench.cost(|bench| drop(bench.bring(&id, "12065599999")));
    assert_eq!((muting, joining), (expected, expected_join));
}

#[test]
fn in_a_conference_of_two_hundred_only_the_record_grows() {
    let mut small = Bench::new();
    let (id, _) = small.conference_of(4);
    let of_five = small.cost(|bench| drop(bench.bring(&id, "12065599999")));
    let mut large = Bench::new();
    let (id, last) = large.conference_of(199);

    let of_all = large.cost(|bench| drop(bench.bring(&id, "12065599999")));

    assert_eq!(
        (of_all.operations, of_all.states, of_all.news),
        (of_five.operations, of_five.states, of_five.news)
    );
    assert!(of_all.kept <= 200 * 3, "{of_all:?}");
    let muting = large.cost(|bench| {
        bench.confer(CUSTOMER, mute(&id, &last)).unwrap().unwrap();
    });
    assert_eq!(muting, Cost { operations: 1, states: 0, news: 1, kept: 200 });
}
