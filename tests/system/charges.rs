//! Who pays, from outside: xDRs of calls, and calls that end with their credit.

use std::net::SocketAddr;
use std::time::Duration;

use mesh::testing::eventually;
use serde_json::{Value, json};
use system_tests::client::states_of;
use system_tests::process::program;
use system_tests::{Client, Mesh, Up};
use tempfile::TempDir;

async fn up() -> Up {
    let up = Up::start_with(&["--sim-speed", "0", "--pstn-answer-ms", "0"]).await;
    for account in ["101", "102", "103", "201"] {
        up.sim.at_once(account).await;
    }
    up
}

/// The charges that a session sees, once there are `count` of them; a leg's is there within two
/// seconds of its end.
pub(super) async fn xdrs(client: &mut Client, count: usize) -> Vec<Value> {
    eventually(Duration::from_mins(1), "the charges", async || {
        let listed = client.must("CDR/get_xdr_list", json!({"get_total": 1})).await;
        let found = listed["xdr_list"].as_array().expect("a list").clone();
        assert_eq!(listed["total"], json!(found.len()), "both are of one moment");
        if found.len() < count {
            return Err(format!("{count} are expected, there are {found:?}"));
        }
        assert_eq!(found.len(), count, "{found:?}");
        Ok(found)
    })
    .await
}

/// Payer, service, direction and the two numbers of each charge, sorted.
pub(super) fn who_pays(xdrs: &[Value]) -> Vec<String> {
    let text = |xdr: &Value, field: &str| xdr[field].as_str().expect(field).to_owned();
    let mut rows: Vec<_> = xdrs
        .iter()
        .map(|xdr| {
            let fields = ["account_id", "service", "direction", "cli", "cld"];
            fields.map(|field| text(xdr, field)).join(" ")
        })
        .collect();
    rows.sort();
    rows
}

#[tokio::test]
async fn a_call_gives_its_caller_and_its_called_account_one_charge_each() {
    let up = up().await;
    let mut board = Client::subscribed(up.public, "easymobile").await;
    let params = json!({"account_id": "101", "destination": "102"});
    let call = board.must("CallControl/originate_call", params).await["call"].clone();
    let mut all = board.call_states_until(|states| states_of(states, "102").len() == 3).await;
    let ongoing = json!({"call": {"id": call["id"]}});
    eventually(Duration::from_secs(5), "a second of conversation", async || {
        let told = board.must("CallControl/get_call_info", ongoing.clone()).await;
        let seconds = told["call_info"][1]["duration"].as_i64();
        if seconds >= Some(1) { Ok(()) } else { Err(told.to_string()) }
    })
    .await;
    board.must("CallControl/terminate_call", ongoing).await;
    all.extend(board.until_over(2).await);

    let charged = xdrs(&mut board, 2).await;

    assert_eq!(who_pays(&charged), ["101 voice outgoing 101 102", "102 voice incoming 101 102"]);
    let alice = charged.iter().find(|xdr| xdr["account_id"] == "101").unwrap();
    assert_eq!(alice["call"], call);
    assert_eq!(alice["tracking_id"], all[0]["tracking_id"]);
    assert_eq!((&alice["i_customer"], &alice["currency"]), (&json!(1), &json!("USD")));
    assert_eq!(alice["disconnect_cause"], 487);
    // 0.012 a minute to numbers that begin with 1, by begun seconds: at least two of them.
    let seconds = alice["charged_quantity"].as_i64().unwrap();
    assert!((2..=8).contains(&seconds), "{alice}");
    let amount: f64 = alice["charged_amount"].as_str().unwrap().parse().unwrap();
    let expected = f64::from(i32::try_from(seconds).unwrap()) * 0.0002;
    assert!((amount - expected).abs() < 1e-9, "{alice}");
    assert!(alice["connect_time"].as_str().unwrap() <= alice["disconnect_time"].as_str().unwrap());
    let bob = charged.iter().find(|xdr| xdr["account_id"] == "102").unwrap();
    assert_eq!(
        (&bob["charged_quantity"], &bob["charged_amount"]),
        (&json!(seconds), &json!("0.00"))
    );

    let mut own = Client::log_in(up.public, "102").await;
    assert_eq!(who_pays(&xdrs(&mut own, 1).await), ["102 voice incoming 101 102"]);
    let mut bistro = Client::log_in(up.public, "quicktasty").await;
    assert!(xdrs(&mut bistro, 0).await.is_empty());
    let fault = bistro.refused("CDR/get_xdr_list", json!({"account_id": "101"})).await;
    assert_eq!(fault.faultcode(), "Client.CDR.get_xdr_list.account_not_found");
}

#[tokio::test]
async fn nobody_pays_for_a_call_that_was_never_answered() {
    let up = up().await;
    up.sim.set("102", json!({"behaviour": "busy"})).await;
    let mut board = Client::subscribed(up.public, "easymobile").await;
    up.sim.dial("101", "102").await;
    board.until_over(2).await;
    up.sim.dial("101", "103").await;
    board.call_states_until(|states| states_of(states, "103").len() == 3).await;
    up.sim.hand("103", "hangup").await;
    board.until_over(2).await;

    let charged = xdrs(&mut board, 2).await;

    assert_eq!(who_pays(&charged), ["101 voice outgoing 101 103", "103 voice incoming 101 103"]);
}

#[tokio::test]
async fn the_applications_account_pays_for_both_numbers_that_it_connects() {
    let up = up().await;
    let mut bistro = Client::subscribed(up.public, "quicktasty").await;
    let params = json!({
        "account_id": "201",
        "first": {"destination": "12065550177"},
        "second": {"destination": "12065550188"},
    });
    let call = bistro.must("CallControl/originate_advanced_call", params).await["call"].clone();
    bistro
        .call_states_until(|states| {
            states.iter().filter(|info| info["state"] == "connected").count() == 2
        })
        .await;
    bistro.must("CallControl/terminate_call", json!({"call": {"id": call["id"]}})).await;
    bistro.until_over(2).await;

    let charged = xdrs(&mut bistro, 2).await;

    assert_eq!(
        who_pays(&charged),
        ["201 voice outgoing 12065550177 12065550188", "201 voice outgoing 201 12065550177",]
    );
    let first = charged.iter().find(|xdr| xdr["cld"] == "12065550177").unwrap();
    assert_eq!(first["call"], call, "the first leg's tag");
}

#[tokio::test]
async fn who_sends_a_call_on_pays_for_the_way_on() {
    let up = up().await;
    up.sim.manual("101").await;
    let mut board = Client::subscribed(up.public, "easymobile").await;
    let placed = up.sim.trunk_call("12065550100", "101", "Peter").await;
    let call = json!({"id": placed["call_id"]});
    board.call_states_until(|states| states_of(states, "101").len() == 2).await;
    let on = json!({"call": call, "destination": "12065550199"});
    board.must("CallControl/redirect_call", on).await;
    board
        .call_states_until(|states| {
            states.iter().filter(|info| info["state"] == "connected").count() == 2
        })
        .await;
    board.must("CallControl/terminate_call", json!({"call": call})).await;

    let charged = xdrs(&mut board, 1).await;

    assert_eq!(who_pays(&charged), ["101 voice outgoing 12065550100 12065550199"]);
}

/// A system whose account 101 may owe what three seconds of its calls cost.
async fn with_little_credit() -> (Up, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let demo = include_str!("../../cordboard/demo.toml");
    let poor = demo.replacen("credit_limit = \"100.00\"", "credit_limit = \"0.0006\"", 1);
    assert_ne!(demo, poor);
    let file = folder.path().join("directory.toml");
    std::fs::write(&file, poor).unwrap();
    let database = format!("sqlite://{}", folder.path().join("directory.db").display());
    let imported = std::process::Command::new(program())
        .args(["admin", "import"])
        .arg(&file)
        .args(["--database", &database])
        .output()
        .unwrap();
    assert!(imported.status.success(), "{imported:?}");
    let args = ["--sim-speed", "0", "--pstn-answer-ms", "0", "--database", &database];
    let up = Up::start_with(&args).await;
    for account in ["101", "102"] {
        up.sim.at_once(account).await;
    }
    (up, folder)
}

#[tokio::test]
async fn a_call_ends_with_the_credit_of_who_pays_to_the_second() {
    let (up, _folder) = with_little_credit().await;
    let mut board = Client::subscribed(up.public, "easymobile").await;
    let params = json!({"account_id": "101", "destination": "12065550100"});
    board.must("CallControl/originate_call", params.clone()).await;
    let states = board.until_over(2).await;

    let charged = xdrs(&mut board, 1).await;

    for ended in states.iter().filter(|info| info["state"] == "terminated") {
        let reason = (&ended["reason"], &ended["reason_code"]);
        assert_eq!(reason, (&json!("Payment Required"), &json!(402)), "{ended}");
    }
    let [xdr] = &charged[..] else { panic!("{charged:?}") };
    assert_eq!((&xdr["charged_quantity"], &xdr["charged_amount"]), (&json!(3), &json!("0.0006")));
    assert_eq!(xdr["disconnect_cause"], 402);

    // Nothing is left for another one.
    board.must("CallControl/originate_call", params).await;
    let states = board.until_over(1).await;
    let refused = states.last().unwrap();
    let reason = (&refused["reason"], &refused["reason_code"]);
    assert_eq!(reason, (&json!("Auth Failed"), &json!(403)));
}

#[tokio::test]
async fn several_calls_of_one_account_share_its_credit() {
    let (up, _folder) = with_little_credit().await;
    up.sim.manual("102").await;
    let mut board = Client::subscribed(up.public, "easymobile").await;
    // Nothing is held for a call that rings: all three are let in.
    for _ in 0..3 {
        up.sim.dial("101", "102").await;
    }
    for _ in 0..3 {
        up.sim.hand("102", "answer").await;
    }
    board.until_over(6).await;

    let mut alice = Client::log_in(up.public, "101").await;
    let charged = xdrs(&mut alice, 3).await;

    let seconds = |xdr: &Value| xdr["charged_quantity"].as_i64().unwrap();
    let amount = |xdr: &Value| xdr["charged_amount"].as_str().unwrap().parse::<f64>().unwrap();
    assert_eq!(charged.iter().map(seconds).sum::<i64>(), 3, "{charged:?}");
    let sold: f64 = charged.iter().map(amount).sum();
    assert!((sold - 0.0006).abs() < 1e-9, "all of the credit, and no more: {charged:?}");
}

/// Redis is emptied after a call has ended while auth is away: the journal has its charges.
#[tokio::test]
async fn charges_survive_a_store_that_is_emptied_while_auth_is_away() {
    let mut mesh = Mesh::start().await;
    let (public, sim) = (mesh.public(), mesh.sim());
    sim.at_once("101").await;
    let mut board = Client::subscribed(public, "easymobile").await;
    let placed = sim.trunk_call("12065550100", "101", "Peter").await;
    board.call_states_until(|states| states_of(states, "101").len() == 3).await;
    mesh.kill("auth");
    sim.far_end(placed["leg"].as_str().unwrap(), "hangup").await;
    board.until_over(2).await;

    mesh.redis.restart_empty().await;
    mesh.start_service("auth").await;

    let mut admin = admin_once_auth_is_found(public).await;
    let found = xdrs(&mut admin, 1).await;
    assert_eq!(who_pays(&found), ["101 voice incoming 12065550100 101"]);
}

/// An administrator's session, as soon as the edge has found an auth that came back; until then it
/// says that it may be asked again.
pub(super) async fn admin_once_auth_is_found(public: SocketAddr) -> Client {
    let mut admin = Client::connect(public).await.expect("the edge accepts sockets");
    let login = json!({"login": "admin", "password": "cordboard"});
    eventually(Duration::from_mins(1), "the edge finds auth", async || {
        let answer = admin.call("Session/login", login.clone()).await.expect("the edge answers");
        answer.map_err(|fault| {
            assert_eq!(fault.0["data"]["retryable"], json!(true), "{fault:?}");
            format!("{fault:?}")
        })
    })
    .await;
    admin
}
