//! The example applications, run as their users run them.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mesh::testing::eventually;
use serde_json::{Value, json};
use system_tests::Up;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);
const NUMBER: &str = "1733355700";

/// Where what the examples need is installed.
fn installed() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let installed = Command::new(root.join("scripts/examples"))
        .stderr(Stdio::inherit())
        .output()
        .expect("scripts/examples runs");
    assert!(installed.status.success(), "scripts/examples failed");
    PathBuf::from(String::from_utf8(installed.stdout).unwrap().trim())
}

/// An application that runs, and what it says; killed when dropped.
struct Application {
    child: Child,
    said: mpsc::Receiver<String>,
}

impl Application {
    fn start(mut command: Command, up: &Up) -> Self {
        let mut child = command
            .env("CORDBOARD_URL", format!("ws://{}/ws", up.public))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, said) = mpsc::channel(64);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.blocking_send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, said }
    }

    async fn says(&mut self, what: &str) {
        let line = timeout(PATIENCE, self.said.recv()).await;
        let line = line.unwrap_or_else(|_| panic!("it does not say `{what}`"));
        assert_eq!(line.as_deref(), Some(what));
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn until_heard(up: &Up, leg: &str, prompt: &str) {
    let expected = Value::from(format!("prompt:{prompt}"));
    eventually(PATIENCE, prompt, || async {
        let is = up.sim.leg(leg).await;
        if is["hears"] == expected { Ok(()) } else { Err(is.to_string()) }
    })
    .await;
}

/// A caller asks for her visa, from the first ring to the end.
async fn asks(up: &Up, application: &mut Application, digits: &str, answer: &str, prompt: &str) {
    let placed = up.sim.trunk_call("12065550100", NUMBER, "Mary Smith").await;
    let leg = placed["leg"].as_str().unwrap();
    application.says("call answered").await;
    until_heard(up, leg, "visa/enter-number.au").await;
    up.sim.far_end_keys(leg, digits).await;

    application.says(answer).await;
    until_heard(up, leg, prompt).await;
    application.says("call ended").await;
    let ended = up.sim.leg(leg).await;
    assert_eq!(ended["reason"], json!("Answer Leg Disconnected Via Call Control API"));
}

/// Prompts that last long enough to be heard on a busy machine: the question a minute, an answer
/// six seconds.
fn prompts() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| {
        std::fs::write(folder.path().join("visa").join(name), bytes).unwrap();
    };
    // 8,000 samples a second, each a byte of mu-law.
    let au = |seconds: u32| {
        let header = [24, seconds * 8000, 1, 8000, 1].map(u32::to_be_bytes).concat();
        let samples = vec![0xff; usize::try_from(seconds * 8000).unwrap()];
        [b".snd".to_vec(), header, samples].concat()
    };
    std::fs::create_dir(folder.path().join("visa")).unwrap();
    write("enter-number.au", au(60));
    write("not-found.au", au(6));
    // A hundred frames of ten bytes a second.
    write("approved.g729", vec![0; 6 * 100 * 10]);
    folder
}

async fn tells_callers_of_their_visas(command: Command) {
    let prompts = prompts();
    let folder = format!("switch.prompts.folder={}", prompts.path().display());
    let up = Up::start_with(&["--sim-speed", "0", "--set", &folder]).await;
    let mut application = Application::start(command, &up);
    application.says(&format!("listening to {NUMBER}")).await;

    let (found, not_found) = ("registration approved", "registration not found");
    asks(&up, &mut application, "20260117#", found, "visa/approved.g729").await;
    asks(&up, &mut application, "4711#", not_found, "visa/not-found.au").await;
}

#[tokio::test]
async fn the_visa_center_in_python_tells_callers_of_their_visas() {
    let python = installed().join("python/bin/python");
    let mut command = Command::new(python);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    command.arg("-B").arg(root.join("examples/visa-center/python/visa_center.py"));

    tells_callers_of_their_visas(command).await;
}

#[tokio::test]
async fn the_visa_center_in_typescript_tells_callers_of_their_visas() {
    let mut command = Command::new("node");
    command.arg(installed().join("visa-center/typescript/dist/visa-center.js"));

    tells_callers_of_their_visas(command).await;
}
