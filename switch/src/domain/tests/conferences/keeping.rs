//! What comes along when a call becomes a conference: holds, who did it, and whose call it was.

use super::*;
use crate::domain::tests::bench::visa_status;
use crate::domain::{Interval, IntervalKind, Listeners, OnAppGone};

impl Room {
    fn interval(&self, tag: &Tag, kind: IntervalKind) -> Interval {
        let all = &self.bench.newest().participants;
        let participant = all.iter().find(|it| it.tag == *tag).unwrap();
        participant.intervals.iter().find(|it| it.kind == kind).unwrap().clone()
    }
}

#[test]
fn a_hold_comes_along_until_the_one_who_holds_takes_the_call_back() {
    let (mut bench, call, alice, bob) = Bench::talking();
    bench.must("hold_call", Action::Hold(call.clone(), None)).unwrap();
    let mark = bench.told.len();

    let done = bench.confer(CUSTOMER, create(&call, "101", true)).unwrap().unwrap();

    let id = done.conference.unwrap().id;
    let told: Vec<_> = bench.told[mark..].iter().map(|it| (it.tag.clone(), it.state)).collect();
    assert_eq!(told, [(alice.clone(), State::Holding), (bob.clone(), State::Held)]);
    assert!(bench.told[mark..].iter().all(|it| it.conference.as_ref().unwrap().id == id));
    bench.pass(1_000);
    assert_eq!(bench.told.len(), mark + 2, "the invitation changes no leg's state");
    let states: Vec<_> = bench.newest().participants.iter().map(|it| it.state).collect();
    assert_eq!(states, [ParticipantState::Held, ParticipantState::Held]);
    assert_eq!(sorted(bench.ears()), ears(&[("101", &[]), ("102", &[])]));
    assert_eq!((bench.hears(&alice), bench.hears(&bob)), (Source::Silence, Source::Music));

    bench.must("resume_call", Action::Resume(call, Some(alice.clone()))).unwrap();

    assert_eq!((bench.state(&alice), bench.state(&bob)), (State::Connected, State::Connected));
    assert_eq!(sorted(bench.ears()), ears(&[("101", &["102"]), ("102", &["101"])]));
    assert_eq!(
        bench.events(),
        [
            "created",
            "participant_invited 101",
            "participant_held 101",
            "participant_invited 102",
            "participant_held 102",
            "participant_joined 101",
            "participant_joined 102",
            "participant_resumed 101",
            "participant_resumed 102",
        ]
    );
}

#[test]
fn who_is_held_is_free_when_the_one_who_held_it_ends_or_a_command_frees_it() {
    for is_command in [false, true] {
        let (mut bench, call, alice, bob) = Bench::talking();
        bench.must("hold_call", Action::Hold(call.clone(), None)).unwrap();
        let done = bench.confer(CUSTOMER, create(&call, "101", true)).unwrap().unwrap();
        bench.pass(1_000);

        if is_command {
            let (id, participant) = (done.conference.unwrap().id, bob.clone());
            let free = ConferenceAction::Update { id, participant, mute: None, hold: Some(false) };
            bench.confer(CUSTOMER, free).unwrap().unwrap();
            assert_eq!(bench.state(&alice), State::Holding);
        } else {
            bench.hangs_up(&alice);
        }

        assert_eq!(bench.state(&bob), State::Connected, "{is_command}");
    }
}

#[test]
fn who_hangs_up_during_the_invitation_to_its_own_call_has_left() {
    let mut room = room();
    room.bench.events();

    let peter = room.peter.clone();
    room.bench.hangs_up(&peter);

    assert_eq!(room.bench.events(), [format!("participant_left {PETER}")]);
    assert_eq!(room.states()[0].1, ParticipantState::Left);
}

#[test]
fn intervals_say_which_command_began_them_from_the_first_on() {
    let mut room = joined();
    let (peter, mode) = (room.peter.clone(), IntervalKind::Mode(JoinMode::Full));
    for kind in [IntervalKind::Join, mode] {
        assert_eq!(room.interval(&peter, kind).caused_by, Some(cause("conference")), "create");
    }

    let bob = room.add("102");
    let (id, participant) = (room.id.clone(), bob.clone());
    let silence = ConferenceAction::Update { id, participant, mute: Some(true), hold: Some(true) };
    let update = Action::Conference(Box::new(silence));
    room.bench.command(CUSTOMER, "update", update).unwrap().unwrap();
    room.bench.answers(&bob);

    for kind in [IntervalKind::Join, mode] {
        assert_eq!(room.interval(&bob, kind).caused_by, Some(cause("conference")), "add");
    }
    for kind in [IntervalKind::Mute, IntervalKind::Hold] {
        assert_eq!(room.interval(&bob, kind).caused_by, Some(cause("update")));
    }
    let carol = room.join("103", JoinMode::ListenOnly);
    let mode = IntervalKind::Mode(JoinMode::ListenOnly);
    for kind in [IntervalKind::Join, mode] {
        assert_eq!(room.interval(&carol, kind).caused_by, Some(cause("conference")), "join");
    }
}

#[test]
fn the_owner_of_an_application_makes_a_conference_of_the_call_that_it_answered() {
    let mut bench = Bench::new();
    let route = visa_status(OnAppGone::Continue);
    let call = bench.trunk_calls_to("12065550188", "1733355700", route);
    bench.listeners(Listeners::Somebody(std::time::Duration::from_secs(10)));
    let early = bench.confer(account_scope("104"), create(&call, "104", true));
    assert!(matches!(early, Some(Err(Refusal::CallNotFound(_) | Refusal::WrongState { .. }))));
    bench.must("answer_call", Action::Answer(call.clone(), None)).unwrap();

    let refused = bench.confer(account_scope("104"), create(&call, "104", false));
    assert_eq!(refused, Some(Err(Refusal::ServiceDisabled)));
    let foreign = bench.confer(account_scope("103"), create(&call, "103", true));
    assert_eq!(foreign, Some(Err(Refusal::CallNotFound(call.clone()))));
    let done = bench.confer(account_scope("104"), create(&call, "104", true)).unwrap().unwrap();

    assert_eq!(done.conference.unwrap().owner_account_id, "104");
}

#[test]
fn what_needs_a_second_party_says_so_when_there_is_none() {
    let mut bench = Bench::new();
    let route = visa_status(OnAppGone::Continue);
    let call = bench.trunk_calls_to("12065550188", "1733355700", route);
    bench.listeners(Listeners::Somebody(std::time::Duration::from_secs(10)));
    bench.must("answer_call", Action::Answer(call.clone(), None)).unwrap();
    let park = || Action::Park(call.clone(), None, None);

    assert_eq!(bench.must("park_call", park()), Err(Refusal::NoSecondParty(State::Connected)));
    bench.must("hold_call", Action::Hold(call.clone(), None)).unwrap();
    assert_eq!(bench.must("park_call", park()), Err(Refusal::NoSecondParty(State::Holding)));
}

#[test]
fn who_cannot_be_called_in_is_no_leg_of_the_trunk() {
    for answer in [Ok(to_group(&support(&["102"]))), Ok(crate::domain::Route::Nowhere)] {
        let mut room = joined();
        let whom = Whom::Number("340".to_owned());
        room.bench.confer(CUSTOMER, ConferenceAction::Add(room.id.clone(), whom, Vec::new()));
        let call = room.bench.resolves.last().unwrap().0.clone();

        room.bench.resolve(&call, answer);

        let told = room.bench.told.last().unwrap();
        assert_eq!((told.state, told.is_external), (State::Terminated, false));
    }
}
