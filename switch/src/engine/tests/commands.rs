//! The way of commands.

use std::sync::Arc;
use std::time::Duration;

use super::bench::{Bench, OWNER};
use crate::domain::{Action, CallId, Cause, Command, Refusal};
use crate::engine::Rejection;

fn with_request_id(mut command: Command) -> Command {
    command.cause = Cause { request_id: Some("r1".to_owned()), ..command.cause };
    command
}

#[tokio::test(start_paused = true)]
async fn a_command_on_an_unknown_call_finds_none() {
    let bench = Bench::new();
    let call = CallId("node-1.unknown".to_owned());

    let outcome = bench.command(Action::Get(call.clone())).await;

    let Err(Rejection::Refused(refusal)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(refusal, Refusal::CallNotFound(call));
}

#[tokio::test(start_paused = true)]
async fn a_command_repeated_with_its_request_id_gets_the_first_outcome_for_ever() {
    let bench = Bench::new();
    let command = with_request_id(bench.command_of(bench.originate("101", "102")));
    let carry_out = |command: Command| bench.engine.command(command, Some(OWNER), String::new());

    let first = carry_out(command.clone()).await.unwrap().unwrap();
    let call = first.legs[0].call_id.clone();
    let second = carry_out(command.clone()).await.unwrap().unwrap();
    bench.command(Action::Terminate(call, None, None)).await.unwrap().unwrap();
    let third = carry_out(command).await.unwrap().unwrap();

    assert_eq!((&second, &third), (&first, &first));
    bench.nothing_is_left().await;
    assert!(bench.switch.dialled("101").len() <= 1);
}

#[tokio::test(start_paused = true)]
async fn a_command_under_way_is_joined() {
    for has_request_id in [false, true] {
        let bench = Bench::new();
        let (_, alice, _) = bench.talking().await;
        bench.switch.slow_down(&alice, Duration::from_secs(1));
        let call = bench.engine.0.shared.calls().remove(0);
        let mut command = bench.command_of(Action::Hold(call, None));
        if has_request_id {
            command = with_request_id(command);
        }

        let carry_out = || bench.engine.command(command.clone(), None, String::new());
        let (first, second) = tokio::join!(carry_out(), carry_out());

        assert_eq!(first.unwrap(), second.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn the_outcome_is_kept_though_the_asker_goes_away() {
    let bench = Bench::new();
    bench.book.close();
    let command = with_request_id(bench.command_of(bench.originate("101", "102")));

    let asking = bench.engine.command(command.clone(), Some(OWNER), String::new());
    tokio::time::timeout(Duration::from_millis(1), asking).await.ok();
    bench.book.open();
    let outcome = bench.engine.command(command, Some(OWNER), String::new()).await;

    assert_eq!(outcome.unwrap().unwrap().legs.len(), 1);
    bench.ringing("101", 0).await;
    assert_eq!(bench.engine.load(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_command_whose_asker_is_gone_before_its_turn_is_not_carried_out() {
    let bench = Arc::new(Bench::new());
    let (call, ..) = bench.talking().await;

    {
        let asking = bench.command(Action::Terminate(call.clone(), None, None));
        // Polled once: the order is queued, and nobody waits any more.
        assert!(futures::FutureExt::now_or_never(asking).is_none());
    }
    tokio::time::sleep(Duration::from_secs(1)).await;

    assert!(bench.command(Action::Get(call)).await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn commands_beyond_the_bound_are_refused_until_there_is_room() {
    let bench = Bench::new();
    let (call, ..) = bench.talking().await;

    let asking: Vec<_> = (0..40).map(|_| bench.command(Action::Get(call.clone()))).collect();
    let outcomes = futures::future::join_all(asking).await;

    let busy = outcomes.iter().filter(|outcome| matches!(outcome, Err(Rejection::Busy))).count();
    assert_eq!(busy, 40 - 16);
    assert!(bench.command(Action::Get(call)).await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn commands_go_on_while_the_store_is_away() {
    let bench = Bench::new();
    let (call, ..) = bench.talking().await;
    bench.ledger.set_reachable(false);

    for action in [
        Action::Hold(call.clone(), None),
        Action::Resume(call.clone(), None),
        bench.originate("103", "104"),
        Action::Terminate(call, None, None),
    ] {
        let outcome = tokio::time::timeout(Duration::from_secs(1), bench.command(action)).await;
        assert!(outcome.expect("in time").unwrap().is_ok());
    }
    assert!(!bench.engine.store_is_flowing());
}
