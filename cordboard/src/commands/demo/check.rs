//! `cordboard check`: makes a call on a running system, as any application would, and checks what
//! it is told of it. It ends well when the call was made, seen and ended.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::client::Client;
use super::timeline::Timeline;

/// `cordboard check`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Check {
    /// Where the edge listens, without TLS
    #[arg(value_name = "HOST:PORT")]
    edge: String,
    /// Who logs in
    #[arg(long, default_value = "easymobile")]
    login: String,
    /// File with the password; without it that of the demo directory is taken
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Whose phone calls
    #[arg(long, value_name = "ACCOUNT", default_value = "101")]
    account: String,
    /// Whom it calls; somebody, or something, has to answer
    #[arg(long, value_name = "NUMBER", default_value = "102")]
    destination: String,
}

pub(in crate::commands) async fn run(args: Check) -> anyhow::Result<()> {
    let password = match &args.password_file {
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read", path.display()))?,
        None => "cordboard".to_owned(),
    };
    let timeline = Timeline::new(std::io::stdout().is_terminal());
    let tasks = TaskTracker::new();
    let mut client =
        Client::connect(&args.login, args.edge.as_str(), timeline.clone(), &tasks).await?;
    let login = json!({"login": args.login, "password": password.trim_end()});
    client.call("Session/login", login).await?;
    client.call("CallControl/enable_api_notifications", json!({})).await?;

    let params = json!({"account_id": args.account, "destination": args.destination});
    let begun = client.call("CallControl/originate_call", params).await?;
    let call = begun.pointer("/call/id").cloned().context("the answer names no call")?;
    for _ in 0..2 {
        until(&mut client, &call, "connected").await?;
    }
    let ending = json!({"call": {"id": call}});
    client.call("CallControl/terminate_call", ending).await?;
    for _ in 0..2 {
        until(&mut client, &call, "terminated").await?;
    }
    let ended = client.try_call("CallControl/get_call_info", json!({"call": {"id": call}})).await?;
    ensure!(ended.is_err(), "the call is still there: {ended:?}");
    timeline.check("the call was made, told of and ended");
    Ok(())
}

/// Waits for a state of a leg of the call.
async fn until(client: &mut Client, call: &Value, state: &str) -> anyhow::Result<()> {
    client
        .until(state, |_, params| {
            params.pointer("/call_info/call/id") == Some(call)
                && params.pointer("/call_info/state").and_then(Value::as_str) == Some(state)
        })
        .await?;
    Ok(())
}
