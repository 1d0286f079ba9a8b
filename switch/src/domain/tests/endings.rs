//! How calls end, and with what reason.

use super::bench::{Bench, to_account};
use crate::domain::{Action, Input, State};
use crate::driver::{Cause, ChannelId, Event, Op};

#[test]
fn a_leg_that_is_not_answered_in_time_ends_the_call_with_480() {
    let mut bench = Bench::new();
    let call = bench.phone_dials("101", "102");
    bench.resolve(&call, Ok(to_account("102")));
    bench.rings(&bench.tag(1));
    let due = bench.customer.next_deadline().unwrap();

    bench.wait(59);
    bench.feed(Input::Tick);
    assert_eq!(bench.state(&bench.tag(1)), State::Ringing);
    bench.wait(1);
    assert_eq!(bench.now, due);
    bench.feed(Input::Tick);

    assert_eq!(
        bench.rows(),
        [
            "101 | 101 → 102 | outgoing | false | trying early terminated \
             (480 Temporarily Unavailable)",
            "102 | 101 → 102 | incoming | false | trying ringing terminated \
             (480 Temporarily Unavailable)",
        ]
    );
    assert_eq!(bench.customer.next_deadline(), None);
}

#[test]
fn each_leg_of_an_originated_call_has_its_own_time_to_ring() {
    let mut bench = Bench::new();
    let call = bench.originate("101", "102");
    bench.resolve(&call, Ok(to_account("102")));
    let alice = bench.tag(0);
    bench.rings(&alice);
    bench.wait(50);
    bench.answers(&alice);
    let bob = bench.tag(1);
    bench.rings(&bob);

    bench.wait(59);
    bench.feed(Input::Tick);
    assert_eq!(bench.state(&bob), State::Ringing);
    bench.wait(1);
    bench.feed(Input::Tick);

    assert_eq!(bench.state(&alice), State::Terminated);
    assert_eq!(bench.of(&bob).last().unwrap().reason.as_ref().unwrap().code, 480);
}

#[test]
fn an_answered_call_has_no_deadline() {
    let (mut bench, _, alice, _) = Bench::talking();

    bench.wait(86_400);
    bench.feed(Input::Tick);

    assert_eq!(bench.customer.next_deadline(), None);
    assert_eq!(bench.state(&alice), State::Connected);
}

#[test]
fn a_caller_who_gives_up_ends_the_call_with_487() {
    let mut bench = Bench::new();
    let call = bench.phone_dials("101", "102");
    bench.resolve(&call, Ok(to_account("102")));
    bench.rings(&bench.tag(1));
    let called = bench.channel(&bench.tag(1));

    bench.hangs_up(&bench.tag(0));

    assert_eq!(
        bench.rows(),
        [
            "101 | 101 → 102 | outgoing | false | trying early terminated \
             (487 Request Terminated)",
            "102 | 101 → 102 | incoming | false | trying ringing terminated \
             (487 Request Terminated)",
        ]
    );
    let hung_up = bench.ops.iter().filter(|op| matches!(op, Op::Hangup { .. }));
    let hung_up: Vec<_> = hung_up.map(Op::channel).collect();
    assert_eq!(hung_up, [&called], "the caller's channel is gone already");
}

#[test]
fn what_was_missed_when_it_happened_is_told_with_a_mark() {
    let (mut bench, call, alice, bob) = Bench::talking();
    let channel = bench.channel(&bob);

    bench.feed(Input::Corrected(Event::Ended { channel, cause: Cause::HungUp }));

    for tag in [&alice, &bob] {
        let told: Vec<_> =
            bench.of(tag).iter().map(|view| (view.state, view.is_corrective)).collect();
        assert_eq!(told.last(), Some(&(State::Terminated, true)), "{call}: {told:?}");
        assert!(told.iter().rev().skip(1).all(|(_, is_corrective)| !is_corrective));
    }
    let next = bench.originate("101", "102");
    assert!(bench.told.iter().filter(|view| view.call_id == next).all(|it| !it.is_corrective));
}

#[test]
fn a_caller_who_gives_up_before_the_directory_answers_leaves_nothing() {
    let mut bench = Bench::new();
    let call = bench.phone_dials("101", "102");

    let channel = ChannelId("in-1".to_owned());
    bench.feed(Input::Channel(Event::Ended { channel, cause: Cause::HungUp }));
    bench.resolve(&call, Ok(to_account("102")));

    assert_eq!(
        bench.rows(),
        ["101 | 101 → 102 | outgoing | false | trying terminated (487 Request Terminated)"]
    );
    assert!(bench.dialled().is_empty());
    assert!(bench.customer.is_idle());
}

#[test]
fn a_caller_by_command_who_hangs_up_while_the_other_rings_gives_up() {
    let (mut bench, _, alice, bob) = Bench::early();
    bench.rings(&bob);

    bench.hangs_up(&alice);

    for tag in [alice, bob] {
        let reason = bench.of(&tag).last().unwrap().reason.clone().unwrap();
        assert_eq!((reason.code, reason.text.as_str()), (487, "Request Terminated"));
    }
}

#[test]
fn a_party_that_hangs_up_ends_every_leg_with_bye_received() {
    for index in [0, 1] {
        let (mut bench, call, alice, bob) = Bench::talking();

        bench.hangs_up(&[alice.clone(), bob.clone()][index]);

        for tag in [alice, bob] {
            let last = bench.of(&tag).last().copied().unwrap().clone();
            let reason = last.reason.unwrap();
            assert_eq!((reason.code, reason.text.as_str()), (487, "BYE Received"));
            assert_eq!(last.caused_by, None);
        }
        assert_eq!(bench.over, [call]);
        assert!(bench.customer.is_idle());
    }
}

#[test]
fn a_channel_that_the_switch_lost_ends_the_call_with_503() {
    let (mut bench, _, alice, bob) = Bench::talking();

    bench.event(&alice, |channel| Event::Ended { channel, cause: Cause::Lost });

    let reason = bench.of(&bob).last().unwrap().reason.clone().unwrap();
    assert_eq!((reason.code, reason.text.as_str()), (503, "Switch Lost"));
}

#[test]
fn a_node_that_stops_ends_every_call_with_switch_lost() {
    let (mut bench, ..) = Bench::talking();
    bench.phone_dials("103", "104");

    bench.feed(Input::Stop);

    let reasons: Vec<_> = bench
        .tags()
        .iter()
        .map(|tag| bench.of(tag).last().unwrap().reason.clone().unwrap())
        .map(|reason| (reason.code, reason.text))
        .collect();
    assert_eq!(reasons, vec![(503, "Switch Lost".to_owned()); 3]);
    assert_eq!(bench.over.len(), 2);
    assert!(bench.customer.is_idle());
}

#[test]
fn what_still_comes_from_an_ended_call_is_ignored() {
    let (mut bench, call, alice, bob) = Bench::talking();
    bench.hangs_up(&bob);
    bench.look_away();

    bench.answers(&alice);
    bench.hangs_up(&alice);
    bench.event(&bob, |channel| Event::Digit { channel, digit: '1' });
    bench.resolve(&call, Ok(to_account("103")));
    bench.feed(Input::Tick);

    assert!(bench.told.is_empty());
    assert!(bench.ops.is_empty());
    assert!(bench.ivr.is_empty());
}

#[test]
fn the_directory_answers_once() {
    let (mut bench, call, alice, bob) = Bench::talking();
    bench.look_away();

    bench.resolve(&call, Ok(crate::domain::Route::Nowhere));
    bench.resolve(&call, Ok(to_account("103")));
    let hold = bench.must("hold_call", Action::Hold(call, Some(alice.clone())));

    assert!(hold.is_ok());
    assert_eq!(bench.told.len(), 2);
    assert!(bench.told.iter().all(|view| view.callee.number == "102"), "still {bob}");
}
