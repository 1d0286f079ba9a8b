//! One module a subcommand.

mod admin;
mod demo;
mod phone;
mod service;
mod up;
mod web;

pub(crate) use self::demo::check::Check;
use crate::cli::{Cli, Command};
use crate::config::ServiceKind;

/// Runs what the command line asks for.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Up(args) => Box::pin(up::run(args)).await,
        Command::Demo(args) => Box::pin(demo::run(args)).await,
        Command::Check(args) => demo::check::run(args).await,
        Command::Phone(args) => phone::run(args).await,
        Command::Admin(args) => admin::run(args).await,
        Command::Edge(args) => Box::pin(service::run(ServiceKind::Edge, args)).await,
        Command::Auth(args) => Box::pin(service::run(ServiceKind::Auth, args)).await,
        Command::Callcontrol(args) => Box::pin(service::run(ServiceKind::Callcontrol, args)).await,
        Command::Conference(args) => Box::pin(service::run(ServiceKind::Conference, args)).await,
        Command::Notifier(args) => Box::pin(service::run(ServiceKind::Notifier, args)).await,
        Command::Switch(args) => Box::pin(service::run(ServiceKind::Switch, args)).await,
    }
}

/// Says on standard error why the program ends.
#[expect(clippy::print_stderr, reason = "the last word of a command-line program")]
pub(crate) fn say_error(error: &anyhow::Error) {
    eprintln!("cordboard: {error:#}");
}

/// Prints a line of the program's result on standard output.
#[expect(clippy::print_stdout, reason = "the result of a command-line program")]
pub(crate) fn say(line: impl std::fmt::Display) {
    println!("{line}");
}

/// Adds to the ready line where the edge serves one realm alone.
fn add_realms(line: &mut serde_json::Value, realms: &[(&'static str, std::net::SocketAddr)]) {
    if let (Some(line), false) = (line.as_object_mut(), realms.is_empty()) {
        let realms = realms.iter().map(
            |(realm, address)| serde_json::json!({"realm": realm, "listen": address.to_string()}),
        );
        line.insert("realms".to_owned(), realms.collect());
    }
}

/// Prints the program's result as it is. A reader that has had enough is no error.
pub(crate) fn say_raw(text: &str) {
    use std::io::Write as _;
    drop(std::io::stdout().write_all(text.as_bytes()));
}
