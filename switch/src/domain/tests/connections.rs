//! Connecting two numbers for an account that pays.

use std::time::Duration;

use super::bench::{Bench, CUSTOMER, account, account_scope, cause, to_account, to_pstn};
use crate::domain::{
    Action, CallId, ConnectTwo, Input, Refusal, ResolveFailure, Route, State, Tag,
};
use crate::driver::{Endpoint, Op, Source};

fn connect() -> ConnectTwo {
    ConnectTwo {
        call_id: CallId("n.two".to_owned()),
        account: account("101"),
        first: "12065550100".to_owned(),
        first_caller_id: None,
        second: "12065550199".to_owned(),
        second_caller_id: None,
        timeout: Duration::from_secs(30),
    }
}

fn begin(connect: ConnectTwo) -> (Bench, CallId) {
    let mut bench = Bench::new();
    let call = connect.call_id.clone();
    let action = Action::ConnectTwo(Box::new(connect));
    assert_eq!(bench.command(CUSTOMER, "originate_advanced_call", action), None);
    (bench, call)
}

/// The first number has been dialled.
fn first_dialled() -> (Bench, CallId, Tag) {
    let (mut bench, call) = begin(connect());
    bench.resolve(&call, Ok(to_pstn("12065550100")));
    let first = bench.tag(0);
    (bench, call, first)
}

/// The first number waits on the line, the second rings.
fn second_rings() -> (Bench, CallId, Tag, Tag) {
    let (mut bench, call, first) = first_dialled();
    bench.rings(&first);
    bench.answers(&first);
    bench.resolve(&call, Ok(to_pstn("12065550199")));
    let second = bench.tag(1);
    bench.rings(&second);
    (bench, call, first, second)
}

fn reason_of(bench: &Bench, tag: &Tag) -> (u16, String) {
    let reason = bench.of(tag).last().unwrap().reason.clone().unwrap();
    (reason.code, reason.text)
}

#[test]
fn two_numbers_are_connected_through_the_states_of_the_contract() {
    let (mut bench, call, first, second) = second_rings();

    bench.answers(&second);

    assert_eq!(
        bench.rows(),
        [
            "trunk | 101 → 12065550100 | outgoing | true | trying ringing early connected",
            "trunk | 12065550100 → 12065550199 | outgoing | true | trying ringing connected",
        ]
    );
    let trunk = |number: &str| Endpoint::Trunk { number: number.to_owned() };
    assert_eq!(bench.dialled(), [trunk("12065550100"), trunk("12065550199")]);
    assert!(bench.told.iter().all(|view| view.call_id == call));
    assert!(bench.told.iter().all(|view| view.seen_by.i_accounts == [1].into()));
    let parties = |tag: &Tag| Source::Parties([bench.channel(tag)].into());
    assert_eq!((bench.hears(&first), bench.hears(&second)), (parties(&second), parties(&first)));
}

#[test]
fn the_answer_is_the_first_leg_when_the_directory_knows_it() {
    let (mut bench, call) = begin(connect());
    assert!(bench.told.is_empty() && bench.replies.is_empty());
    assert_eq!(bench.resolves, [(call.clone(), 1, "12065550100".to_owned())]);

    bench.resolve(&call, Ok(to_pstn("12065550100")));

    let done = bench.replies[0].1.clone().unwrap();
    assert_eq!(done.legs.len(), 1);
    assert_eq!((&done.legs[0].tag, done.legs[0].state), (&bench.tag(0), State::Trying));
    assert_eq!(done.legs[0].caused_by, Some(cause("originate_advanced_call")));
}

#[test]
fn each_number_is_shown_the_caller_id_that_was_asked_for() {
    let mut connect = connect();
    connect.first_caller_id = Some("18005550111".to_owned());
    connect.second_caller_id = Some("18005550122".to_owned());
    let (mut bench, call) = begin(connect);
    bench.resolve(&call, Ok(to_pstn("12065550100")));
    bench.answers(&bench.tag(0));
    bench.resolve(&call, Ok(to_pstn("12065550199")));

    let shown = bench.ops.iter().filter_map(|op| match op {
        Op::Dial { shown, .. } => Some(shown.number.clone()),
        _ => None,
    });
    assert_eq!(shown.collect::<Vec<_>>(), ["18005550111", "18005550122"]);
}

#[test]
fn the_first_number_that_cannot_be_had_is_the_only_leg() {
    for (code, text) in [(486, "Busy Here"), (480, "Temporarily Unavailable"), (603, "Decline")] {
        let (mut bench, _, first) = first_dialled();

        bench.refuses(&first, code);

        let row = format!(
            "trunk | 101 → 12065550100 | outgoing | true | trying terminated ({code} {text})"
        );
        assert_eq!(bench.rows(), [row]);
        assert!(bench.customer.is_idle());
    }
    let (mut bench, _, first) = first_dialled();
    bench.wait(30);
    bench.feed(Input::Tick);
    assert_eq!(reason_of(&bench, &first).0, 480);
}

#[test]
fn a_first_number_that_is_not_allowed_is_told_and_not_dialled() {
    for (answer, code) in [(Ok(Route::Nowhere), 404), (Err(ResolveFailure::NotAllowed), 403)] {
        let (mut bench, call) = begin(connect());

        bench.resolve(&call, answer);

        assert!(bench.replies[0].1.is_ok());
        assert_eq!(reason_of(&bench, &bench.tag(0)).0, code);
        assert!(bench.dialled().is_empty());
        assert!(bench.customer.is_idle());
    }
}

#[test]
fn the_first_hears_why_the_second_failed_and_is_released_with_its_reason() {
    let failures = [
        (486, "Busy Here", "busy.au"),
        (480, "Temporarily Unavailable", "no-answer.au"),
        (603, "Decline", "no-answer.au"),
    ];
    for (code, text, prompt) in failures {
        let (mut bench, _, first, second) = second_rings();

        bench.refuses(&second, code);
        assert_eq!((bench.state(&first), bench.state(&second)), (State::Early, State::Terminated));
        assert_eq!(bench.played(&first), [prompt]);
        bench.prompt_ends(&first);

        for tag in [&first, &second] {
            assert_eq!(reason_of(&bench, tag), (code, text.to_owned()));
        }
        let states: Vec<_> = bench.of(&first).iter().map(|view| view.state.name()).collect();
        assert_eq!(states, ["trying", "ringing", "early", "terminated"]);
        assert!(bench.customer.is_idle());
    }
}

#[test]
fn a_second_that_does_not_answer_or_is_unknown_is_announced_too() {
    let (mut bench, _, first, second) = second_rings();
    bench.wait(30);
    bench.feed(Input::Tick);
    assert_eq!(reason_of(&bench, &second).0, 480);
    assert_eq!(bench.played(&first), ["no-answer.au"]);

    let (mut bench, call, first) = first_dialled();
    bench.answers(&first);
    bench.resolve(&call, Ok(Route::Nowhere));
    assert_eq!(bench.played(&first), ["no-answer.au"]);
    bench.prompt_ends(&first);
    assert_eq!(reason_of(&bench, &first).0, 404);
    assert_eq!(bench.tags().len(), 1);
}

#[test]
fn a_first_that_gives_up_while_the_second_rings_ends_both() {
    let (mut bench, _, first, second) = second_rings();

    bench.hangs_up(&first);

    for tag in [&first, &second] {
        assert_eq!(reason_of(&bench, tag), (487, "Request Terminated".to_owned()));
    }
    assert!(bench.customer.is_idle());
}

#[test]
fn a_first_that_gives_up_while_it_hears_why_ends_the_call_at_once() {
    let (mut bench, call, first, second) = second_rings();
    bench.refuses(&second, 486);

    bench.hangs_up(&first);

    assert_eq!(bench.over, [call]);
    assert!(bench.customer.is_idle());
}

#[test]
fn a_number_of_the_own_environment_is_an_accounts_leg() {
    let (mut bench, call) = begin(connect());
    bench.resolve(&call, Ok(to_account("102")));
    bench.answers(&bench.tag(0));
    bench.resolve(&call, Ok(to_account("103")));
    bench.rings(&bench.tag(1));

    bench.must("redirect_call", Action::Redirect(call.clone(), None, "104".to_owned())).unwrap();
    bench.resolve(&call, Ok(to_account("104")));
    bench.answers(&bench.tag(2));

    assert_eq!(
        bench.rows(),
        [
            "102 | 101 → 102 | outgoing | false | trying early early connected",
            "103 | 102 → 103 | incoming | false | \
             trying ringing terminated (302 Moved Temporarily)",
            "104 | 102 → 104 | incoming | false | trying connected",
        ]
    );
}

#[test]
fn numbers_outside_are_not_answered_by_command() {
    let (mut bench, call, first) = first_dialled();
    bench.rings(&first);

    let answer = bench.must("answer_call", Action::Answer(call, Some(first)));

    assert!(matches!(answer, Err(Refusal::WrongState { .. })));
}

#[test]
fn a_session_connects_numbers_for_its_own_account_alone() {
    let mut bench = Bench::new();

    let action = Action::ConnectTwo(Box::new(connect()));
    let outcome = bench.command(account_scope("102"), "originate_advanced_call", action);

    assert_eq!(outcome, Some(Err(Refusal::AccountNotFound("101".to_owned()))));
}

#[test]
fn a_connection_that_is_commanded_once_more_is_answered_with_the_first() {
    let (mut bench, call) = begin(connect());
    let again = || Action::ConnectTwo(Box::new(connect()));
    assert_eq!(bench.command(CUSTOMER, "originate_advanced_call", again()), None);

    bench.resolve(&call, Ok(to_pstn("12065550100")));
    let later = bench.command(CUSTOMER, "originate_advanced_call", again()).unwrap();

    assert_eq!(bench.replies.len(), 3);
    assert!(bench.replies.iter().all(|(_, outcome)| *outcome == later));
    assert_eq!(bench.customer.live_legs(), 1);
}
