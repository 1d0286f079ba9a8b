//! What the program writes down, and what it keeps to itself.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use http::StatusCode;
use mesh::testing::eventually;
use serde_json::{Value, json};
use system_tests::{Client, Up, http as http_of};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(10);

async fn says(up: &Up, text: &str) {
    eventually(SOON, "a line in the log", || async {
        let log = up.process.log();
        if log.contains(text) { Ok(()) } else { Err(log) }
    })
    .await;
}

#[tokio::test]
async fn the_level_of_the_logs_is_changed_while_the_program_runs() {
    let up = Up::start_with(&["--set", "telemetry.filter=error"]).await;
    let quiet = up.process.log();

    let refused = http_of::put(up.admin, "/log-level", "edge=loud").await.unwrap();
    let changed = http_of::put(up.admin, "/log-level", "info,audit=info\n").await.unwrap();
    let mut client = Client::log_in(up.public, "easymobile").await;
    let call = json!({"call": {"id": "switch-1.01890a5d-ac96-774b-bcce-b302099a8057"}});
    client.refused("CallControl/hold_call", call).await;

    assert_eq!((refused, changed), (StatusCode::BAD_REQUEST, StatusCode::OK));
    assert!(!quiet.contains("INFO"), "{quiet}");
    says(&up, "log filter changed").await;
    says(&up, "CallControl/hold_call").await;
}

#[tokio::test]
async fn the_audit_log_has_a_file_of_its_own_in_which_who_did_what_to_which_call_stands() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("audit.log");
    let file_set = format!("telemetry.audit_file={}", file.display());
    let sets = ["telemetry.filter=warn", "telemetry.audit_output=file", &file_set];
    let args: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
    let up = Up::start_with(&args).await;
    let mut client = Client::log_in(up.public, "easymobile").await;

    let params = json!({"account_id": "101", "destination": "102"});
    let call = client.must("CallControl/originate_call", params).await["call"]["id"].clone();
    client.must("CallControl/terminate_call", json!({"call": {"id": call}})).await;

    let lines: Vec<Value> = eventually(SOON, "three lines", || async {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let lines: Vec<Value> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if lines.len() >= 3 { Ok(lines) } else { Err(text) }
    })
    .await;
    let ended = lines.iter().find(|line| line["method"] == "CallControl/terminate_call").unwrap();
    assert_eq!((&ended["call_id"], &ended["outcome"]), (&call, &json!("ok")));
    assert_eq!((&ended["realm"], &ended["transport"]), (&json!("CUSTOMER"), &json!("websocket")));
    assert!(ended["user"].as_str().is_some_and(|user| !user.is_empty()), "{ended}");
    assert_eq!(ended["trace_id"].as_str().map(str::len), Some(32));
    let others = up.process.log();
    assert!(!others.contains("terminate_call"), "{others}");
}

/// Runs the scan of a whole test run's logs on one line.
fn scan(line: &str) -> (bool, String) {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("one.log"), line).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("scripts/log-scan");
    let done = Command::new(script).arg(folder.path()).output().unwrap();
    (done.status.success(), String::from_utf8(done.stdout).unwrap())
}

#[test]
fn the_scan_of_the_logs_finds_what_must_not_be_there() {
    for line in [
        "INFO edge: login token=eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.e30.abc",
        "INFO edge: params {\"password\":\"cordboard\"}",
        "INFO edge: authorization: Bearer abcdefgh",
        "INFO switch: dial number=12065550100",
        "INFO switch: event digits=\"1234\"",
        "INFO switch: digit='7'",
        "INFO auth: hash $argon2id$v=19$m=19456",
        "INFO auth: login password=hunter2",
    ] {
        let (is_clean, said) = scan(line);
        assert!(!is_clean, "not found: {line}");
        // What was found must not get into another log.
        assert!(said.contains("one.log:1") && !said.contains("12065550100"), "{said}");
    }
}

#[test]
fn the_scan_of_the_logs_lets_through_what_may_be_there() {
    let line = "2026-11-26T02:52:45.126649Z INFO edge: request trace_id=\"0af7651916cd43dd8448\" \
        born_millis=1764124365126 secret=[redacted] call_id=switch-1.01a215c55b977767a31112e6979bf6b3";

    assert_eq!(scan(line), (true, String::new()));
}
