//! Recording a call, from its begin to its end.

use super::bench::{Bench, cause, to_account};
use crate::domain::{Action, CallId, State, Tag};
use crate::driver::{ChannelId, Event, Op, RecordingId};

fn record(bench: &mut Bench, call: &CallId, tag: &Tag) {
    bench.must("start_recording", Action::Record(call.clone(), Some(tag.clone()))).unwrap();
}

/// What the switch was told to record, with its channel.
fn records(bench: &Bench) -> Vec<(ChannelId, RecordingId)> {
    let of = |op: &Op| match op {
        Op::Record { channel, recording } => Some((channel.clone(), recording.clone())),
        _ => None,
    };
    bench.ops.iter().filter_map(of).collect()
}

fn is_active(bench: &Bench, tag: &Tag) -> Option<bool> {
    bench.of(tag).last().unwrap().recording.as_ref().map(|recording| recording.is_active)
}

#[test]
fn a_recording_is_told_of_when_it_begins_and_ends_and_kept_once() {
    let (mut bench, call, alice, bob) = Bench::talking();
    bench.look_away();

    record(&mut bench, &call, &alice);
    record(&mut bench, &call, &bob);
    let recorded = records(&bench);
    assert_eq!(recorded.len(), 1, "repeating it is no error and does nothing");
    assert_eq!(recorded[0].0, bench.channel(&alice));
    let begun = bench.told.clone();
    assert_eq!((begun.len(), begun[0].state), (1, State::Connected));
    assert_eq!(begun[0].caused_by, Some(cause("start_recording")));
    assert_eq!(is_active(&bench, &alice), Some(true));
    bench.wait(7);
    // Whichever leg is named: the call is meant.
    let stop = || Action::StopRecord(call.clone(), Some(bob.clone()));
    bench.must("stop_recording", stop()).unwrap();
    bench.must("stop_recording", stop()).unwrap();

    assert_eq!(is_active(&bench, &alice), Some(false));
    assert_eq!(bench.told.len(), 2);
    let [kept] = &bench.recorded[..] else { panic!("{:?}", bench.recorded) };
    assert_eq!((&kept.id, &kept.call_id, &kept.tag), (&recorded[0].1, &call, &alice));
    assert_eq!(kept.account_id.as_deref(), Some("101"));
    assert_eq!(kept.ended.since(kept.begun).as_secs(), 7);
    let stopped = Op::StopRecord { channel: bench.channel(&alice), recording: kept.id.clone() };
    assert!(bench.ops.contains(&stopped));
    assert_eq!(kept.id.path(1), format!("1/{}.wav", kept.id.0));
}

#[test]
fn it_ends_with_the_call_and_its_last_event_names_it() {
    let (mut bench, call, alice, bob) = Bench::talking();
    record(&mut bench, &call, &alice);

    bench.hangs_up(&bob);

    assert_eq!(bench.state(&alice), State::Terminated);
    assert_eq!(is_active(&bench, &alice), Some(false));
    let names: Vec<_> = bench.charged.iter().map(|it| (it.payer, it.recording.clone())).collect();
    let id = bench.recorded[0].id.clone();
    assert!(names.contains(&(1, Some(id))) && names.contains(&(2, None)), "{names:?}");
    assert_eq!(bench.recorded.len(), 1);
    assert!(bench.ops.iter().all(|op| !matches!(op, Op::StopRecord { .. })), "it ends by itself");
}

#[test]
fn it_goes_on_with_the_party_that_stays() {
    let mut bench = Bench::new();
    let call = bench.trunk_calls("12065550100", "101");
    let (trunk, alice) = (bench.tag(0), bench.tag(1));
    bench.answers(&alice);
    record(&mut bench, &call, &alice);

    let blind = Action::TransferBlind(call.clone(), Some(alice.clone()), "102".to_owned());
    bench.must("transfer_call", blind).unwrap();
    bench.resolve(&call, Ok(to_account("102")));
    let bob = bench.tag(2);
    bench.answers(&bob);

    assert_eq!((bench.state(&alice), bench.state(&bob)), (State::Terminated, State::Connected));
    assert_eq!(bench.recorded.len(), 1, "of the leg that has ended");
    let now: Vec<_> = records(&bench).into_iter().map(|(channel, _)| channel).collect();
    assert_eq!(now, [bench.channel(&alice), bench.channel(&bob)]);
    assert_eq!((is_active(&bench, &bob), is_active(&bench, &trunk)), (Some(true), None));
    bench.wait(5);
    bench.hangs_up(&trunk);
    // Who has handed the call over has no part in what was said afterwards.
    let parties: Vec<_> = bench.recorded.iter().map(|it| it.i_accounts.clone()).collect();
    assert_eq!(parties, [[1].into(), [2].into()]);
}

#[test]
fn a_leg_that_moves_to_another_call_is_recorded_no_longer() {
    let (mut bench, first, alice, _) = Bench::talking();
    let second = bench.phone_dials("101", "103");
    bench.resolve(&second, Ok(to_account("103")));
    let carol = bench.tag(3);
    bench.answers(&carol);
    record(&mut bench, &second, &carol);

    let transfer = Action::TransferAttended(first, Some(alice), second);
    bench.must("transfer_call", transfer).unwrap();

    assert_eq!((bench.recorded.len(), is_active(&bench, &carol)), (1, None));
}

#[test]
fn a_recording_that_ends_by_itself_is_told_of_and_kept() {
    let (mut bench, call, alice, bob) = Bench::talking();
    record(&mut bench, &call, &alice);
    let (_, recording) = records(&bench).remove(0);
    bench.look_away();

    let other = RecordingId("other".to_owned());
    bench.event(&alice, |channel| Event::RecordingEnded { channel, recording: other });
    assert!(bench.told.is_empty());
    for _ in 0..2 {
        let recording = recording.clone();
        bench.event(&alice, |channel| Event::RecordingEnded { channel, recording });
    }

    assert_eq!((bench.told.len(), is_active(&bench, &alice)), (1, Some(false)));
    assert_eq!(bench.told[0].caused_by, None);
    let [kept] = &bench.recorded[..] else { panic!("{:?}", bench.recorded) };
    assert_eq!((&kept.id, &kept.tag), (&recording, &alice));
    record(&mut bench, &call, &bob);
    assert_eq!(is_active(&bench, &bob), Some(true), "it may be begun again");
}

#[test]
fn a_switch_that_cannot_record_is_told_of() {
    let (mut bench, call, alice, bob) = Bench::talking();
    record(&mut bench, &call, &alice);
    let (channel, recording) = records(&bench).remove(0);

    let other = RecordingId("other".to_owned());
    bench.event(&alice, |channel| Event::RecordingFailed { channel, recording: other });
    assert_eq!(is_active(&bench, &alice), Some(true));
    bench.event(&alice, |_| Event::RecordingFailed { channel, recording });

    assert_eq!((is_active(&bench, &alice), bench.recorded.len()), (None, 0));
    record(&mut bench, &call, &bob);
    assert_eq!(is_active(&bench, &bob), Some(true), "it may be tried again");
}
