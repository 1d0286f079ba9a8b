//! `cordboard admin`: looks after the directory.

pub(super) mod asterisk_config;
mod explain;
pub(super) mod files;
mod keys;
mod table;

use std::sync::Arc;

use anyhow::Context as _;
use auth::admin::{self, Kind};
use auth::domain::access::{Component, DEFAULT_ROLE, Level};
use auth::domain::directory::Directory;
use clap::CommandFactory as _;
use mesh::Clock;

use super::{say, say_raw};
use crate::cli::{
    Admin, AdminTask, Cli, Database, EntryTask, Look, OneOf, PartyTask, RoleTask, Shell, UserTask,
};
use crate::{metrics, services};

pub(super) async fn run(args: Admin) -> anyhow::Result<()> {
    match args.task {
        AdminTask::Resellers(task) => party(Kind::Reseller, task).await,
        AdminTask::Customers(task) => party(Kind::Customer, task).await,
        AdminTask::Accounts(task) => party(Kind::Account, task).await,
        AdminTask::Users(task) => user(task).await,
        AdminTask::Roles(task) => role(task).await,
        AdminTask::Numbers(task) => entry(Kind::Number, task).await,
        AdminTask::HuntGroups(task) => entry(Kind::HuntGroup, task).await,
        AdminTask::Applications(task) => entry(Kind::Application, task).await,
        AdminTask::Products(task) => entry(Kind::Product, task).await,
        AdminTask::Tariffs(task) => entry(Kind::Tariff, task).await,
        AdminTask::Keys(task) => keys::run(task).await,
        AdminTask::Import { file, database } => files::import(&file, &database).await,
        AdminTask::Export { file, database } => files::export(&file, &database).await,
        AdminTask::AsteriskConfig(args) => asterisk_config::write(&args).await,
        AdminTask::Explain { event_id, session, admin } => {
            explain::ask(&admin, &event_id, &session).await
        }
        AdminTask::DemoDirectory => {
            say(services::DEMO_DIRECTORY.trim_end());
            Ok(())
        }
        AdminTask::StateTable => {
            say(switch::domain::state_table().trim_end());
            Ok(())
        }
        AdminTask::Config => {
            say(crate::config::reference());
            Ok(())
        }
        AdminTask::Metrics { json } => {
            say(if json { metrics::json() } else { metrics::reference() });
            Ok(())
        }
        AdminTask::ApiReference => {
            say(proto::doc::markdown().trim_end());
            Ok(())
        }
        AdminTask::Completions { shell } => completions(shell),
    }
}

/// Opens a directory that has to be there.
async fn open(database: &Database) -> anyhow::Result<Arc<dyn Directory>> {
    let settings = database.settings();
    anyhow::ensure!(
        !auth::store::is_new(&settings).await,
        "there is no database `{}`; give `--database URL`, or make one with \
         `cordboard admin import FILE`",
        settings.url
    );
    auth::store::open(&settings, &Clock::system()).await.context("database")
}

async fn look(kind: Kind, task: Look) -> anyhow::Result<()> {
    match task {
        Look::List(reading) => {
            let directory = open(&reading.database).await?;
            let records = admin::list(&*directory, kind).await?;
            say_raw(&if reading.json {
                table::json_list(&records)?
            } else {
                table::list(kind.columns(), &records)
            });
        }
        Look::Show { id, reading } => {
            let directory = open(&reading.database).await?;
            let record = admin::show(&*directory, kind, &id).await?;
            say_raw(&if reading.json { table::json_one(&record)? } else { table::one(&record) });
        }
    }
    Ok(())
}

async fn entry(kind: Kind, task: EntryTask) -> anyhow::Result<()> {
    match task {
        EntryTask::Look(task) => look(kind, task).await,
        EntryTask::Add(it) => {
            let keys = assignments(&it.keys)?;
            let directory = open(&it.database).await?;
            let password = match &it.password_file {
                Some(file) => Some(files::password(Some(file))?),
                None => None,
            };
            let (customer, password) = (it.customer.as_deref(), password.as_ref());
            let now = Clock::system().now();
            admin::add(&*directory, kind, &it.id, customer, &keys, password, now).await?;
            say(format_args!("{kind} {}: added", it.id));
            Ok(())
        }
        EntryTask::Change(it) => {
            let keys = assignments(&it.keys)?;
            let directory = open(&it.database).await?;
            let now = Clock::system().now();
            let is_changed = admin::change(&*directory, kind, &it.id, &keys, now).await?;
            say_change(&format!("{kind} {}", it.id), "as asked for", is_changed);
            Ok(())
        }
    }
}

fn assignments(keys: &[String]) -> Result<Vec<admin::Assignment>, admin::AdminError> {
    keys.iter().map(|text| text.parse()).collect()
}

async fn party(kind: Kind, task: PartyTask) -> anyhow::Result<()> {
    match task {
        PartyTask::Entry(task) => entry(kind, task).await,
        PartyTask::Block(it) => block(kind, &it, true).await,
        PartyTask::Unblock(it) => block(kind, &it, false).await,
    }
}

async fn block(kind: Kind, it: &OneOf, is_blocked: bool) -> anyhow::Result<()> {
    let directory = open(&it.database).await?;
    let now = Clock::system().now();
    let is_changed = admin::set_blocked(&*directory, kind, &it.id, is_blocked, now).await?;
    let state = if is_blocked { "blocked" } else { "not blocked" };
    say_change(&format!("{kind} {}", it.id), state, is_changed);
    Ok(())
}

async fn user(task: UserTask) -> anyhow::Result<()> {
    match task {
        UserTask::Entry(task) => entry(Kind::User, task).await,
        UserTask::Block(it) => block(Kind::User, &it, true).await,
        UserTask::Unblock(it) => block(Kind::User, &it, false).await,
        UserTask::SetPassword { user, password_file } => {
            let directory = open(&user.database).await?;
            // A login that is not there is told before a password is asked for.
            admin::show(&*directory, Kind::User, &user.id).await?;
            let password = files::password(password_file.as_deref())?;
            let now = Clock::system().now();
            admin::set_password(&*directory, &user.id, &password, now).await?;
            say(format_args!("user {}: another password, sessions ended", user.id));
            Ok(())
        }
        UserTask::SetRole { login, role, database } => {
            let directory = open(&database).await?;
            let now = Clock::system().now();
            let is_changed = admin::set_role(&*directory, &login, &role, now).await?;
            say_change(&format!("user {login}"), &format!("role {role}"), is_changed);
            Ok(())
        }
    }
}

async fn role(task: RoleTask) -> anyhow::Result<()> {
    match task {
        RoleTask::Entry(task) => entry(Kind::Role, task).await,
        RoleTask::Set { name, grants, create, database } => {
            let grants = grants.iter().map(|text| grant(text)).collect::<Result<Vec<_>, _>>()?;
            let directory = open(&database).await?;
            let now = Clock::system().now();
            let changed = admin::grant(&*directory, &name, &grants, create, now).await;
            let is_changed = match changed {
                Err(error @ admin::AdminError::Unknown { .. }) => {
                    return Err(error).context("`--create` makes a role that is not there");
                }
                changed => changed?,
            };
            say_change(&format!("role {name}"), "as asked for", is_changed);
            Ok(())
        }
    }
}

/// Reads `call_control=read`.
fn grant(text: &str) -> anyhow::Result<(Component, Option<Level>)> {
    let (component, level) = text
        .split_once('=')
        .with_context(|| format!("`{text}` must be COMPONENT=LEVEL, like `call_control=read`"))?;
    let component = component
        .parse()
        .with_context(|| format!("`{component}` in `{text}` is not known here"))?;
    let level = match level {
        DEFAULT_ROLE => None,
        level => Some(level.parse().with_context(|| {
            format!("`{level}` in `{text}` is not known here; beside `default` it")
        })?),
    };
    Ok((component, level))
}

fn say_change(what: &str, state: &str, is_changed: bool) {
    let before = if is_changed { "" } else { " (as before)" };
    say(format_args!("{what}: {state}{before}"));
}

fn completions(shell: Shell) -> anyhow::Result<()> {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cordboard", &mut script);
    say_raw(&String::from_utf8(script)?);
    Ok(())
}
