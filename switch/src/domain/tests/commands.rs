//! What commands do: hold and resume, answer and reject, terminate, digits.

use super::bench::{Bench, CUSTOMER, account_scope, cause, to_account, to_pstn, wrong_state};
use crate::domain::{Action, CallId, Command, Done, Input, Refusal, State, Tag, allowed_states};
use crate::driver::{ChannelId, Event, Op, Source};

fn parties(channels: &[ChannelId]) -> Source {
    Source::Parties(channels.iter().cloned().collect())
}

fn not_found(call: &CallId) -> Refusal {
    Refusal::CallNotFound(call.clone())
}

#[test]
fn originate_answers_with_the_callers_leg_when_the_directory_has_answered() {
    let answers = [
        Ok(to_account("102")),
        Ok(crate::domain::Route::Nowhere),
        Err(crate::domain::ResolveFailure::NotAllowed),
    ];
    for answer in answers {
        let mut bench = Bench::new();

        let call = bench.originate("101", "102");
        assert!(bench.told.is_empty() && bench.replies.is_empty());
        assert_eq!(bench.resolves, [(call.clone(), 1, "102".to_owned())]);
        bench.resolve(&call, answer);

        let (_, outcome) = &bench.replies[0];
        let legs = &outcome.as_ref().unwrap().legs;
        assert_eq!(legs.len(), 1);
        assert_eq!((&legs[0].tag, legs[0].state), (&bench.tag(0), State::Trying));
        assert_eq!(legs[0].caused_by, Some(cause("originate_call")));
        assert_eq!(bench.told[0], legs[0]);
    }
}

#[test]
fn a_call_that_is_originated_once_more_under_its_id_stays_as_it_is() {
    let (mut bench, call, alice, _) = Bench::talking();
    let again = crate::domain::Originate {
        call_id: call,
        account: super::bench::account("101"),
        destination: "102".to_owned(),
        caller_id: None,
        caller_name: None,
        timeout: std::time::Duration::from_mins(1),
        callback: None,
    };
    bench.look_away();

    let legs = bench.must("originate_call", Action::Originate(Box::new(again))).unwrap().legs;

    assert_eq!(legs[0].tag, alice);
    assert!(bench.told.is_empty() && bench.ops.is_empty());
    assert_eq!(bench.customer.live_legs(), 2);
}

#[test]
fn a_held_party_hears_music_and_the_holder_silence() {
    let (mut bench, call, alice, bob) = Bench::talking();
    let (to_alice, to_bob) = (bench.channel(&alice), bench.channel(&bob));
    assert_eq!(bench.hears(&alice), parties(std::slice::from_ref(&to_bob)));

    bench.must("hold_call", Action::Hold(call.clone(), Some(alice.clone()))).unwrap();
    assert_eq!((bench.state(&alice), bench.state(&bob)), (State::Holding, State::Held));
    assert_eq!((bench.hears(&alice), bench.hears(&bob)), (Source::Silence, Source::Music));
    bench.must("resume_call", Action::Resume(call, Some(alice.clone()))).unwrap();

    assert_eq!((bench.state(&alice), bench.state(&bob)), (State::Connected, State::Connected));
    assert_eq!(bench.hears(&alice), parties(&[to_bob]));
    assert_eq!(bench.hears(&bob), parties(&[to_alice]));
    let states: Vec<_> = bench.of(&alice).iter().map(|view| view.state.name()).collect();
    assert_eq!(states[3..], ["connected", "holding", "connected"]);
    let states: Vec<_> = bench.of(&bob).iter().map(|view| view.state.name()).collect();
    assert_eq!(states[2..], ["connected", "held", "connected"]);
}

#[test]
fn hold_and_resume_are_told_with_the_command_that_caused_them() {
    let (mut bench, call, alice, _) = Bench::talking();
    bench.look_away();

    bench.must("hold_call", Action::Hold(call.clone(), Some(alice.clone()))).unwrap();
    bench.must("resume_call", Action::Resume(call, Some(alice))).unwrap();

    let causes: Vec<_> = bench.told.iter().map(|view| view.caused_by.clone().unwrap()).collect();
    let (hold, resume) = (cause("hold_call"), cause("resume_call"));
    assert_eq!(causes, [hold.clone(), hold, resume.clone(), resume]);
}

#[test]
fn repeating_hold_or_resume_is_no_error_and_no_event() {
    let (mut bench, call, alice, _) = Bench::talking();

    bench.must("resume_call", Action::Resume(call.clone(), Some(alice.clone()))).unwrap();
    bench.must("hold_call", Action::Hold(call.clone(), Some(alice.clone()))).unwrap();
    bench.look_away();
    bench.must("hold_call", Action::Hold(call, Some(alice))).unwrap();

    assert!(bench.told.is_empty() && bench.ops.is_empty());
}

#[test]
fn a_hold_on_the_phone_gives_the_same_events_without_a_cause() {
    let (mut bench, _, alice, bob) = Bench::talking();
    bench.look_away();

    bench.event(&bob, |channel| Event::Held { channel });
    assert_eq!((bench.state(&alice), bench.state(&bob)), (State::Held, State::Holding));
    bench.event(&bob, |channel| Event::Resumed { channel });

    assert_eq!(bench.told.len(), 4);
    assert!(bench.told.iter().all(|view| view.caused_by.is_none()));
}

#[test]
fn both_parties_may_hold_each_other() {
    let (mut bench, call, alice, bob) = Bench::talking();

    bench.must("hold_call", Action::Hold(call.clone(), Some(alice.clone()))).unwrap();
    bench.must("hold_call", Action::Hold(call.clone(), Some(bob.clone()))).unwrap();
    assert_eq!((bench.state(&alice), bench.state(&bob)), (State::Holding, State::Holding));
    assert_eq!((bench.hears(&alice), bench.hears(&bob)), (Source::Silence, Source::Silence));
    bench.must("resume_call", Action::Resume(call, Some(alice.clone()))).unwrap();

    assert_eq!((bench.state(&alice), bench.state(&bob)), (State::Held, State::Holding));
    assert_eq!(bench.hears(&alice), Source::Music);
}

#[test]
fn without_a_tag_the_holder_is_the_sessions_own_leg_else_the_calling_account() {
    for (scope, holder) in [(CUSTOMER, 0), (account_scope("101"), 0), (account_scope("102"), 1)] {
        let (mut bench, call, ..) = Bench::talking();

        bench.command(scope, "hold_call", Action::Hold(call, None)).unwrap().unwrap();

        assert_eq!(bench.state(&bench.tag(holder)), State::Holding);
    }
}

#[test]
fn without_a_tag_the_holder_of_a_call_from_the_trunk_is_the_called_account() {
    let mut bench = Bench::new();
    let call = bench.trunk_calls("12065550100", "101");
    let alice = bench.tag(1);
    bench.answers(&alice);

    bench.must("hold_call", Action::Hold(call, None)).unwrap();

    assert_eq!(bench.state(&alice), State::Holding);
}

#[test]
fn answer_makes_the_ringing_phone_answer_and_is_answered_when_it_has() {
    for tag_of in [None, Some(0), Some(1)] {
        let (mut bench, call, alice, bob) = Bench::early();
        bench.rings(&bob);
        let tag: Option<Tag> = tag_of.map(|index| bench.tag(index));

        let at_once = bench.command(CUSTOMER, "answer_call", Action::Answer(call, tag));
        assert_eq!(at_once, None);
        let picked_up = Op::PickUp { channel: bench.channel(&bob) };
        assert_eq!(bench.ops.last(), Some(&picked_up), "whichever leg is named");
        bench.look_away();
        bench.answers(&bob);

        let (_, outcome) = bench.replies.last().unwrap();
        assert_eq!(*outcome, Ok(Done::default()));
        assert_eq!(bench.told.len(), 2);
        for view in &bench.told {
            assert_eq!(view.state, State::Connected);
            assert_eq!(view.caused_by, Some(cause("answer_call")));
        }
        assert_eq!(bench.state(&alice), State::Connected);
    }
}

#[test]
fn answer_acts_on_the_own_phone_while_that_rings() {
    let mut bench = Bench::new();
    let call = bench.originate("101", "102");
    bench.resolve(&call, Ok(to_account("102")));
    let alice = bench.tag(0);
    bench.rings(&alice);

    bench.command(CUSTOMER, "answer_call", Action::Answer(call, None));
    bench.answers(&alice);

    assert_eq!(bench.replies.last().unwrap().1, Ok(Done::default()));
    let early = bench.of(&alice).last().copied().unwrap().clone();
    assert_eq!((early.state, early.caused_by), (State::Early, Some(cause("answer_call"))));
    assert_eq!(bench.of(&bench.tag(1))[0].caused_by, None, "that leg is dialled by itself");
}

#[test]
fn answer_is_refused_when_the_call_ends_first() {
    let (mut bench, call, alice, bob) = Bench::early();
    bench.rings(&bob);
    bench.command(CUSTOMER, "answer_call", Action::Answer(call.clone(), None));
    bench.command(CUSTOMER, "answer_call", Action::Answer(call, None));

    bench.hangs_up(&alice);

    let refused = wrong_state(State::Terminated, &[State::Ringing]);
    let outcomes: Vec<_> = bench.replies[1..].iter().map(|(_, outcome)| outcome.clone()).collect();
    assert_eq!(outcomes, [refused.clone(), refused], "the first reply is that of originate");
    assert!(bench.told.iter().all(|view| {
        view.caused_by.as_ref().is_none_or(|cause| cause.method != "CallControl/answer_call")
    }));
}

#[test]
fn a_leg_of_the_trunk_cannot_be_answered() {
    let mut bench = Bench::new();
    let call = bench.phone_dials("101", "12065550100");
    bench.resolve(&call, Ok(to_pstn("12065550100")));
    let trunk = bench.tag(1);
    bench.rings(&trunk);

    let outcome = bench.must("answer_call", Action::Answer(call.clone(), None));
    assert_eq!(outcome, wrong_state(State::Early, &[State::Ringing]));
    let outcome = bench.must("answer_call", Action::Answer(call, Some(trunk)));

    assert_eq!(outcome, wrong_state(State::Ringing, &[State::Ringing]));
}

#[test]
fn reject_ends_both_legs_as_if_the_phone_had_declined() {
    for (code, expected) in [(None, (603, "Decline")), (Some(486), (486, "Busy Here"))] {
        let (mut bench, call, alice, bob) = Bench::early();
        bench.rings(&bob);

        bench.must("reject_call", Action::Reject(call.clone(), None, code)).unwrap();

        for tag in [alice, bob] {
            let last = bench.of(&tag).last().copied().unwrap().clone();
            let reason = last.reason.unwrap();
            assert_eq!((reason.code, reason.text.as_str()), expected);
            assert_eq!(last.caused_by, Some(cause("reject_call")));
        }
        assert_eq!(bench.over, [call]);
    }
}

#[test]
fn terminate_ends_every_leg_with_or_without_a_tag() {
    for tag_of in [None, Some(0), Some(1)] {
        let (mut bench, call, alice, bob) = Bench::talking();
        let tag = tag_of.map(|index| bench.tag(index));

        bench.must("terminate_call", Action::Terminate(call.clone(), tag, None)).unwrap();

        for tag in [alice, bob] {
            let last = bench.of(&tag).last().copied().unwrap().clone();
            let reason = last.reason.unwrap();
            let text = "Answer Leg Disconnected Via Call Control API";
            assert_eq!((reason.code, reason.text.as_str()), (487, text));
            assert_eq!(last.caused_by, Some(cause("terminate_call")));
        }
        let hangups = bench.ops.iter().filter(|op| matches!(op, Op::Hangup { .. })).count();
        assert_eq!(hangups, 2);
        assert_eq!(bench.over, [call]);
    }
}

#[test]
fn terminate_may_name_the_code() {
    let (mut bench, call, alice, _) = Bench::talking();

    bench.must("terminate_call", Action::Terminate(call, None, Some(480))).unwrap();

    assert_eq!(bench.of(&alice).last().unwrap().reason.as_ref().unwrap().code, 480);
}

#[test]
fn a_call_may_be_terminated_before_its_phone_is_dialled() {
    let mut bench = Bench::new();
    let call = bench.originate("101", "102");

    bench.must("terminate_call", Action::Terminate(call.clone(), None, None)).unwrap();
    bench.resolve(&call, Ok(to_account("102")));

    assert_eq!(bench.state(&bench.tag(0)), State::Terminated);
    assert_eq!(bench.replies.len(), 2, "both commands are answered");
    assert!(bench.ops.is_empty(), "there is no channel to hang up");
    assert!(bench.customer.is_idle());
}

#[test]
fn of_two_racing_terminations_the_second_finds_no_call() {
    let (mut bench, call, ..) = Bench::talking();

    let first = bench.must("terminate_call", Action::Terminate(call.clone(), None, None));
    let second = bench.must("terminate_call", Action::Terminate(call.clone(), None, None));

    assert!(first.is_ok());
    assert_eq!(second, Err(not_found(&call)));
}

#[test]
fn a_tag_of_no_leg_is_not_found() {
    let (mut bench, call, ..) = Bench::talking();
    let tag = Some(Tag("nobody".to_owned()));

    for action in [
        Action::Terminate(call.clone(), tag.clone(), None),
        Action::Hold(call.clone(), tag.clone()),
        Action::Answer(call.clone(), tag.clone()),
        Action::SendDigits(call.clone(), tag.clone(), "1".to_owned()),
    ] {
        assert_eq!(bench.must("any", action), Err(not_found(&call)));
    }
}

#[test]
fn digits_go_to_the_named_legs_party() {
    let (mut bench, call, _, bob) = Bench::talking();
    bench.look_away();

    let send = Action::SendDigits(call, Some(bob.clone()), "12#".to_owned());
    bench.must("send_dtmf", send).unwrap();

    let channel = bench.channel(&bob);
    assert_eq!(bench.ops, [Op::SendDigits { channel, digits: "12#".to_owned() }]);
    assert!(bench.told.is_empty());
}

#[test]
fn each_key_is_told_with_its_leg() {
    let (mut bench, _, _, bob) = Bench::talking();

    for digit in ['1', '#'] {
        bench.event(&bob, |channel| Event::Digit { channel, digit });
    }

    assert_eq!(bench.ivr, [(bob.clone(), "1".to_owned()), (bob, "#".to_owned())]);
}

#[test]
fn get_reads_the_living_legs_callers_first_with_the_time_talked() {
    let (mut bench, call, alice, bob) = Bench::talking();
    bench.wait(12);

    let legs = bench.must("get_call_info", Action::Get(call.clone())).unwrap().legs;

    let tags: Vec<_> = legs.iter().map(|leg| leg.tag.clone()).collect();
    assert_eq!(tags, [alice, bob]);
    assert!(legs.iter().all(|leg| leg.duration_seconds == 12 && leg.state == State::Connected));
    let unknown = CallId("n.unknown".to_owned());
    assert_eq!(bench.must("get_call_info", Action::Get(unknown.clone())), Err(not_found(&unknown)));
}

#[test]
fn every_command_is_allowed_where_the_table_says_so() {
    let call = CallId("c".to_owned());
    let talking = [State::Connected, State::Held, State::Holding];

    assert_eq!(allowed_states(&Action::Answer(call.clone(), None)), [State::Ringing]);
    assert_eq!(allowed_states(&Action::Reject(call.clone(), None, None)), [State::Ringing]);
    assert_eq!(allowed_states(&Action::Hold(call.clone(), None)), talking);
    assert_eq!(allowed_states(&Action::Resume(call.clone(), None)), talking);
    assert_eq!(allowed_states(&Action::SendDigits(call, None, String::new())), talking);
}

#[test]
fn a_phone_dialled_twice_by_one_offer_is_one_call() {
    let mut bench = Bench::new();
    bench.phone_dials("101", "102");
    let channel = ChannelId("in-1".to_owned());

    let account = super::bench::account("101");
    bench.feed(Input::PhoneDials { channel, account, dialled: "102".to_owned() });

    assert!(bench.told.is_empty());
    assert_eq!(bench.customer.live_legs(), 1);
}

#[test]
fn a_command_without_a_cause_of_its_own_is_told_as_it_came() {
    let (mut bench, call, alice, _) = Bench::talking();
    let cause = crate::domain::Cause {
        request_id: None,
        login: "telco".to_owned(),
        method: "CallControl/hold_call".to_owned(),
    };
    bench.look_away();

    bench.feed(Input::Command(Command {
        id: "c9".to_owned(),
        scope: crate::domain::CallerScope::Everything,
        cause: cause.clone(),
        action: Action::Hold(call, Some(alice)),
    }));

    assert!(bench.told.iter().all(|view| view.caused_by.as_ref() == Some(&cause)));
}
