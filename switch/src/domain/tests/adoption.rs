//! Which calls go on after a restart, and as what.

use super::bench::{Bench, account, support, to_account, to_group};
use crate::domain::{Action, CallId, GoesOn, Input, LeftLeg, Legacy, Mode, Parked, State, Tag};
use crate::driver::{Cause, Event, Source};
use crate::wire::{self, Place};

/// The legs of a call as their records tell of them; `None` when one has no memo.
fn left(bench: &Bench, call: &CallId) -> Option<Vec<LeftLeg>> {
    let place = Place { node: "n".to_owned(), site: "main".to_owned() };
    let newest = |tag: &Tag| bench.of(tag).last().copied().cloned();
    let views = bench.tags().into_iter().filter_map(|tag| newest(&tag));
    let living = views.filter(|view| view.call_id == *call && view.state != State::Terminated);
    living.map(|view| wire::adoption::left_leg(wire::record(&view, &place), true)).collect()
}

fn goes_on(bench: &Bench, call: &CallId) -> Option<GoesOn> {
    left(bench, call).and_then(|legs| GoesOn::of(&legs))
}

/// The machine of the next process, which has taken the call up.
fn next(bench: &Bench, call: &CallId) -> Bench {
    let mut next = Bench::in_environment(super::bench::OWNER, "next");
    next.now = bench.now;
    let calls = vec![left(bench, call).unwrap()];
    next.feed(Input::Adopt(Box::new(Legacy { calls, conferences: Vec::new() })));
    next
}

#[test]
fn two_who_talk_hold_or_are_held_go_on() {
    let (mut bench, call, alice, _) = Bench::talking();
    assert_eq!(goes_on(&bench, &call), Some(GoesOn::Talking));

    bench.must("hold_call", Action::Hold(call.clone(), Some(alice))).unwrap();
    assert_eq!(goes_on(&bench, &call), Some(GoesOn::Talking));
}

#[test]
fn what_was_recorded_is_over_told_of_and_kept() {
    let (mut bench, call, alice, bob) = Bench::talking();
    let record = Action::Record(call.clone(), Some(alice.clone()));
    bench.must("start_recording", record).unwrap();
    bench.wait(7);

    let mut next = next(&bench, &call);

    let [kept] = &next.recorded[..] else { panic!("{:?}", next.recorded) };
    assert_eq!((&kept.call_id, &kept.tag), (&call, &alice));
    assert_eq!(kept.account_id.as_deref(), Some("101"));
    assert_eq!(
        (kept.i_accounts.clone(), kept.ended.since(kept.begun).as_secs()),
        ([1, 2].into(), 7)
    );
    let told = next.of(&alice).last().unwrap().recording.clone().unwrap();
    assert_eq!((told.id, told.is_active), (kept.id.clone(), false));
    let (channel, cause) = (bench.channel(&bob), Cause::HungUp);
    next.feed(Input::Channel(Event::Ended { channel, cause }));
    assert_eq!(next.recorded.len(), 1);
}

#[test]
fn of_a_call_that_does_not_go_on_what_was_recorded_can_be_kept_as_well() {
    let (mut bench, call, alice, _) = Bench::talking();
    bench.must("start_recording", Action::Record(call.clone(), Some(alice.clone()))).unwrap();
    let place = Place { node: "n".to_owned(), site: "main".to_owned() };
    let newest = |tag: Tag| bench.of(&tag).last().copied().cloned();
    let views = bench.tags().into_iter().filter_map(newest);
    let records: Vec<_> = views.map(|view| wire::record(&view, &place)).collect();

    let left = records.iter();
    let left = left.filter_map(|leg| wire::adoption::left_recording(leg, &records, bench.now));

    let [kept] = &left.collect::<Vec<_>>()[..] else { panic!("one is recorded") };
    assert_eq!((&kept.call_id, &kept.tag), (&call, &alice));
    assert_eq!((kept.account_id.as_deref(), kept.i_accounts.clone()), (Some("101"), [1, 2].into()));
}

#[test]
fn who_listens_in_goes_on_and_who_is_still_called_for_it_does_not() {
    let (mut bench, call, alice, _) = Bench::talking();
    let supervise =
        Action::Supervise(call.clone(), Some(alice), Mode::Spy, Box::new(account("103")));
    bench.must("supervise_call", supervise).unwrap();
    assert_eq!(goes_on(&bench, &call), None);

    let carol = bench.tag(2);
    bench.rings(&carol);
    bench.answers(&carol);
    assert_eq!(goes_on(&bench, &call), Some(GoesOn::Talking));
}

#[test]
fn what_is_being_set_up_or_handed_over_or_waits_for_an_agent_does_not() {
    let (bench, call, ..) = Bench::early();
    assert_eq!(goes_on(&bench, &call), None);

    let (mut bench, call, alice, _) = Bench::talking();
    let to = Action::TransferBlind(call.clone(), Some(alice), "103".to_owned());
    bench.must("transfer_call", to).unwrap();
    assert_eq!(goes_on(&bench, &call), None);

    let mut bench = Bench::new();
    let call = bench.trunk_calls_to("12065550100", "340", to_group(&support(&[])));
    bench.feed(Input::Tick);
    assert_eq!(goes_on(&bench, &call), None);
}

#[test]
fn who_is_parked_waits_on_for_the_rest_of_the_time() {
    let mut bench = Bench::new();
    let call = bench.trunk_calls("12065550100", "101");
    let (trunk, alice) = (bench.tag(0), bench.tag(1));
    bench.rings(&alice);
    bench.answers(&alice);
    bench.must("park_call", Action::Park(call.clone(), None, None)).unwrap();
    assert_eq!(goes_on(&bench, &call), Some(GoesOn::Parked));
    let due = bench.customer.next_deadline();
    bench.wait(60);

    let mut next = next(&bench, &call);

    let parked: Vec<_> = next.customer.next_deadline().into_iter().collect();
    assert!(parked.iter().all(|at| Some(*at) <= due), "{parked:?} {due:?}");
    assert!(next.told.is_empty(), "nothing has changed");
    let of = Parked::Slot("701".to_owned());
    let retrieve = Action::Retrieve(of, Box::new(account("102")));
    assert!(next.must("retrieve_call", retrieve).is_ok());
    assert_eq!(next.of(&trunk).len(), 0, "it is told when somebody answers");
}

#[test]
fn a_call_goes_on_counting_and_hearing_as_before() {
    let (bench, call, alice, bob) = Bench::talking();
    let counted = bench.told.iter().map(|view| view.sequence).max().unwrap();
    let heard = [bench.hears(&alice), bench.hears(&bob)];

    let mut next = next(&bench, &call);

    assert!(next.told.is_empty(), "nothing has changed");
    assert_eq!(next.customer.live_legs(), 2);
    let told: Vec<Source> = next
        .ops
        .iter()
        .filter_map(|op| match op {
            crate::driver::Op::Hear { source, .. } => Some(source.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(told, heard);
    next.must("hold_call", Action::Hold(call, Some(alice))).unwrap();
    let numbers: Vec<_> = next.told.iter().map(|view| view.sequence).collect();
    assert_eq!(numbers, [counted + 1, counted + 2]);
}

#[test]
fn a_phone_that_is_dialled_once_more_is_paid_for_by_who_had_it_dialled() {
    let (mut bench, call, alice, _) = Bench::talking();
    let to = Action::TransferBlind(call.clone(), Some(alice), "103".to_owned());
    bench.must("transfer_call", to).unwrap();
    bench.resolve(&call, Ok(to_account("103")));
    let carol = bench.tag(2);
    bench.rings(&carol);
    bench.answers(&carol);
    let charges = |legs: Vec<LeftLeg>| -> Vec<_> {
        legs.into_iter().flat_map(|leg| leg.view.charges).collect()
    };
    let before = charges(left(&bench, &call).unwrap());

    let mut next = next(&bench, &call);
    next.wait(10);
    next.must("terminate_call", Action::Terminate(call, None, None)).unwrap();

    let paid = |charged: &crate::domain::Charged| (charged.payer, charged.tag.clone());
    let mut expected: Vec<_> = before.iter().map(paid).collect();
    let mut found: Vec<_> = next.charged.iter().map(paid).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}
