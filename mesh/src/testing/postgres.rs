//! A real `PostgreSQL` of one's own: on a free port, in a directory that goes with it, and ended
//! when dropped. Tests stop it and start it again with what it had.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails where its server does")]

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use super::ports;

/// How long a server may take to answer after its start, on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// Ports that are tried, as somebody else may take one between its choice and the start.
const ATTEMPTS: u32 = 5;

/// Who owns everything there; it needs no password.
const OWNER: &str = "cordboard";

/// The system's user that runs the server when the tests are root's: it refuses to be root.
const SYSTEM_USER: &str = "postgres";

/// Nothing of it has to outlive the machine, so nothing waits for a disk; what is committed outlives
/// the server.
const SETTINGS: &str = "
    listen_addresses = '127.0.0.1'
    max_connections = 60
    shared_buffers = '16MB'
    fsync = off
    full_page_writes = off
    autovacuum = off
    log_timezone = 'UTC'
    timezone = 'UTC'
";

/// Whoever else than the owner wants in needs a password.
const WHO_MAY_ENTER: &str = "
    local all all trust
    host all cordboard 127.0.0.1/32 trust
    host all all 127.0.0.1/32 scram-sha-256
";

/// A running server.
#[derive(Debug)]
pub struct PostgresServer {
    directory: TempDir,
    port: u16,
    process: Option<Child>,
}

impl PostgresServer {
    /// Starts a server without a database. The programs are those of `$POSTGRES_BIN`, else of the
    /// path, else of the newest below `/usr/lib/postgresql`.
    ///
    /// # Panics
    /// When there are no such programs or the server does not start.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        if let Some((user, group)) = system_user() {
            chown(directory.path(), Some(user), Some(group)).expect("the directory is given away");
        }
        let mut server = Self { directory, port: 0, process: None };
        server.initialise();
        let mut failure = String::new();
        for _ in 0..ATTEMPTS {
            server.port = ports::free_tcp();
            match server.launch().await {
                Ok(()) => return server,
                Err(reason) => failure = reason,
            }
        }
        panic!("PostgreSQL does not start: {failure}");
    }

    /// URL of a database; the same after a restart.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url_of(OWNER, database)
    }

    /// URL of a database for another user than the owner.
    #[must_use]
    pub fn url_of(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database and returns its URL.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn create(&self, database: &str) -> String {
        self.run("postgres", &format!("CREATE DATABASE {database}"));
        self.url(database)
    }

    /// Runs statements as the owner.
    ///
    /// # Panics
    /// When they fail.
    pub fn run(&self, database: &str, statements: &str) {
        let output = Command::new(program("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--command", statements])
            .arg(self.url(database))
            .stdin(Stdio::null())
            .output();
        check(&output.expect("psql runs"));
    }

    /// Ends the process as a machine that fails would: at once, and connections with it.
    ///
    /// # Panics
    /// When the process cannot be ended.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let id = process.id().to_string();
            signal("QUIT", &id);
            // One that is paused would never hear of it.
            signal("CONT", &id);
            process.wait().expect("the server ends");
        }
    }

    /// Starts again with all that was there.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn restart(&mut self) {
        self.stop();
        self.launch().await.expect("PostgreSQL starts again");
    }

    /// Stops all its processes where they are: connections stay open and nothing is answered.
    ///
    /// # Panics
    /// When it does not run.
    pub fn pause(&self) {
        self.signal_all("STOP");
    }

    /// Lets paused processes go on.
    ///
    /// # Panics
    /// When it does not run.
    pub fn resume(&self) {
        self.signal_all("CONT");
    }

    fn signal_all(&self, name: &str) {
        let id = self.process.as_ref().expect("the server runs").id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        for process in format!("{id} {}", children.unwrap_or_default()).split_whitespace() {
            signal(name, process);
        }
    }

    fn initialise(&self) {
        let data = self.data();
        let output = as_server("initdb")
            .args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"])
            .args(["--username", OWNER])
            .arg("--pgdata")
            .arg(&data)
            .stdin(Stdio::null())
            .output();
        let output = output.unwrap_or_else(|error| {
            panic!(
                "there is no PostgreSQL ({error}): install it (apt-get install postgresql), or \
                 name the folder of its programs in POSTGRES_BIN"
            )
        });
        check(&output);
        let write = |file: &str, text: &str| std::fs::write(data.join(file), text);
        write("pg_hba.conf", WHO_MAY_ENTER).expect("the server's access list is written");
        write("postgresql.conf", SETTINGS).expect("the server's settings are written");
    }

    async fn launch(&mut self) -> Result<(), String> {
        let said = std::fs::File::create(self.directory.path().join("output"));
        let process = as_server("postgres")
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string()])
            .args(["-k", &self.directory.path().to_string_lossy()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said.map_or_else(|_| Stdio::null(), Stdio::from))
            .spawn();
        self.process = Some(process.map_err(|error| error.to_string())?);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(process) = &mut self.process
                && let Ok(Some(status)) = process.try_wait()
            {
                self.process = None;
                let said = std::fs::read_to_string(self.directory.path().join("output"));
                return Err(format!("it ended with {status}: {}", said.unwrap_or_default()));
            }
            // The last line of this file says how far the server is.
            let state = std::fs::read_to_string(self.data().join("postmaster.pid"));
            if state.is_ok_and(|state| state.lines().nth(7).is_some_and(|it| it.trim() == "ready"))
            {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(format!("not ready within {PATIENCE:?}"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A program of the server, run by whom it accepts. It ends with the thread that started it.
fn as_server(name: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if system_user().is_some() {
        command.args(["--reuid", SYSTEM_USER, "--regid", SYSTEM_USER, "--clear-groups"]);
    }
    command.arg(program(name));
    // What this user's own clients are told must not reach the server.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PG")) {
        command.env_remove(name);
    }
    command.current_dir("/");
    command
}

/// The system's user for the server and its group, when the tests are root's.
fn system_user() -> Option<(u32, u32)> {
    let own = std::fs::metadata("/proc/self").expect("this process has a user").uid();
    if own != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("the system has users");
    let user = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(SYSTEM_USER)).then_some(())?;
        let user = fields.nth(1)?.parse().ok()?;
        Some((user, fields.next()?.parse().ok()?))
    });
    Some(user.expect("the system has a user `postgres`, as its package makes one"))
}

fn program(name: &str) -> PathBuf {
    let is_there = |folder: &Path| folder.join(name).is_file();
    if let Some(folder) = std::env::var_os("POSTGRES_BIN") {
        return Path::new(&folder).join(name);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| is_there(&folder)) {
        return name.into();
    }
    // Debian keeps a server's programs off the path, by version.
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())))
        .map(|(version, folder)| (version, folder.join("bin")))
        .filter(|(_, folder)| is_there(folder))
        .collect();
    folders.sort();
    folders.pop().map_or_else(|| name.into(), |(_, folder)| folder.join(name))
}

fn signal(name: &str, process: &str) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {process}")]).status();
    assert!(status.expect("a shell runs").success(), "the server takes the signal {name}");
}

fn check(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
