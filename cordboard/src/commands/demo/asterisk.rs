//! An Asterisk of the demo's own, on the configuration that `cordboard admin asterisk-config` writes
//! for the demo directory, with phones that have registered there.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use http::{Method, StatusCode};
use phones::asterisk::{Installation, Running};
use phones::audio::tone;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

use super::hands::{MUSIC, Sip};
use crate::cli::{AsteriskConfig, Database};
use crate::commands::admin::asterisk_config::{
    self, ARI_PASSWORD, MANAGER_PASSWORD, PHONES, phones_in,
};
use crate::commands::web;
use crate::services::DEMO_DIRECTORY;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// How long Asterisk may take to start.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often the demo looks whether something has come about.
const PAUSE: Duration = Duration::from_millis(50);
/// Ports that are tried, as somebody else may take one between its choice and the start.
const ATTEMPTS: usize = 5;
/// Two for each channel.
const RTP_PORTS: u16 = 200;

/// The running one. Its folder goes with it.
#[derive(Debug)]
pub(super) struct Asterisk {
    running: Running,
    ari: SocketAddr,
    folder: TempDir,
}

/// The Asterisk that the command line, or the machine, has.
pub(super) fn find(folder: Option<&Path>) -> anyhow::Result<Installation> {
    const WAYS: &str = "install your distribution's package (`apt install asterisk`), or have `scripts/asterisk` \
        unpack one and name its folder with `--asterisk` or in CORDBOARD_ASTERISK";
    if let Some(folder) = folder {
        return Installation::in_folder(folder).with_context(|| {
            format!("there is no Asterisk in {}: no `bin/asterisk`; {WAYS}", folder.display())
        });
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    Installation::in_path(&path)
        .with_context(|| format!("there is no Asterisk: no program `asterisk` in PATH; {WAYS}"))
}

impl Asterisk {
    /// Starts it, and registers everybody's phone.
    pub(super) async fn start(
        installation: &Installation,
        tasks: &TaskTracker,
    ) -> anyhow::Result<(Self, Sip)> {
        let mut sip = Sip::start(HERE, tasks).await?;
        let mut failure = String::new();
        for _ in 0..ATTEMPTS {
            let (mut asterisk, switch) = Self::begin(installation, sip.provider_port()).await?;
            let list = fs::read_to_string(asterisk.folder.path().join("etc").join(PHONES))?;
            sip.plug_in(switch, &phones_in(&list)).await?;
            match asterisk.until_registered(&sip).await {
                Ok(()) => return Ok((asterisk, sip)),
                Err(why) => failure = format!("{why}; it said: {}", asterisk.running.said().trim()),
            }
            asterisk.end().await?;
        }
        bail!("Asterisk does not start: {failure}")
    }

    /// Writes its configuration and starts it; gives where it speaks SIP.
    async fn begin(
        installation: &Installation,
        provider: u16,
    ) -> anyhow::Result<(Self, SocketAddr)> {
        let folder = tempfile::tempdir().context("temporary folder")?;
        let (ari, switch) = (free_tcp().await?, free_udp().await?);
        let etc = folder.path().join("etc");
        let rtp = rtp_ports()?;
        let args = AsteriskConfig {
            folder: etc.clone(),
            ari_listen: ari,
            sip_listen: switch,
            rtp: (*rtp.start(), *rtp.end()),
            talk: true,
            trunk: Some(SocketAddr::from((HERE, provider)).to_string()),
            node: None,
            peer: Vec::new(),
            peer_password_file: None,
            // Nobody asks it.
            database: Database { url: String::new(), database_password_file: None },
        };
        asterisk_config::write_files(&args, &accounts()?)?;
        sounds(folder.path()).context("Asterisk's music cannot be written")?;
        let running = installation.furnish(folder.path(), "demo");
        let running = running.and_then(|()| installation.start(folder.path()));
        let running = running.context("Asterisk cannot be started")?;
        Ok((Self { running, ari, folder }, switch))
    }

    async fn until_registered(&mut self, sip: &Sip) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let registered = sip.register(PATIENCE / 10).await;
            if self.running.said().lines().any(is_port_taken) {
                return Err("somebody has its port".to_owned());
            }
            // It refuses while it starts.
            let Err(refusal) = registered else { return Ok(()) };
            if let Some(status) = self.running.ended() {
                return Err(format!("it ended with {status}"));
            }
            if Instant::now() > deadline {
                return Err(refusal.to_string());
            }
            sleep(PAUSE).await;
        }
    }

    /// Where Cordboard finds it.
    pub(super) fn ari(&self) -> String {
        format!("http://cordboard@{}", self.ari)
    }

    /// File with the password for that.
    pub(super) fn password_file(&self) -> PathBuf {
        self.folder.path().join("etc").join(ARI_PASSWORD)
    }

    /// File with the password by which phones are made to answer.
    pub(super) fn manager_password_file(&self) -> PathBuf {
        self.folder.path().join("etc").join(MANAGER_PASSWORD)
    }

    /// Ends it.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        self.running.end().await.context("Asterisk cannot be ended")?;
        self.folder.close().context("Asterisk's folder cannot be removed")
    }
}

/// Waits until Cordboard, whose admin port this is, hears Asterisk.
pub(super) async fn until_heard(admin: SocketAddr) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let report = web::send(admin, Method::GET, "/readyz", None).await?;
        let state = report.body.pointer("/components/switch.asterisk/state");
        if report.status == StatusCode::OK && state == Some(&json!("ready")) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("Asterisk is not heard: {}", report.body);
        }
        sleep(PAUSE).await;
    }
}

/// Whether Asterisk says that somebody has the port of its REST interface or of SIP. It may have others that
/// nobody asks.
fn is_port_taken(line: &str) -> bool {
    line.contains("Address already in use")
        && ["http server", "Transport 'udp'"].iter().any(|what| line.contains(what))
}

/// Accounts of the demo directory.
fn accounts() -> anyhow::Result<Vec<String>> {
    let directory = auth::import::parse(DEMO_DIRECTORY).context("demo directory")?;
    let accounts = directory.customers.iter().flat_map(|customer| &customer.accounts);
    Ok(accounts.map(|account| account.id.text.clone()).collect())
}

/// What only the demo needs, and a packaged Asterisk has: music, here one tone, and a tone that says that it
/// rings.
fn sounds(folder: &Path) -> std::io::Result<()> {
    let (etc, music) = (folder.join("etc"), folder.join("music"));
    fs::create_dir_all(&music)?;
    // Raw µ-law: one second.
    fs::write(music.join("music.ulaw"), tone(MUSIC, 0, 8_000).collect::<Vec<_>>())?;
    let text = format!("[default]\nmode = files\ndirectory = {}\n", music.display());
    fs::write(etc.join("musiconhold.conf"), text)?;
    let mut tones = "[general]\ncountry = demo\n[demo]\ndescription = Demo\n".to_owned();
    for (name, tone) in [
        ("ring", "425/1000,0/4000"),
        ("dial", "425"),
        ("busy", "425/500,0/500"),
        ("congestion", "425/250,0/250"),
    ] {
        // Writing to a string cannot fail.
        writeln!(tones, "{name} = {tone}").ok();
    }
    tones.push_str("ringcadence = 1000,4000\n");
    fs::write(etc.join("indications.conf"), tones)
}

async fn free_tcp() -> std::io::Result<SocketAddr> {
    tokio::net::TcpListener::bind((HERE, 0)).await?.local_addr()
}

async fn free_udp() -> std::io::Result<SocketAddr> {
    tokio::net::UdpSocket::bind((HERE, 0)).await?.local_addr()
}

/// Ports in a row, the first an even one. Where one of them is taken later, Asterisk tries another.
fn rtp_ports() -> anyhow::Result<RangeInclusive<u16>> {
    const TRIES: usize = 100;
    let is_free = |port: u16| std::net::UdpSocket::bind((HERE, port)).is_ok();
    for _ in 0..TRIES {
        let first = fastrand::u16(5_000..15_000) * 2;
        let ports = first..=first + RTP_PORTS - 1;
        if ports.clone().all(is_free) {
            return Ok(ports);
        }
    }
    bail!("there are no {RTP_PORTS} ports in a row for audio")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_counts_is_told_from_one_that_does_not() {
        let rest = "tcptls.c:877 ast_tcptls_server_start: Unable to bind http server to \
                    127.0.0.1:23111: Address already in use";
        let sip = "res_pjsip/config_transport.c:1006 transport_apply: Transport 'udp' could not be \
                   started: Address already in use";
        let other = rest.replace("http server", "Manager server");

        assert!(is_port_taken(rest) && is_port_taken(sip) && !is_port_taken(&other));
    }

    #[test]
    fn every_account_of_the_demo_directory_gets_a_phone() {
        assert_eq!(accounts().unwrap(), ["101", "102", "103", "104", "105", "201", "202", "301"]);
    }
}
