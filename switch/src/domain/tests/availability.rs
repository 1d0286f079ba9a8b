//! What is told of phones while calls come and go.

use super::bench::{Bench, account, to_account};
use crate::domain::{Action, Input};

/// What was told since this was asked last, as `101 busy`.
fn told(bench: &mut Bench) -> Vec<String> {
    let told = std::mem::take(&mut bench.phones);
    told.into_iter().map(|(id, availability)| format!("{id} {availability}")).collect()
}

fn register(bench: &mut Bench, id: &str, is_registered: bool) {
    bench.feed(Input::Registered { account: account(id), is_registered });
}

#[test]
fn phones_ring_are_busy_and_free_again() {
    let mut bench = Bench::new();
    let call = bench.originate("101", "102");
    bench.resolve(&call, Ok(to_account("102")));
    assert!(told(&mut bench).is_empty(), "nothing rings yet");

    let alice = bench.tag(0);
    bench.rings(&alice);
    assert_eq!(told(&mut bench), ["101 ringing"]);
    bench.answers(&alice);
    assert_eq!(told(&mut bench), ["101 busy"]);

    let bob = bench.tag(1);
    bench.rings(&bob);
    assert_eq!(told(&mut bench), ["102 ringing"]);
    bench.answers(&bob);
    assert_eq!(told(&mut bench), ["102 busy"]);

    bench.must("hold_call", Action::Hold(call, Some(alice))).unwrap();
    assert!(told(&mut bench).is_empty(), "who holds is busy still");

    bench.hangs_up(&bob);
    assert_eq!(told(&mut bench), ["101 available", "102 available"]);
}

#[test]
fn a_phone_with_two_calls_is_free_after_the_second() {
    let (mut bench, _call, _alice, bob) = Bench::talking();
    let second = bench.trunk_calls("12065550100", "101");
    bench.resolve(&second, Ok(to_account("101")));
    let trunk = bench.tag(2);
    let ringing = bench.tag(3);
    bench.rings(&ringing);
    told(&mut bench);

    bench.hangs_up(&bob);
    assert_eq!(told(&mut bench), ["101 ringing", "102 available"]);
    bench.hangs_up(&trunk);
    assert_eq!(told(&mut bench), ["101 available"]);
}

#[test]
fn whoever_dials_is_busy_at_once() {
    let mut bench = Bench::new();
    let call = bench.phone_dials("101", "102");
    bench.resolve(&call, Ok(to_account("102")));

    assert_eq!(told(&mut bench), ["101 busy"]);
}

#[test]
fn a_phone_that_cannot_be_reached_is_told_so_unless_it_is_in_a_call() {
    let mut bench = Bench::new();
    register(&mut bench, "103", false);
    register(&mut bench, "103", false);
    assert_eq!(told(&mut bench), ["103 unregistered"]);
    register(&mut bench, "103", true);
    assert_eq!(told(&mut bench), ["103 available"]);

    let (mut bench, _call, _alice, bob) = Bench::talking();
    told(&mut bench);
    register(&mut bench, "102", false);
    assert!(told(&mut bench).is_empty());
    bench.hangs_up(&bob);
    assert_eq!(told(&mut bench), ["101 available", "102 unregistered"]);
}
