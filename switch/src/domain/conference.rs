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
//! | – | its call is added without prompts | `joined` |
//! | `invited` | the invitation has been heard; or the phone answers and there is none | `joined` |
//! | `invited` | its leg ends, whatever the reason (no answer, refusal, hang-up, taken out) | `failed` |
//! | `joined` | is held by a command, or its phone holds | `held` |
//! | `held` | neither holds it any more | `joined` |
//! | `joined`, `held` | its leg ends, whatever the reason | `left` |
//! | any of these | goes to another conference | `left` |
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

use std::collections::BTreeSet;

use mesh::caller::Owner;
use mesh::clock::Timestamp;

pub use self::matrix::{Ear, Row};

use self::matrix::Place;
use super::command::Cause;
use super::names::{CallId, ConferenceId, Tag};
use super::party::{Account, Party};
use super::view::Seen;
use crate::driver::ChannelId;

/// Participants, those who have gone included, that a conference may have.
pub(super) const MAX_PARTICIPANTS: usize = 2_000;

/// Intervals that are kept of one participant; the oldest ends of others than `join` go first.
const MAX_INTERVALS: usize = 200;

/// How somebody takes part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JoinMode {
    /// Is heard by everybody.
    #[default]
    Full,
    /// Is heard by nobody.
    ListenOnly,
    /// Talks with the moderator, unheard by the others.
    PrivateTalk,
}

/// Whether a participant is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParticipantState {
    /// Is called or hears the invitation.
    Invited,
    /// Is in.
    Joined,
    /// Is in and held, or holds.
    Held,
    /// Has left.
    Left,
    /// Could not be brought in.
    Failed,
}

/// What a participant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Owns the conference and pays.
    Owner,
    /// Takes part in full.
    Participant,
    /// Listens only.
    Listener,
    /// Talks with the moderator.
    Private,
}

/// What an interval is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntervalKind {
    /// Being in.
    Join,
    /// Being muted.
    Mute,
    /// Being held, or holding.
    Hold,
    /// Taking part in this way.
    Mode(JoinMode),
}

/// A time during which a participant was something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// What it was.
    pub kind: IntervalKind,
    /// Since when.
    pub start: Timestamp,
    /// Until when.
    pub end: Option<Timestamp>,
    /// The command that began it.
    pub caused_by: Option<Cause>,
    /// The command that ended it.
    pub ended_by: Option<Cause>,
}

/// How far a participant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Invited,
    In,
    Left,
    Failed,
}

/// What is told of a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    Invited,
    Joined,
    Muted,
    Unmuted,
    Held,
    Resumed,
    Left,
    Failed,
}

impl Happened {
    /// The public name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Invited => "participant_invited",
            Self::Joined => "participant_joined",
            Self::Muted => "participant_muted",
            Self::Unmuted => "participant_unmuted",
            Self::Held => "participant_held",
            Self::Resumed => "participant_resumed",
            Self::Left => "participant_left",
            Self::Failed => "participant_failed",
        }
    }
}

/// One participant.
#[derive(Clone, Debug)]
pub(super) struct Participant {
    /// Its leg, which is its id.
    pub(super) tag: Tag,
    pub(super) call_id: CallId,
    pub(super) channel: ChannelId,
    pub(super) party: Party,
    mode: JoinMode,
    stage: Stage,
    is_muted: bool,
    is_held: bool,
    holds: bool,
    /// What is still to be played before it joins; the first is being played once it is on the
    /// line.
    invitation: Vec<String>,
    /// True once the invitation is being played.
    is_listening: bool,
    /// False until it has been told of.
    pub(super) is_told: bool,
    join_time: Option<Timestamp>,
    leave_time: Option<Timestamp>,
    intervals: Vec<Interval>,
    pub(super) row: Row<ChannelId>,
}

impl Participant {
    /// Somebody who is invited.
    pub(super) fn new(
        (call_id, tag, channel): (CallId, Tag, ChannelId),
        party: Party,
        mode: JoinMode,
        invitation: Vec<String>,
    ) -> Self {
        Self {
            tag,
            call_id,
            channel,
            party,
            mode,
            stage: Stage::Invited,
            is_muted: false,
            is_held: false,
            holds: false,
            invitation,
            is_listening: false,
            is_told: false,
            join_time: None,
            leave_time: None,
            intervals: Vec::new(),
            row: Row::default(),
        }
    }

    /// The same person as a participant of another conference, from `now` on.
    pub(super) fn moved(&self, now: Timestamp, cause: &Cause) -> Self {
        let mut moved = Self::new(
            (self.call_id.clone(), self.tag.clone(), self.channel.clone()),
            self.party.clone(),
            self.mode,
            self.invitation.clone(),
        );
        moved.is_listening = self.is_listening;
        moved.is_muted = self.is_muted;
        moved.is_held = self.is_held;
        moved.holds = self.holds;
        if self.stage == Stage::In {
            moved.join(now, Some(cause));
        }
        moved
    }

    pub(super) fn state(&self) -> ParticipantState {
        match self.stage {
            Stage::Invited => ParticipantState::Invited,
            Stage::In if self.is_held || self.holds => ParticipantState::Held,
            Stage::In => ParticipantState::Joined,
            Stage::Left => ParticipantState::Left,
            Stage::Failed => ParticipantState::Failed,
        }
    }

    /// True until it has left or failed.
    pub(super) fn is_living(&self) -> bool {
        matches!(self.stage, Stage::Invited | Stage::In)
    }

    pub(super) fn is_in(&self) -> bool {
        self.stage == Stage::In
    }

    /// True when its leg is through: it hears the invitation, or is in.
    pub(super) fn is_on_line(&self) -> bool {
        self.is_in() || (self.stage == Stage::Invited && self.is_listening)
    }

    pub(super) fn leave_time(&self) -> Option<Timestamp> {
        self.leave_time
    }

    pub(super) fn is_held(&self) -> bool {
        self.is_held
    }

    pub(super) fn mode(&self) -> JoinMode {
        self.mode
    }

    /// What it hears of the invitation now.
    pub(super) fn prompt(&self) -> Option<&str> {
        let is_invited = self.stage == Stage::Invited && self.is_listening;
        self.invitation.first().filter(|_| is_invited).map(String::as_str)
    }

    /// It is on the line: begins to hear the invitation, or is in if there is none. Says what
    /// is to be told; nothing when it was on the line before.
    pub(super) fn on_line(&mut self, now: Timestamp, cause: Option<&Cause>) -> Option<Happened> {
        if self.stage != Stage::Invited || self.is_listening {
            return None;
        }
        self.is_listening = true;
        if self.invitation.is_empty() { self.join(now, cause) } else { None }
    }

    /// A prompt has been heard; joins after the last.
    pub(super) fn prompt_heard(&mut self, now: Timestamp) -> Option<Happened> {
        if self.stage != Stage::Invited || !self.is_listening {
            return None;
        }
        if !self.invitation.is_empty() {
            self.invitation.remove(0);
        }
        if self.invitation.is_empty() { self.join(now, None) } else { None }
    }

    fn join(&mut self, now: Timestamp, cause: Option<&Cause>) -> Option<Happened> {
        self.stage = Stage::In;
        self.join_time = Some(now);
        self.begin(IntervalKind::Join, now, cause);
        self.begin(IntervalKind::Mode(self.mode), now, cause);
        if self.is_muted {
            self.begin(IntervalKind::Mute, now, cause);
        }
        if self.is_held || self.holds {
            self.begin(IntervalKind::Hold, now, cause);
        }
        Some(Happened::Joined)
    }

    /// Its leg has ended, or goes elsewhere.
    pub(super) fn gone(&mut self, now: Timestamp, cause: Option<&Cause>) -> Option<Happened> {
        let (stage, happened) = match self.stage {
            Stage::Invited => (Stage::Failed, Happened::Failed),
            Stage::In => (Stage::Left, Happened::Left),
            Stage::Left | Stage::Failed => return None,
        };
        self.stage = stage;
        self.leave_time = Some(now);
        for interval in self.intervals.iter_mut().filter(|interval| interval.end.is_none()) {
            interval.end = Some(now);
            interval.ended_by = cause.cloned();
        }
        Some(happened)
    }

    /// It goes on in another conference.
    pub(super) fn goes_elsewhere(&mut self, now: Timestamp, cause: &Cause) -> Option<Happened> {
        self.gone(now, Some(cause))?;
        self.stage = Stage::Left;
        Some(Happened::Left)
    }

    pub(super) fn mute(
        &mut self,
        is_muted: bool,
        now: Timestamp,
        cause: &Cause,
    ) -> Option<Happened> {
        if !self.is_living() || self.is_muted == is_muted {
            return None;
        }
        self.is_muted = is_muted;
        self.switch(IntervalKind::Mute, is_muted, now, Some(cause));
        Some(if is_muted { Happened::Muted } else { Happened::Unmuted })
    }

    /// Holds it by a command, or ends that.
    pub(super) fn hold(
        &mut self,
        is_held: bool,
        now: Timestamp,
        cause: &Cause,
    ) -> Option<Happened> {
        let was_held = self.is_held || self.holds;
        self.is_held = is_held;
        self.held_changed(was_held, now, Some(cause))
    }

    /// Its phone holds, or takes the conference back.
    pub(super) fn phone_holds(
        &mut self,
        holds: bool,
        now: Timestamp,
        cause: Option<&Cause>,
    ) -> Option<Happened> {
        let was_held = self.is_held || self.holds;
        self.holds = holds;
        self.held_changed(was_held, now, cause)
    }

    fn held_changed(
        &mut self,
        was_held: bool,
        now: Timestamp,
        cause: Option<&Cause>,
    ) -> Option<Happened> {
        let is_held = self.is_held || self.holds;
        if !self.is_living() || was_held == is_held {
            return None;
        }
        self.switch(IntervalKind::Hold, is_held, now, cause);
        Some(if is_held { Happened::Held } else { Happened::Resumed })
    }

    /// Takes part in another way from now on; true when it is another.
    pub(super) fn set_mode(&mut self, mode: JoinMode, now: Timestamp, cause: &Cause) -> bool {
        if !self.is_living() || self.mode == mode {
            return false;
        }
        self.switch(IntervalKind::Mode(self.mode), false, now, Some(cause));
        self.mode = mode;
        self.switch(IntervalKind::Mode(mode), true, now, Some(cause));
        true
    }

    /// Begins or ends an interval, if it is in.
    fn switch(&mut self, kind: IntervalKind, begins: bool, now: Timestamp, cause: Option<&Cause>) {
        if self.stage != Stage::In {
            return;
        }
        if begins {
            self.begin(kind, now, cause);
            return;
        }
        let mut open = self.intervals.iter_mut().rev();
        if let Some(interval) = open.find(|it| it.kind == kind && it.end.is_none()) {
            interval.end = Some(now);
            interval.ended_by = cause.cloned();
        }
    }

    fn begin(&mut self, kind: IntervalKind, now: Timestamp, cause: Option<&Cause>) {
        if self.intervals.len() >= MAX_INTERVALS {
            let is_over = |it: &Interval| it.kind != IntervalKind::Join && it.end.is_some();
            if let Some(oldest) = self.intervals.iter().position(is_over) {
                self.intervals.remove(oldest);
            }
        }
        self.intervals.push(Interval {
            kind,
            start: now,
            end: None,
            caused_by: cause.cloned(),
            ended_by: None,
        });
    }
}

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
            is_held: it.is_held,
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

    /// Who may see what happens to `subject`: the owner, and everybody who is in.
    pub(super) fn audience(&self, subject: Option<&Participant>) -> Seen {
        let living = self.living().chain(subject).filter_map(|it| it.party.i_account);
        let i_accounts = living.chain([self.owner.i_account]).collect();
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

/// A conference as it is kept and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceView {
    /// Where it lies.
    pub environment: Owner,
    /// The conference.
    pub id: ConferenceId,
    /// Its name.
    pub name: String,
    /// Who owns it.
    pub owner_account_id: String,
    /// When it was created.
    pub create_time: Timestamp,
    /// When the last participant left; `None` while it goes on.
    pub end_time: Option<Timestamp>,
    /// Everybody who is or was in it, in the order in which they came.
    pub participants: Vec<ParticipantView>,
    /// Accounts that may see it: those that owned it or were in it.
    pub seen_by: BTreeSet<i64>,
}

/// A participant as it is kept and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantView {
    /// Its leg, which is its id.
    pub tag: Tag,
    /// Its call.
    pub call_id: CallId,
    /// Who it is.
    pub party: Party,
    /// What it is.
    pub role: Role,
    /// Whether it is in.
    pub state: ParticipantState,
    /// True when the others do not hear it.
    pub is_muted: bool,
    /// When it joined.
    pub join_time: Option<Timestamp>,
    /// When it left, or failed to come.
    pub leave_time: Option<Timestamp>,
    /// What it was when.
    pub intervals: Vec<Interval>,
    /// Whom it hears and who hears it.
    pub row: Row<Tag>,
}

/// Something that happened to a conference or to one of its participants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceNews {
    /// The conference.
    pub id: ConferenceId,
    /// Its name.
    pub name: String,
    /// The participant, when it is about one.
    pub participant: Option<Tag>,
    /// Public name of what happened.
    pub event: &'static str,
    /// The command that caused it.
    pub cause: Option<Cause>,
    /// Who may see it.
    pub seen_by: Seen,
}

/// The conference that a leg is in, as call objects show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceRef {
    /// The conference.
    pub id: ConferenceId,
    /// Its name.
    pub name: String,
}

#[cfg(test)]
mod tests;
