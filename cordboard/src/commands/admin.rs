//! `cordboard admin`: looks after the directory.

use anyhow::Context as _;

use super::say;
use crate::cli::{Admin, AdminTask};
use crate::services;

pub(super) async fn run(args: Admin) -> anyhow::Result<()> {
    match args.task {
        AdminTask::Import { file, database } => {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("{} cannot be read", file.display()))?;
            let summary = services::import(&database, &text)
                .await
                .with_context(|| format!("{} was not imported", file.display()))?;
            say(summary);
        }
        AdminTask::DemoDirectory => say(services::DEMO_DIRECTORY.trim_end()),
        AdminTask::Config => say(crate::config::reference()),
        AdminTask::ApiReference => say(proto::doc::markdown().trim_end()),
    }
    Ok(())
}
