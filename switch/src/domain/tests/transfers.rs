//! Handing a conversation over to somebody who is dialled for it.

use super::bench::{Bench, account, cause, to_account, to_pstn, wrong_state};
use crate::domain::{Action, CallId, Mode, ResolveFailure, Route, State, Tag};
use crate::driver::{Endpoint, Source};

const TALKING: &[State] = &[State::Connected, State::Held, State::Holding];

/// The trunk and 101 talk.
fn from_the_trunk() -> (Bench, CallId, Tag, Tag) {
    let mut bench = Bench::new();
    let call = bench.trunk_calls("12065550100", "101");
    let (trunk, alice) = (bench.tag(0), bench.tag(1));
    bench.rings(&alice);
    bench.answers(&alice);
    (bench, call, trunk, alice)
}

fn blind(call: &CallId, transferor: &Tag) -> Action {
    Action::TransferBlind(call.clone(), Some(transferor.clone()), "102".to_owned())
}

/// The trunk is being transferred by 101 to 102, whose phone is dialled.
fn transferring() -> (Bench, CallId, [Tag; 3]) {
    let (mut bench, call, trunk, alice) = from_the_trunk();
    bench.must("transfer_call", blind(&call, &alice)).unwrap();
    bench.resolve(&call, Ok(to_account("102")));
    let bob = bench.tag(2);
    (bench, call, [trunk, alice, bob])
}

fn reason_of(bench: &Bench, tag: &Tag) -> (u16, String) {
    let reason = bench.of(tag).last().unwrap().reason.clone().unwrap();
    (reason.code, reason.text)
}

fn states(bench: &Bench, tag: &Tag) -> Vec<&'static str> {
    bench.of(tag).iter().map(|view| view.state.name()).collect()
}

#[test]
fn a_blind_transfer_goes_through_the_states_of_the_contract() {
    let (mut bench, call, [trunk, alice, bob]) = transferring();
    bench.rings(&bob);

    bench.answers(&bob);

    assert_eq!(
        bench.rows(),
        [
            "trunk | 12065550100 → 102 | incoming | true | \
             trying early connected early connected",
            "101 | 12065550100 → 101 | incoming | false | \
             trying ringing connected transferred terminated (200 Call Transferred)",
            "102 | 12065550100 → 102 | incoming | false | trying ringing connected",
        ]
    );
    assert_eq!(bench.customer.live_legs(), 2);
    let parties = |tag: &Tag| Source::Parties([bench.channel(tag)].into());
    assert_eq!((bench.hears(&trunk), bench.hears(&bob)), (parties(&bob), parties(&trunk)));
    assert_eq!(bench.state(&alice), State::Terminated);
    assert!(bench.told.iter().all(|view| view.call_id == call));
}

#[test]
fn the_conversation_has_a_new_tracking_id_from_the_answer_of_the_target_on() {
    let (mut bench, call, trunk, alice) = from_the_trunk();
    let old = bench.told[0].tracking_id.clone();

    let done = bench.must("transfer_call", blind(&call, &alice)).unwrap();
    let (new, previous) = done.tracking.unwrap();
    assert_eq!(previous, old);
    assert_ne!(new, old);
    bench.resolve(&call, Ok(to_account("102")));
    let bob = bench.tag(2);
    assert!(bench.told.iter().all(|view| view.tracking_id == old));
    bench.answers(&bob);

    for tag in [&trunk, &bob] {
        let last = bench.of(tag).last().copied().unwrap().clone();
        assert_eq!((last.tracking_id, last.previous_tracking_id), (new.clone(), Some(old.clone())));
    }
    assert!(bench.of(&alice).iter().all(|view| view.tracking_id == old));
}

#[test]
fn the_transferor_waits_unheard_while_the_other_hears_the_ringing() {
    let (bench, _, [trunk, alice, _]) = transferring();

    assert_eq!((bench.state(&trunk), bench.state(&alice)), (State::Early, State::Connected));
    assert_eq!((bench.hears(&trunk), bench.hears(&alice)), (Source::Ringback, Source::Silence));
}

#[test]
fn every_event_of_a_transfer_names_the_command_that_caused_it() {
    let (mut bench, call, trunk, alice) = from_the_trunk();
    bench.look_away();

    bench.must("transfer_call", blind(&call, &alice)).unwrap();
    bench.resolve(&call, Ok(to_account("102")));
    let bob = bench.tags().into_iter().find(|tag| *tag != trunk && *tag != alice).unwrap();
    bench.answers(&bob);

    assert_eq!(bench.told.len(), 6);
    let expected = Some(cause("transfer_call"));
    assert!(bench.told.iter().all(|view| view.caused_by == expected));
}

#[test]
fn the_calling_party_may_hand_over_whom_it_called() {
    let mut bench = Bench::new();
    let call = bench.phone_dials("101", "12065550100");
    bench.resolve(&call, Ok(to_pstn("12065550100")));
    let (alice, trunk) = (bench.tag(0), bench.tag(1));
    bench.answers(&trunk);

    bench.must("transfer_call", blind(&call, &alice)).unwrap();
    assert_eq!(bench.resolves.last().unwrap(), &(call.clone(), 1, "102".to_owned()));
    bench.resolve(&call, Ok(to_account("102")));
    bench.answers(&bench.tag(2));

    assert_eq!(
        bench.rows(),
        [
            "101 | 101 → 12065550100 | outgoing | false | \
             trying early connected transferred terminated (200 Call Transferred)",
            "trunk | 12065550100 → 102 | outgoing | true | trying connected early connected",
            "102 | 12065550100 → 102 | incoming | false | trying connected",
        ]
    );
}

#[test]
fn a_target_that_refuses_brings_the_earlier_conversation_back() {
    let targets = [
        (486, "Busy Here"),
        (603, "Decline"),
        (480, "Temporarily Unavailable"),
        (404, "Not Found"),
    ];
    for (code, text) in targets {
        let (mut bench, _, [trunk, alice, bob]) = transferring();
        let tracking_id = bench.told[0].tracking_id.clone();

        bench.refuses(&bob, code);

        assert_eq!(states(&bench, &trunk), ["trying", "early", "connected", "early", "connected"],);
        assert_eq!(states(&bench, &alice), ["trying", "ringing", "connected", "connected"]);
        for tag in [&trunk, &alice] {
            assert_eq!(reason_of(&bench, tag), (code, text.to_owned()));
            let last = bench.of(tag).last().copied().unwrap().clone();
            assert_eq!(last.caused_by, Some(cause("transfer_call")));
            assert_eq!((last.tracking_id, last.previous_tracking_id), (tracking_id.clone(), None));
        }
        assert_eq!((bench.state(&bob), reason_of(&bench, &bob).0), (State::Terminated, code));
        let parties = Source::Parties([bench.channel(&alice)].into());
        assert_eq!(bench.hears(&trunk), parties);
    }
}

#[test]
fn a_target_that_the_directory_does_not_give_brings_the_earlier_conversation_back() {
    let answers = [
        (Ok(Route::Nowhere), 404),
        (Err(ResolveFailure::NotAllowed), 403),
        (Err(ResolveFailure::Unavailable), 503),
    ];
    for (answer, code) in answers {
        let (mut bench, call, trunk, alice) = from_the_trunk();
        bench.must("transfer_call", blind(&call, &alice)).unwrap();

        bench.resolve(&call, answer);

        for tag in [&trunk, &alice] {
            assert_eq!((bench.state(tag), reason_of(&bench, tag).0), (State::Connected, code));
        }
        assert_eq!(bench.tags().len(), 2);
        let again = bench.must("transfer_call", blind(&call, &alice));
        assert!(again.is_ok(), "it may be tried again");
    }
}

#[test]
fn a_target_that_does_not_answer_in_time_brings_the_earlier_conversation_back() {
    let (mut bench, _, [trunk, _, bob]) = transferring();
    bench.rings(&bob);

    bench.wait(60);
    bench.feed(crate::domain::Input::Tick);

    assert_eq!(reason_of(&bench, &bob), (480, "Temporarily Unavailable".to_owned()));
    assert_eq!((bench.state(&trunk), reason_of(&bench, &trunk).0), (State::Connected, 480));
    assert_eq!(bench.customer.next_deadline(), None);
}

#[test]
fn a_hold_is_as_before_when_the_transfer_fails_and_gone_when_it_succeeds() {
    for answers in [false, true] {
        let (mut bench, call, trunk, alice) = from_the_trunk();
        bench.must("hold_call", Action::Hold(call.clone(), Some(alice.clone()))).unwrap();
        bench.must("transfer_call", blind(&call, &alice)).unwrap();
        bench.resolve(&call, Ok(to_account("102")));
        let bob = bench.tag(2);
        assert_eq!((bench.state(&trunk), bench.state(&alice)), (State::Early, State::Holding));

        if answers {
            bench.answers(&bob);
            assert_eq!(
                (bench.state(&trunk), bench.state(&bob)),
                (State::Connected, State::Connected)
            );
        } else {
            bench.refuses(&bob, 486);
            assert_eq!((bench.state(&trunk), bench.state(&alice)), (State::Held, State::Holding));
            assert_eq!(reason_of(&bench, &alice), (486, "Busy Here".to_owned()));
            assert_eq!(
                (bench.hears(&trunk), bench.hears(&alice)),
                (Source::Music, Source::Silence)
            );
        }
    }
}

#[test]
fn a_transferor_that_hangs_up_leaves_the_transfer_to_go_on() {
    let (mut bench, _, [trunk, alice, bob]) = transferring();

    bench.hangs_up(&alice);
    assert_eq!(reason_of(&bench, &alice), (487, "BYE Received".to_owned()));
    assert_eq!(bench.state(&trunk), State::Early);
    bench.answers(&bob);

    assert_eq!((bench.state(&trunk), bench.state(&bob)), (State::Connected, State::Connected));
    let last = bench.of(&trunk).last().copied().unwrap();
    assert!(last.previous_tracking_id.is_some());
}

#[test]
fn a_transfer_that_fails_when_the_transferor_has_gone_ends_the_call() {
    let (mut bench, call, [trunk, alice, bob]) = transferring();
    bench.hangs_up(&alice);

    bench.refuses(&bob, 486);

    for tag in [&trunk, &bob] {
        assert_eq!((bench.state(tag), reason_of(&bench, tag).0), (State::Terminated, 486));
    }
    assert_eq!(bench.over, [call]);
    assert!(bench.customer.is_idle());
}

#[test]
fn a_party_that_hangs_up_while_it_is_transferred_ends_the_call() {
    for is_resolved in [false, true] {
        let (mut bench, call, trunk, alice) = from_the_trunk();
        bench.must("transfer_call", blind(&call, &alice)).unwrap();
        if is_resolved {
            bench.resolve(&call, Ok(to_account("102")));
        }

        bench.hangs_up(&trunk);
        bench.resolve(&call, Ok(to_account("102")));

        for tag in bench.tags() {
            assert_eq!(reason_of(&bench, &tag), (487, "BYE Received".to_owned()));
        }
        assert_eq!(bench.over, [call]);
        assert!(bench.customer.is_idle());
    }
}

#[test]
fn terminating_the_targets_leg_calls_the_transfer_off() {
    let (mut bench, call, [trunk, alice, bob]) = transferring();

    let terminate = Action::Terminate(call, Some(bob.clone()), None);
    bench.must("terminate_call", terminate).unwrap();

    assert_eq!(bench.state(&bob), State::Terminated);
    for tag in [&trunk, &alice, &bob] {
        let last = bench.of(tag).last().copied().unwrap().clone();
        assert_eq!(last.reason.unwrap().code, 487);
        assert_eq!(last.caused_by, Some(cause("terminate_call")));
    }
    assert_eq!((bench.state(&trunk), bench.state(&alice)), (State::Connected, State::Connected));
}

#[test]
fn terminating_without_a_tag_ends_a_transfer_as_a_whole() {
    let (mut bench, call, _) = transferring();

    bench.must("terminate_call", Action::Terminate(call.clone(), None, None)).unwrap();

    assert_eq!(bench.over, [call]);
    assert!(bench.customer.is_idle());
}

#[test]
fn what_two_talking_parties_may_do_is_refused_while_one_is_transferred() {
    let (mut bench, call, [trunk, alice, bob]) = transferring();
    bench.look_away();
    let supervisor = || Box::new(account("104"));
    let early = wrong_state(State::Early, TALKING);

    for action in [
        blind(&call, &alice),
        Action::Park(call.clone(), Some(alice.clone()), None),
        Action::Supervise(call.clone(), Some(alice), Mode::Spy, supervisor()),
        blind(&call, &trunk),
        Action::Hold(call.clone(), Some(trunk)),
    ] {
        assert_eq!(bench.must("any", action.clone()), early, "{action:?}");
    }
    let trying = wrong_state(State::Trying, TALKING);
    assert_eq!(bench.must("any", blind(&call, &bob)), trying);
    assert!(bench.told.is_empty() && bench.ops.is_empty());
}

#[test]
fn a_transfer_is_answered_by_command_too() {
    let (mut bench, call, [trunk, _, bob]) = transferring();
    bench.rings(&bob);

    let later = bench.command(super::bench::CUSTOMER, "answer_call", Action::Answer(call, None));
    assert_eq!(later, None);
    bench.answers(&bob);

    assert!(bench.replies.last().unwrap().1.is_ok());
    assert_eq!(bench.state(&trunk), State::Connected);
}

#[test]
fn a_transfer_between_two_numbers_outside_is_paid_by_who_paid_last() {
    let (mut bench, call, trunk, alice) = from_the_trunk();
    bench.must("transfer_call", blind(&call, &alice)).unwrap();
    bench.resolve(&call, Ok(to_pstn("12065550199")));
    bench.answers(&bench.tag(2));

    bench.must("transfer_call", blind(&call, &trunk)).unwrap();

    assert_eq!(bench.resolves.last().unwrap().1, 1, "101 has handed it over");
}

#[test]
fn a_call_may_be_transferred_again_and_again() {
    let (mut bench, call, [trunk, _, bob]) = transferring();
    bench.answers(&bob);
    let first = bench.of(&trunk).last().unwrap().tracking_id.clone();

    let again = Action::TransferBlind(call.clone(), Some(bob), "103".to_owned());
    bench.must("transfer_call", again).unwrap();
    bench.resolve(&call, Ok(to_account("103")));
    bench.answers(&bench.tag(3));

    let last = bench.of(&trunk).last().copied().unwrap().clone();
    assert_eq!(last.previous_tracking_id, Some(first));
    assert_eq!(last.callee.number, "103");
    let phone = |id: &str| Endpoint::Phone { account_id: id.to_owned() };
    assert_eq!(bench.dialled(), [phone("101"), phone("102"), phone("103")]);
}
