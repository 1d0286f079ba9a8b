//! The program in a process of its own.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::sim::Sim;

/// Time for a process to become ready.
const READY: Duration = Duration::from_secs(30);

/// Where the program lies: beside the test, as `cargo build --workspace --bins` puts it.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test.ancestors().nth(2).expect("tests lie in target/<profile>/deps");
    let program = profile.join("cordboard");
    assert!(
        program.exists(),
        "run `cargo build --workspace --bins` first: no {}",
        program.display()
    );
    program
}

/// A running process; it is killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
    /// The line of JSON that it printed when it was ready.
    pub ready: Value,
}

impl Process {
    /// Starts the program and waits until it says that it is ready.
    pub async fn start(args: &[String]) -> Self {
        let args = args.to_vec();
        tokio::task::spawn_blocking(move || Self::start_now(&args)).await.expect("it starts")
    }

    fn start_now(args: &[String]) -> Self {
        let log = new_log();
        let errors = if std::env::var_os("CORDBOARD_TEST_LOG").is_some() {
            Stdio::inherit()
        } else {
            Stdio::from(File::create(&log).expect("the folder of logs takes files"))
        };
        let mut child = Command::new(program())
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .expect("the program starts");
        let output = child.stdout.take().expect("its output is piped");
        let (line_read, line) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(output).lines();
            // The first line is the only one that is waited for; the rest is drained.
            drop(line_read.send(lines.next()));
            lines.for_each(drop);
        });
        let line = line.recv_timeout(READY);
        let Ok(Some(Ok(line))) = line else {
            drop(child.kill());
            panic!("`cordboard {}` did not become ready: {line:?}", args.join(" "));
        };
        let ready = serde_json::from_str(&line).expect("the ready line is JSON");
        Self { child, log, ready }
    }

    /// What it has written to its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// An address of the ready line.
    pub fn address(&self, name: &str) -> SocketAddr {
        let text = self.ready[name].as_str().unwrap_or_else(|| panic!("no {name}: {}", self.ready));
        text.parse().expect("an address")
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name, e.g. `STOP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(sent.expect("kill is there").success(), "the process is gone");
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Asks it to end and waits until it has; gives whether it ended well.
    pub async fn stop(mut self) -> bool {
        self.signal("TERM");
        let ended = tokio::task::spawn_blocking(move || self.child.wait().map(|s| s.success()));
        tokio::time::timeout(READY, ended)
            .await
            .expect("it ends in time")
            .expect("it is waited for")
            .expect("it has a status")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::env::var_os(LOGS).is_none() {
            drop(std::fs::remove_file(&self.log));
        }
    }
}

/// Names the folder in which the logs of all processes are kept; without it they are removed.
const LOGS: &str = "CORDBOARD_TEST_LOGS";

/// A file for the log of one process.
fn new_log() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let folder = std::env::var_os(LOGS).map_or_else(std::env::temp_dir, PathBuf::from);
    std::fs::create_dir_all(&folder).expect("a folder for logs");
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    folder.join(format!("cordboard-test-{}-{number}.log", std::process::id()))
}

/// `cordboard up --ephemeral`.
#[derive(Debug)]
pub struct Up {
    /// The process.
    pub process: Process,
    /// The public port.
    pub public: SocketAddr,
    /// The admin port.
    pub admin: SocketAddr,
    /// The simulator's hands.
    pub sim: Sim,
}

impl Up {
    /// Starts a system with the demo directory; phones and the trunk take no time.
    pub async fn start() -> Self {
        Self::start_with(&["--sim-speed", "0"]).await
    }

    /// Starts a system with more arguments.
    pub async fn start_with(more: &[&str]) -> Self {
        let mut args: Vec<String> =
            ["up", "--ephemeral", "--listen", "127.0.0.1:0"].map(ToOwned::to_owned).into();
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        let process = Process::start(&args).await;
        let (public, admin) = (process.address("public"), process.address("admin"));
        let sim = Sim { address: process.address("sim") };
        Self { process, public, admin, sim }
    }
}
