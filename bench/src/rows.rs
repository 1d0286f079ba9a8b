//! The rows of the table of aims.

mod command;
mod delivery;
mod edges;
mod memory;
mod resume;

use std::path::PathBuf;

use crate::process::Server;
use crate::report::{self, Line};
use crate::{Plan, Row};

/// What every row needs to know.
#[derive(Debug)]
struct Setting {
    program: PathBuf,
    own: PathBuf,
    core: usize,
    rounds: usize,
    sockets: usize,
    idle: usize,
    share: f64,
}

impl Setting {
    /// The part of so much that this run does, at least one.
    fn share_of(&self, whole: u64) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a small number"
        )]
        let part = (whole as f64 * self.share) as u64;
        part.max(1)
    }

    /// Starts this program in another role, on the servers' core.
    fn bare(&self, arguments: &[&str]) -> anyhow::Result<Server> {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        Server::start(self.core, &self.own, &arguments)
    }
}

/// Measures what the plan wants, and prints it.
pub(crate) async fn run(plan: &Plan) -> anyhow::Result<()> {
    anyhow::ensure!(plan.rounds > 0, "at least one round is needed");
    anyhow::ensure!(plan.sockets >= 64, "at least 64 sockets are needed");
    anyhow::ensure!(plan.share > 0.0 && plan.share <= 1.0, "the share is above 0 and at most 1");
    let setting = Setting {
        program: plan.program()?,
        own: std::env::current_exe()?,
        core: plan.server_core,
        rounds: plan.rounds,
        sockets: plan.sockets,
        idle: plan.idle,
        share: plan.share,
    };
    let mut lines: Vec<Line> = Vec::new();
    if plan.wants(Row::Command) {
        lines.extend(command::measure(&setting).await?);
    }
    if plan.wants(Row::Fanout) || plan.wants(Row::Single) {
        let all = delivery::measure(&setting).await?;
        lines.extend(all.into_iter().filter(|line| match line.row {
            "3" => plan.wants(Row::Fanout),
            _ => plan.wants(Row::Single),
        }));
    }
    if plan.wants(Row::Memory) {
        lines.extend(memory::measure(&setting).await?);
    }
    if plan.wants(Row::Resume) {
        lines.extend(resume::measure(&setting).await?);
    }
    if plan.wants(Row::Edges) {
        lines.extend(edges::measure(&setting).await?);
    }
    report::print(&lines);
    Ok(())
}
