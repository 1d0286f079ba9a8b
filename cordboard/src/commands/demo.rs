//! `cordboard demo`: starts a system of its own and plays the scenarios against it
//! as any application would, over the WebSocket.

mod charges;
pub(crate) mod check;
mod client;
mod conference;
mod scenarios;
mod timeline;
mod visa_center;

use std::io::IsTerminal as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::scenarios::Stage;
use self::timeline::Timeline;
use super::up;
use crate::cli::{Color, Demo, Scenario, Settings, Up};

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
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) async fn run(args: Demo) -> anyhow::Result<()> {
    let in_colour = match args.color {
        Color::Auto => std::io::stdout().is_terminal(),
        Color::Always => true,
        Color::Never => false,
    };
    let timeline = Timeline::new(in_colour);
    let stop = CancellationToken::new();
    let system = Box::pin(up::start(ephemeral(), stop.clone())).await?;
    let addresses = system.addresses();
    let sim = addresses.sim.context("the demo plays on the simulated phones")?;
    timeline.note(&format!(
        "a system of its own is up: API on ws://{}/ws, phones on http://{sim}/sim",
        addresses.public
    ));

    let scenarios = args.scenario.map_or_else(|| ALL.to_vec(), |one| vec![one]);
    let clients = TaskTracker::new();
    let stage =
        Stage { public: addresses.public, sim, timeline: timeline.clone(), tasks: clients.clone() };
    let playing = async {
        for scenario in &scenarios {
            Box::pin(scenarios::play(&stage, *scenario)).await?;
        }
        charges::show(&stage, &scenarios).await
    };
    let outcome = tokio::time::timeout(PATIENCE, playing)
        .await
        .unwrap_or_else(|_| Err(anyhow::anyhow!("the demo did not end within {PATIENCE:?}")));
    clients.close();
    stop.cancel();
    system.stopped().await?;
    outcome?;
    timeline.note("all scenarios played; `cordboard up` starts the same system for your own tries");
    Ok(())
}

fn ephemeral() -> Up {
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
        driver: None,
        ari: None,
        settings: Settings { config: None, sets: vec!["telemetry.filter=error".to_owned()] },
    }
}
