//! Follows a customer's effects and fails as soon as one breaks a promise.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::domain::tests::bench::Bench;
use crate::domain::{
    Action, CallId, Cause, Command, Effect, Input, LegView, Refusal, State, Tag, allowed_states,
};
use crate::driver::{ChannelId, Event, Op, Source};

/// A leg as far as it was told.
struct Leg {
    channel: Option<ChannelId>,
    last: LegView,
}

#[derive(Default)]
struct Call {
    sequence: u64,
    legs: BTreeMap<Tag, Leg>,
    /// In the order in which they came to be.
    tags: Vec<Tag>,
    is_over: bool,
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
    /// Commands that wait for a leg to answer.
    pending: HashSet<String>,
}

impl Checker {
    pub(super) fn new() -> Self {
        Self {
            bench: Bench::new(),
            calls: HashMap::new(),
            lines: HashMap::new(),
            hears: HashMap::new(),
            answers: HashMap::new(),
            pending: HashSet::new(),
        }
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.bench.wait(seconds);
    }

    pub(super) fn calls(&self) -> Vec<CallId> {
        let calls: BTreeSet<_> = self.calls.keys().cloned().collect();
        calls.into_iter().collect()
    }

    pub(super) fn channels(&self) -> Vec<ChannelId> {
        let channels: BTreeSet<_> = self.lines.keys().cloned().collect();
        channels.into_iter().collect()
    }

    pub(super) fn tags_of(&self, call: &CallId) -> Vec<Tag> {
        self.calls.get(call).map(|call| call.tags.clone()).unwrap_or_default()
    }

    pub(super) fn is_living(&self, call: &CallId) -> bool {
        self.calls.get(call).is_some_and(|call| !call.is_over)
    }

    pub(super) fn is_in_use(&self, channel: &ChannelId) -> bool {
        self.lines.get(channel) == Some(&Line::There)
    }

    pub(super) fn feed(&mut self, input: &Input) {
        if let Input::Channel(Event::Ended { channel, .. }) = input
            && let Some(line) = self.lines.get_mut(channel)
            && *line == Line::There
        {
            *line = Line::EndedByItself;
        }
        if let Input::PhoneDials { channel, .. } | Input::TrunkCall { channel, .. } = input {
            self.lines.entry(channel.clone()).or_insert(Line::There);
        }

        let effects = self.bench.feed(input.clone());

        for effect in &effects {
            match effect {
                Effect::Drive(op) => self.drive(op),
                Effect::Tell(view) => self.tell(view),
                Effect::TellIvr { call_id, .. } | Effect::Resolve { call_id, .. } => {
                    assert!(!self.call(call_id).is_over, "told of a call that is over");
                }
                Effect::Reply { command_id, .. } => {
                    *self.answers.entry(command_id.clone()).or_default() += 1;
                }
                Effect::Accepted { channel, call_id, tag } => {
                    assert_eq!(self.lines.get(channel), Some(&Line::There));
                    // Told of only afterwards.
                    self.name(call_id, tag, channel);
                }
                Effect::Over(call_id) => self.over(call_id),
            }
        }
        match input {
            Input::Command(command) => self.check_command(command, &effects),
            _ => self.check_causes(&effects),
        }
        self.check_parties_meet(&effects);
        self.check_hearing();
        self.check_counts();
    }

    fn call(&mut self, call_id: &CallId) -> &mut Call {
        self.calls.entry(call_id.clone()).or_default()
    }

    fn name(&mut self, call_id: &CallId, tag: &Tag, channel: &ChannelId) {
        if let Some(leg) = self.call(call_id).legs.get_mut(tag) {
            leg.channel = Some(channel.clone());
        }
    }

    fn drive(&mut self, op: &Op) {
        let channel = op.channel();
        if let Op::Dial { label, .. } = op {
            let before = self.lines.insert(channel.clone(), Line::There);
            assert_eq!(before, None, "{channel} was dialled twice");
            self.name(&CallId(label.call_id.clone()), &Tag(label.tag.clone()), channel);
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
            Op::Label { label, .. } => {
                self.name(&CallId(label.call_id.clone()), &Tag(label.tag.clone()), channel);
            }
            _ => {}
        }
    }

    fn tell(&mut self, view: &LegView) {
        let channel = self.bench.known_channel(&view.tag);
        let call = self.calls.entry(view.call_id.clone()).or_default();
        assert!(!call.is_over, "{} was told after its end", view.call_id);
        call.sequence += 1;
        assert_eq!(view.sequence, call.sequence, "sequence of {}", view.call_id);
        assert_eq!(view.state == State::Terminated, view.reason.is_some());
        assert_eq!(view.connect_time.is_some(), has_been_through(view, call));
        let before = call.legs.get(&view.tag).map(|leg| leg.last.state);
        assert!(is_legal(before, view.state), "{before:?} then {:?}", view.state);
        if before.is_none() {
            call.tags.push(view.tag.clone());
        }
        let leg = Leg { channel, last: view.clone() };
        call.legs.insert(view.tag.clone(), leg);
    }

    fn over(&mut self, call_id: &CallId) {
        let call = self.call(call_id);
        assert!(!call.is_over, "{call_id} was over twice");
        call.is_over = true;
        let states: Vec<_> = call.legs.values().map(|leg| leg.last.state).collect();
        assert!(states.iter().all(|state| *state == State::Terminated), "{call_id}: {states:?}");
        let channels: Vec<_> = call.legs.values().filter_map(|leg| leg.channel.clone()).collect();
        for channel in channels {
            // A leg whose phone was never dialled has a name for a channel, and no channel.
            assert_ne!(self.lines.get(&channel), Some(&Line::There), "{channel} is left behind");
        }
    }

    fn check_command(&mut self, command: &Command, effects: &[Effect]) {
        let outcome = effects.iter().find_map(|effect| match effect {
            Effect::Reply { command_id, outcome } if *command_id == command.id => Some(outcome),
            _ => None,
        });
        match outcome {
            None => {
                assert!(matches!(command.action, Action::Answer(..)), "{command:?} unanswered");
                self.pending.insert(command.id.clone());
            }
            Some(Err(refusal)) => {
                assert_eq!(effects.len(), 1, "a refusal changes nothing: {effects:?}");
                self.check_refusal(command, refusal);
            }
            Some(Ok(_)) => {
                assert!(command.scope.reaches(super::super::bench::OWNER), "{command:?}");
            }
        }
        for effect in effects {
            if let Effect::Tell(view) = effect {
                assert_eq!(view.caused_by.as_ref(), Some(&command.cause));
            }
        }
    }

    fn check_refusal(&self, command: &Command, refusal: &Refusal) {
        match refusal {
            Refusal::WrongState { state, expected } => {
                assert_eq!(*expected, allowed_states(&command.action));
                let is_trunk_ringing = *state == State::Ringing && **expected == [State::Ringing];
                assert!(!expected.contains(state) || is_trunk_ringing, "{refusal}");
            }
            Refusal::CallNotFound(call_id) => {
                assert_eq!(call_id, command.action.call_id());
            }
            Refusal::AccountNotFound(_) => {
                assert!(matches!(command.action, Action::Originate(_)));
            }
            Refusal::TagRequired => panic!("two legs of a call never ring at once"),
        }
        let call_id = command.action.call_id();
        let is_over = self.calls.get(call_id).is_none_or(|call| call.is_over);
        let is_originate = matches!(command.action, Action::Originate(_));
        if is_over && !is_originate {
            assert!(matches!(refusal, Refusal::CallNotFound(_)));
        }
    }

    /// Events name the command that caused them, and only `answer_call` has its effect later.
    fn check_causes(&self, effects: &[Effect]) {
        for effect in effects {
            let Effect::Tell(view) = effect else { continue };
            let Some(Cause { method, .. }) = &view.caused_by else { continue };
            let command = method.trim_start_matches("CallControl/");
            let reached = matches!(view.state, State::Early | State::Connected);
            assert!(reached && self.pending.contains(command), "{view:?}");
        }
    }

    /// Both legs of a bridge turn `connected` in one step.
    fn check_parties_meet(&self, effects: &[Effect]) {
        let connected: Vec<_> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Tell(view) if view.state == State::Connected => Some(view),
                _ => None,
            })
            .collect();
        for view in &connected {
            let legs = &self.calls[&view.call_id].legs;
            assert_eq!(legs.len(), 2);
            for leg in legs.values() {
                assert!(is_through(leg.last.state), "{view:?} without {:?}", leg.last.state);
                assert!(leg.last.connect_time.is_some());
            }
        }
    }

    /// A holder hears silence, a held party music, who is connected the other, who waits the
    /// ringing.
    fn check_hearing(&self) {
        for call in self.calls.values().filter(|call| !call.is_over) {
            for (tag, leg) in &call.legs {
                let Some(channel) = &leg.channel else { continue };
                let others = call.legs.iter().filter(|(other, _)| *other != tag);
                let speaking: BTreeSet<_> = others
                    .filter(|(_, other)| matches!(other.last.state, State::Connected | State::Held))
                    .filter_map(|(_, other)| other.channel.clone())
                    .collect();
                let expected = match leg.last.state {
                    State::Trying | State::Ringing | State::Holding => Source::Silence,
                    State::Early => Source::Ringback,
                    State::Held => Source::Music,
                    State::Connected => Source::Parties(speaking),
                    State::Terminated => continue,
                };
                let hears = self.hears.get(channel).cloned().unwrap_or_default();
                assert_eq!(hears, expected, "{channel} is {:?}", leg.last.state);
            }
        }
    }

    fn check_counts(&self) {
        let legs = self.calls.values().flat_map(|call| call.legs.values());
        let living = legs.filter(|leg| leg.last.state != State::Terminated).count();
        assert_eq!(self.bench.customer.live_legs(), living);
        if living == 0 {
            assert!(self.bench.customer.is_idle(), "something is left of calls that are over");
        }
        let due = self.bench.customer.next_deadline();
        assert!(due.is_none_or(|due| living > 0 && due > self.bench.now || due >= self.bench.now));
    }

    /// Every call is over, and every command has been answered once.
    pub(super) fn finish(&self) {
        assert!(self.calls.values().all(|call| call.is_over));
        assert!(self.bench.customer.is_idle());
        assert!(self.lines.values().all(|line| *line != Line::There));
        for (command, answers) in &self.answers {
            assert_eq!(*answers, 1, "answers to {command}");
        }
        for command in &self.pending {
            assert!(self.answers.contains_key(command), "{command} was never answered");
        }
    }

    /// What is left are two parties each who talk.
    pub(super) fn only_talking_parties_are_left(&self) {
        for call in self.calls.values().filter(|call| !call.is_over) {
            for leg in call.legs.values() {
                assert!(is_through(leg.last.state), "{:?} for ever", leg.last);
            }
        }
        assert_eq!(self.bench.customer.next_deadline(), None);
    }
}

fn is_through(state: State) -> bool {
    matches!(state, State::Connected | State::Held | State::Holding)
}

fn has_been_through(view: &LegView, call: &Call) -> bool {
    let earlier = call.legs.get(&view.tag).is_some_and(|leg| leg.last.connect_time.is_some());
    earlier || is_through(view.state)
}

/// The order of states that the contract promises.
fn is_legal(before: Option<State>, next: State) -> bool {
    use State::{Connected, Early, Held, Holding, Ringing, Terminated, Trying};
    match before {
        None => next == Trying,
        Some(Trying) => matches!(next, Ringing | Early | Connected | Terminated),
        Some(Ringing) => matches!(next, Early | Connected | Terminated),
        Some(Early) => matches!(next, Connected | Terminated),
        Some(state @ (Connected | Held | Holding)) => {
            next != state && matches!(next, Connected | Held | Holding | Terminated)
        }
        Some(Terminated) => false,
    }
}
