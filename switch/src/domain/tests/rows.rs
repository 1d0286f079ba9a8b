//! The scenarios of the contract's table, row by row.

use super::bench::{Bench, account, to_account, to_pstn};
use crate::domain::{Party, ResolveFailure, Route, State};
use crate::driver::{Endpoint, Op, Shown};

#[test]
fn an_originated_call_rings_the_own_phone_first_and_then_the_other() {
    let mut bench = Bench::new();

    let call = bench.originate("101", "102");
    assert!(bench.dialled().is_empty(), "nothing rings before the call is allowed");
    bench.resolve(&call, Ok(to_account("102")));
    let alice = bench.tag(0);
    bench.rings(&alice);
    assert_eq!(bench.tags().len(), 1, "102 is dialled when 101 has picked up");
    bench.answers(&alice);
    let bob = bench.tag(1);
    bench.rings(&bob);
    bench.answers(&bob);
    bench.hangs_up(&bob);

    assert_eq!(
        bench.rows(),
        [
            "101 | 101 → 102 | outgoing | false | trying ringing early connected terminated \
             (487 BYE Received)",
            "102 | 101 → 102 | incoming | false | trying ringing connected terminated \
             (487 BYE Received)",
        ]
    );
    let phone = |id: &str| Endpoint::Phone { account_id: id.to_owned() };
    assert_eq!(bench.dialled(), [phone("101"), phone("102")]);
}

#[test]
fn an_originated_call_to_the_pstn_goes_out_over_the_trunk_under_the_caller_id() {
    let mut bench = Bench::new();

    let call = bench.originate_as("101", "12065550100", Some("18005550199"));
    bench.resolve(&call, Ok(to_pstn("12065550100")));
    let alice = bench.tag(0);
    bench.rings(&alice);
    bench.answers(&alice);
    let trunk = bench.tag(1);
    bench.rings(&trunk);
    bench.answers(&trunk);

    assert_eq!(
        bench.rows(),
        [
            "101 | 101 → 12065550100 | outgoing | false | trying ringing early connected",
            "trunk | 101 (18005550199) → 12065550100 | outgoing | true | trying ringing connected",
        ]
    );
    let shown = bench.ops.iter().find_map(|op| match op {
        Op::Dial { endpoint: Endpoint::Trunk { .. }, shown, .. } => Some(shown.clone()),
        _ => None,
    });
    let expected = Shown { number: "18005550199".to_owned(), name: "Name 101".to_owned() };
    assert_eq!(shown, Some(expected));
}

#[test]
fn a_phone_that_dials_is_early_until_the_other_answers() {
    let mut bench = Bench::new();

    let call = bench.phone_dials("101", "102");
    bench.resolve(&call, Ok(to_account("102")));
    let bob = bench.tag(1);
    bench.rings(&bob);
    bench.answers(&bob);

    assert_eq!(
        bench.rows(),
        [
            "101 | 101 → 102 | outgoing | false | trying early connected",
            "102 | 101 → 102 | incoming | false | trying ringing connected",
        ]
    );
    let answered = bench.channel(&bench.tag(0));
    assert!(bench.ops.contains(&Op::Ring { channel: answered.clone() }), "it hears that it rings");
    assert!(bench.ops.contains(&Op::Answer { channel: answered }));
}

#[test]
fn a_call_from_the_trunk_is_external_on_its_own_leg_only() {
    let mut bench = Bench::new();

    bench.trunk_calls("12065550100", "101");
    let alice = bench.tag(1);
    bench.rings(&alice);
    bench.answers(&alice);

    assert_eq!(
        bench.rows(),
        [
            "trunk | 12065550100 → 101 | incoming | true | trying early connected",
            "101 | 12065550100 → 101 | incoming | false | trying ringing connected",
        ]
    );
    assert_eq!(bench.told[0].caller.name, "Mary Smith");
    assert_eq!(bench.told[0].callee, Party::account(&account("101")));
}

#[test]
fn a_call_without_credit_ends_before_anything_rings() {
    for dials in [false, true] {
        let mut bench = Bench::new();

        let call =
            if dials { bench.phone_dials("105", "102") } else { bench.originate("105", "102") };
        bench.resolve(&call, Err(ResolveFailure::NotAllowed));

        assert_eq!(
            bench.rows(),
            ["105 | 105 → 102 | outgoing | false | trying terminated (403 Auth Failed)"]
        );
        assert!(bench.dialled().is_empty());
    }
}

#[test]
fn a_call_from_the_trunk_to_a_number_that_leads_nowhere_is_told_and_ends() {
    let mut bench = Bench::new();

    bench.trunk_calls_to("12065550100", "1733355700", Route::Nowhere);

    assert_eq!(
        bench.rows(),
        ["trunk | 12065550100 → 1733355700 | incoming | true | trying terminated (404 Not Found)"]
    );
    assert!(bench.customer.is_idle());
}

#[test]
fn a_call_to_an_unknown_number_ends_before_anything_rings() {
    for dials in [false, true] {
        let mut bench = Bench::new();

        let call =
            if dials { bench.phone_dials("101", "999") } else { bench.originate("101", "999") };
        bench.resolve(&call, Ok(Route::Nowhere));

        assert_eq!(
            bench.rows(),
            ["101 | 101 → 999 | outgoing | false | trying terminated (404 Not Found)"]
        );
        assert!(bench.dialled().is_empty());
    }
}

#[test]
fn a_call_ends_when_the_directory_does_not_answer() {
    let mut bench = Bench::new();

    let call = bench.phone_dials("101", "102");
    bench.resolve(&call, Err(ResolveFailure::Unavailable));

    assert_eq!(
        bench.rows(),
        ["101 | 101 → 102 | outgoing | false | trying terminated (503 Service Unavailable)"]
    );
}

#[test]
fn a_far_end_that_refuses_ends_both_legs_with_its_reason() {
    for (code, text) in [(486, "Busy Here"), (603, "Decline"), (480, "Temporarily Unavailable")] {
        for (rings, states) in [(false, "trying"), (true, "trying ringing")] {
            let mut bench = Bench::new();
            let call = bench.phone_dials("101", "102");
            bench.resolve(&call, Ok(to_account("102")));
            let bob = bench.tag(1);

            if rings {
                bench.rings(&bob);
            }
            bench.refuses(&bob, code);

            assert_eq!(
                bench.rows(),
                [
                    format!(
                        "101 | 101 → 102 | outgoing | false | trying early terminated \
                         ({code} {text})"
                    ),
                    format!(
                        "102 | 101 → 102 | incoming | false | {states} terminated ({code} {text})"
                    ),
                ]
            );
        }
    }
}

#[test]
fn an_own_phone_that_refuses_ends_the_originated_call() {
    for (code, text) in [(486, "Busy Here"), (603, "Decline"), (480, "Temporarily Unavailable")] {
        let mut bench = Bench::new();
        let call = bench.originate("101", "102");
        bench.resolve(&call, Ok(to_account("102")));

        bench.refuses(&bench.tag(0), code);

        let row = format!("101 | 101 → 102 | outgoing | false | trying terminated ({code} {text})");
        assert_eq!(bench.rows(), [row]);
        assert_eq!(bench.over, [call]);
    }
}

#[test]
fn a_call_is_told_when_it_is_known_whom_it_reaches() {
    let mut bench = Bench::new();

    let call = bench.phone_dials("101", "102");
    assert!(bench.told.is_empty());
    bench.resolve(&call, Ok(to_account("102")));

    assert_eq!(bench.told[0].state, State::Trying);
    assert_eq!(bench.told[0].callee, Party::account(&account("102")));
}
