//! A real Redis of one's own: on a free port, in a directory that goes with it,
//! and ended when dropped. Tests stop it, kill it, and start it again with what
//! it had saved or with nothing.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails where its server does")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::ports;

/// How long a server may take to answer after its start.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ports that are tried, as somebody else may take one between its choice and the start.
const ATTEMPTS: u32 = 5;

/// A running redis-server.
#[derive(Debug)]
pub struct RedisServer {
    directory: TempDir,
    port: u16,
    options: Vec<String>,
    process: Option<Child>,
}

impl RedisServer {
    /// Starts an empty server. The program is `$REDIS_SERVER`, else `redis-server` of the path.
    ///
    /// # Panics
    /// When there is no such program or it does not start.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts an empty server with further command line options.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub async fn start_with(options: &[&str]) -> Self {
        let mut failure = String::new();
        for _ in 0..ATTEMPTS {
            let mut server = Self {
                directory: tempfile::tempdir().expect("a temporary directory"),
                port: ports::free_tcp(),
                options: options.iter().map(|option| (*option).to_owned()).collect(),
                process: None,
            };
            match server.launch().await {
                Ok(()) => return server,
                Err(reason) => failure = reason,
            }
        }
        panic!("redis-server does not start: {failure}");
    }

    /// Starts a sentinel that watches `master` under `name` and calls it down after `down_after`.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub async fn start_sentinel(master: &Self, name: &str, down_after: Duration) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("sentinel.conf");
        let millis = down_after.as_millis();
        let settings = format!(
            "sentinel monitor {name} 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds {name} {millis}\n\
             sentinel failover-timeout {name} 2000\n",
            master.port
        );
        tokio::fs::write(&file, settings).await.expect("the sentinel's configuration is written");
        let mut sentinel =
            Self { directory, port: ports::free_tcp(), options: Vec::new(), process: None };
        let mut command = Command::new(program());
        command.arg(&file).arg("--sentinel").args(["--port", &sentinel.port.to_string()]);
        sentinel.run(command).await.expect("the sentinel starts");
        sentinel
    }

    /// URL of the server; the same after a restart.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Port of the server on 127.0.0.1; the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Id of the server's process while it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().and_then(Child::id)
    }

    /// A connection of the test's own, to look at what is stored or to meddle with it.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn connection(&self) -> MultiplexedConnection {
        self.try_connection().await.expect("redis-server answers")
    }

    /// Stops the process where it is (SIGSTOP): connections stay open and nothing is answered.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn pause(&self) {
        self.signal("STOP").await;
    }

    /// Lets a paused process go on (SIGCONT).
    ///
    /// # Panics
    /// When it does not run.
    pub async fn resume(&self) {
        self.signal("CONT").await;
    }

    /// Takes no more memory than so many bytes; 0 for no bound.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn limit_memory(&self, bytes: u64) {
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg("maxmemory").arg(bytes);
        command.exec_async(&mut self.connection().await).await.expect("redis-server is told");
    }

    /// Answers nobody for a while; what is asked meanwhile is answered then.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn slow_down(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut command = redis::cmd("CLIENT");
        command.arg("PAUSE").arg(millis).arg("ALL");
        command.exec_async(&mut self.connection().await).await.expect("redis-server is told");
    }

    /// Saves what the server holds, for the next start.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn save(&self) {
        let mut connection = self.connection().await;
        redis::cmd("SAVE").exec_async(&mut connection).await.expect("redis-server saves");
    }

    /// Ends the process at once (SIGKILL). What was not saved is lost.
    ///
    /// # Panics
    /// When the process cannot be ended.
    pub async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().await.expect("redis-server can be killed");
        }
    }

    /// Starts again: a running server with all that it held, a killed one with what it had saved.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn restart(&mut self) {
        if self.process.is_some() {
            self.save().await;
        }
        self.kill().await;
        self.launch().await.expect("redis-server starts again");
    }

    /// Starts again with nothing.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn restart_empty(&mut self) {
        self.kill().await;
        let dump = self.directory.path().join("dump.rdb");
        match tokio::fs::remove_file(dump).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                panic!("the saved data cannot be removed: {error}")
            }
            _ => {}
        }
        self.launch().await.expect("redis-server starts again");
    }

    async fn launch(&mut self) -> Result<(), String> {
        let mut command = Command::new(program());
        command
            .args(["--port", &self.port.to_string()])
            .args(["--bind", "127.0.0.1"])
            .args(["--save", ""])
            .args(["--appendonly", "no"])
            .args(["--dbfilename", "dump.rdb"])
            .args(["--repl-diskless-sync-delay", "0"])
            .args(&self.options);
        self.run(command).await
    }

    async fn run(&mut self, mut command: Command) -> Result<(), String> {
        let directory = self.directory.path();
        let process = command
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(output(directory))
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        match process {
            Ok(process) => self.process = Some(process),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => panic!(
                "there is no redis-server: install it (apt-get install redis-server), or name \
                 the program in REDIS_SERVER"
            ),
            Err(error) => return Err(error.to_string()),
        }
        self.await_answer().await
    }

    /// Waits until this very process answers, and not another that has the port.
    async fn await_answer(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(process) = &mut self.process
                && let Ok(Some(status)) = process.try_wait()
            {
                self.process = None;
                let said = std::fs::read_to_string(self.directory.path().join("output"));
                return Err(format!("it ended with {status}: {}", said.unwrap_or_default()));
            }
            let id = self.process.as_ref().and_then(Child::id).unwrap_or(0);
            if self.answering_process().await == Some(id) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(format!("no answer within {PATIENCE:?}"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn answering_process(&self) -> Option<u32> {
        let mut connection = self.try_connection().await.ok()?;
        let info: String =
            redis::cmd("INFO").arg("server").query_async(&mut connection).await.ok()?;
        let line = info.lines().find_map(|line| line.strip_prefix("process_id:"))?;
        line.trim().parse().ok()
    }

    async fn try_connection(&self) -> redis::RedisResult<MultiplexedConnection> {
        Box::pin(redis::Client::open(self.url())?.get_multiplexed_async_connection()).await
    }

    async fn signal(&self, name: &str) {
        let id = self.process.as_ref().and_then(Child::id).expect("redis-server runs");
        let status = Command::new("sh")
            .args(["-c", &format!("kill -{name} {id}")])
            .status()
            .await
            .expect("a shell runs");
        assert!(status.success(), "redis-server takes the signal {name}");
    }
}

fn program() -> PathBuf {
    std::env::var_os("REDIS_SERVER").map_or_else(|| "redis-server".into(), PathBuf::from)
}

fn output(directory: &Path) -> Stdio {
    std::fs::File::create(directory.join("output")).map_or_else(|_| Stdio::null(), Stdio::from)
}
