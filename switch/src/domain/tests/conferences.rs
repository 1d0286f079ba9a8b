//! Conferences, as commands and phones bring them about.

mod acting;
mod coming;
mod intervals;
mod keeping;
mod large;
mod random;
mod rights;

use std::collections::BTreeMap;

use mesh::caller::Scope;

use super::bench::{
    Bench, CUSTOMER, account, account_scope, cause, support, to_account, to_group, to_pstn,
};
use crate::domain::{
    Action, CallId, ConferenceAction, ConferenceId, ConferenceView, CreateConference, Done, Input,
    JoinMode, NewOwner, Outcome, ParticipantState, Refusal, ResolveFailure, Role, State, Tag, Whom,
};
use crate::driver::{Clip, Endpoint, Event, Source};

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
        owner: NewOwner { account: account(owner), may_confer, has_credit: true },
        prompts: vec![clip("conference/invitation.au", 1)],
    })
}

fn clip(name: &str, seconds: u64) -> Clip {
    let duration = std::time::Duration::from_secs(seconds);
    Clip {
        name: name.to_owned(),
        duration,
        is_fetched: false,
        content: crate::driver::Content::default(),
    }
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
