//! The whole configuration: one section a service, and what they share.
//!
//! Later wins: defaults, the file, `CORDBOARD__SECTION__KEY` variables, flags. Unknown
//! keys are refused.

mod reference;

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use mesh::ledger::redis::RedisConfig;
use mesh::net::Target;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cli::SwitchDriver;

pub(crate) use reference::reference;

/// Every setting of Cordboard.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// `development` (default), or `production`: demo passwords are refused.
    pub(crate) mode: Mode,
    /// The site of this process. New customers get a home on a switch of their site, when one
    /// there takes them.
    pub(crate) site: Site,
    /// Where services of other processes are.
    pub(crate) targets: Targets,
    /// Where events and state are kept.
    pub(crate) event_log: EventLog,
    /// TLS of the public port and between services.
    pub(crate) tls: mesh::net::tls::Config,
    /// What every service holds of sessions.
    pub(crate) session: Session,
    /// Logs and traces.
    pub(crate) telemetry: mesh::telemetry::Config,
    /// Sessions, rights, the directory.
    pub(crate) auth: auth::Config,
    /// Sockets, limits.
    pub(crate) edge: edge::Config,
    /// Heartbeat of the sockets.
    pub(crate) websocket: edge::config::WebSocket,
    /// Inactivity of the sockets.
    pub(crate) api: edge::config::Api,
    /// Commands on calls.
    pub(crate) callcontrol: callcontrol::Config,
    /// Conferences.
    pub(crate) conference: conference::Config,
    /// Streams of events.
    pub(crate) notifier: notifier::Config,
    /// Webhooks, and which addresses customers may name.
    pub(crate) webhooks: notifier::webhooks::Config,
    /// Credit of running calls.
    pub(crate) credit: switch::Credit,
    /// The engine and its driver.
    pub(crate) switch: switch::Config,
}

/// What a system is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Tries and tests.
    #[default]
    Development,
    /// People's calls.
    Production,
}

/// A name for what stands in one place.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Site(String);

impl Default for Site {
    fn default() -> Self {
        Self("main".to_owned())
    }
}

/// Where services of other processes are: `http://host:port`, where a host name may stand for
/// several instances.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Targets {
    /// Instances of auth.
    pub(crate) auth: Vec<Target>,
    /// Instances of callcontrol.
    pub(crate) callcontrol: Vec<Target>,
    /// Instances of conference.
    pub(crate) conference: Vec<Target>,
    /// Instances of the notifier.
    pub(crate) notifier: Vec<Target>,
}

/// Where events and state are kept.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EventLog {
    /// Redis; without it `cordboard up` keeps them in memory, and services apart do not start.
    pub(crate) redis: Option<RedisConfig>,
}

/// What every service holds of sessions; how they begin and how long they live is `auth.session`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Session {
    /// How long access tokens are good beyond their time while auth, or its database, is away: nobody
    /// can refresh them then. An hour at most, for which revocations are kept.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub(crate) auth_lost_grace: Duration,
}

impl Default for Session {
    fn default() -> Self {
        Self { auth_lost_grace: Duration::from_mins(15) }
    }
}

/// A service that runs in a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServiceKind {
    Auth,
    Callcontrol,
    Conference,
    Edge,
    Notifier,
    Switch,
}

impl ServiceKind {
    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Callcontrol => "callcontrol",
            Self::Conference => "conference",
            Self::Edge => "edge",
            Self::Notifier => "notifier",
            Self::Switch => "switch",
        }
    }

    /// Which services may call it. The switch does what it is told by whom it takes for checked,
    /// so only those that check may tell it; the others check tokens themselves.
    pub(crate) const fn callers(self) -> &'static [&'static str] {
        match self {
            Self::Switch => &["callcontrol", "conference"],
            Self::Auth | Self::Callcontrol | Self::Conference | Self::Edge | Self::Notifier => {
                &["auth", "callcontrol", "conference", "edge", "notifier", "switch"]
            }
        }
    }

    /// The port on which it listens when nobody says otherwise.
    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::Auth => 7101,
            Self::Callcontrol => 7102,
            Self::Conference => 7103,
            Self::Notifier => 7104,
            Self::Switch => 7105,
            Self::Edge => 8080,
        }
    }
}

impl Default for Targets {
    fn default() -> Self {
        let local = |kind: ServiceKind| {
            vec![Target::Tcp { host: "127.0.0.1".to_owned(), port: kind.port() }]
        };
        Self {
            auth: local(ServiceKind::Auth),
            callcontrol: local(ServiceKind::Callcontrol),
            conference: local(ServiceKind::Conference),
            notifier: local(ServiceKind::Notifier),
        }
    }
}

/// Time for the work under way after a stop is asked for.
const STOP_WITHIN: Duration = Duration::from_secs(20);

impl Config {
    /// Time that a process may take to stop; one with a switch gives its calls time, too.
    pub(crate) fn stop_within(&self, has_switch: bool) -> Duration {
        let calls = if has_switch { self.switch.drain_calls } else { Duration::ZERO };
        STOP_WITHIN + calls
    }

    /// Reads the configuration; `sets` win over the environment, that over the file.
    pub(crate) fn load(file: Option<&Path>, sets: &[String]) -> anyhow::Result<Self> {
        let mut config: Self =
            mesh::config::load(file, std::env::vars(), sets).context("configuration")?;
        config.edge.websocket = config.websocket.clone();
        config.edge.api = config.api.clone();
        config.callcontrol.site.clone_from(&config.site.0);
        config.switch.site.clone_from(&config.site.0);
        config.switch.outward.allow_private = config.webhooks.allow_private;
        config.switch.credit = config.credit;
        // A node is lost when its lease has lapsed: who looks for lost ones has to wait as long.
        config.callcontrol.lease = config.switch.lease;
        config.tls.validate().context("configuration")?;
        config.notifier.webhooks = config.webhooks.clone();
        config.callcontrol.outward.allow_private = config.webhooks.allow_private;
        config.auth.refuse_demo_passwords |= config.mode == Mode::Production;
        Ok(config)
    }

    /// Takes over which switch the flags name.
    pub(crate) fn drive(
        &mut self,
        driver: Option<SwitchDriver>,
        ari: Option<&str>,
    ) -> anyhow::Result<()> {
        match (driver, ari) {
            (Some(SwitchDriver::Sim), Some(_)) => {
                anyhow::bail!("`--ari` is for Asterisk: leave it out, or the simulator");
            }
            (Some(SwitchDriver::Sim), None) => self.switch.driver = switch::Driver::Sim,
            (Some(SwitchDriver::Asterisk), _) | (None, Some(_)) => {
                self.switch.driver = switch::Driver::Asterisk;
            }
            (None, None) => {}
        }
        if let Some(url) = ari {
            self.switch.asterisk.url = switch::driver::asterisk::Url::new(url);
        }
        self.switch.validate().map_err(anyhow::Error::msg).context("configuration")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn load(sets: &[&str]) -> anyhow::Result<Config> {
        let sets: Vec<_> = sets.iter().map(|set| (*set).to_owned()).collect();
        Config::load(None, &sets)
    }

    #[test]
    fn callcontrol_takes_a_node_for_lost_after_the_switch_s_own_lease() {
        let config = load(&["switch.lease=30s"]).unwrap();

        assert_eq!(config.callcontrol.lease, Duration::from_secs(30));
        assert_eq!(config.switch.lease, config.callcontrol.lease);
        assert!(load(&["callcontrol.lease=30s"]).is_err());
    }

    #[test]
    fn an_address_of_asterisk_chooses_it_and_contradicts_the_simulator() {
        let mut config = load(&[]).unwrap();
        config.drive(None, Some("http://ari:secret@pbx.example:8088")).unwrap();
        assert_eq!(config.switch.driver, switch::Driver::Asterisk);
        assert_eq!(config.switch.asterisk.url.to_string(), "http://pbx.example:8088");

        let refusal = config.drive(Some(SwitchDriver::Sim), Some("http://pbx:8088")).unwrap_err();
        assert!(refusal.to_string().contains("--ari"), "{refusal}");
        let refusal = config.drive(None, Some("pbx.example")).unwrap_err();
        assert!(format!("{refusal:#}").contains("switch.asterisk.url has to be"), "{refusal:#}");
    }

    #[test]
    fn one_site_is_that_of_every_service() {
        let (unset, south) = (load(&[]).unwrap(), load(&["site=south"]).unwrap());

        assert_eq!((unset.callcontrol.site.as_str(), unset.switch.site.as_str()), ("main", "main"));
        assert_eq!(south.callcontrol.site, "south");
        assert_eq!(south.switch.site, "south");
        assert!(load(&["switch.site=south"]).is_err());
    }
}
