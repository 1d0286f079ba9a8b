//! One participant: its states, which are the table in [`conference`](super), and its intervals.

use mesh::clock::Timestamp;

use super::matrix::Row;
use super::view::ParticipantView;
use crate::domain::adoption::Memo;
use crate::domain::command::Cause;
use crate::domain::names::{CallId, Tag};
use crate::domain::party::Party;
use crate::driver::{ChannelId, Clip};

/// Intervals that are kept of one participant; the oldest ends of others than `join` go first.
pub(super) const MAX_INTERVALS: usize = 200;

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
pub(super) enum Stage {
    Invited,
    In,
    Left,
    Failed,
}

/// What is told of a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain) enum Happened {
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
    pub(in crate::domain) const fn name(self) -> &'static str {
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
#[expect(clippy::struct_excessive_bools, reason = "each is a fact that changes by itself")]
pub(in crate::domain) struct Participant {
    /// Its leg, which is its id.
    pub(in crate::domain) tag: Tag,
    pub(in crate::domain) call_id: CallId,
    pub(in crate::domain) channel: ChannelId,
    pub(in crate::domain) party: Party,
    pub(super) mode: JoinMode,
    pub(super) stage: Stage,
    pub(in crate::domain) is_muted: bool,
    /// The command that muted it, for the interval that begins when it joins.
    muted_by: Option<Cause>,
    /// A command holds it.
    is_held: bool,
    /// The party of its call that held it before the conference, and holds it still.
    held_by: Option<Tag>,
    pub(super) holds: bool,
    /// The command that holds it, for the interval that begins when it joins.
    hold_cause: Option<Cause>,
    /// What it hears before it joins.
    pub(super) invitation: Vec<Clip>,
    /// True once the invitation is being played.
    pub(super) is_listening: bool,
    /// The command that brought it in.
    brought_by: Option<Cause>,
    /// True for a party of a call that was turned into the conference or added to it.
    was_talking: bool,
    /// False until it has been told of.
    pub(in crate::domain) is_told: bool,
    pub(super) join_time: Option<Timestamp>,
    pub(in crate::domain) leave_time: Option<Timestamp>,
    pub(super) intervals: Vec<Interval>,
    /// A prompt is played to it, in place of the others; they hear it as before.
    pub(in crate::domain) hears_prompt: bool,
    pub(in crate::domain) row: Row<ChannelId>,
}

impl Participant {
    /// Somebody who is invited.
    pub(in crate::domain) fn new(
        (call_id, tag, channel): (CallId, Tag, ChannelId),
        party: Party,
        mode: JoinMode,
        invitation: Vec<Clip>,
    ) -> Self {
        Self {
            tag,
            call_id,
            channel,
            party,
            mode,
            stage: Stage::Invited,
            is_muted: false,
            muted_by: None,
            is_held: false,
            held_by: None,
            holds: false,
            hold_cause: None,
            invitation,
            is_listening: false,
            brought_by: None,
            was_talking: false,
            is_told: false,
            join_time: None,
            leave_time: None,
            intervals: Vec::new(),
            hears_prompt: false,
            row: Row::default(),
        }
    }

    /// Somebody who was there when an earlier process of the node ended; `leg` is what was noted of its leg, and
    /// whether its phone holds, while that goes on. Who was invited and is through is in from now on.
    pub(in crate::domain) fn restored(view: ParticipantView, leg: Option<(&Memo, bool)>) -> Self {
        let mode = view.intervals.iter().rev().find_map(|interval| match interval.kind {
            IntervalKind::Mode(mode) => Some(mode),
            _ => None,
        });
        let mode = mode.unwrap_or(match view.role {
            Role::Owner | Role::Participant => JoinMode::Full,
            Role::Listener => JoinMode::ListenOnly,
            Role::Private => JoinMode::PrivateTalk,
        });
        let channel =
            leg.map_or_else(|| ChannelId(view.tag.0.clone()), |(memo, _)| memo.channel.clone());
        let party = leg.map_or(view.party, |(memo, _)| memo.party.clone());
        let mut restored = Self::new((view.call_id, view.tag, channel), party, mode, Vec::new());
        restored.holds = leg.is_some_and(|(_, holds)| holds);
        restored.is_held = view.state == ParticipantState::Held && !restored.holds;
        restored.is_muted = view.is_muted;
        restored.is_told = true;
        restored.stage = match view.state {
            ParticipantState::Invited => Stage::Invited,
            ParticipantState::Joined | ParticipantState::Held => Stage::In,
            ParticipantState::Left => Stage::Left,
            ParticipantState::Failed => Stage::Failed,
        };
        restored.join_time = view.join_time;
        restored.leave_time = view.leave_time;
        restored.intervals = view.intervals;
        restored
    }

    /// The command that brings it in: it began what begins when it joins.
    pub(in crate::domain) fn brought_by(mut self, cause: &Cause) -> Self {
        self.brought_by = Some(cause.clone());
        self
    }

    /// It is a party of a call that goes on as a part of the conference; `held_by` is the party
    /// that holds it.
    pub(in crate::domain) fn talking(mut self, held_by: Option<Tag>) -> Self {
        self.was_talking = true;
        self.held_by = held_by;
        self
    }

    /// The same person as a participant of another conference, from `now` on.
    pub(in crate::domain) fn moved(&self, now: Timestamp, cause: &Cause) -> Self {
        let mut moved = Self::new(
            (self.call_id.clone(), self.tag.clone(), self.channel.clone()),
            self.party.clone(),
            self.mode,
            self.invitation.clone(),
        );
        moved.is_listening = self.is_listening;
        moved.is_muted = self.is_muted;
        moved.muted_by.clone_from(&self.muted_by);
        moved.is_held = self.is_held;
        moved.held_by.clone_from(&self.held_by);
        moved.holds = self.holds;
        moved.hold_cause.clone_from(&self.hold_cause);
        moved.was_talking = self.was_talking;
        moved.hears_prompt = self.hears_prompt;
        moved.brought_by = Some(cause.clone());
        if self.stage == Stage::In {
            moved.join(now, Some(cause));
        }
        moved
    }

    pub(in crate::domain) fn state(&self) -> ParticipantState {
        match self.stage {
            Stage::Invited => ParticipantState::Invited,
            Stage::In if self.is_away() => ParticipantState::Held,
            Stage::In => ParticipantState::Joined,
            Stage::Left => ParticipantState::Left,
            Stage::Failed => ParticipantState::Failed,
        }
    }

    /// True until it has left or failed.
    pub(in crate::domain) fn is_living(&self) -> bool {
        matches!(self.stage, Stage::Invited | Stage::In)
    }

    pub(in crate::domain) fn is_in(&self) -> bool {
        self.stage == Stage::In
    }

    /// True when its leg is through: it hears the invitation, or is in.
    pub(in crate::domain) fn is_on_line(&self) -> bool {
        self.is_in() || (self.stage == Stage::Invited && self.is_listening)
    }

    /// A command holds it, or the party that held it before the conference.
    pub(in crate::domain) fn is_held(&self) -> bool {
        self.is_held || self.held_by.is_some()
    }

    /// It is held, or holds.
    pub(in crate::domain) fn is_away(&self) -> bool {
        self.is_held() || self.holds
    }

    /// The party that held it before the conference, and holds it still.
    pub(in crate::domain) fn held_by(&self) -> Option<&Tag> {
        self.held_by.as_ref()
    }

    pub(in crate::domain) fn mode(&self) -> JoinMode {
        self.mode
    }

    /// The invitation, while it hears it.
    pub(in crate::domain) fn invitation(&self) -> Option<&[Clip]> {
        let is_listening = self.stage == Stage::Invited && self.is_listening;
        is_listening.then_some(&self.invitation)
    }

    /// It is on the line: begins to hear the invitation, or is in if there is none. Says what
    /// is to be told; nothing when it was on the line before.
    pub(in crate::domain) fn on_line(
        &mut self,
        now: Timestamp,
        cause: Option<&Cause>,
    ) -> Option<Happened> {
        if self.stage != Stage::Invited || self.is_listening {
            return None;
        }
        self.is_listening = true;
        self.invitation.is_empty().then(|| self.join(now, cause))
    }

    /// The invitation has been heard.
    pub(in crate::domain) fn invitation_heard(&mut self, now: Timestamp) -> Option<Happened> {
        self.invitation()?;
        Some(self.join(now, None))
    }

    fn join(&mut self, now: Timestamp, cause: Option<&Cause>) -> Happened {
        self.stage = Stage::In;
        self.join_time = Some(now);
        let brought_by = self.brought_by.take();
        let cause = cause.or(brought_by.as_ref());
        self.begin(IntervalKind::Join, now, cause);
        self.begin(IntervalKind::Mode(self.mode), now, cause);
        if self.is_muted {
            let muted_by = self.muted_by.clone();
            self.begin(IntervalKind::Mute, now, muted_by.as_ref());
        }
        if self.is_away() {
            let hold_cause = self.hold_cause.clone();
            self.begin(IntervalKind::Hold, now, hold_cause.as_ref());
        }
        Happened::Joined
    }

    /// Its leg has ended, or goes elsewhere.
    pub(in crate::domain) fn gone(
        &mut self,
        now: Timestamp,
        cause: Option<&Cause>,
    ) -> Option<Happened> {
        let (stage, happened) = match self.stage {
            Stage::Invited if self.was_talking => (Stage::Left, Happened::Left),
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
    pub(in crate::domain) fn goes_elsewhere(
        &mut self,
        now: Timestamp,
        cause: &Cause,
    ) -> Option<Happened> {
        self.gone(now, Some(cause))?;
        self.stage = Stage::Left;
        Some(Happened::Left)
    }

    pub(in crate::domain) fn mute(
        &mut self,
        is_muted: bool,
        now: Timestamp,
        cause: &Cause,
    ) -> Option<Happened> {
        if !self.is_living() || self.is_muted == is_muted {
            return None;
        }
        self.is_muted = is_muted;
        self.muted_by = Some(cause.clone());
        self.switch(IntervalKind::Mute, is_muted, now, Some(cause));
        Some(if is_muted { Happened::Muted } else { Happened::Unmuted })
    }

    /// Holds it by a command, or ends that.
    pub(in crate::domain) fn hold(
        &mut self,
        is_held: bool,
        now: Timestamp,
        cause: &Cause,
    ) -> Option<Happened> {
        let was_away = self.is_away();
        self.is_held = is_held;
        if !is_held {
            self.held_by = None;
        }
        self.held_changed(was_away, now, Some(cause))
    }

    /// The party that held it before the conference does no more.
    pub(in crate::domain) fn released(
        &mut self,
        now: Timestamp,
        cause: Option<&Cause>,
    ) -> Option<Happened> {
        let was_away = self.is_away();
        self.held_by = None;
        self.held_changed(was_away, now, cause)
    }

    /// Its phone holds, or takes the conference back.
    pub(in crate::domain) fn phone_holds(
        &mut self,
        holds: bool,
        now: Timestamp,
        cause: Option<&Cause>,
    ) -> Option<Happened> {
        let was_away = self.is_away();
        self.holds = holds;
        self.held_changed(was_away, now, cause)
    }

    fn held_changed(
        &mut self,
        was_away: bool,
        now: Timestamp,
        cause: Option<&Cause>,
    ) -> Option<Happened> {
        let is_away = self.is_away();
        if !self.is_living() || was_away == is_away {
            return None;
        }
        self.hold_cause = cause.cloned();
        self.switch(IntervalKind::Hold, is_away, now, cause);
        Some(if is_away { Happened::Held } else { Happened::Resumed })
    }

    /// Takes part in another way from now on; true when it is another.
    pub(in crate::domain) fn set_mode(
        &mut self,
        mode: JoinMode,
        now: Timestamp,
        cause: &Cause,
    ) -> bool {
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
