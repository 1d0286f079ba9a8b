//! `cordboard up`: every service in this process.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use mesh::Clock;
use mesh::ledger::redis::RedisConfig;
use mesh::lifecycle::Lifecycle;
use mesh::net::Listener;
use mesh::telemetry;
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::admin::files::write_closed;
use super::say;
use crate::cli::Up;
use crate::config::{Config, Mode, ServiceKind, Targets};
use crate::services::{self, DEMO_DIRECTORY, Host};

/// Time for all services to become ready.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a system listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    /// WebSocket, REST, documents.
    pub(super) public: SocketAddr,
    /// Probes and metrics.
    pub(super) admin: SocketAddr,
    /// The simulator's control port; none with another switch.
    pub(super) sim: Option<SocketAddr>,
}

/// A running system.
pub(super) struct System {
    addresses: Addresses,
    realms: Vec<(&'static str, SocketAddr)>,
    life: Lifecycle,
    /// Time that it may take to stop.
    stop_within: Duration,
    telemetry: telemetry::Guard,
    /// What has to be on disk although nothing is kept; goes with the system.
    _scratch: Option<TempDir>,
}

pub(super) async fn run(args: Up) -> anyhow::Result<()> {
    let is_ephemeral = args.ephemeral;
    let has_demo = !args.no_demo;
    let system = start(args, CancellationToken::new()).await?;
    let Addresses { public, admin, sim } = system.addresses();
    if is_ephemeral {
        let mut line = json!({
            "ready": true,
            "public": public.to_string(),
            "admin": admin.to_string(),
        });
        if let (Some(sim), Some(line)) = (sim, line.as_object_mut()) {
            line.insert("sim".to_owned(), json!(sim.to_string()));
        }
        super::add_realms(&mut line, &system.realms);
        say(line);
    } else {
        say(format_args!("API      ws://{public}/ws, http://{public}/rest, http://{public}/doc"));
        for (realm, address) in &system.realms {
            say(format_args!("         for realm {realm} alone: {address}"));
        }
        say(format_args!("probes   http://{admin}/readyz, http://{admin}/metrics"));
        if let Some(sim) = sim {
            say(format_args!("phones   http://{sim}/sim, or `cordboard phone --control {sim} …`"));
        }
        if has_demo {
            say(
                "logins   admin, telco, easymobile, quicktasty, visacenter, 101-105, 201, 202, 301",
            );
            say("         all with the password `cordboard`");
        }
    }
    let System { life, stop_within, telemetry, .. } = system;
    let outcome = life.run_until_stopped(stop_within).await;
    telemetry.shutdown().await;
    outcome
}

/// Starts a system and waits until it is ready. It stops with `stop`, or by itself when a
/// service fails.
pub(super) async fn start(args: Up, stop: CancellationToken) -> anyhow::Result<System> {
    let mut config = Config::load(args.settings.config.as_deref(), &args.settings.sets)?;
    configure(&mut config, &args)?;
    let scratch = args.ephemeral.then(tempfile::tempdir).transpose().context("temporary folder")?;
    let kept = scratch.as_ref().map_or(args.data_dir.as_path(), TempDir::path);
    config.switch.recordings.folder.get_or_insert_with(|| kept.join("recordings"));
    config.switch.asterisk.media_folder.get_or_insert_with(|| kept.join("asterisk-media"));
    let stop_within = config.stop_within(true);
    let telemetry = telemetry::init(&config.telemetry, "cordboard")?;
    if !args.ephemeral {
        make_folder(&args.data_dir)?;
    }
    let secret_file = &mut config.notifier.webhooks.secret_file;
    if secret_file.is_none() {
        *secret_file = Some(webhook_secret(kept)?);
    }
    let has_demo = !args.no_demo;
    anyhow::ensure!(
        !(has_demo && config.mode == Mode::Production),
        "the demo directory has passwords that everybody knows: with `mode = \"production\"` \
         give `--no-demo`"
    );

    let free = |port| if args.ephemeral { 0 } else { port };
    let public = bind(args.listen, free(8080)).await?;
    let admin = bind(args.admin_listen, free(9090)).await?;
    let sim = match config.switch.driver {
        switch::Driver::Sim => Some(bind(args.sim_listen, free(9091)).await?),
        switch::Driver::Asterisk => None,
    };
    let addresses = Addresses {
        public: address(&public)?,
        admin: address(&admin)?,
        sim: sim.as_ref().map(address).transpose()?,
    };

    let clock = Clock::system();
    let ledger = services::ledger(&config.event_log, &clock, true).await?;
    let mut host = Host::new(config, ledger, clock);
    let public = host.secure(ServiceKind::Edge, public)?;
    let realms = host.bind_realms().await?;
    if has_demo {
        host.seed = Some(auth::import::parse(DEMO_DIRECTORY).context("demo directory")?);
    }
    // Not ready before every service has had the time to say that it is not.
    let process = host.readiness.component("process");
    let memory = |host: &Host, kind: ServiceKind| host.network.listen_memory(kind.name());
    let mut begin = |kind: ServiceKind, sim| {
        let listener = memory(&host, kind);
        host.start(kind, listener, sim)
    };
    let auth = begin(ServiceKind::Auth, None);
    let switch = begin(ServiceKind::Switch, sim);
    let notifier = begin(ServiceKind::Notifier, None);
    let callcontrol = begin(ServiceKind::Callcontrol, None);
    let conference = begin(ServiceKind::Conference, None);
    let edge = host.start(ServiceKind::Edge, public, None);
    host.serve_admin(admin);
    host.stop_in_order(vec![
        vec![edge],
        vec![callcontrol, conference],
        vec![switch],
        vec![notifier],
        vec![auth],
    ]);
    let (life, asked) = (host.life.clone(), host.life.stop.clone());
    host.life.tasks.spawn(async move {
        tokio::select! {
            () = stop.cancelled() => life.stop.cancel(),
            () = asked.cancelled() => {}
        }
    });

    tokio::task::yield_now().await;
    process.ready();
    let readiness = host.readiness.clone();
    let is_ready = tokio::select! {
        ready = tokio::time::timeout(START_TIMEOUT, readiness.until_ready()) => ready.is_ok(),
        () = host.life.stop.cancelled() => false,
    };
    let system =
        System { addresses, realms, life: host.life, stop_within, telemetry, _scratch: scratch };
    if is_ready {
        return Ok(system);
    }
    let report = readiness.report();
    system.life.stop.cancel();
    system.stopped().await?;
    anyhow::bail!("not ready within {START_TIMEOUT:?}: {report}")
}

impl System {
    /// Where it listens.
    pub(super) fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Waits until everything has stopped, which something else asks for.
    pub(super) async fn stopped(self) -> anyhow::Result<()> {
        let outcome = self.life.shut_down(self.stop_within).await;
        self.telemetry.shutdown().await;
        outcome
    }
}

/// What the flags of `up` say, and that all services are in this process.
fn configure(config: &mut Config, args: &Up) -> anyhow::Result<()> {
    config.drive(args.driver, args.ari.as_deref())?;
    config.targets = Targets::in_memory();
    if let Some(url) = &args.redis {
        config.event_log.redis.get_or_insert_with(RedisConfig::default).url.clone_from(url);
    }
    config.auth.database.url = match &args.database {
        Some(url) => url.clone(),
        None if args.ephemeral => "sqlite::memory:".to_owned(),
        // One that the configuration names goes before the folder of the data.
        None if config.auth.database.url != auth::Database::default().url => {
            config.auth.database.url.clone()
        }
        None => format!("sqlite://{}", args.data_dir.join("directory.db").display()),
    };
    config.switch.journal = match config.switch.journal.take() {
        _ if args.ephemeral => None,
        Some(folder) => Some(folder),
        None => Some(args.data_dir.join("accounting")),
    };
    if let Some(speed) = args.sim_speed {
        config.switch.sim.speed = speed;
    }
    if let Some(ms) = args.pstn_answer_ms {
        config.switch.sim.pstn_answer_ms = ms;
    }
    Ok(())
}

/// The file with the secret that signs webhooks; it is made at the first start.
fn webhook_secret(folder: &Path) -> anyhow::Result<PathBuf> {
    let file = folder.join("webhook-secret");
    if !file.exists() {
        let secret = auth::tokens::random().context("webhook secret")?;
        write_closed(&file, &format!("{}\n", secret.expose()))
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(file)
}

fn make_folder(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("folder {} cannot be made", folder.display()))
}

async fn bind(address: Option<SocketAddr>, port: u16) -> anyhow::Result<Listener> {
    let address = address.unwrap_or((Ipv4Addr::LOCALHOST, port).into());
    Listener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

fn address(listener: &Listener) -> anyhow::Result<SocketAddr> {
    listener.local_addr().context("the listener has no address")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_secret_of_webhooks_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();

        let file = webhook_secret(folder.path()).unwrap();
        let first = fs::read_to_string(&file).unwrap();

        assert_eq!(webhook_secret(folder.path()).unwrap(), file);
        assert_eq!(fs::read_to_string(&file).unwrap(), first);
        assert!(first.trim().len() >= 32, "it cannot be guessed");
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
}
