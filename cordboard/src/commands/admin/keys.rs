//! The keys that sign access tokens.

use auth::keyring::{self, LEAD, Use};
use mesh::Clock;
use proto::json::format_date_time;
use serde_json::json;

use super::{open, say, say_raw, table};
use crate::cli::{KeyTask, Reading};

pub(super) async fn run(task: KeyTask) -> anyhow::Result<()> {
    match task {
        KeyTask::List(reading) => list(&reading).await,
        KeyTask::Rotate { database } => {
            let directory = open(&database).await?;
            let kid = keyring::rotate(&*directory, Clock::system().now()).await?;
            say(format_args!("key {kid}: signs in {} s; tokens stay good", LEAD.as_secs()));
            Ok(())
        }
    }
}

async fn list(reading: &Reading) -> anyhow::Result<()> {
    let keys = open(&reading.database).await?.keys().await?;
    let uses = keyring::uses(&keys, Clock::system().now());
    let rows: Vec<Vec<String>> = keys
        .iter()
        .zip(uses)
        .map(|(key, used_for)| {
            let used_for = match used_for {
                Use::Coming => "coming",
                Use::Signing => "signing",
                Use::Verifying => "verifying",
            };
            vec![key.kid.clone(), format_date_time(key.created_at.as_micros()), used_for.to_owned()]
        })
        .collect();
    if reading.json {
        let objects: Vec<_> = rows
            .iter()
            .map(|row| json!({"kid": row.first(), "made": row.get(1), "state": row.get(2)}))
            .collect();
        say_raw(&(serde_json::to_string_pretty(&objects)? + "\n"));
    } else {
        say_raw(&table::rows(&["kid", "made", "state"], rows));
    }
    Ok(())
}
