//! Who may do what, what calls in conferences are refused, and who pays.

use super::*;

#[test]
fn who_may_do_what_to_a_conference() {
    let mut room = joined();
    let bob = room.bring("102");
    let id = room.id.clone();
    let commands = |of: &Tag| {
        [
            ConferenceAction::Add(id.clone(), Whom::Number("12065550177".to_owned()), Vec::new()),
            ConferenceAction::Update {
                id: id.clone(),
                participant: of.clone(),
                mute: Some(true),
                hold: None,
            },
            ConferenceAction::Delete(id.clone(), of.clone()),
            ConferenceAction::Terminate(id.clone()),
            ConferenceAction::Change { id: id.clone(), owner: None, name: Some("x".to_owned()) },
            ConferenceAction::Merge { id: id.clone(), from: id.clone() },
        ]
    };
    let mark = room.bench.told.len();
    room.bench.events();
    let stranger = Scope::Customer { i_customer: 2 };
    for action in commands(&bob) {
        let not_found = Some(Err(Refusal::ConferenceNotFound(id.clone())));
        assert_eq!(room.bench.confer(stranger, action.clone()), not_found, "{action:?}");
        assert_eq!(room.bench.confer(account_scope("104"), action.clone()), not_found);
        let refused = room.bench.confer(account_scope("102"), action.clone());
        assert_eq!(refused, Some(Err(Refusal::NotOwner)), "{action:?}");
    }
    assert!(room.bench.told.len() == mark && room.bench.events().is_empty());

    let leave = ConferenceAction::Leave(id.clone(), account("102"));
    let foreign = room.bench.confer(account_scope("101"), leave.clone());
    assert_eq!(foreign, Some(Err(Refusal::AccountNotFound("102".to_owned()))));
    room.bench.confer(account_scope("102"), leave.clone()).unwrap().unwrap();
    assert_eq!(room.bench.state(&bob), State::Terminated);
    assert!(matches!(room.act(leave), Err(Refusal::ParticipantNotFound(_))));
    let join = ConferenceAction::Join(id, account("104"), JoinMode::Full);
    assert_eq!(room.bench.confer(account_scope("104"), join), None, "anybody may drop in");
}

#[test]
fn nothing_changes_on_the_call_when_the_owner_may_not_confer() {
    let (mut bench, call, alice, _) = Bench::talking();
    let marks = (bench.told.len(), bench.ops.len());

    let refused = bench.confer(account_scope("101"), create(&call, "101", false));
    assert_eq!(refused, Some(Err(Refusal::ServiceDisabled)));
    let ConferenceAction::Create(mut poor) = create(&call, "101", true) else { unreachable!() };
    poor.owner.has_credit = false;
    let refused = bench.confer(account_scope("101"), ConferenceAction::Create(poor));
    assert_eq!(refused, Some(Err(Refusal::NoCredit)));
    let absent = bench.confer(account_scope("103"), create(&call, "103", true));
    assert_eq!(absent, Some(Err(Refusal::CallNotFound(call.clone()))));
    let of_another = bench.confer(account_scope("101"), create(&call, "102", true));
    assert_eq!(of_another, Some(Err(Refusal::AccountNotFound("102".to_owned()))));

    assert_eq!((bench.told.len(), bench.ops.len(), bench.news.len()), (marks.0, marks.1, 0));
    assert_eq!(bench.state(&alice), State::Connected);
}

#[test]
fn a_call_in_a_conference_is_ended_leg_by_leg_in_the_account_realm() {
    let mut room = joined();
    let (call, peter, alice) = (room.call.clone(), room.peter.clone(), room.alice.clone());
    let end = |tag: Option<&Tag>| Action::Terminate(call.clone(), tag.cloned(), None);

    let own = room.bench.command(account_scope("101"), "terminate_call", end(None));
    assert_eq!(own, Some(Ok(Done::default())));
    assert_eq!(room.bench.state(&alice), State::Terminated);
    assert_eq!(room.bench.state(&peter), State::Connected);

    let mut room = joined();
    let bob = room.bring("102");
    let call = room.bench.of(&bob)[0].call_id.clone();
    let end = Action::Terminate(call, Some(bob.clone()), None);
    room.bench.command(account_scope("101"), "terminate_call", end).unwrap().unwrap();
    assert_eq!(room.bench.state(&bob), State::Terminated, "the owner may end more");

    let mut room = joined();
    let call = room.call.clone();
    room.bench.must("terminate_call", Action::Terminate(call, None, None)).unwrap();
    assert!(room.bench.customer.is_idle(), "above it, the call is the whole call");
}

#[test]
fn parking_transfer_and_supervision_take_calls_that_are_in_no_conference() {
    let mut room = joined();
    let call = room.call.clone();
    let alice = Some(room.alice.clone());
    let marks = (room.bench.told.len(), room.bench.ops.len());
    for action in [
        Action::Park(call.clone(), alice.clone(), None),
        Action::TransferBlind(call.clone(), alice.clone(), "103".to_owned()),
        Action::Supervise(call, alice, crate::domain::Mode::Spy, Box::new(account("104"))),
    ] {
        let refused = room.bench.must("any", action);
        assert_eq!(refused, Err(Refusal::InConference(State::Connected)));
    }
    assert_eq!((room.bench.told.len(), room.bench.ops.len()), marks);
}

#[test]
fn supervisors_do_not_come_along() {
    let (mut bench, call, alice, bob) = Bench::talking();
    let spy = Action::Supervise(
        call.clone(),
        Some(alice.clone()),
        crate::domain::Mode::Spy,
        Box::new(account("104")),
    );
    bench.must("supervise_call", spy).unwrap();
    let dora = bench.tag(2);
    bench.answers(&dora);

    bench.confer(CUSTOMER, create(&call, "101", true)).unwrap().unwrap();
    bench.pass(1_000);

    assert_eq!(bench.state(&dora), State::Terminated);
    assert_eq!((bench.state(&alice), bench.state(&bob)), (State::Connected, State::Connected));
    assert_eq!(sorted(bench.ears()), ears(&[("101", &["102"]), ("102", &["101"])]));
}

#[test]
fn what_is_still_being_asked_for_is_dropped_with_the_conference() {
    let mut room = joined();
    let whom = Whom::Number("12065550177".to_owned());
    room.bench.confer(CUSTOMER, ConferenceAction::Add(room.id.clone(), whom, Vec::new()));
    let call = room.bench.resolves.last().unwrap().0.clone();

    room.act(ConferenceAction::Terminate(room.id.clone())).unwrap();
    room.bench.resolve(&call, Ok(to_pstn("12065550177")));

    let answered = room
        .bench
        .replies
        .iter()
        .any(|(_, outcome)| *outcome == Err(Refusal::ConferenceNotFound(room.id.clone())));
    assert!(answered && room.bench.customer.is_idle());
    let dialled = Endpoint::Trunk { number: "12065550177".to_owned() };
    assert!(!room.bench.dialled().contains(&dialled));
}

#[test]
fn own_prompts_are_heard_one_after_the_other_by_who_is_called_too() {
    let mut room = joined();
    let whom = Whom::Account(account("102"));
    let prompts = vec![clip("a.au", 2), clip("b.g729", 2)];
    room.bench.confer(CUSTOMER, ConferenceAction::Add(room.id.clone(), whom, prompts));
    let bob = room.resolved("102");
    assert!(room.bench.played(&bob).is_empty());

    room.bench.answers(&bob);
    assert_eq!(room.bench.played(&bob), ["a.au", "b.g729"]);
    room.bench.pass(3_999);
    assert_eq!(room.states()[2].1, ParticipantState::Invited);
    room.bench.pass(1);

    assert_eq!(room.states()[2].1, ParticipantState::Joined);
    room.bench.feed(Input::Stop);
    assert!(room.bench.customer.is_idle());
}

/// Charges: the owner pays for everybody, itself included, and each new owner from its second on.
#[test]
fn the_owner_is_charged_for_everybody_for_its_own_time() {
    let mut room = joined();
    let bob = room.bring("102");
    room.bench.pass(10_000);
    let owner = Some(NewOwner { account: account("103"), may_confer: true, has_credit: true });
    room.act(ConferenceAction::Change { id: room.id.clone(), owner, name: None }).unwrap();
    room.bench.pass(5_000);
    room.bench.hangs_up(&bob);
    room.act(ConferenceAction::Terminate(room.id.clone())).unwrap();

    let of = |tag: &Tag, payer: i64| {
        let all = room.bench.charged.iter();
        let is_it = |it: &&crate::domain::Charged| {
            it.tag == *tag
                && it.payer == payer
                && it.service == crate::domain::ChargedService::Conferencing
        };
        all.filter(is_it).map(|it| it.duration.as_secs()).collect::<Vec<_>>()
    };
    for tag in [&room.peter, &room.alice, &bob] {
        assert_eq!((of(tag, 1), of(tag, 3)), (vec![10], vec![5]), "{tag}");
    }
}

/// The manual's story: three voice charges and four of conferencing for Alice, one each for Bob
/// and Carol.
#[test]
fn the_owner_pays_for_whom_it_brought_in_and_they_for_being_called() {
    use crate::domain::ChargedService::{Conferencing, Voice};
    let mut room = joined();
    let bob = room.bring("102");
    let carol = room.bring("103");
    room.bench.pass(10_000);
    let (alice, peter) = (room.alice.clone(), room.peter.clone());
    for tag in [&alice, &bob, &carol, &peter] {
        room.bench.hangs_up(tag);
    }

    let mut charged: Vec<_> =
        room.bench.charged.iter().map(|it| (it.payer, it.service, it.tag.clone())).collect();
    charged.sort();

    let mut expected: Vec<_> = [&alice, &bob, &carol, &peter]
        .map(|tag| (1, Conferencing, tag.clone()))
        .into_iter()
        .chain([&alice, &bob, &carol].map(|tag| (1, Voice, tag.clone())))
        .chain([(2, Voice, bob.clone()), (3, Voice, carol.clone())])
        .collect();
    expected.sort();
    assert_eq!(charged, expected);
}
