//! The driver alone, on a real Asterisk with phones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mesh::health::Readiness;
use phones::Crowd;
use switch::driver::asterisk::{Asterisk, Config, Deps, Url};
use switch::driver::{
    Cause, ChannelId, Driver as _, Endpoint, Event, Label, Op, Reason, Shown, Signal, Source,
};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::faulty;
use crate::pbx::Pbx;
use crate::phone::{PATIENCE, Phone, settings};

/// Phones of a test: accounts 101 to 103, and the public network.
pub(crate) struct Phones {
    pub(crate) alice: Phone,
    pub(crate) bob: Phone,
    pub(crate) carol: Phone,
    pub(crate) trunk: Phone,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl Phones {
    pub(crate) async fn start() -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let phone = |user, tone| Phone::start(user, tone, &tasks, &stop);
        let alice = phone("101", 500.0).await;
        let bob = phone("102", 700.0).await;
        let carol = phone("103", 900.0).await;
        let trunk = phone("trunk", 1100.0).await;
        Self { alice, bob, carol, trunk, tasks, stop }
    }

    /// One more.
    pub(crate) async fn another(&self, user: &str, tone: f64) -> Phone {
        Phone::start(user, tone, &self.tasks, &self.stop).await
    }

    /// One that takes any number of calls.
    pub(crate) async fn crowd(&self, user: &str) -> Crowd {
        Crowd::start(settings(user, &self.tasks, &self.stop)).await.unwrap()
    }

    pub(crate) async fn pbx(&self) -> Pbx {
        Pbx::start(&[&self.alice, &self.bob, &self.carol, &self.trunk]).await
    }
}

impl Drop for Phones {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The driver, and what it tells.
pub(crate) struct Fixture {
    pub(crate) phones: Phones,
    pub(crate) pbx: Pbx,
    pub(crate) driver: Arc<Asterisk>,
    pub(crate) readiness: Readiness,
    events: mpsc::Receiver<Signal>,
    /// What Asterisk is given to play.
    pub(crate) media: TempDir,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        let phones = Phones::start().await;
        let pbx = phones.pbx().await;
        let url = pbx.url();
        Self::with(phones, pbx, &url).await
    }

    /// Alice and Bob talk, as channels `a` and `b`.
    pub(crate) async fn two_talk() -> Self {
        let mut fixture = Self::start().await;
        fixture.connect("a", "101").await;
        fixture.connect("b", "102").await;
        fixture.hear_each_other(&["a", "b"]).await;
        fixture
    }

    /// The first request for which `fails` says so, by its method and path, is answered 503.
    pub(crate) async fn refusing(fails: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        let phones = Phones::start().await;
        let pbx = phones.pbx().await;
        let is_done = AtomicBool::new(false);
        let fails = move |request: &str| fails(request) && !is_done.swap(true, Ordering::AcqRel);
        let url = faulty::way_to(pbx.http_port, &phones, Arc::new(fails)).await;
        Self::with(phones, pbx, &url).await
    }

    /// The driver reaches Asterisk at `url`.
    pub(crate) async fn with(phones: Phones, pbx: Pbx, url: &str) -> Self {
        let config = Config { url: Url::new(url), ..Config::default() };
        Self::configured(phones, pbx, config).await
    }

    /// The driver has these settings, and a folder for what is played.
    pub(crate) async fn configured(phones: Phones, pbx: Pbx, config: Config) -> Self {
        let readiness = Readiness::new();
        let (signals, events) = mpsc::channel(256);
        let media = tempfile::tempdir().unwrap();
        let media_folder = Some(media.path().to_owned());
        let config = Config { media_folder, ..config };
        let deps = Deps {
            signals,
            health: readiness.component("switch.asterisk"),
            tasks: phones.tasks.clone(),
            stop: phones.stop.clone(),
        };
        let driver = Arc::new(Asterisk::new(&config, deps).unwrap());
        let fixture = Self { phones, pbx, driver, readiness, events, media };
        fixture.until_connected(true).await;
        fixture
    }

    pub(crate) async fn until_connected(&self, is_connected: bool) {
        let mut connected = self.driver.connected();
        let is_so = connected.wait_for(|is| *is == is_connected);
        let is_in_time = timeout(PATIENCE, is_so).await.is_ok();
        assert!(is_in_time, "connected is not {is_connected}: {}", self.readiness.report());
    }

    /// The next event about a channel.
    pub(crate) async fn next(&mut self) -> Event {
        loop {
            let event = self.receive().await;
            if event.channel().is_some() {
                return event;
            }
        }
    }

    /// The next event about a phone.
    pub(crate) async fn next_of_phones(&mut self) -> Event {
        loop {
            let event = self.receive().await;
            if event.channel().is_none() {
                return event;
            }
        }
    }

    async fn receive(&mut self) -> Event {
        let next = timeout(PATIENCE, self.events.recv()).await;
        next.expect("an event in time").expect("a driver").event
    }

    /// What has been told of channels and not been looked at.
    pub(crate) fn rest(&mut self) -> Vec<Event> {
        let rest = std::iter::from_fn(|| self.events.try_recv().ok()).map(|signal| signal.event);
        rest.filter(|event| event.channel().is_some()).collect()
    }

    pub(crate) async fn run(&self, op: Op) {
        let text = format!("{op:?}");
        if let Err(error) = self.driver.run(op).await {
            panic!("{text}: {error}");
        }
    }

    pub(crate) async fn dial(&self, channel: &str, account: &str) {
        let endpoint = Endpoint::Phone { account_id: account.to_owned() };
        self.run(dial_op(channel, endpoint)).await;
    }

    /// Dials a phone that answers.
    pub(crate) async fn connect(&mut self, channel: &str, account: &str) {
        self.dial(channel, account).await;
        assert_eq!(self.next().await, Event::Ringing { channel: id(channel) });
        assert_eq!(self.next().await, Event::Answered { channel: id(channel) });
    }

    pub(crate) async fn hear(&self, channel: &str, source: Source) {
        self.run(Op::Hear { channel: id(channel), source }).await;
    }

    pub(crate) async fn hear_each_other(&self, channels: &[&str]) {
        for channel in channels {
            let others = channels.iter().filter(|other| other != &channel);
            let source = Source::Parties(others.map(|other| id(other)).collect());
            self.hear(channel, source).await;
        }
    }

    pub(crate) async fn hang_up(&self, channel: &str, code: u16) {
        let reason = Reason { code, text: "over".to_owned() };
        self.run(Op::Hangup { channel: id(channel), reason }).await;
    }

    /// Ids of the channels that the driver lists.
    pub(crate) async fn listed(&self) -> Vec<String> {
        let channels = self.driver.channels().await.unwrap();
        let mut ids: Vec<_> = channels.into_iter().map(|channel| channel.id.0).collect();
        ids.sort();
        ids
    }

    /// Waits until Asterisk itself has no channel and no bridge left.
    pub(crate) async fn until_empty(&self) {
        self.pbx.until_empty().await;
    }
}

pub(crate) fn id(text: &str) -> ChannelId {
    ChannelId(text.to_owned())
}

pub(crate) fn ended(channel: &str, cause: Cause) -> Event {
    Event::Ended { channel: id(channel), cause }
}

pub(crate) fn label(state: &str) -> Label {
    let (call_id, tag) = ("switch-1.call".to_owned(), "tag".to_owned());
    Label { call_id, tag, state: state.to_owned() }
}

pub(crate) fn dial_op(channel: &str, endpoint: Endpoint) -> Op {
    Op::Dial {
        channel: id(channel),
        endpoint,
        shown: Shown { number: "555".to_owned(), name: "Caller".to_owned() },
        label: label("trying"),
    }
}
