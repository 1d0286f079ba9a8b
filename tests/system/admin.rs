//! `cordboard admin` on a directory of its own and on that of a running system.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use system_tests::process::program;
use system_tests::{Client, Up};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;

/// A folder with a database for `cordboard admin`.
struct Directory {
    folder: TempDir,
}

impl Directory {
    fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// With the demo directory in it.
    fn demo() -> Self {
        let directory = Self::empty();
        let demo = directory.path("demo.toml");
        std::fs::write(&demo, directory.must(&["demo-directory"], false)).unwrap();
        let told = directory.must(&["import", demo.to_str().unwrap()], true);
        assert!(told.starts_with("imported: "), "{told}");
        directory
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.path("directory.db").display())
    }

    fn run(&self, args: &[&str], with_database: bool, input: &str) -> Output {
        let mut command = Command::new(program());
        command.arg("admin").args(args);
        if with_database {
            command.args(["--database", &self.url()]);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who does not read its input may have ended already.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        child.wait_with_output().unwrap()
    }

    fn must(&self, args: &[&str], with_database: bool) -> String {
        self.must_with(args, with_database, "")
    }

    fn must_with(&self, args: &[&str], with_database: bool, input: &str) -> String {
        let output = self.run(args, with_database, input);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn admin(&self, args: &[&str]) -> String {
        self.must(args, true)
    }

    fn refused(&self, args: &[&str], input: &str) -> String {
        let output = self.run(args, true, input);
        assert!(!output.status.success(), "{args:?} was not refused");
        String::from_utf8(output.stderr).unwrap()
    }

    /// `up` on this directory.
    async fn up(&self) -> Up {
        Up::start_with(&["--database", &self.url(), "--sim-speed", "0"]).await
    }
}

/// The code with which a socket is closed; what comes before it is dropped.
async fn close_code(client: &mut Client) -> u16 {
    loop {
        match client.next_message().await {
            Some(Message::Close(Some(frame))) => return frame.code.into(),
            Some(Message::Close(None)) | None => return 0,
            Some(_) => {}
        }
    }
}

fn from_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_kind_is_listed_and_shown_as_a_table_and_as_json() {
    let directory = Directory::demo();
    for (kind, id, column, count) in [
        ("customers", "easymobile", "reseller", 3),
        ("accounts", "101", "product", 8),
        ("users", "telco", "realm", 13),
        ("roles", "call control", "call_control", 3),
        ("numbers", "1733355700", "leads_to", 10),
        ("hunt-groups", "340", "agents", 1),
        ("applications", "visa-status", "access_numbers", 1),
    ] {
        let table = directory.admin(&[kind, "list"]);
        assert_eq!(table.lines().count(), count + 1, "{table}");
        assert!(table.lines().next().unwrap().contains(column), "{table}");
        let list = from_json(&directory.admin(&[kind, "list", "--json"]));
        assert_eq!(list.as_array().unwrap().len(), count);

        let shown = directory.admin(&[kind, "show", id]);
        assert!(shown.lines().any(|line| line.starts_with(column)), "{shown}");
        let one = from_json(&directory.admin(&[kind, "show", id, "--json"]));
        assert!(list.as_array().unwrap().contains(&one), "{one}");
        assert!(!shown.contains("argon2id") && !one.to_string().contains("argon2id"));
    }
    let accounts = directory.admin(&["accounts", "list"]);
    let starts: Vec<_> = accounts.lines().map(|line| line.find("EasyMobile")).collect();
    assert!(starts[1..=5].iter().all(|start| *start == starts[1]), "not aligned:\n{accounts}");
}

#[test]
fn what_is_wrong_is_told_with_what_would_be_right() {
    let directory = Directory::demo();
    for (args, said) in [
        (&["account", "show", "11"][..], "did you mean `101`"),
        (&["customer", "block", "nobody-at-all"], "`cordboard admin customers list` lists them"),
        (&["user", "set-role", "101", "operater"], "did you mean `operator`?"),
        (&["role", "set", "operator", "calls=read"], "must be one of `call_control`"),
        (&["role", "set", "operator", "ivr=write"], "must be one of `none`, `read`, `modify`"),
        (&["role", "set", "operator", "ivr"], "must be COMPONENT=LEVEL"),
        (&["role", "set", "new", "ivr=read"], "`--create`"),
        (&["user", "set-password", "101"], "must be 8 to 256 characters long"),
        (&["import", "no-such-file.toml"], "cannot be read"),
    ] {
        let errors = directory.refused(args, "short\n");
        assert!(errors.contains(said), "{args:?}: {errors}");
        assert!(!errors.contains("panicked"), "{errors}");
    }
    let empty = Directory::empty();
    assert!(empty.refused(&["accounts", "list"], "").contains("cordboard admin import FILE"));
    assert!(!empty.path("directory.db").exists(), "looking makes no database");
}

#[test]
fn an_export_that_is_imported_is_the_same_directory() {
    let first = Directory::demo();
    first.admin(&["customer", "block", "Visa Center"]);
    first.admin(&["role", "set", "wallboard", "call_control=read", "--create"]);
    first.admin(&["user", "set-role", "104", "wallboard"]);
    first.must_with(&["user", "set-password", "easymobile"], true, "correct horse\n");
    let file = first.path("export.toml");
    first.admin(&["export", file.to_str().unwrap()]);
    let exported = std::fs::read_to_string(&file).unwrap();
    assert_eq!(first.admin(&["export", "-"]), exported);
    assert_eq!(mode(&file) & 0o077, 0, "the hashes are for the owner alone");

    let second = Directory::empty();
    second.admin(&["import", file.to_str().unwrap()]);

    assert_eq!(second.admin(&["export", "-"]), exported);
    for kind in ["customers", "accounts", "users", "roles", "numbers"] {
        let list = [kind, "list", "--json"];
        assert_eq!(second.admin(&list), first.admin(&list), "{kind}");
    }
}

fn mode(file: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).unwrap().permissions().mode()
}

#[test]
fn completions_know_the_commands() {
    let directory = Directory::empty();
    for shell in ["bash", "zsh", "fish"] {
        let script = directory.must(&["completions", shell], false);
        assert!(script.contains("set-password") && script.contains("hunt-groups"), "{shell}");
    }
}

#[tokio::test]
async fn a_block_ends_the_sessions_of_a_running_system() {
    let directory = Directory::demo();
    let up = directory.up().await;
    let mut alice = Client::subscribed(up.public, "101").await;
    let mut bob = Client::subscribed(up.public, "102").await;
    let mut bistro = Client::log_in(up.public, "201").await;

    assert_eq!(directory.admin(&["account", "block", "101"]), "account 101: blocked\n");

    assert_eq!(close_code(&mut alice).await, 4403);
    bob.must("Session/get_session_data", json!({})).await;
    let login = json!({"login": "101", "password": "cordboard"});
    let mut again = Client::connect(up.public).await.unwrap();
    assert_eq!(again.refused("Session/login", login.clone()).await.code(), -32001);
    assert_eq!(directory.admin(&["account", "block", "101"]), "account 101: blocked (as before)\n");
    directory.admin(&["account", "unblock", "101"]);
    again.must("Session/login", login).await;

    directory.admin(&["customer", "block", "Quick & Tasty"]);
    assert_eq!(close_code(&mut bistro).await, 4403, "an account of a customer that is blocked");
    bob.must("Session/get_session_data", json!({})).await;
}

#[tokio::test]
async fn another_password_ends_sessions_and_other_rights_narrow_them() {
    let directory = Directory::demo();
    let up = directory.up().await;
    let mut carol = Client::log_in(up.public, "103").await;
    let mut bob = Client::log_in(up.public, "102").await;
    bob.must("CallControl/enable_api_notifications", json!({})).await;

    directory.must_with(&["user", "set-password", "103"], true, "correct horse\n");

    assert_eq!(close_code(&mut carol).await, 4403);
    let mut again = Client::connect(up.public).await.unwrap();
    let old = json!({"login": "103", "password": "cordboard"});
    assert_eq!(again.refused("Session/login", old).await.code(), -32001);
    again.must("Session/login", json!({"login": "103", "password": "correct horse"})).await;

    directory.admin(&["role", "set", "call control", "call_control=none"]);
    let deadline = tokio::time::Instant::now() + system_tests::client::PATIENCE;
    loop {
        // Until it has heard of it, the edge goes by the rights that the session had.
        let answer = bob.call("CallControl/get_sip_calls_list", json!({})).await;
        match answer {
            Ok(Ok(_)) => assert!(tokio::time::Instant::now() < deadline, "not narrowed"),
            Ok(Err(fault)) => {
                assert!([-32001, -32003].contains(&fault.code()), "{fault:?}");
                break;
            }
            Err(_) => break,
        }
    }
    let mut later = Client::log_in(up.public, "102").await;
    let fault = later.refused("CallControl/get_sip_calls_list", json!({})).await;
    assert_eq!(fault.code(), -32003, "{fault:?}");
}
