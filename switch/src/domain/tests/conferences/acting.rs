//! What is done to conferences and to those who are in.

use super::*;
use crate::domain::Ear;
use crate::domain::tests::prompts::play;

#[test]
fn mute_hold_and_a_hold_of_the_phone_show_in_the_roster_and_in_the_ears() {
    let mut room = joined();
    let bob = room.bring("102");
    room.bench.events();
    let mark = room.bench.told.len();
    let update = |participant: &Tag, mute, hold| ConferenceAction::Update {
        id: room.id.clone(),
        participant: participant.clone(),
        mute,
        hold,
    };
    let (mute, hold) = (update(&bob, Some(true), None), update(&bob, Some(false), Some(true)));
    let resume = update(&bob, None, Some(false));

    room.act(mute.clone()).unwrap();
    room.act(mute).unwrap();
    assert_eq!(sorted(room.bench.ears())["101"], [PETER]);
    assert_eq!(room.bench.told.len(), mark, "a mute is no state of a leg");
    room.act(hold).unwrap();
    assert_eq!((room.bench.state(&bob), room.bench.hears(&bob)), (State::Held, Source::Music));
    assert_eq!(room.states()[2].1, ParticipantState::Held);
    room.act(resume).unwrap();
    room.bench.event(&bob, |channel| Event::Held { channel });
    assert_eq!((room.bench.state(&bob), room.bench.hears(&bob)), (State::Holding, Source::Silence));
    assert_eq!(sorted(room.bench.ears())["101"], [PETER], "and no music");
    room.bench.event(&bob, |channel| Event::Resumed { channel });

    assert_eq!(
        room.bench.events(),
        [
            "participant_muted 102",
            "participant_unmuted 102",
            "participant_held 102",
            "participant_resumed 102",
            "participant_held 102",
            "participant_resumed 102",
        ]
    );
}

#[test]
fn who_joins_listens_talks_privately_or_drops_in_and_may_change_that() {
    let mut room = joined();
    let carol = room.join("103", JoinMode::ListenOnly);
    assert_eq!(room.states()[2].2, Role::Listener);
    let listening: [(&str, &[&str]); 3] =
        [(PETER, &["101"]), ("101", &[PETER]), ("103", &[PETER, "101"])];
    assert_eq!(sorted(room.bench.ears()), ears(&listening));

    let change = |mode| ConferenceAction::Join(room.id.clone(), account("103"), mode);
    let (private, full) = (change(JoinMode::PrivateTalk), change(JoinMode::Full));
    let done = room.act(private).unwrap();
    assert_eq!(done.participant.unwrap().tag, carol);
    assert_eq!(room.states()[2].2, Role::Private);
    let private: [(&str, &[&str]); 3] =
        [(PETER, &[]), ("101", &[PETER, "103"]), ("103", &[PETER, "101"])];
    assert_eq!(sorted(room.bench.ears()), ears(&private));

    room.act(full).unwrap();
    let all: [(&str, &[&str]); 3] =
        [(PETER, &["101", "103"]), ("101", &[PETER, "103"]), ("103", &[PETER, "101"])];
    assert_eq!(sorted(room.bench.ears()), ears(&all));
    let own = ConferenceAction::Join(room.id.clone(), account("101"), JoinMode::PrivateTalk);
    assert_eq!(room.act(own), Err(Refusal::TalksWithItself));
}

#[test]
fn the_legs_of_a_call_come_in_under_their_ids() {
    let mut room = joined();
    let other = room.bench.phone_dials("103", "12065550188");
    room.bench.resolve(&other, Ok(to_pstn("12065550188")));
    let far = room.bench.tag(3);
    room.bench.answers(&far);
    let mark = room.bench.told.len();
    room.bench.events();

    let whom = Whom::Call(other.clone(), None);
    let done = room.act(ConferenceAction::Add(room.id.clone(), whom.clone(), Vec::new())).unwrap();

    assert_eq!(done.participant.unwrap().party.number, "103");
    assert_eq!(room.bench.events(), ["participant_joined 103", "participant_joined 12065550188"]);
    let told = &room.bench.told[mark..];
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|it| it.call_id == other && it.conference.is_some()));
    assert_eq!(sorted(room.bench.ears())["103"], ["101", PETER, "12065550188"]);
    let again = ConferenceAction::Add(room.id.clone(), whom, Vec::new());
    assert_eq!(room.act(again), Err(Refusal::InConference(State::Connected)));
    room.bench.hangs_up(&far);
    assert_eq!(room.bench.state(&room.bench.tag(2)), State::Connected, "the other stays");
}

#[test]
fn two_conferences_become_one_and_the_owner_of_that_pays() {
    let mut room = joined();
    let other = room.bench.phone_dials("103", "12065550188");
    room.bench.resolve(&other, Ok(to_pstn("12065550188")));
    let far = room.bench.tag(3);
    room.bench.answers(&far);
    let second = room.act(create(&other, "103", true)).unwrap().conference.unwrap().id;
    room.bench.pass(1_000);
    room.bench.events();

    let merge = ConferenceAction::Merge { id: room.id.clone(), from: second.clone() };
    room.act(merge).unwrap();

    let events = room.bench.events();
    assert_eq!(
        events,
        [
            "participant_left 103",
            "participant_left 12065550188",
            "ended",
            "participant_joined 103",
            "participant_joined 12065550188",
        ]
    );
    assert_eq!(room.bench.newest().id, room.id);
    assert_eq!(room.bench.ears()["101"].len(), 3);
    let gone = ConferenceAction::Terminate(second.clone());
    assert_eq!(room.act(gone), Err(Refusal::ConferenceNotFound(second)));
    let itself = ConferenceAction::Merge { id: room.id.clone(), from: room.id.clone() };
    assert_eq!(room.act(itself), Err(Refusal::SameConference));
}

#[test]
fn who_is_held_or_muted_when_two_conferences_become_one_is_told_to_be_so_in_the_new_one() {
    let mut room = joined();
    let other = room.bench.phone_dials("103", "12065550188");
    room.bench.resolve(&other, Ok(to_pstn("12065550188")));
    let (carol, far) = (room.bench.tag(2), room.bench.tag(3));
    room.bench.answers(&far);
    let second = room.act(create(&other, "103", true)).unwrap().conference.unwrap().id;
    room.bench.pass(1_000);
    let update = |tag: &Tag, mute, hold| ConferenceAction::Update {
        id: second.clone(),
        participant: tag.clone(),
        mute,
        hold,
    };
    room.act(update(&carol, Some(true), None)).unwrap();
    room.act(update(&far, None, Some(true))).unwrap();
    room.bench.events();

    room.act(ConferenceAction::Merge { id: room.id.clone(), from: second }).unwrap();

    let events = room.bench.events();
    assert_eq!(
        events[3..],
        [
            "participant_joined 103",
            "participant_muted 103",
            "participant_joined 12065550188",
            "participant_held 12065550188",
        ]
    );
}

#[test]
fn accounts_that_are_in_are_told_of_the_beginning_and_the_end() {
    let mut bench = Bench::new();
    let call = bench.phone_dials("102", "101");
    bench.resolve(&call, Ok(to_account("101")));
    let alice = bench.tag(1);
    bench.answers(&alice);
    let done = bench.confer(CUSTOMER, create(&call, "101", true)).unwrap().unwrap();
    let id = done.conference.unwrap().id;
    bench.pass(1_000);
    bench.confer(CUSTOMER, ConferenceAction::Terminate(id)).unwrap().unwrap();

    let told = |event| {
        let news = bench.news.iter().find(|news| news.event == event).unwrap();
        news.seen_by.i_accounts.iter().copied().collect::<Vec<_>>()
    };
    assert_eq!(told("created"), [1, 2]);
    assert_eq!(told("ended"), [1, 2]);
}

#[test]
fn who_hears_a_prompt_hears_nobody_meanwhile_and_is_heard() {
    let mut room = joined();
    let hears = |room: &Room| {
        let all = &room.bench.newest().participants;
        let ears = all.iter().map(|it| (it.row.speaks, matches!(it.row.ear, Ear::Room { .. })));
        ears.collect::<Vec<_>>()
    };
    assert_eq!(hears(&room), [(true, true), (true, true)]);

    let playing = play(&room.call, Some(&room.alice));
    room.bench.command(CUSTOMER, "play", playing).unwrap().unwrap();
    assert_eq!(hears(&room), [(true, true), (true, false)]);

    let stopping = Action::StopPlay(room.call.clone(), Some(room.alice.clone()));
    room.bench.command(CUSTOMER, "stop", stopping).unwrap().unwrap();
    assert_eq!(hears(&room), [(true, true), (true, true)]);
}

#[test]
fn ownership_passes_on_to_an_account_that_may_confer() {
    let mut room = joined();
    let bob = room.bring("102");
    let change = |may_confer| ConferenceAction::Change {
        id: room.id.clone(),
        owner: Some(NewOwner { account: account("102"), may_confer, has_credit: true }),
        name: Some("Sales and service".to_owned()),
    };
    let (refused, taken) = (change(false), change(true));
    assert_eq!(room.act(refused), Err(Refusal::ServiceDisabled));
    let mark = room.bench.told.len();

    room.act(taken).unwrap();

    assert_eq!(room.states()[2].2, Role::Owner);
    assert_eq!(room.states()[1].2, Role::Participant);
    let told = room.bench.told[mark..].to_vec();
    assert_eq!(told.len(), 3);
    for view in &told {
        assert_eq!(view.conference.as_ref().unwrap().name, "Sales and service");
        assert!(view.seen_by.i_accounts.contains(&2), "the new owner sees every leg");
    }
    let end = ConferenceAction::Terminate(room.id.clone());
    assert_eq!(room.bench.confer(account_scope("101"), end.clone()), Some(Err(Refusal::NotOwner)));
    room.bench.confer(account_scope("102"), end).unwrap().unwrap();
    assert_eq!(room.bench.state(&bob), State::Terminated);
    assert!(room.bench.customer.is_idle());
}
