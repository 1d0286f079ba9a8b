//! The table of states and commands: each command in each state, walked.

use std::time::Duration;

use super::bench::{Bench, CUSTOMER, account, support, to_account, to_group, wrong_state};
use crate::domain::{
    Action, CallId, DigitRules, Media, Mode, Parked, Play, Refusal, State, Tag, allowed_states,
};
use crate::driver::Clip;

/// A call one leg of which is in the given state.
fn call_in(state: State) -> (Bench, CallId, Tag) {
    match state {
        State::Parked => {
            let (mut bench, call, alice, bob) = Bench::talking();
            bench.must("park_call", Action::Park(call.clone(), Some(alice), None)).unwrap();
            (bench, call, bob)
        }
        State::Transferred | State::Dequeued => {
            unreachable!("ends in the step in which it begins")
        }
        State::Queued => {
            let mut bench = Bench::new();
            let call = bench.originate("101", "340");
            bench.resolve(&call, Ok(to_group(&support(&["102"]))));
            let tag = bench.tag(0);
            bench.answers(&tag);
            (bench, call, tag)
        }
        State::Trying => {
            let mut bench = Bench::new();
            let call = bench.originate("101", "102");
            bench.resolve(&call, Ok(to_account("102")));
            let tag = bench.tag(0);
            (bench, call, tag)
        }
        State::Ringing => {
            let (mut bench, call, _, bob) = Bench::early();
            bench.rings(&bob);
            (bench, call, bob)
        }
        State::Early => {
            let (bench, call, alice, _) = Bench::early();
            (bench, call, alice)
        }
        State::Connected => {
            let (bench, call, alice, _) = Bench::talking();
            (bench, call, alice)
        }
        State::Held | State::Holding => {
            let (mut bench, call, alice, bob) = Bench::talking();
            let hold = Action::Hold(call.clone(), Some(alice.clone()));
            bench.must("hold_call", hold).unwrap();
            (bench, call, if state == State::Holding { alice } else { bob })
        }
        State::Terminated => {
            let (mut bench, call, alice, _) = Bench::talking();
            bench.hangs_up(&alice);
            (bench, call, alice)
        }
    }
}

/// States in which a leg stays.
fn lasting() -> impl Iterator<Item = State> {
    let passes = [State::Transferred, State::Dequeued];
    State::ALL.into_iter().filter(move |state| !passes.contains(state))
}

fn play() -> Play {
    let duration = Duration::from_secs(1);
    let clip = Clip {
        name: "a.au".to_owned(),
        duration,
        is_fetched: false,
        content: crate::driver::Content::default(),
    };
    Play { media: Media::Clips(vec![clip]), repeat: 1, is_interruptible: false, callback: None }
}

fn rules() -> DigitRules {
    DigitRules {
        max_digits: 4,
        min_digits: 1,
        terminators: "#".to_owned(),
        first_digit: Duration::from_secs(10),
        inter_digit: Duration::from_secs(3),
        total: Duration::from_mins(1),
    }
}

fn commands(call: &CallId, tag: Option<&Tag>) -> Vec<Action> {
    let (call, tag) = (|| call.clone(), || tag.cloned());
    vec![
        Action::Get(call()),
        Action::Answer(call(), tag()),
        Action::Reject(call(), tag(), None),
        Action::Terminate(call(), tag(), None),
        Action::Hold(call(), tag()),
        Action::Resume(call(), tag()),
        Action::SendDigits(call(), tag(), "1".to_owned()),
        Action::Play(call(), tag(), play()),
        Action::StopPlay(call(), tag()),
        Action::Collect(call(), tag(), rules()),
        Action::StopCollect(call(), tag()),
        Action::Record(call(), tag()),
        Action::StopRecord(call(), tag()),
        Action::TransferBlind(call(), tag(), "103".to_owned()),
        Action::Redirect(call(), tag(), "103".to_owned()),
        Action::Park(call(), tag(), None),
        Action::PickUpCall(call(), tag(), Box::new(account("103"))),
        Action::Supervise(call(), tag(), Mode::Spy, Box::new(account("103"))),
    ]
}

#[test]
fn each_command_is_taken_or_refused_in_each_state_as_the_table_says() {
    let count = commands(&CallId("c".to_owned()), None).len();
    for state in lasting() {
        for index in 0..count {
            let (mut bench, call, tag) = call_in(state);
            assert_eq!(bench.state(&tag), state);
            bench.look_away();
            let action = commands(&call, Some(&tag)).remove(index);
            let expected = allowed_states(&action);

            let outcome = bench.command(CUSTOMER, "any", action.clone());

            if state == State::Terminated {
                assert_eq!(outcome, Some(Err(Refusal::CallNotFound(call))), "{action:?}");
            } else if !expected.contains(&state) {
                assert_eq!(outcome, Some(wrong_state(state, expected)), "{action:?}");
                assert!(bench.told.is_empty() && bench.ops.is_empty(), "{action:?} did something");
            } else if matches!(action, Action::Answer(..)) {
                assert_eq!(outcome, None, "{action:?} is answered later");
            } else {
                assert!(outcome.unwrap().is_ok(), "{action:?} in {state:?}");
            }
        }
    }
}

#[test]
fn an_attended_transfer_is_taken_or_refused_in_each_state_as_the_table_says() {
    for state in lasting() {
        let (mut bench, call, tag) = call_in(state);
        let transferor = (100 + bench.of(&tag)[0].i_account.unwrap()).to_string();
        let second = bench.phone_dials(&transferor, "104");
        bench.resolve(&second, Ok(to_account("104")));
        bench.answers(&bench.tags().last().unwrap().clone());
        bench.look_away();
        let action = Action::TransferAttended(call.clone(), Some(tag), second);
        let expected = allowed_states(&action);

        let outcome = bench.must("transfer_call", action);

        if state == State::Terminated {
            assert_eq!(outcome, Err(Refusal::CallNotFound(call)));
        } else if expected.contains(&state) {
            assert!(outcome.is_ok(), "in {state:?}");
        } else {
            assert_eq!(outcome, wrong_state(state, expected));
            assert!(bench.told.is_empty() && bench.ops.is_empty());
        }
    }
}

#[test]
fn a_call_is_retrieved_from_its_slot_alone() {
    for state in lasting() {
        let (mut bench, call, _) = call_in(state);
        let action = Action::Retrieve(Parked::Call(call), Box::new(account("103")));
        assert_eq!(allowed_states(&action), [State::Parked]);

        let outcome = bench.must("retrieve_call", action);

        assert_eq!(outcome.is_ok(), state == State::Parked, "in {state:?}");
    }
}

#[test]
fn a_refusal_says_the_state_and_what_would_be_right() {
    let (mut bench, call, tag) = call_in(State::Early);

    let Err(refusal) = bench.must("hold_call", Action::Hold(call, Some(tag))) else {
        panic!("hold was not refused");
    };

    assert_eq!(refusal.to_string(), "the leg is early, and has to be connected or held or holding");
}
