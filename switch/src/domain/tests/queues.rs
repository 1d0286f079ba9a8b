//! Hunt groups and queues.

use std::time::Duration;

use super::bench::{
    Bench, CUSTOMER, account, account_scope, support, to_account, to_group, to_pstn,
};
use crate::domain::{
    Action, CallId, ConnectTwo, Decision, Figures, Group, Input, Leave, State, Tag,
};
use crate::driver::{Endpoint, Op, Source};

/// A call from outside to 340.
fn queued(group: &Group) -> (Bench, CallId, Tag) {
    let mut bench = Bench::new();
    let call = bench.trunk_calls_to("12065550100", "340", to_group(group));
    let trunk = bench.tag(0);
    (bench, call, trunk)
}

fn one_more(bench: &mut Bench, group: &Group) -> Tag {
    bench.trunk_calls_to("12065550101", "340", to_group(group));
    let told = bench.told.iter().rev().find(|view| view.is_external && view.sequence == 1);
    told.unwrap().tag.clone()
}

fn states(bench: &Bench, tag: &Tag) -> Vec<&'static str> {
    bench.of(tag).iter().map(|view| view.state.name()).collect()
}

fn reasons(bench: &Bench, tag: &Tag) -> Vec<Leave> {
    let infos = bench.of(tag).into_iter().filter(|view| view.state == State::Dequeued);
    infos.filter_map(|view| view.queue_info.as_ref()?.reason).collect()
}

#[test]
fn a_queued_call_goes_to_an_agent_who_answers() {
    let (mut bench, _, trunk) = queued(&support(&["102", "103"]));

    assert_eq!(bench.hears(&trunk), Source::Music);
    assert!(bench.ops.iter().any(|op| matches!(op, Op::Answer { .. })), "queueing answers");
    let bob = bench.tag(1);
    bench.rings(&bob);
    assert_eq!(bench.state(&trunk), State::Queued);
    bench.wait(7);
    bench.answers(&bob);
    bench.hangs_up(&trunk);

    assert_eq!(
        bench.rows(),
        [
            "trunk | 12065550100 → 102 | incoming | true | trying queued dequeued connected \
             terminated (487 BYE Received)",
            "102 | 12065550100 → 102 | incoming | false | trying ringing connected terminated \
             (487 BYE Received)",
        ]
    );
    let of_trunk = bench.of(&trunk);
    let callees: Vec<_> = of_trunk
        .iter()
        .map(|view| (view.callee.number.as_str(), view.callee.huntgroup_id.as_deref()))
        .collect();
    let (group, agent) = (("340", Some("340")), ("102", Some("340")));
    assert_eq!(callees, [group, group, group, agent, agent]);
    assert_eq!(of_trunk[0].callee.name, "Support line");
    let info = of_trunk[2].queue_info.as_ref().unwrap();
    assert_eq!((info.i_c_queue, info.waited_seconds, info.reason), (9, 7, Some(Leave::Answered)));
    assert_eq!(of_trunk[1].queue_info.as_ref().unwrap().position, 1);
    assert_eq!(of_trunk[3].connect_time, of_trunk[1].connect_time, "charged from `queued`");
    assert_eq!(of_trunk[3].duration_seconds, 7);
    assert_eq!(bench.of(&bob)[0].callee.huntgroup_id.as_deref(), Some("340"));
    assert!(of_trunk.iter().skip(1).all(|view| view.seen_by.i_c_queues.contains(&9)));
    assert!(bench.customer.is_idle());
}

#[test]
fn who_does_not_answer_is_followed_by_the_next() {
    let (mut bench, _, trunk) = queued(&support(&["102", "103"]));
    let bob = bench.tag(1);
    bench.rings(&bob);

    bench.pass(14_900);
    assert_eq!(bench.tags().len(), 2);
    bench.pass(200);

    let carol = bench.tag(2);
    assert_eq!(
        bench.rows()[1],
        "102 | 12065550100 → 102 | incoming | false | trying ringing terminated (480 Temporarily Unavailable)"
    );
    assert_eq!(bench.state(&trunk), State::Queued);
    bench.answers(&carol);
    assert_eq!(bench.state(&trunk), State::Connected);
}

#[test]
fn an_agent_alone_who_refuses_is_asked_again_after_a_rest() {
    let (mut bench, _, trunk) = queued(&support(&["102"]));
    let bob = bench.tag(1);
    bench.refuses(&bob, 486);
    bench.pass(4_900);
    assert_eq!(bench.tags().len(), 2, "left in peace");

    bench.pass(400);

    let again = bench.tag(2);
    bench.answers(&again);
    assert_eq!(bench.state(&trunk), State::Connected);
}

#[test]
fn a_call_waits_until_an_agent_is_free_and_those_before_it_come_first() {
    let group = support(&["102"]);
    let (mut bench, _, first) = queued(&group);
    let bob = bench.tag(1);
    bench.answers(&bob);
    let second = one_more(&mut bench, &group);
    let third = one_more(&mut bench, &group);
    let place = |bench: &Bench, tag: &Tag| {
        bench.of(tag).last().unwrap().queue_info.as_ref().unwrap().position
    };
    assert_eq!((place(&bench, &second), place(&bench, &third)), (1, 2));
    assert_eq!(bench.dialled().len(), 1, "nobody is free");

    bench.hangs_up(&first);

    assert_eq!(bench.dialled().len(), 2, "in the same step");
    let offered = bench.tags().last().unwrap().clone();
    bench.answers(&offered);
    assert_eq!((bench.state(&second), bench.state(&third)), (State::Connected, State::Queued));
    let moved = bench.records.iter().rev().find(|(tag, ..)| *tag == third);
    assert_eq!(moved.unwrap().1.queue_info.as_ref().unwrap().position, 1, "lists show it");
    let call = bench.of(&third)[0].call_id.clone();
    let read = bench.must("get_call_info", Action::Get(call)).unwrap();
    assert_eq!(read.legs[0].queue_info.as_ref().unwrap().position, 1, "moved up");
}

#[test]
fn who_has_been_idle_longest_is_called_first() {
    let group = support(&["102", "103"]);
    let (mut bench, _, first) = queued(&group);
    let bob = bench.tag(1);
    bench.answers(&bob);
    bench.wait(60);
    bench.hangs_up(&first);
    bench.look_away();

    one_more(&mut bench, &group);

    assert_eq!(bench.dialled(), [Endpoint::Phone { account_id: "103".to_owned() }]);
}

#[test]
fn a_queue_that_rings_all_ends_the_others_when_one_answers() {
    let mut group = support(&["102", "103"]);
    group.queue.as_mut().unwrap().rings_all = true;
    let (mut bench, _, trunk) = queued(&group);
    let (bob, carol) = (bench.tag(1), bench.tag(2));
    bench.rings(&bob);
    bench.rings(&carol);

    bench.answers(&carol);

    assert_eq!(bench.state(&trunk), State::Connected);
    assert_eq!(
        bench.rows()[1],
        "102 | 12065550100 → 102 | incoming | false | trying ringing terminated \
         (200 Answered Elsewhere)"
    );
}

#[test]
fn a_caller_who_leaves_has_abandoned_the_queue() {
    let (mut bench, _, trunk) = queued(&support(&["102"]));
    let bob = bench.tag(1);
    bench.rings(&bob);

    bench.hangs_up(&trunk);

    assert_eq!(reasons(&bench, &trunk), [Leave::Abandoned]);
    assert_eq!(
        bench.rows()[0],
        "trunk | 12065550100 → 340 | incoming | true | trying queued dequeued terminated \
         (487 BYE Received)"
    );
    assert_eq!(bench.state(&bob), State::Terminated);
    assert!(bench.customer.is_idle());
}

#[test]
fn a_call_that_waits_too_long_goes_on_or_ends() {
    for overflow in [Some("104"), None] {
        let mut group = support(&["102"]);
        let queue = group.queue.as_mut().unwrap();
        queue.max_wait = Some(Duration::from_secs(30));
        queue.overflow = overflow.map(str::to_owned);
        let (mut bench, call, trunk) = queued(&group);

        bench.pass(30_100);

        assert_eq!(reasons(&bench, &trunk), [Leave::Timeout]);
        if overflow.is_some() {
            assert_eq!(bench.resolves, [(call.clone(), 2, "104".to_owned())]);
            bench.resolve(&call, Ok(to_account("104")));
            let dave = bench.tags().last().unwrap().clone();
            bench.answers(&dave);
            let states = states(&bench, &trunk);
            assert_eq!(states, ["trying", "queued", "dequeued", "early", "connected"]);
        } else {
            let told = bench.of(&trunk);
            assert_eq!(told.last().unwrap().reason.as_ref().unwrap().code, 480);
        }
    }
}

#[test]
fn a_full_queue_overflows() {
    let mut group = support(&["102"]);
    group.queue.as_mut().unwrap().max_waiting = Some(1);
    let (mut bench, _, first) = queued(&group);

    let second = one_more(&mut bench, &group);

    assert_eq!(reasons(&bench, &second), [Leave::Overflow]);
    assert_eq!((bench.state(&first), bench.state(&second)), (State::Queued, State::Terminated));
}

#[test]
fn a_queue_without_agents_lets_nobody_wait() {
    let (bench, _, trunk) = queued(&support(&[]));

    assert_eq!(reasons(&bench, &trunk), [Leave::NoAgents]);
    assert_eq!(bench.of(&trunk).last().unwrap().reason.as_ref().unwrap().code, 480);
    assert!(bench.customer.is_idle());
}

#[test]
fn who_joins_while_a_call_waits_gets_it_within_a_fifth_of_a_second() {
    let (mut bench, _, _) = queued(&support(&["102"]));
    let bob = bench.tag(1);
    bench.rings(&bob);
    bench.refuses(&bob, 480);
    bench.looks.clear();

    bench.pass(200);
    assert_eq!(bench.looks, [9]);
    let answer = Ok(to_group(&support(&["102", "103"])));
    bench.feed(Input::Looked { i_c_queue: 9, answer });

    assert_eq!(bench.dialled().last(), Some(&Endpoint::Phone { account_id: "103".to_owned() }));
}

#[test]
fn when_the_last_agent_leaves_those_who_wait_are_sent_on() {
    let (mut bench, _, trunk) = queued(&support(&["102"]));
    let bob = bench.tag(1);
    bench.refuses(&bob, 480);
    bench.pass(200);

    bench.feed(Input::Looked { i_c_queue: 9, answer: Ok(to_group(&support(&[]))) });

    assert_eq!(reasons(&bench, &trunk), [Leave::NoAgents]);
}

#[test]
fn an_agents_application_may_refuse_send_on_or_take_over() {
    let group = support(&["102"]);
    let (mut bench, call, trunk) = queued(&group);
    let bob = bench.tag(1);
    bench.rings(&bob);
    let reject = Action::Reject(call.clone(), None, None);
    bench.command(account_scope("102"), "reject_call", reject).unwrap().unwrap();
    assert_eq!((bench.state(&bob), bench.state(&trunk)), (State::Terminated, State::Queued));

    bench.pass(5_200);
    let again = bench.tags().last().unwrap().clone();
    bench.rings(&again);
    let redirect = Action::Redirect(call.clone(), None, "104".to_owned());
    bench.must("redirect_call", redirect).unwrap();
    assert_eq!(reasons(&bench, &trunk), [Leave::Redirected]);
    bench.resolve(&call, Ok(to_account("104")));
    bench.answers(&bench.tags().last().unwrap().clone());
    assert_eq!(states(&bench, &trunk), ["trying", "queued", "dequeued", "early", "connected"]);
    let callees: Vec<_> = bench.of(&trunk).iter().map(|view| view.callee.number.clone()).collect();
    assert_eq!(callees, ["340", "340", "340", "104", "104"]);

    let (mut bench, call, trunk) = queued(&group);
    let bob = bench.tag(1);
    bench.rings(&bob);
    let pick_up = Action::PickUpCall(call, None, Box::new(account("103")));
    bench.must("pickup_call", pick_up).unwrap();
    bench.answers(&bench.tags().last().unwrap().clone());
    assert_eq!(reasons(&bench, &trunk), [Leave::Answered]);
    assert_eq!(bench.state(&bob), State::Terminated);
}

#[test]
fn a_group_without_a_queue_rings_all_who_take_part() {
    let mut group = support(&["102", "103"]);
    group.queue = None;
    let (mut bench, _, trunk) = queued(&group);
    let (bob, carol) = (bench.tag(1), bench.tag(2));

    bench.refuses(&bob, 486);
    bench.answers(&carol);

    let states = states(&bench, &trunk);
    assert_eq!(states, ["trying", "early", "connected"]);
}

#[test]
fn a_call_may_be_placed_redirected_and_transferred_to_a_queue() {
    let group = support(&["103"]);
    let mut bench = Bench::new();
    let call = bench.originate("101", "340");
    bench.resolve(&call, Ok(to_group(&group)));
    let alice = bench.tag(0);
    bench.answers(&alice);
    let states = states(&bench, &alice);
    assert_eq!(states, ["trying", "early", "queued"]);

    let (mut bench, call, alice, bob) = Bench::talking();
    let transfer = Action::TransferBlind(call.clone(), Some(bob.clone()), "340".to_owned());
    bench.must("transfer_call", transfer).unwrap();
    bench.resolve(&call, Ok(to_group(&group)));
    assert_eq!((bench.state(&alice), bench.state(&bob)), (State::Queued, State::Terminated));
    assert!(bench.of(&bob).iter().any(|view| view.state == State::Transferred));
    bench.answers(&bench.tags().last().unwrap().clone());
    assert_eq!(bench.state(&alice), State::Connected);
    assert_eq!(bench.of(&alice).last().unwrap().callee.number, "103");
}

#[test]
fn the_first_of_two_numbers_stays_the_callee_of_its_own_leg_in_a_queue() {
    let mut bench = Bench::new();
    let connect = ConnectTwo {
        call_id: CallId("n.two".to_owned()),
        account: account("101"),
        first: "12065550177".to_owned(),
        first_caller_id: None,
        second: "340".to_owned(),
        second_caller_id: None,
        timeout: Duration::from_mins(1),
    };
    let call = connect.call_id.clone();
    bench.command(CUSTOMER, "originate_advanced_call", Action::ConnectTwo(Box::new(connect)));
    bench.resolve(&call, Ok(to_pstn("12065550177")));
    let first = bench.tag(0);
    bench.answers(&first);
    bench.resolve(&call, Ok(to_group(&support(&["102"]))));
    bench.answers(&bench.tag(1));

    assert_eq!(states(&bench, &first), ["trying", "early", "queued", "dequeued", "connected"]);
    assert!(bench.of(&first).iter().all(|view| view.callee.number == "12065550177"));
}

#[test]
fn nobody_is_offered_his_own_call() {
    let group = support(&["102"]);
    let mut bench = Bench::new();
    let call = bench.phone_dials("102", "340");
    bench.resolve(&call, Ok(to_group(&group)));

    assert_eq!(bench.dialled(), []);
    assert_eq!(bench.state(&bench.tag(0)), State::Queued);
}

#[test]
fn figures_are_told_when_they_change_at_most_once_a_second_and_equal_a_recount() {
    let group = support(&["102"]);
    let (mut bench, _, first) = queued(&group);
    let second = one_more(&mut bench, &group);
    assert_eq!(bench.figures.len(), 1, "the rest has to wait");
    bench.pass(3_000);
    assert!(bench.figures.len() <= 4, "{:?}", bench.figures);
    let bob = bench.tag(1);
    bench.answers(&bob);
    bench.hangs_up(&second);
    bench.pass(2_000);
    bench.hangs_up(&first);
    bench.pass(2_000);

    // Counted again from the events.
    let left = |reason| {
        let told = bench.told.iter().filter(|view| view.state == State::Dequeued);
        let reasons = told.filter_map(|view| view.queue_info.as_ref()?.reason);
        u64::try_from(reasons.filter(|left| *left == reason).count()).unwrap()
    };
    assert_eq!(
        bench.figures.last(),
        Some(&Figures {
            i_c_queue: 9,
            name: "Support".to_owned(),
            waiting: 0,
            longest_wait_seconds: 0,
            agents_in: 1,
            agents_busy: 0,
            answered: left(Leave::Answered),
            abandoned: left(Leave::Abandoned),
            service_level: 50,
        })
    );
    assert_eq!(bench.customer.next_deadline(), None, "and then nothing is left to tell");
}

#[test]
fn a_call_about_which_nobody_decides_goes_to_the_fallback() {
    let decision = Decision { timeout: Duration::from_secs(4), fallback: "104".to_owned() };

    // An account.
    let mut bench = Bench::new();
    let mut bob = account("102");
    bob.decision = Some(decision.clone());
    let call = bench.trunk_calls_to("12065550100", "102", crate::domain::Route::Account(bob));
    let tag = bench.tag(1);
    bench.rings(&tag);
    bench.pass(4_000);
    assert_eq!(
        bench.rows()[1],
        "102 | 12065550100 → 102 | incoming | false | trying ringing terminated \
         (302 Moved Temporarily)"
    );
    assert_eq!(bench.resolves, [(call.clone(), 2, "104".to_owned())]);
    assert!(bench.of(&tag).iter().all(|view| view.caused_by.is_none()), "no command did it");
    bench.resolve(&call, Ok(to_pstn("12065550199")));
    assert_eq!(bench.state(&bench.tag(0)), State::Early);

    // Somebody who has decided is left alone.
    let mut bench = Bench::new();
    let mut bob = account("102");
    bob.decision = Some(decision.clone());
    let call = bench.trunk_calls_to("12065550100", "102", crate::domain::Route::Account(bob));
    let tag = bench.tag(1);
    bench.rings(&tag);
    bench.answers(&tag);
    bench.pass(10_000);
    assert_eq!(bench.state(&tag), State::Connected);
    assert!(bench.resolves.is_empty(), "{call:?} stays where it is");

    // A hunt group.
    let mut group = support(&["102"]);
    group.decision = Some(decision);
    let (mut bench, call, trunk) = queued(&group);
    bench.pass(4_000);
    assert_eq!(reasons(&bench, &trunk), [Leave::Redirected]);
    assert_eq!(bench.resolves, [(call, 2, "104".to_owned())]);
}

#[test]
fn what_was_to_become_of_a_call_to_a_group_is_void_once_somebody_has_it() {
    let mut group = support(&["102"]);
    group.queue = None;
    group.decision = Some(Decision { timeout: Duration::from_secs(4), fallback: "105".to_owned() });

    // Answered, and handed over while the group's time is not over.
    let (mut bench, call, _) = queued(&group);
    let bob = bench.tag(1);
    bench.answers(&bob);
    let transfer = Action::TransferBlind(call.clone(), Some(bob), "104".to_owned());
    bench.must("transfer_call", transfer).unwrap();
    bench.resolve(&call, Ok(to_account("104")));
    let dave = bench.tags().last().unwrap().clone();
    bench.rings(&dave);
    bench.pass(10_000);
    assert_eq!(bench.state(&dave), State::Ringing);

    // Sent on to somebody who has all the time that he wants.
    let (mut bench, call, _) = queued(&group);
    let bob = bench.tag(1);
    bench.rings(&bob);
    let redirect = Action::Redirect(call.clone(), None, "104".to_owned());
    bench.must("redirect_call", redirect).unwrap();
    bench.resolve(&call, Ok(to_account("104")));
    let dave = bench.tags().last().unwrap().clone();
    bench.rings(&dave);
    bench.pass(10_000);
    assert_eq!(bench.state(&dave), State::Ringing);

    // An application is making the phone answer.
    let (mut bench, call, _) = queued(&group);
    let bob = bench.tag(1);
    bench.rings(&bob);
    bench.command(account_scope("102"), "answer_call", Action::Answer(call, None));
    bench.pass(10_000);
    assert_eq!(bench.state(&bob), State::Ringing);
}
