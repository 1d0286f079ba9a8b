use super::participant::MAX_INTERVALS;
use super::*;
use crate::domain::command::Cause;
use crate::domain::party::Party;
use crate::driver::Clip;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn cause() -> Cause {
    Cause { login: "101".to_owned(), ..Cause::default() }
}

fn invited(prompts: &[&str]) -> Participant {
    let name = (CallId("c".to_owned()), Tag("t".to_owned()), ChannelId("ch".to_owned()));
    let clip = |prompt: &&str| Clip {
        name: (*prompt).to_owned(),
        duration: std::time::Duration::from_secs(1),
        is_fetched: false,
        content: crate::driver::Content::default(),
    };
    let prompts = prompts.iter().map(clip).collect();
    Participant::new(name, Party::number("1"), JoinMode::Full, prompts)
}

fn joined() -> Participant {
    let mut participant = invited(&[]);
    participant.on_line(at(1), None);
    participant
}

fn held() -> Participant {
    let mut participant = joined();
    participant.hold(true, at(2), &cause());
    participant
}

fn left() -> Participant {
    let mut participant = joined();
    participant.gone(at(3), None);
    participant
}

fn failed() -> Participant {
    let mut participant = invited(&[]);
    participant.gone(at(3), None);
    participant
}

/// The state table of the module's head: from, what happens, to, what is told.
#[test]
fn participants_go_through_their_states_as_the_table_says() {
    use ParticipantState::{Failed, Held, Invited, Joined, Left};
    type Deed = fn(&mut Participant) -> Option<Happened>;
    let on_line: Deed = |it| it.on_line(at(9), None);
    let gone: Deed = |it| it.gone(at(9), None);
    let heard: Deed = |it| it.invitation_heard(at(9));
    let hold: Deed = |it| it.hold(true, at(9), &cause());
    let unhold: Deed = |it| it.hold(false, at(9), &cause());
    let presses_hold: Deed = |it| it.phone_holds(true, at(9), None);
    let moves: Deed = |it| it.goes_elsewhere(at(9), &cause());
    let mute: Deed = |it| it.mute(true, at(9), &cause());
    let invited_plain = || invited(&[]);
    let table: Vec<(Participant, Deed, ParticipantState, Option<Happened>)> = vec![
        (invited_plain(), on_line, Joined, Some(Happened::Joined)),
        (invited(&["a"]), on_line, Invited, None),
        (invited(&["a"]), heard, Invited, None),
        (invited_plain(), gone, Failed, Some(Happened::Failed)),
        (invited_plain(), moves, Left, Some(Happened::Left)),
        (invited_plain(), mute, Invited, Some(Happened::Muted)),
        (joined(), on_line, Joined, None),
        (joined(), heard, Joined, None),
        (joined(), hold, Held, Some(Happened::Held)),
        (joined(), presses_hold, Held, Some(Happened::Held)),
        (joined(), unhold, Joined, None),
        (joined(), gone, Left, Some(Happened::Left)),
        (joined(), moves, Left, Some(Happened::Left)),
        (held(), hold, Held, None),
        (held(), presses_hold, Held, None),
        (held(), unhold, Joined, Some(Happened::Resumed)),
        (held(), gone, Left, Some(Happened::Left)),
        (left(), on_line, Left, None),
        (left(), heard, Left, None),
        (left(), gone, Left, None),
        (left(), hold, Left, None),
        (left(), mute, Left, None),
        (left(), moves, Left, None),
        (failed(), on_line, Failed, None),
        (failed(), gone, Failed, None),
        (failed(), moves, Failed, None),
    ];
    for (row, (mut participant, deed, state, told)) in table.into_iter().enumerate() {
        let before = participant.state();

        let happened = deed(&mut participant);

        assert_eq!((participant.state(), happened), (state, told), "row {row} from {before:?}");
    }
}

#[test]
fn the_invitation_is_heard_before_one_is_in() {
    let mut participant = invited(&["a.au", "b.g729"]);
    assert_eq!(participant.invitation(), None, "its phone rings");

    assert_eq!(participant.on_line(at(1), None), None);
    assert_eq!(participant.invitation().map(<[Clip]>::len), Some(2));
    assert_eq!(participant.on_line(at(2), None), None, "once is enough");
    assert_eq!(participant.invitation_heard(at(3)), Some(Happened::Joined));

    assert_eq!((participant.invitation(), participant.join_time), (None, Some(at(3))));
}

#[test]
fn a_hold_of_the_phone_and_one_by_command_are_one_hold_that_ends_with_the_last() {
    let mut participant = held();
    participant.phone_holds(true, at(5), None);
    assert_eq!(participant.hold(false, at(6), &cause()), None);
    assert_eq!(participant.phone_holds(false, at(7), None), Some(Happened::Resumed));

    let holds: Vec<_> =
        participant.intervals.iter().filter(|it| it.kind == IntervalKind::Hold).collect();
    assert_eq!(holds.len(), 1);
    assert_eq!((holds[0].start, holds[0].end), (at(2), Some(at(7))));
    assert_eq!((holds[0].caused_by.clone(), holds[0].ended_by.clone()), (Some(cause()), None));
}

#[test]
fn every_interval_ends_when_one_leaves_and_says_who_did_it() {
    let mut participant = joined();
    participant.mute(true, at(2), &cause());
    participant.set_mode(JoinMode::ListenOnly, at(3), &cause());

    participant.gone(at(4), Some(&cause()));

    let told: Vec<_> = participant
        .intervals
        .iter()
        .map(|it| (it.kind, it.start, it.end, it.ended_by.is_some()))
        .collect();
    assert_eq!(
        told,
        [
            (IntervalKind::Join, at(1), Some(at(4)), true),
            (IntervalKind::Mode(JoinMode::Full), at(1), Some(at(3)), true),
            (IntervalKind::Mute, at(2), Some(at(4)), true),
            (IntervalKind::Mode(JoinMode::ListenOnly), at(3), Some(at(4)), true),
        ]
    );
}

#[test]
fn intervals_of_one_who_is_muted_again_and_again_are_bounded() {
    let mut participant = joined();
    for turn in 0..1_000 {
        participant.mute(turn % 2 == 0, at(2 + turn), &cause());
    }

    assert!(participant.intervals.len() <= MAX_INTERVALS);
    assert_eq!(participant.intervals[0].kind, IntervalKind::Join);
}
