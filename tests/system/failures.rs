//! Services die one at a time under a stream of calls.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use mesh::testing::eventually;
use serde_json::{Value, json};
use system_tests::{Client, Mesh};
use tokio::time::Instant;

/// A subscriber that reconnects and resumes whenever its connection ends, as the contract says.
struct Follower {
    public: SocketAddr,
    client: Option<Client>,
    cursor: Option<Value>,
    /// Each call's events by sequence: the state told.
    calls: BTreeMap<String, BTreeMap<u64, (String, String)>>,
    gaps: usize,
}

impl Follower {
    async fn new(public: SocketAddr) -> Self {
        let mut follower =
            Self { public, client: None, cursor: None, calls: BTreeMap::new(), gaps: 0 };
        follower.connect(Instant::now() + Duration::from_secs(20)).await;
        follower
    }

    async fn connect(&mut self, deadline: Instant) {
        let patience = deadline.saturating_duration_since(Instant::now());
        let client = eventually(patience, "the API comes back", async || {
            self.try_connect().await.map_err(|error| error.to_string())
        });
        self.client = Some(client.await);
    }

    async fn try_connect(&mut self) -> anyhow::Result<Client> {
        let mut client = Client::connect(self.public).await?;
        let login = json!({"login": "easymobile", "password": "cordboard"});
        client.call("Session/login", login).await?.map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
        let params = self.cursor.as_ref().map_or_else(|| json!({}), |c| json!({"resume_from": c}));
        let enabled = client.call("CallControl/enable_api_notifications", params).await?;
        let enabled = enabled.map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
        self.cursor.get_or_insert(enabled["cursor"].clone());
        Ok(client)
    }

    /// Takes events until `is_enough`, through any number of reconnects.
    async fn follow(&mut self, mut is_enough: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while !is_enough(self) {
            assert!(Instant::now() < deadline, "events are missing: {:?}", self.open_calls());
            let Some(client) = &mut self.client else {
                self.connect(deadline).await;
                continue;
            };
            match client.try_event(Instant::now() + Duration::from_secs(2)).await {
                Ok(Some((method, params))) => self.take(&method, &params),
                Ok(None) => self.client = None,
                Err(_) => {}
            }
        }
    }

    fn take(&mut self, method: &str, params: &Value) {
        if let Some(id) = params.get("event_id") {
            self.cursor = Some(id.clone());
        }
        self.gaps += usize::from(method == "CallControl/notifications_gap");
        let info = &params["call_info"];
        let Some(call) = info["call"]["id"].as_str() else { return };
        let sequence = info["sequence"].as_u64().unwrap_or_default();
        let told = (info["call"]["tag"].to_string(), info["state"].to_string());
        let before = self.calls.entry(call.to_owned()).or_default().insert(sequence, told.clone());
        assert!(before.is_none_or(|before| before == told), "event {sequence} of {call} changed");
    }

    /// Calls whose events have a hole or whose legs have not all ended.
    fn open_calls(&self) -> Vec<&String> {
        self.calls.iter().filter(|(_, events)| !is_whole(events)).map(|(call, _)| call).collect()
    }
}

/// True when no event is missing and each leg ended once.
fn is_whole(events: &BTreeMap<u64, (String, String)>) -> bool {
    let tags: std::collections::BTreeSet<_> = events.values().map(|(tag, _)| tag).collect();
    let ended = events.values().filter(|(_, state)| state == "\"terminated\"").count();
    events.keys().copied().eq(1..=events.len() as u64) && ended == tags.len()
}

/// Makes calls from phones, which need no API, and ends them.
async fn stream_of_calls(mesh: &Mesh, count: usize) -> Vec<String> {
    let sim = mesh.sim();
    let mut calls = Vec::new();
    for _ in 0..count {
        let dialled = sim.dial("101", "102").await;
        calls.push(dialled["call_id"].as_str().unwrap_or_default().to_owned());
        sim.hand("101", "hangup").await;
    }
    calls
}

async fn survives_the_death_of(service: &'static str) {
    let mut mesh = Mesh::start().await;
    mesh.sim().at_once("102").await;
    mesh.sim().at_once("103").await;
    let mut follower = Follower::new(mesh.public()).await;
    let lasting = mesh.sim().dial("104", "103").await;
    let mut calls = stream_of_calls(&mesh, 10).await;

    mesh.kill(service);
    if service != "auth" {
        // A phone's call needs the directory.
        calls.extend(stream_of_calls(&mesh, 10).await);
    }
    mesh.start_service(service).await;
    calls.extend(stream_of_calls(&mesh, 10).await);

    let all = calls.clone();
    follower
        .follow(|follower| all.iter().all(|call| follower.calls.get(call).is_some_and(is_whole)))
        .await;
    assert_eq!(follower.gaps, 0, "nothing was lost, so there is no gap");
    let lasting_call = lasting["call_id"].as_str().unwrap();
    let states: Vec<_> =
        follower.calls[lasting_call].values().map(|(_, state)| state.clone()).collect();
    assert!(!states.contains(&"\"terminated\"".to_owned()), "a call on the switch ended");
    assert_eq!(mesh.sim().hears("103").await, json!(["104"]));
    let mut client = Client::subscribed(mesh.public(), "easymobile").await;
    client.must("CallControl/terminate_call", json!({"call": {"id": lasting_call}})).await;
}

#[tokio::test]
async fn the_edge_may_die() {
    survives_the_death_of("edge").await;
}

#[tokio::test]
async fn the_notifier_may_die() {
    survives_the_death_of("notifier").await;
}

#[tokio::test]
async fn callcontrol_may_die() {
    survives_the_death_of("callcontrol").await;
}

#[tokio::test]
async fn auth_may_die() {
    survives_the_death_of("auth").await;
}

#[tokio::test]
async fn a_frozen_engine_that_wakes_after_its_lease_writes_nothing_more() {
    let mesh = Mesh::start_with(&["switch.lease=2s"]).await;
    mesh.sim().at_once("102").await;
    let mut follower = Follower::new(mesh.public()).await;
    let dialled = mesh.sim().dial("101", "102").await;
    let call = dialled["call_id"].as_str().unwrap().to_owned();
    follower.follow(|f| f.calls.get(&call).is_some_and(|events| events.len() == 6)).await;

    mesh.service("switch").signal("STOP");
    follower.follow(|f| f.calls.get(&call).is_some_and(is_whole)).await;
    mesh.service("switch").signal("CONT");

    // It wakes, finds itself fenced, hangs up what it has, and takes calls under a new epoch.
    eventually(Duration::from_secs(20), "the fenced engine hangs its legs up", async || {
        let phone = mesh.sim().phone("102").await;
        if phone["state"] == "idle" { Ok(()) } else { Err(phone.to_string()) }
    })
    .await;
    let later = stream_of_calls(&mesh, 1).await;
    follower.follow(|f| f.calls.get(&later[0]).is_some_and(is_whole)).await;
    let events = &follower.calls[&call];
    let ended = events.values().filter(|(_, state)| state == "\"terminated\"").count();
    assert_eq!((events.len(), ended), (8, 2), "{events:?}");
    assert_eq!(follower.gaps, 0);
}
