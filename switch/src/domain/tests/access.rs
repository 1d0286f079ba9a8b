//! Who may command and see what: scopes, and the parties that a call has had.

use std::collections::BTreeSet;

use mesh::caller::Scope;

use super::bench::{Bench, CUSTOMER, account, account_scope, to_account};
use crate::domain::{Action, CallId, Originate, Refusal};

fn get(bench: &mut Bench, scope: Scope, call: &CallId) -> bool {
    match bench.command(scope, "get_call_info", Action::Get(call.clone())).unwrap() {
        Ok(_) => true,
        Err(Refusal::CallNotFound(of)) => {
            assert_eq!(of, *call);
            false
        }
        Err(other) => panic!("unexpected refusal: {other}"),
    }
}

#[test]
fn a_call_is_seen_from_above_and_by_its_parties_and_is_absent_for_all_others() {
    let (mut bench, call, ..) = Bench::talking();

    for scope in [
        Scope::Everything,
        Scope::Reseller { i_reseller: 7 },
        CUSTOMER,
        account_scope("101"),
        account_scope("102"),
    ] {
        assert!(get(&mut bench, scope, &call), "{scope:?}");
    }
    for scope in [
        Scope::Reseller { i_reseller: 8 },
        Scope::Customer { i_customer: 2 },
        account_scope("103"),
        Scope::Account { i_customer: 2, i_account: 1 },
    ] {
        assert!(!get(&mut bench, scope, &call), "{scope:?}");
    }
}

#[test]
fn who_is_not_a_party_cannot_command_the_call() {
    let (mut bench, call, alice, _) = Bench::talking();
    bench.look_away();
    let tag = Some(alice);

    for action in [
        Action::Terminate(call.clone(), tag.clone(), None),
        Action::Hold(call.clone(), tag.clone()),
        Action::Answer(call.clone(), tag.clone()),
        Action::Reject(call.clone(), tag.clone(), None),
        Action::SendDigits(call.clone(), tag, "1".to_owned()),
    ] {
        let outcome = bench.command(account_scope("103"), "any", action).unwrap();
        assert_eq!(outcome, Err(Refusal::CallNotFound(call.clone())));
    }
    assert!(bench.told.is_empty() && bench.ops.is_empty());
}

#[test]
fn a_ringing_call_is_picked_up_by_who_sees_it() {
    let (mut bench, call, _, bob) = Bench::early();
    bench.rings(&bob);
    let pick_up = || Action::PickUpCall(call.clone(), None, Box::new(account("103")));

    let colleague = bench.command(account_scope("103"), "pickup_call", pick_up()).unwrap();
    assert_eq!(colleague, Err(Refusal::CallNotFound(call.clone())));
    bench.command(CUSTOMER, "pickup_call", pick_up()).unwrap().unwrap();
}

#[test]
fn a_party_may_end_the_call_though_the_other_placed_it() {
    let (mut bench, call, alice, _) = Bench::talking();

    let terminate = Action::Terminate(call.clone(), Some(alice), None);
    bench.command(account_scope("102"), "terminate_call", terminate).unwrap().unwrap();

    assert_eq!(bench.over, [call]);
}

#[test]
fn the_called_account_sees_the_call_from_its_first_event_on() {
    let mut bench = Bench::new();
    let call = bench.phone_dials("101", "102");

    assert!(!get(&mut bench, account_scope("102"), &call));
    bench.resolve(&call, Ok(to_account("102")));
    assert!(get(&mut bench, account_scope("102"), &call));

    assert!(bench.told.iter().all(|view| view.seen_by.i_accounts == BTreeSet::from([1, 2])));
}

#[test]
fn an_account_session_places_calls_for_itself_alone() {
    let originate = |from: &str| {
        Action::Originate(Box::new(Originate {
            call_id: CallId(format!("n.{from}")),
            account: account(from),
            destination: "103".to_owned(),
            caller_id: None,
            caller_name: None,
            timeout: std::time::Duration::from_mins(1),
            callback: None,
        }))
    };
    let mut bench = Bench::new();

    let own = bench.command(account_scope("101"), "originate_call", originate("101"));
    let other = bench.command(account_scope("101"), "originate_call", originate("102")).unwrap();
    let foreign = Scope::Customer { i_customer: 2 };
    let foreign = bench.command(foreign, "originate_call", originate("102")).unwrap();

    assert_eq!(own, None, "the directory is asked");
    let refused = Err(Refusal::AccountNotFound("102".to_owned()));
    assert_eq!((other, foreign), (refused.clone(), refused));
    assert_eq!(bench.customer.live_legs(), 1);
}

#[test]
fn every_event_carries_owner_tracking_id_and_the_legs_own_account() {
    let (bench, call, alice, bob) = Bench::talking();

    let tracking_id = &bench.told[0].tracking_id;
    for view in &bench.told {
        assert_eq!(view.owner, super::bench::OWNER);
        assert_eq!(view.call_id, call);
        assert_eq!(&view.tracking_id, tracking_id);
        assert_eq!(view.previous_tracking_id, None);
    }
    assert!(bench.of(&alice).iter().all(|view| view.i_account == Some(1)));
    assert!(bench.of(&bob).iter().all(|view| view.i_account == Some(2)));
}

#[test]
fn sequence_counts_the_events_of_a_call_over_all_its_legs() {
    let (mut bench, _, alice, _) = Bench::talking();
    let other = bench.phone_dials("103", "101");
    bench.hangs_up(&alice);
    bench.resolve(&other, Ok(to_account("101")));

    let calls: BTreeSet<_> = bench.told.iter().map(|view| view.call_id.clone()).collect();
    for call in calls {
        let of_call = bench.told.iter().filter(|view| view.call_id == call);
        let sequences: Vec<_> = of_call.map(|view| view.sequence).collect();
        let expected: Vec<_> = (1..=u64::try_from(sequences.len()).unwrap()).collect();
        assert_eq!(sequences, expected, "{call}");
    }
}
