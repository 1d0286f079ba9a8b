//! Hunt groups and queues, as applications see them.

use std::process::Command;
use std::time::Duration;

use mesh::testing::eventually;
use serde_json::{Value, json};
use system_tests::client::{states_of, states_of_trunk};
use system_tests::process::program;
use system_tests::{Client, Up};
use tempfile::TempDir;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// `EasyMobile`'s wallboard, on a system whose phones answer by hand.
async fn wallboard() -> (Up, Client) {
    let up = Up::start_with(&["--sim-speed", "0", "--pstn-answer-ms", "0"]).await;
    for account in ["101", "102", "103"] {
        up.sim.manual(account).await;
    }
    let client = Client::subscribed(up.public, "easymobile").await;
    (up, client)
}

fn is_ringing(states: &[Value], account: &str) -> bool {
    states_of(states, account).last().is_some_and(|state| state == "ringing")
}

#[tokio::test]
async fn a_call_to_the_hunt_group_is_queued_offered_and_answered() {
    let (up, mut board) = wallboard().await;

    let placed = up.sim.trunk_call("12065550100", "340", "Peter").await;
    let mut all = board.call_states_until(|states| is_ringing(states, "102")).await;
    assert_eq!(up.sim.leg(placed["leg"].as_str().unwrap()).await["hears"], "music");
    let listed = board
        .must("CallControl/get_sip_calls_list", json!({"i_c_queue": 1, "state": "queued"}))
        .await;
    let waiting = &listed["calls_list"][0];
    assert_eq!(
        (&waiting["state"], &waiting["queue_info"]["position"]),
        (&json!("queued"), &json!(1))
    );
    up.sim.hand("102", "answer").await;
    all.extend(board.call_states_until(|states| !states_of(states, "102").is_empty()).await);
    up.sim.hand("102", "hangup").await;
    all.extend(board.until_over(2).await);

    let states = ["trying", "queued", "dequeued", "connected", "terminated"];
    assert_eq!(states_of_trunk(&all), states);
    assert_eq!(states_of(&all, "102"), ["trying", "ringing", "connected", "terminated"]);
    let trunk: Vec<_> = all.iter().filter(|info| info["is_external_call"] == true).collect();
    let group = json!({"number": "340", "name": "Support", "huntgroup_id": "340"});
    for (info, name) in trunk.iter().zip(states).take(3) {
        assert_eq!(info["callee"]["number"], group["number"], "{name}: {info}");
        assert_eq!(info["callee"]["huntgroup_id"], group["huntgroup_id"]);
    }
    assert_eq!(trunk[2]["queue_info"]["reason"], "answered");
    assert_eq!(trunk[2]["queue_info"]["i_c_queue"], 1);
    assert_eq!(trunk[3]["callee"]["account_id"], "102");
    assert_eq!(trunk[3]["connect_time"], trunk[1]["connect_time"]);
    let agent = all.iter().find(|info| info["i_account"] == 2).unwrap();
    assert_eq!(agent["callee"]["huntgroup_id"], "340");
}

#[tokio::test]
async fn an_agent_who_declines_is_followed_by_the_next_and_a_caller_may_give_up() {
    let (up, mut board) = wallboard().await;
    let placed = up.sim.trunk_call("12065550100", "340", "Peter").await;
    let mut all = board.call_states_until(|states| is_ringing(states, "102")).await;

    up.sim.hand("102", "decline").await;
    all.extend(board.call_states_until(|states| is_ringing(states, "103")).await);
    up.sim.far_end(placed["leg"].as_str().unwrap(), "hangup").await;
    all.extend(board.until_over(2).await);

    assert_eq!(states_of_trunk(&all), ["trying", "queued", "dequeued", "terminated"]);
    let left = all.iter().find(|info| info["state"] == "dequeued").unwrap();
    assert_eq!(left["queue_info"]["reason"], "abandoned");
    assert_eq!(states_of(&all, "102"), ["trying", "ringing", "terminated"]);
}

#[tokio::test]
async fn who_takes_part_is_changed_over_the_api_and_figures_follow() {
    let (up, mut board) = wallboard().await;
    let mut telco = Client::log_in(up.public, "telco").await;
    let queues = board.must("Customer/get_callqueue_list", json!({"get_total": 1})).await;
    assert_eq!(queues["total"], 1);
    let queue = &queues["callqueue_list"][0];
    assert_eq!(
        (&queue["i_c_queue"], &queue["name"], &queue["huntgroup_id"]),
        (&json!(1), &json!("Support"), &json!("340"))
    );
    let group = queue["i_c_group"].clone();
    for i_account in [2, 3] {
        let change = json!({"i_account": i_account, "unsubscribe": [group]});
        let done = telco.must("Customer/update_huntgroups_subscription", change).await;
        assert_eq!(done, json!({"success": 1}));
    }

    // Nobody takes part: nobody has to wait.
    up.sim.trunk_call("12065550100", "340", "Peter").await;
    let all = board.until_over(1).await;
    assert_eq!(states_of_trunk(&all), ["trying", "queued", "dequeued", "terminated"]);
    assert_eq!(all[2]["queue_info"]["reason"], "no_agents");
    assert_eq!(all[3]["reason_code"], 480);

    // Carol joins.
    let change = json!({"i_account": 3, "subscribe": [group]});
    telco.must("Customer/update_huntgroups_subscription", change).await;
    let stats = json!({"i_c_queue": 1, "kinds": ["queue_stats"]});
    let mut figures = Client::log_in(up.public, "easymobile").await;
    figures.must("CallControl/enable_api_notifications", stats).await;
    up.sim.trunk_call("12065550100", "340", "Peter").await;
    board.call_states_until(|states| is_ringing(states, "103")).await;
    up.sim.hand("103", "answer").await;
    board.call_states_until(|states| !states_of(states, "103").is_empty()).await;
    loop {
        let (method, params) = figures.event().await;
        assert_eq!(method, "CallControl/queue_stats");
        let queue = &params["queue"];
        if queue["answered"] == 1 {
            assert_eq!((&queue["waiting"], &queue["agents_in"]), (&json!(0), &json!(1)), "{queue}");
            assert_eq!(queue["service_level"], 100);
            break;
        }
    }
    let foreign = json!({"i_account": 6, "subscribe": [group]});
    let fault = telco.refused("Customer/update_huntgroups_subscription", foreign).await;
    assert_eq!(fault.code(), -32004);
    let unknown = json!({"i_account": 3, "subscribe": [4711]});
    let fault = telco.refused("Customer/update_huntgroups_subscription", unknown).await;
    assert_eq!(
        fault.faultcode(),
        "Client.Customer.update_huntgroups_subscription.huntgroup_not_found"
    );
}

#[tokio::test]
async fn a_busy_agents_call_is_redirected_to_the_queue() {
    let (up, mut board) = wallboard().await;
    let placed = up.sim.trunk_call("12065550100", "101", "Peter").await;
    let mut all = board.call_states_until(|states| is_ringing(states, "101")).await;
    let call = json!({"id": placed["call_id"]});

    board.must("CallControl/redirect_call", json!({"call": call, "destination": "340"})).await;
    all.extend(board.call_states_until(|states| is_ringing(states, "102")).await);
    up.sim.hand("102", "answer").await;
    all.extend(board.call_states_until(|states| !states_of(states, "102").is_empty()).await);
    all.extend({
        up.sim.hand("102", "hangup").await;
        board.until_over(2).await
    });

    assert_eq!(states_of(&all, "101"), ["trying", "ringing", "terminated"]);
    assert_eq!(
        states_of_trunk(&all),
        ["trying", "early", "queued", "dequeued", "connected", "terminated"]
    );
}

/// Imports a directory with one hunt group into a new database; gives what the export says of
/// it, or the refusal.
fn import(group: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("directory.db").display());
    let demo = Command::new(program()).args(["admin", "demo-directory"]).output().unwrap().stdout;
    let demo = String::from_utf8(demo).unwrap();
    let file = folder.path().join("directory.toml");
    std::fs::write(&file, demo.replace("queue = \"Support\"\n", group)).unwrap();
    let admin = |args: &[&str]| {
        let run = Command::new(program()).arg("admin").args(args).output().unwrap();
        if run.status.success() {
            Ok(String::from_utf8(run.stdout).unwrap())
        } else {
            Err(String::from_utf8(run.stderr).unwrap())
        }
    };
    admin(&["import", file.to_str().unwrap(), "--database", &database])?;
    admin(&["export", "-", "--database", &database])
}

#[test]
fn rules_of_a_queue_are_imported_and_exported_and_wrong_ones_refused() {
    let rules = "queue = \"Support\"\nring_all = true\nagent_timeout = 20\nmax_waiting = 5\n\
                 max_wait = 120\noverflow = \"104\"\ndecision_timeout = 30\n\
                 decision_fallback = \"101\"\n";
    let exported = import(rules).unwrap();
    for line in rules.lines() {
        assert!(exported.lines().any(|exported| exported == line), "{line} in {exported}");
    }

    for (rules, says) in [
        ("max_wait = 5\n", "rules of a queue without a queue"),
        ("queue = \"Support\"\nagent_timeout = 0\n", "must be 1 to 300"),
        ("decision_timeout = 5\n", "give `decision_timeout` and `decision_fallback`"),
        ("queue = \"Support\"\noverflow = \"a b\"\n", "cannot be dialled"),
    ] {
        let refusal = import(rules).unwrap_err();
        assert!(refusal.contains(says), "{rules}: {refusal}");
    }
}

/// A system with the demo directory in which `from` reads `to`.
async fn up_with(from: &str, to: &str) -> (Up, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("directory.db").display());
    let demo = Command::new(program()).args(["admin", "demo-directory"]).output().unwrap().stdout;
    let demo = String::from_utf8(demo).unwrap();
    assert!(demo.contains(from), "{from} is not in the demo directory");
    let file = folder.path().join("directory.toml");
    std::fs::write(&file, demo.replace(from, to)).unwrap();
    let imported = Command::new(program())
        .args(["admin", "import", file.to_str().unwrap(), "--database", &database])
        .output()
        .unwrap();
    assert!(imported.status.success(), "{imported:?}");
    let up = Up::start_with(&["--sim-speed", "0", "--no-demo", "--database", &database]).await;
    (up, folder)
}

/// A system whose queue has these rules besides, with agents who answer by hand, and a wallboard.
async fn queue_with(rules: &str) -> (Up, Client, TempDir) {
    let queue = "queue = \"Support\"";
    let (up, folder) = up_with(queue, &format!("{queue}\n{rules}")).await;
    for agent in ["102", "103"] {
        up.sim.manual(agent).await;
    }
    let board = Client::subscribed(up.public, "easymobile").await;
    (up, board, folder)
}

#[tokio::test]
async fn with_ring_all_every_free_agent_rings_and_one_gets_the_call() {
    let (up, mut board, _folder) = queue_with("ring_all = true").await;

    up.sim.trunk_call("12065550100", "340", "Peter").await;
    let ring = |states: &[Value]| is_ringing(states, "102") && is_ringing(states, "103");
    let mut all = board.call_states_until(ring).await;
    up.sim.hand("103", "answer").await;
    let is_through = |states: &[Value]| {
        states_of(states, "103") == ["connected"] && states_of(states, "102") == ["terminated"]
    };
    all.extend(board.call_states_until(is_through).await);

    assert_eq!(states_of_trunk(&all), ["trying", "queued", "dequeued", "connected"]);
    let bob = all.iter().rfind(|info| info["i_account"] == 2).unwrap();
    assert_eq!((&bob["reason"], &bob["reason_code"]), (&json!("Answered Elsewhere"), &json!(200)));
}

#[tokio::test]
async fn who_has_waited_too_long_goes_to_the_overflow_number() {
    let (up, mut board, _folder) = queue_with("max_wait = 1\noverflow = \"104\"").await;
    up.sim.at_once("104").await;

    up.sim.trunk_call("12065550100", "340", "Peter").await;
    let all = board.call_states_until(|states| states_of(states, "104").len() == 3).await;

    let states = ["trying", "queued", "dequeued", "early", "connected"];
    assert_eq!(states_of_trunk(&all), states);
    let trunk: Vec<_> = all.iter().filter(|info| info["is_external_call"] == true).collect();
    assert_eq!(trunk[2]["queue_info"]["reason"], "timeout");
    assert_eq!(trunk[3]["callee"]["number"], "104");
    assert_eq!(states_of(&all, "102"), ["trying", "ringing", "terminated"]);
}

#[tokio::test]
async fn who_finds_the_queue_full_goes_to_the_overflow_number() {
    let (up, mut board, _folder) = queue_with("max_waiting = 1\noverflow = \"104\"").await;
    up.sim.at_once("104").await;

    up.sim.trunk_call("12065550100", "340", "Peter").await;
    board.call_states_until(|states| is_ringing(states, "102")).await;
    up.sim.trunk_call("12065550101", "340", "Mary").await;
    let all = board.call_states_until(|states| states_of(states, "104").len() == 3).await;

    assert_eq!(states_of_trunk(&all), ["trying", "queued", "dequeued", "early", "connected"]);
    let left = all.iter().find(|info| info["state"] == "dequeued").unwrap();
    assert_eq!(left["queue_info"]["reason"], "overflow");
    assert!(states_of(&all, "103").is_empty(), "nobody is called for whom the queue had no place");
}

#[tokio::test]
async fn a_call_about_which_no_application_decides_goes_to_the_fallback() {
    let with = "name = \"Alice\"\ndecision_timeout = 1\ndecision_fallback = \"104\"\n";
    let (up, _folder) = up_with("name = \"Alice\"\n", with).await;
    up.sim.manual("101").await;
    up.sim.at_once("104").await;
    let mut board = Client::subscribed(up.public, "easymobile").await;

    up.sim.trunk_call("12065550100", "101", "Peter").await;
    let all = board.call_states_until(|states| states_of(states, "104").len() == 3).await;

    assert_eq!(states_of(&all, "101"), ["trying", "ringing", "terminated"]);
    let sent_on = all.iter().find(|info| info["state"] == "terminated").unwrap();
    assert_eq!(sent_on["reason_code"], 302);
}

#[tokio::test]
async fn who_joins_while_calls_wait_is_called_and_lists_show_who_moves_up() {
    let (up, mut board) = wallboard().await;
    let mut telco = Client::log_in(up.public, "telco").await;
    let hunting = |which: &str| json!({"i_account": 3, which: [1]});
    let update = "Customer/update_huntgroups_subscription";
    telco.must(update, hunting("unsubscribe")).await;
    let first = up.sim.trunk_call("12065550100", "340", "Peter").await;
    board.call_states_until(|states| is_ringing(states, "102")).await;
    for from in ["12065550101", "12065550102"] {
        up.sim.trunk_call(from, "340", "").await;
        board.call_states_until(|states| states_of_trunk(states).contains(&"queued".into())).await;
    }

    telco.must(update, hunting("subscribe")).await;
    board.call_states_until(|states| is_ringing(states, "103")).await;

    up.sim.far_end(first["leg"].as_str().unwrap(), "hangup").await;
    board.call_states_until(|states| states_of_trunk(states).contains(&"terminated".into())).await;
    let waiting = json!({"i_c_queue": 1, "state": "queued"});
    eventually(PATIENCE, "both have moved up", || async {
        let mut client = Client::subscribed(up.public, "easymobile").await;
        let listed = client.must("CallControl/get_sip_calls_list", waiting.clone()).await;
        let calls = listed["calls_list"].as_array().unwrap();
        let places: Vec<_> = calls.iter().map(|leg| &leg["queue_info"]["position"]).collect();
        if places == [1, 2] { Ok(()) } else { Err(format!("{places:?}")) }
    })
    .await;
}
