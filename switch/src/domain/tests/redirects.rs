//! Sending a ringing call on, and taking one that rings elsewhere.

use super::bench::{
    Bench, CUSTOMER, account, account_scope, cause, to_account, to_pstn, wrong_state,
};
use crate::domain::{Action, CallId, Refusal, ResolveFailure, Route, State, Tag};
use crate::driver::Op;

/// The trunk calls 101, whose phone rings.
fn ringing() -> (Bench, CallId, Tag, Tag) {
    let mut bench = Bench::new();
    let call = bench.trunk_calls("12065550100", "101");
    let (trunk, alice) = (bench.tag(0), bench.tag(1));
    bench.rings(&alice);
    (bench, call, trunk, alice)
}

fn redirect(call: &CallId) -> Action {
    Action::Redirect(call.clone(), None, "104".to_owned())
}

fn pick_up(call: &CallId, id: &str) -> Action {
    Action::PickUpCall(call.clone(), None, Box::new(account(id)))
}

fn reason_of(bench: &Bench, tag: &Tag) -> (u16, String) {
    let reason = bench.of(tag).last().unwrap().reason.clone().unwrap();
    (reason.code, reason.text)
}

#[test]
fn a_redirected_call_goes_through_the_states_of_the_contract() {
    let (mut bench, call, trunk, _) = ringing();
    let tracking_id = bench.told[0].tracking_id.clone();

    bench.must("redirect_call", redirect(&call)).unwrap();
    assert_eq!(bench.resolves.last().unwrap(), &(call.clone(), 1, "104".to_owned()), "101 pays");
    bench.resolve(&call, Ok(to_account("104")));
    let dora = bench.tag(2);
    let early = bench.of(&trunk).last().copied().unwrap().clone();
    assert_eq!((early.state, early.callee.number.as_str()), (State::Early, "104"));
    assert_eq!(early.callee.i_account, Some(4));
    bench.rings(&dora);
    bench.answers(&dora);

    assert_eq!(
        bench.rows(),
        [
            "trunk | 12065550100 → 104 | incoming | true | trying early early connected",
            "101 | 12065550100 → 101 | incoming | false | \
             trying ringing terminated (302 Moved Temporarily)",
            "104 | 12065550100 → 104 | incoming | false | trying ringing connected",
        ]
    );
    assert!(bench.told.iter().all(|view| view.call_id == call));
    assert!(bench.told.iter().all(|view| view.tracking_id == tracking_id));
    let caused = bench.told.iter().filter(|view| view.caused_by.is_some()).count();
    assert_eq!(caused, 3, "101's end, the caller's second `early`, and 104's `trying`");
}

#[test]
fn a_call_may_be_redirected_out_of_the_environment() {
    let (mut bench, call, trunk, _) = ringing();

    bench.must("redirect_call", redirect(&call)).unwrap();
    bench.resolve(&call, Ok(to_pstn("12065550199")));
    let mobile = bench.tag(2);
    bench.answers(&mobile);

    assert_eq!((bench.state(&trunk), bench.state(&mobile)), (State::Connected, State::Connected));
    assert!(bench.of(&mobile)[0].is_external);
    assert_eq!(bench.of(&mobile)[0].caller.number, "12065550100");
}

#[test]
fn a_redirect_to_nobody_ends_the_call() {
    let answers = [(Ok(Route::Nowhere), 404), (Err(ResolveFailure::NotAllowed), 403)];
    for (answer, code) in answers {
        let (mut bench, call, trunk, alice) = ringing();
        bench.must("redirect_call", redirect(&call)).unwrap();

        bench.resolve(&call, answer);

        assert_eq!(reason_of(&bench, &alice).0, 302);
        assert_eq!((bench.state(&trunk), reason_of(&bench, &trunk).0), (State::Terminated, code));
        let states: Vec<_> = bench.of(&trunk).iter().map(|view| view.state.name()).collect();
        assert_eq!(states, ["trying", "early", "terminated"]);
        assert!(bench.customer.is_idle());
    }
}

#[test]
fn a_call_that_is_redirected_more_than_five_times_goes_in_circles() {
    let (mut bench, call, trunk, mut phone) = ringing();
    for count in 0..5 {
        bench.must("redirect_call", redirect(&call)).unwrap();
        bench.resolve(&call, Ok(to_account("104")));
        phone = bench.tag(2 + count);
        bench.rings(&phone);
    }

    bench.must("redirect_call", redirect(&call)).unwrap();

    assert_eq!(reason_of(&bench, &phone), (302, "Moved Temporarily".to_owned()));
    assert_eq!(reason_of(&bench, &trunk), (482, "Loop Detected".to_owned()));
    assert_eq!(bench.of(&trunk).last().unwrap().caused_by, Some(cause("redirect_call")));
    assert_eq!(bench.over, [call]);
}

#[test]
fn a_caller_may_give_up_while_its_call_is_sent_on() {
    let (mut bench, call, trunk, _) = ringing();
    bench.must("redirect_call", redirect(&call)).unwrap();

    bench.hangs_up(&trunk);
    bench.resolve(&call, Ok(to_account("104")));

    assert_eq!(reason_of(&bench, &trunk), (487, "Request Terminated".to_owned()));
    assert_eq!(bench.tags().len(), 2, "104 is not called");
    assert!(bench.customer.is_idle());
}

#[test]
fn an_own_phone_that_is_called_back_has_nobody_to_send_on() {
    let mut bench = Bench::new();
    let call = bench.originate("101", "102");
    bench.resolve(&call, Ok(to_account("102")));
    bench.rings(&bench.tag(0));

    for action in [redirect(&call), pick_up(&call, "103")] {
        assert_eq!(bench.must("any", action), wrong_state(State::Trying, &[State::Ringing]));
    }
    assert_eq!(bench.state(&bench.tag(0)), State::Ringing);
}

#[test]
fn a_leg_of_the_trunk_cannot_be_redirected() {
    let mut bench = Bench::new();
    let call = bench.phone_dials("101", "12065550100");
    bench.resolve(&call, Ok(to_pstn("12065550100")));
    let trunk = bench.tag(1);
    bench.rings(&trunk);

    let by_tag = Action::Redirect(call, Some(trunk), "104".to_owned());

    assert_eq!(bench.must("any", by_tag), wrong_state(State::Ringing, &[State::Ringing]));
}

#[test]
fn the_target_of_a_transfer_may_be_redirected() {
    for is_loop in [false, true] {
        let (mut bench, call, trunk, alice) = ringing();
        bench.answers(&alice);
        let transfer = Action::TransferBlind(call.clone(), Some(alice.clone()), "102".to_owned());
        bench.must("transfer_call", transfer).unwrap();
        bench.resolve(&call, Ok(to_account("102")));
        bench.rings(&bench.tag(2));

        for count in 0..if is_loop { 6 } else { 1 } {
            bench.must("redirect_call", redirect(&call)).unwrap();
            assert_eq!(reason_of(&bench, &bench.tag(2 + count)).0, 302);
            bench.resolve(&call, Ok(to_account("104")));
            if let Some(next) = bench.tags().get(3 + count).cloned() {
                bench.rings(&next);
            }
        }

        if is_loop {
            assert_eq!(
                (bench.state(&trunk), bench.state(&alice)),
                (State::Connected, State::Connected)
            );
            assert_eq!(reason_of(&bench, &trunk), (482, "Loop Detected".to_owned()));
        } else {
            let dora = bench.tag(3);
            bench.answers(&dora);
            assert_eq!(
                (bench.state(&trunk), bench.state(&dora)),
                (State::Connected, State::Connected)
            );
            assert_eq!(reason_of(&bench, &alice).0, 200);
        }
    }
}

#[test]
fn who_picks_a_call_up_gets_it_and_the_others_stop_ringing() {
    let (mut bench, call, trunk, alice) = ringing();

    let done = bench.must("pickup_call", pick_up(&call, "103")).unwrap();
    let carol = bench.tag(2);
    assert_eq!((&done.legs[0].tag, done.legs[0].state), (&carol, State::Trying));
    bench.rings(&carol);
    bench.answers(&carol);

    assert_eq!(
        bench.rows(),
        [
            "trunk | 12065550100 → 103 | incoming | true | trying early connected",
            "101 | 12065550100 → 101 | incoming | false | \
             trying ringing terminated (200 Answered Elsewhere)",
            "103 | 12065550100 → 103 | incoming | false | trying ringing connected",
        ]
    );
    assert_eq!((bench.state(&trunk), bench.state(&alice)), (State::Connected, State::Terminated));
    assert_eq!(bench.of(&carol)[0].caused_by, Some(cause("pickup_call")));
}

#[test]
fn of_a_phone_that_picks_up_and_one_that_rings_the_first_to_answer_wins() {
    let (mut bench, call, trunk, alice) = ringing();
    bench.must("pickup_call", pick_up(&call, "103")).unwrap();
    let carol = bench.tag(2);
    bench.rings(&carol);

    bench.answers(&alice);
    bench.answers(&carol);

    assert_eq!((bench.state(&trunk), bench.state(&alice)), (State::Connected, State::Connected));
    assert_eq!(reason_of(&bench, &carol), (200, "Answered Elsewhere".to_owned()));
    let hung_up = Op::Hangup {
        channel: bench.channel(&carol),
        reason: bench.of(&carol).last().unwrap().reason.clone().unwrap(),
    };
    assert!(bench.ops.contains(&hung_up));
}

#[test]
fn a_phone_that_refuses_to_pick_up_leaves_the_other_ringing() {
    let (mut bench, call, trunk, alice) = ringing();
    bench.must("pickup_call", pick_up(&call, "103")).unwrap();
    let carol = bench.tag(2);

    bench.refuses(&carol, 603);
    assert_eq!((bench.state(&trunk), bench.state(&alice)), (State::Early, State::Ringing));
    assert_eq!(reason_of(&bench, &carol), (603, "Decline".to_owned()));
    bench.refuses(&alice, 486);

    assert_eq!(reason_of(&bench, &trunk), (486, "Busy Here".to_owned()));
    assert!(bench.customer.is_idle());
}

#[test]
fn several_phones_that_ring_are_told_apart_by_tag() {
    let (mut bench, call, trunk, alice) = ringing();
    bench.must("pickup_call", pick_up(&call, "103")).unwrap();
    let carol = bench.tag(2);
    bench.rings(&carol);

    for tag in [None, Some(trunk)] {
        let answer = Action::Answer(call.clone(), tag.clone());
        assert_eq!(bench.must("answer_call", answer), Err(Refusal::TagRequired));
        let onward = Action::Redirect(call.clone(), tag, "104".to_owned());
        assert_eq!(bench.must("redirect_call", onward), Err(Refusal::TagRequired));
    }
    let onward = Action::Redirect(call.clone(), Some(carol.clone()), "104".to_owned());
    bench.must("redirect_call", onward).unwrap();

    assert_eq!(bench.resolves.last().unwrap().1, 3, "103 sends it on and pays");
    assert_eq!(reason_of(&bench, &carol).0, 302);
    let by_api = (487, "Answer Leg Disconnected Via Call Control API".to_owned());
    assert_eq!(reason_of(&bench, &alice), by_api);
}

#[test]
fn a_session_picks_up_what_it_may_see_with_its_own_phone_alone() {
    let (mut bench, call, ..) = ringing();
    bench.look_away();

    let unseen = bench.command(account_scope("103"), "pickup_call", pick_up(&call, "103"));
    assert_eq!(unseen, Some(Err(Refusal::CallNotFound(call.clone()))));
    let other = bench.command(account_scope("101"), "pickup_call", pick_up(&call, "103"));
    assert_eq!(other, Some(Err(Refusal::AccountNotFound("103".to_owned()))));
    let mut foreign = account("103");
    foreign.i_customer = 2;
    let foreign = Action::PickUpCall(call.clone(), None, Box::new(foreign));
    let foreign = bench.command(CUSTOMER, "pickup_call", foreign);
    assert_eq!(foreign, Some(Err(Refusal::AccountNotFound("103".to_owned()))));
    assert!(bench.told.is_empty() && bench.ops.is_empty());
}

#[test]
fn a_call_that_was_answered_cannot_be_picked_up_or_redirected() {
    let (mut bench, call, _, alice) = ringing();
    bench.answers(&alice);

    for action in [redirect(&call), pick_up(&call, "103")] {
        assert_eq!(bench.must("any", action), wrong_state(State::Connected, &[State::Ringing]));
    }
}
