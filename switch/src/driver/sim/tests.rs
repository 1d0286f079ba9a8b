//! The simulated switch on paused time, with an engine that only answers.

mod behaviours;
mod control;
mod hands;
mod hears;
mod joins;
mod prompts;
mod properties;
mod recordings;

use std::collections::BTreeSet;

use tokio::time::Duration;
use tokio_util::task::TaskTracker;

use super::line::Party;
use super::people::{HAND_TIMEOUT, OFFER_TIMEOUT};
use super::*;
use crate::driver::{Cause, ChannelId, Endpoint, Label, MixId, Origin, Reason, Shown, Source};

/// Accounts 101 to 199 exist.
#[derive(Debug)]
struct Accounts;

#[async_trait]
impl Phonebook for Accounts {
    async fn is_account(&self, account_id: &str) -> Result<bool, PhonebookError> {
        match account_id {
            "broken" => Err(PhonebookError("no connection".into())),
            _ => Ok(account_id.len() == 3 && account_id.starts_with('1')),
        }
    }
}

/// A simulated switch and, in place of the engine, a list of what it was told and when.
struct Bench {
    sim: Arc<Sim>,
    told: mpsc::Receiver<(u128, Event)>,
    /// What offers are answered with; `None` refuses them.
    label: Arc<Mutex<Option<Label>>>,
    /// How often the crash hook was called.
    crashes: Arc<Mutex<u32>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Bench {
    fn new() -> Self {
        Self::with(&Config::default())
    }

    fn with(config: &Config) -> Self {
        let (signals, mut received) = mpsc::channel::<Signal>(4);
        let (tell, told) = mpsc::channel(1024);
        let label = Arc::new(Mutex::new(Some(label("call-1", "tag-1", "trying"))));
        let crashes = Arc::new(Mutex::new(0));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let counted = Arc::clone(&crashes);
        let deps = Deps {
            accounts: Arc::new(Accounts),
            signals,
            crash: Some(CrashHook::new(move || *counted.lock() += 1)),
            tasks: tasks.clone(),
            stop: stop.clone(),
        };
        let answer = Arc::clone(&label);
        let started = Instant::now();
        tasks.spawn(async move {
            while let Some(Signal { event, handled, .. }) = received.recv().await {
                let label = match &event {
                    Event::Offered { .. } => answer.lock().clone(),
                    _ => None,
                };
                tell.send((started.elapsed().as_millis(), event)).await.unwrap();
                if let Some(handled) = handled {
                    drop(handled.send(Handled { label }));
                }
            }
        });
        Self { sim: Sim::new(config, deps), told, label, crashes, tasks, stop }
    }

    async fn run(&self, op: Op) {
        self.sim.run(op).await.unwrap();
    }

    /// The switch dials, and calls the leg as it calls the channel.
    async fn dial(&self, channel: &str, endpoint: Endpoint) {
        let shown = Shown { number: "100".to_owned(), name: "Alice".to_owned() };
        let label = label(&format!("call-{channel}"), channel, "trying");
        self.run(Op::Dial { channel: id(channel), endpoint, shown, label }).await;
    }

    async fn label(&self, channel: &str, state: &str) {
        self.label_as(id(channel), &format!("call-{channel}"), channel, state).await;
    }

    async fn label_as(&self, channel: ChannelId, call_id: &str, tag: &str, state: &str) {
        self.run(Op::Label { channel, label: label(call_id, tag, state) }).await;
    }

    async fn hangup(&self, channel: ChannelId, code: u16, text: &str) {
        let reason = Reason { code, text: text.to_owned() };
        self.run(Op::Hangup { channel, reason }).await;
    }

    async fn hear(&self, channel: &ChannelId, source: Source) {
        self.run(Op::Hear { channel: channel.clone(), source }).await;
    }

    async fn speak(&self, channel: &ChannelId, mix: Option<&str>) {
        let mix = mix.map(|mix| MixId(mix.to_owned()));
        self.run(Op::Speak { channel: channel.clone(), mix }).await;
    }

    /// Both hear each other.
    async fn bridge(&self, one: &ChannelId, other: &ChannelId) {
        self.hear(one, parties([other])).await;
        self.hear(other, parties([one])).await;
    }

    /// The next event and the milliseconds since the start.
    async fn next(&mut self) -> (u128, Event) {
        self.told.recv().await.unwrap()
    }

    async fn next_event(&mut self) -> Event {
        self.next().await.1
    }

    /// The channel that is offered next.
    async fn next_offer(&mut self) -> ChannelId {
        match self.next_event().await {
            Event::Offered { channel, .. } => channel,
            other => panic!("expected an offer, got {other:?}"),
        }
    }

    /// Nothing happens for an hour.
    async fn stays_quiet(&mut self) {
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert_eq!(self.told.try_recv().ok(), None);
    }

    async fn hears(&self, account_id: &str) -> serde_json::Value {
        serde_json::to_value(self.sim.phone(account_id).await.unwrap().hears).unwrap()
    }

    /// Dials a phone that answers at once and waits until it has.
    async fn talk(&mut self, channel: &str, account_id: &str) -> ChannelId {
        self.sim.set_behaviour(account_id, Behaviour::AnswerAfter { ms: 0 }).await.unwrap();
        self.dial(channel, phone(account_id)).await;
        assert_eq!(self.next_event().await, ringing(channel));
        assert_eq!(self.next_event().await, answered(channel));
        self.label(channel, "connected").await;
        id(channel)
    }
}

fn id(channel: &str) -> ChannelId {
    ChannelId(channel.to_owned())
}

fn label(call_id: &str, tag: &str, state: &str) -> Label {
    Label { call_id: call_id.to_owned(), tag: tag.to_owned(), state: state.to_owned() }
}

fn phone(account_id: &str) -> Endpoint {
    Endpoint::Phone { account_id: account_id.to_owned() }
}

fn trunk(number: &str) -> Endpoint {
    Endpoint::Trunk { number: number.to_owned() }
}

fn ringing(channel: &str) -> Event {
    Event::Ringing { channel: id(channel) }
}

fn answered(channel: &str) -> Event {
    Event::Answered { channel: id(channel) }
}

fn refused(channel: &str, code: u16) -> Event {
    Event::Ended { channel: id(channel), cause: Cause::Refused(code) }
}

fn hung_up(channel: &str) -> Event {
    Event::Ended { channel: id(channel), cause: Cause::HungUp }
}

fn parties<const N: usize>(channels: [&ChannelId; N]) -> Source {
    Source::Parties(channels.into_iter().cloned().collect::<BTreeSet<_>>())
}
