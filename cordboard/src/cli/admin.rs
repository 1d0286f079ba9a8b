//! What `cordboard admin` takes.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `cordboard admin`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Admin {
    #[command(subcommand)]
    pub(crate) task: AdminTask,
}

/// What `cordboard admin` can do.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AdminTask {
    /// Resellers: list, show, add, change, block, unblock
    #[command(visible_alias = "reseller", subcommand)]
    Resellers(PartyTask),
    /// Customers: list, show, add, change, block, unblock
    #[command(visible_alias = "customer", subcommand)]
    Customers(PartyTask),
    /// Accounts: list, show, add, change, block, unblock
    #[command(visible_alias = "account", subcommand)]
    Accounts(PartyTask),
    /// Everybody who may log in: list, show, add (administrators), change, block, unblock,
    /// set-password, set-role
    #[command(visible_alias = "user", subcommand)]
    Users(UserTask),
    /// What sessions may do: list, show, add, change, set
    #[command(visible_alias = "role", subcommand)]
    Roles(RoleTask),
    /// Numbers and what they lead to: list, show, add, change
    #[command(visible_alias = "number", subcommand)]
    Numbers(EntryTask),
    /// Hunt groups and their queues: list, show, add, change
    #[command(visible_alias = "hunt-group", subcommand)]
    HuntGroups(EntryTask),
    /// IVR applications and their access numbers: list, show, add, change
    #[command(visible_alias = "application", subcommand)]
    Applications(EntryTask),
    /// What is sold to accounts: list, show, add, change
    #[command(visible_alias = "product", subcommand)]
    Products(EntryTask),
    /// Prices: list, show, add, change
    #[command(visible_alias = "tariff", subcommand)]
    Tariffs(EntryTask),
    /// The keys that sign access tokens: list, rotate
    #[command(visible_alias = "key", subcommand)]
    Keys(KeyTask),
    /// Reads a directory file (the format of the demo directory) into the database, all or nothing
    Import {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        database: Database,
    },
    /// Writes the directory as a file that `import` reads, with the hashes of passwords
    Export {
        /// The file, closed to other users; `-` for standard output
        file: PathBuf,
        #[command(flatten)]
        database: Database,
    },
    /// Writes a configuration of Asterisk for the accounts of the directory
    AsteriskConfig(AsteriskConfig),
    /// Says why a session did not get an event: asks edges on their admin ports
    Explain {
        /// The event's `event_id`
        event_id: String,
        /// The session's `session_id`
        #[arg(long, value_name = "SESSION_ID")]
        session: String,
        /// Admin ports of the edges; a name that stands for several addresses means them all
        #[arg(
            long,
            value_name = "HOST:PORT",
            value_delimiter = ',',
            default_value = "127.0.0.1:9090"
        )]
        admin: Vec<String>,
    },
    /// Prints the demo directory, to start a directory of your own from
    DemoDirectory,
    /// Prints which command is taken in which state, as Markdown
    StateTable,
    /// Prints every configuration key with its default
    Config,
    /// Prints the reference of the API as Markdown
    ApiReference,
    /// Prints every metric with its labels, as Markdown
    Metrics {
        /// As JSON, with every value of every label
        #[arg(long)]
        json: bool,
    },
    /// Prints what a shell needs to complete this program's words
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
}

/// `cordboard admin asterisk-config`.
#[derive(Clone, Debug, Args)]
pub(crate) struct AsteriskConfig {
    /// Folder for the files; made when it is not there. Passwords in it are kept
    pub(crate) folder: PathBuf,
    /// Where Asterisk answers Cordboard
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8088")]
    pub(crate) ari_listen: SocketAddr,
    /// Where Asterisk answers phones and the trunk
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:5060")]
    pub(crate) sip_listen: SocketAddr,
    /// Ports for audio
    #[arg(long, value_name = "FIRST-LAST", default_value = "10000-20000", value_parser = ports)]
    pub(crate) rtp: (u16, u16),
    /// The provider of the public network, e.g. `sip.provider.example` or `192.0.2.1:5080`; without
    /// one there is no trunk
    #[arg(long, value_name = "HOST[:PORT]", value_parser = host)]
    pub(crate) trunk: Option<String>,
    /// Phones can be made to answer by `answer_call`: they follow a NOTIFY with `Event: talk`, as those of Polycom,
    /// Snom and Yealink do when their configuration lets them. Opens Asterisk's manager interface on this machine or
    /// address, with one user
    #[arg(long)]
    pub(crate) talk: bool,
    /// Name of this Asterisk's Cordboard node (`switch.node`), when there are several
    #[arg(long, value_name = "NAME", value_parser = node)]
    pub(crate) node: Option<String>,
    /// Another node, and where its Asterisk answers; once for each
    #[arg(
        long,
        value_name = "NAME=HOST:PORT",
        value_parser = peer,
        requires_all = ["node", "peer_password_file"]
    )]
    pub(crate) peer: Vec<Peer>,
    /// File with the password with which all these Asterisks know each other
    #[arg(long, value_name = "FILE")]
    pub(crate) peer_password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) database: Database,
}

/// The Asterisk of another node.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Name of the node.
    pub(crate) node: String,
    /// `host:port`
    pub(crate) address: String,
}

/// Ports from an even one on, as audio and its control share a pair.
fn node(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    is_name.then(|| text.to_owned()).ok_or_else(|| "has to be letters, digits, hyphens".to_owned())
}

fn peer(text: &str) -> Result<Peer, String> {
    let (name, address) = text.split_once('=').ok_or("has to be NAME=HOST:PORT")?;
    Ok(Peer { node: node(name)?, address: host(address)? })
}

fn ports(text: &str) -> Result<(u16, u16), String> {
    let wrong = || "has to be two ports, e.g. `10000-20000`, the lower one first".to_owned();
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let (first, last): (u16, u16) = first.parse().ok().zip(last.parse().ok()).ok_or_else(wrong)?;
    if first < 1024 || first >= last {
        return Err(wrong());
    }
    Ok((first, last))
}

/// A name that stands in a configuration file as it is.
fn host(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    if text.is_empty() || !text.chars().all(is_plain) {
        return Err("has to be a host or an address, with or without a port".to_owned());
    }
    Ok(text.to_owned())
}

/// Where the directory is.
#[derive(Clone, Debug, Args)]
pub(crate) struct Database {
    /// The database: `sqlite://PATH` or `postgres://USER@HOST/DATABASE`
    #[arg(
        long = "database",
        value_name = "URL",
        default_value = "sqlite://cordboard-data/directory.db"
    )]
    pub(crate) url: String,
    /// File with the password of the database's user
    #[arg(long, value_name = "FILE")]
    pub(crate) database_password_file: Option<PathBuf>,
}

impl Database {
    /// The settings of the directory.
    pub(crate) fn settings(&self) -> auth::Database {
        auth::Database {
            password_file: self.database_password_file.clone(),
            ..auth::Database::at(self.url.as_str())
        }
    }
}

/// Where the directory is, and how to print what is in it.
#[derive(Clone, Debug, Args)]
pub(crate) struct Reading {
    #[command(flatten)]
    pub(crate) database: Database,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// One thing of the directory.
#[derive(Clone, Debug, Args)]
pub(crate) struct OneOf {
    /// Its name, login, number or id, as the list shows it
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) database: Database,
}

/// Looks at the directory.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Look {
    /// Lists all
    List(Reading),
    /// Shows everything about one
    Show {
        /// Its name, login, number or id, as the list shows it
        id: String,
        #[command(flatten)]
        reading: Reading,
    },
}

/// A new entry of the directory.
#[derive(Clone, Debug, Args)]
pub(crate) struct Add {
    /// Its name; of an account its id, of an administrator its login, else its number
    pub(crate) id: String,
    /// The customer to which an account, hunt group, application or number belongs
    #[arg(long, value_name = "CUSTOMER")]
    pub(crate) customer: Option<String>,
    /// Keys as in a directory file, e.g. `name=Eve product=Line credit_limit=10`; of a number
    /// `to=account:101` or `to=application:NAME`
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) keys: Vec<String>,
    /// File with the password of its login; a line break at its end does not count
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) database: Database,
}

/// What becomes of an entry of the directory.
#[derive(Clone, Debug, Args)]
pub(crate) struct Change {
    /// Its name, login, number or id, as the list shows it
    pub(crate) id: String,
    /// Keys as in a directory file; lists also take `KEY+=VALUE` and `KEY-=VALUE`, an empty value
    /// takes the key away
    #[arg(required = true, value_name = "KEY=VALUE")]
    pub(crate) keys: Vec<String>,
    #[command(flatten)]
    pub(crate) database: Database,
}

/// Looks at entries, adds and changes them.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum EntryTask {
    #[command(flatten)]
    Look(Look),
    /// Adds one
    Add(Add),
    /// Changes one; sessions that it narrows or ends follow within a second
    Change(Change),
}

/// What can be done to resellers, customers and accounts.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum PartyTask {
    #[command(flatten)]
    Entry(EntryTask),
    /// Refuses logins and calls; sessions of it and of what is below it end within a second
    Block(OneOf),
    /// Takes the block away
    Unblock(OneOf),
}

/// What can be done to a user.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum UserTask {
    #[command(flatten)]
    Entry(EntryTask),
    /// Refuses its logins, and with them its calls; its sessions end within a second
    Block(OneOf),
    /// Takes the block away
    Unblock(OneOf),
    /// Gives it another password, read from standard input; its sessions end within a second
    SetPassword {
        #[command(flatten)]
        user: OneOf,
        /// Reads the password from this file instead; a line break at its end does not count
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Gives it another role; its sessions follow within a second
    SetRole {
        /// Its login, or e.g. `account:1`
        login: String,
        /// The role; `default` for that of its realm
        role: String,
        #[command(flatten)]
        database: Database,
    },
}

/// What can be done to a role.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum RoleTask {
    #[command(flatten)]
    Entry(EntryTask),
    /// Sets what it grants; sessions with it follow within a second
    Set {
        /// Its name
        name: String,
        /// E.g. `call_control=read`; the levels are `none`, `read`, `modify` and `default`
        #[arg(required = true, value_name = "COMPONENT=LEVEL")]
        grants: Vec<String>,
        /// Makes the role when it is not there
        #[arg(long)]
        create: bool,
        #[command(flatten)]
        database: Database,
    },
}

/// What can be done about signing keys.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum KeyTask {
    /// Lists those that are published
    List(Reading),
    /// Makes another one, which signs from a few seconds on; nobody is logged out
    Rotate {
        #[command(flatten)]
        database: Database,
    },
}

/// A shell that completes words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// GNU Bash
    Bash,
    /// The Z shell
    Zsh,
    /// Fish
    Fish,
}
