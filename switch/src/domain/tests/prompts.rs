//! Prompts and digits on the legs of calls.

use std::time::Duration;

use super::bench::{Bench, CUSTOMER, account_scope, support, to_account, to_group};
use crate::domain::{Action, CallId, DigitRules, Input, Media, Play, State, Tag};
use crate::driver::{Clip, Event, Op, PlaybackEnd, PlaybackId};

pub(super) fn play(call: &CallId, tag: Option<&Tag>) -> Action {
    let clip = Clip {
        name: "a.au".to_owned(),
        duration: Duration::from_secs(2),
        is_fetched: false,
        content: crate::driver::Content::default(),
    };
    let play =
        Play { media: Media::Clips(vec![clip]), repeat: 1, is_interruptible: true, callback: None };
    Action::Play(call.clone(), tag.cloned(), play)
}

fn collect(call: &CallId, tag: &Tag) -> Action {
    let rules = DigitRules {
        max_digits: 4,
        min_digits: 1,
        terminators: "#".to_owned(),
        first_digit: Duration::from_secs(10),
        inter_digit: Duration::from_secs(3),
        total: Duration::from_mins(1),
    };
    Action::Collect(call.clone(), Some(tag.clone()), rules)
}

/// The playback that the switch was told of last, and on which channel.
fn playback(bench: &Bench) -> (crate::driver::ChannelId, PlaybackId) {
    let played = bench.ops.iter().rev().find_map(|op| match op {
        Op::Play { channel, playback, .. } => Some((channel.clone(), playback.clone())),
        _ => None,
    });
    played.expect("something is played")
}

fn is_stopped(bench: &Bench, of: &PlaybackId) -> bool {
    bench.ops.iter().any(|op| matches!(op, Op::StopPlay { playback, .. } if playback == of))
}

fn key(bench: &mut Bench, tag: &Tag, digit: char) {
    bench.event(tag, |channel| Event::Digit { channel, digit });
}

#[test]
fn the_party_that_is_meant_hears_and_is_told_of() {
    for (scope, index) in [(CUSTOMER, 0), (account_scope("101"), 0), (account_scope("102"), 1)] {
        let (mut bench, call, ..) = Bench::talking();
        let tag = bench.tag(index);

        bench.command(scope, "play_prompt", play(&call, None)).unwrap().unwrap();
        let (channel, id) = playback(&bench);
        assert_eq!(channel, bench.channel(&tag));
        let end = PlaybackEnd::Completed;
        bench.event(&tag, |channel| Event::PlaybackEnded { channel, playback: id, end });

        assert_eq!(bench.ivr, [(tag, "prompt_playback_completed".to_owned())]);
    }
}

#[test]
fn digits_are_collected_until_their_time_is_over() {
    let (mut bench, call, alice, bob) = Bench::talking();
    bench.must("start_dtmf_detect", collect(&call, &bob)).unwrap();

    key(&mut bench, &bob, '4');
    key(&mut bench, &alice, '9');
    bench.pass(2_999);
    key(&mut bench, &bob, '2');
    bench.pass(2_999);
    assert_eq!(bench.ivr.len(), 3, "keys alone");
    bench.pass(1);

    let last = bench.ivr.last().unwrap();
    assert_eq!(*last, (bob, "input_collected 42 inter_digit_timeout".to_owned()));
    assert_eq!(bench.customer.next_deadline(), None);
}

#[test]
fn the_end_of_a_leg_is_that_of_its_dialogue_and_told_first() {
    let (mut bench, call, alice, bob) = Bench::talking();
    bench.must("play_prompt", play(&call, Some(&alice))).unwrap();
    bench.must("start_dtmf_detect", collect(&call, &alice)).unwrap();
    let (_, id) = playback(&bench);

    let effects = bench.feed(Input::Channel(Event::Ended {
        channel: bench.channel(&bob),
        cause: crate::driver::Cause::HungUp,
    }));

    let told: Vec<_> = bench.ivr.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(told, ["prompt_playback_interrupted", "input_timeout  call_ended"]);
    let first_state =
        effects.iter().position(|effect| matches!(effect, crate::domain::Effect::Tell(_)));
    let last_ivr =
        effects.iter().rposition(|effect| matches!(effect, crate::domain::Effect::TellIvr { .. }));
    assert!(last_ivr < first_state, "{effects:?}");
    assert!(!is_stopped(&bench, &id), "it ends with its channel");
    assert!(bench.customer.is_idle());
}

#[test]
fn whoever_waits_and_is_put_through_hears_no_prompt_any_more() {
    let mut bench = Bench::new();
    let call = bench.trunk_calls_to("12065550100", "340", to_group(&support(&["102"])));
    let (caller, agent) = (bench.tag(0), bench.tag(1));
    assert_eq!(bench.state(&caller), State::Queued);
    bench.must("play_prompt", play(&call, Some(&caller))).unwrap();
    let (_, id) = playback(&bench);

    bench.rings(&agent);
    assert!(!is_stopped(&bench, &id));
    bench.answers(&agent);

    assert_eq!(bench.state(&caller), State::Connected);
    assert!(is_stopped(&bench, &id));
    assert_eq!(bench.ivr, [(caller.clone(), "prompt_playback_interrupted".to_owned())]);
    // One that begins afterwards is heard, also through a hold.
    bench.must("play_prompt", play(&call, Some(&caller))).unwrap();
    let (_, id) = playback(&bench);
    bench.must("hold_call", Action::Hold(call, Some(agent))).unwrap();
    assert!(!is_stopped(&bench, &id));
}

#[test]
fn a_leg_that_moves_to_another_call_leaves_its_dialogue_behind() {
    let (mut bench, first, alice, _) = Bench::talking();
    let second = bench.phone_dials("101", "103");
    bench.resolve(&second, Ok(to_account("103")));
    let carol = bench.tag(3);
    bench.answers(&carol);
    bench.must("play_prompt", play(&second, Some(&carol))).unwrap();
    bench.must("start_dtmf_detect", collect(&second, &carol)).unwrap();
    let (_, id) = playback(&bench);

    let transfer = Action::TransferAttended(first.clone(), Some(alice), second);
    bench.must("transfer_call", transfer).unwrap();

    assert!(is_stopped(&bench, &id));
    let told: Vec<_> = bench.ivr.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(told, ["prompt_playback_interrupted", "input_timeout  call_ended"]);
    bench.must("start_dtmf_detect", collect(&first, &carol)).unwrap();
    bench.pass(10_000);
    assert_eq!(bench.ivr.last().unwrap().1, "input_timeout  first_digit_timeout");
}

#[test]
fn what_is_fetched_for_a_call_that_is_over_is_of_no_interest() {
    let (mut bench, call, alice, _) = Bench::talking();
    let media = Media::Url("http://a/".to_owned());
    let play = Play { media, repeat: 1, is_interruptible: false, callback: None };
    let action = Action::Play(call.clone(), Some(alice.clone()), play);
    bench.must("play", action).unwrap();
    bench.hangs_up(&alice);
    bench.look_away();

    let playback = PlaybackId("any".to_owned());
    bench.feed(Input::Fetched { call_id: call, tag: alice, playback, clip: None });

    assert!(bench.told.is_empty() && bench.ops.is_empty());
    assert_eq!(bench.ivr.len(), 1);
}
