//! `cordboard demo`: starts a system of its own and plays the scenarios against it
//! as any application would, over the WebSocket.

mod asterisk;
mod charges;
pub(crate) mod check;
mod client;
mod conference;
mod hands;
mod scenarios;
mod timeline;
mod visa_center;

use std::io::IsTerminal as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::asterisk::Asterisk;
use self::hands::{Hands, Sim, Sip};
use self::scenarios::Stage;
use self::timeline::Timeline;
use super::up;
use crate::cli::{Color, Demo, Scenario, Settings, SwitchDriver, Up};

/// Every scenario, in the order in which they are played.
const ALL: [Scenario; 9] = [
    Scenario::Call,
    Scenario::Incoming,
    Scenario::Redirect,
    Scenario::Queue,
    Scenario::VisaCenter,
    Scenario::Callback,
    Scenario::Conference,
    Scenario::Refusals,
    Scenario::Resume,
];

/// The demo is over after this time, whatever happens.
const PATIENCE: Duration = Duration::from_mins(2);

/// What is said of a demo that somebody stopped.
const STOPPED: &str = "stopped";

pub(super) async fn run(args: Demo) -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let mut playing = Box::pin(play(args, stop.clone()));
    tokio::select! {
        outcome = &mut playing => return outcome,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    // What was started ends, and its folders go. Who asks again does not want to wait.
    stop.cancel();
    tokio::select! {
        outcome = playing => outcome,
        _ = terminate.recv() => bail!(STOPPED),
        _ = interrupt.recv() => bail!(STOPPED),
    }
}

async fn play(args: Demo, stop: CancellationToken) -> anyhow::Result<()> {
    let in_colour = match args.color {
        Color::Auto => std::io::stdout().is_terminal(),
        Color::Always => true,
        Color::Never => false,
    };
    let timeline = Timeline::new(in_colour);
    let clients = TaskTracker::new();
    let (asterisk, sip) = match args.driver {
        SwitchDriver::Sim => (None, None),
        SwitchDriver::Asterisk => {
            let installation = asterisk::find(args.asterisk.as_deref())?;
            let starting = Box::pin(Asterisk::start(&installation, &clients));
            let (asterisk, sip) = stop.run_until_cancelled(starting).await.context(STOPPED)??;
            timeline.note("an Asterisk of its own is up, and the phones have registered there");
            (Some(asterisk), Some(sip))
        }
    };
    let scenarios = args.scenario.map_or_else(|| ALL.to_vec(), |one| vec![one]);
    let up = ephemeral(asterisk.as_ref());
    let outcome = Box::pin(play_on(up, sip, &scenarios, &timeline, clients, stop)).await;
    let ended = match asterisk {
        Some(asterisk) => asterisk.end().await,
        None => Ok(()),
    };
    outcome?;
    ended?;
    timeline.note("all scenarios played; `cordboard up` starts the same system for your own tries");
    Ok(())
}

/// Starts a system, plays on it, and stops it.
async fn play_on(
    up: Up,
    sip: Option<Sip>,
    scenarios: &[Scenario],
    timeline: &Timeline,
    clients: TaskTracker,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let system = Box::pin(up::start(up, stop.clone())).await?;
    let up::Addresses { public, admin, sim } = system.addresses();
    let playing = async {
        let hands = match (sip, sim) {
            (Some(sip), _) => {
                asterisk::until_heard(admin).await?;
                timeline.note(&format!("a system of its own drives it: API on ws://{public}/ws"));
                Hands::Sip(sip)
            }
            (None, sim) => {
                let sim = sim.context("the demo plays on the simulated phones")?;
                timeline.note(&format!(
                    "a system of its own is up: API on ws://{public}/ws, phones on http://{sim}/sim"
                ));
                Hands::Sim(Sim::new(sim))
            }
        };
        let stage = Stage { public, hands, timeline: timeline.clone(), tasks: clients.clone() };
        for scenario in scenarios {
            Box::pin(scenarios::play(&stage, *scenario)).await?;
        }
        charges::show(&stage, scenarios).await
    };
    let outcome = match stop.run_until_cancelled(tokio::time::timeout(PATIENCE, playing)).await {
        Some(Ok(outcome)) => outcome,
        Some(Err(_)) => Err(anyhow!("the demo did not end within {PATIENCE:?}")),
        None => Err(anyhow!(STOPPED)),
    };
    clients.close();
    stop.cancel();
    system.stopped().await?;
    outcome
}

fn ephemeral(asterisk: Option<&Asterisk>) -> Up {
    let mut sets = vec!["telemetry.filter=error".to_owned()];
    // Nobody's calls have to be looked after when it is stopped.
    for service in ["callcontrol", "conference", "edge", "notifier"] {
        sets.push(format!("{service}.drain_timeout=1s"));
    }
    let password = asterisk.map(|asterisk| asterisk.password_file().display().to_string());
    sets.extend(password.map(|file| format!("switch.asterisk.password_file={file}")));
    let manager = asterisk.map(|asterisk| asterisk.manager_password_file().display().to_string());
    sets.extend(manager.map(|file| format!("switch.asterisk.manager_password_file={file}")));
    let free = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    Up {
        listen: free,
        admin_listen: free,
        sim_listen: free,
        ephemeral: true,
        no_demo: false,
        redis: None,
        database: None,
        data_dir: "cordboard-data".into(),
        sim_speed: None,
        pstn_answer_ms: None,
        driver: asterisk.map(|_| SwitchDriver::Asterisk),
        ari: asterisk.map(Asterisk::ari),
        settings: Settings { config: None, sets },
    }
}
