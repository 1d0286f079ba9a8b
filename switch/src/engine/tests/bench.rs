//! An engine with a switch and a directory that tests control.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mesh::Clock;
use mesh::caller::{Owner, Scope};
use mesh::clock::Timestamp;
use mesh::ledger::Ledger as _;
use mesh::ledger::memory::{MemoryConfig, MemoryLedger};
use mesh::outward::Rules;
use mesh::testing::eventually;
use parking_lot::Mutex;
use proto::switch::v1::AccountingRecord;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::audio::{self, Audio};
use crate::config::OnAuthLost;
use crate::directory::{Destination, Directory, DirectoryError};
use crate::domain::{
    Account, Action, CallId, Cause, Command, Originate, Outcome, ResolveFailure, Route,
};
use crate::driver::{
    Channel, ChannelId, Driver, DriverError, Endpoint, Event, Handled, Label, Op, Origin,
    RecordingId, Shown, Signal,
};
use crate::engine::{Bounds, Engine, Parts, Rejection};
use crate::outbox::{self, Outbox, Writing};
use crate::recordings::Recordings;

pub(super) const PATIENCE: Duration = Duration::from_mins(5);

pub(super) const OWNER: Owner = Owner { i_reseller: 7, i_customer: 1 };

/// A switch that notes what it is told.
#[derive(Debug, Default)]
pub(super) struct Switch {
    pub(super) ops: Mutex<Vec<Op>>,
    channels: Mutex<BTreeSet<ChannelId>>,
    /// How long operations on a channel take.
    slow: Mutex<HashMap<ChannelId, Duration>>,
    /// How many of the next operations do not come through.
    drops: Mutex<u32>,
    /// Whether dialling is refused.
    refuses: Mutex<bool>,
    /// Whether channels are dialled and the answer is lost.
    forgets: Mutex<bool>,
    /// Whether channels outlive the engine.
    keeps: Mutex<bool>,
}

#[async_trait]
impl Driver for Switch {
    async fn run(&self, op: Op) -> Result<(), DriverError> {
        let slow = self.slow.lock().get(op.channel()).copied();
        if let Some(slow) = slow {
            tokio::time::sleep(slow).await;
        }
        {
            let mut drops = self.drops.lock();
            if *drops > 0 {
                *drops -= 1;
                return Err(DriverError::Unreachable);
            }
        }
        match &op {
            Op::Dial { .. } if *self.refuses.lock() => {
                return Err(DriverError::Refused("full".to_owned()));
            }
            Op::Dial { channel, .. } => {
                self.channels.lock().insert(channel.clone());
                if *self.forgets.lock() {
                    self.ops.lock().push(op);
                    return Err(DriverError::Unreachable);
                }
            }
            Op::Hangup { channel, .. } => {
                self.channels.lock().remove(channel);
            }
            _ => {}
        }
        self.ops.lock().push(op);
        Ok(())
    }

    async fn collect(&self, _recording: &RecordingId, _file: &Path) -> Result<(), DriverError> {
        Err(DriverError::Refused("nothing is recorded".to_owned()))
    }

    fn keeps_channels(&self) -> bool {
        *self.keeps.lock()
    }

    async fn channels(&self) -> Result<Vec<Channel>, DriverError> {
        let channels = self.channels.lock().clone().into_iter();
        let channel = |id| Channel { id, is_answered: true, label: Label::default() };
        Ok(channels.map(channel).collect())
    }
}

impl Switch {
    pub(super) fn slow_down(&self, channel: &ChannelId, by: Duration) {
        self.slow.lock().insert(channel.clone(), by);
    }

    pub(super) fn keep_channels(&self) {
        *self.keeps.lock() = true;
    }

    pub(super) fn drop_next(&self, count: u32) {
        *self.drops.lock() = count;
    }

    pub(super) fn refuse_dials(&self) {
        *self.refuses.lock() = true;
    }

    pub(super) fn forget_dials(&self) {
        *self.forgets.lock() = true;
    }

    /// The switch loses a channel, and the news of it.
    pub(super) fn lose(&self, channel: &ChannelId) {
        self.channels.lock().remove(channel);
    }

    /// A channel is there of which the engine was never told.
    pub(super) fn invent(&self, channel: &ChannelId) {
        self.channels.lock().insert(channel.clone());
    }

    pub(super) fn living(&self) -> Vec<ChannelId> {
        self.channels.lock().iter().cloned().collect()
    }

    /// Channels dialled to an account's phone, oldest first.
    pub(super) fn dialled(&self, id: &str) -> Vec<ChannelId> {
        let ops = self.ops.lock();
        let dialled = ops.iter().filter_map(|op| match op {
            Op::Dial { channel, endpoint: Endpoint::Phone { account_id }, .. }
                if account_id == id =>
            {
                Some(channel.clone())
            }
            _ => None,
        });
        dialled.collect()
    }

    /// Codes with which a channel was hung up.
    pub(super) fn hung_up(&self, of: &ChannelId) -> Vec<u16> {
        let ops = self.ops.lock();
        let codes = ops.iter().filter_map(|op| match op {
            Op::Hangup { channel, reason } if channel == of => Some(reason.code),
            _ => None,
        });
        codes.collect()
    }
}

/// A directory of the accounts 101 to 109 of one customer. It answers while its gate is open.
#[derive(Debug)]
pub(super) struct Book {
    gate: Semaphore,
}

impl Book {
    pub(super) fn close(&self) {
        self.gate.forget_permits(usize::MAX >> 4);
    }

    pub(super) fn open(&self) {
        self.gate.add_permits(1_000_000);
    }

    async fn pass(&self) {
        drop(self.gate.acquire().await.unwrap());
    }
}

pub(super) fn account(id: &str) -> Account {
    let number: i64 = id.parse().unwrap();
    Account {
        i_account: number - 100,
        account_id: id.to_owned(),
        name: String::new(),
        i_customer: OWNER.i_customer,
        i_reseller: OWNER.i_reseller,
        decision: None,
    }
}

fn is_account(id: &str) -> bool {
    id.len() == 3 && id.starts_with("10")
}

#[async_trait]
impl Directory for Book {
    async fn account(&self, account_id: &str) -> Result<Option<Account>, DirectoryError> {
        self.pass().await;
        Ok(is_account(account_id).then(|| account(account_id)))
    }

    async fn resolve(
        &self,
        _i_customer: i64,
        _i_account: i64,
        number: &str,
    ) -> Result<Route, ResolveFailure> {
        self.pass().await;
        Ok(if is_account(number) { Route::Account(account(number)) } else { Route::Nowhere })
    }

    async fn reserve(
        &self,
        _charge: AccountingRecord,
        _seconds: u64,
    ) -> Result<Option<u64>, DirectoryError> {
        Ok(None)
    }

    async fn destination(&self, number: &str) -> Result<Destination, DirectoryError> {
        self.pass().await;
        Ok(if is_account(number) {
            Destination { owner: Some(OWNER), route: Route::Account(account(number)) }
        } else {
            Destination { owner: None, route: Route::Nowhere }
        })
    }
}

pub(super) struct Bench {
    pub(super) engine: Engine,
    pub(super) switch: Arc<Switch>,
    pub(super) book: Arc<Book>,
    pub(super) ledger: Arc<MemoryLedger>,
    clock: Clock,
    tasks: TaskTracker,
    _stop: DropGuard,
    count: Mutex<u32>,
}

impl Bench {
    pub(super) fn new() -> Self {
        let clock = Clock::starting_at(Timestamp::from_micros(1_700_000_000_000_000));
        let ledger = Arc::new(MemoryLedger::new(clock.clone(), MemoryConfig::default()));
        Self::over(Arc::default(), ledger, clock, 1)
    }

    /// The next process of the node, on the same switch and store, after this one has died.
    pub(super) async fn successor(&self) -> Self {
        self.engine.end_actors().await;
        self.switch.keep_channels();
        let (switch, ledger) = (Arc::clone(&self.switch), Arc::clone(&self.ledger));
        let next = Self::over(switch, ledger, self.clock.clone(), 2);
        *next.count.lock() = self.next() + 100;
        next
    }

    fn over(switch: Arc<Switch>, ledger: Arc<MemoryLedger>, clock: Clock, node_epoch: u64) -> Self {
        let outbox = Outbox::new(outbox::Bounds { max_bytes: 1 << 20, commit_events: 64 });
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let writing = Writing {
            ledger: Arc::<MemoryLedger>::clone(&ledger),
            partition: 0,
            node: "node-1".to_owned(),
            node_epoch,
            clock: clock.clone(),
        };
        let running = writing.run(outbox.clone(), stop.clone());
        tasks.spawn(running);
        let recordings = Recordings::off(clock.clone());
        let book = Arc::new(Book { gate: Semaphore::new(1_000_000) });
        let engine = Engine::new(Parts {
            node: "node-1".to_owned(),
            site: "main".to_owned(),
            driver: Arc::<Switch>::clone(&switch),
            directory: Arc::<Book>::clone(&book),
            audio: Arc::new(Audio::new(audio::Config::default(), Rules::default())),
            recordings: Arc::new(recordings),
            ledger: Arc::<MemoryLedger>::clone(&ledger),
            outboxes: vec![outbox],
            clock: clock.clone(),
            on_auth_lost: OnAuthLost::Continue,
            journal: None,
            bounds: Bounds { commands: 16, signals: 64, lane: 64 },
            tasks: tasks.clone(),
        });
        let audit = engine.clone().audit(stop.clone());
        tasks.spawn(audit);
        let (count, stop) = (Mutex::new(0), stop.drop_guard());
        Self { engine, switch, book, ledger, clock, tasks, _stop: stop, count }
    }

    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    fn next(&self) -> u32 {
        let mut count = self.count.lock();
        *count += 1;
        *count
    }

    pub(super) fn command_of(&self, action: Action) -> Command {
        Command {
            id: format!("command {}", self.next()),
            scope: Scope::Everything,
            cause: Cause { login: "admin".to_owned(), ..Cause::default() },
            action,
        }
    }

    pub(super) async fn command(&self, action: Action) -> Result<Outcome, Rejection> {
        let owner = matches!(action, Action::Originate(_)).then_some(OWNER);
        self.engine.command(self.command_of(action), owner, String::new()).await
    }

    pub(super) fn originate(&self, from: &str, to: &str) -> Action {
        Action::Originate(Box::new(Originate {
            call_id: CallId(format!("node-1.{}", self.next())),
            account: account(from),
            destination: to.to_owned(),
            caller_id: None,
            caller_name: None,
            timeout: Duration::from_mins(1),
            callback: None,
        }))
    }

    /// Something happens on the switch. The receiver hears what the engine made of it.
    pub(super) async fn happens(&self, event: Event) -> oneshot::Receiver<Handled> {
        let (handled, receiver) = oneshot::channel();
        self.engine.signal(Signal { handled: Some(handled), ..event.into() }).await;
        receiver
    }

    /// A phone dials; the receiver hears which call that became.
    pub(super) async fn dials(
        &self,
        channel: &str,
        from: &str,
        to: &str,
    ) -> oneshot::Receiver<Handled> {
        let channel = ChannelId(channel.to_owned());
        self.switch.invent(&channel);
        let origin = Origin::Phone { account_id: from.to_owned() };
        self.happens(Event::Offered { channel, origin, dialled: to.to_owned() }).await
    }

    /// A call comes in from the trunk.
    pub(super) async fn comes_in(&self, channel: &str, to: &str) -> oneshot::Receiver<Handled> {
        let channel = ChannelId(channel.to_owned());
        self.switch.invent(&channel);
        let origin = Origin::Trunk { from: Shown::default() };
        self.happens(Event::Offered { channel, origin, dialled: to.to_owned() }).await
    }

    /// The channel that rings at a phone, as soon as it does.
    pub(super) async fn ringing(&self, id: &str, index: usize) -> ChannelId {
        let channel = eventually(PATIENCE, "the phone is dialled", || async {
            self.switch.dialled(id).get(index).cloned().ok_or_else(|| "it is not".to_owned())
        })
        .await;
        drop(self.happens(Event::Ringing { channel: channel.clone() }).await);
        channel
    }

    /// 101 has dialled 102, and they talk.
    pub(super) async fn talking(&self) -> (CallId, ChannelId, ChannelId) {
        let alice = ChannelId(format!("in-{}", self.next()));
        let index = self.switch.dialled("102").len();
        let label = self.dials(&alice.0, "101", "102").await.await.unwrap().label.unwrap();
        let bob = self.ringing("102", index).await;
        self.happens(Event::Answered { channel: bob.clone() }).await.await.unwrap();
        (CallId(label.call_id), alice, bob)
    }

    /// Nothing is left, on the switch or in the engine, before the two are compared.
    pub(super) async fn nothing_is_left(&self) {
        eventually(Duration::from_secs(15), "nothing is left", || async {
            let left = (self.engine.load(), self.switch.living(), self.known_channels());
            if left == (0, Vec::new(), 0) { Ok(()) } else { Err(format!("{left:?}")) }
        })
        .await;
        let stored = self.ledger.page(0, "all", 0, 100).await.unwrap();
        assert!(stored.records.is_empty(), "{:?}", stored.records);
    }

    /// Channels that the engine has noted as some call's.
    pub(super) fn known_channels(&self) -> usize {
        self.engine.0.shared.channels().len()
    }
}
