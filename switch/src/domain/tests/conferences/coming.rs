//! Who comes in, and who does not.

use super::*;
use crate::domain::tests::bench::visa_status;
use crate::domain::{Listeners, OnAppGone};

#[test]
fn a_call_keeps_its_id_and_tags_and_both_hear_the_invitation_before_they_are_in() {
    let mut room = room();

    assert_eq!(
        room.bench.events(),
        ["created", &format!("participant_invited {PETER}"), "participant_invited 101"]
    );
    let told: Vec<_> = room.bench.told.iter().map(|it| (it.tag.clone(), it.state)).collect();
    let (peter, alice) = (room.peter.clone(), room.alice.clone());
    assert_eq!(told, [(peter.clone(), State::Connected), (alice.clone(), State::Connected)]);
    for view in &room.bench.told {
        assert_eq!(view.call_id, room.call);
        assert_eq!(view.conference.as_ref().unwrap().name, "Sales");
        assert_eq!(view.caused_by, Some(cause("conference")));
    }
    for tag in [&peter, &alice] {
        assert_eq!(room.bench.played(tag), ["conference/invitation.au"]);
        assert_eq!(room.bench.hears(tag), Source::Silence, "besides");
    }

    room.bench.pass(999);
    assert!(room.bench.events().is_empty());
    room.bench.pass(1);

    assert_eq!(
        room.bench.events(),
        [&format!("participant_joined {PETER}"), "participant_joined 101"]
    );
    assert_eq!(sorted(room.bench.ears()), ears(&[(PETER, &["101"]), ("101", &[PETER])]));
}

#[test]
fn called_participants_are_calls_of_their_own_with_one_leg_each() {
    let mut room = joined();

    let bob = room.bring("102");
    let far = room.bring("12065550199");

    assert_eq!(
        room.bench.rows()[2..],
        [
            "102 | 101 → 102 | incoming | false | trying ringing connected",
            "trunk | 101 → 12065550199 | outgoing | true | trying ringing connected",
        ]
    );
    assert!(room.bench.told.iter().all(|view| view.conference.is_some()));
    assert_ne!(room.bench.of(&bob)[0].call_id, room.bench.of(&far)[0].call_id);
    assert!(room.bench.resolves.iter().all(|it| it.1 == 1), "the owner pays");
    let everybody: [(&str, &[&str]); 4] = [
        (PETER, &["101", "102", "12065550199"]),
        ("101", &[PETER, "102", "12065550199"]),
        ("102", &[PETER, "101", "12065550199"]),
        ("12065550199", &[PETER, "101", "102"]),
    ];
    assert_eq!(sorted(room.bench.ears()), ears(&everybody));
}

#[test]
fn somebody_who_comes_changes_nothing_for_those_who_are_in() {
    let mut room = joined();
    room.bring("102");
    let carol = room.add("103");
    let mark = room.bench.ops.len();

    room.bench.answers(&carol);

    let own = room.bench.channel(&carol);
    let others: Vec<_> = room.bench.ops[mark..].iter().filter(|op| *op.channel() != own).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn the_owner_hangs_up_and_the_rest_goes_on_until_the_last_has_left() {
    let mut room = joined();
    let bob = room.bring("102");
    room.bench.events();

    let (alice, peter) = (room.alice.clone(), room.peter.clone());
    room.bench.hangs_up(&alice);

    assert_eq!(room.bench.state(&alice), State::Terminated);
    assert_eq!(room.bench.state(&peter), State::Connected);
    assert_eq!(sorted(room.bench.ears()), ears(&[(PETER, &["102"]), ("102", &[PETER])]));
    room.bench.hangs_up(&peter);
    room.bench.hangs_up(&bob);

    assert_eq!(
        room.bench.events(),
        [
            "participant_left 101",
            &format!("participant_left {PETER}"),
            "participant_left 102",
            "ended"
        ]
    );
    assert!(room.bench.newest().end_time.is_some());
    assert!(room.bench.customer.is_idle());
}

#[test]
fn a_phone_that_rings_stops_when_the_last_on_the_line_has_gone() {
    let mut room = joined();
    let bob = room.add("102");

    let (alice, peter) = (room.alice.clone(), room.peter.clone());
    room.bench.hangs_up(&alice);
    room.bench.hangs_up(&peter);

    let reason = room.bench.of(&bob).last().unwrap().reason.clone().unwrap();
    assert_eq!((reason.code, reason.text.as_str()), (487, "Request Terminated"));
    assert_eq!(room.states()[2].1, ParticipantState::Failed);
    assert!(room.bench.customer.is_idle());
}

#[test]
fn who_does_not_come_has_failed_and_the_rest_goes_on() {
    for how in 0..4 {
        let mut room = joined();
        let bob = room.add("102");
        let code = match how {
            0 => {
                room.bench.refuses(&bob, 486);
                486
            }
            1 => {
                room.bench.hangs_up(&bob);
                603
            }
            2 => {
                room.bench.pass(60_000);
                480
            }
            _ => {
                room.act(ConferenceAction::Delete(room.id.clone(), bob.clone())).unwrap();
                487
            }
        };

        assert_eq!(room.bench.of(&bob).last().unwrap().reason.as_ref().unwrap().code, code);
        assert_eq!(room.states()[2].1, ParticipantState::Failed, "{how}");
        assert_eq!(sorted(room.bench.ears()), ears(&[(PETER, &["101"]), ("101", &[PETER])]));
    }
}

#[test]
fn who_may_not_be_called_or_is_nobody_has_failed_too() {
    let answers =
        [(Err(ResolveFailure::NotAllowed), 403), (Ok(crate::domain::Route::Nowhere), 404)];
    for (answer, code) in answers {
        let mut room = joined();
        let whom = Whom::Number("999".to_owned());
        room.bench.confer(CUSTOMER, ConferenceAction::Add(room.id.clone(), whom, Vec::new()));
        let call = room.bench.resolves.last().unwrap().0.clone();
        let mark = room.bench.told.len();

        room.bench.resolve(&call, answer);

        let told = &room.bench.told[mark..];
        let states: Vec<_> = told.iter().map(|it| it.state).collect();
        assert_eq!(states, [State::Trying, State::Terminated]);
        assert_eq!(told[1].reason.as_ref().unwrap().code, code);
        let (_, outcome) = room.bench.replies.last().unwrap();
        let participant = outcome.clone().unwrap().participant.unwrap();
        assert_eq!(participant.state, ParticipantState::Failed);
    }
}

#[test]
fn a_hunt_group_cannot_be_called_in() {
    let mut room = joined();
    let whom = Whom::Number("340".to_owned());
    room.bench.confer(CUSTOMER, ConferenceAction::Add(room.id.clone(), whom, Vec::new()));
    let call = room.bench.resolves.last().unwrap().0.clone();

    room.bench.resolve(&call, Ok(to_group(&support(&["102"]))));

    assert_eq!(room.bench.told.last().unwrap().reason.as_ref().unwrap().code, 480);
}

#[test]
fn one_person_is_one_participant() {
    let mut room = joined();
    room.bring("102");

    for id in ["101", "102"] {
        let whom = Whom::Account(account(id));
        let again = ConferenceAction::Add(room.id.clone(), whom, Vec::new());
        assert_eq!(room.act(again), Err(Refusal::AlreadyIn));
    }
    // Two who add the same at once: one comes second.
    let add = |whom| ConferenceAction::Add(room.id.clone(), whom, Vec::new());
    let (by_account, by_number) =
        (add(Whom::Account(account("103"))), add(Whom::Number("103".to_owned())));
    room.bench.confer(CUSTOMER, by_account);
    room.bench.confer(CUSTOMER, by_number);
    let calls: Vec<_> = room.bench.resolves.iter().rev().take(2).map(|it| it.0.clone()).collect();
    for call in calls {
        room.bench.resolve(&call, Ok(to_account("103")));
    }

    let outcomes: Vec<_> = room.bench.replies.iter().rev().take(2).map(|it| it.1.is_ok()).collect();
    assert_eq!(outcomes, [false, true]);
}

#[test]
fn whom_an_application_has_answered_may_come_in_too() {
    let mut room = joined();
    let route = visa_status(OnAppGone::Continue);
    let call = room.bench.trunk_calls_to("12065550188", "1733355700", route);
    room.bench.listeners(Listeners::Somebody(std::time::Duration::from_secs(10)));
    let answer = Action::Answer(call.clone(), None);
    room.bench.must("answer_call", answer).unwrap();

    let whom = Whom::Call(call, None);
    let done = room.act(ConferenceAction::Add(room.id.clone(), whom, Vec::new())).unwrap();

    assert_eq!(done.participant.unwrap().party.number, "12065550188");
    assert_eq!(room.bench.ears()["101"].len(), 2);
}
