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

    /// Commands something that is done at once.
    fn done(&mut self, action: ConferenceAction) {
        self.confer(CUSTOMER, action).expect("an answer at once").expect("success");
    }

    /// Commands that an account's phone be called in; it answers.
    fn called_in(&mut self, action: ConferenceAction) {
        self.confer(CUSTOMER, action);
        let call = self.resolves.last().unwrap().0.clone();
        self.resolve(&call, Ok(to_account("103")));
        let (_, outcome) = self.replies.last().unwrap().clone();
        let tag = outcome.unwrap().participant.unwrap().tag;
        self.answers(&tag);
    }

    fn peter_talks_to_alice(&mut self) -> (CallId, Tag) {
        self.look_away();
        let call = self.trunk_calls(PETER, "101");
        let alice = self.tag(1);
        self.answers(&alice);
        (call, alice)
    }

    /// A conference of so many, and who came last.
    fn conference_of(&mut self, members: usize) -> (ConferenceId, Tag) {
        let (call, alice) = self.peter_talks_to_alice();
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

/// What each command of a conference costs, one after the other, in the order of a conference's
/// life; `last` is somebody who is in.
fn each_command(bench: &mut Bench, id: &ConferenceId, last: &Tag) -> Vec<(&'static str, Cost)> {
    let update = |mute, hold| {
        let (id, participant) = (id.clone(), last.clone());
        ConferenceAction::Update { id, participant, mute, hold }
    };
    let join = |mode| ConferenceAction::Join(id.clone(), account("103"), mode);
    let change = |owner: Option<&str>, name: Option<&str>| {
        let owner =
            owner.map(|it| NewOwner { account: account(it), may_confer: true, has_credit: true });
        ConferenceAction::Change { id: id.clone(), owner, name: name.map(str::to_owned) }
    };
    let (from, _) = bench.conference_of(4);
    let (call, _) = bench.peter_talks_to_alice();
    vec![
        ("create", bench.cost(|bench| bench.done(create(&call, "101", true)))),
        ("add", bench.cost(|bench| drop(bench.bring(id, "12065599999")))),
        ("mute", bench.cost(|bench| bench.done(update(Some(true), None)))),
        ("unmute", bench.cost(|bench| bench.done(update(Some(false), None)))),
        ("hold", bench.cost(|bench| bench.done(update(None, Some(true))))),
        ("resume", bench.cost(|bench| bench.done(update(None, Some(false))))),
        ("join", bench.cost(|bench| bench.called_in(join(JoinMode::ListenOnly)))),
        ("talk privately", bench.cost(|bench| bench.done(join(JoinMode::PrivateTalk)))),
        ("drop in", bench.cost(|bench| bench.done(join(JoinMode::Full)))),
        ("name", bench.cost(|bench| bench.done(change(None, Some("Board"))))),
        ("owner", bench.cost(|bench| bench.done(change(Some("103"), None)))),
        ("leave", {
            bench.cost(|bench| bench.done(ConferenceAction::Leave(id.clone(), account("103"))))
        }),
        ("delete", {
            bench.cost(|bench| bench.done(ConferenceAction::Delete(id.clone(), last.clone())))
        }),
        ("merge", {
            bench.cost(|bench| bench.done(ConferenceAction::Merge { id: id.clone(), from }))
        }),
        ("terminate", bench.cost(|bench| bench.done(ConferenceAction::Terminate(id.clone())))),
    ]
}

/// What each command costs in the only conference of a node, which has so many members.
fn alone(members: usize) -> Vec<(&'static str, Cost)> {
    let mut bench = Bench::new();
    let (id, last) = bench.conference_of(members);
    each_command(&mut bench, &id, &last)
}

#[test]
fn a_command_costs_the_same_among_a_thousand_conferences_and_a_large_one_as_alone() {
    let mut bench = Bench::new();
    let (large, last_of_large) = bench.conference_of(200);
    let mut newest = None;
    for _ in 0..1_000 {
        newest = Some(bench.conference_of(4));
    }
    let (small, last_of_small) = newest.unwrap();

    let in_small = each_command(&mut bench, &small, &last_of_small);
    let in_large = each_command(&mut bench, &large, &last_of_large);

    assert_eq!(in_small, alone(4));
    assert_eq!(in_large, alone(200));
}

#[test]
fn the_cost_of_a_command_grows_with_its_conference_in_proportion_at_most() {
    let (of_four, of_five, of_many) = (alone(4), alone(5), alone(200));

    for (((command, four), (_, five)), (_, many)) in of_four.iter().zip(&of_five).zip(&of_many) {
        let straight_on = |part: fn(&Cost) -> usize| part(four) + 196 * (part(five) - part(four));
        let expected = Cost {
            operations: straight_on(|cost| cost.operations),
            states: straight_on(|cost| cost.states),
            news: straight_on(|cost| cost.news),
            kept: straight_on(|cost| cost.kept),
        };
        assert_eq!(*many, expected, "{command}");
        assert!(five.kept - four.kept <= 4, "{command}: {four:?}, {five:?}");
    }
}

#[test]
fn only_what_concerns_everybody_is_told_to_everybody() {
    let (of_four, of_many) = (alone(4), alone(200));

    for ((command, four), (_, many)) in of_four.iter().zip(&of_many) {
        let concerns_all = ["name", "owner", "terminate"].contains(command);
        let without_record = |cost: &Cost| (cost.operations, cost.states, cost.news);
        assert_eq!(without_record(four) == without_record(many), !concerns_all, "{command}");
    }
}
