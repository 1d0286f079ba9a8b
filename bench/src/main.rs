//! Measures what Cordboard costs: CPU of a command and of a delivery, memory of a socket,
//! each beside a bare server that does the least that the same clients need.
//!
//! The client is this process, pinned to one core; every server is a process of its own, pinned to another.
//! Rounds are interleaved (bare, product, bare, product, …) and medians are printed. What counts is CPU time of the
//! processes as the kernel accounts it and their resident memory: both repeat within a few per cent on a machine on
//! which wall-clock time does not.

mod bare;
mod client;
mod pace;
mod process;
mod product;
mod report;
mod rows;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};

/// Measures what Cordboard costs, beside bare servers.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    plan: Plan,
}

/// What this process is when it is not the benchmark itself.
#[derive(Debug, Subcommand)]
enum Role {
    /// A bare WebSocket server that sends what it is given to all its sockets
    #[command(name = "bare-fanout", hide = true)]
    Fanout,
    /// A bare WebSocket server that forwards each message by a unary call
    #[command(name = "bare-proxy", hide = true)]
    Proxy {
        /// Where the upstream listens
        upstream: SocketAddr,
    },
    /// What the bare proxy calls
    #[command(name = "bare-upstream", hide = true)]
    Upstream,
}

/// What is measured.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Plan {
    /// Rows to measure; all of them by default
    #[arg(long, value_enum, value_delimiter = ',')]
    rows: Vec<Row>,
    /// Interleaved rounds of each row; medians are printed
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Sockets of the rows that do not say otherwise, 64 at least
    #[arg(long, default_value_t = 1_000)]
    sockets: usize,
    /// Sockets of rows 4 and 5
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Share of the work of a round that is done: less is quicker, and says less
    #[arg(long, default_value_t = 1.0)]
    share: f64,
    /// The program; by default the release build beside this one
    #[arg(long)]
    program: Option<PathBuf>,
    /// Core of the servers
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// Core of the client
    #[arg(long, default_value_t = 1)]
    client_core: usize,
}

/// A row of the table of aims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Row {
    /// CPU of the edge for a command, against a bare unary proxy
    #[value(name = "2")]
    Command,
    /// CPU of a delivery to many sockets, against a bare fan-out
    #[value(name = "3")]
    Fanout,
    /// CPU of a delivery to one socket of many, against the bare fan-out
    #[value(name = "3b")]
    Single,
    /// Memory of an idle socket
    #[value(name = "4")]
    Memory,
    /// CPU of many sockets that come back and resume
    #[value(name = "5")]
    Resume,
    /// CPU of an event on one, two and four edges
    #[value(name = "6")]
    Edges,
}

impl Plan {
    fn wants(&self, row: Row) -> bool {
        self.rows.is_empty() || self.rows.contains(&row)
    }

    fn program(&self) -> anyhow::Result<PathBuf> {
        if let Some(program) = &self.program {
            return Ok(program.clone());
        }
        let own = std::env::current_exe().context("this program does not know its own path")?;
        let program = own.with_file_name("cordboard");
        anyhow::ensure!(
            program.exists(),
            "there is no {}: build it with `cargo build --release --bins`, or name it with --program",
            program.display()
        );
        Ok(program)
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match arguments.role {
        Some(Role::Fanout) => runtime.block_on(bare::fanout::run()),
        Some(Role::Proxy { upstream }) => runtime.block_on(bare::proxy::run(upstream)),
        Some(Role::Upstream) => runtime.block_on(bare::upstream::run()),
        None => {
            process::pin_self(arguments.plan.client_core)?;
            runtime.block_on(rows::run(&arguments.plan))
        }
    }
}
