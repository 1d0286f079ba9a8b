//! Whatever happens in whatever order: what always holds of conferences.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;

use super::*;

/// Something that happens; to whom is chosen among those who are there at that time.
#[derive(Clone, Debug, Copy)]
enum Step {
    Talk { from: u8 },
    Create { call: Index, owner: u8 },
    Add { conference: Index, number: u8 },
    AddCall { conference: Index, call: Index },
    Join { conference: Index, number: u8, mode: u8 },
    Update { conference: Index, leg: Index, mute: Option<bool>, hold: Option<bool> },
    Delete { conference: Index, leg: Index },
    Leave { conference: Index, number: u8 },
    Change { conference: Index, owner: u8 },
    Merge { conference: Index, from: Index },
    Terminate { conference: Index },
    Resolve { call: Index, refuses: bool },
    Phone { leg: Index, kind: u8 },
    Pass { millis: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let index = || any::<Index>();
    let flag = || prop::option::of(any::<bool>());
    prop_oneof![
        3 => (1..5_u8).prop_map(|from| Step::Talk { from }),
        4 => (index(), 1..5_u8).prop_map(|(call, owner)| Step::Create { call, owner }),
        6 => (index(), 1..8_u8).prop_map(|(conference, number)| Step::Add { conference, number }),
        2 => (index(), index()).prop_map(|(conference, call)| Step::AddCall { conference, call }),
        3 => (index(), 1..5_u8, 0..3_u8)
            .prop_map(|(conference, number, mode)| Step::Join { conference, number, mode }),
        4 => (index(), index(), flag(), flag())
            .prop_map(|(conference, leg, mute, hold)| Step::Update { conference, leg, mute, hold }),
        2 => (index(), index()).prop_map(|(conference, leg)| Step::Delete { conference, leg }),
        2 => (index(), 1..5_u8).prop_map(|(conference, number)| Step::Leave { conference, number }),
        2 => (index(), 1..5_u8).prop_map(|(conference, owner)| Step::Change { conference, owner }),
        2 => (index(), index()).prop_map(|(conference, from)| Step::Merge { conference, from }),
        1 => index().prop_map(|conference| Step::Terminate { conference }),
        8 => (index(), prop::bool::weighted(0.1))
            .prop_map(|(call, refuses)| Step::Resolve { call, refuses }),
        16 => (index(), 0..12_u8).prop_map(|(leg, kind)| Step::Phone { leg, kind }),
        4 => (0..70_000_u64).prop_map(|millis| Step::Pass { millis }),
    ]
}

#[derive(Default)]
struct World {
    bench: Option<Bench>,
    calls: Vec<CallId>,
    commands: usize,
}

fn id(number: u8) -> String {
    if number < 5 { format!("10{number}") } else { format!("1206555010{number}") }
}

impl World {
    fn bench(&mut self) -> &mut Bench {
        self.bench.get_or_insert_with(Bench::new)
    }

    /// Newest view of each conference.
    fn views(&mut self) -> BTreeMap<String, ConferenceView> {
        let kept = self.bench().kept.iter();
        kept.map(|view| (view.id.0.clone(), view.clone())).collect()
    }

    fn conference(&mut self, index: Index) -> Option<ConferenceView> {
        let going: Vec<_> =
            self.views().into_values().filter(|view| view.end_time.is_none()).collect();
        (!going.is_empty()).then(|| index.get(&going).clone())
    }

    fn confer(&mut self, action: ConferenceAction) {
        self.commands += 1;
        // Answered at once, or when the directory has answered; that is looked at in the end.
        drop(self.bench().confer(CUSTOMER, action));
    }

    fn call(&mut self, index: Index) -> Option<CallId> {
        (!self.calls.is_empty()).then(|| index.get(&self.calls).clone())
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Talk { from } => {
                let call = self.bench().phone_dials(&id(from), &id(from % 4 + 1));
                self.calls.push(call.clone());
                self.bench().resolve(&call, Ok(to_account(&id(from % 4 + 1))));
                if let Some(tag) = self.bench().tags().last().cloned() {
                    self.bench().answers(&tag);
                }
            }
            Step::Create { call, owner } => {
                if let Some(call) = self.call(call) {
                    self.confer(create(&call, &id(owner), true));
                }
            }
            Step::Resolve { call, refuses } => {
                let asked = self.bench().resolves.clone();
                if asked.is_empty() {
                    return;
                }
                let (call, _, number) = call.get(&asked).clone();
                let route = if number.len() == 3 { to_account(&number) } else { to_pstn(&number) };
                let answer = if refuses { Err(ResolveFailure::NotAllowed) } else { Ok(route) };
                self.bench().resolve(&call, answer);
            }
            Step::Phone { leg, kind } => {
                let tags = self.bench().tags();
                if tags.is_empty() {
                    return;
                }
                let tag = leg.get(&tags).clone();
                if self.bench().known_channel(&tag).is_none() {
                    return;
                }
                let bench = self.bench();
                match kind {
                    0..=2 => bench.rings(&tag),
                    3..=7 => bench.answers(&tag),
                    8 => bench.hangs_up(&tag),
                    9 => bench.refuses(&tag, 486),
                    10 => bench.event(&tag, |channel| Event::Held { channel }),
                    _ => bench.event(&tag, |channel| Event::Resumed { channel }),
                }
            }
            Step::Pass { millis } => self.bench().pass(millis),
            step => self.act(step),
        }
    }

    /// What is done to a conference.
    fn act(&mut self, step: Step) {
        let (Step::Add { conference, .. }
        | Step::AddCall { conference, .. }
        | Step::Join { conference, .. }
        | Step::Update { conference, .. }
        | Step::Delete { conference, .. }
        | Step::Leave { conference, .. }
        | Step::Change { conference, .. }
        | Step::Merge { conference, .. }
        | Step::Terminate { conference }) = step
        else {
            return;
        };
        let Some(view) = self.conference(conference) else { return };
        let here = view.id.clone();
        let tag = |leg: Index| leg.get(&view.participants).tag.clone();
        let action = match step {
            Step::Add { number, .. } => {
                ConferenceAction::Add(here, Whom::Number(id(number)), vec![clip("a.au", 1)])
            }
            Step::AddCall { call, .. } => {
                let Some(call) = self.call(call) else { return };
                ConferenceAction::Add(here, Whom::Call(call, None), Vec::new())
            }
            Step::Join { number, mode, .. } => {
                let modes = [JoinMode::Full, JoinMode::ListenOnly, JoinMode::PrivateTalk];
                ConferenceAction::Join(here, account(&id(number)), modes[usize::from(mode)])
            }
            Step::Update { leg, mute, hold, .. } => {
                ConferenceAction::Update { id: here, participant: tag(leg), mute, hold }
            }
            Step::Delete { leg, .. } => ConferenceAction::Delete(here, tag(leg)),
            Step::Leave { number, .. } => ConferenceAction::Leave(here, account(&id(number))),
            Step::Change { owner, .. } => {
                let owner =
                    NewOwner { account: account(&id(owner)), may_confer: true, has_credit: true };
                ConferenceAction::Change { id: here, owner: Some(owner), name: None }
            }
            Step::Merge { from, .. } => {
                let Some(from) = self.conference(from) else { return };
                ConferenceAction::Merge { id: here, from: from.id }
            }
            _ => ConferenceAction::Terminate(here),
        };
        self.confer(action);
    }

    /// What the roster says follows from the legs, and what the switch was told from the roster.
    fn check(&mut self) {
        for view in self.views().into_values() {
            let bench = self.bench();
            let ended = view.end_time.is_some();
            for one in &view.participants {
                let moved = one.state == ParticipantState::Left
                    && view.participants.iter().filter(|it| it.tag == one.tag).count() > 1;
                let state = bench.state(&one.tag);
                let is_gone =
                    matches!(one.state, ParticipantState::Left | ParticipantState::Failed);
                assert!(!ended || is_gone, "{one:?} is in a conference that has ended");
                match one.state {
                    ParticipantState::Joined => assert_eq!(state, State::Connected),
                    ParticipantState::Held => {
                        assert!(matches!(state, State::Held | State::Holding), "{state:?}");
                    }
                    ParticipantState::Invited => assert_ne!(state, State::Terminated),
                    ParticipantState::Failed => assert_eq!(state, State::Terminated),
                    ParticipantState::Left => {
                        assert!(moved || one.leave_time.is_some());
                    }
                }
                assert!(one.intervals.iter().all(|it| it.end.is_some() == is_gone
                    || it.kind != crate::domain::IntervalKind::Join));
            }
            let living = view.participants.iter().filter(|it| it.leave_time.is_none());
            assert_eq!(living.count() == 0, ended, "{view:?}");
            if !ended {
                Self::check_ears(bench, &view);
            }
        }
    }

    /// The switch was told what the rows say.
    fn check_ears(bench: &Bench, view: &ConferenceView) {
        let in_it = || {
            let all = view.participants.iter().filter(|it| it.leave_time.is_none());
            all.filter(|it| it.state == ParticipantState::Joined)
        };
        for listener in in_it() {
            for speaker in in_it().filter(|it| it.tag != listener.tag) {
                let crate::domain::Ear::Room { beside, except } = &listener.row.ear else {
                    panic!("{listener:?} hears no room");
                };
                let told = (speaker.row.speaks && !except.contains(&speaker.tag))
                    || beside.contains(&speaker.tag);
                assert_eq!(bench.reaches(&listener.tag, &speaker.tag), told);
            }
        }
    }

    /// Everything is over: each leg ended once, each command was answered once.
    fn finish(mut self) {
        let asked = self.commands;
        let bench = self.bench();
        bench.feed(Input::Stop);
        assert!(bench.customer.is_idle());
        for tag in bench.tags() {
            let ends = bench.of(&tag).iter().filter(|it| it.state == State::Terminated).count();
            assert_eq!(ends, 1, "{tag} ended {ends} times");
        }
        let ended = bench.news.iter().filter(|news| news.event == "ended").count();
        let created = bench.news.iter().filter(|news| news.event == "created").count();
        assert_eq!(ended, created);
        let mut answered: Vec<_> = bench.replies.iter().map(|(id, _)| id).collect();
        answered.sort();
        answered.dedup();
        assert_eq!((answered.len(), bench.replies.len()), (asked, asked));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        rng_seed: RngSeed::Fixed(0xC0FE),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn conferences_keep_their_promises_whatever_happens(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        let mut world = World::default();
        for step in steps {
            world.step(step);
            world.check();
        }
        world.finish();
    }
}
