//! Follows a customer's effects and fails as soon as one breaks a promise.

mod counts;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::order::is_legal;
use crate::domain::tests::bench::{Bench, OWNER};
use crate::domain::{
    Action, CallId, Charged, ChargedService, Command, Effect, Input, LegView, Mode, Refusal, State,
    Tag, Wanted, allowed_states,
};
use crate::driver::{ChannelId, Event, Op, RecordingId, Source};

/// A leg as far as it was told.
struct Leg {
    channel: Option<ChannelId>,
    last: LegView,
    /// It was through to somebody, and has not been in a queue since.
    was_through: bool,
}

impl Leg {
    fn is_alive(&self) -> bool {
        self.last.state != State::Terminated && self.last.moved_to.is_none()
    }

    fn is_through(&self) -> bool {
        matches!(self.last.state, State::Connected | State::Held | State::Holding)
    }

    /// True for the party that waits while its call is handed over.
    fn waits(&self) -> bool {
        self.last.state == State::Early && self.was_through
    }
}

#[derive(Default)]
struct Call {
    sequence: u64,
    legs: BTreeMap<Tag, Leg>,
    /// In the order in which they came to be.
    tags: Vec<Tag>,
    is_over: bool,
    /// Its party hears why it goes no further.
    is_released: bool,
}

/// How far a channel has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    There,
    HungUp,
    EndedByItself,
}

pub(super) struct Checker {
    bench: Bench,
    calls: HashMap<CallId, Call>,
    lines: HashMap<ChannelId, Line>,
    hears: HashMap<ChannelId, Source>,
    answers: HashMap<String, usize>,
    /// Commands that are answered, or cause events, later.
    lasting: HashSet<String>,
    unanswered: HashSet<String>,
    /// Calls of which nothing has been told yet.
    unadmitted: HashSet<CallId>,
    supervisors: HashMap<Tag, (Mode, Tag)>,
    /// Those that go on.
    recordings: HashSet<RecordingId>,
    newest_call: Option<CallId>,
    dialled_last: Option<ChannelId>,
    charged: HashSet<(Tag, i64, ChargedService)>,
}

impl Checker {
    pub(super) fn new() -> Self {
        Self {
            bench: Bench::new(),
            calls: HashMap::new(),
            lines: HashMap::new(),
            hears: HashMap::new(),
            answers: HashMap::new(),
            lasting: HashSet::new(),
            unanswered: HashSet::new(),
            unadmitted: HashSet::new(),
            supervisors: HashMap::new(),
            recordings: HashSet::new(),
            newest_call: None,
            dialled_last: None,
            charged: HashSet::new(),
        }
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.bench.wait(seconds);
    }

    pub(super) fn is_known(&self, call: &CallId) -> bool {
        self.calls.contains_key(call) || self.unadmitted.contains(call)
    }

    pub(super) fn has(&self, channel: &ChannelId) -> bool {
        self.lines.contains_key(channel)
    }

    /// Calls that are living, and some that are over.
    pub(super) fn calls(&self, some_over: usize) -> Vec<CallId> {
        let (over, living): (BTreeSet<_>, BTreeSet<_>) = self
            .calls
            .keys()
            .chain(&self.unadmitted)
            .cloned()
            .partition(|call| self.calls.get(call).is_some_and(|call| call.is_over));
        living.into_iter().chain(over.into_iter().rev().take(some_over)).collect()
    }

    /// Channels that are there, and some that are gone.
    pub(super) fn channels(&self, some_over: usize) -> Vec<ChannelId> {
        let (there, gone): (BTreeSet<_>, BTreeSet<_>) =
            self.lines.keys().cloned().partition(|channel| self.is_in_use(channel));
        there.into_iter().chain(gone.into_iter().rev().take(some_over)).collect()
    }

    pub(super) fn tags_of(&self, call: &CallId) -> Vec<Tag> {
        let Some(call) = self.calls.get(call) else { return Vec::new() };
        let living = call.tags.iter().filter(|tag| call.legs.get(tag).is_some_and(Leg::is_alive));
        let ended =
            call.tags.iter().rev().filter(|tag| !call.legs.get(tag).is_some_and(Leg::is_alive));
        living.chain(ended.take(1)).cloned().collect()
    }

    /// The call that came in last.
    pub(super) fn newest_call(&self) -> Option<CallId> {
        self.newest_call.clone()
    }

    /// The channel that was dialled last.
    pub(super) fn dialled_last(&self) -> Option<ChannelId> {
        self.dialled_last.clone()
    }

    pub(super) fn is_living(&self, call: &CallId) -> bool {
        self.calls.get(call).is_some_and(|call| !call.is_over)
    }

    pub(super) fn is_in_use(&self, channel: &ChannelId) -> bool {
        self.lines.get(channel) == Some(&Line::There)
    }

    pub(super) fn feed(&mut self, input: &Input) {
        self.expect(input);

        let effects = self.bench.feed(input.clone());

        for effect in &effects {
            match effect {
                Effect::Drive(op) => self.drive(op),
                Effect::Tell(view) => self.tell(view),
                Effect::TellIvr { call_id, .. } | Effect::Resolve { call_id, .. } => {
                    let call = self.calls.get(call_id);
                    assert!(call.is_none_or(|call| !call.is_over), "told after the end");
                }
                Effect::Reply { command_id, .. } => {
                    *self.answers.entry(command_id.clone()).or_default() += 1;
                    self.unanswered.remove(command_id);
                }
                Effect::Accepted { channel, call_id, .. } => {
                    assert_eq!(self.lines.get(channel), Some(&Line::There));
                    self.unadmitted.insert(call_id.clone());
                    self.newest_call = Some(call_id.clone());
                }
                Effect::Over(call_id) => self.over(call_id),
                Effect::Account(charged) => self.account(charged),
                Effect::Reserve { charge, .. } => {
                    assert!(charge.running_since.is_some(), "{charge:?} is not running");
                }
                Effect::Refresh { view, call_sequence } => self.refresh(view, *call_sequence),
                Effect::TellPhone(_)
                | Effect::TellQueue { .. }
                | Effect::Look { .. }
                | Effect::AskListeners { .. }
                | Effect::TellConference(_)
                | Effect::KeepConference(_) => {}
                Effect::Fetch { call_id, wanted, .. } => {
                    if let (Some(call), Wanted::Prompt(_)) = (self.calls.get_mut(call_id), wanted) {
                        call.is_released = true;
                    }
                }
                Effect::Recorded(recorded) => self.recorded(recorded),
            }
        }
        match input {
            Input::Command(command) => self.check_command(command, &effects),
            _ => self.check_causes(&effects, None),
        }
        self.check_parties();
        self.check_hearing();
        self.check_counts();
    }

    /// What an input says by itself.
    fn expect(&mut self, input: &Input) {
        match input {
            Input::Channel(Event::Ended { channel, .. }) => {
                if let Some(line) = self.lines.get_mut(channel).filter(|line| **line == Line::There)
                {
                    *line = Line::EndedByItself;
                }
            }
            Input::PhoneDials { channel, .. } | Input::TrunkCall { channel, .. } => {
                self.lines.entry(channel.clone()).or_insert(Line::There);
            }
            Input::Command(command) => {
                self.unanswered.insert(command.id.clone());
                if matches!(
                    command.action,
                    Action::Answer(..)
                        | Action::Originate(_)
                        | Action::ConnectTwo(_)
                        | Action::TransferBlind(..)
                        | Action::Redirect(..)
                ) {
                    self.lasting.insert(command.id.clone());
                }
            }
            _ => {}
        }
    }

    fn drive(&mut self, op: &Op) {
        let channel = op.channel();
        if let Op::Dial { .. } = op {
            let before = self.lines.insert(channel.clone(), Line::There);
            assert_eq!(before, None, "{channel} was dialled twice");
            self.dialled_last = Some(channel.clone());
            return;
        }
        assert_eq!(self.lines.get(channel), Some(&Line::There), "{op:?}");
        match op {
            Op::Hangup { .. } => {
                self.lines.insert(channel.clone(), Line::HungUp);
            }
            Op::Hear { source, .. } => {
                self.hears.insert(channel.clone(), source.clone());
            }
            Op::Record { recording, .. } => {
                assert!(self.recordings.insert(recording.clone()), "{op:?} for the second time");
            }
            _ => {}
        }
    }

    fn tell(&mut self, view: &LegView) {
        self.unadmitted.remove(&view.call_id);
        let channel = self.bench.known_channel(&view.tag);
        let call = self.calls.entry(view.call_id.clone()).or_default();
        assert!(!call.is_over, "{} was told after its end", view.call_id);
        call.sequence += 1;
        assert_eq!(view.sequence, call.sequence, "sequence of {}", view.call_id);
        assert!(view.reason.is_some() || view.state != State::Terminated);
        assert_eq!(
            view.moved_to.is_some(),
            view.moved_to.is_some() && view.state == State::Transferred
        );
        let before = call.legs.get(&view.tag).map(|leg| &leg.last);
        assert!(before.is_none_or(|last| last.moved_to.is_none()), "{view:?} has moved");
        let has_moved_in = before.is_none() && view.state != State::Trying;
        assert!(is_legal(before.map(|last| last.state), view.state), "{before:?} then {view:?}");
        if !has_moved_in {
            let earlier = before.is_some_and(|last| last.connect_time.is_some());
            let is_through = matches!(
                view.state,
                State::Connected | State::Held | State::Holding | State::Queued
            );
            assert_eq!(view.connect_time.is_some(), earlier || is_through, "{view:?}");
        }
        if before.is_none() {
            call.tags.push(view.tag.clone());
        }
        let was_through = match view.state {
            State::Connected | State::Held | State::Holding => true,
            State::Queued => false,
            _ => call.legs.get(&view.tag).is_some_and(|leg| leg.was_through),
        };
        let leg = Leg { channel, last: view.clone(), was_through };
        call.legs.insert(view.tag.clone(), leg);
    }

    /// A record is that of a living leg, and knows how far the call has been told.
    fn refresh(&self, view: &LegView, call_sequence: u64) {
        let call = &self.calls[&view.call_id];
        assert_eq!(call_sequence, call.sequence);
        assert!(call.legs[&view.tag].is_alive());
        assert_eq!(view.sequence, call.legs[&view.tag].last.sequence);
    }

    /// Who pays for a leg pays once, no longer than the leg lived, and once it was through.
    fn account(&mut self, charged: &Charged) {
        let key = (charged.tag.clone(), charged.payer, charged.service);
        assert!(self.charged.insert(key), "charged twice: {charged:?}");
        assert!(charged.connect_time <= charged.disconnect_time, "{charged:?}");
        assert_eq!(charged.running_since, None);
        assert!(charged.duration <= charged.disconnect_time.since(charged.connect_time));
        let call = self.calls.get(&charged.call_id).expect("a call that was told of");
        assert!(!call.is_over, "charged after the end: {charged:?}");
        let leg = call.legs.get(&charged.tag).expect("a leg that was told of");
        let connected = leg.last.connect_time;
        assert!(connected.is_none_or(|at| at <= charged.connect_time), "{charged:?}");
    }

    /// An account whose own leg was through has paid for it.
    fn check_paid(&self, call: &Call) {
        for (tag, leg) in &call.legs {
            let Some(own) = leg.last.i_account.filter(|_| leg.last.connect_time.is_some()) else {
                continue;
            };
            let key = (tag.clone(), own, ChargedService::Voice);
            assert!(leg.last.moved_to.is_some() || self.charged.contains(&key), "{tag} is free");
        }
    }

    fn over(&mut self, call_id: &CallId) {
        let call = self.calls.get_mut(call_id).expect("told of before it is over");
        assert!(!call.is_over, "{call_id} was over twice");
        call.is_over = true;
        for leg in call.legs.values() {
            assert!(!leg.is_alive(), "{call_id} is over, and not {:?}", leg.last);
            let is_there = leg.channel.as_ref().and_then(|channel| self.lines.get(channel));
            if leg.last.moved_to.is_none() {
                assert_ne!(is_there, Some(&Line::There), "{:?} is left behind", leg.channel);
            }
        }
        self.check_paid(&self.calls[call_id]);
    }

    fn check_command(&mut self, command: &Command, effects: &[Effect]) {
        let outcome = effects.iter().find_map(|effect| match effect {
            Effect::Reply { command_id, outcome } if *command_id == command.id => Some(outcome),
            _ => None,
        });
        match outcome {
            None => {
                assert!(self.lasting.contains(&command.id), "{command:?} is not answered");
                if let Action::Originate(_) | Action::ConnectTwo(_) = command.action {
                    self.unadmitted.extend(command.action.call_id().cloned());
                }
            }
            Some(Err(refusal)) => {
                assert_eq!(effects.len(), 1, "a refusal changes nothing: {effects:?}");
                self.check_refusal(command, refusal);
            }
            Some(Ok(done)) => {
                assert!(command.scope.reaches(OWNER), "{command:?}");
                if let Action::Supervise(_, Some(of), mode, _) = &command.action {
                    self.supervisors.insert(done.legs[0].tag.clone(), (*mode, of.clone()));
                }
            }
        }
        self.check_causes(effects, Some(command));
    }

    fn check_refusal(&self, command: &Command, refusal: &Refusal) {
        let action = &command.action;
        match refusal {
            Refusal::WrongState { expected, .. } => {
                let parked: &[State] = &[State::Parked];
                let expects = allowed_states(action);
                assert!(*expected == expects || *expected == parked, "{refusal}");
            }
            Refusal::CallNotFound(call_id) => {
                let second = match action {
                    Action::TransferAttended(_, _, second) => Some(second),
                    _ => None,
                };
                assert!(Some(call_id) == action.call_id() || Some(call_id) == second);
            }
            _ => {}
        }
        let needs_call =
            !matches!(action, Action::Originate(_) | Action::ConnectTwo(_) | Action::Retrieve(..));
        let call = action.call_id().and_then(|call_id| self.calls.get(call_id));
        if needs_call && call.is_some_and(|call| call.is_over) {
            assert!(matches!(refusal, Refusal::CallNotFound(_)), "{refusal}");
        }
    }

    /// Events name the command that caused them: the present one, or one whose effect lasts.
    fn check_causes(&self, effects: &[Effect], command: Option<&Command>) {
        for effect in effects {
            let Effect::Tell(view) = effect else { continue };
            let Some(cause) = &view.caused_by else {
                // A call is told of at the latest when it ends.
                // An agent who is free again is called for whoever waits.
                let is_first = view.sequence == 1
                    || (view.state == State::Trying && view.callee.huntgroup_id.is_some());
                assert!(command.is_none() || is_first, "{view:?} was not caused by {command:?}");
                continue;
            };
            let of = cause.method.trim_start_matches("CallControl/");
            let is_present = command.is_some_and(|command| command.cause == *cause);
            assert!(is_present || self.lasting.contains(of), "{view:?}");
        }
    }

    fn parties<'a>(&self, call: &'a Call) -> impl Iterator<Item = (&'a Tag, &'a Leg)> {
        let listeners: HashSet<_> = self.supervisors.keys().cloned().collect();
        let living = call.legs.iter().filter(|(_, leg)| leg.is_alive());
        living.filter(move |(tag, _)| !listeners.contains(tag))
    }

    /// Two parties are through to each other, or none; both turn `connected` in one step.
    fn check_parties(&self) {
        for (call_id, call) in self.calls.iter().filter(|(_, call)| !call.is_over) {
            let through = self.parties(call).filter(|(_, leg)| leg.is_through()).count();
            let waiting = self.parties(call).filter(|(_, leg)| leg.waits()).count();
            let parked = self.parties(call).filter(|(_, leg)| leg.last.state == State::Parked);
            let parked = parked.count();
            // An application has no leg of its own.
            let is_served = call.legs.values().any(|leg| leg.last.access_number.is_some());
            let is_sound = match (through, waiting, parked) {
                (0 | 2, 0, 0) | (0 | 1, 1, 0) | (0, 0, 1) => true,
                (1, 0, 0) => is_served,
                _ => false,
            };
            assert!(is_sound, "{call_id}: {through} through, {waiting} waiting, {parked} parked");
            assert!(self.parties(call).next().is_some(), "{call_id} has listeners alone");
        }
    }

    /// A holder hears silence, a held party music, who is connected the other, who waits the
    /// ringing.
    fn check_hearing(&self) {
        for call in self.calls.values().filter(|call| !call.is_over) {
            let is_handed_over = call.legs.values().any(Leg::waits);
            for (tag, leg) in call.legs.iter().filter(|(_, leg)| leg.is_alive()) {
                let Some(channel) = &leg.channel else { continue };
                let is_listener = self.supervisors.contains_key(tag);
                let hears = self.hears.get(channel).cloned().unwrap_or_default();
                let expected = match leg.last.state {
                    _ if call.is_released && !is_listener => Source::Silence,
                    State::Early => Source::Ringback,
                    State::Ringing if call.tags[0] == *tag && leg.last.access_number.is_some() => {
                        Source::Ringback
                    }
                    _ if is_handed_over && !is_listener => Source::Silence,
                    State::Held | State::Parked | State::Queued => Source::Music,
                    State::Connected => Source::Parties(self.audible(call, tag)),
                    _ => Source::Silence,
                };
                assert_eq!(hears, expected, "{tag} is {:?}", leg.last.state);
            }
        }
    }

    fn audible(&self, call: &Call, listener: &Tag) -> BTreeSet<ChannelId> {
        let is_handed_over = call.legs.values().any(Leg::waits);
        let others = call.legs.iter().filter(|(tag, leg)| *tag != listener && leg.is_alive());
        let speaking = others.filter(|(tag, leg)| match self.supervisors.get(tag) {
            Some((Mode::Spy, _)) => false,
            Some((Mode::Whisper, of)) => of == listener && leg.last.state == State::Connected,
            Some((Mode::Barge, _)) => leg.last.state == State::Connected,
            None => !is_handed_over && matches!(leg.last.state, State::Connected | State::Held),
        });
        speaking.filter_map(|(_, leg)| leg.channel.clone()).collect()
    }

    /// Every call is over, and every command has been answered once.
    pub(super) fn finish(&self) {
        assert!(self.calls.values().all(|call| call.is_over));
        assert!(self.bench.customer.is_idle());
        assert!(self.recordings.is_empty(), "{:?} for ever", self.recordings);
        assert!(self.lines.values().all(|line| *line != Line::There));
        for (command, answers) in &self.answers {
            assert_eq!(*answers, 1, "answers to {command}");
        }
        assert!(self.unanswered.is_empty(), "never answered: {:?}", self.unanswered);
    }

    /// What is left are two parties each who talk.
    pub(super) fn only_talking_parties_are_left(&self) {
        assert!(self.unadmitted.is_empty());
        for call in self.calls.values().filter(|call| !call.is_over) {
            for leg in call.legs.values().filter(|leg| leg.is_alive()) {
                assert!(leg.is_through(), "{:?} for ever", leg.last);
            }
        }
        assert_eq!(self.bench.customer.next_deadline(), None);
    }
}
