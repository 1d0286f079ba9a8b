//! Nobody takes a call: its party hears the fallback prompt and is released.

use super::{SOMEBODY, answer, arriving, hears_fallback, ringing, states};
use crate::domain::tests::bench::wrong_state;
use crate::domain::{Listeners, OnAppGone, State};
use crate::driver::Op;

#[test]
fn nobody_listens_so_the_caller_hears_the_fallback_prompt() {
    let (mut bench, call, trunk) = arriving(OnAppGone::Fallback);

    bench.listeners(Listeners::Nobody);

    assert_eq!(bench.state(&trunk), State::Early);
    assert!(hears_fallback(&bench, &trunk));
    let late = bench.must("answer_call", answer(&call));
    assert_eq!(late, wrong_state(State::Early, &[State::Ringing]));
    bench.pass(3_000);
    assert_eq!(bench.state(&trunk), State::Early, "the prompt has not ended");
    bench.prompt_ends(&trunk);
    assert_eq!(
        bench.rows(),
        ["trunk | 12065550100 → 104 (1733355700) | incoming | true | trying early terminated \
          (480 Temporarily Unavailable)"]
    );
    assert!(!bench.ops.iter().any(|op| matches!(op, Op::Answer { .. })), "it costs nothing");
    assert!(bench.customer.is_idle());
}

#[test]
fn a_fallback_prompt_whose_end_is_never_told_is_not_waited_for_long() {
    let (mut bench, _, trunk) = arriving(OnAppGone::Fallback);
    bench.listeners(Listeners::Nobody);

    bench.pass(6_900);
    assert_eq!(bench.state(&trunk), State::Early);
    bench.pass(100);

    assert_eq!(states(&bench, &trunk), ["trying", "early", "terminated"]);
    assert!(bench.customer.is_idle());
}

#[test]
fn without_a_fallback_prompt_the_caller_is_released_at_once() {
    let (mut bench, _, trunk) = arriving(OnAppGone::Fallback);
    bench.prompts = false;

    bench.listeners(Listeners::Nobody);

    assert_eq!(states(&bench, &trunk), ["trying", "early", "terminated"]);
    assert!(bench.customer.is_idle());
}

#[test]
fn who_does_not_answer_in_ten_seconds_is_too_late() {
    let (mut bench, call, trunk) = ringing();

    bench.pass_while(9_900, SOMEBODY);
    assert_eq!(bench.state(&trunk), State::Ringing);
    bench.pass_while(100, SOMEBODY);

    assert_eq!(bench.state(&trunk), State::Early);
    assert!(hears_fallback(&bench, &trunk));
    let late = bench.must("answer_call", answer(&call));
    assert_eq!(late, wrong_state(State::Early, &[State::Ringing]));
    bench.prompt_ends(&trunk);
    assert_eq!(states(&bench, &trunk), ["trying", "ringing", "early", "terminated"]);
    assert!(bench.customer.is_idle());
}
