//! Conferences, as commands and phones bring them about.

use std::collections::BTreeMap;

use mesh::caller::Scope;

use super::bench::{
    Bench, CUSTOMER, account, account_scope, cause, support, to_account, to_group, to_pstn,
};
use crate::domain::{
    Action, CallId, ConferenceAction, ConferenceId, ConferenceView, CreateConference, Done, Input,
    JoinMode, NewOwner, Outcome, ParticipantState, Refusal, ResolveFailure, Role, State, Tag, Whom,
};
use crate::driver::{Endpoint, Event, Source};

/// Peter calls Alice (101), and she makes a conference of it.
struct Room {
    bench: Bench,
    id: ConferenceId,
    call: CallId,
    peter: Tag,
    alice: Tag,
}

fn create(call: &CallId, owner: &str, may_confer: bool) -> ConferenceAction {
    ConferenceAction::Create(CreateConference {
        call_id: call.clone(),
        tag: None,
        name: "Sales".to_owned(),
        owner: NewOwner { account: account(owner), may_confer },
        prompts: Vec::new(),
    })
}

fn room() -> Room {
    let mut bench = Bench::new();
    let call = bench.trunk_calls("12065550100", "101");
    let (peter, alice) = (bench.tag(0), bench.tag(1));
    bench.rings(&alice);
    bench.answers(&alice);
    bench.look_away();
    let done = bench.confer(CUSTOMER, create(&call, "101", true)).unwrap().unwrap();
    Room { bench, id: done.conference.unwrap().id, call, peter, alice }
}

/// The invitation has been heard.
fn joined() -> Room {
    let mut room = room();
    room.bench.pass(1_000);
    room
}

impl Bench {
    fn confer(&mut self, scope: Scope, action: ConferenceAction) -> Option<Outcome> {
        self.command(scope, "conference", Action::Conference(Box::new(action)))
    }

    fn newest(&self) -> &ConferenceView {
        self.kept.last().unwrap()
    }

    /// Who hears whom, by numbers, as the switch was told.
    fn ears(&self) -> BTreeMap<String, Vec<String>> {
        let view = self.newest();
        let number = |tag: &Tag| {
            let all = &view.participants;
            all.iter().rev().find(|it| it.tag == *tag).unwrap().party.number.clone()
        };
        let living = view.participants.iter().filter(|it| it.leave_time.is_none());
        let tags: Vec<&Tag> = living.map(|it| &it.tag).collect();
        let hears = |listener: &Tag| {
            let heard = tags.iter().filter(|it| **it != listener && self.reaches(listener, it));
            heard.map(|it| number(it)).collect()
        };
        tags.iter().map(|tag| (number(tag), hears(tag))).collect()
    }

    /// Whether the switch brings the voice of one leg to another's ear.
    fn reaches(&self, listener: &Tag, speaker: &Tag) -> bool {
        match self.hears(listener) {
            Source::Mix { mix, beside, except } => {
                let voice = self.channel(speaker);
                let in_room = self.speaks(speaker) == Some(mix) && !except.contains(&voice);
                in_room || beside.contains(&voice)
            }
            Source::Parties(parties) => parties.contains(&self.channel(speaker)),
            _ => false,
        }
    }

    fn events(&mut self) -> Vec<String> {
        let number = |tag: &Tag, views: &[ConferenceView]| {
            let all = views.iter().rev().flat_map(|view| &view.participants);
            let found = all.into_iter().find(|it| it.tag == *tag);
            found.map_or_else(|| tag.0.clone(), |it| it.party.number.clone())
        };
        std::mem::take(&mut self.news)
            .into_iter()
            .map(|news| match &news.participant {
                Some(tag) => format!("{} {}", news.event, number(tag, &self.kept)),
                None => news.event.to_owned(),
            })
            .collect()
    }
}

impl Room {
    fn act(&mut self, action: ConferenceAction) -> Result<Done, Refusal> {
        self.bench.confer(CUSTOMER, action).expect("an answer at once")
    }

    /// Somebody is added, whose phone or far end rings.
    fn add(&mut self, number: &str) -> Tag {
        let whom = match number.len() {
            3 => Whom::Account(account(number)),
            _ => Whom::Number(number.to_owned()),
        };
        let action = ConferenceAction::Add(self.id.clone(), whom, Vec::new());
        assert_eq!(self.bench.confer(CUSTOMER, action), None, "the directory is asked");
        self.resolved(number)
    }

    fn resolved(&mut self, number: &str) -> Tag {
        let call = self.bench.resolves.last().unwrap().0.clone();
        let route = if number.len() == 3 { to_account(number) } else { to_pstn(number) };
        self.bench.resolve(&call, Ok(route));
        let (_, outcome) = self.bench.replies.last().unwrap().clone();
        let tag = outcome.unwrap().participant.unwrap().tag;
        self.bench.rings(&tag);
        tag
    }

    /// Somebody is added and answers.
    fn bring(&mut self, number: &str) -> Tag {
        let tag = self.add(number);
        self.bench.answers(&tag);
        tag
    }

    fn join(&mut self, number: &str, mode: JoinMode) -> Tag {
        let action = ConferenceAction::Join(self.id.clone(), account(number), mode);
        assert_eq!(self.bench.confer(CUSTOMER, action), None);
        let tag = self.resolved(number);
        self.bench.answers(&tag);
        tag
    }

    fn states(&self) -> Vec<(String, ParticipantState, Role)> {
        let all = self.bench.newest().participants.iter();
        all.map(|it| (it.party.number.clone(), it.state, it.role)).collect()
    }
}

fn ears(list: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    let owned = |names: &[&str]| {
        let mut names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        names.sort();
        names
    };
    list.iter().map(|(name, heard)| ((*name).to_owned(), owned(heard))).collect()
}

fn sorted(ears: BTreeMap<String, Vec<String>>) -> BTreeMap<String, Vec<String>> {
    ears.into_iter()
        .map(|(name, mut heard)| {
            heard.sort();
            (name, heard)
        })
        .collect()
}

const PETER: &str = "12065550100";

#[test]
fn a_call_keeps_its_id_and_tags_and_both_hear_the_invitation_before_they_are_in() {
    let mut room = room();

    assert_eq!(
        room.bench.events(),
        ["created", &format!("participant_invited {PETER}"), "participant_invited 101"]
    );
    let told: Vec<_> = room.bench.told.iter().map(|it| (it.tag.clone(), it.state)).collect();
    let (peter, alice) = (room.peter.clone(), room.alice.clone());
    assert_eq!(told, [(peter.clone(), State::Connected), (alice.clone(), State::Connected)]);
    for view in &room.bench.told {
        assert_eq!(view.call_id, room.call);
        assert_eq!(view.conference.as_ref().unwrap().name, "Sales");
        assert_eq!(view.caused_by, Some(cause("conference")));
    }
    let invitation = Source::Prompt("conference/invitation.au".to_owned());
    assert_eq!(
        (room.bench.hears(&peter), room.bench.hears(&alice)),
        (invitation.clone(), invitation)
    );

    room.bench.pass(999);
    assert!(room.bench.events().is_empty());
    room.bench.pass(1);

    assert_eq!(
        room.bench.events(),
        [&format!("participant_joined {PETER}"), "participant_joined 101"]
    );
    assert_eq!(sorted(room.bench.ears()), ears(&[(PETER, &["101"]), ("101", &[PETER])]));
}

#[test]
fn called_participants_are_calls_of_their_own_with_one_leg_each() {
    let mut room = joined();

    let bob = room.bring("102");
    let far = room.bring("12065550199");

    assert_eq!(
        room.bench.rows()[2..],
        [
            "102 | 101 → 102 | incoming | false | trying ringing connected",
            "trunk | 101 → 12065550199 | outgoing | true | trying ringing connected",
        ]
    );
    assert!(room.bench.told.iter().all(|view| view.conference.is_some()));
    assert_ne!(room.bench.of(&bob)[0].call_id, room.bench.of(&far)[0].call_id);
    assert!(room.bench.resolves.iter().all(|it| it.1 == 1), "the owner pays");
    let everybody: [(&str, &[&str]); 4] = [
        (PETER, &["101", "102", "12065550199"]),
        ("101", &[PETER, "102", "12065550199"]),
        ("102", &[PETER, "101", "12065550199"]),
        ("12065550199", &[PETER, "101", "102"]),
    ];
    assert_eq!(sorted(room.bench.ears()), ears(&everybody));
}

#[test]
fn somebody_who_comes_changes_nothing_for_those_who_are_in() {
    let mut room = joined();
    room.bring("102");
    let carol = room.add("103");
    let mark = room.bench.ops.len();

    room.bench.answers(&carol);

    let own = room.bench.channel(&carol);
    let others: Vec<_> = room.bench.ops[mark..].iter().filter(|op| *op.channel() != own).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn the_owner_hangs_up_and_the_rest_goes_on_until_the_last_has_left() {
    let mut room = joined();
    let bob = room.bring("102");
    room.bench.events();

    let (alice, peter) = (room.alice.clone(), room.peter.clone());
    room.bench.hangs_up(&alice);

    assert_eq!(room.bench.state(&alice), State::Terminated);
    assert_eq!(room.bench.state(&peter), State::Connected);
    assert_eq!(sorted(room.bench.ears()), ears(&[(PETER, &["102"]), ("102", &[PETER])]));
    room.bench.hangs_up(&peter);
    room.bench.hangs_up(&bob);

    assert_eq!(
        room.bench.events(),
        [
            "participant_left 101",
            &format!("participant_left {PETER}"),
            "participant_left 102",
            "ended"
        ]
    );
    assert!(room.bench.newest().end_time.is_some());
    assert!(room.bench.customer.is_idle());
}

#[test]
fn a_phone_that_rings_stops_when_the_last_on_the_line_has_gone() {
    let mut room = joined();
    let bob = room.add("102");

    let (alice, peter) = (room.alice.clone(), room.peter.clone());
    room.bench.hangs_up(&alice);
    room.bench.hangs_up(&peter);

    let reason = room.bench.of(&bob).last().unwrap().reason.clone().unwrap();
    assert_eq!((reason.code, reason.text.as_str()), (487, "Request Terminated"));
    assert_eq!(room.states()[2].1, ParticipantState::Failed);
    assert!(room.bench.customer.is_idle());
}

#[test]
fn who_does_not_come_has_failed_and_the_rest_goes_on() {
    for how in 0..4 {
        let mut room = joined();
        let bob = room.add("102");
        let code = match how {
            0 => {
                room.bench.refuses(&bob, 486);
                486
            }
            1 => {
                room.bench.hangs_up(&bob);
                603
            }
            2 => {
                room.bench.pass(60_000);
                480
            }
            _ => {
                room.act(ConferenceAction::Delete(room.id.clone(), bob.clone())).unwrap();
                487
            }
        };

        assert_eq!(room.bench.of(&bob).last().unwrap().reason.as_ref().unwrap().code, code);
        assert_eq!(room.states()[2].1, ParticipantState::Failed, "{how}");
        assert_eq!(sorted(room.bench.ears()), ears(&[(PETER, &["101"]), ("101", &[PETER])]));
    }
}

#[test]
fn who_may_not_be_called_or_is_nobody_has_failed_too() {
    let answers =
        [(Err(ResolveFailure::NotAllowed), 403), (Ok(crate::domain::Route::Nowhere), 404)];
    for (answer, code) in answers {
        let mut room = joined();
        let whom = Whom::Number("999".to_owned());
        room.bench.confer(CUSTOMER, ConferenceAction::Add(room.id.clone(), whom, Vec::new()));
        let call = room.bench.resolves.last().unwrap().0.clone();
        let mark = room.bench.told.len();

        room.bench.resolve(&call, answer);

        let told = &room.bench.told[mark..];
        let states: Vec<_> = told.iter().map(|it| it.state).collect();
        assert_eq!(states, [State::Trying, State::Terminated]);
        assert_eq!(told[1].reason.as_ref().unwrap().code, code);
        let (_, outcome) = room.bench.replies.last().unwrap();
        let participant = outcome.clone().unwrap().participant.unwrap();
        assert_eq!(participant.state, ParticipantState::Failed);
    }
}

#[test]
fn a_hunt_group_cannot_be_called_in() {
    let mut room = joined();
    let whom = Whom::Number("340".to_owned());
    room.bench.confer(CUSTOMER, ConferenceAction::Add(room.id.clone(), whom, Vec::new()));
    let call = room.bench.resolves.last().unwrap().0.clone();

    room.bench.resolve(&call, Ok(to_group(&support(&["102"]))));

    assert_eq!(room.bench.told.last().unwrap().reason.as_ref().unwrap().code, 480);
}

#[test]
fn one_person_is_one_participant() {
    let mut room = joined();
    room.bring("102");

    for id in ["101", "102"] {
        let whom = Whom::Account(account(id));
        let again = ConferenceAction::Add(room.id.clone(), whom, Vec::new());
        assert_eq!(room.act(again), Err(Refusal::AlreadyIn));
    }
    // Two who add the same at once: one comes second.
    let add = |whom| ConferenceAction::Add(room.id.clone(), whom, Vec::new());
    let (by_account, by_number) =
        (add(Whom::Account(account("103"))), add(Whom::Number("103".to_owned())));
    room.bench.confer(CUSTOMER, by_account);
    room.bench.confer(CUSTOMER, by_number);
    let calls: Vec<_> = room.bench.resolves.iter().rev().take(2).map(|it| it.0.clone()).collect();
    for call in calls {
        room.bench.resolve(&call, Ok(to_account("103")));
    }

    let outcomes: Vec<_> = room.bench.replies.iter().rev().take(2).map(|it| it.1.is_ok()).collect();
    assert_eq!(outcomes, [false, true]);
}

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
fn ownership_passes_on_to_an_account_that_may_confer() {
    let mut room = joined();
    let bob = room.bring("102");
    let change = |may_confer| ConferenceAction::Change {
        id: room.id.clone(),
        owner: Some(NewOwner { account: account("102"), may_confer }),
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

#[test]
fn who_may_do_what_to_a_conference() {
    let mut room = joined();
    let bob = room.bring("102");
    let id = room.id.clone();
    let commands = |of: &Tag| {
        [
            ConferenceAction::Add(id.clone(), Whom::Number("12065550177".to_owned()), Vec::new()),
            ConferenceAction::Update {
                id: id.clone(),
                participant: of.clone(),
                mute: Some(true),
                hold: None,
            },
            ConferenceAction::Delete(id.clone(), of.clone()),
            ConferenceAction::Terminate(id.clone()),
            ConferenceAction::Change { id: id.clone(), owner: None, name: Some("x".to_owned()) },
            ConferenceAction::Merge { id: id.clone(), from: id.clone() },
        ]
    };
    let mark = room.bench.told.len();
    room.bench.events();
    let stranger = Scope::Customer { i_customer: 2 };
    for action in commands(&bob) {
        let not_found = Some(Err(Refusal::ConferenceNotFound(id.clone())));
        assert_eq!(room.bench.confer(stranger, action.clone()), not_found, "{action:?}");
        assert_eq!(room.bench.confer(account_scope("104"), action.clone()), not_found);
        let refused = room.bench.confer(account_scope("102"), action.clone());
        assert_eq!(refused, Some(Err(Refusal::NotOwner)), "{action:?}");
    }
    assert!(room.bench.told.len() == mark && room.bench.events().is_empty());

    let leave = ConferenceAction::Leave(id.clone(), account("102"));
    let foreign = room.bench.confer(account_scope("101"), leave.clone());
    assert_eq!(foreign, Some(Err(Refusal::AccountNotFound("102".to_owned()))));
    room.bench.confer(account_scope("102"), leave.clone()).unwrap().unwrap();
    assert_eq!(room.bench.state(&bob), State::Terminated);
    assert!(matches!(room.act(leave), Err(Refusal::ParticipantNotFound(_))));
    let join = ConferenceAction::Join(id, account("104"), JoinMode::Full);
    assert_eq!(room.bench.confer(account_scope("104"), join), None, "anybody may drop in");
}

#[test]
fn nothing_changes_on_the_call_when_the_owner_may_not_confer() {
    let (mut bench, call, alice, _) = Bench::talking();
    let marks = (bench.told.len(), bench.ops.len());

    let refused = bench.confer(account_scope("101"), create(&call, "101", false));
    assert_eq!(refused, Some(Err(Refusal::ServiceDisabled)));
    let absent = bench.confer(account_scope("103"), create(&call, "103", true));
    assert_eq!(absent, Some(Err(Refusal::CallNotFound(call.clone()))));
    let of_another = bench.confer(account_scope("101"), create(&call, "102", true));
    assert_eq!(of_another, Some(Err(Refusal::AccountNotFound("102".to_owned()))));

    assert_eq!((bench.told.len(), bench.ops.len(), bench.news.len()), (marks.0, marks.1, 0));
    assert_eq!(bench.state(&alice), State::Connected);
}

#[test]
fn a_call_in_a_conference_is_ended_leg_by_leg_in_the_account_realm() {
    let mut room = joined();
    let (call, peter, alice) = (room.call.clone(), room.peter.clone(), room.alice.clone());
    let end = |tag: Option<&Tag>| Action::Terminate(call.clone(), tag.cloned(), None);

    let own = room.bench.command(account_scope("101"), "terminate_call", end(None));
    assert_eq!(own, Some(Ok(Done::default())));
    assert_eq!(room.bench.state(&alice), State::Terminated);
    assert_eq!(room.bench.state(&peter), State::Connected);

    let mut room = joined();
    let bob = room.bring("102");
    let call = room.bench.of(&bob)[0].call_id.clone();
    let end = Action::Terminate(call, Some(bob.clone()), None);
    room.bench.command(account_scope("101"), "terminate_call", end).unwrap().unwrap();
    assert_eq!(room.bench.state(&bob), State::Terminated, "the owner may end more");

    let mut room = joined();
    let call = room.call.clone();
    room.bench.must("terminate_call", Action::Terminate(call, None, None)).unwrap();
    assert!(room.bench.customer.is_idle(), "above it, the call is the whole call");
}

#[test]
fn parking_transfer_and_supervision_take_calls_that_are_in_no_conference() {
    let mut room = joined();
    let call = room.call.clone();
    let alice = Some(room.alice.clone());
    let marks = (room.bench.told.len(), room.bench.ops.len());
    for action in [
        Action::Park(call.clone(), alice.clone(), None),
        Action::TransferBlind(call.clone(), alice.clone(), "103".to_owned()),
        Action::Supervise(call, alice, crate::domain::Mode::Spy, Box::new(account("104"))),
    ] {
        let refused = room.bench.must("any", action);
        assert_eq!(refused, Err(Refusal::InConference(State::Connected)));
    }
    assert_eq!((room.bench.told.len(), room.bench.ops.len()), marks);
}

#[test]
fn supervisors_do_not_come_along_and_holds_are_lifted() {
    let (mut bench, call, alice, bob) = Bench::talking();
    let spy = Action::Supervise(
        call.clone(),
        Some(alice.clone()),
        crate::domain::Mode::Spy,
        Box::new(account("104")),
    );
    bench.must("supervise_call", spy).unwrap();
    let dora = bench.tag(2);
    bench.answers(&dora);
    bench.must("hold_call", Action::Hold(call.clone(), None)).unwrap();

    bench.confer(CUSTOMER, create(&call, "101", true)).unwrap().unwrap();
    bench.pass(1_000);

    assert_eq!(bench.state(&dora), State::Terminated);
    assert_eq!((bench.state(&alice), bench.state(&bob)), (State::Connected, State::Connected));
    assert_eq!(sorted(bench.ears()), ears(&[("101", &["102"]), ("102", &["101"])]));
}

#[test]
fn what_is_still_being_asked_for_is_dropped_with_the_conference() {
    let mut room = joined();
    let whom = Whom::Number("12065550177".to_owned());
    room.bench.confer(CUSTOMER, ConferenceAction::Add(room.id.clone(), whom, Vec::new()));
    let call = room.bench.resolves.last().unwrap().0.clone();

    room.act(ConferenceAction::Terminate(room.id.clone())).unwrap();
    room.bench.resolve(&call, Ok(to_pstn("12065550177")));

    let answered = room
        .bench
        .replies
        .iter()
        .any(|(_, outcome)| *outcome == Err(Refusal::ConferenceNotFound(room.id.clone())));
    assert!(answered && room.bench.customer.is_idle());
    let dialled = Endpoint::Trunk { number: "12065550177".to_owned() };
    assert!(!room.bench.dialled().contains(&dialled));
}

#[test]
fn own_prompts_are_heard_one_after_the_other_by_who_is_called_too() {
    let mut room = joined();
    let whom = Whom::Account(account("102"));
    let prompts = vec!["a.au".to_owned(), "b.g729".to_owned()];
    room.bench.confer(CUSTOMER, ConferenceAction::Add(room.id.clone(), whom, prompts));
    let bob = room.resolved("102");
    assert_eq!(room.bench.hears(&bob), Source::Silence);

    room.bench.answers(&bob);
    assert_eq!(room.bench.hears(&bob), Source::Prompt("a.au".to_owned()));
    assert_eq!(room.states()[2].1, ParticipantState::Invited);
    room.bench.pass(2_000);
    assert_eq!(room.bench.hears(&bob), Source::Prompt("b.g729".to_owned()));
    room.bench.pass(2_000);

    assert_eq!(room.states()[2].1, ParticipantState::Joined);
    room.bench.feed(Input::Stop);
    assert!(room.bench.customer.is_idle());
}

/// Charges: the owner pays for everybody, itself included, and each new owner from its second on.
#[test]
fn the_owner_is_charged_for_everybody_for_its_own_time() {
    let mut room = joined();
    let bob = room.bring("102");
    room.bench.pass(10_000);
    let owner = Some(NewOwner { account: account("103"), may_confer: true });
    room.act(ConferenceAction::Change { id: room.id.clone(), owner, name: None }).unwrap();
    room.bench.pass(5_000);
    room.bench.hangs_up(&bob);
    room.act(ConferenceAction::Terminate(room.id.clone())).unwrap();

    let of = |tag: &Tag, payer: i64| {
        let all = room.bench.charged.iter();
        let is_it = |it: &&crate::domain::Charged| {
            it.tag == *tag
                && it.payer == payer
                && it.service == crate::domain::ChargedService::Conferencing
        };
        all.filter(is_it).map(|it| it.duration.as_secs()).collect::<Vec<_>>()
    };
    for tag in [&room.peter, &room.alice, &bob] {
        assert_eq!((of(tag, 1), of(tag, 3)), (vec![10], vec![5]), "{tag}");
    }
}
