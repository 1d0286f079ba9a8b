//! The product: every service in a process of its own with a Redis, as in production, and a
//! directory with many accounts.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use mesh::ledger::redis::{RedisConfig, RedisLedger};
use mesh::ledger::{Commit, CommitError, Ledger as _, Writer, partition_of};
use mesh::testing::ports::free_address;
use mesh::testing::redis::RedisServer;
use prost::Message as _;
use proto::switch::v1::LogEntry;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::client;
use crate::process::{Server, cpu_of, pin};

/// The one customer.
pub(crate) const CUSTOMER: i64 = 1;

/// Its one queue.
pub(crate) const QUEUE: i64 = 1;

/// What every account logs in with.
const TOKEN: &str = "benchmark";

/// A password's hash that every login has to have; nobody knows a password for it.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Logins at a time.
const LOGINS: usize = 16;

/// A running product.
#[derive(Debug)]
pub(crate) struct Product {
    program: PathBuf,
    core: usize,
    redis: RedisServer,
    redis_pid: u32,
    /// Never asked, but alive as long as the product.
    _background: Vec<Server>,
    pub(crate) notifier: Server,
    pub(crate) edges: Vec<Server>,
    targets: Vec<String>,
    ledger: RedisLedger,
    writer: Writer,
    /// Access tokens of the accounts, by number.
    pub(crate) tokens: Vec<String>,
    _folder: TempDir,
}

/// CPU time of the processes between the log and the client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    pub(crate) edges: Duration,
    pub(crate) notifier: Duration,
    pub(crate) redis: Duration,
}

impl Path {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            edges: self.edges.saturating_sub(before.edges),
            notifier: self.notifier.saturating_sub(before.notifier),
            redis: self.redis.saturating_sub(before.redis),
        }
    }

    pub(crate) fn total(self) -> Duration {
        self.edges + self.notifier + self.redis
    }
}

impl Product {
    /// Starts everything with one edge, and logs `accounts` accounts in.
    pub(crate) async fn start(
        program: &std::path::Path,
        core: usize,
        accounts: usize,
    ) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let redis = RedisServer::start().await;
        let redis_pid = redis.process_id().context("the store runs")?;
        pin(redis_pid, core)?;
        let directory = folder.path().join("directory.toml");
        std::fs::write(&directory, directory_of(accounts))?;
        let database = format!("sqlite://{}", folder.path().join("directory.db").display());
        let import = std::process::Command::new(program)
            .args(["admin", "import"])
            .arg(&directory)
            .args(["--database", &database])
            .status()?;
        anyhow::ensure!(import.success(), "the directory is not imported");

        let names = ["auth", "notifier", "callcontrol", "conference"];
        let addresses = names.map(|_| free_address());
        let targets: Vec<String> = names
            .iter()
            .zip(&addresses)
            .flat_map(|(name, address)| {
                ["--set".to_owned(), format!("targets.{name}=[\"http://{address}\"]")]
            })
            .collect();
        let start = |service: &str, address: SocketAddr, more: &[&str]| {
            let mut arguments = arguments(service, address, &redis.url(), &targets);
            arguments.extend(more.iter().map(|text| (*text).to_owned()));
            Server::start(core, program, &arguments)
        };
        let [auth, notifier, callcontrol, conference] = addresses;
        let mut background = vec![start("auth", auth, &["--database", &database])?];
        let notifier = start("notifier", notifier, &[])?;
        let on_sim = ["--sim-listen", "127.0.0.1:0", "--set", "switch.sim.speed=0"];
        background.push(start("switch", free_address(), &on_sim)?);
        background.push(start("callcontrol", callcontrol, &[])?);
        background.push(start("conference", conference, &[])?);

        let url = redis.url();
        let ledger = RedisLedger::connect(RedisConfig { url, ..RedisConfig::default() }).await?;
        let mut product = Self {
            program: program.to_owned(),
            core,
            redis,
            redis_pid,
            _background: background,
            notifier,
            edges: Vec::new(),
            targets,
            ledger,
            writer: Writer {
                node: "benchmark".to_owned(),
                node_epoch: 1,
                sequence: 1,
                log_epoch: None,
            },
            tokens: Vec::new(),
            _folder: folder,
        };
        product.add_edge()?;
        product.log_in(accounts).await?;
        Ok(product)
    }

    /// Starts one more edge.
    pub(crate) fn add_edge(&mut self) -> anyhow::Result<()> {
        let arguments = arguments("edge", free_address(), &self.redis.url(), &self.targets);
        self.edges.push(Server::start(self.core, &self.program, &arguments)?);
        Ok(())
    }

    /// The address of an edge, round and round.
    pub(crate) fn edge(&self, number: usize) -> anyhow::Result<SocketAddr> {
        let edge = self.edges.get(number % self.edges.len()).context("there is an edge")?;
        edge.address("listen")
    }

    async fn log_in(&mut self, accounts: usize) -> anyhow::Result<()> {
        use futures::{StreamExt as _, TryStreamExt as _};
        let address = self.edge(0)?;
        self.tokens = futures::stream::iter(1..=accounts)
            .map(|number| async move { client::log_in(address, &account_id(number), TOKEN).await })
            .buffered(LOGINS)
            .try_collect()
            .await?;
        Ok(())
    }

    /// Writes events to the log, in one commit.
    pub(crate) async fn write(&mut self, entries: &[LogEntry]) -> anyhow::Result<()> {
        let partition = partition_of(CUSTOMER, self.ledger.partitions());
        let events: Vec<Bytes> = entries.iter().map(|entry| entry.encode_to_vec().into()).collect();
        loop {
            let commit = Commit {
                partition,
                writer: self.writer.clone(),
                require: Vec::new(),
                state: Vec::new(),
                index: Vec::new(),
                events: events.clone(),
                accounting: Vec::new(),
                renew_epoch: false,
            };
            match self.ledger.commit(&commit).await {
                Ok(committed) => {
                    self.writer.sequence += 1;
                    self.writer.log_epoch = Some(committed.epoch);
                    return Ok(());
                }
                Err(CommitError::EpochChanged(epoch)) => {
                    self.writer.sequence = 1;
                    self.writer.log_epoch = Some(epoch);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// CPU time used so far on the way of an event.
    pub(crate) fn path(&self) -> anyhow::Result<Path> {
        let mut edges = Duration::ZERO;
        for edge in &self.edges {
            edges += edge.cpu()?;
        }
        Ok(Path { edges, notifier: self.notifier.cpu()?, redis: cpu_of(self.redis_pid)? })
    }
}

/// The id of an account, which is its number and login.
pub(crate) fn account_id(number: usize) -> String {
    format!("{}", 10_000 + number)
}

fn arguments(service: &str, listen: SocketAddr, redis: &str, targets: &[String]) -> Vec<String> {
    let listen = listen.to_string();
    let fixed = ["--listen", &listen, "--admin-listen", "127.0.0.1:0", "--redis", redis];
    let mut arguments = vec![service.to_owned()];
    arguments.extend(fixed.map(ToOwned::to_owned));
    arguments.extend(targets.iter().cloned());
    arguments
}

/// A directory of one customer with so many accounts, each with a call control of its own and all
/// with sight of one queue.
fn directory_of(accounts: usize) -> String {
    let token: String = Sha256::digest(TOKEN).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let mut file = String::from(
        r#"
[[role]]
name = "benchmark"
call_control = "modify"

[[tariff]]
name = "Nothing"
currency = "USD"

[[tariff.rate]]
prefix = ""
price_per_minute = "0"

[[product]]
name = "Line"

[[product.rating]]
tariff = "Nothing"

[[customer]]
name = "Benchmark"
credit_limit = "1000000.00"
"#,
    );
    for number in 1..=accounts {
        let id = account_id(number);
        let _ = write!(
            file,
            r#"
[[customer.account]]
id = "{id}"
login = "{id}"
name = "Line {id}"
product = "Line"
role = "benchmark"
credit_limit = "100000.00"
password_hash = "{HASH}"
api_token_sha256 = "{token}"
"#
        );
    }
    file.push_str(
        r#"
[[customer.hunt_group]]
id = "340"
name = "Support"
queue = "Support"
"#,
    );
    // Whoever takes part in a queue may watch it.
    let agents: Vec<String> =
        (1..=accounts).map(|number| format!("\"{}\"", account_id(number))).collect();
    let _ = writeln!(file, "agents = [{}]", agents.join(", "));
    file
}
