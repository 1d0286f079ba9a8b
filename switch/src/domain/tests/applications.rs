//! Calls to access numbers.

mod fallback;

use std::time::Duration;

use super::bench::{
    Bench, CUSTOMER, account, account_scope, cause, to_account, to_pstn, visa_status, wrong_state,
};
use crate::domain::{
    Action, Application, CallId, ConnectTwo, Listeners, OnAppGone, Refusal, Route, State, Tag,
};
use crate::driver::{Op, Source};

const NUMBER: &str = "1733355700";
const SOMEBODY: Listeners = Listeners::Somebody(Duration::from_secs(10));
const FALLBACK: &str = "ivr/fallback.au";

/// Mary calls the access number; nobody has said yet who listens there.
fn arriving(on_app_gone: OnAppGone) -> (Bench, CallId, Tag) {
    let mut bench = Bench::new();
    let call = bench.trunk_calls_to("12065550100", NUMBER, visa_status(on_app_gone));
    let trunk = bench.tag(0);
    (bench, call, trunk)
}

fn ringing() -> (Bench, CallId, Tag) {
    let (mut bench, call, trunk) = arriving(OnAppGone::Fallback);
    bench.listeners(SOMEBODY);
    (bench, call, trunk)
}

/// An application has Mary.
fn served(on_app_gone: OnAppGone) -> (Bench, CallId, Tag) {
    let (mut bench, call, trunk) = arriving(on_app_gone);
    bench.listeners(SOMEBODY);
    bench.must("answer_call", answer(&call)).unwrap();
    (bench, call, trunk)
}

fn answer(call: &CallId) -> Action {
    Action::Answer(call.clone(), None)
}

fn transfer(call: &CallId, to: &str) -> Action {
    Action::TransferBlind(call.clone(), None, to.to_owned())
}

fn states(bench: &Bench, tag: &Tag) -> Vec<&'static str> {
    bench.of(tag).iter().map(|view| view.state.name()).collect()
}

fn hears_fallback(bench: &Bench, tag: &Tag) -> bool {
    bench.hears(tag) == Source::Silence && bench.played(tag) == [FALLBACK]
}

#[test]
fn a_call_is_offered_and_the_first_answer_gets_it() {
    let (mut bench, call, trunk) = ringing();
    assert_eq!(bench.state(&trunk), State::Ringing);
    assert_eq!(bench.hears(&trunk), Source::Ringback);
    assert!(!bench.ops.iter().any(|op| matches!(op, Op::Answer { .. })));

    bench.wait(3);
    bench.must("answer_call", answer(&call)).unwrap();
    let second = bench.command(account_scope("104"), "answer_call", answer(&call)).unwrap();

    assert_eq!(second, wrong_state(State::Connected, &[State::Ringing]));
    assert!(bench.ops.iter().any(|op| matches!(op, Op::Answer { .. })));
    assert_eq!(bench.hears(&trunk), Source::Parties([].into()), "until there is a prompt");
    bench.hangs_up(&trunk);
    assert_eq!(
        bench.rows(),
        ["trunk | 12065550100 → 104 (1733355700) | incoming | true | trying ringing connected \
          terminated (487 BYE Received)"]
    );
    let views = bench.of(&trunk);
    for view in &views {
        assert_eq!(view.access_number.as_deref(), Some(NUMBER));
        assert!(view.seen_by.access_numbers.contains(NUMBER));
        assert!(view.seen_by.i_accounts.contains(&4), "the owner is a party");
        assert_eq!((view.callee.name.as_str(), view.i_account), ("Name 104", None));
    }
    assert_eq!(views[2].caused_by, Some(cause("answer_call")));
    assert_eq!(views[2].connect_time, Some(bench.now));
    assert!(bench.customer.is_idle());
}

#[test]
fn a_store_that_is_away_drops_nobody() {
    let (mut bench, call, trunk) = arriving(OnAppGone::Fallback);

    bench.listeners(Listeners::Unknown);
    assert_eq!(bench.state(&trunk), State::Ringing, "somebody may listen");
    bench.pass_while(5_000, Listeners::Unknown);
    bench.must("answer_call", answer(&call)).unwrap();
    bench.pass_while(600_000, Listeners::Unknown);

    assert_eq!(bench.state(&trunk), State::Connected);
}

#[test]
fn a_store_that_never_answers_does_not_stop_the_caller_from_hanging_up() {
    let (mut bench, _, trunk) = arriving(OnAppGone::Fallback);

    bench.hangs_up(&trunk);
    bench.listeners(SOMEBODY);

    assert_eq!(states(&bench, &trunk), ["trying", "terminated"]);
    assert!(bench.customer.is_idle());
}

#[test]
fn an_application_that_has_gone_ends_its_calls_as_it_was_told_to() {
    for (on_app_gone, expected) in [
        (OnAppGone::Fallback, State::Connected),
        (OnAppGone::Terminate, State::Terminated),
        (OnAppGone::Continue, State::Connected),
    ] {
        let (mut bench, _, trunk) = served(on_app_gone);
        bench.pass_while(60_000, SOMEBODY);
        // The store forgets whoever has left after ten seconds.
        for left in (0..10).rev() {
            bench.pass_while(1_000, Listeners::Somebody(Duration::from_secs(left)));
        }
        assert_eq!(bench.state(&trunk), State::Connected, "away for no more than ten seconds");

        bench.pass_while(1_100, Listeners::Nobody);

        assert_eq!(bench.state(&trunk), expected, "{on_app_gone:?}");
        let is_heard = hears_fallback(&bench, &trunk);
        assert_eq!(is_heard, on_app_gone == OnAppGone::Fallback, "{on_app_gone:?}");
        if is_heard {
            bench.prompt_ends(&trunk);
        }
        let is_over = bench.state(&trunk) == State::Terminated;
        assert_eq!(is_over, on_app_gone != OnAppGone::Continue, "{on_app_gone:?}");
        if is_over {
            let last = bench.of(&trunk).last().unwrap().reason.clone().unwrap();
            assert_eq!((last.code, last.text.as_str()), (480, "Temporarily Unavailable"));
            assert!(bench.customer.is_idle());
        }
    }
}

#[test]
fn an_application_that_comes_back_in_time_carries_on() {
    let (mut bench, call, trunk) = served(OnAppGone::Terminate);
    bench.pass_while(3_000, SOMEBODY);
    for left in (1..10).rev() {
        bench.pass_while(1_000, Listeners::Somebody(Duration::from_secs(left)));
    }

    bench.pass_while(60_000, SOMEBODY);

    assert_eq!(bench.state(&trunk), State::Connected);
    bench.must("terminate_call", Action::Terminate(call, None, None)).unwrap();
    assert!(bench.customer.is_idle());
}

#[test]
fn a_store_that_has_forgotten_is_not_believed_before_the_last_answer_expires() {
    let (mut bench, _, trunk) = served(OnAppGone::Terminate);
    bench.pass_while(3_000, SOMEBODY);

    // Emptied; the notifiers note everybody again within seconds.
    bench.pass_while(9_000, Listeners::Nobody);
    assert_eq!(bench.state(&trunk), State::Connected);
    bench.pass_while(60_000, SOMEBODY);

    assert_eq!(bench.state(&trunk), State::Connected);
}

#[test]
fn an_application_that_goes_while_a_call_is_offered_loses_it() {
    let (mut bench, _, trunk) = arriving(OnAppGone::Continue);
    // Away for seven seconds when the call came.
    bench.listeners(Listeners::Somebody(Duration::from_secs(3)));

    bench.pass_while(2_900, Listeners::Somebody(Duration::ZERO));
    assert_eq!(bench.state(&trunk), State::Ringing);
    bench.pass_while(1_100, Listeners::Nobody);

    assert_eq!(bench.state(&trunk), State::Early);
    assert!(hears_fallback(&bench, &trunk));
}

#[test]
fn a_call_can_be_refused_and_sent_on() {
    let (mut bench, call, trunk) = ringing();
    bench.must("reject_call", Action::Reject(call, None, Some(486))).unwrap();
    assert_eq!(states(&bench, &trunk), ["trying", "ringing", "terminated"]);
    assert_eq!(bench.of(&trunk)[2].reason.as_ref().unwrap().code, 486);
    assert!(bench.customer.is_idle());

    let (mut bench, call, trunk) = ringing();
    let on = Action::Redirect(call.clone(), Some(trunk.clone()), "12065550199".to_owned());
    bench.must("redirect_call", on).unwrap();
    assert_eq!(bench.resolves.last().unwrap().1, 4, "the owner pays");
    bench.resolve(&call, Ok(to_pstn("12065550199")));
    let far = bench.tag(1);
    bench.answers(&far);

    assert_eq!(states(&bench, &trunk), ["trying", "ringing", "early", "early", "connected"]);
    assert_eq!(bench.of(&trunk)[4].callee.number, "12065550199");
    bench.pass_while(60_000, Listeners::Nobody);
    assert_eq!(bench.state(&trunk), State::Connected, "the application has nothing to do with it");
}

#[test]
fn a_redirect_in_circles_ends() {
    let (mut bench, call, trunk) = ringing();
    for _ in 0..5 {
        let on = Action::Redirect(call.clone(), None, NUMBER.to_owned());
        bench.must("redirect_call", on).unwrap();
        bench.resolve(&call, Ok(visa_status(OnAppGone::Fallback)));
        bench.listeners(SOMEBODY);
    }
    bench.must("redirect_call", Action::Redirect(call, None, NUMBER.to_owned())).unwrap();

    assert_eq!(bench.of(&trunk).last().unwrap().reason.as_ref().unwrap().code, 482);
    assert!(bench.customer.is_idle());
}

#[test]
fn nobody_picks_up_what_rings_at_an_application() {
    let (mut bench, call, trunk) = ringing();

    let phone = Box::new(account("101"));
    let picked_up = bench.must("pickup_call", Action::PickUpCall(call, None, phone));

    assert_eq!(picked_up, wrong_state(State::Trying, &[State::Ringing]));
    assert_eq!(bench.state(&trunk), State::Ringing);
}

#[test]
fn a_phone_that_dials_an_access_number_has_the_only_leg() {
    let mut bench = Bench::new();
    let call = bench.phone_dials("101", NUMBER);
    bench.resolve(&call, Ok(visa_status(OnAppGone::Fallback)));
    bench.listeners(SOMEBODY);
    let alice = bench.tag(0);

    bench.must("answer_call", answer(&call)).unwrap();
    bench.hangs_up(&alice);

    assert_eq!(
        bench.rows(),
        ["101 | 101 → 104 (1733355700) | outgoing | false | trying ringing connected terminated \
          (487 BYE Received)"]
    );
}

#[test]
fn an_originated_call_is_offered_when_its_own_phone_has_been_picked_up() {
    let mut bench = Bench::new();
    let call = bench.originate("101", NUMBER);
    bench.resolve(&call, Ok(visa_status(OnAppGone::Fallback)));
    let alice = bench.tag(0);
    bench.rings(&alice);
    assert!(bench.of(&alice).iter().all(|view| view.seen_by.access_numbers.is_empty()));

    bench.answers(&alice);
    assert_eq!(states(&bench, &alice), ["trying", "ringing", "early"]);
    assert_eq!(bench.of(&alice)[2].access_number.as_deref(), Some(NUMBER));
    bench.listeners(SOMEBODY);
    bench.must("answer_call", answer(&call)).unwrap();

    assert_eq!(states(&bench, &alice), ["trying", "ringing", "early", "connected"]);
    assert!(!bench.ops.iter().any(|op| matches!(op, Op::PickUp { .. } | Op::Answer { .. })));
}

#[test]
fn a_call_that_is_redirected_to_an_access_number_is_offered_there() {
    let mut bench = Bench::new();
    let call = bench.trunk_calls("12065550100", "101");
    let (trunk, alice) = (bench.tag(0), bench.tag(1));
    bench.rings(&alice);
    let on = Action::Redirect(call.clone(), None, NUMBER.to_owned());
    bench.must("redirect_call", on).unwrap();
    bench.resolve(&call, Ok(visa_status(OnAppGone::Fallback)));
    // The event that names the number may be answered at once.
    assert_eq!(bench.of(&trunk).last().unwrap().access_number.as_deref(), Some(NUMBER));

    bench.must("answer_call", answer(&call)).unwrap();
    bench.listeners(SOMEBODY);

    assert_eq!(states(&bench, &trunk), ["trying", "early", "early", "connected"]);
    assert_eq!(bench.state(&alice), State::Terminated);
    assert!(bench.ops.iter().any(|op| matches!(op, Op::Answer { .. })));
}

#[test]
fn the_first_of_two_numbers_hears_that_no_application_is_there() {
    let mut bench = Bench::new();
    let call = CallId("n.two".to_owned());
    let connect = ConnectTwo {
        call_id: call.clone(),
        account: account("101"),
        first: "12065550100".to_owned(),
        first_caller_id: None,
        second: NUMBER.to_owned(),
        second_caller_id: None,
        timeout: Duration::from_mins(1),
    };
    bench.command(CUSTOMER, "originate_advanced_call", Action::ConnectTwo(Box::new(connect)));
    bench.resolve(&call, Ok(to_pstn("12065550100")));
    let first = bench.tag(0);
    bench.rings(&first);
    bench.answers(&first);
    bench.resolve(&call, Ok(visa_status(OnAppGone::Fallback)));

    bench.listeners(Listeners::Nobody);

    assert_eq!(bench.played(&first), ["no-answer.au"]);
    bench.prompt_ends(&first);
    assert_eq!(bench.of(&first).last().unwrap().reason.as_ref().unwrap().code, 480);
    assert!(bench.customer.is_idle());
}

#[test]
fn an_application_hands_its_caller_over() {
    let (mut bench, call, trunk) = served(OnAppGone::Fallback);
    let before = bench.of(&trunk)[2].tracking_id.clone();

    let done = bench.must("transfer_call", transfer(&call, "101")).unwrap();
    assert_eq!(bench.resolves.last().unwrap().1, 4, "the owner pays");
    bench.resolve(&call, Ok(to_account("101")));
    let alice = bench.tag(1);
    bench.rings(&alice);
    assert_eq!(bench.hears(&trunk), Source::Ringback);
    bench.answers(&alice);

    let (tracking_id, previous) = done.tracking.unwrap();
    assert_eq!(previous, before);
    assert_eq!(
        bench.rows(),
        [
            "trunk | 12065550100 → 101 | incoming | true | trying ringing connected early connected",
            "101 | 12065550100 → 101 | incoming | false | trying ringing connected",
        ]
    );
    let last = bench.of(&trunk).last().copied().unwrap().clone();
    assert_eq!((&last.tracking_id, last.previous_tracking_id), (&tracking_id, Some(before)));
    bench.pass_while(60_000, Listeners::Nobody);
    assert_eq!(bench.state(&trunk), State::Connected, "the application has nothing to do with it");
}

#[test]
fn an_application_keeps_a_caller_whom_nobody_else_takes() {
    let (mut bench, call, trunk) = served(OnAppGone::Fallback);
    bench.must("transfer_call", transfer(&call, "101")).unwrap();
    bench.resolve(&call, Ok(to_account("101")));
    let alice = bench.tag(1);

    bench.refuses(&alice, 486);

    let last = bench.of(&trunk).last().copied().unwrap().clone();
    assert_eq!((last.state, last.reason.unwrap().code), (State::Connected, 486));
    assert_eq!(last.caused_by, Some(cause("transfer_call")));
    // It goes on, and is still looked after.
    bench.must("transfer_call", transfer(&call, "102")).unwrap();
    bench.resolve(&call, Ok(Route::Nowhere));
    assert_eq!(bench.state(&trunk), State::Connected);
    bench.pass_while(12_000, Listeners::Nobody);
    assert!(hears_fallback(&bench, &trunk));
}

/// 101 hands Mary over to the access number.
fn handing_over() -> (Bench, CallId, Tag, Tag) {
    let mut bench = Bench::new();
    let call = bench.trunk_calls("12065550100", "101");
    let (trunk, alice) = (bench.tag(0), bench.tag(1));
    bench.rings(&alice);
    bench.answers(&alice);
    bench.must("transfer_call", transfer(&call, NUMBER)).unwrap();
    bench.resolve(&call, Ok(visa_status(OnAppGone::Terminate)));
    (bench, call, trunk, alice)
}

#[test]
fn an_application_takes_a_caller_who_is_handed_over() {
    let (mut bench, call, trunk, alice) = handing_over();
    bench.listeners(SOMEBODY);
    assert_eq!(bench.state(&trunk), State::Early);
    assert_eq!(bench.state(&alice), State::Connected, "waits unheard");

    bench.must("answer_call", answer(&call)).unwrap();

    assert_eq!(
        bench.rows(),
        [
            "trunk | 12065550100 → 104 (1733355700) | incoming | true | trying early connected \
             early early connected",
            "101 | 12065550100 → 101 | incoming | false | trying ringing connected transferred \
             terminated (200 Call Transferred)",
        ]
    );
    bench.pass_while(11_000, Listeners::Nobody);
    assert_eq!(bench.state(&trunk), State::Terminated);
    assert!(bench.customer.is_idle());
}

#[test]
fn whom_no_application_takes_goes_back_to_whoever_wanted_to_hand_over() {
    for case in 0..3 {
        let (mut bench, call, trunk, alice) = handing_over();
        let code = match case {
            0 => {
                bench.listeners(Listeners::Nobody);
                480
            }
            1 => {
                bench.listeners(SOMEBODY);
                bench.pass_while(10_000, SOMEBODY);
                480
            }
            _ => {
                bench.must("reject_call", Action::Reject(call, None, None)).unwrap();
                603
            }
        };

        for tag in [&trunk, &alice] {
            let last = bench.of(tag).last().copied().unwrap();
            assert_eq!((last.state, last.reason.as_ref().unwrap().code), (State::Connected, code));
        }
        assert_eq!(bench.hears(&trunk), Source::Parties([bench.channel(&alice)].into()));
    }
}

#[test]
fn only_whoever_sees_the_call_may_take_it() {
    let (mut bench, call, trunk) = ringing();

    let foreign = bench.command(account_scope("102"), "answer_call", answer(&call)).unwrap();
    assert_eq!(foreign, Err(Refusal::CallNotFound(call.clone())));
    let unknown = Action::Answer(call.clone(), Some(Tag("unknown".to_owned())));
    assert_eq!(bench.must("answer_call", unknown), Err(Refusal::CallNotFound(call.clone())));
    let owner = Action::Answer(call, Some(trunk));
    bench.command(account_scope("104"), "answer_call", owner).unwrap().unwrap();
}

#[test]
fn who_calls_two_numbers_is_shown_the_last() {
    let (mut bench, call, trunk) = ringing();
    let other = Application {
        number: "1733355699".to_owned(),
        owner: account("103"),
        on_app_gone: OnAppGone::Fallback,
    };

    let on = Action::Redirect(call.clone(), None, other.number.clone());
    bench.must("redirect_call", on).unwrap();
    bench.resolve(&call, Ok(Route::Application(Box::new(other))));

    let last = bench.of(&trunk).last().copied().unwrap().clone();
    assert_eq!(last.access_number.as_deref(), Some("1733355699"));
    assert_eq!(last.seen_by.access_numbers.len(), 2);
    assert_eq!(last.callee.number, "1733355699");
}
