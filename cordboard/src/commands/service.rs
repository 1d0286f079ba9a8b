//! `cordboard edge`, `auth`, …: one service in a process of its own.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use mesh::Clock;
use mesh::ledger::memory::{MemoryConfig, MemoryLedger};
use mesh::ledger::redis::RedisConfig;
use mesh::net::Listener;
use serde_json::json;

use super::say;
use crate::cli::Service;
use crate::config::{Config, ServiceKind};
use crate::services::{self, Host};

pub(super) async fn run(kind: ServiceKind, args: Service) -> anyhow::Result<()> {
    let mut config = Config::load(args.settings.config.as_deref(), &args.settings.sets)?;
    if let Some(url) = args.redis {
        config.event_log.redis.get_or_insert_with(RedisConfig::default).url = url;
    }
    if let Some(url) = args.database {
        config.auth.database.url = url;
    }
    config.drive(args.driver, args.ari.as_deref())?;
    if kind == ServiceKind::Switch {
        config.switch.journal.get_or_insert_with(|| "cordboard-data/accounting".into());
    }
    let stop_within = config.stop_within(kind == ServiceKind::Switch);
    let telemetry = mesh::telemetry::init(&config.telemetry, kind.name())?;
    let listener = bind(args.listen, kind.port()).await?;
    let admin = bind(args.admin_listen, 9090).await?;
    let sim = match kind {
        ServiceKind::Switch if config.switch.driver == switch::Driver::Sim => {
            let address = args.sim_listen.unwrap_or((Ipv4Addr::LOCALHOST, 9091).into());
            Some(bind(Some(address), 9091).await?)
        }
        _ => None,
    };
    let mut listens = addresses(&listener, &admin, sim.as_ref());

    let clock = Clock::system();
    let ledger: std::sync::Arc<dyn mesh::ledger::Ledger> = match kind {
        // It has no business with the store.
        ServiceKind::Edge => {
            std::sync::Arc::new(MemoryLedger::new(clock.clone(), MemoryConfig::default()))
        }
        ServiceKind::Auth
        | ServiceKind::Callcontrol
        | ServiceKind::Conference
        | ServiceKind::Notifier
        | ServiceKind::Switch => services::ledger(&config.event_log, &clock, false).await?,
    };
    let mut host = Host::new(config, ledger, clock).with_tls()?;
    let listener = host.secure(kind, listener)?;
    let realms = match kind {
        ServiceKind::Edge => host.bind_realms().await?,
        _ => Vec::new(),
    };
    super::add_realms(&mut listens, &realms);
    let process = host.readiness.component("process");
    let running = host.start(kind, listener, sim);
    host.serve_admin(admin);
    host.stop_in_order(vec![vec![running]]);
    process.ready();

    let (readiness, stop) = (host.readiness.clone(), host.life.stop.clone());
    host.life.tasks.spawn(async move {
        tokio::select! {
            () = readiness.until_ready() => {
                let mut line = json!({"ready": true, "service": kind.name()});
                if let (Some(line), Some(listens)) = (line.as_object_mut(), listens.as_object()) {
                    line.extend(listens.clone());
                }
                say(line);
            }
            () = stop.cancelled() => {}
        }
    });
    let life = host.life.clone();
    // Its connections end with the services that use them, not later.
    drop(host);
    let outcome = life.run_until_stopped(stop_within).await;
    drop(process);
    telemetry.shutdown().await;
    outcome
}

async fn bind(address: Option<SocketAddr>, port: u16) -> anyhow::Result<Listener> {
    let address = address.unwrap_or((Ipv4Addr::UNSPECIFIED, port).into());
    Listener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Where the process listens, for the ready line.
fn addresses(listener: &Listener, admin: &Listener, sim: Option<&Listener>) -> serde_json::Value {
    let text = |listener: &Listener| listener.local_addr().map(|address| address.to_string());
    let mut addresses = json!({"listen": text(listener), "admin": text(admin)});
    if let (Some(sim), Some(addresses)) = (sim, addresses.as_object_mut()) {
        addresses.insert("sim".to_owned(), json!(text(sim)));
    }
    addresses
}
