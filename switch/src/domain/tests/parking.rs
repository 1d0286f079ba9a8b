//! Parking a party, taking it back, and calling the parker back.

use super::bench::{Bench, account, account_scope, cause, to_account, to_pstn, wrong_state};
use crate::domain::{Action, CallId, Input, Outcome, Parked, Refusal, State, Tag};
use crate::driver::{Endpoint, Event, Source};

/// The trunk and 101 talk.
fn from_the_trunk() -> (Bench, CallId, Tag, Tag) {
    let mut bench = Bench::new();
    let call = bench.trunk_calls("12065550100", "101");
    let (trunk, alice) = (bench.tag(0), bench.tag(1));
    bench.rings(&alice);
    bench.answers(&alice);
    (bench, call, trunk, alice)
}

fn park(call: &CallId, slot: Option<&str>) -> Action {
    Action::Park(call.clone(), None, slot.map(str::to_owned))
}

/// 101 has parked the trunk in slot 701.
fn parked() -> (Bench, CallId, Tag, Tag) {
    let (mut bench, call, trunk, alice) = from_the_trunk();
    bench.must("park_call", park(&call, None)).unwrap();
    (bench, call, trunk, alice)
}

fn retrieve(bench: &mut Bench, slot: &str, id: &str) -> Outcome {
    let parked = Parked::Slot(slot.to_owned());
    bench.must("retrieve_call", Action::Retrieve(parked, Box::new(account(id))))
}

fn reason_of(bench: &Bench, tag: &Tag) -> (u16, String) {
    let reason = bench.of(tag).last().unwrap().reason.clone().unwrap();
    (reason.code, reason.text)
}

fn tick_after(bench: &mut Bench, seconds: u64) {
    bench.wait(seconds);
    bench.feed(Input::Tick);
}

#[test]
fn a_parked_party_hears_music_until_a_phone_takes_it() {
    let (mut bench, call, trunk, alice) = from_the_trunk();

    let done = bench.must("park_call", park(&call, None)).unwrap();
    assert_eq!(done.slot.as_deref(), Some("701"));
    assert_eq!(bench.hears(&trunk), Source::Music);
    assert_eq!(bench.state(&alice), State::Terminated);
    let done = retrieve(&mut bench, "701", "102").unwrap();
    let bob = bench.tag(2);
    assert_eq!((&done.legs[0].tag, done.legs[0].state), (&bob, State::Trying));
    assert_eq!(bench.hears(&trunk), Source::Music, "until the phone answers");
    bench.rings(&bob);
    bench.answers(&bob);

    assert_eq!(
        bench.rows(),
        [
            "trunk | 12065550100 → 102 | incoming | true | \
             trying early connected parked connected",
            "101 | 12065550100 → 101 | incoming | false | trying ringing connected terminated \
             (487 Answer Leg Disconnected Via Call Control API)",
            "102 | 12065550100 → 102 | incoming | false | trying ringing connected",
        ]
    );
    let parties = |tag: &Tag| Source::Parties([bench.channel(tag)].into());
    assert_eq!((bench.hears(&trunk), bench.hears(&bob)), (parties(&bob), parties(&trunk)));
    assert_eq!(bench.customer.next_deadline(), None);
    assert_eq!(bench.of(&alice).last().unwrap().caused_by, Some(cause("park_call")));
}

#[test]
fn the_called_party_keeps_its_own_identity_in_the_slot() {
    let mut bench = Bench::new();
    let call = bench.phone_dials("101", "12065550100");
    bench.resolve(&call, Ok(to_pstn("12065550100")));
    let trunk = bench.tag(1);
    bench.answers(&trunk);

    bench.must("park_call", park(&call, None)).unwrap();
    retrieve(&mut bench, "701", "102").unwrap();
    bench.answers(&bench.tag(2));

    let last = bench.of(&trunk).last().copied().unwrap();
    assert_eq!((last.caller.number.as_str(), last.callee.number.as_str()), ("12065550100", "102"));
}

#[test]
fn a_hold_ends_with_parking() {
    for holder in [0, 1] {
        let (mut bench, call, trunk, alice) = from_the_trunk();
        let tag = bench.tag(holder);
        bench.must("hold_call", Action::Hold(call.clone(), Some(tag))).unwrap();

        bench.must("park_call", Action::Park(call, Some(alice), None)).unwrap();
        bench.event(&trunk, |channel| Event::Held { channel });
        assert_eq!(bench.state(&trunk), State::Parked);
        retrieve(&mut bench, "701", "102").unwrap();
        bench.answers(&bench.tag(2));

        assert_eq!(bench.state(&trunk), State::Connected);
    }
}

#[test]
fn a_parked_party_is_retrieved_by_its_call_too() {
    let (mut bench, call, trunk, _) = parked();

    let action = Action::Retrieve(Parked::Call(call), Box::new(account("102")));
    bench.must("retrieve_call", action).unwrap();
    bench.answers(&bench.tag(2));

    assert_eq!(bench.state(&trunk), State::Connected);
}

#[test]
fn everybody_of_the_environment_may_empty_a_slot_and_who_sees_the_call_may_name_it() {
    let (mut bench, call, ..) = parked();
    let by_call = |id: &str| Action::Retrieve(Parked::Call(call.clone()), Box::new(account(id)));
    let by_slot =
        |id: &str| Action::Retrieve(Parked::Slot("701".to_owned()), Box::new(account(id)));

    let unseen = bench.command(account_scope("103"), "retrieve_call", by_call("103"));
    assert_eq!(unseen, Some(Err(Refusal::CallNotFound(call.clone()))));
    let other = bench.command(account_scope("103"), "retrieve_call", by_slot("102"));
    assert_eq!(other, Some(Err(Refusal::AccountNotFound("102".to_owned()))));
    let foreign = mesh::caller::Scope::Customer { i_customer: 2 };
    let foreign = bench.command(foreign, "retrieve_call", by_slot("102"));
    assert_eq!(foreign, Some(Err(Refusal::AccountNotFound("102".to_owned()))));

    assert!(bench.command(account_scope("103"), "retrieve_call", by_slot("103")).unwrap().is_ok());
}

#[test]
fn slots_are_given_one_after_the_other_and_used_again_when_they_are_free() {
    let (mut bench, first, ..) = parked();
    let second = bench.trunk_calls("12065550111", "101");
    bench.answers(&bench.tag(3));

    let taken = bench.must("park_call", park(&second, Some("701")));
    assert_eq!(taken, Err(Refusal::SlotTaken("701".to_owned())));
    assert_eq!(bench.state(&bench.tag(3)), State::Connected, "it goes on");
    let done = bench.must("park_call", park(&second, None)).unwrap();
    assert_eq!(done.slot.as_deref(), Some("702"));

    bench.must("terminate_call", Action::Terminate(first, None, None)).unwrap();
    let third = bench.trunk_calls("12065550122", "101");
    bench.answers(&bench.tag(5));
    let done = bench.must("park_call", park(&third, Some("701"))).unwrap();
    assert_eq!(done.slot.as_deref(), Some("701"));
}

#[test]
fn a_slot_is_free_when_its_party_was_taken_or_hung_up_and_not_before() {
    let (mut bench, _, trunk, _) = parked();
    let empty = Err(Refusal::SlotNotFound("701".to_owned()));
    retrieve(&mut bench, "701", "102").unwrap();
    let bob = bench.tag(2);
    let again = retrieve(&mut bench, "701", "103");
    assert_eq!(again, wrong_state(State::Trying, &[State::Parked]), "a phone is taking it");
    bench.answers(&bob);
    assert_eq!(retrieve(&mut bench, "701", "103"), empty);
    bench.hangs_up(&trunk);
    assert!(bench.customer.is_idle());

    let (mut bench, call, trunk, _) = parked();
    bench.hangs_up(&trunk);
    assert_eq!(reason_of(&bench, &trunk), (487, "BYE Received".to_owned()));
    assert_eq!(retrieve(&mut bench, "701", "103"), empty);
    assert_eq!(bench.over, [call]);
    assert!(bench.customer.is_idle());
}

#[test]
fn a_phone_that_does_not_take_the_party_leaves_it_in_the_slot() {
    let (mut bench, _, trunk, _) = parked();
    retrieve(&mut bench, "701", "102").unwrap();

    bench.refuses(&bench.tag(2), 486);

    assert_eq!(reason_of(&bench, &bench.tag(2)), (486, "Busy Here".to_owned()));
    assert_eq!(bench.state(&trunk), State::Parked);
    retrieve(&mut bench, "701", "103").unwrap();
    bench.answers(&bench.tag(3));
    assert_eq!(bench.state(&trunk), State::Connected);
}

#[test]
fn after_two_minutes_the_parker_is_called_back() {
    let (mut bench, call, trunk, _) = parked();
    tick_after(&mut bench, 119);
    assert_eq!(bench.tags().len(), 2);

    tick_after(&mut bench, 1);
    let recalled = bench.tag(2);
    assert_eq!(bench.dialled().last(), Some(&Endpoint::Phone { account_id: "101".to_owned() }));
    assert_eq!((bench.state(&trunk), bench.hears(&trunk)), (State::Parked, Source::Music));
    bench.rings(&recalled);
    bench.answers(&recalled);

    assert_eq!((bench.state(&trunk), bench.state(&recalled)), (State::Connected, State::Connected));
    let views = bench.of(&recalled);
    assert!(views.iter().all(|view| view.caused_by.is_none() && view.call_id == call));
    assert_eq!(views[0].caller.number, "12065550100", "the original caller's identity stays");
}

#[test]
fn a_parker_who_does_not_answer_ends_the_call() {
    let (mut bench, call, trunk, _) = parked();
    tick_after(&mut bench, 120);
    let recalled = bench.tag(2);
    bench.rings(&recalled);

    tick_after(&mut bench, 60);

    for tag in [&trunk, &recalled] {
        assert_eq!(reason_of(&bench, tag), (480, "Temporarily Unavailable".to_owned()));
    }
    assert_eq!(bench.over, [call]);
    assert!(bench.customer.is_idle());
}

#[test]
fn the_parker_is_called_back_also_when_another_phone_let_the_time_pass() {
    let (mut bench, _, trunk, _) = parked();
    bench.wait(100);
    retrieve(&mut bench, "701", "102").unwrap();
    tick_after(&mut bench, 30);
    assert_eq!(bench.tags().len(), 3, "102's phone still rings");

    bench.refuses(&bench.tag(2), 486);

    assert_eq!(bench.dialled().last(), Some(&Endpoint::Phone { account_id: "101".to_owned() }));
    assert_eq!(bench.state(&trunk), State::Parked);
}

#[test]
fn a_party_that_was_parked_by_one_outside_is_released_after_the_time() {
    let (mut bench, call, trunk, alice) = from_the_trunk();
    bench.must("park_call", Action::Park(call.clone(), Some(trunk), None)).unwrap();
    assert_eq!(bench.state(&alice), State::Parked);

    tick_after(&mut bench, 120);

    assert_eq!(reason_of(&bench, &alice).0, 480);
    assert_eq!(bench.over, [call]);
    assert!(bench.customer.is_idle());
}

#[test]
fn who_hangs_up_in_the_slot_ends_the_phone_that_rings_for_it() {
    let (mut bench, call, trunk, _) = parked();
    retrieve(&mut bench, "701", "102").unwrap();
    bench.rings(&bench.tag(2));

    bench.hangs_up(&trunk);

    assert_eq!(reason_of(&bench, &bench.tag(2)).0, 487);
    assert_eq!(bench.over, [call]);
    assert!(bench.customer.is_idle());
}

#[test]
fn a_party_in_a_slot_is_neither_held_nor_transferred_nor_parked_again() {
    let (mut bench, call, trunk, alice) = parked();
    bench.look_away();
    let talking: &[State] = &[State::Connected, State::Held, State::Holding];

    for action in [
        Action::Hold(call.clone(), None),
        Action::TransferBlind(call.clone(), None, "103".to_owned()),
        park(&call, Some("709")),
        Action::SendDigits(call.clone(), Some(trunk), "1".to_owned()),
    ] {
        assert_eq!(bench.must("any", action), wrong_state(State::Parked, talking));
    }
    let ended = Action::Hold(call, Some(alice));
    assert_eq!(bench.must("any", ended), wrong_state(State::Terminated, talking));
    assert!(bench.told.is_empty() && bench.ops.is_empty());
}

#[test]
fn nothing_is_retrieved_that_is_not_parked() {
    let (mut bench, call, ..) = Bench::talking();

    assert_eq!(retrieve(&mut bench, "701", "103"), Err(Refusal::SlotNotFound("701".to_owned())));
    let by_call = Action::Retrieve(Parked::Call(call), Box::new(account("103")));
    let connected = wrong_state(State::Connected, &[State::Parked]);
    assert_eq!(bench.must("retrieve_call", by_call), connected);
    let unknown = CallId("n.unknown".to_owned());
    let by_call = Action::Retrieve(Parked::Call(unknown.clone()), Box::new(account("103")));
    assert_eq!(bench.must("retrieve_call", by_call), Err(Refusal::CallNotFound(unknown)));
}

#[test]
fn a_retrieved_party_may_be_transferred_and_parked_again() {
    let (mut bench, call, trunk, _) = parked();
    retrieve(&mut bench, "701", "102").unwrap();
    let bob = bench.tag(2);
    bench.answers(&bob);
    let transfer = Action::TransferBlind(call.clone(), Some(bob), "103".to_owned());
    bench.must("transfer_call", transfer).unwrap();
    bench.resolve(&call, Ok(to_account("103")));
    bench.answers(&bench.tag(3));

    let done = bench.must("park_call", park(&call, None)).unwrap();

    assert_eq!(done.slot.as_deref(), Some("701"));
    assert_eq!(bench.state(&trunk), State::Parked);
    tick_after(&mut bench, 120);
    assert_eq!(bench.dialled().last(), Some(&Endpoint::Phone { account_id: "103".to_owned() }));
}
