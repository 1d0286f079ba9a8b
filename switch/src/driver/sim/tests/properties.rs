use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::driver::sim::line::Line;
use crate::driver::{Clip, PlaybackId, RecordingId};

const CHANNELS: u8 = 8;

/// Something that an engine or a person could do, sensible or not.
#[derive(Clone, Debug)]
enum Deed {
    Do(Op),
    Behave(Behaviour),
    PhoneDials,
    TrunkCalls,
    Hand(Hand),
    Press(ChannelId),
    Wait(u64),
}

fn dialled_channel() -> impl Strategy<Value = ChannelId> {
    (0..CHANNELS).prop_map(|number| id(&number.to_string()))
}

fn channel() -> impl Strategy<Value = ChannelId> {
    // The first names are the engine's, the others those that the model makes next.
    (0..CHANNELS * 2).prop_map(|number| {
        if number < CHANNELS {
            id(&number.to_string())
        } else {
            id(&format!("sim-x-{}", number - CHANNELS + 1))
        }
    })
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        Just(Source::Silence),
        Just(Source::Ringback),
        Just(Source::Music),
        prop::collection::btree_set(channel(), 0..5).prop_map(Source::Parties),
        (
            prop::collection::btree_set(channel(), 0..3),
            prop::collection::btree_set(channel(), 0..3)
        )
            .prop_map(|(beside, except)| Source::Mix { mix: mix(), beside, except }),
    ]
}

fn mix() -> MixId {
    MixId("m".to_owned())
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    prop_oneof![
        Just(phone("101")),
        Just(phone("102")),
        Just(trunk("12065550100")),
        Just(trunk("12065550603")),
        Just(Endpoint::Join { number: "102".to_owned() }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let dial = |(channel, endpoint): (ChannelId, Endpoint)| Op::Dial {
        label: label("call", &channel.0, "connected"),
        channel,
        endpoint,
        shown: Shown::default(),
    };
    let reason = || Reason { code: 487, text: String::new() };
    prop_oneof![
        4 => (dialled_channel(), endpoint()).prop_map(dial),
        4 => channel().prop_map(|channel| Op::Answer { channel }),
        1 => channel().prop_map(|channel| Op::Ring { channel }),
        2 => channel().prop_map(|channel| Op::PickUp { channel }),
        1 => channel().prop_map(move |channel| Op::Hangup { channel, reason: reason() }),
        6 => (channel(), source()).prop_map(|(channel, source)| Op::Hear { channel, source }),
        3 => (channel(), any::<bool>())
            .prop_map(|(channel, speaks)| Op::Speak { channel, mix: speaks.then(mix) }),
        1 => channel().prop_map(|channel| Op::SendDigits { channel, digits: "12".to_owned() }),
        2 => (channel(), 0..3_u32, 0..700_u64).prop_map(|(channel, repeat, ms)| {
            let duration = Duration::from_millis(ms);
            let clip = Clip { name: "a.au".to_owned(), duration, is_fetched: false, content: crate::driver::Content::default() };
            Op::Play { channel, playback: playback(repeat), clips: vec![clip], repeat }
        }),
        1 => (channel(), 0..3_u32)
            .prop_map(|(channel, name)| Op::StopPlay { channel, playback: playback(name) }),
        1 => (channel(), 0..9_u8).prop_map(|(channel, name)| {
            Op::Record { channel, recording: RecordingId(name.to_string()) }
        }),
        1 => (channel(), 0..9_u8).prop_map(|(channel, name)| {
            Op::StopRecord { channel, recording: RecordingId(name.to_string()) }
        }),
        1 => (channel(), channel()).prop_map(|(channel, tag)| Op::Label {
            channel,
            label: label("call", &tag.0, "holding"),
        }),
    ]
}

fn playback(name: u32) -> PlaybackId {
    PlaybackId(name.to_string())
}

fn deed() -> impl Strategy<Value = Deed> {
    let behaviour = prop_oneof![
        Just(Behaviour::AnswerAfter { ms: 0 }),
        Just(Behaviour::AnswerAfter { ms: 700 }),
        Just(Behaviour::Manual {}),
        Just(Behaviour::Busy {}),
        Just(Behaviour::Decline {}),
        Just(Behaviour::Unregistered {}),
    ];
    let hand = prop_oneof![
        Just(Hand::Answer),
        Just(Hand::Decline),
        Just(Hand::Hangup),
        Just(Hand::Hold),
        Just(Hand::Resume),
    ];
    prop_oneof![
        20 => op().prop_map(Deed::Do),
        1 => behaviour.prop_map(Deed::Behave),
        1 => Just(Deed::PhoneDials),
        1 => Just(Deed::TrunkCalls),
        1 => hand.prop_map(Deed::Hand),
        1 => channel().prop_map(Deed::Press),
        2 => (0_u64..1000).prop_map(Deed::Wait),
    ]
}

fn apply(model: &mut Model, now: Instant, deed: Deed) {
    match deed {
        Deed::Do(op) => drop(model.apply(now, op)),
        Deed::Behave(behaviour) => model.set_behaviour("101", behaviour),
        Deed::PhoneDials => {
            let account_id = "102".to_owned();
            let party = Party::Phone(account_id.clone());
            drop(model.offer(party, Origin::Phone { account_id }, "101".to_owned()));
        }
        Deed::TrunkCalls => {
            let from = Shown { number: "12065550199".to_owned(), name: String::new() };
            let party = Party::Trunk(from.number.clone());
            let offered = model.offer(party, Origin::Trunk { from }, "101".to_owned());
            if let Ok(channel) = offered {
                model.name_offered(&channel, label("call", &channel.0, "early"));
            }
        }
        Deed::Hand(hand) => drop(model.hand_on_phone(now, "101", hand, None)),
        Deed::Press(channel) => {
            model.press(&channel, '1');
        }
        Deed::Wait(_) => model.advance(now),
    }
}

/// What somebody may hear: answered parties only, and each by name.
fn names_of_answered(lines: &HashMap<ChannelId, Line>) -> HashSet<String> {
    let name = |line: &Line| match &line.party {
        Party::Phone(name) | Party::Trunk(name) if line.is_answered() => Some(name.clone()),
        _ => None,
    };
    lines.values().filter_map(name).collect()
}

fn check_invariants(model: &Model) {
    let answered = names_of_answered(&model.lines);
    for (channel, line) in &model.lines {
        if let Party::Join(other_half) = &line.party {
            let half = &model.lines[other_half];
            assert_eq!(half.party, Party::Join(channel.clone()));
            assert_eq!(half.is_answered(), line.is_answered());
        }
        if let Hears::Parties(parties) =
            crate::driver::sim::hears::of_channel(&model.lines, channel)
        {
            assert!(parties.iter().all(|party| answered.contains(party)), "{parties:?}");
        }
    }
    for account_id in ["101", "102"] {
        let view = model.phone_view(account_id);
        assert_eq!(view.calls.len(), model.phone_channels(account_id).len());
        assert_eq!(view.calls.is_empty(), view.state == "idle");
    }
    for channel in model.legs.values() {
        assert!(model.lines.contains_key(channel) || model.ended.get(channel).is_some());
    }
    let lines = model.lines.values();
    let timers = lines.clone().filter(|line| line.timer.is_some()).count();
    // What is played is always about to end.
    let clips = lines.filter(|line| line.playing.as_ref().is_some_and(|it| it.timer.is_some()));
    assert_eq!(
        clips.clone().count(),
        model.lines.values().filter(|it| it.playing.is_some()).count()
    );
    assert_eq!(timers + clips.count(), model.pending_timers());
}

proptest! {
    #[test]
    fn whatever_is_done_the_model_stays_sound(
        deeds in prop::collection::vec(deed(), 1..120),
        speed in prop_oneof![Just(0.0), Just(1.0)],
    ) {
        let config = Config { speed, ..Config::default() };
        let mut now = Instant::now();
        let mut model = Model::new(Times::new(&config), 24, "x".to_owned());
        for deed in deeds {
            if let Deed::Wait(ms) = deed {
                now += Duration::from_millis(ms);
            }
            let before: HashSet<ChannelId> = model.lines.keys().cloned().collect();

            apply(&mut model, now, deed);

            let mut ended = HashSet::new();
            for event in model.take_events() {
                let Some(channel) = event.channel() else { continue };
                prop_assert!(!ended.contains(channel), "{event:?} after the end");
                if matches!(event, Event::Ended { .. }) {
                    prop_assert!(!model.lines.contains_key(channel));
                    ended.insert(channel.clone());
                } else {
                    let is_known = before.contains(channel) || model.lines.contains_key(channel);
                    prop_assert!(is_known || model.ended.get(channel).is_some() || speed == 0.0);
                }
            }
            check_invariants(&model);
        }
    }
}
