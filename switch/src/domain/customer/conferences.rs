//! Conferences: what commands do to them.
//!
//! How conferences follow their legs, and legs their conferences, is in [`seats`]; how people are
//! called in is in [`inviting`].
//!
//! | command | who may | what it does |
//! | --- | --- | --- |
//! | create | whose leg is in the call, whose application has the party, and the realms above | both parties are invited, the call goes on under its id |
//! | add, update, delete, terminate, change, merge | the owner, and the realms above | |
//! | leave | the account itself, and the realms above | its legs in the conference end |
//! | join | every account of the environment, and the realms above | its phone is called; when it is in, its mode changes |

mod inviting;
mod seats;
mod telling;

use std::collections::BTreeSet;

use super::Customer;
use crate::domain::call::{Call, Plan};
use crate::domain::command::{
    Action, CallerScope, Cause, ConferenceAction, CreateConference, Done, NewOwner, Refusal, Whom,
};
use crate::domain::conference::{Conference, Happened, JoinMode, MAX_PARTICIPANTS, Participant};
use crate::domain::dialogue::Dialogue;
use crate::domain::leg::Retold;
use crate::domain::names::{CallId, ConferenceId, Tag};
use crate::domain::party::Account;
use crate::domain::reason::Standard;
use crate::driver::{Clip, Reason};

pub(in crate::domain) use self::inviting::Invite;

impl Customer {
    /// Carries out a command on a conference; `None` when it is answered later.
    pub(super) fn on_conference(
        &mut self,
        command_id: String,
        scope: &CallerScope,
        cause: &Cause,
        action: &Action,
    ) -> Result<Option<Done>, Refusal> {
        let Action::Conference(what) = action else { return Ok(Some(Done::default())) };
        match what.as_ref() {
            ConferenceAction::Create(create) => {
                self.create_conference(scope, cause, action, create).map(Some)
            }
            ConferenceAction::Add(id, whom, prompts) => {
                self.managed(scope, id)?;
                self.has_room(id)?;
                match whom {
                    Whom::Call(call_id, tag) => self
                        .add_call(scope, cause, action, (id, call_id, tag.as_ref()), prompts)
                        .map(Some),
                    Whom::Account(account) => {
                        self.is_here(account)?;
                        self.is_not_in(id, account.i_account)?;
                        let number = account.account_id.clone();
                        let prompts = prompts.clone();
                        self.invite(id, number, Invite::new(command_id, cause, prompts));
                        Ok(None)
                    }
                    Whom::Number(number) => {
                        let prompts = prompts.clone();
                        self.invite(id, number.clone(), Invite::new(command_id, cause, prompts));
                        Ok(None)
                    }
                }
            }
            ConferenceAction::Update { id, participant, mute, hold } => {
                self.managed(scope, id)?;
                self.update_participant(id, participant, (*mute, *hold), cause).map(Some)
            }
            ConferenceAction::Delete(id, tag) => {
                let conference = self.managed(scope, id)?;
                let participant = conference
                    .participant(tag)
                    .ok_or_else(|| Refusal::ParticipantNotFound(tag.clone()))?;
                let call_id = participant.call_id.clone();
                self.leg_gone(&call_id, tag, &Standard::ByApi.reason(), Some(cause));
                Ok(Some(Done::default()))
            }
            ConferenceAction::Leave(id, account) => {
                let legs = self.conference(scope, id)?.of_account(account.i_account);
                self.may_use(scope, account)?;
                if legs.is_empty() {
                    return Err(Refusal::ParticipantNotFound(Tag(account.account_id.clone())));
                }
                for (call_id, tag) in legs {
                    self.leg_gone(&call_id, &tag, &Standard::ByApi.reason(), Some(cause));
                }
                Ok(Some(Done::default()))
            }
            ConferenceAction::Join(id, account, mode) => {
                self.join_conference(command_id, scope, cause, (id, account, *mode))
            }
            ConferenceAction::Terminate(id) => {
                self.managed(scope, id)?;
                self.end_conference(id, &Standard::ByApi.reason(), Some(cause));
                Ok(Some(Done::default()))
            }
            ConferenceAction::Change { id, owner, name } => {
                self.managed(scope, id)?;
                self.change_conference(id, owner.as_ref(), name.as_deref(), cause).map(Some)
            }
            ConferenceAction::Merge { id, from } => {
                self.managed(scope, id)?;
                self.managed(scope, from)?;
                if id == from {
                    return Err(Refusal::SameConference);
                }
                self.merge_conferences(id, from, cause);
                Ok(Some(Done::default()))
            }
        }
    }

    /// The conference, if it goes on and the caller's environment has it.
    fn conference_here(
        &self,
        scope: &CallerScope,
        id: &ConferenceId,
    ) -> Result<&Conference, Refusal> {
        let conference = self.conferences.get(id).filter(|conference| !conference.is_ending);
        conference
            .filter(|_| scope.reaches(self.owner))
            .ok_or_else(|| Refusal::ConferenceNotFound(id.clone()))
    }

    /// The conference, if the caller may see it.
    fn conference(&self, scope: &CallerScope, id: &ConferenceId) -> Result<&Conference, Refusal> {
        let conference = self.conference_here(scope, id)?;
        let is_known = scope.i_account().is_none_or(|own| conference.knows(own));
        is_known.then_some(conference).ok_or_else(|| Refusal::ConferenceNotFound(id.clone()))
    }

    /// The conference, if the caller may manage it.
    fn managed(&self, scope: &CallerScope, id: &ConferenceId) -> Result<&Conference, Refusal> {
        let conference = self.conference(scope, id)?;
        let is_owner = scope.i_account().is_none_or(|own| own == conference.owner.i_account);
        is_owner.then_some(conference).ok_or(Refusal::NotOwner)
    }

    /// True for a leg of a call in a conference that a session of an account may not end: only
    /// the owner may end legs of others.
    pub(super) fn is_others_seat(&self, scope: &CallerScope, call_id: &CallId, tag: &Tag) -> bool {
        let Some(own) = scope.i_account() else { return false };
        let Some(call) = self.calls.get(call_id) else { return false };
        let Plan::Conferring(id) = &call.plan else { return false };
        let is_own = call.leg(tag).is_some_and(|leg| leg.i_account == Some(own));
        let is_owner = self.conferences.get(id).is_some_and(|it| it.owner.i_account == own);
        !is_own && !is_owner
    }

    fn is_here(&self, account: &Account) -> Result<(), Refusal> {
        let is_here = account.i_customer == self.owner.i_customer;
        is_here.then_some(()).ok_or_else(|| Refusal::AccountNotFound(account.account_id.clone()))
    }

    /// One person is one participant.
    fn is_not_in(&self, id: &ConferenceId, i_account: i64) -> Result<(), Refusal> {
        let is_in = self.conferences.get(id).is_some_and(|it| !it.of_account(i_account).is_empty());
        if is_in { Err(Refusal::AlreadyIn) } else { Ok(()) }
    }

    fn has_room(&self, id: &ConferenceId) -> Result<(), Refusal> {
        let has_room = self
            .conferences
            .get(id)
            .is_some_and(|it| it.participants.len() + it.asking.len() < MAX_PARTICIPANTS);
        if has_room { Ok(()) } else { Err(Refusal::ConferenceFull) }
    }

    fn create_conference(
        &mut self,
        scope: &CallerScope,
        cause: &Cause,
        action: &Action,
        create: &CreateConference,
    ) -> Result<Done, Refusal> {
        let CreateConference { call_id, tag, name, owner, prompts } = create;
        self.is_talking(scope, action, call_id, tag.as_ref())?;
        self.may_use(scope, &owner.account)?;
        owner.may_own()?;
        let id = self.names.conference();
        let conference = Conference::new(id.clone(), name.clone(), owner.account.clone(), self.now);
        let parties = self.calls.get(call_id).into_iter().flat_map(Call::living);
        let parties = parties.filter_map(|leg| leg.i_account).collect();
        self.effects.push(telling::news(&conference, &parties, None, "created", Some(cause)));
        self.conferences.insert(id.clone(), conference);
        self.take_call_in(&id, call_id, prompts, cause);
        let conference = self.conferences.get(&id).map(|it| Box::new(it.view(None)));
        Ok(Done { conference, ..Done::default() })
    }

    /// Whether a call can become a conference, or a part of one: two parties talk, or an
    /// application has answered.
    fn is_talking(
        &self,
        scope: &CallerScope,
        action: &Action,
        call_id: &CallId,
        tag: Option<&Tag>,
    ) -> Result<(), Refusal> {
        let not_found = || Refusal::CallNotFound(call_id.clone());
        // Who was a party once may still look, but not act; the owner of the application that has
        // the party is as good as one.
        let is_party = |own: i64| {
            self.calls.get(call_id).is_some_and(|call| {
                call.served_by().is_some_and(|it| it.owner.i_account == own)
                    || call.living().any(|leg| leg.is_party() && leg.i_account == Some(own))
            })
        };
        let call = self
            .calls
            .get(call_id)
            .filter(|call| scope.reaches(self.owner) && call.is_visible_to(scope))
            .filter(|_| scope.i_account().is_none_or(is_party))
            .ok_or_else(not_found)?;
        let leg = call.target(scope, action, tag)?;
        if matches!(call.plan, Plan::Served(_)) {
            return Ok(());
        }
        call.conversation(&leg.tag, action).map(drop)
    }

    fn add_call(
        &mut self,
        scope: &CallerScope,
        cause: &Cause,
        action: &Action,
        (id, call_id, tag): (&ConferenceId, &CallId, Option<&Tag>),
        prompts: &[Clip],
    ) -> Result<Done, Refusal> {
        self.is_talking(scope, action, call_id, tag)?;
        let first = self.take_call_in(id, call_id, prompts, cause);
        Ok(first.map(|tag| self.participant_done(id, &tag)).unwrap_or_default())
    }

    /// Makes the parties of a call participants; gives the first.
    fn take_call_in(
        &mut self,
        id: &ConferenceId,
        call_id: &CallId,
        prompts: &[Clip],
        cause: &Cause,
    ) -> Option<Tag> {
        self.end_all_listeners(call_id);
        let conference = self.conferences.get_mut(id)?;
        let call = self.calls.get_mut(call_id)?;
        call.plan = Plan::Conferring(id.clone());
        call.seen_by.i_accounts.insert(conference.owner.i_account);
        let holders: Vec<Tag> =
            call.living().filter(|leg| leg.holds).map(|leg| leg.tag.clone()).collect();
        for leg in call.legs.iter_mut().filter(|leg| leg.is_alive()) {
            leg.retold = Some(Retold::default());
            let name = (call_id.clone(), leg.tag.clone(), leg.channel.clone());
            let party = leg.party.clone();
            let held_by = holders.iter().find(|holder| **holder != leg.tag).cloned();
            let participant = Participant::new(name, party, JoinMode::Full, prompts.to_vec());
            conference.add(participant.brought_by(cause).talking(held_by));
        }
        let tags: Vec<Tag> = call.living().map(|leg| leg.tag.clone()).collect();
        for tag in &tags {
            self.converse(call_id, tag, Dialogue::stop_playing);
        }
        self.settle(call_id, Some(cause));
        tags.into_iter().next()
    }

    /// Ends the legs that listen in on a call.
    fn end_all_listeners(&mut self, call_id: &CallId) {
        let Some(call) = self.calls.get(call_id) else { return };
        let listeners: Vec<Tag> =
            call.living().filter(|leg| !leg.is_party()).map(|leg| leg.tag.clone()).collect();
        for tag in listeners {
            self.end_leg(call_id, &tag, &Standard::ByApi.reason());
        }
    }

    fn update_participant(
        &mut self,
        id: &ConferenceId,
        tag: &Tag,
        (mute, hold): (Option<bool>, Option<bool>),
        cause: &Cause,
    ) -> Result<Done, Refusal> {
        let now = self.now;
        let participant = self
            .conferences
            .get_mut(id)
            .and_then(|conference| conference.participant_mut(tag))
            .ok_or_else(|| Refusal::ParticipantNotFound(tag.clone()))?;
        let muted = mute.and_then(|is_muted| participant.mute(is_muted, now, cause));
        let held = hold.and_then(|is_held| participant.hold(is_held, now, cause));
        let happened: Vec<_> = muted.into_iter().chain(held).map(|it| (tag.clone(), it)).collect();
        self.conference_changed(id, &happened, std::slice::from_ref(tag), Some(cause));
        Ok(Done::default())
    }

    fn join_conference(
        &mut self,
        command_id: String,
        scope: &CallerScope,
        cause: &Cause,
        (id, account, mode): (&ConferenceId, &Account, JoinMode),
    ) -> Result<Option<Done>, Refusal> {
        // Whoever has been told of a conference may join it, as one may dial a number.
        let conference = self.conference_here(scope, id)?;
        let is_owner = conference.owner.i_account == account.i_account;
        let present = conference.of_account(account.i_account);
        self.may_use(scope, account)?;
        if is_owner && mode == JoinMode::PrivateTalk {
            return Err(Refusal::TalksWithItself);
        }
        let Some((_, first)) = present.first() else {
            self.has_room(id)?;
            let number = account.account_id.clone();
            let invite = Invite { mode, ..Invite::new(command_id, cause, Vec::new()) };
            self.invite(id, number, invite);
            return Ok(None);
        };
        let now = self.now;
        for (_, tag) in &present {
            let conference = self.conferences.get_mut(id);
            if let Some(participant) = conference.and_then(|it| it.participant_mut(tag)) {
                participant.set_mode(mode, now, cause);
            }
        }
        self.conference_changed(id, &[], &[], Some(cause));
        Ok(Some(self.participant_done(id, first)))
    }

    fn change_conference(
        &mut self,
        id: &ConferenceId,
        owner: Option<&NewOwner>,
        name: Option<&str>,
        cause: &Cause,
    ) -> Result<Done, Refusal> {
        if let Some(owner) = owner {
            self.is_here(&owner.account)?;
            owner.may_own()?;
        }
        let now = self.now;
        let Some(conference) = self.conferences.get_mut(id) else {
            return Err(Refusal::ConferenceNotFound(id.clone()));
        };
        let owner = owner.filter(|owner| owner.account.i_account != conference.owner.i_account);
        let name = name.filter(|name| *name != conference.name);
        if owner.is_none() && name.is_none() {
            return Ok(Done::default());
        }
        if let Some(name) = name {
            name.clone_into(&mut conference.name);
        }
        if let Some(NewOwner { account, .. }) = owner {
            conference.owner = account.clone();
            conference.seen_by.insert(account.i_account);
            // Who talked with the moderator privately is the moderator now.
            for (_, tag) in conference.of_account(account.i_account) {
                if let Some(participant) = conference.participant_mut(&tag)
                    && participant.mode() == JoinMode::PrivateTalk
                {
                    participant.set_mode(JoinMode::Full, now, cause);
                }
            }
        }
        let all: Vec<Tag> = conference.living().map(|it| it.tag.clone()).collect();
        self.pass_on(id, &all);
        self.conference_changed(id, &[], &all, Some(cause));
        Ok(Done::default())
    }

    /// The conference's legs are told anew, are seen by its owner, and paid by it.
    fn pass_on(&mut self, id: &ConferenceId, tags: &[Tag]) {
        let Some(conference) = self.conferences.get(id) else { return };
        for participant in tags.iter().filter_map(|tag| conference.participant(tag)) {
            let Some(call) = self.calls.get_mut(&participant.call_id) else { continue };
            call.seen_by.i_accounts.insert(conference.owner.i_account);
            if let Some(leg) = call.leg_mut(&participant.tag) {
                leg.retold = Some(Retold::default());
                if participant.is_in() {
                    seats::charge(leg, conference, participant, self.now);
                }
            }
        }
    }

    fn merge_conferences(&mut self, id: &ConferenceId, from: &ConferenceId, cause: &Cause) {
        let now = self.now;
        let Some(mut source) = self.conferences.remove(from) else { return };
        let Some(target) = self.conferences.get_mut(id) else { return };
        let present = source.present();
        let mut left = Vec::new();
        let mut came = Vec::new();
        for participant in source.participants.iter_mut().filter(|it| it.is_living()) {
            let mut moved = participant.moved(now, cause);
            moved.is_told = true;
            let happened = if moved.is_in() { Happened::Joined } else { Happened::Invited };
            let goes_on = [
                moved.is_muted.then_some(Happened::Muted),
                moved.is_away().then_some(Happened::Held),
            ];
            let all = std::iter::once(happened).chain(goes_on.into_iter().flatten());
            came.extend(all.map(|happened| (moved.tag.clone(), happened)));
            target.add(moved);
            if let Some(happened) = participant.goes_elsewhere(now, cause) {
                left.push((participant.tag.clone(), happened));
            }
            if let Some(call) = self.calls.get_mut(&participant.call_id) {
                call.plan = Plan::Conferring(id.clone());
            }
        }
        for call_id in std::mem::take(&mut source.asking) {
            if let Some(call) = self.calls.get_mut(&call_id)
                && let Plan::Inviting(invite) = &mut call.plan
            {
                invite.conference = id.clone();
                target.asking.insert(call_id);
            }
        }
        for (tag, happened) in left {
            let (subject, event) = (source.latest(&tag), happened.name());
            self.effects.push(telling::news(
                &source,
                &BTreeSet::new(),
                subject,
                event,
                Some(cause),
            ));
        }
        self.finish_conference(&source, &present, Some(cause));
        let moved: Vec<Tag> = came.iter().map(|(tag, _)| tag.clone()).collect();
        self.pass_on(id, &moved);
        self.conference_changed(id, &came, &moved, Some(cause));
    }

    /// Ends every leg of a conference, and the conference.
    pub(super) fn end_conference(
        &mut self,
        id: &ConferenceId,
        reason: &Reason,
        cause: Option<&Cause>,
    ) {
        let Some(conference) = self.conferences.get_mut(id) else { return };
        conference.is_ending = true;
        let present = conference.present();
        let mut calls: BTreeSet<CallId> = conference.asking.clone();
        calls.extend(conference.living().map(|it| it.call_id.clone()));
        for call_id in calls {
            self.end_call(&call_id, reason, cause);
        }
        if let Some(conference) = self.conferences.remove(id) {
            self.finish_conference(&conference, &present, cause);
        }
    }
}
