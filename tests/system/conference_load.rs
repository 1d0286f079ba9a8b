//! What commands of conferences take while a node has a thousand of them: a measurement, which only a quiet machine
//! and a release build can make, so it runs when it is asked for:
//!
//! `cargo build --release -p cordboard && cargo nextest run --release -p system-tests conference_load --run-ignored only
//! --no-capture`
//!
//! That no command does more for it is counted in the tests of `switch`; here it is timed, through the API, with a Redis.

use std::process::Command;
use std::time::Duration;

use mesh::testing::eventually;
use mesh::testing::redis::RedisServer;
use serde_json::{Value, json};
use system_tests::{Client, Up};
use tempfile::TempDir;
use tokio::time::Instant;

const CONFERENCES: usize = 1_000;
const LARGE: usize = 200;
/// By how much a median may differ from one moment to another on one machine.
const TOLERANCE: f64 = 1.35;
const PATIENCE: Duration = Duration::from_secs(20);

/// A node, its store, and a wallboard of the customer that has all conferences.
struct Bench {
    up: Up,
    client: Client,
    _redis: RedisServer,
    _folder: TempDir,
}

/// Times of commands of one kind.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let index = ((sorted.len() - 1) as f64 * share).round() as usize;
        sorted[index].as_secs_f64() * 1_000.0
    }

    fn row(&self, what: &str) {
        let (median, high) = (self.quantile(0.5), self.quantile(0.99));
        println!("| {what} | {} | {median:.2} | {high:.2} |", self.0.len());
    }
}

impl Bench {
    async fn start() -> Self {
        let (redis, folder) = (RedisServer::start().await, TempDir::new().unwrap());
        let database = format!("sqlite://{}", folder.path().join("directory.db").display());
        let directory = folder.path().join("rich.toml");
        // Everything has its price, and four thousand legs need more credit than the demo has.
        let rich = |line: &str| {
            let is_limit = line.starts_with("credit_limit");
            format!("{}\n", if is_limit { "credit_limit = \"1000000.00\"" } else { line })
        };
        let rich: String = include_str!("../../cordboard/demo.toml").lines().map(rich).collect();
        std::fs::write(&directory, rich).unwrap();
        let import = Command::new(system_tests::process::program())
            .args(["admin", "import"])
            .arg(&directory)
            .args(["--database", &database])
            .status();
        assert!(import.unwrap().success(), "the directory is imported");
        let up = Up::start_with(&[
            "--sim-speed",
            "0",
            "--pstn-answer-ms",
            "0",
            "--redis",
            &redis.url(),
            "--database",
            &database,
            "--set",
            "edge.requests_per_second=100000",
            "--set",
            "edge.request_burst=100000",
        ])
        .await;
        up.sim.at_once("101").await;
        let client = Client::log_in(up.public, "easymobile").await;
        Self { up, client, _redis: redis, _folder: folder }
    }

    async fn timed(&mut self, times: &mut Times, method: &str, params: Value) -> Value {
        let before = Instant::now();
        let answer = self.client.must(&format!("OnSpotConference/{method}"), params).await;
        times.0.push(before.elapsed());
        answer
    }

    /// Peter calls Alice, and a conference is made of it.
    async fn create(&mut self, times: &mut Times) -> Value {
        let placed = self.up.sim.trunk_call("12065550100", "101", "Peter").await;
        eventually(PATIENCE, "Alice is on the line", || async {
            let leg = self.up.sim.leg(placed["leg"].as_str().unwrap()).await;
            if leg["hears"] == json!(["101"]) { Ok(()) } else { Err(leg.to_string()) }
        })
        .await;
        let call = json!({"id": placed["call_id"]});
        let params = json!({"call": call, "name": "Sales", "owner_account_id": "101"});
        let created = self.timed(times, "create_on_spot_conference", params).await;
        created["conference"]["i_conference"].clone()
    }

    /// Somebody from outside is called in; gives the participant.
    async fn add(&mut self, times: &mut Times, id: &Value, number: usize) -> Value {
        let params = json!({"i_conference": id, "destination": format!("120655{number:05}")});
        let added = self.timed(times, "add_on_spot_conference_participant", params).await;
        added["participant"]["participant"].clone()
    }

    async fn conference_of(
        &mut self,
        members: usize,
        create: &mut Times,
        add: &mut Times,
    ) -> (Value, Value) {
        let id = self.create(create).await;
        let mut last = Value::Null;
        for number in 2..members {
            last = self.add(add, &id, number).await;
        }
        (id, last)
    }

    /// Mutes, renames and lists in a conference, prints what that took, and gives the medians in milliseconds.
    async fn measure(&mut self, which: &str, (id, participant): &(Value, Value)) -> [f64; 3] {
        let (mut mute, mut roster, mut name) =
            (Times::default(), Times::default(), Times::default());
        for round in 0..500 {
            let params =
                json!({"i_conference": id, "participant": participant, "mute": (round + 1) % 2});
            self.timed(&mut mute, "update_on_spot_conference_participant", params).await;
        }
        for round in 0..100 {
            let params = json!({"i_conference": id});
            self.timed(&mut roster, "get_on_spot_conference_participant_list", params).await;
            let params = json!({"i_conference": id, "name": format!("Sales {round}")});
            self.timed(&mut name, "update_on_spot_conference", params).await;
        }
        mute.row(&format!("mute, {which}"));
        name.row(&format!("another name (told to all), {which}"));
        roster.row(&format!("roster, {which}"));
        [mute, name, roster].map(|times| times.quantile(0.5))
    }
}

#[tokio::test]
#[ignore = "a measurement of some minutes, for a quiet machine and a release build"]
async fn a_command_takes_as_long_among_a_thousand_conferences_as_alone() {
    let mut bench = Bench::start().await;
    let (mut create, mut add) = (Times::default(), Times::default());
    println!("| command | times | p50, ms | p99, ms |\n| --- | --- | --- | --- |");

    let small = bench.conference_of(4, &mut create, &mut add).await;
    let small_alone = bench.measure("of 4, alone", &small).await;
    let large = bench.conference_of(LARGE, &mut Times::default(), &mut Times::default()).await;
    let large_alone = bench.measure("of 200, without the thousand", &large).await;

    // Each is measured as new as the first ones were: what has happened in a conference is in its record and roster.
    let large = bench.conference_of(LARGE, &mut Times::default(), &mut Times::default()).await;
    let mut small = small;
    for hundred in 0..CONFERENCES / 100 {
        (create, add) = (Times::default(), Times::default());
        for _ in 0..100 {
            small = bench.conference_of(4, &mut create, &mut add).await;
        }
        if [0, CONFERENCES / 100 - 1].contains(&hundred) {
            create.row(&format!(
                "create, of the conferences {} to {}",
                hundred * 100 + 1,
                hundred * 100 + 100
            ));
            add.row("add, to the same");
        }
    }
    let listed = bench
        .client
        .must("OnSpotConference/get_on_spot_conference_list", json!({"limit": 1, "get_total": 1}));
    assert_eq!(listed.await["total"], CONFERENCES + 3, "nobody has gone meanwhile");
    let small_among = bench.measure("of 4, among 1,000", &small).await;
    let large_among = bench.measure("of 200, among 1,000", &large).await;

    let pairs = small_alone.iter().zip(small_among).chain(large_alone.iter().zip(large_among));
    let growth: Vec<f64> = pairs.map(|(alone, among)| among / alone).collect();
    println!("growth of the medians: {growth:.2?}");
    assert!(growth.iter().all(|times| *times < TOLERANCE), "{growth:.2?}");
}
