//! Who pays for what, one test a rule of `docs/charging.md`.

use std::time::Duration;

use super::bench::{Bench, CUSTOMER, account, support, to_account, to_group, to_pstn, visa_status};
use crate::domain::{
    Action, CallId, ChargedService, ConnectTwo, Direction, Effect, Input, Listeners, Mode,
    OnAppGone, Parked, Rating, Route, Tag,
};

const PSTN: &str = "12065550100";

/// Every charge as `payer direction cli → cld seconds`, in order of leg and payer.
fn charges(bench: &Bench) -> Vec<String> {
    let mut all = bench.charged.clone();
    let place = |tag: &Tag| bench.tags().iter().position(|known| known == tag);
    all.sort_by_key(|charged| (place(&charged.tag), charged.payer));
    let text = all.iter().map(|charged| {
        let direction = match charged.direction {
            Direction::Incoming => "incoming",
            Direction::Outgoing => "outgoing",
        };
        format!(
            "leg {}: {} pays {direction} {} → {} {}s",
            place(&charged.tag).unwrap() + 1,
            charged.payer + 100,
            charged.cli,
            charged.cld,
            charged.duration.as_secs()
        )
    });
    text.collect()
}

/// 101 has called a number of the public network and talks since 0 s.
fn to_the_trunk() -> (Bench, CallId, Tag, Tag) {
    let mut bench = Bench::new();
    let call = bench.originate("101", PSTN);
    bench.resolve(&call, Ok(to_pstn(PSTN)));
    let alice = bench.tag(0);
    bench.answers(&alice);
    let trunk = bench.tag(1);
    bench.wait(3);
    bench.answers(&trunk);
    (bench, call, alice, trunk)
}

/// The trunk and 101 talk.
fn from_the_trunk() -> (Bench, CallId, Tag, Tag) {
    let mut bench = Bench::new();
    let call = bench.trunk_calls(PSTN, "101");
    let (trunk, alice) = (bench.tag(0), bench.tag(1));
    bench.answers(&alice);
    (bench, call, trunk, alice)
}

#[test]
fn caller_and_called_account_pay_one_each() {
    let (mut bench, _, alice, _) = Bench::talking();
    bench.wait(61);

    bench.hangs_up(&alice);

    assert_eq!(
        charges(&bench),
        ["leg 1: 101 pays outgoing 101 → 102 61s", "leg 2: 102 pays incoming 101 → 102 61s"]
    );
    let [first, second] = &bench.charged[..] else { panic!("two charges") };
    assert_eq!((first.rating, second.rating), (Rating::Ordinary, Rating::Incoming));
    assert_eq!((first.disconnect_cause, first.running_since), (487, None));
    assert_eq!(first.disconnect_time.since(first.connect_time), Duration::from_secs(61));
}

#[test]
fn a_trunk_leg_costs_nothing_beside_the_callers() {
    let (mut bench, _, _, trunk) = to_the_trunk();
    bench.wait(10);

    bench.hangs_up(&trunk);

    assert_eq!(charges(&bench), ["leg 1: 101 pays outgoing 101 → 12065550100 10s"]);
}

#[test]
fn the_called_account_pays_for_a_call_from_outside() {
    let (mut bench, _, trunk, _) = from_the_trunk();
    bench.wait(10);

    bench.hangs_up(&trunk);

    assert_eq!(charges(&bench), ["leg 2: 101 pays incoming 12065550100 → 101 10s"]);
}

#[test]
fn nobody_pays_for_what_was_never_answered() {
    let (mut bench, _, alice, bob) = Bench::early();
    bench.rings(&bob);
    bench.wait(20);

    bench.hangs_up(&alice);

    assert_eq!(charges(&bench), [""; 0]);
}

#[test]
fn who_connects_two_numbers_pays_for_both() {
    let mut bench = Bench::new();
    let connect = ConnectTwo {
        call_id: CallId("n.two".to_owned()),
        account: account("101"),
        first: PSTN.to_owned(),
        first_caller_id: None,
        second: "12065550199".to_owned(),
        second_caller_id: None,
        timeout: Duration::from_secs(30),
    };
    let call = connect.call_id.clone();
    bench.command(CUSTOMER, "originate_advanced_call", Action::ConnectTwo(Box::new(connect)));
    bench.resolve(&call, Ok(to_pstn(PSTN)));
    let first = bench.tag(0);
    bench.answers(&first);
    bench.resolve(&call, Ok(to_pstn("12065550199")));
    let second = bench.tag(1);
    bench.wait(5);
    bench.answers(&second);
    bench.wait(30);

    bench.hangs_up(&first);

    assert_eq!(
        charges(&bench),
        [
            "leg 1: 101 pays outgoing 101 → 12065550100 30s",
            "leg 2: 101 pays outgoing 12065550100 → 12065550199 30s",
        ]
    );
    let ratings: Vec<_> = bench.charged.iter().map(|charged| charged.rating).collect();
    assert_eq!(ratings, [Rating::Incoming, Rating::Ordinary]);
}

#[test]
fn who_sends_a_call_on_pays_for_the_way_on() {
    let mut bench = Bench::new();
    let call = bench.trunk_calls(PSTN, "101");
    let (trunk, alice) = (bench.tag(0), bench.tag(1));
    bench.rings(&alice);
    let redirect = Action::Redirect(call.clone(), Some(alice), "104".to_owned());
    bench.must("redirect_call", redirect).unwrap();
    bench.resolve(&call, Ok(to_account("104")));
    let dave = bench.tag(2);
    bench.answers(&dave);
    bench.wait(20);

    bench.hangs_up(&trunk);

    assert_eq!(
        charges(&bench),
        [
            "leg 3: 101 pays outgoing 12065550100 → 104 20s",
            "leg 3: 104 pays incoming 12065550100 → 104 20s",
        ]
    );
}

#[test]
fn the_caller_pays_for_what_it_dialled_wherever_the_call_is_sent() {
    let (mut bench, call, alice, bob) = Bench::early();
    bench.rings(&bob);
    let redirect = Action::Redirect(call.clone(), Some(bob), PSTN.to_owned());
    bench.must("redirect_call", redirect).unwrap();
    bench.resolve(&call, Ok(to_pstn(PSTN)));
    let trunk = bench.tag(2);
    bench.answers(&trunk);
    bench.wait(20);

    bench.hangs_up(&alice);

    assert_eq!(
        charges(&bench),
        [
            "leg 1: 101 pays outgoing 101 → 102 20s",
            "leg 3: 102 pays outgoing 101 → 12065550100 20s",
        ]
    );
}

/// The call, 101's leg and that of the party outside.
type TalkingOutside = fn() -> (Bench, CallId, Tag, Tag);

#[test]
fn who_hands_a_call_over_blindly_pays_for_the_way_on_and_for_what_it_had_placed() {
    let was_called = || {
        let (bench, call, trunk, alice) = from_the_trunk();
        (bench, call, alice, trunk)
    };
    let rows: [(TalkingOutside, Route, &[&str]); 2] = [
        (
            was_called,
            to_pstn("12065550199"),
            &[
                "leg 2: 101 pays incoming 12065550100 → 101 15s",
                "leg 3: 101 pays outgoing 12065550100 → 12065550199 20s",
            ],
        ),
        (
            to_the_trunk,
            to_account("102"),
            &[
                "leg 1: 101 pays outgoing 101 → 12065550100 15s",
                "leg 2: 101 pays outgoing 101 → 12065550100 20s",
                "leg 3: 101 pays outgoing 12065550100 → 102 20s",
                "leg 3: 102 pays incoming 12065550100 → 102 20s",
            ],
        ),
    ];
    for (talking, target, expected) in rows {
        let (mut bench, call, alice, trunk) = talking();
        bench.wait(10);
        let transfer = Action::TransferBlind(call.clone(), Some(alice), "onward".to_owned());
        bench.must("transfer_call", transfer).unwrap();
        bench.resolve(&call, Ok(target));
        let target = bench.tag(2);
        bench.wait(5);
        bench.answers(&target);
        bench.wait(20);

        bench.hangs_up(&trunk);

        assert_eq!(charges(&bench), expected);
    }
}

#[test]
fn after_an_attended_transfer_both_legs_are_paid_by_who_placed_them() {
    let (mut bench, call, alice, trunk) = to_the_trunk();
    let second = bench.originate("101", "103");
    bench.resolve(&second, Ok(to_account("103")));
    let consult = bench.tag(2);
    bench.answers(&consult);
    let carol = bench.tag(3);
    bench.answers(&carol);
    bench.wait(10);
    let transfer = Action::TransferAttended(call, Some(alice), second);
    bench.must("transfer_call", transfer).unwrap();
    bench.wait(20);

    bench.hangs_up(&trunk);

    assert_eq!(
        charges(&bench),
        [
            "leg 1: 101 pays outgoing 101 → 12065550100 10s",
            "leg 2: 101 pays outgoing 101 → 12065550100 20s",
            "leg 3: 101 pays outgoing 101 → 103 10s",
            "leg 4: 101 pays outgoing 101 → 103 20s",
            "leg 4: 103 pays incoming 101 → 103 30s",
        ]
    );
}

#[test]
fn the_caller_pays_for_its_time_in_a_queue_and_the_agent_from_its_answer() {
    let mut bench = Bench::new();
    let call = bench.phone_dials("101", "340");
    bench.resolve(&call, Ok(to_group(&support(&["102"]))));
    let (alice, bob) = (bench.tag(0), bench.tag(1));
    bench.wait(12);
    bench.answers(&bob);
    bench.wait(30);

    bench.hangs_up(&alice);

    assert_eq!(
        charges(&bench),
        ["leg 1: 101 pays outgoing 101 → 340 42s", "leg 2: 102 pays incoming 101 → 102 30s"]
    );
}

#[test]
fn nobody_here_pays_for_the_wait_of_a_caller_from_outside() {
    let mut bench = Bench::new();
    bench.trunk_calls_to(PSTN, "340", to_group(&support(&["102"])));
    let trunk = bench.tag(0);
    bench.wait(12);

    bench.hangs_up(&trunk);

    assert_eq!(charges(&bench), [""; 0]);
}

#[test]
fn a_parked_party_goes_on_being_paid_by_who_placed_the_call() {
    let (mut bench, call, alice, trunk) = to_the_trunk();
    bench.wait(10);
    bench.must("park_call", Action::Park(call.clone(), Some(alice), None)).unwrap();
    bench.wait(60);
    let retrieve = Action::Retrieve(Parked::Call(call), Box::new(account("102")));
    bench.must("retrieve_call", retrieve).unwrap();
    let bob = bench.tag(2);
    bench.answers(&bob);
    bench.wait(20);

    bench.hangs_up(&trunk);

    assert_eq!(
        charges(&bench),
        [
            "leg 1: 101 pays outgoing 101 → 12065550100 10s",
            "leg 2: 101 pays outgoing 101 → 12065550100 80s",
            "leg 3: 102 pays incoming 12065550100 → 102 20s",
        ]
    );
}

#[test]
fn who_picks_a_call_up_pays_as_the_called() {
    let (mut bench, call, alice, bob) = Bench::early();
    bench.rings(&bob);
    let pick_up = Action::PickUpCall(call, None, Box::new(account("103")));
    bench.must("pickup_call", pick_up).unwrap();
    let carol = bench.tag(2);
    bench.answers(&carol);
    bench.wait(20);

    bench.hangs_up(&alice);

    assert_eq!(
        charges(&bench),
        ["leg 1: 101 pays outgoing 101 → 102 20s", "leg 3: 103 pays incoming 101 → 103 20s"]
    );
}

#[test]
fn who_listens_in_pays_for_its_own_leg() {
    let (mut bench, call, alice, _) = Bench::talking();
    let supervise =
        Action::Supervise(call, Some(alice.clone()), Mode::Spy, Box::new(account("103")));
    bench.must("supervise_call", supervise).unwrap();
    let carol = bench.tag(2);
    bench.wait(10);
    bench.answers(&carol);
    bench.wait(20);

    bench.hangs_up(&alice);

    assert_eq!(
        charges(&bench),
        [
            "leg 1: 101 pays outgoing 101 → 102 30s",
            "leg 2: 102 pays incoming 101 → 102 30s",
            "leg 3: 103 pays incoming 101 → 103 20s",
        ]
    );
}

#[test]
fn an_account_is_not_charged_twice_for_a_leg_that_it_placed_to_itself() {
    let mut bench = Bench::new();
    let call = bench.trunk_calls(PSTN, "101");
    let (trunk, alice) = (bench.tag(0), bench.tag(1));
    bench.rings(&alice);
    let redirect = Action::Redirect(call.clone(), Some(alice), "101".to_owned());
    bench.must("redirect_call", redirect).unwrap();
    bench.resolve(&call, Ok(to_account("101")));
    let again = bench.tag(2);
    bench.answers(&again);
    bench.wait(20);

    bench.hangs_up(&trunk);

    assert_eq!(charges(&bench), ["leg 3: 101 pays incoming 12065550100 → 101 20s"]);
}

#[test]
fn a_living_legs_record_says_what_is_paid_for_it() {
    let (bench, ..) = Bench::talking();

    let [alice, bob] = [0, 1].map(|leg| bench.of(&bench.tag(leg)).last().copied().unwrap());

    for (view, payer) in [(alice, 1), (bob, 2)] {
        let [charged] = &view.charges[..] else { panic!("one charge: {view:?}") };
        assert_eq!((charged.payer, charged.running_since), (payer, Some(bench.now)));
        assert_eq!(charged.service, ChargedService::Voice);
        assert_eq!((charged.disconnect_cause, charged.duration), (0, Duration::ZERO));
    }
}

#[test]
fn every_call_is_accounted_for_when_the_node_stops() {
    let (mut bench, ..) = Bench::talking();
    bench.wait(5);

    let effects = bench.feed(Input::Stop);

    let accounts = effects.iter().filter(|effect| matches!(effect, Effect::Account(_)));
    assert_eq!(accounts.count(), 2);
    assert!(bench.charged.iter().all(|charged| charged.disconnect_cause == 503));
}

/// An application of 104 is asked to take a call.
fn offered(bench: &mut Bench) {
    bench.listeners(Listeners::Somebody(Duration::from_secs(10)));
    bench.wait(4);
}

#[test]
fn the_owner_pays_for_what_its_application_takes_until_it_hands_it_over() {
    let mut bench = Bench::new();
    let call = bench.trunk_calls_to(PSTN, "1733355700", visa_status(OnAppGone::Fallback));
    offered(&mut bench);
    bench.must("answer_call", Action::Answer(call.clone(), None)).unwrap();
    bench.wait(20);
    let hand_over = Action::TransferBlind(call.clone(), None, "101".to_owned());
    bench.must("transfer_call", hand_over).unwrap();
    bench.resolve(&call, Ok(to_account("101")));
    let (trunk, alice) = (bench.tag(0), bench.tag(1));
    bench.wait(5);
    bench.answers(&alice);
    bench.wait(30);

    bench.hangs_up(&trunk);

    assert_eq!(
        charges(&bench),
        [
            "leg 1: 104 pays incoming 12065550100 → 1733355700 25s",
            "leg 2: 101 pays incoming 12065550100 → 101 30s",
            "leg 2: 104 pays outgoing 12065550100 → 101 30s",
        ]
    );
}

#[test]
fn an_account_that_calls_an_access_number_pays_as_for_any_called_account() {
    let mut bench = Bench::new();
    let call = bench.phone_dials("101", "1733355700");
    bench.resolve(&call, Ok(visa_status(OnAppGone::Fallback)));
    offered(&mut bench);
    bench.must("answer_call", Action::Answer(call, None)).unwrap();
    bench.wait(20);

    let alice = bench.tag(0);
    bench.hangs_up(&alice);

    assert_eq!(
        charges(&bench),
        [
            "leg 1: 101 pays outgoing 101 → 1733355700 20s",
            "leg 1: 104 pays incoming 101 → 1733355700 20s",
        ]
    );
}

#[test]
fn a_call_that_no_application_takes_costs_nobody_anything() {
    let mut bench = Bench::new();
    bench.trunk_calls_to(PSTN, "1733355700", visa_status(OnAppGone::Fallback));
    bench.listeners(Listeners::Nobody);

    let trunk = bench.tag(0);
    bench.prompt_ends(&trunk);

    assert!(bench.customer.is_idle());
    assert!(charges(&bench).is_empty());
}
