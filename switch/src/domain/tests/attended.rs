//! Handing a conversation over to the other party of a second one.

use super::bench::{Bench, account_scope, cause, to_account, to_pstn, wrong_state};
use crate::domain::{Action, CallId, Refusal, State, Tag};
use crate::driver::{ChannelId, Event, Op, Source};

const TALKING: &[State] = &[State::Connected, State::Held, State::Holding];

fn states(bench: &Bench, tag: &Tag) -> Vec<&'static str> {
    bench.of(tag).iter().map(|view| view.state.name()).collect()
}

/// 101 talks to the PSTN, which it called, and to 103, which it called as well.
fn two_calls() -> (Bench, [CallId; 2], [Tag; 4]) {
    let mut bench = Bench::new();
    let first = bench.phone_dials("101", "12065550100");
    bench.resolve(&first, Ok(to_pstn("12065550100")));
    bench.answers(&bench.tag(1));
    let second = bench.phone_dials("101", "103");
    bench.resolve(&second, Ok(to_account("103")));
    bench.answers(&bench.tag(3));
    let tags = [bench.tag(0), bench.tag(1), bench.tag(2), bench.tag(3)];
    (bench, [first, second], tags)
}

fn attended(first: &CallId, second: &CallId) -> Action {
    Action::TransferAttended(first.clone(), None, second.clone())
}

#[test]
fn an_attended_transfer_goes_through_the_states_of_the_contract() {
    let (mut bench, [first, second], [own, pstn, own_second, carol]) = two_calls();
    let old = bench.of(&own)[0].tracking_id.clone();

    let done = bench.must("transfer_call", attended(&first, &second)).unwrap();

    assert_eq!(
        bench.rows(),
        [
            "101 | 101 → 12065550100 | outgoing | false | \
             trying early connected transferred terminated (200 Call Transferred)",
            "trunk | 12065550100 → 103 | outgoing | true | trying connected connected",
            "101 | 101 → 103 | outgoing | false | \
             trying early connected transferred terminated (200 Call Transferred)",
            "103 | 12065550100 → 103 | incoming | false | \
             trying connected transferred connected",
        ]
    );
    let (new, previous) = done.tracking.unwrap();
    assert_eq!(previous, old);
    for tag in [&pstn, &carol] {
        let last = bench.of(tag).last().copied().unwrap().clone();
        assert_eq!((last.call_id, last.tracking_id), (first.clone(), new.clone()));
        assert_eq!(last.previous_tracking_id, Some(old.clone()));
        assert_eq!(last.caused_by, Some(cause("transfer_call")));
    }
    let moved: Vec<_> =
        bench.of(&carol).into_iter().filter(|view| view.call_id == second).collect();
    let last = moved.last().unwrap();
    assert_eq!((last.state, last.moved_to.clone()), (State::Transferred, Some(first.clone())));
    assert!(bench.of(&own_second).iter().all(|view| view.moved_to.is_none()));
    assert_eq!(bench.over, [second]);
    assert_eq!(bench.customer.live_legs(), 2);
}

#[test]
fn the_moved_leg_is_heard_named_and_ended_under_its_new_call() {
    let (mut bench, [first, second], [_, pstn, _, carol]) = two_calls();
    bench.look_away();

    bench.must("transfer_call", attended(&first, &second)).unwrap();

    let (to_pstn, to_carol) = (bench.channel(&pstn), bench.channel(&carol));
    let parties = |channel: &ChannelId| Source::Parties([channel.clone()].into());
    assert_eq!((bench.hears(&pstn), bench.hears(&carol)), (parties(&to_carol), parties(&to_pstn)));
    let label = bench.ops.iter().rev().find_map(|op| match op {
        Op::Label { channel, label } if *channel == to_carol => Some(label.clone()),
        _ => None,
    });
    let label = label.unwrap();
    assert_eq!(
        (label.call_id, label.tag, label.state.as_str()),
        (first.0.clone(), carol.0.clone(), "connected")
    );
    let hears = bench.ops.iter().filter(|op| matches!(op, Op::Hear { .. })).count();
    assert_eq!(hears, 2, "nobody hears anything in between");

    bench.hangs_up(&carol);
    assert_eq!(bench.over, [second, first]);
    assert!(bench.customer.is_idle());
}

#[test]
fn each_call_of_an_attended_transfer_counts_its_own_events() {
    let (mut bench, [first, second], _) = two_calls();

    bench.must("transfer_call", attended(&first, &second)).unwrap();

    for call in [first, second] {
        let of_call = bench.told.iter().filter(|view| view.call_id == call);
        let sequences: Vec<_> = of_call.map(|view| view.sequence).collect();
        let expected: Vec<_> = (1..=u64::try_from(sequences.len()).unwrap()).collect();
        assert_eq!(sequences, expected, "{call}");
    }
}

#[test]
fn the_moved_account_sees_the_call_and_the_transferor_still_does() {
    let (mut bench, [first, second], _) = two_calls();

    bench.must("transfer_call", attended(&first, &second)).unwrap();

    let get = |bench: &mut Bench, scope, call: &CallId| {
        bench.command(scope, "get_call_info", Action::Get(call.clone())).unwrap().is_ok()
    };
    assert!(get(&mut bench, account_scope("103"), &first));
    assert!(get(&mut bench, account_scope("101"), &first));
    assert!(!get(&mut bench, account_scope("102"), &first));
    assert!(!get(&mut bench, account_scope("103"), &second), "that call is over");
    let last = bench.told.last().unwrap();
    assert_eq!(last.seen_by.i_accounts, [1, 3].into());
}

#[test]
fn a_consultation_leaves_nobody_on_hold_and_tells_nothing_in_between() {
    let (mut bench, [first, second], [own, pstn, own_second, carol]) = two_calls();
    bench.must("hold_call", Action::Hold(first.clone(), Some(own))).unwrap();
    bench.event(&carol, |channel| Event::Held { channel });
    assert_eq!(bench.state(&own_second), State::Held);

    bench.must("transfer_call", attended(&first, &second)).unwrap();

    assert_eq!(states(&bench, &pstn), ["trying", "connected", "held", "connected"]);
    assert_eq!(
        states(&bench, &carol),
        ["trying", "connected", "holding", "transferred", "connected"]
    );
}

#[test]
fn an_attended_transfer_needs_two_calls_of_the_same_account() {
    let (mut bench, [first, second], [_, pstn, ..]) = two_calls();
    let other = bench.phone_dials("102", "104");
    bench.resolve(&other, Ok(to_account("104")));
    bench.answers(&bench.tag(5));
    bench.look_away();
    let unknown = CallId("n.unknown".to_owned());

    let refused = Err(Refusal::NotTransferable);
    assert_eq!(bench.must("transfer_call", attended(&first, &other)), refused);
    assert_eq!(bench.must("transfer_call", attended(&first, &first)), refused);
    let by_the_trunk = Action::TransferAttended(first.clone(), Some(pstn), second);
    assert_eq!(bench.must("transfer_call", by_the_trunk), refused);
    let not_found = Err(Refusal::CallNotFound(unknown.clone()));
    assert_eq!(bench.must("transfer_call", attended(&first, &unknown)), not_found);
    let unseen = bench.command(account_scope("101"), "transfer_call", attended(&first, &other));
    assert_eq!(unseen, Some(Err(Refusal::CallNotFound(other))));
    assert!(bench.told.is_empty() && bench.ops.is_empty());
}

#[test]
fn an_attended_transfer_needs_two_calls_that_are_through() {
    let mut bench = Bench::new();
    let first = bench.phone_dials("101", "12065550100");
    bench.resolve(&first, Ok(to_pstn("12065550100")));
    bench.answers(&bench.tag(1));
    let second = bench.phone_dials("101", "103");
    bench.resolve(&second, Ok(to_account("103")));
    bench.look_away();

    let early = wrong_state(State::Early, TALKING);
    assert_eq!(bench.must("transfer_call", attended(&first, &second)), early);
    assert_eq!(bench.must("transfer_call", attended(&second, &first)), early);
    assert!(bench.told.is_empty() && bench.ops.is_empty());
}
