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

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::asterisk::Asterisk;
use self::hands::{Hands, Sim};
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

pub(super) async fn run(args: Demo) -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // An Asterisk of its own ends with the play, and its folder goes.
    tokio::select! {
        outcome = Box::pin(play(args)) => outcome,
        _ = terminate.recv() => bail!("stopped"),
        _ = interrupt.recv() => bail!("stopped"),
    }
}

async fn play(args: Demo) -> anyhow::Result<()> {
    let in_colour = match args.color {
        Color::Auto => std::io::stdout().is_terminal(),
        Color::Always => true,
        Color::Never => false,
    };
    let timeline = Timeline::new(in_colour);
    let (stop, clients) = (CancellationToken::new(), TaskTracker::new());
    let (asterisk, sip) = match args.driver {
        SwitchDriver::Sim => (None, None),
        SwitchDriver::Asterisk => {
            let installation = asterisk::find(args.asterisk.as_deref())?;
            let (asterisk, sip) = Box::pin(Asterisk::start(&installation, &clients)).await?;
            timeline.note("an Asterisk of its own is up, and the phones have registered there");
            (Some(asterisk), Some(sip))
        }
    };
    let system = Box::pin(up::start(ephemeral(asterisk.as_ref()), stop.clone())).await?;
    let addresses = system.addresses();
    let public = addresses.public;
    let hands = match (sip, addresses.sim) {
        (Some(sip), _) => {
            asterisk::until_heard(addresses.admin).await?;
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

    let scenarios = args.scenario.map_or_else(|| ALL.to_vec(), |one| vec![one]);
    let stage = Stage { public, hands, timeline: timeline.clone(), tasks: clients.clone() };
    let playing = async {
        for scenario in &scenarios {
            Box::pin(scenarios::play(&stage, *scenario)).await?;
        }
        charges::show(&stage, &scenarios).await
    };
    let outcome = tokio::time::timeout(PATIENCE, playing)
        .await
        .unwrap_or_else(|_| Err(anyhow::anyhow!("the demo did not end within {PATIENCE:?}")));
    drop(stage);
    clients.close();
    stop.cancel();
    system.stopped().await?;
    if let Some(asterisk) = asterisk {
        asterisk.end().await?;
    }
    outcome?;
    timeline.note("all scenarios played; `cordboard up` starts the same system for your own tries");
    Ok(())
}

fn ephemeral(asterisk: Option<&Asterisk>) -> Up {
    let mut sets = vec!["telemetry.filter=error".to_owned()];
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
