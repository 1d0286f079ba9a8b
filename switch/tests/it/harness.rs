//! One switch node with everything around it, in memory.

mod auth;
mod http;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ::http::{Method, StatusCode};
use bytes::Bytes;
use mesh::Clock;
use mesh::client::Pool;
use mesh::health::Readiness;
use mesh::ledger::memory::{MemoryConfig, MemoryLedger};
use mesh::ledger::{Ledger as _, LogRead, ReadFrom, partition_of};
use mesh::net::{Network, Target};
use mesh::testing::eventually;
use prost::Message as _;
use proto::call::v1::{CallInfo, CallRef, State};
use proto::options::v1::Realm;
use proto::switch::v1::command_request::Command;
use proto::switch::v1::command_response::Outcome;
use proto::switch::v1::{
    Caller, CommandRequest, CommandResponse, Done, Fault, GetCall, HoldCall, LogEntry,
    OriginateCall, TerminateCall, log_entry,
};
use serde_json::{Value, json};
use switch::{Config, Deps};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use auth::{ACCESS_NUMBER, account};

pub(crate) const NODE: &str = "main-0";
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const PARTITIONS: u32 = 4;

/// The customer of accounts 101 to 105.
pub(crate) const I_CUSTOMER: i64 = 1;

/// What stays when a node goes: the store, the network, the directory.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) clock: Clock,
    pub(crate) network: Network,
    pub(crate) tasks: TaskTracker,
    stop: CancellationToken,
    commands: Arc<AtomicU32>,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = Clock::system();
        let memory = MemoryConfig { partitions: PARTITIONS, ..MemoryConfig::default() };
        let world = Self {
            ledger: Arc::new(MemoryLedger::new(clock.clone(), memory)),
            clock,
            network: Network::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            commands: Arc::default(),
        };
        auth::start(&world.network, &world.tasks, &world.stop);
        world
    }

    /// A node that has joined.
    pub(crate) async fn node(&self) -> Node {
        let node = self.node_that_may_not_join(Config::default());
        node.has_joined().await;
        node
    }

    pub(crate) fn node_that_may_not_join(&self, config: Config) -> Node {
        let mut config = Config { node: NODE.to_owned(), ..config };
        config.sim.speed = 0.0;
        let stop = CancellationToken::new();
        let target = vec![Target::Memory("auth".to_owned())];
        let auth =
            Pool::new("auth", target, self.network.clone(), self.tasks.clone(), self.stop.clone());
        let readiness = Readiness::new();
        let deps = Deps {
            ledger: Arc::<MemoryLedger>::clone(&self.ledger),
            auth,
            clock: self.clock.clone(),
            readiness: readiness.clone(),
            sim_control: Some(self.network.listen_memory("sim")),
            crash: None,
        };
        let listener = self.network.listen_memory("switch");
        let serving = switch::serve(config, deps, listener, stop.clone());
        let served = self.tasks.spawn(async move { serving.await.unwrap() });
        Node { world: self.clone(), readiness, stop, served }
    }

    fn partition() -> u32 {
        partition_of(I_CUSTOMER, PARTITIONS)
    }

    /// The call states of the customer in the present log, oldest first.
    pub(crate) async fn log(&self) -> Vec<CallInfo> {
        let read = self.ledger.read_log(Self::partition(), &ReadFrom::Oldest, 9999, Duration::ZERO);
        let LogRead::Entries(chunk) = read.await.unwrap() else { panic!("no oldest") };
        let entries = chunk.entries.into_iter().map(|(_, bytes)| LogEntry::decode(bytes).unwrap());
        let mine = entries.filter(|entry| entry.i_customer == I_CUSTOMER);
        let states = mine.filter_map(|entry| match entry.body {
            Some(log_entry::Body::CallState(info)) => Some(info),
            _ => None,
        });
        states.collect()
    }

    /// Each leg of a call in the log, as a row of the contract's table.
    pub(crate) async fn rows(&self, call_id: &str) -> Vec<String> {
        let mut tags: Vec<String> = Vec::new();
        let mut legs: BTreeMap<String, Vec<CallInfo>> = BTreeMap::new();
        for info in self.log().await {
            let call = info.call.clone().unwrap();
            if call.id != call_id {
                continue;
            }
            let tag = call.tag.unwrap();
            if !tags.contains(&tag) {
                tags.push(tag.clone());
            }
            legs.entry(tag).or_default().push(info);
        }
        tags.iter().map(|tag| row(&legs[tag])).collect()
    }

    /// Waits until the log tells a call so.
    pub(crate) async fn rows_are(&self, call_id: &str, expected: &[&str]) {
        eventually(PATIENCE, "the rows", || async {
            let rows = self.rows(call_id).await;
            if rows == expected { Ok(()) } else { Err(format!("{rows:#?}")) }
        })
        .await;
        self.sequence_is_sound(call_id).await;
    }

    /// The events of a call are counted from 1 without a hole.
    async fn sequence_is_sound(&self, call_id: &str) {
        let log = self.log().await;
        let of_call = log.iter().filter(|info| info.call.as_ref().unwrap().id == call_id);
        let sequences: Vec<_> = of_call.map(|info| info.sequence).collect();
        let expected: Vec<_> = (1..=i64::try_from(sequences.len()).unwrap()).collect();
        assert_eq!(sequences, expected);
    }

    /// Records of living legs in the store.
    pub(crate) async fn records(&self) -> u64 {
        self.ledger.page(Self::partition(), "all", 0, 999).await.unwrap().total
    }

    /// The epoch of the node's lease, unless it has none.
    pub(crate) async fn lease(&self) -> Option<u64> {
        let leases = self.ledger.leases().await.unwrap();
        leases.into_iter().find(|lease| lease.node == NODE).map(|lease| lease.epoch)
    }

    /// Declares the node lost, as a sweeper does.
    pub(crate) async fn sweep(&self) {
        let epoch = self.lease().await.unwrap();
        let ledger = self.ledger.as_ref();
        match mesh::sweep::end_calls_of_lost(ledger, NODE, epoch, &self.clock).await {
            // Come back already, the node ends itself what is left.
            Ok(_) | Err(mesh::sweep::SweepError::CameBack) => {}
            Err(error) => panic!("{error}"),
        }
        ledger.remove_lease(NODE, epoch).await.unwrap();
    }
}

fn row(states: &[CallInfo]) -> String {
    let last = states.last().unwrap();
    let party = |party: &Option<proto::call::v1::Party>| party.clone().unwrap().number;
    let leg = last.i_account.map_or_else(|| "trunk".to_owned(), |account| account.to_string());
    let states = states.iter().map(|info| mesh::calls_index::state_name(info.state()));
    let end = last.reason.as_ref().zip(last.reason_code);
    let end = end.map(|(text, code)| format!(" ({code} {text})")).unwrap_or_default();
    let kind = match last.r#type() {
        proto::call::v1::Type::Incoming => "incoming",
        _ => "outgoing",
    };
    format!(
        "{leg} | {} → {} | {kind} | {} | {}{end}",
        party(&last.caller),
        party(&last.callee),
        last.is_external_call,
        states.collect::<Vec<_>>().join(" ")
    )
}

/// A running node.
pub(crate) struct Node {
    pub(crate) world: World,
    pub(crate) readiness: Readiness,
    pub(crate) stop: CancellationToken,
    served: tokio::task::JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Node {
    pub(crate) async fn has_joined(&self) {
        eventually(PATIENCE, "the node has joined", || async {
            match self.readiness.state_of("switch.store") {
                Some(mesh::health::State::Ready) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stopped(mut self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, &mut self.served).await.expect("it stops").unwrap();
    }

    /// The process dies.
    pub(crate) async fn dies(mut self) {
        self.served.abort();
        drop((&mut self.served).await);
    }

    pub(crate) fn envelope(&self, command: Command) -> CommandRequest {
        let number = self.world.commands.fetch_add(1, Ordering::Relaxed);
        let deadline = self.world.clock.now().plus(Duration::from_secs(5));
        CommandRequest {
            command_id: format!("command-{number}"),
            deadline_us: deadline.as_micros(),
            caller: Some(Caller {
                realm: Realm::Customer.into(),
                i_customer: I_CUSTOMER,
                login: "easymobile".to_owned(),
                method: "CallControl/method".to_owned(),
                ..Caller::default()
            }),
            command: Some(command),
            ..CommandRequest::default()
        }
    }

    pub(crate) fn originate_of(&self, from: &str, to: &str) -> CommandRequest {
        let number = self.world.commands.fetch_add(1, Ordering::Relaxed);
        let originate = OriginateCall {
            call_id: format!("{NODE}.call-{number}"),
            account: account(from),
            destination: to.to_owned(),
            timeout_seconds: 60,
            ..OriginateCall::default()
        };
        self.envelope(Command::OriginateCall(originate))
    }

    /// Sends an envelope.
    pub(crate) async fn send(&self, request: &CommandRequest) -> Result<Done, Fault> {
        let body = request.encode_to_vec();
        let (status, body) = self.post("/v1/command", body).await.unwrap();
        assert_eq!(status, StatusCode::OK);
        match CommandResponse::decode(body).unwrap().outcome.unwrap() {
            Outcome::Done(done) => Ok(done),
            Outcome::Fault(fault) => Err(fault),
        }
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<(StatusCode, Bytes), String> {
        self.request("switch", Method::POST, path, body).await
    }

    pub(crate) async fn request(
        &self,
        to: &str,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<(StatusCode, Bytes), String> {
        http::send(&self.world.network, &self.world.tasks, to, method, path, body).await
    }

    pub(crate) async fn command(&self, command: Command) -> Result<Done, Fault> {
        self.send(&self.envelope(command)).await
    }

    /// Starts a call; gives its id.
    pub(crate) async fn originate(&self, from: &str, to: &str) -> String {
        let done = self.send(&self.originate_of(from, to)).await.unwrap();
        done.legs[0].call.clone().unwrap().id
    }

    pub(crate) async fn hold(&self, call_id: &str) -> Result<Done, Fault> {
        self.command(Command::HoldCall(HoldCall { call: Some(named(call_id)) })).await
    }

    pub(crate) async fn get(&self, call_id: &str) -> Result<Done, Fault> {
        self.command(Command::GetCall(GetCall { call: Some(named(call_id)) })).await
    }

    pub(crate) async fn terminate(&self, call_id: &str) -> Result<Done, Fault> {
        let terminate = TerminateCall { call: Some(named(call_id)), reason_code: None };
        self.command(Command::TerminateCall(terminate)).await
    }

    /// Two accounts talk.
    pub(crate) async fn talking(&self) -> String {
        let call_id = self.originate("101", "102").await;
        eventually(PATIENCE, "they talk", || async {
            let legs = self.get(&call_id).await.map_err(|fault| fault.reason)?.legs;
            let states: Vec<_> = legs.iter().map(CallInfo::state).collect();
            let talk = [State::Connected, State::Connected];
            if states == talk { Ok(()) } else { Err(format!("{states:?}")) }
        })
        .await;
        call_id
    }

    /// The simulator's control port.
    pub(crate) async fn sim(&self, method: Method, path: &str, body: Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = self.request("sim", method, path, body).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{path}: {answer:?}");
        serde_json::from_slice(&answer).unwrap()
    }

    pub(crate) async fn hears(&self, account_id: &str) -> Value {
        let phone = self.sim(Method::GET, &format!("/sim/phones/{account_id}"), Value::Null).await;
        phone["hears"].clone()
    }

    pub(crate) async fn behave(&self, account_id: &str, behaviour: &str) {
        let body = json!({ "behaviour": behaviour });
        self.sim(Method::PUT, &format!("/sim/phones/{account_id}"), body).await;
    }

    /// A person's hand on a phone.
    pub(crate) async fn hand(&self, account_id: &str, hand: &str) {
        self.sim(Method::POST, &format!("/sim/phones/{account_id}/{hand}"), json!({})).await;
    }

    /// An account's phone dials; gives the call's id.
    pub(crate) async fn dial(&self, account_id: &str, to: &str) -> String {
        let path = format!("/sim/phones/{account_id}/dial");
        let dialled = self.sim(Method::POST, &path, json!({ "destination": to })).await;
        dialled["call_id"].as_str().unwrap().to_owned()
    }

    /// Nobody is on the phone.
    pub(crate) async fn phone_is_idle(&self, account_id: &str) {
        eventually(PATIENCE, "the phone is idle", || async {
            let path = format!("/sim/phones/{account_id}");
            let phone = self.sim(Method::GET, &path, Value::Null).await;
            if phone["state"] == "idle" { Ok(()) } else { Err(phone.to_string()) }
        })
        .await;
    }
}

pub(crate) fn named(call_id: &str) -> CallRef {
    CallRef { id: call_id.to_owned(), tag: None }
}
