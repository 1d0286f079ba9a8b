//! Every service is restarted, one after another, under a steady stream of calls and five hundred
//! subscribed sockets: no call is lost and no event.
//!
//! Clients do what the contract says: a socket that is closed with 1001 comes back after the time
//! that it is told, on whichever edge takes it, and resumes after its last event; a command that
//! was not answered, or is `retryable`, is sent again with its `request_id`. A switch node lets its
//! calls end, while the other node takes the customers that have none.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use mesh::testing::eventually;
use serde_json::{Value, json};
use system_tests::{Client, Mesh};
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::task::TaskTracker;

const SOCKETS: usize = 500;

/// Who makes calls, and the pause between a call's end and the next call.
const CALLERS: usize = 2;
/// Calls between the restarts of the two switch nodes.
const CALLS_BETWEEN: usize = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// The restarts take well under a minute on a machine that does nothing else.
const PATIENCE: Duration = Duration::from_secs(90);

/// Everything that is restarted, in the order of an upgrade.
const ROLL_OUT: [&str; 11] = [
    "auth",
    "notifier",
    "notifier-2",
    "callcontrol",
    "callcontrol-2",
    "conference",
    "conference-2",
    "edge",
    "edge-2",
    "switch",
    "switch-2",
];

/// The edges as a load balancer in front of them: the next one that takes the connection.
#[derive(Clone)]
struct Edges {
    addresses: [SocketAddr; 2],
    token: Arc<str>,
}

impl Edges {
    /// An authenticated client, on edge `first` if it is there, else on the other.
    async fn connect(&self, first: usize) -> Client {
        let deadline = Instant::now() + PATIENCE;
        let mut turn = first;
        loop {
            let address = self.addresses[turn % 2];
            if let Ok(mut client) = Client::connect(address).await {
                let params = json!({"access_token": &*self.token});
                if let Ok(Ok(_)) = client.call("Session/authenticate", params).await {
                    return client;
                }
            }
            assert!(Instant::now() < deadline, "no edge takes a client");
            turn += 1;
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// What one subscribed socket has seen.
struct Subscriber {
    edges: Edges,
    number: usize,
    cursor: Value,
    events: Vec<String>,
    gaps: usize,
    reconnects: usize,
}

impl Subscriber {
    async fn subscribe(&mut self, client: &mut Client, resume: bool) -> anyhow::Result<()> {
        let params = if resume { json!({"resume_from": self.cursor}) } else { json!({}) };
        let enabled = client.call("CallControl/enable_api_notifications", params).await?;
        let mut enabled = enabled.map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
        if !resume {
            self.cursor = enabled["cursor"].take();
        }
        Ok(())
    }

    async fn begin(edges: Edges, number: usize) -> (Self, Client) {
        let mut client = edges.connect(number).await;
        let cursor = Value::Null;
        let (events, gaps, reconnects) = (Vec::new(), 0, 0);
        let mut subscriber = Self { edges, number, cursor, events, gaps, reconnects };
        subscriber.subscribe(&mut client, false).await.expect("it subscribes");
        (subscriber, client)
    }

    /// Takes events until it has `wanted`, which is 0 while nobody knows how many there are.
    async fn follow(mut self, mut client: Client, wanted: Arc<AtomicUsize>) -> Self {
        loop {
            let is_enough = wanted.load(Ordering::Acquire);
            if is_enough > 0 && self.events.len() >= is_enough {
                return self;
            }
            let next = tokio::time::timeout(Duration::from_millis(500), client.next_message());
            let Ok(message) = next.await else { continue };
            let told = match message {
                Some(Message::Text(text)) => {
                    self.take(&text);
                    continue;
                }
                Some(Message::Close(Some(frame))) => frame.reason.to_string(),
                Some(Message::Close(None)) | None => String::new(),
                Some(_) => continue,
            };
            let wait = told.strip_prefix("reconnect_after_ms=").and_then(|ms| ms.parse().ok());
            sleep(Duration::from_millis(wait.unwrap_or(100))).await;
            self.reconnects += 1;
            client = self.come_back().await;
        }
    }

    async fn come_back(&mut self) -> Client {
        loop {
            let mut client = self.edges.connect(self.number + self.reconnects).await;
            // No event comes before the answer.
            if self.subscribe(&mut client, true).await.is_ok() {
                return client;
            }
        }
    }

    /// Takes a frame; five hundred sockets have no time for more than its `event_id`.
    fn take(&mut self, text: &str) {
        self.gaps += usize::from(text.contains("notifications_gap"));
        let id = text.split_once("\"event_id\":\"").and_then(|(_, rest)| rest.split_once('"'));
        if let Some((id, _)) = id {
            self.cursor = json!(id);
            self.events.push(id.to_owned());
        }
    }
}

/// Makes calls until told to stop, each ended before the next; gives their ids.
async fn make_calls(
    edges: Edges,
    number: usize,
    stop: Arc<AtomicBool>,
    made: Arc<AtomicUsize>,
) -> Vec<String> {
    let mut client = edges.connect(number).await;
    let mut calls = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let params = json!({"account_id": "101", "destination": "102",
            "request_id": format!("begin-{number}-{}", calls.len())});
        let begun = command(&edges, &mut client, "CallControl/originate_call", params).await;
        let id = begun["call"]["id"].as_str().expect("a call").to_owned();
        let params = json!({"call": {"id": id},
            "request_id": format!("end-{number}-{}", calls.len())});
        command(&edges, &mut client, "CallControl/terminate_call", params).await;
        calls.push(id);
        made.fetch_add(1, Ordering::AcqRel);
        sleep(PAUSE).await;
    }
    calls
}

/// Sends a command again, with the same `request_id`, until it is answered for good.
async fn command(edges: &Edges, client: &mut Client, method: &str, params: Value) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match client.call(method, params.clone()).await {
            Ok(Ok(result)) => return result,
            Ok(Err(fault)) => {
                let is_retryable = fault.0["data"]["retryable"] == json!(true);
                assert!(is_retryable && Instant::now() < deadline, "{method}: {fault:?}");
                sleep(Duration::from_millis(100)).await;
            }
            Err(_) => *client = edges.connect(calls_turn()).await,
        }
    }
}

/// Another edge each time.
fn calls_turn() -> usize {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    TURN.fetch_add(1, Ordering::Relaxed)
}

/// The log itself: how many events the store has.
async fn written(mesh: &Mesh) -> usize {
    let mut connection = mesh.redis.connection().await;
    let keys: Vec<String> =
        redis::cmd("KEYS").arg("*:events").query_async(&mut connection).await.unwrap();
    let mut count = 0;
    for key in keys {
        let length: usize = redis::cmd("XLEN").arg(key).query_async(&mut connection).await.unwrap();
        count += length;
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roll_out_of_every_service_loses_no_call_and_no_event() {
    // All sockets are of one session here.
    let sets = [
        "edge.max_connections_per_user=1000",
        "edge.requests_per_second=5000",
        "edge.request_burst=5000",
        "edge.reconnect_spread=2s",
        "switch.drain_calls=20s",
    ];
    let mut mesh = Mesh::start_pairs(&sets).await;
    for node in ["switch", "switch-2"] {
        mesh.sim_of(node).at_once("101").await;
        mesh.sim_of(node).at_once("102").await;
    }
    let mut first = Client::connect(mesh.public()).await.unwrap();
    let login = json!({"login": "easymobile", "password": "cordboard"});
    let token = first.must("Session/login", login).await["access_token"].clone();
    let edges = Edges {
        addresses: [mesh.public(), mesh.address("edge-2")],
        token: token.as_str().unwrap().into(),
    };
    let subscribing = (0..SOCKETS).map(|number| Subscriber::begin(edges.clone(), number));
    let subscribed = join_all(subscribing).await;
    let beginning = subscribed[0].0.cursor.clone();
    let wanted = Arc::new(AtomicUsize::new(0));
    let tasks = TaskTracker::new();
    let following: Vec<_> = subscribed
        .into_iter()
        .map(|(subscriber, client)| tasks.spawn(subscriber.follow(client, Arc::clone(&wanted))))
        .collect();
    let stop = Arc::new(AtomicBool::new(false));
    let made = Arc::new(AtomicUsize::new(0));
    let make_calls =
        |number| make_calls(edges.clone(), number, Arc::clone(&stop), Arc::clone(&made));
    let calling: Vec<_> = (0..CALLERS).map(|number| tasks.spawn(make_calls(number))).collect();

    for instance in ROLL_OUT {
        assert!(mesh.restart(instance).await, "{instance} did not end well");
        if instance == "switch" {
            // As in any roll-out, the next goes when everybody knows that this one is back.
            let made_before = made.load(Ordering::Acquire);
            eventually(PATIENCE, "calls go on", || async {
                let since = made.load(Ordering::Acquire) - made_before;
                if since >= CALLS_BETWEEN { Ok(()) } else { Err(since.to_string()) }
            })
            .await;
        }
    }
    stop.store(true, Ordering::Release);
    let calls: Vec<String> =
        join_all(calling).await.into_iter().flat_map(|calls| calls.unwrap()).collect();

    // Every call that was asked for was made once, and ended by whoever asked.
    let mut reader = edges.connect(0).await;
    let params = json!({"resume_from": beginning});
    reader.must("CallControl/enable_api_notifications", params).await;
    let (mut log, mut ended, mut reasons) = (Vec::new(), 0, BTreeSet::new());
    let mut told = BTreeSet::new();
    while ended < calls.len() * 2 || log.len() < written(&mesh).await {
        let (method, params) = reader.event().await;
        log.push(params["event_id"].as_str().expect("an event, and no gap").to_owned());
        if method != "CallControl/call_state" {
            continue;
        }
        let info = &params["call_info"];
        told.insert(info["call"]["id"].as_str().unwrap().to_owned());
        if info["state"] == "terminated" {
            ended += 1;
            reasons.insert(info["reason"].as_str().unwrap().to_owned());
        }
    }
    assert!(calls.len() >= 10, "only {} calls", calls.len());
    assert_eq!(told, calls.iter().cloned().collect::<BTreeSet<_>>());
    assert!(!reasons.contains("Switch Lost"), "{reasons:?}");
    let nodes: BTreeSet<_> = calls.iter().filter_map(|id| id.split_once('.')).collect();
    let nodes: BTreeSet<_> = nodes.into_iter().map(|(node, _)| node).collect();
    assert_eq!(nodes.len(), 2, "the customer has gone from node to node");
    assert_eq!(log.len(), written(&mesh).await);

    // Every socket has the whole log, each event once and in its order.
    wanted.store(log.len(), Ordering::Release);
    let left: Vec<_> = following.iter().filter(|it| !it.is_finished()).collect();
    eventually(PATIENCE, "every socket has every event", || async {
        let missing = left.iter().filter(|it| !it.is_finished()).count();
        if missing == 0 { Ok(()) } else { Err(format!("{missing} sockets miss events")) }
    })
    .await;
    let mut reconnects = 0;
    for subscriber in join_all(following).await {
        let Subscriber { events, gaps, number, reconnects: own, .. } = subscriber.unwrap();
        assert_eq!(gaps, 0, "socket {number} was told of a gap");
        assert!(events == log, "socket {number} has other events than the log");
        reconnects += own;
    }
    assert!(reconnects >= SOCKETS, "every socket was closed once at least: {reconnects}");
}
