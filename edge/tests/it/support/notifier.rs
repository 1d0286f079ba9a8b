//! Notifiers over one log of one partition. Each can be killed, silenced or made to lag behind.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt as _};
use mesh::net::Network;
use mesh::server::GrpcServer;
use mesh::testing::eventually;
use proto::call::v1::{CallInfo, CallRef, State as CallState};
use proto::notifier::v1::live_request::Request as Ask;
use proto::notifier::v1::live_response::Response as Say;
use proto::notifier::v1::notifier_service_server::{NotifierService, NotifierServiceServer};
use proto::notifier::v1::scope::Of;
use proto::notifier::v1::*;
use proto::switch::v1::log_entry::Body;
use proto::switch::v1::{LogEntry, QueueStats};
use tokio::sync::mpsc;
use tokio::time::{interval, sleep};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use super::{PATIENCE, Shared, spawn};

/// The log, and the streams that follow it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Shared<LogState>);

#[derive(Debug, Default)]
struct LogState {
    refused_token: Option<String>,
    epoch: u64,
    entries: Vec<LogEntry>,
    /// Entries up to here are gone.
    trimmed: u64,
    streams: Vec<Live>,
    opened: usize,
    subscribes: usize,
    replays: usize,
    /// Replays fail this many times.
    failing: usize,
}

#[derive(Debug)]
struct Live {
    notifier: &'static str,
    scopes: HashMap<u64, Scope>,
    sender: mpsc::Sender<Result<LiveResponse, Status>>,
}

impl LogState {
    fn place(&self, sequence: u64) -> Place {
        Place {
            partition: 0,
            epoch: format!("{}-0000000a", 1_000 + self.epoch),
            millis: 5_000_000_000,
            sequence,
        }
    }

    fn end(&self) -> Place {
        self.place(self.entries.len() as u64)
    }
}

impl Log {
    /// Waits until a live stream is open.
    pub(crate) async fn opened(&self) {
        let look = || async {
            let streams = self.0.lock().streams.len();
            if streams > 0 { Ok(()) } else { Err("no live stream".to_owned()) }
        };
        eventually(PATIENCE, "a live stream", look).await;
    }

    /// Live streams opened so far.
    pub(crate) fn streams_opened(&self) -> usize {
        self.0.lock().opened
    }

    /// Scopes subscribed so far.
    pub(crate) fn subscribes(&self) -> usize {
        self.0.lock().subscribes
    }

    /// Scopes that are live now.
    pub(crate) fn scopes(&self) -> usize {
        self.0.lock().streams.iter().map(|live| live.scopes.len()).sum()
    }

    /// Replays so far.
    pub(crate) fn replays(&self) -> usize {
        self.0.lock().replays
    }

    /// Lets the next replays fail.
    pub(crate) fn fail_replays(&self, count: usize) {
        self.0.lock().failing = count;
    }

    /// Drops all entries so far.
    pub(crate) fn trim(&self) {
        let mut log = self.0.lock();
        log.trimmed = log.entries.len() as u64;
    }

    /// The store came back empty.
    pub(crate) fn renew(&self) {
        let mut log = self.0.lock();
        log.epoch += 1;
        log.entries.clear();
        log.trimmed = 0;
        let gap = Say::Gap(Gap { place: Some(log.end()), reason: "log_lost".to_owned() });
        for live in &log.streams {
            live.sender.try_send(Ok(LiveResponse { response: Some(gap.clone()) })).unwrap();
        }
    }

    /// Writes an entry and streams it.
    fn write(&self, entry: &LogEntry) {
        let mut log = self.0.lock();
        log.entries.push(entry.clone());
        let place = log.end();
        for live in &log.streams {
            let scope_ids: Vec<u64> = live
                .scopes
                .iter()
                .filter(|(_, scope)| matches(scope, entry))
                .map(|(id, _)| *id)
                .collect();
            if scope_ids.is_empty() {
                continue;
            }
            let event = Event { place: Some(place.clone()), scope_ids, entry: Some(entry.clone()) };
            let response = LiveResponse { response: Some(Say::Event(event)) };
            live.sender.try_send(Ok(response)).expect("the stream has room");
        }
    }

    /// Writes the `call_state` of an account's leg; `tracking_id` tells events apart.
    pub(crate) fn call(&self, i_account: i64, tracking_id: &str, state: CallState) {
        self.write(&call(1, i_account, tracking_id, state, 0));
    }

    /// The same with so many more bytes.
    pub(crate) fn heavy_call(&self, i_account: i64, tracking_id: &str, bytes: usize) {
        self.write(&call(1, i_account, tracking_id, CallState::Connected, bytes));
    }

    /// Writes a queue's figures.
    pub(crate) fn queue(&self, i_c_queue: i64) {
        let queue = queue_stats(i_c_queue);
        self.write(&LogEntry {
            i_customer: 1,
            i_c_queues: vec![i_c_queue],
            body: Some(Body::QueueStats(queue)),
            ..LogEntry::default()
        });
    }

    /// Writes a call of another customer.
    pub(crate) fn foreign_call(&self, tracking_id: &str) {
        self.write(&call(2, 20, tracking_id, CallState::Connected, 0));
    }

    /// Refuses all scopes, and this token from now on, as a notifier that hears first of what has
    /// become of its session.
    pub(crate) fn refuse_token(&self, token: &str) {
        self.0.lock().refused_token = Some(token.to_owned());
        self.refuse_all();
    }

    /// Refuses all scopes, as when the tokens that they came with were revoked.
    pub(crate) fn refuse_all(&self) {
        let mut log = self.0.lock();
        for live in &mut log.streams {
            for (scope_id, _) in live.scopes.drain() {
                let refused = Refused { scope_id, reason: "AUTH_FAILED".to_owned() };
                let response = LiveResponse { response: Some(Say::Refused(refused)) };
                live.sender.try_send(Ok(response)).unwrap();
            }
        }
    }
}

fn queue_stats(i_c_queue: i64) -> QueueStats {
    let queue = proto::switch::v1::queue_stats::Queue { i_c_queue, ..Default::default() };
    QueueStats { queue: Some(queue) }
}

fn call(
    i_customer: i64,
    i_account: i64,
    tracking_id: &str,
    state: CallState,
    bytes: usize,
) -> LogEntry {
    let info = CallInfo {
        call: Some(CallRef { id: "main.1".to_owned(), tag: None }),
        tracking_id: tracking_id.to_owned(),
        state: state.into(),
        i_customer,
        i_account: Some(i_account),
        site: "x".repeat(bytes),
        ..CallInfo::default()
    };
    LogEntry {
        i_customer,
        i_accounts: vec![i_account],
        body: Some(Body::CallState(info)),
        ..LogEntry::default()
    }
}

fn matches(scope: &Scope, entry: &LogEntry) -> bool {
    match &scope.of {
        Some(Of::Everything(_)) => true,
        Some(Of::IReseller(i_reseller)) => entry.i_reseller == *i_reseller,
        Some(Of::ICustomer(i_customer)) => entry.i_customer == *i_customer,
        Some(Of::Account(account)) => entry.i_accounts.contains(&account.i_account),
        Some(Of::AccessNumber(it)) => entry.access_numbers.contains(&it.access_number),
        Some(Of::Queue(queue)) => entry.i_c_queues.contains(&queue.i_c_queue),
        None => false,
    }
}

/// One notifier.
#[derive(Clone, Debug)]
pub(crate) struct Notifier {
    name: &'static str,
    network: Network,
    log: Log,
    end: CancellationToken,
    run: Shared<CancellationToken>,
    is_silent: Arc<std::sync::atomic::AtomicBool>,
}

impl Notifier {
    pub(crate) fn start(
        name: &'static str,
        network: &Network,
        log: &Log,
        end: CancellationToken,
    ) -> Self {
        let notifier = Self {
            name,
            network: network.clone(),
            log: log.clone(),
            end,
            run: Shared::default(),
            is_silent: Arc::default(),
        };
        notifier.restart();
        notifier
    }

    /// Starts it again.
    pub(crate) fn restart(&self) {
        let run = self.end.child_token();
        *self.run.lock() = run.clone();
        let server = GrpcServer::new("notifier")
            .routes(Routes::new(NotifierServiceServer::new(self.clone())))
            .drain_timeout(Duration::ZERO);
        let listener = self.network.listen_memory(self.name);
        spawn(server.serve(listener, run));
    }

    /// Ends it, and what it streams, in the middle of whatever it does.
    pub(crate) fn kill(&self) {
        self.log.0.lock().streams.retain(|live| live.notifier != self.name);
        self.run.lock().cancel();
    }

    /// True while an edge has its live stream here.
    pub(crate) fn is_used(&self) -> bool {
        self.log.0.lock().streams.iter().any(|live| live.notifier == self.name)
    }

    /// Says nothing more, and takes nothing.
    pub(crate) fn silence(&self) {
        self.is_silent.store(true, std::sync::atomic::Ordering::Release);
        // The stream stays open and gets nothing.
        for live in &mut self.log.0.lock().streams {
            if live.notifier == self.name {
                live.scopes.clear();
            }
        }
    }

    fn is_silent(&self) -> bool {
        self.is_silent.load(std::sync::atomic::Ordering::Acquire)
    }

    fn ask(&self, id: usize, request: Ask) {
        let mut log = self.log.0.lock();
        let end = log.end();
        log.subscribes += usize::from(matches!(request, Ask::Subscribe(_)));
        let refused_token = log.refused_token.clone();
        let Some(live) = log.streams.get_mut(id) else { return };
        match request {
            Ask::Subscribe(subscribe) => {
                let scope_id = subscribe.scope_id;
                let is_refused = subscribe.scope.as_ref().is_some_and(
                    |scope| matches!(&scope.of, Some(Of::Queue(queue)) if queue.i_c_queue == 9),
                );
                let is_refused = is_refused || refused_token.as_ref() == Some(&subscribe.token);
                let say = if is_refused {
                    Say::Refused(Refused { scope_id, reason: "ACCESS_DENIED".to_owned() })
                } else {
                    live.scopes.insert(scope_id, subscribe.scope.unwrap());
                    Say::Subscribed(Subscribed { scope_id, places: vec![end] })
                };
                live.sender.try_send(Ok(LiveResponse { response: Some(say) })).ok();
            }
            Ask::Unsubscribe(unsubscribe) => {
                live.scopes.remove(&unsubscribe.scope_id);
            }
        }
    }
}

#[tonic::async_trait]
impl NotifierService for Notifier {
    type LiveStream = ReceiverStream<Result<LiveResponse, Status>>;
    type ReplayStream = BoxStream<'static, Result<ReplayResponse, Status>>;

    async fn live(
        &self,
        request: Request<Streaming<LiveRequest>>,
    ) -> Result<Response<Self::LiveStream>, Status> {
        let (sender, receiver) = mpsc::channel(10_000);
        let run = self.run.lock().clone();
        {
            let mut log = self.log.0.lock();
            // One edge has one stream: a former one is over.
            log.streams.clear();
            log.opened += 1;
            let live = Live { notifier: self.name, scopes: HashMap::new(), sender: sender.clone() };
            log.streams.push(live);
        }
        let mut requests = request.into_inner();
        let notifier = self.clone();
        spawn(run.clone().run_until_cancelled_owned(async move {
            let mut beat = interval(Duration::from_secs(1));
            loop {
                tokio::select! {
                    request = requests.message() => match request {
                        Ok(Some(request)) => notifier.ask(0, request.request.unwrap()),
                        _ => return,
                    },
                    _ = beat.tick() => {
                        if notifier.is_silent() {
                            continue;
                        }
                        let end = notifier.log.0.lock().end();
                        let beat = Beat { places: vec![end], store_reachable: true };
                        sender.try_send(Ok(LiveResponse { response: Some(Say::Beat(beat)) })).ok();
                    }
                }
            }
        }));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn replay(
        &self,
        request: Request<ReplayRequest>,
    ) -> Result<Response<Self::ReplayStream>, Status> {
        // Long enough for live events to come between.
        sleep(Duration::from_millis(20)).await;
        let request = request.into_inner();
        let scope = request.scope.unwrap();
        let (from, to) = (request.from.first().unwrap(), request.to.first().unwrap());
        let mut log = self.log.0.lock();
        log.replays += 1;
        if log.failing > 0 {
            log.failing -= 1;
            return Err(Status::unavailable("told to fail"));
        }
        let gap = |reason: &str| {
            let gap = Gap { place: Some(to.clone()), reason: reason.to_owned() };
            let response = ReplayResponse { response: Some(replay_response::Response::Gap(gap)) };
            Ok(Response::new(stream::iter([Ok(response)]).boxed()))
        };
        if from.epoch != to.epoch && !from.epoch.is_empty() || to.epoch != log.end().epoch {
            return gap("log_lost");
        }
        let begin = if from.epoch.is_empty() { 0 } else { from.sequence };
        if begin < log.trimmed {
            return gap("cursor_too_old");
        }
        let events: Vec<_> = log
            .entries
            .iter()
            .enumerate()
            .map(|(index, entry)| (index as u64 + 1, entry))
            .filter(|(sequence, entry)| {
                (begin + 1..=to.sequence).contains(sequence) && matches(&scope, entry)
            })
            .map(|(sequence, entry)| {
                let place = Some(log.place(sequence));
                let event = Event { place, scope_ids: Vec::new(), entry: Some(entry.clone()) };
                Ok(ReplayResponse { response: Some(replay_response::Response::Event(event)) })
            })
            .collect();
        Ok(Response::new(stream::iter(events).boxed()))
    }
    async fn explain(
        &self,
        _request: Request<ExplainRequest>,
    ) -> Result<Response<ExplainResponse>, Status> {
        Err(Status::unimplemented("no test asks"))
    }
}
