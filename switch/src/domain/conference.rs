//! Conferences: who is in, as what, and since when. Pure; what happens to calls and legs is in
//! `customer/conferences`.
//!
//! A conference lies over calls: each participant is a leg of a call, which keeps its id and its
//! tag. A participant's id is its leg's tag.
//!
//! # States of a participant
//!
//! | state | what happens | next |
//! | --- | --- | --- |
//! | – | its call is turned into the conference, or it is called | `invited` |
//! | – | its call is added without prompts | `joined`, `held` if it holds or is held |
//! | `invited` | the invitation has been heard; or the phone answers and there is none | `joined`, `held` if it holds or is held |
//! | `invited`, called | its leg ends, whatever the reason (no answer, refusal, hang-up, taken out) | `failed` |
//! | `invited`, a party of a call that goes on | its leg ends, whatever the reason | `left` |
//! | `joined` | is held by a command, or its phone holds | `held` |
//! | `held` | neither holds it any more | `joined` |
//! | `joined`, `held` | its leg ends, whatever the reason | `left` |
//! | any of these | goes to another conference | `left` |
//!
//! Who held the other party of a call goes on holding it when the call comes in, until it takes the
//! call back, ends, or a command ends the hold of the one who is held.
//!
//! `failed` and `left` are final: who comes back is another participant. Mute and mode change in
//! any state before them.
//!
//! # States of a conference
//!
//! | state | what happens | next |
//! | --- | --- | --- |
//! | – | a call of two parties who talk is turned into it | `active` |
//! | `active` | the last participant on the line has gone; phones that still ring stop | `ended` |
//! | `active` | is ended by command, or merged into another | `ended` |
//!
//! An ended conference is out of the engine; its record stays in the store for a day.

pub(super) mod matrix;
mod participant;
mod view;

use std::collections::BTreeSet;

use mesh::caller::Owner;
use mesh::clock::Timestamp;

pub use self::matrix::{Ear, Row};
pub use self::participant::{Interval, IntervalKind, JoinMode, ParticipantState, Role};
pub use self::view::{ConferenceNews, ConferenceRef, ConferenceView, ParticipantView};

use self::matrix::Place;
pub(super) use self::participant::{Happened, Participant};
use super::names::{CallId, ConferenceId, Tag};
use super::party::Account;
use super::view::Seen;
use crate::driver::ChannelId;

/// Participants, those who have gone included, that a conference may have.
pub(super) const MAX_PARTICIPANTS: usize = 2_000;

/// A conference that goes on.
#[derive(Clone, Debug)]
pub(super) struct Conference {
    pub(super) id: ConferenceId,
    pub(super) name: String,
    pub(super) owner: Account,
    pub(super) create_time: Timestamp,
    /// In the order in which they came.
    pub(super) participants: Vec<Participant>,
    /// Calls to people of whom the directory has not said yet who they are.
    pub(super) asking: BTreeSet<CallId>,
    /// Everybody who owned it or was in it.
    pub(super) seen_by: BTreeSet<i64>,
    /// True while its last legs are being ended.
    pub(super) is_ending: bool,
}

impl Conference {
    pub(super) fn new(id: ConferenceId, name: String, owner: Account, now: Timestamp) -> Self {
        Self {
            id,
            name,
            seen_by: BTreeSet::from([owner.i_account]),
            owner,
            create_time: now,
            participants: Vec::new(),
            asking: BTreeSet::new(),
            is_ending: false,
        }
    }

    /// Takes somebody in.
    pub(super) fn add(&mut self, participant: Participant) {
        self.seen_by.extend(participant.party.i_account);
        self.participants.push(participant);
    }

    /// Those who have neither left nor failed.
    pub(super) fn living(&self) -> impl Iterator<Item = &Participant> {
        self.participants.iter().filter(|participant| participant.is_living())
    }

    pub(super) fn participant(&self, tag: &Tag) -> Option<&Participant> {
        self.living().find(|participant| participant.tag == *tag)
    }

    /// Whoever came last under this id, gone or not.
    pub(super) fn latest(&self, tag: &Tag) -> Option<&Participant> {
        self.participants.iter().rev().find(|participant| participant.tag == *tag)
    }

    pub(super) fn participant_mut(&mut self, tag: &Tag) -> Option<&mut Participant> {
        self.participants.iter_mut().find(|it| it.tag == *tag && it.is_living())
    }

    /// The living participants of an account.
    pub(super) fn of_account(&self, i_account: i64) -> Vec<(CallId, Tag)> {
        let of = self.living().filter(|it| it.party.i_account == Some(i_account));
        of.map(|it| (it.call_id.clone(), it.tag.clone())).collect()
    }

    /// True for who owns it, and for who is or was in it.
    pub(super) fn knows(&self, i_account: i64) -> bool {
        self.seen_by.contains(&i_account)
    }

    pub(super) fn role(&self, participant: &Participant) -> Role {
        match participant.mode {
            _ if participant.party.i_account == Some(self.owner.i_account) => Role::Owner,
            JoinMode::Full => Role::Participant,
            JoinMode::ListenOnly => Role::Listener,
            JoinMode::PrivateTalk => Role::Private,
        }
    }

    /// The matrix anew; gives the legs whose row is another than before.
    pub(super) fn arrange(&mut self) -> Vec<Tag> {
        let place = |it: &Participant| Place {
            is_in: it.is_in(),
            is_moderator: it.party.i_account == Some(self.owner.i_account),
            mode: it.mode,
            is_muted: it.is_muted,
            is_held: it.is_held(),
            holds: it.holds,
            i_account: it.party.i_account,
        };
        let places: Vec<_> = self.living().map(|it| (it.channel.clone(), place(it))).collect();
        let rows = matrix::rows(&places);
        let mut changed = Vec::new();
        let living = self.participants.iter_mut().filter(|it| it.is_living());
        for (participant, row) in living.zip(rows) {
            if participant.row != row {
                participant.row = row;
                changed.push(participant.tag.clone());
            }
        }
        changed
    }

    /// Accounts that are in it, or invited.
    pub(super) fn present(&self) -> BTreeSet<i64> {
        self.living().filter_map(|it| it.party.i_account).collect()
    }

    /// Who may see what happens to `subject`: the owner, and everybody who is in.
    pub(super) fn audience(&self, subject: Option<&Participant>) -> Seen {
        let mut i_accounts = self.present();
        i_accounts.extend(subject.and_then(|it| it.party.i_account));
        i_accounts.insert(self.owner.i_account);
        Seen { i_accounts, ..Seen::default() }
    }

    /// All of it, as it is kept and shown.
    pub(super) fn view(&self, end_time: Option<Timestamp>) -> ConferenceView {
        let Account { i_reseller, i_customer, .. } = self.owner;
        ConferenceView {
            environment: Owner { i_reseller, i_customer },
            id: self.id.clone(),
            name: self.name.clone(),
            owner_account_id: self.owner.account_id.clone(),
            create_time: self.create_time,
            end_time,
            participants: self.participants.iter().map(|it| self.participant_view(it)).collect(),
            seen_by: self.seen_by.clone(),
        }
    }

    /// One participant, as it is shown.
    pub(super) fn participant_view(&self, participant: &Participant) -> ParticipantView {
        let is_living = participant.is_living();
        let tag_of = |channel: &ChannelId| {
            let mut all = self.participants.iter();
            all.find(|it| it.channel == *channel && it.is_living()).map(|it| it.tag.clone())
        };
        let tags = |channels: &BTreeSet<ChannelId>| channels.iter().filter_map(tag_of).collect();
        let ear = match &participant.row.ear {
            _ if participant.hears_prompt => Ear::Silence,
            Ear::Room { beside, except } if is_living => {
                Ear::Room { beside: tags(beside), except: tags(except) }
            }
            Ear::Music if is_living => Ear::Music,
            _ => Ear::Silence,
        };
        ParticipantView {
            tag: participant.tag.clone(),
            call_id: participant.call_id.clone(),
            party: participant.party.clone(),
            role: self.role(participant),
            state: participant.state(),
            is_muted: participant.is_muted,
            join_time: participant.join_time,
            leave_time: participant.leave_time,
            intervals: participant.intervals.clone(),
            row: Row { speaks: participant.row.speaks && is_living, ear },
        }
    }
}

#[cfg(test)]
mod tests;
