//! The command line.

mod admin;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use admin::{
    Admin, AdminTask, AsteriskConfig, Database, EntryTask, KeyTask, Look, OneOf, PartyTask,
    Reading, RoleTask, Shell, UserTask,
};

/// Real-time control over the calls of a telephone switch.
///
/// Applications (web switchboards, CRM click-to-dial, custom IVR, wallboards) speak
/// one JSON-RPC API over a WebSocket; behind it a mesh of small services talks to
/// the switch. `cordboard up` runs all of them in one process with a simulated
/// switch; `cordboard demo` shows what they do.
#[derive(Debug, Parser)]
#[command(name = "cordboard", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Starts every service in this process, with a simulated switch; nothing has to be installed
    Up(Up),
    /// Plays the scenarios against a system of its own and prints what happens
    Demo(Demo),
    /// Makes a call on a running system and checks what it is told of it
    Check(crate::commands::Check),
    /// Plays a person's hand on the simulated phones and the trunk
    Phone(Phone),
    /// Looks after the directory: customers, accounts, logins
    Admin(Admin),
    /// Runs the edge: WebSocket, REST twin, documents
    Edge(Service),
    /// Runs auth: sessions, rights, the directory
    Auth(Service),
    /// Runs callcontrol: commands on calls, lists of calls
    Callcontrol(Service),
    /// Runs conference: conferences on the spot
    Conference(Service),
    /// Runs the notifier: streams events to the edges
    Notifier(Service),
    /// Runs a switch node: the engine and its driver
    Switch(Service),
}

/// Where settings come from.
#[derive(Clone, Debug, Args)]
pub(crate) struct Settings {
    /// Configuration file
    #[arg(long, value_name = "FILE", env = "CORDBOARD_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Overrides one configuration key, e.g. `--set switch.lease=30s`; may be repeated
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub(crate) sets: Vec<String>,
}

/// `cordboard up`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Up {
    /// Address of the public port: WebSocket, REST, console [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Address of the admin port: probes and metrics [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin_listen: Option<SocketAddr>,
    /// Address of the simulator's control port [default: 127.0.0.1:9091]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) sim_listen: Option<SocketAddr>,
    /// Keeps nothing on disk, takes free ports, and prints one line of JSON when ready
    #[arg(long)]
    pub(crate) ephemeral: bool,
    /// Starts with an empty directory instead of the demo one
    #[arg(long)]
    pub(crate) no_demo: bool,
    /// Keeps events and state in this Redis, e.g. `redis://127.0.0.1:6379`
    #[arg(long, value_name = "URL")]
    pub(crate) redis: Option<String>,
    /// Keeps the directory in this database, e.g. `sqlite:///var/lib/cordboard/directory.db` or
    /// `postgres://cordboard@db.example/cordboard`
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,
    /// Which switch to drive
    #[arg(long = "switch", value_enum, value_name = "SWITCH")]
    pub(crate) driver: Option<SwitchDriver>,
    /// Where Asterisk's REST interface is, `http://user:password@host:8088`; without a password here,
    /// `switch.asterisk.password_file` has it. Implies Asterisk
    #[arg(long, value_name = "URL", env = "CORDBOARD_ARI", hide_env_values = true)]
    pub(crate) ari: Option<String>,
    /// Folder for what is kept on disk
    #[arg(long, value_name = "FOLDER", default_value = "cordboard-data")]
    pub(crate) data_dir: PathBuf,
    /// Factor on the simulator's times; 0 makes everything immediate
    #[arg(long, value_name = "FACTOR")]
    pub(crate) sim_speed: Option<f64>,
    /// Milliseconds that a number of the public network rings before it answers
    #[arg(long, value_name = "MS")]
    pub(crate) pstn_answer_ms: Option<u32>,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// What carries the voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SwitchDriver {
    /// The built-in simulator
    Sim,
    /// Asterisk 18 or newer, over its REST interface
    Asterisk,
}

/// One service in a process of its own.
#[derive(Clone, Debug, Args)]
pub(crate) struct Service {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Address of the admin port: probes and metrics
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin_listen: Option<SocketAddr>,
    /// Address of the simulator's control port (switch only)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) sim_listen: Option<SocketAddr>,
    /// Keeps events and state in this Redis
    #[arg(long, value_name = "URL")]
    pub(crate) redis: Option<String>,
    /// Keeps the directory in this database (auth only)
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,
    /// Which switch to drive (switch only)
    #[arg(long = "driver", value_enum, value_name = "SWITCH")]
    pub(crate) driver: Option<SwitchDriver>,
    /// Where Asterisk's REST interface is, `http://user:password@host:8088`; without a password here,
    /// `switch.asterisk.password_file` has it. Implies
    /// Asterisk (switch only)
    #[arg(long, value_name = "URL", env = "CORDBOARD_ARI", hide_env_values = true)]
    pub(crate) ari: Option<String>,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// `cordboard demo`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Demo {
    /// Plays this scenario alone; all of them by default
    #[arg(value_enum)]
    pub(crate) scenario: Option<Scenario>,
    /// On which switch: `asterisk` is a real one of the demo's own, with phones that speak SIP
    #[arg(long = "switch", value_enum, value_name = "SWITCH", default_value = "sim")]
    pub(crate) driver: SwitchDriver,
    /// Folder into which an Asterisk is unpacked, as `scripts/asterisk` does; without it, `asterisk` in `PATH`
    #[arg(long, value_name = "FOLDER", env = "CORDBOARD_ASTERISK")]
    pub(crate) asterisk: Option<PathBuf>,
    /// When to use colour
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) color: Color,
}

/// What `cordboard demo` can play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// An application calls, holds, resumes and ends a call
    Call,
    /// A call comes in from the public network and is answered by the application
    Incoming,
    /// An agent is busy: the application sends the call on, and it is handed over later
    Redirect,
    /// An agent is busy: the application sends the call to a queue, where another agent takes it
    Queue,
    /// Mary calls an access number; a program answers, asks for a number and tells her
    VisaCenter,
    /// Alice asks the bistro for a call: two numbers are called and connected
    Callback,
    /// A call becomes a conference: people are called in, the owner leaves, the others go on
    Conference,
    /// What is refused, and how
    Refusals,
    /// A client is cut off in the middle of a call and misses nothing
    Resume,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// `cordboard phone`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Phone {
    /// The simulator's control port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9091")]
    pub(crate) control: SocketAddr,
    #[command(subcommand)]
    pub(crate) hand: Hand,
}

/// A person's hand.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Hand {
    /// Shows what a phone does and what its user hears
    Show {
        /// The account, e.g. 101
        account: String,
    },
    /// Says how a phone takes calls from now on
    Set {
        /// The account, e.g. 101
        account: String,
        /// `answer_after`, `manual`, `busy`, `decline`, `no_answer` or `unregistered`
        behaviour: String,
        /// Milliseconds of ringing, with `answer_after`
        #[arg(long, value_name = "MS")]
        ms: Option<u32>,
    },
    /// Dials
    Dial {
        /// The account, e.g. 101
        account: String,
        /// What to dial
        destination: String,
    },
    /// Answers the call that rings longest
    Answer(OnPhone),
    /// Declines the call that rings longest
    Decline(OnPhone),
    /// Hangs up
    Hangup(OnPhone),
    /// Presses hold
    Hold(OnPhone),
    /// Takes the held call back
    Resume(OnPhone),
    /// Presses keys
    Dtmf {
        /// The account, e.g. 101
        account: String,
        /// The keys
        digits: String,
        /// Milliseconds between keys
        #[arg(long, value_name = "MS")]
        gap_ms: Option<u32>,
    },
    /// Lets a call come in from the public network
    Incoming {
        /// Who calls, e.g. 12065550100
        from: String,
        /// What is dialled, e.g. 101
        to: String,
        /// Name to show
        #[arg(long)]
        name: Option<String>,
    },
}

/// A hand on a call of a phone.
#[derive(Clone, Debug, Args)]
pub(crate) struct OnPhone {
    /// The account, e.g. 101
    pub(crate) account: String,
    /// The call, when the phone has several
    #[arg(long)]
    pub(crate) call_id: Option<String>,
}
