//! Rights that change while a socket is open.

use std::process::Command;
use std::time::Duration;

use mesh::testing::eventually;
use serde_json::{Value, json};
use system_tests::process::program;
use system_tests::{Client, Up};

/// A database that `cordboard admin` works on while a system uses it.
struct Directory(tempfile::TempDir);

impl Directory {
    fn demo() -> Self {
        let directory = Self(tempfile::tempdir().unwrap());
        let file = directory.0.path().join("demo.toml");
        std::fs::write(&file, include_str!("../../cordboard/demo.toml")).unwrap();
        directory.admin(&["import", file.to_str().unwrap()]);
        directory
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.0.path().join("directory.db").display())
    }

    fn admin(&self, args: &[&str]) {
        let done = Command::new(program())
            .arg("admin")
            .args(args)
            .args(["--database", &self.url()])
            .output()
            .unwrap();
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

/// Calls until the answer is as wanted; until then the socket must not be told that its session is
/// over. The contract says a second; a loaded machine may take longer to say so.
async fn until(client: &mut Client, method: &str, is_wanted: impl Fn(Option<i64>) -> bool) {
    eventually(Duration::from_secs(5), method, async || {
        let answer = client.call(method, json!({})).await.expect("the socket stays open");
        let code = answer.err().map(|fault| fault.code());
        assert_ne!(code, Some(-32001), "the session goes on");
        if is_wanted(code) { Ok(()) } else { Err(format!("{code:?}")) }
    })
    .await;
}

async fn talk(customer: &mut Client) {
    let call = json!({"account_id": "102", "destination": "103"});
    let made = customer.must("CallControl/originate_call", call).await;
    let connected =
        |states: &[Value]| states.iter().filter(|info| info["state"] == "connected").count() >= 2;
    customer.call_states_until(connected).await;
    customer.must("CallControl/terminate_call", json!({"call": {"id": made["call"]["id"]}})).await;
    customer.until_over(2).await;
}

#[tokio::test]
async fn a_changed_role_narrows_and_widens_open_sockets_and_closes_none() {
    let directory = Directory::demo();
    let up = Up::start_with(&["--database", &directory.url(), "--sim-speed", "0"]).await;
    let mut bob = Client::subscribed_to(up.public, "102", &["call_state"]).await;
    let mut customer = Client::subscribed(up.public, "easymobile").await;
    talk(&mut customer).await;
    bob.until_over(2).await;

    directory.admin(&["role", "set", "call control", "call_control=none"]);
    until(&mut bob, "CallControl/get_sip_calls_list", |code| code == Some(-32003)).await;
    talk(&mut customer).await;
    bob.must("Session/ping", json!({})).await;
    bob.nothing_for(Duration::from_millis(200)).await;
    let data = bob.must("Session/get_session_data", json!({})).await;
    assert_eq!(data["permissions"]["call_control"], "none", "{data}");

    directory.admin(&["role", "set", "call control", "call_control=read"]);
    until(&mut bob, "CallControl/enable_api_notifications", |code| code.is_none()).await;
    talk(&mut customer).await;
    bob.until_over(2).await;
    let hold = json!({"call": {"id": "x"}});
    assert_eq!(bob.refused("CallControl/hold_call", hold).await.code(), -32003);
}
