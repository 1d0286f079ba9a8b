//! Calls go on as long as somebody can pay for them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::bench::{Bench, account, to_account, to_pstn};
use crate::domain::{Action, CallId, CreditAnswer, Input, State, Tag};

/// Answers the newest question.
fn answer(bench: &mut Bench, answer: CreditAnswer) -> u64 {
    let (charge, seconds) = bench.reserves.last().cloned().expect("a question");
    bench.feed(Input::Reserved {
        call_id: charge.call_id,
        tag: charge.tag,
        payer: charge.payer,
        service: charge.service,
        answer,
    });
    seconds
}

/// 101 talks to a number outside, and has just been asked for its credit.
fn talking() -> (Bench, CallId, Tag) {
    let mut bench = Bench::new();
    let call = bench.originate("101", "12065550100");
    bench.resolve(&call, Ok(to_pstn("12065550100")));
    let alice = bench.tag(0);
    bench.answers(&alice);
    let trunk = bench.tag(1);
    assert!(bench.reserves.is_empty(), "nothing runs yet");
    bench.answers(&trunk);
    (bench, call, alice)
}

fn ending(bench: &Bench, tag: &Tag) -> (u16, String) {
    let reason = bench.of(tag).last().unwrap().reason.clone().unwrap();
    (reason.code, reason.text)
}

#[test]
fn slices_are_renewed_before_they_end() {
    let (mut bench, ..) = talking();

    assert_eq!(answer(&mut bench, CreditAnswer::Seconds(30)), 30);
    bench.pass(19_999);
    assert_eq!(bench.reserves.len(), 1);
    bench.pass(1);
    assert_eq!(bench.reserves.len(), 2);
    assert_eq!(answer(&mut bench, CreditAnswer::Seconds(60)), 60);
    bench.pass(30_000);
    assert_eq!(answer(&mut bench, CreditAnswer::Seconds(90)), 90);

    assert_eq!(bench.reserves.len(), 3);
}

#[test]
fn the_last_grants_end_is_the_calls_end_to_the_second() {
    let (mut bench, _, alice) = talking();
    let trunk = bench.tag(1);
    answer(&mut bench, CreditAnswer::Seconds(30));
    bench.pass(20_000);
    assert_eq!(answer(&mut bench, CreditAnswer::Seconds(42)), 60);

    bench.pass(21_000);
    assert_eq!(bench.reserves.len(), 3, "asked again a second before the end");
    assert_eq!(answer(&mut bench, CreditAnswer::Seconds(42)), 72);
    bench.pass(999);
    assert_eq!(bench.state(&alice), State::Connected);
    bench.pass(1);

    for tag in [&alice, &trunk] {
        assert_eq!(ending(&bench, tag), (402, "Payment Required".to_owned()));
    }
    let [charged] = &bench.charged[..] else { panic!("one charge: {:?}", bench.charged) };
    assert_eq!((charged.duration.as_secs(), charged.disconnect_cause), (42, 402));
}

#[test]
fn a_call_that_ends_late_is_charged_up_to_its_last_grant() {
    let (mut bench, _, alice) = talking();
    answer(&mut bench, CreditAnswer::Seconds(12));
    bench.pass(11_000);

    bench.wait(5);
    bench.feed(Input::Tick);

    assert_eq!(ending(&bench, &alice).0, 402);
    assert_eq!(bench.charged[0].duration.as_secs(), 12);
}

#[test]
fn credit_that_others_gave_back_lets_the_call_go_on() {
    let (mut bench, _, alice) = talking();
    answer(&mut bench, CreditAnswer::Seconds(12));
    bench.pass(11_000);

    answer(&mut bench, CreditAnswer::Seconds(42));
    bench.pass(21_000);

    assert_eq!(bench.state(&alice), State::Connected);
    assert_eq!(bench.reserves.len(), 3);
}

#[test]
fn a_call_without_any_credit_ends_at_once() {
    let (mut bench, _, alice) = talking();

    answer(&mut bench, CreditAnswer::Seconds(0));

    assert_eq!(ending(&bench, &alice), (402, "Payment Required".to_owned()));
    assert_eq!(bench.charged[0].duration.as_secs(), 0);
}

#[test]
fn what_costs_nothing_is_never_asked_for_again() {
    let (mut bench, _, alice) = talking();

    answer(&mut bench, CreditAnswer::Unlimited);
    bench.pass(3_600_000);

    assert_eq!((bench.reserves.len(), bench.state(&alice)), (1, State::Connected));
}

#[test]
fn without_auth_a_call_goes_on_and_asks_again_when_the_policy_says_so() {
    let (mut bench, _, alice) = talking();
    answer(&mut bench, CreditAnswer::Seconds(30));
    bench.pass(20_000);
    for _ in 0..10 {
        answer(&mut bench, CreditAnswer::Lost { goes_on: true });
        bench.pass(5_000);
    }
    assert_eq!((bench.reserves.len(), bench.state(&alice)), (12, State::Connected));

    // 70 s have passed when auth is back.
    assert_eq!(answer(&mut bench, CreditAnswer::Seconds(50)), 100);

    assert_eq!(ending(&bench, &alice).0, 402);
}

#[test]
fn without_auth_a_call_ends_with_its_last_grant_when_the_policy_says_so() {
    let (mut bench, _, alice) = talking();
    answer(&mut bench, CreditAnswer::Seconds(30));
    bench.pass(20_000);
    answer(&mut bench, CreditAnswer::Lost { goes_on: false });
    bench.pass(5_000);
    answer(&mut bench, CreditAnswer::Lost { goes_on: false });

    bench.pass(4_999);
    assert_eq!(bench.state(&alice), State::Connected);
    bench.pass(1);

    assert_eq!(ending(&bench, &alice), (503, "Service Unavailable".to_owned()));
    assert_eq!(bench.charged[0].duration.as_secs(), 30);
}

#[test]
fn an_answer_finds_a_leg_that_has_moved_to_another_call() {
    let (mut bench, call, alice) = talking();
    let second = bench.originate("101", "103");
    bench.resolve(&second, Ok(to_account("103")));
    let consult = bench.tag(2);
    bench.answers(&consult);
    let carol = bench.tag(3);
    bench.answers(&carol);
    let question = bench
        .reserves
        .iter()
        .find(|(charge, _)| charge.tag == carol)
        .cloned()
        .expect("a question for 103");
    let transfer = Action::TransferAttended(call.clone(), Some(alice), second.clone());
    bench.must("transfer_call", transfer).unwrap();

    bench.feed(Input::Reserved {
        call_id: second,
        tag: carol.clone(),
        payer: account("103").i_account,
        service: question.0.service,
        answer: CreditAnswer::Seconds(5),
    });
    bench.pass(5_000);

    assert_eq!(ending(&bench, &carol).0, 402);
    assert_eq!(bench.of(&carol).last().unwrap().call_id, call);
}

/// What auth would do: of the account's credit in seconds it holds what is asked for.
#[derive(Default)]
struct Bank {
    credit: u64,
    held: BTreeMap<Tag, u64>,
}

impl Bank {
    fn ask(&mut self, tag: &Tag, seconds: u64) -> u64 {
        let others: u64 = self.held.iter().filter(|(of, _)| *of != tag).map(|(_, held)| held).sum();
        let before = self.held.get(tag).copied().unwrap_or(0);
        let granted = seconds.min(self.credit.saturating_sub(others)).max(before);
        self.held.insert(tag.clone(), granted);
        granted
    }

    /// The charge has ended: what it did not use is given back.
    fn settle(&mut self, tag: &Tag, used: u64) {
        self.credit -= used.min(self.credit);
        self.held.remove(tag);
    }
}

#[derive(Clone, Debug)]
enum Turn {
    Begin,
    HangUp(usize),
    Pass(u64),
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        2 => Just(Turn::Begin),
        1 => (0_usize..8).prop_map(Turn::HangUp),
        5 => (0_u64..20_000).prop_map(Turn::Pass),
    ];
    proptest::collection::vec(turn, 1..60)
}

proptest! {
    /// Calls of one account that begin and end at any time, with an auth that holds credit for
    /// each: what they use in the end is never more than there was.
    #[test]
    fn several_running_calls_never_use_more_than_there_is(credit in 0_u64..300, turns in turns()) {
        let mut bench = Bench::new();
        let mut bank = Bank { credit, ..Bank::default() };
        let (mut answered, mut settled) = (0, 0);
        let mut used = 0;
        let mut legs: Vec<Tag> = Vec::new();
        let mut step = |bench: &mut Bench| {
            while answered < bench.reserves.len() || settled < bench.charged.len() {
                while let Some(charged) = bench.charged.get(settled) {
                    settled += 1;
                    let seconds = charged.duration.as_millis().div_ceil(1_000);
                    let seconds = u64::try_from(seconds).unwrap();
                    used += seconds;
                    bank.settle(&charged.tag, seconds);
                }
                if let Some((charge, seconds)) = bench.reserves.get(answered).cloned() {
                    answered += 1;
                    let granted = bank.ask(&charge.tag, seconds);
                    bench.feed(Input::Reserved {
                        call_id: charge.call_id,
                        tag: charge.tag,
                        payer: charge.payer,
                        service: charge.service,
                        answer: CreditAnswer::Seconds(granted),
                    });
                }
            }
            used
        };
        for turn in turns {
            match turn {
                Turn::Begin => {
                    let call = bench.originate("101", "12065550100");
                    bench.resolve(&call, Ok(to_pstn("12065550100")));
                    let tags = bench.tags();
                    let alice = tags.last().unwrap().clone();
                    bench.answers(&alice);
                    let trunk = bench.tags().last().unwrap().clone();
                    bench.answers(&trunk);
                    legs.push(alice);
                }
                Turn::HangUp(index) => {
                    if let Some(tag) = legs.get(index).cloned()
                        && bench.state(&tag) != State::Terminated
                    {
                        bench.hangs_up(&tag);
                    }
                }
                Turn::Pass(millis) => {
                    for _ in 0..millis / 100 {
                        bench.pass(100);
                        step(&mut bench);
                    }
                }
            }
            let used = step(&mut bench);
            prop_assert!(used <= credit, "{used} seconds of {credit}");
        }
        bench.feed(Input::Stop);
        let used = step(&mut bench);
        prop_assert!(used <= credit, "{used} seconds of {credit}");
    }
}
