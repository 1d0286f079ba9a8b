//! Users whose password was given by somebody else, and who have to choose one of their own first.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use system_tests::process::program;
use system_tests::{Client, Up};
use tempfile::TempDir;

use crate::raw::call;

const MUST_CHANGE: &str = "Server.Session.alert_You_must_change_password";

fn admin(args: &[&str]) -> String {
    let output = Command::new(program()).arg("admin").args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The demo directory, where accounts 101 and 102 have to choose a password.
async fn start(folder: &Path) -> Up {
    let (file, database) = (folder.join("directory.toml"), folder.join("directory.db"));
    let mut text = admin(&["demo-directory"]);
    for id in ["id = \"101\"", "id = \"102\""] {
        assert!(text.contains(id));
        text = text.replacen(id, &format!("{id}\nmust_change_password = true"), 1);
    }
    std::fs::write(&file, text).unwrap();
    let database = format!("sqlite://{}", database.display());
    admin(&["import", file.to_str().unwrap(), "--database", &database]);
    Up::start_with(&["--sim-speed", "0", "--no-demo", "--database", &database]).await
}

fn change() -> Value {
    json!({"old_password": "cordboard", "new_password": "a better one"})
}

#[tokio::test]
async fn a_password_is_changed_over_rest_with_the_login_of_auth_info() {
    let folder = TempDir::new().unwrap();
    let up = start(folder.path()).await;
    let with = |password: &str| json!({"login": "101", "password": password});
    let data = async |password: &str| {
        call(up.public, "Session/get_session_data", json!({}), with(password)).await
    };
    assert_eq!(data("cordboard").await.body["faultcode"], MUST_CHANGE);

    let method = "Session/change_password";
    let unknown = call(up.public, method, change(), json!({})).await;
    assert_eq!(unknown.body["faultcode"], "Client.check_auth.envelope_missed");
    let changed = call(up.public, method, change(), with("cordboard")).await;

    assert_eq!((changed.status, changed.body), (200, json!({"success": 1})));
    assert_eq!(data("a better one").await.body["login"], "101");
    let old = data("cordboard").await.body["faultcode"].clone();
    assert_eq!(old, "Server.Session.check_auth.auth_failed");
}

#[tokio::test]
async fn a_password_is_changed_over_a_socket_with_the_login_as_param() {
    let folder = TempDir::new().unwrap();
    let up = start(folder.path()).await;
    let mut client = Client::connect(up.public).await.unwrap();
    let login = |password: &str| json!({"login": "102", "password": password});
    let refused = client.refused("Session/login", login("cordboard")).await;
    assert_eq!((refused.code(), refused.faultcode()), (-32001, MUST_CHANGE));

    let method = "Session/change_password";
    let nobody = client.refused(method, change()).await;
    assert_eq!(
        (nobody.code(), nobody.faultcode()),
        (-32001, "Server.Session.check_auth.auth_failed")
    );
    let mut params = change();
    params["login"] = json!("102");
    params["realm"] = json!("accounts");
    let changed = client.must(method, params).await;

    assert_eq!(changed, json!({"success": 1}));
    client.must("Session/login", login("a better one")).await;
}
