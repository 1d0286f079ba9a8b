//! A customer on a bench: inputs by hand, effects collected and told in the words of the
//! contract's table of scenarios.

mod hearing;

use std::collections::HashMap;
use std::time::Duration;

use mesh::caller::{Owner, Scope};
use mesh::clock::Timestamp;

use crate::domain::{
    AGENT_TIMEOUT, Account, Action, Application, CallId, Cause, Charged, Command, Customer,
    Direction, Effect, Figures, Group, Input, IvrInfo, LegView, Listeners, Names, OnAppGone,
    Originate, Outcome, Party, QueueSettings, Recorded, Refusal, ResolveFailure, Route, State, Tag,
    Wanted,
};
use crate::domain::{ConferenceNews, ConferenceView};
use crate::driver::{self, ChannelId, Clip, Endpoint, Event, Op, Shown};

pub(super) const OWNER: Owner = Owner { i_reseller: 7, i_customer: 1 };

pub(super) const CUSTOMER: Scope = Scope::Customer { i_customer: 1 };

/// The session of account 101, 102, ….
pub(super) fn account_scope(id: &str) -> Scope {
    Scope::Account { i_customer: 1, i_account: account(id).i_account }
}

/// Account 101 has `i_account` 1, and so on.
pub(super) fn account(id: &str) -> Account {
    let number: i64 = id.parse().unwrap();
    Account {
        i_account: number - 100,
        account_id: id.to_owned(),
        name: format!("Name {id}"),
        i_customer: 1,
        i_reseller: 7,
        decision: None,
    }
}

pub(super) fn to_account(id: &str) -> Route {
    Route::Account(account(id))
}

/// Hunt group 340 with the queue `Support`, and these agents.
pub(super) fn support(agents: &[&str]) -> Group {
    Group {
        id: "340".to_owned(),
        name: "Support line".to_owned(),
        agents: agents.iter().map(|id| account(id)).collect(),
        members: vec![2, 3],
        queue: Some(QueueSettings {
            i_c_queue: 9,
            name: "Support".to_owned(),
            rings_all: false,
            agent_timeout: AGENT_TIMEOUT,
            max_waiting: None,
            max_wait: None,
            overflow: None,
        }),
        decision: None,
    }
}

pub(super) fn to_group(group: &Group) -> Route {
    Route::HuntGroup(Box::new(group.clone()))
}

/// Access number 1733355700 of account 104.
pub(super) fn visa_status(on_app_gone: OnAppGone) -> Route {
    let number = "1733355700".to_owned();
    Route::Application(Box::new(Application { number, owner: account("104"), on_app_gone }))
}

pub(super) fn to_pstn(number: &str) -> Route {
    Route::Pstn { number: number.to_owned() }
}

pub(super) fn cause(method: &str) -> Cause {
    Cause {
        request_id: Some("r1".to_owned()),
        login: "easymobile".to_owned(),
        method: format!("CallControl/{method}"),
    }
}

/// A customer and all that it has wanted done.
pub(super) struct Bench {
    pub(super) customer: Customer,
    pub(super) now: Timestamp,
    pub(super) told: Vec<LegView>,
    pub(super) ops: Vec<Op>,
    /// What was brought up to date without an event, with the call's sequence.
    pub(super) records: Vec<(Tag, LegView, u64)>,
    pub(super) replies: Vec<(String, Outcome)>,
    pub(super) ivr: Vec<(Tag, String)>,
    pub(super) resolves: Vec<(CallId, i64, String)>,
    pub(super) over: Vec<CallId>,
    /// What was paid for legs that have ended.
    pub(super) charged: Vec<Charged>,
    /// Credit that was asked for.
    pub(super) reserves: Vec<(Charged, u64)>,
    pub(super) figures: Vec<Figures>,
    /// What was told of conferences.
    pub(super) news: Vec<ConferenceNews>,
    /// What the store was to have of them, the newest last.
    pub(super) kept: Vec<ConferenceView>,
    /// What was told of phones.
    pub(super) phones: Vec<(String, &'static str)>,
    /// Recordings that are over.
    pub(super) recorded: Vec<Recorded>,
    /// Queues of which the directory was asked who takes part.
    pub(super) looks: Vec<i64>,
    /// The engine's own prompts are there.
    pub(super) prompts: bool,
    /// What the store was asked and has not answered: the access number, and for which call.
    asks: Vec<(String, Option<CallId>)>,
    /// Calls that came in.
    accepted: Vec<CallId>,
    channels: HashMap<Tag, ChannelId>,
    commands: usize,
    incoming: usize,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::in_environment(OWNER, "n")
    }

    pub(super) fn in_environment(owner: Owner, node: &str) -> Self {
        let mut count = 0;
        let prefix = node.to_owned();
        let names = Names::new(node, move || {
            count += 1;
            format!("{prefix}{count}")
        });
        Self {
            customer: Customer::new(owner, names),
            now: Timestamp::from_micros(1_000_000_000_000),
            told: Vec::new(),
            ops: Vec::new(),
            records: Vec::new(),
            replies: Vec::new(),
            ivr: Vec::new(),
            resolves: Vec::new(),
            over: Vec::new(),
            charged: Vec::new(),
            reserves: Vec::new(),
            figures: Vec::new(),
            phones: Vec::new(),
            recorded: Vec::new(),
            looks: Vec::new(),
            prompts: true,
            asks: Vec::new(),
            news: Vec::new(),
            kept: Vec::new(),
            accepted: Vec::new(),
            channels: HashMap::new(),
            commands: 0,
            incoming: 0,
        }
    }

    fn incoming(&mut self) -> ChannelId {
        self.incoming += 1;
        ChannelId(format!("in-{}", self.incoming))
    }

    /// Feeds an input; returns what it led to, in order.
    pub(super) fn feed(&mut self, input: Input) -> Vec<Effect> {
        let effects = self.customer.handle(self.now, input);
        let mut prompts = Vec::new();
        for effect in effects.clone() {
            match effect {
                Effect::Drive(op) => {
                    if let Op::Dial { channel, label, .. } | Op::Label { channel, label } = &op {
                        self.channels.insert(Tag(label.tag.clone()), channel.clone());
                    }
                    self.ops.push(op);
                }
                Effect::Tell(view) => self.told.push(*view),
                Effect::Refresh { view, call_sequence } => {
                    self.records.push((view.tag.clone(), *view, call_sequence));
                }
                Effect::TellIvr { tag, info, .. } => {
                    self.ivr.push((tag, in_words(info)));
                }
                Effect::Resolve { call_id, i_account, number } => {
                    self.resolves.push((call_id, i_account, number));
                }
                Effect::Reply { command_id, outcome } => self.replies.push((command_id, outcome)),
                Effect::Accepted { channel, tag, call_id } => {
                    self.channels.insert(tag, channel);
                    self.accepted.push(call_id);
                }
                Effect::Over(call_id) => self.over.push(call_id),
                Effect::Account(charged) => self.charged.push(*charged),
                Effect::Reserve { charge, seconds } => self.reserves.push((*charge, seconds)),
                Effect::TellPhone(news) => {
                    self.phones.push((news.account_id, news.availability.name()));
                }
                Effect::TellQueue { figures, .. } => self.figures.push(figures),
                Effect::TellConference(news) => self.news.push(*news),
                Effect::KeepConference(view) => self.kept.push(*view),
                Effect::Look { i_c_queue, .. } => self.looks.push(i_c_queue),
                Effect::Fetch { call_id, tag, playback, wanted: Wanted::Prompt(path) } => {
                    let clip = self.prompts.then(|| two_seconds(path));
                    prompts.push(Input::Fetched { call_id, tag, playback, clip });
                }
                Effect::Fetch { .. } => {}
                Effect::AskListeners { number, call_id } => self.asks.push((number, call_id)),
                Effect::Recorded(recorded) => self.recorded.push(*recorded),
            }
        }
        for found in prompts {
            self.feed(found);
        }
        effects
    }

    /// Time passes; nothing else happens.
    pub(super) fn wait(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
    }

    /// Time passes, and everything that becomes due is done when it is due.
    pub(super) fn pass(&mut self, millis: u64) {
        let until = self.now.plus(Duration::from_millis(millis));
        while let Some(at) = self.customer.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.feed(Input::Tick);
        }
        self.now = until;
    }

    /// Commands, and gives the outcome if it is there at once.
    pub(super) fn command(
        &mut self,
        scope: Scope,
        method: &str,
        action: Action,
    ) -> Option<Outcome> {
        self.commands += 1;
        let id = format!("command {}", self.commands);
        let command = Command { id: id.clone(), scope, cause: cause(method), action };
        self.feed(Input::Command(command));
        self.outcome_of(&id)
    }

    /// Commands something that is answered at once.
    pub(super) fn must(&mut self, method: &str, action: Action) -> Outcome {
        self.command(CUSTOMER, method, action).expect("an answer at once")
    }

    pub(super) fn outcome_of(&self, command_id: &str) -> Option<Outcome> {
        let mut outcomes = self.replies.iter().filter(|(id, _)| id == command_id);
        let first = outcomes.next().map(|(_, outcome)| outcome.clone());
        assert!(outcomes.next().is_none(), "{command_id} was answered twice");
        first
    }

    pub(super) fn originate(&mut self, from: &str, to: &str) -> CallId {
        self.originate_as(from, to, None)
    }

    pub(super) fn originate_as(&mut self, from: &str, to: &str, caller_id: Option<&str>) -> CallId {
        let call_id = CallId(format!("n.call{}", self.commands));
        let originate = Originate {
            call_id: call_id.clone(),
            account: account(from),
            destination: to.to_owned(),
            caller_id: caller_id.map(str::to_owned),
            caller_name: None,
            timeout: Duration::from_mins(1),
            callback: None,
        };
        let action = Action::Originate(Box::new(originate));
        let outcome = self.command(CUSTOMER, "originate_call", action);
        assert_eq!(outcome, None, "it is answered when the directory has answered");
        call_id
    }

    pub(super) fn resolve(&mut self, call_id: &CallId, answer: Result<Route, ResolveFailure>) {
        self.feed(Input::Resolved { call_id: call_id.clone(), answer });
    }

    pub(super) fn phone_dials(&mut self, from: &str, to: &str) -> CallId {
        let channel = self.incoming();
        self.feed(Input::PhoneDials { channel, account: account(from), dialled: to.to_owned() });
        self.resolves.last().unwrap().0.clone()
    }

    pub(super) fn trunk_calls(&mut self, from: &str, to: &str) -> CallId {
        self.trunk_calls_to(from, to, to_account(to))
    }

    pub(super) fn trunk_calls_to(&mut self, from: &str, to: &str, route: Route) -> CallId {
        let channel = self.incoming();
        let from = Shown { number: from.to_owned(), name: "Mary Smith".to_owned() };
        self.feed(Input::TrunkCall { channel, from, dialled: to.to_owned(), route });
        self.accepted.last().unwrap().clone()
    }

    /// The store says who listens, to all that it has been asked.
    pub(super) fn listeners(&mut self, answer: Listeners) {
        for (number, call_id) in std::mem::take(&mut self.asks) {
            self.feed(Input::Listeners { number, call_id, answer });
        }
    }

    /// Time passes, and whenever the store is asked who listens it says this.
    pub(super) fn pass_while(&mut self, millis: u64, answer: Listeners) {
        for _ in 0..millis / 100 {
            self.pass(100);
            self.listeners(answer);
        }
    }

    pub(super) fn event(&mut self, tag: &Tag, event: impl FnOnce(ChannelId) -> Event) {
        let event = event(self.channel(tag));
        self.feed(Input::Channel(event));
    }

    pub(super) fn rings(&mut self, tag: &Tag) {
        self.event(tag, |channel| Event::Ringing { channel });
    }

    pub(super) fn answers(&mut self, tag: &Tag) {
        self.event(tag, |channel| Event::Answered { channel });
    }

    pub(super) fn hangs_up(&mut self, tag: &Tag) {
        self.event(tag, |channel| Event::Ended { channel, cause: driver::Cause::HungUp });
    }

    pub(super) fn refuses(&mut self, tag: &Tag, code: u16) {
        self.event(tag, |channel| Event::Ended { channel, cause: driver::Cause::Refused(code) });
    }

    /// 101 and 102 talk, in a call that 101 placed by command.
    pub(super) fn talking() -> (Self, CallId, Tag, Tag) {
        let (mut bench, call, alice, bob) = Self::early();
        bench.rings(&bob);
        bench.answers(&bob);
        (bench, call, alice, bob)
    }

    /// 101 waits on the line, 102 is dialled.
    pub(super) fn early() -> (Self, CallId, Tag, Tag) {
        let mut bench = Self::new();
        let call = bench.originate("101", "102");
        bench.resolve(&call, Ok(to_account("102")));
        let alice = bench.tag(0);
        bench.rings(&alice);
        bench.answers(&alice);
        let bob = bench.tag(1);
        (bench, call, alice, bob)
    }

    /// Tags in the order in which their legs came to be.
    pub(super) fn tags(&self) -> Vec<Tag> {
        let mut tags: Vec<Tag> = Vec::new();
        for view in &self.told {
            if !tags.contains(&view.tag) {
                tags.push(view.tag.clone());
            }
        }
        tags
    }

    pub(super) fn tag(&self, index: usize) -> Tag {
        self.tags()[index].clone()
    }

    pub(super) fn channel(&self, tag: &Tag) -> ChannelId {
        self.channels.get(tag).cloned().expect("a channel")
    }

    /// The leg's channel, if it has been made.
    pub(super) fn known_channel(&self, tag: &Tag) -> Option<ChannelId> {
        self.channels.get(tag).cloned()
    }

    pub(super) fn of(&self, tag: &Tag) -> Vec<&LegView> {
        self.told.iter().filter(|view| view.tag == *tag).collect()
    }

    pub(super) fn state(&self, tag: &Tag) -> State {
        self.of(tag).last().unwrap().state
    }

    /// Every leg as a row of the contract's table: leg, caller → callee at the end, type, ext.,
    /// and the states with the code and text of the last.
    pub(super) fn rows(&self) -> Vec<String> {
        self.tags().iter().map(|tag| self.row(tag)).collect()
    }

    fn row(&self, tag: &Tag) -> String {
        let views = self.of(tag);
        let last = views.last().unwrap();
        let leg = last.i_account.map_or("trunk".to_owned(), |account| (100 + account).to_string());
        let direction = match last.direction {
            Direction::Incoming => "incoming",
            Direction::Outgoing => "outgoing",
        };
        let states: Vec<_> = views.iter().map(|view| view.state.name()).collect();
        let end = last.reason.as_ref().map(|reason| format!(" ({} {})", reason.code, reason.text));
        format!(
            "{leg} | {} → {} | {direction} | {} | {}{}",
            end_of(&last.caller),
            end_of(&last.callee),
            last.is_external,
            states.join(" "),
            end.unwrap_or_default()
        )
    }

    /// Whom the switch was told to dial.
    pub(super) fn dialled(&self) -> Vec<Endpoint> {
        let dialled = self.ops.iter().filter_map(|op| match op {
            Op::Dial { endpoint, .. } => Some(endpoint.clone()),
            _ => None,
        });
        dialled.collect()
    }

    /// Forgets what was told and wanted so far.
    pub(super) fn look_away(&mut self) {
        self.told.clear();
        self.ops.clear();
    }
}

fn two_seconds(name: String) -> Clip {
    Clip {
        name,
        duration: Duration::from_secs(2),
        is_fetched: false,
        content: crate::driver::Content::default(),
    }
}

/// A key as itself, anything else by its name and all that is said of it.
fn in_words(info: IvrInfo) -> String {
    if info.event == "dtmf" {
        return info.digits.unwrap_or_default();
    }
    let parts = [Some(info.event.to_owned()), info.digits, info.terminator];
    let mut words: Vec<String> = parts.into_iter().flatten().collect();
    words.extend(info.reason.map(str::to_owned));
    words.join(" ")
}

fn end_of(party: &Party) -> String {
    match &party.account_id {
        Some(id) if *id != party.number => format!("{id} ({})", party.number),
        Some(id) => id.clone(),
        None => party.number.clone(),
    }
}

/// The refusal of an action in a state that does not allow it.
pub(super) fn wrong_state(state: State, expected: &'static [State]) -> Outcome {
    Err(Refusal::WrongState { state, expected })
}
