//! Listening in on a conversation.

use super::bench::{Bench, CUSTOMER, account, account_scope, cause, to_account, wrong_state};
use crate::domain::{Action, CallId, Input, Mode, Refusal, State, Tag};
use crate::driver::{Event, Source};

fn supervise(call: &CallId, of: &Tag, mode: Mode) -> Action {
    Action::Supervise(call.clone(), Some(of.clone()), mode, Box::new(account("104")))
}

/// 101 and 102 talk, and 104 listens in on 101.
fn supervised(mode: Mode) -> (Bench, CallId, [Tag; 3]) {
    let (mut bench, call, alice, bob) = Bench::talking();
    bench.must("supervise_call", supervise(&call, &alice, mode)).unwrap();
    let dora = bench.tag(2);
    bench.rings(&dora);
    bench.answers(&dora);
    (bench, call, [alice, bob, dora])
}

fn parties(bench: &Bench, tags: &[&Tag]) -> Source {
    Source::Parties(tags.iter().map(|tag| bench.channel(tag)).collect())
}

#[test]
fn who_hears_whom_follows_from_the_mode() {
    for mode in [Mode::Spy, Mode::Whisper, Mode::Barge] {
        let (bench, _, [alice, bob, dora]) = supervised(mode);

        assert_eq!(bench.hears(&dora), parties(&bench, &[&alice, &bob]), "{mode:?}");
        let (by_alice, by_bob): (&[&Tag], &[&Tag]) = match mode {
            Mode::Spy => (&[&bob], &[&alice]),
            Mode::Whisper => (&[&bob, &dora], &[&alice]),
            Mode::Barge => (&[&bob, &dora], &[&alice, &dora]),
        };
        assert_eq!(bench.hears(&alice), parties(&bench, by_alice), "{mode:?}");
        assert_eq!(bench.hears(&bob), parties(&bench, by_bob), "{mode:?}");
    }
}

#[test]
fn another_mode_is_taken_by_the_phone_that_is_called_already() {
    let (mut bench, call, [alice, bob, dora]) = supervised(Mode::Spy);
    let before = (bench.dialled().len(), bench.told.len());

    let done = bench.must("supervise_call", supervise(&call, &bob, Mode::Whisper)).unwrap();

    assert_eq!(done.legs[0].tag, dora);
    assert_eq!((bench.dialled().len(), bench.told.len()), before, "nobody is called or told");
    assert_eq!(bench.hears(&alice), parties(&bench, &[&bob]));
    assert_eq!(bench.hears(&bob), parties(&bench, &[&alice, &dora]));

    bench.must("supervise_call", supervise(&call, &alice, Mode::Barge)).unwrap();
    assert_eq!(bench.hears(&bob), parties(&bench, &[&alice, &dora]));
    assert_eq!(bench.hears(&alice), parties(&bench, &[&bob, &dora]));

    // Also before it has answered.
    let (mut bench, call, alice, bob) = Bench::talking();
    bench.must("supervise_call", supervise(&call, &alice, Mode::Barge)).unwrap();
    bench.must("supervise_call", supervise(&call, &alice, Mode::Spy)).unwrap();
    bench.answers(&bench.tag(2));
    assert_eq!(bench.hears(&bob), parties(&bench, &[&alice]));
}

#[test]
fn the_supervisors_phone_is_called_and_the_parties_are_told_nothing() {
    let (mut bench, call, alice, _) = Bench::talking();
    bench.look_away();

    let done = bench.must("supervise_call", supervise(&call, &alice, Mode::Spy)).unwrap();
    let dora = bench.tag(0);
    bench.rings(&dora);
    bench.answers(&dora);

    assert_eq!((&done.legs[0].tag, done.legs[0].state), (&dora, State::Trying));
    assert_eq!(bench.rows(), ["104 | 101 → 104 | incoming | false | trying ringing connected"]);
    assert_eq!(bench.told[0].caused_by, Some(cause("supervise_call")));
}

#[test]
fn nobody_hears_a_supervisor_whose_phone_has_not_been_answered() {
    let (mut bench, call, alice, bob) = Bench::talking();

    bench.must("supervise_call", supervise(&call, &alice, Mode::Barge)).unwrap();
    bench.rings(&bench.tag(2));

    assert_eq!(bench.hears(&bob), parties(&bench, &[&alice]));
    assert_eq!(bench.hears(&bench.tag(2)), Source::Silence);
}

#[test]
fn a_supervisor_that_leaves_or_does_not_come_changes_nothing_for_the_parties() {
    for how in 0..4 {
        let (mut bench, call, alice, bob) = Bench::talking();
        bench.must("supervise_call", supervise(&call, &alice, Mode::Barge)).unwrap();
        let dora = bench.tag(2);
        let code = match how {
            0 => {
                bench.answers(&dora);
                bench.hangs_up(&dora);
                487
            }
            1 => {
                bench.answers(&dora);
                let leave = Action::Terminate(call, Some(dora.clone()), None);
                bench.must("terminate_call", leave).unwrap();
                487
            }
            2 => {
                bench.refuses(&dora, 486);
                486
            }
            _ => {
                bench.wait(60);
                bench.feed(Input::Tick);
                480
            }
        };

        let reason = bench.of(&dora).last().unwrap().reason.clone().unwrap();
        assert_eq!((bench.state(&dora), reason.code), (State::Terminated, code));
        assert_eq!((bench.state(&alice), bench.state(&bob)), (State::Connected, State::Connected));
        assert_eq!(bench.hears(&alice), parties(&bench, &[&bob]));
        assert_eq!(bench.customer.next_deadline(), None);
    }
}

#[test]
fn a_party_that_leaves_ends_the_supervisors_leg_too() {
    let (mut bench, call, [_, bob, dora]) = supervised(Mode::Spy);

    bench.hangs_up(&bob);

    assert_eq!(bench.of(&dora).last().unwrap().reason.as_ref().unwrap().text, "BYE Received");
    assert_eq!(bench.over, [call]);
    assert!(bench.customer.is_idle());
}

#[test]
fn a_hold_is_a_matter_of_the_parties() {
    let (mut bench, call, [alice, bob, dora]) = supervised(Mode::Barge);

    bench.must("hold_call", Action::Hold(call, None)).unwrap();
    assert_eq!((bench.state(&alice), bench.state(&bob)), (State::Holding, State::Held));
    assert_eq!(bench.state(&dora), State::Connected);
    assert_eq!((bench.hears(&alice), bench.hears(&bob)), (Source::Silence, Source::Music));
    assert_eq!(bench.hears(&dora), parties(&bench, &[&bob]));

    let (mut bench, _, [alice, bob, dora]) = supervised(Mode::Barge);
    bench.event(&dora, |channel| Event::Held { channel });
    assert_eq!((bench.state(&alice), bench.state(&bob)), (State::Connected, State::Connected));
    assert_eq!(bench.hears(&alice), parties(&bench, &[&bob]));
}

#[test]
fn a_supervisor_is_meant_only_when_it_is_named() {
    let (mut bench, call, [alice, bob, dora]) = supervised(Mode::Spy);
    let park = Action::Park(call.clone(), Some(dora.clone()), None);
    let transfer = Action::TransferBlind(call.clone(), Some(dora.clone()), "103".to_owned());
    let watched = Action::Supervise(call.clone(), Some(dora), Mode::Spy, Box::new(account("103")));
    bench.look_away();

    for action in [park, transfer, watched] {
        assert_eq!(bench.must("any", action), Err(Refusal::CallNotFound(call.clone())));
    }
    assert!(bench.told.is_empty() && bench.ops.is_empty());
    bench.command(account_scope("102"), "hold_call", Action::Hold(call, None)).unwrap().unwrap();

    let holding = bench.told.iter().find(|view| view.state == State::Holding).unwrap();
    assert_eq!(holding.tag, bob);
    assert_ne!(holding.tag, alice);
}

#[test]
fn in_its_own_session_a_supervisor_acts_on_its_own_leg_and_ends_that_alone() {
    let (mut bench, call, [alice, bob, dora]) = supervised(Mode::Spy);

    let terminate = Action::Terminate(call, None, None);
    bench.command(account_scope("104"), "terminate_call", terminate).unwrap().unwrap();

    assert_eq!(bench.state(&dora), State::Terminated);
    assert_eq!((bench.state(&alice), bench.state(&bob)), (State::Connected, State::Connected));
}

#[test]
fn a_supervisors_phone_is_answered_and_rejected_by_command() {
    let (mut bench, call, alice, _) = Bench::talking();
    bench.must("supervise_call", supervise(&call, &alice, Mode::Spy)).unwrap();
    let dora = bench.tag(2);
    bench.rings(&dora);

    let later = bench.command(CUSTOMER, "answer_call", Action::Answer(call.clone(), None));
    assert_eq!(later, None);
    let redirect = Action::Redirect(call.clone(), Some(dora.clone()), "103".to_owned());
    assert!(bench.must("redirect_call", redirect).is_err());
    bench.must("reject_call", Action::Reject(call, Some(dora.clone()), None)).unwrap();

    assert_eq!((bench.state(&dora), bench.state(&alice)), (State::Terminated, State::Connected));
}

#[test]
fn who_listens_to_a_transferor_leaves_with_it_and_hears_neither_meanwhile() {
    for is_transferor in [true, false] {
        let (mut bench, call, [alice, bob, dora]) = supervised(Mode::Barge);
        let transferor = if is_transferor { &alice } else { &bob };
        let transfer =
            Action::TransferBlind(call.clone(), Some(transferor.clone()), "103".to_owned());

        bench.must("transfer_call", transfer).unwrap();
        bench.resolve(&call, Ok(to_account("103")));
        let carol = bench.tag(3);
        assert_eq!(bench.hears(&dora), parties(&bench, &[]));
        bench.answers(&carol);

        if is_transferor {
            let reason = bench.of(&dora).last().unwrap().reason.clone().unwrap();
            assert_eq!((reason.code, reason.text.as_str()), (200, "Call Transferred"));
            assert_eq!(bench.hears(&carol), parties(&bench, &[&bob]));
        } else {
            assert_eq!(bench.hears(&dora), parties(&bench, &[&alice, &carol]));
            assert_eq!(bench.hears(&carol), parties(&bench, &[&alice, &dora]));
        }
    }
}

#[test]
fn an_attended_transfer_takes_no_supervisor_along() {
    let (mut bench, first, [alice, _, dora]) = supervised(Mode::Spy);
    let second = bench.phone_dials("101", "103");
    bench.resolve(&second, Ok(to_account("103")));
    let carol = bench.tag(4);
    bench.answers(&carol);
    bench.must("supervise_call", supervise(&second, &carol, Mode::Spy)).unwrap();
    let other = bench.tag(5);
    bench.answers(&other);

    let attended = Action::TransferAttended(first, Some(alice), second.clone());
    bench.must("transfer_call", attended).unwrap();

    assert_eq!((bench.state(&dora), bench.state(&other)), (State::Terminated, State::Terminated));
    assert_eq!(bench.over, [second]);
    assert_eq!(bench.customer.live_legs(), 2);
}

#[test]
fn parking_ends_listening_in() {
    let (mut bench, call, [_, bob, dora]) = supervised(Mode::Spy);

    bench.must("park_call", Action::Park(call, None, None)).unwrap();

    assert_eq!((bench.state(&bob), bench.state(&dora)), (State::Parked, State::Terminated));
    assert_eq!(bench.of(&dora).last().unwrap().caused_by, Some(cause("park_call")));
}

#[test]
fn only_a_conversation_can_be_supervised_and_only_with_a_phone_of_the_environment() {
    let (mut bench, call, alice, bob) = Bench::early();
    let talking: &[State] = &[State::Connected, State::Held, State::Holding];
    let refused = bench.must("supervise_call", supervise(&call, &alice, Mode::Spy));
    assert_eq!(refused, wrong_state(State::Early, talking));
    bench.answers(&bob);
    bench.look_away();

    let mut foreign = account("104");
    foreign.i_customer = 2;
    let foreign = Action::Supervise(call.clone(), None, Mode::Spy, Box::new(foreign));
    let not_found = Err(Refusal::AccountNotFound("104".to_owned()));
    assert_eq!(bench.must("supervise_call", foreign), not_found);
    let spy = supervise(&call, &alice, Mode::Spy);
    let by_a_party = bench.command(account_scope("101"), "supervise_call", spy);

    assert_eq!(by_a_party, Some(not_found));
    assert!(bench.told.is_empty() && bench.ops.is_empty());
}
