//! Intervals in the roster: when they begin, when they end, and who comes back.

use super::*;
use crate::domain::tests::bench::OWNER;
use crate::domain::{Interval, IntervalKind, LeftConference, LeftLeg, Legacy};
use crate::wire::{self, Place};

const FULL: IntervalKind = IntervalKind::Mode(JoinMode::Full);

impl Room {
    /// Commands under this name, a minute after what was before.
    fn later(&mut self, method: &str, action: ConferenceAction) {
        self.bench.wait(60);
        let action = Action::Conference(Box::new(action));
        self.bench.command(CUSTOMER, method, action).unwrap().unwrap();
    }

    fn update(&self, tag: &Tag, mute: Option<bool>, hold: Option<bool>) -> ConferenceAction {
        ConferenceAction::Update { id: self.id.clone(), participant: tag.clone(), mute, hold }
    }

    fn intervals(&self, tag: &Tag) -> Vec<Interval> {
        let all = &self.bench.newest().participants;
        all.iter().find(|it| it.tag == *tag).unwrap().intervals.clone()
    }

    /// Kind, minutes of begin and end since Bob has come, and the commands that did it.
    fn in_words(&self, tag: &Tag) -> Vec<String> {
        let first = self.bench.newest().participants[2].join_time.unwrap();
        let minutes =
            |at: mesh::clock::Timestamp| (at.as_micros() - first.as_micros()) / 60_000_000;
        let by = |cause: &Option<crate::domain::Cause>| {
            let method =
                cause.as_ref().map(|it| it.method.trim_start_matches("CallControl/").to_owned());
            method.unwrap_or_else(|| "nobody".to_owned())
        };
        let one = |it: &Interval| {
            let kind = match it.kind {
                IntervalKind::Join => "join",
                IntervalKind::Mute => "mute",
                IntervalKind::Hold => "hold",
                IntervalKind::Mode(JoinMode::Full) => "full",
                IntervalKind::Mode(JoinMode::ListenOnly) => "listen only",
                IntervalKind::Mode(JoinMode::PrivateTalk) => "private talk",
            };
            let end = it.end.map_or("…".to_owned(), |at| minutes(at).to_string());
            let ended_by = it.end.map_or(String::new(), |_| format!(" {}", by(&it.ended_by)));
            format!("{kind} {}-{end} {}{ended_by}", minutes(it.start), by(&it.caused_by))
        };
        self.intervals(tag).iter().map(one).collect()
    }
}

#[test]
fn each_hold_and_mute_is_an_interval_of_its_own_within_one_of_being_in() {
    let mut room = joined();
    let bob = room.bring("102");
    for _ in 0..2 {
        room.later("hold", room.update(&bob, None, Some(true)));
        room.later("resume", room.update(&bob, None, Some(false)));
    }
    room.later("mute", room.update(&bob, Some(true), None));
    // What is so already begins nothing.
    room.later("again", room.update(&bob, Some(true), None));

    assert_eq!(
        room.in_words(&bob),
        [
            "join 0-… conference",
            "full 0-… conference",
            "hold 1-2 hold resume",
            "hold 3-4 hold resume",
            "mute 5-… mute",
        ]
    );
}

#[test]
fn whoever_goes_has_every_interval_ended_by_what_it_went_by() {
    let bob_went = |how: &str| {
        let mut room = joined();
        let bob = room.bring("102");
        room.later("silence", room.update(&bob, Some(true), Some(true)));
        let id = room.id.clone();
        match how {
            "leave" => room.later(how, ConferenceAction::Leave(id, account("102"))),
            "delete" => room.later(how, ConferenceAction::Delete(id, bob.clone())),
            "terminate" => room.later(how, ConferenceAction::Terminate(id)),
            _ => {
                room.bench.wait(60);
                room.bench.hangs_up(&bob);
            }
        }
        (room.in_words(&bob), room.states()[2].1)
    };

    for (how, by) in [
        ("leave", "leave"),
        ("delete", "delete"),
        ("terminate", "terminate"),
        ("hangs up", "nobody"),
    ] {
        let expected = [
            format!("join 0-2 conference {by}"),
            format!("full 0-2 conference {by}"),
            format!("mute 1-2 silence {by}"),
            format!("hold 1-2 silence {by}"),
        ];
        assert_eq!(bob_went(how), (expected.to_vec(), ParticipantState::Left), "{how}");
    }
}

#[test]
fn who_comes_back_is_another_entry_and_the_first_stays_as_it_ended() {
    let mut room = joined();
    let first = room.bring("102");
    room.later("mute", room.update(&first, Some(true), None));
    room.later("leave", ConferenceAction::Leave(room.id.clone(), account("102")));
    let as_it_ended = room.in_words(&first);

    room.bench.wait(60);
    let second = room.join("102", JoinMode::ListenOnly);
    room.later("join", ConferenceAction::Join(room.id.clone(), account("102"), JoinMode::Full));

    assert_ne!(first, second);
    assert_eq!(room.in_words(&first), as_it_ended);
    assert_eq!(
        room.in_words(&second),
        ["join 3-… conference", "listen only 3-4 conference join", "full 4-… join",],
        "neither muted nor held as the first time"
    );
    let states: Vec<_> =
        room.states().into_iter().map(|(number, state, _)| (number, state)).collect();
    let (joined, left) = (ParticipantState::Joined, ParticipantState::Left);
    assert_eq!(
        states,
        [(PETER, joined), ("101", joined), ("102", left), ("102", joined)]
            .map(|(number, state)| (number.to_owned(), state))
    );
}

#[test]
fn holds_of_a_phone_and_of_a_command_that_overlap_are_one_interval() {
    let mut room = joined();
    let bob = room.bring("102");
    room.bench.wait(60);
    room.bench.event(&bob, |channel| Event::Held { channel });
    room.later("hold", room.update(&bob, None, Some(true)));
    room.bench.wait(60);
    room.bench.event(&bob, |channel| Event::Resumed { channel });
    room.later("resume", room.update(&bob, None, Some(false)));

    assert_eq!(room.in_words(&bob)[2..], ["hold 1-4 nobody resume"]);
}

#[test]
fn who_leaves_before_it_came_was_never_in() {
    let mut room = joined();
    let bob = room.add("102");
    room.later("mute", room.update(&bob, Some(true), None));
    room.later("leave", ConferenceAction::Leave(room.id.clone(), account("102")));

    let bob = room.bench.newest().participants[2].clone();
    assert_eq!((bob.state, bob.join_time), (ParticipantState::Failed, None));
    assert_eq!(bob.leave_time, Some(room.bench.now));
    assert_eq!(bob.intervals, []);
}

#[test]
fn intervals_go_on_in_the_next_process_and_end_there() {
    let mut room = joined();
    let bob = room.bring("102");
    let carol = room.bring("103");
    room.later("mute", room.update(&bob, Some(true), None));
    room.later("leave", ConferenceAction::Leave(room.id.clone(), account("103")));
    let before = [room.in_words(&bob), room.in_words(&carol)];

    let mut room = restarted(room);
    assert_eq!([room.in_words(&bob), room.in_words(&carol)], before);
    room.later("unmute", room.update(&bob, Some(false), None));
    room.later("leave", ConferenceAction::Leave(room.id.clone(), account("102")));

    assert_eq!(
        room.in_words(&bob),
        ["join 0-4 conference leave", "full 0-4 conference leave", "mute 1-3 mute unmute",]
    );
    assert_eq!(room.in_words(&carol), before[1]);
}

/// The conference in the next process of its node, from what the store has of it.
fn restarted(room: Room) -> Room {
    let place = Place { node: "n".to_owned(), site: "main".to_owned() };
    let mut calls: BTreeMap<CallId, Vec<LeftLeg>> = BTreeMap::new();
    for tag in room.bench.tags() {
        let view = room.bench.of(&tag).last().copied().unwrap();
        if view.state != State::Terminated {
            let leg = wire::adoption::left_leg(wire::record(view, &place), true).unwrap();
            calls.entry(view.call_id.clone()).or_default().push(leg);
        }
    }
    let record = wire::conference::record(room.bench.newest(), &place);
    let conference = wire::adoption::left_conference(record, account("101")).unwrap();
    let mut next = Bench::in_environment(OWNER, "next");
    next.now = room.bench.now;
    let conferences: Vec<LeftConference> = vec![conference];
    let calls = calls.into_values().collect();
    next.feed(Input::Adopt(Box::new(Legacy { calls, conferences })));
    Room { bench: next, ..room }
}

#[test]
fn merging_ends_them_in_the_one_and_begins_them_in_the_other() {
    let mut room = joined();
    let bob = room.bring("102");
    room.later("mute", room.update(&bob, Some(true), None));
    let call = room.bench.trunk_calls("12065550177", "103");
    let tag = room.bench.tags().last().unwrap().clone();
    room.bench.answers(&tag);
    let done = room.bench.confer(CUSTOMER, create(&call, "103", true)).unwrap().unwrap();
    let target = done.conference.unwrap().id;
    room.bench.pass(1_000);

    let from = room.id.clone();
    room.later("merge", ConferenceAction::Merge { id: target.clone(), from: from.clone() });

    let newest = |id: &ConferenceId| {
        let views = room.bench.kept.iter().rev();
        views.clone().find(|view| view.id == *id).unwrap().clone()
    };
    let of_bob = |view: &ConferenceView| {
        let bob = view.participants.iter().find(|it| it.tag == bob).unwrap();
        bob.intervals.clone()
    };
    let (old, new) = (of_bob(&newest(&from)), of_bob(&newest(&target)));
    let kinds = [IntervalKind::Join, FULL, IntervalKind::Mute];
    assert_eq!(old.iter().map(|it| it.kind).collect::<Vec<_>>(), kinds);
    assert_eq!(new.iter().map(|it| it.kind).collect::<Vec<_>>(), kinds);
    let now = room.bench.now;
    for (old, new) in old.iter().zip(&new) {
        assert_eq!((old.end, &old.ended_by), (Some(now), &Some(cause("merge"))));
        assert_eq!((new.start, new.end), (now, None));
    }
    let by: Vec<_> = new.into_iter().map(|it| it.caused_by.unwrap().method).collect();
    assert_eq!(by, ["CallControl/merge", "CallControl/merge", "CallControl/mute"]);
}
