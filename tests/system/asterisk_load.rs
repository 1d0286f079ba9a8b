//! Many calls on a real Asterisk through the API, and what Cordboard adds to a bare request.

use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use mesh::testing::{eventually, ports};
use phones::Crowd;
use phones::agent::Settings;
use phones::asterisk::Running;
use serde_json::{Value, json};
use system_tests::process::Process;
use system_tests::{Client, http as web};
use tempfile::TempDir;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::asterisk_config::{installation, start, until_heard, write_config};

/// Calls that are up together.
const CALLS: usize = 200;
/// Time between two: 20 a second.
const BEAT: Duration = Duration::from_millis(50);
/// Bare requests, for comparison.
const BARE: usize = 100;
const PATIENCE: Duration = Duration::from_secs(30);

/// Cordboard on an Asterisk with the configuration that it writes, and two accounts that take any
/// number of calls.
struct Stage {
    up: Process,
    ari: SocketAddr,
    login: String,
    alice: Crowd,
    bob: Crowd,
    _asterisk: Running,
    _folder: TempDir,
    _stop: DropGuard,
}

async fn crowd(account: &str, tasks: &TaskTracker, stop: &CancellationToken) -> Crowd {
    let settings = Settings {
        user: account.to_owned(),
        credentials: None,
        address: IpAddr::from(Ipv4Addr::LOCALHOST),
        tasks: tasks.clone(),
        stop: stop.clone(),
    };
    Crowd::start(settings).await.unwrap()
}

impl Stage {
    /// `None` where the tests have been told to do without an Asterisk.
    async fn start() -> Option<Self> {
        let asterisk = installation()?;
        let folder = tempfile::tempdir().unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (alice, bob) = (crowd("101", &tasks, &stop).await, crowd("102", &tasks, &stop).await);

        let ari = ports::free_address();
        let sip = format!("127.0.0.1:{}", ports::free_udp());
        let first = ports::free_udp_range(1_000);
        let rtp = format!("{first}-{}", first + 999);
        let listen = ["--ari-listen", &ari.to_string(), "--sip-listen", &sip, "--rtp", &rtp];
        let written = write_config(folder.path(), &listen);
        assert!(written.status.success(), "{written:?}");
        let file = folder.path().join("etc/pjsip.conf");
        let mut pjsip = fs::read_to_string(&file).unwrap();
        for (account, port) in [alice.line(), bob.line()] {
            let aor = format!("[{account}]\ntype = aor\n");
            let contact = format!("{aor}contact = sip:{account}@127.0.0.1:{port}\n");
            assert!(pjsip.contains(&aor), "{pjsip}");
            pjsip = pjsip.replace(&aor, &contact);
        }
        fs::write(file, pjsip).unwrap();
        let running = start(&asterisk, folder.path());

        let file = folder.path().join("etc/ari-password");
        let password = fs::read_to_string(&file).unwrap();
        let set = format!("switch.asterisk.password_file={}", file.display());
        let url = format!("http://cordboard@{ari}");
        let args = ["up", "--ephemeral", "--switch", "asterisk", "--ari", &url, "--set", &set];
        let up = Process::start(&args.map(ToOwned::to_owned)).await;
        let stage = Self {
            up,
            ari,
            login: STANDARD.encode(format!("cordboard:{}", password.trim())),
            alice,
            bob,
            _asterisk: running,
            _folder: folder,
            _stop: stop.drop_guard(),
        };
        until_heard(stage.up.address("admin")).await;
        Some(stage)
    }

    /// Asks Asterisk itself.
    async fn ari(&self, method: Method, path: &str) -> Value {
        let login = format!("Basic {}", self.login);
        let (status, answer) =
            web::send_as(self.ari, method, &format!("/ari/{path}"), &login).await.unwrap();
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    /// The legs that Asterisk's channels say they are; `None` for a channel that is no leg, as there is while
    /// who hears whom settles.
    async fn legs(&self) -> Vec<Option<String>> {
        let channels = self.ari(Method::GET, "channels").await;
        let mut legs = Vec::new();
        for channel in channels.as_array().unwrap() {
            let is_leg = channel["name"].as_str().unwrap().starts_with("PJSIP/");
            legs.push(if is_leg {
                Some(self.leg(channel["id"].as_str().unwrap()).await)
            } else {
                None
            });
        }
        legs.sort();
        legs
    }

    async fn leg(&self, channel: &str) -> String {
        let path = format!("channels/{channel}/variable?variable=CORDBOARD_LABEL");
        let label = self.ari(Method::GET, &path).await["value"].as_str().unwrap().to_owned();
        // Application, call, leg, state.
        label.split(' ').nth(2).unwrap().to_owned()
    }

    async fn until_nothing_is_left(&self) {
        eventually(PATIENCE, "Asterisk has nothing left", || async {
            let left =
                [self.ari(Method::GET, "channels").await, self.ari(Method::GET, "bridges").await];
            if left == [json!([]), json!([])] { Ok(()) } else { Err(format!("{left:?}")) }
        })
        .await;
    }
}

/// Every leg of the list, page by page.
async fn listed(client: &mut Client) -> Vec<String> {
    let mut legs = Vec::new();
    loop {
        let page = json!({"limit": 100, "offset": legs.len()});
        let page = client.must("CallControl/get_sip_calls_list", page).await;
        let page = page["calls_list"].as_array().unwrap().clone();
        if page.is_empty() {
            legs.sort();
            return legs;
        }
        legs.extend(page.iter().map(|leg| leg["call"]["tag"].as_str().unwrap().to_owned()));
    }
}

struct Latency([Duration; 3]);

impl Latency {
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort();
        Self([50, 99, 100].map(|percent| all[(all.len() - 1) * percent / 100]))
    }

    /// From each question to the call that came of it, in order.
    fn between(asked: &[Instant], came: &[Instant]) -> Self {
        assert_eq!(asked.len(), came.len());
        Self::of(asked.iter().zip(came).map(|(asked, came)| came.duration_since(*asked)).collect())
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, most, longest] = self.0.map(|time| time.as_micros());
        write!(formatter, "p50 {median} us, p99 {most} us, longest {longest} us")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_calls_come_and_go_through_the_api_and_none_is_lost_or_left() {
    let Some(stage) = Stage::start().await else { return };
    let mut client = Client::subscribed(stage.up.address("public"), "101").await;
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Burst);

    let mut asked = Vec::new();
    for _ in 0..BARE {
        beat.tick().await;
        asked.push(Instant::now());
        stage.ari(Method::POST, "channels?endpoint=PJSIP/101&app=nobody&timeout=30").await;
    }
    stage.alice.until_came(BARE, PATIENCE).await.unwrap();
    let bare = Latency::between(&asked, &stage.alice.take_came());
    stage.alice.until_talks(0, PATIENCE).await.unwrap();

    let (mut calls, mut answered) = (Vec::new(), Vec::new());
    asked.clear();
    for _ in 0..CALLS {
        beat.tick().await;
        let began = Instant::now();
        let originate = json!({"account_id": "101", "destination": "102"});
        let call = client.must("CallControl/originate_call", originate).await;
        asked.push(began);
        answered.push(began.elapsed());
        calls.push(call["call"]["id"].as_str().unwrap().to_owned());
    }
    stage.alice.until_talks(CALLS, PATIENCE).await.unwrap();
    stage.bob.until_talks(CALLS, PATIENCE).await.unwrap();
    let originated = Latency::between(&asked, &stage.alice.take_came());
    let are_connected = |states: &[Value]| is_so_often(states, "connected", 2 * CALLS);
    let mut states = client.call_states_until(are_connected).await;
    let legs = listed(&mut client).await;
    assert_eq!(legs.len(), 2 * CALLS);
    eventually(PATIENCE, "Asterisk has the same legs", || async {
        let there = stage.legs().await;
        if there.iter().flatten().eq(&legs) && there.len() == legs.len() {
            Ok(())
        } else {
            Err(format!("{} of {}", there.len(), legs.len()))
        }
    })
    .await;

    for call in &calls {
        beat.tick().await;
        client.must("CallControl/terminate_call", json!({"call": {"id": call}})).await;
    }
    states.extend(client.until_over(2 * CALLS).await);
    stage.alice.until_talks(0, PATIENCE).await.unwrap();
    stage.bob.until_talks(0, PATIENCE).await.unwrap();
    stage.until_nothing_is_left().await;
    assert!(listed(&mut client).await.is_empty());
    for call in &calls {
        let of_call: Vec<_> = states.iter().filter(|info| info["call"]["id"] == **call).collect();
        let numbers: Vec<_> = of_call.iter().map(|info| info["sequence"].as_u64()).collect();
        let expected: Vec<_> = (1..).map(Some).take(numbers.len()).collect();
        assert_eq!(numbers, expected, "the events of {call}");
    }

    println!("bare originate to INVITE: {bare}");
    println!("originate_call to INVITE: {originated}");
    println!("originate_call to its answer: {}", Latency::of(answered));
    let added = originated.0[0].saturating_sub(bare.0[0]);
    println!("added at the median: {} us", added.as_micros());
}

fn is_so_often(states: &[Value], state: &str, times: usize) -> bool {
    states.iter().filter(|info| info["state"] == state).count() == times
}
