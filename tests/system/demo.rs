//! `cordboard demo` and the command line.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use mesh::testing::eventually;
use system_tests::process::program;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::asterisk_config::home;

#[test]
fn the_demo_plays_every_scenario() {
    let output = Command::new(program()).args(["demo", "--color", "never"]).output().unwrap();

    plays_every_scenario(&output);
}

#[test]
fn the_demo_plays_every_scenario_on_a_real_asterisk_with_phones_that_register_there() {
    let Some(home) = home() else { return };
    let temporary = tempfile::tempdir().unwrap();

    let output = Command::new(program())
        .args(["demo", "--color", "never", "--switch", "asterisk", "--asterisk"])
        .arg(home)
        .env("TMPDIR", temporary.path())
        .output()
        .unwrap();

    let text = plays_every_scenario(&output);
    assert!(text.contains("the phones have registered there"), "{text}");
    let left: Vec<_> = std::fs::read_dir(temporary.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_demo_that_is_stopped_leaves_no_asterisk_behind() {
    let Some(home) = home() else { return };
    let temporary = tempfile::tempdir().unwrap();
    let mut demo = tokio::process::Command::new(program())
        .args(["demo", "--color", "never", "--switch", "asterisk", "--asterisk"])
        .arg(home)
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains("Alice and Bob hear each other") {
            break;
        }
    }
    assert!(!asterisks(temporary.path()).is_empty());

    let id = demo.id().unwrap().to_string();
    assert!(Command::new("kill").arg(id).status().unwrap().success());
    assert_eq!(demo.wait().await.unwrap().code(), Some(1));

    eventually(Duration::from_secs(10), "Asterisk has gone", || async {
        let left = asterisks(temporary.path());
        if left.is_empty() { Ok(()) } else { Err(left.join("; ")) }
    })
    .await;
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}

/// The command lines of processes that name a folder.
fn asterisks(folder: &Path) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap();
    let lines = processes.filter_map(|one| std::fs::read(one.ok()?.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(folder.to_str().unwrap())).collect()
}

#[test]
fn where_there_is_no_asterisk_the_demo_says_what_it_looked_for() {
    let nothing = tempfile::tempdir().unwrap();
    let demo = |more: &[&str]| {
        let output = Command::new(program())
            .args(["demo", "--switch", "asterisk"])
            .args(more)
            .env("PATH", nothing.path())
            .env_remove("CORDBOARD_ASTERISK")
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };

    let in_path = demo(&[]);
    let folder = nothing.path().to_str().unwrap();
    let in_folder = demo(&["--asterisk", folder]);

    assert!(in_path.contains("no program `asterisk` in PATH"), "{in_path}");
    assert!(in_folder.contains(folder) && in_folder.contains("no `bin/asterisk`"), "{in_folder}");
    for said in [in_path, in_folder] {
        assert!(
            said.contains("apt install asterisk") && said.contains("scripts/asterisk"),
            "{said}"
        );
    }
}

/// Checks that a demo has played all there is; gives what it said.
fn plays_every_scenario(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    for said in [
        "Alice and Bob hear each other",
        "Bob hears music",
        "out of the queue",
        "Bob, Carol and Peter go on",
        "hears that her visa is approved",
        "none missing",
        "charges are written",
        "101      conferencing outgoing  101          12065550100 ",
        "all scenarios played",
    ] {
        assert!(text.contains(said), "the demo does not say `{said}`:\n{text}");
    }
    text.into_owned()
}

#[tokio::test]
async fn the_check_makes_a_call_on_a_running_system_and_says_when_it_cannot() {
    let up = system_tests::Up::start().await;
    let check = |more: &[&str]| {
        let edge = up.public.to_string();
        let output = Command::new(program()).arg("check").arg(&edge).args(more).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    };

    let (is_well, said) = check(&[]);
    assert!(is_well && said.contains("the call was made, told of and ended"), "{said}");
    assert!(!said.contains("cordboard\""), "{said}");

    up.sim.set("102", serde_json::json!({"behaviour": "busy"})).await;
    let (is_well, said) = check(&["--login", "101"]);
    assert!(!is_well && said.contains("no event came that says `connected`"), "{said}");
}

#[test]
fn help_tells_a_newcomer_what_there_is() {
    let output = Command::new(program()).arg("--help").output().unwrap();

    let text = String::from_utf8_lossy(&output.stdout);
    for command in ["up", "demo", "phone", "admin", "edge", "auth", "switch", "notifier"] {
        assert!(text.contains(&format!("\n  {command}")), "no `{command}` in:\n{text}");
    }
}

#[test]
fn a_misspelt_configuration_key_is_refused_by_name() {
    let output = Command::new(program())
        .args(["up", "--ephemeral", "--set", "switch.laese=3s"])
        .output()
        .unwrap();

    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(errors.contains("laese"), "{errors}");
}
