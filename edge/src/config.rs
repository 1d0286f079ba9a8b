//! Settings of the edge.

mod address_range;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use mesh::net::tls;
use proto::options::v1::Realm;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use address_range::{AddressRange, ParseAddressRangeError};

/// Settings of the section `edge`; those of `websocket` and `api` stand in fields of their own,
/// since they keep the names that `PortaSwitch`'s manual gives.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Settings of the section `websocket`.
    #[serde(skip)]
    pub websocket: WebSocket,
    /// Settings of the section `api`.
    #[serde(skip)]
    pub api: Api,
    /// Sockets of this edge; further ones get 503.
    pub max_connections: usize,
    /// Sockets of one user on this edge; further ones get 503.
    pub max_connections_per_user: usize,
    /// Bytes of one message from a client; a longer one closes its socket with 1009.
    pub max_message_bytes: usize,
    /// Bytes of one REST request's body.
    pub max_body_bytes: usize,
    /// Bytes that are read from a socket at once; each socket keeps a buffer of this size.
    pub read_buffer_bytes: usize,
    /// Bytes of events that may wait for a slow socket; what does not fit is served from the
    /// event log when the socket has drained.
    pub outbound_event_bytes: usize,
    /// Bytes of anything that may wait for a slow socket; beyond it the socket is closed (4413).
    pub outbound_max_bytes: usize,
    /// How long a slow socket may take to drain while it is caught up from the log; after that
    /// it is closed (4413).
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub slow_reader_timeout: Duration,
    /// Requests a second of one session.
    pub requests_per_second: u32,
    /// Requests of one session at once, before the rate counts.
    pub request_burst: u32,
    /// Requests of one socket that are under way at the same time; then its next wait unread.
    pub max_requests_in_flight: u32,
    /// Requests in one batch.
    pub max_batch: usize,
    /// Time for an answer of a service.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub request_timeout: Duration,
    /// Time for a socket to log in before it is closed (4401).
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub login_timeout: Duration,
    /// How long before its end a session is told so.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub expiry_notice: Duration,
    /// Time for the head of an HTTP request.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub header_read_timeout: Duration,
    /// Time for the client to answer a close frame.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub close_timeout: Duration,
    /// Time for requests under way when the edge stops.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub drain_timeout: Duration,
    /// Clients of a stopping edge are told to come back after a random time up to this.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub reconnect_spread: Duration,
    /// Silence of a notifier after which the edge goes to another.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub notifier_silence: Duration,
    /// Replays from the event log at the same time; the rest wait.
    pub max_replays: usize,
    /// Pages (`Origin`) that may use the login cookie, e.g. `https://console.example.com`.
    /// The edge's own page may, always.
    pub allowed_origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed: addresses, or ranges like `10.0.0.0/8`.
    pub trusted_proxies: Vec<AddressRange>,
    /// Marks the login cookie `Secure` where TLS ends at a proxy; over TLS of its own the edge does
    /// so in any case.
    pub secure_cookie: bool,
    /// Listeners beside the public port, each for one realm: `{listen, realm, tls?}`, where `realm`
    /// is `admin`, `reseller`, `customer` or `account` and `tls` has `certificate_file` and
    /// `key_file`; without it that of the public port counts.
    pub listeners: Vec<Listen>,
    /// How long `login` and `password` of a REST request are remembered as good.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub remember_auth_info: Duration,
}

/// A listener for one realm.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Where it listens, e.g. `0.0.0.0:8444`.
    pub listen: SocketAddr,
    /// Whom it serves.
    pub realm: ServedRealm,
    /// TLS of its own.
    #[serde(default)]
    pub tls: tls::config::Public,
}

/// The realm of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServedRealm {
    /// Administrators.
    Admin,
    /// Resellers.
    Reseller,
    /// Customers.
    Customer,
    /// Accounts.
    Account,
}

impl From<ServedRealm> for Realm {
    fn from(realm: ServedRealm) -> Self {
        match realm {
            ServedRealm::Admin => Self::Admin,
            ServedRealm::Reseller => Self::Reseller,
            ServedRealm::Customer => Self::Customer,
            ServedRealm::Account => Self::Account,
        }
    }
}

/// Settings of the section `websocket`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WebSocket {
    /// Time between two pings of a socket.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub heartbeat_interval: Duration,
    /// Time for the pong; without it the socket is closed (1011).
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub heartbeat_timeout: Duration,
}

/// Settings of the section `api`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Time without an API message after which a socket is closed (4408). `Session/ping` renews
    /// it, a pong does not.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub websocket_inactivity_timeout: Duration,
    /// `standalone` makes the API refuse every request with the fault `standalone_mode`.
    pub mode: Mode,
}

/// Whether the API is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It is.
    #[default]
    Normal,
    /// Every request is refused.
    Standalone,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            websocket: WebSocket::default(),
            api: Api::default(),
            max_connections: 19_000,
            max_connections_per_user: 100,
            max_message_bytes: 64 * 1024,
            max_body_bytes: 256 * 1024,
            read_buffer_bytes: 1024,
            outbound_event_bytes: 256 * 1024,
            outbound_max_bytes: 4 * 1024 * 1024,
            slow_reader_timeout: Duration::from_secs(30),
            requests_per_second: 100,
            request_burst: 200,
            max_requests_in_flight: 64,
            max_batch: 32,
            request_timeout: Duration::from_secs(10),
            login_timeout: Duration::from_secs(10),
            expiry_notice: Duration::from_mins(1),
            header_read_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(3),
            drain_timeout: Duration::from_secs(10),
            reconnect_spread: Duration::from_secs(5),
            notifier_silence: Duration::from_secs(3),
            max_replays: 8,
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            secure_cookie: false,
            listeners: Vec::new(),
            remember_auth_info: Duration::from_mins(1),
        }
    }
}

impl Default for WebSocket {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_secs(20),
            heartbeat_timeout: Duration::from_secs(20),
        }
    }
}

impl Default for Api {
    fn default() -> Self {
        Self { websocket_inactivity_timeout: Duration::from_mins(5), mode: Mode::default() }
    }
}

impl Config {
    /// Refuses settings with which the edge cannot work.
    ///
    /// # Errors
    /// Names the key.
    pub fn validate(&self) -> anyhow::Result<()> {
        let times = [
            ("websocket.heartbeat_interval", self.websocket.heartbeat_interval),
            ("websocket.heartbeat_timeout", self.websocket.heartbeat_timeout),
            ("api.websocket_inactivity_timeout", self.api.websocket_inactivity_timeout),
            ("edge.request_timeout", self.request_timeout),
            ("edge.login_timeout", self.login_timeout),
            ("edge.header_read_timeout", self.header_read_timeout),
            ("edge.close_timeout", self.close_timeout),
            ("edge.notifier_silence", self.notifier_silence),
            ("edge.slow_reader_timeout", self.slow_reader_timeout),
        ];
        for (key, time) in times {
            ensure!(!time.is_zero(), "{key} must not be zero");
        }
        ensure!(self.max_message_bytes >= 1024, "edge.max_message_bytes is below 1024");
        ensure!(self.read_buffer_bytes >= 256, "edge.read_buffer_bytes is below 256");
        ensure!(
            self.outbound_max_bytes >= self.outbound_event_bytes,
            "edge.outbound_max_bytes is below edge.outbound_event_bytes"
        );
        ensure!(self.requests_per_second > 0, "edge.requests_per_second is 0");
        ensure!(self.request_burst > 0, "edge.request_burst is 0");
        ensure!(self.max_requests_in_flight > 0, "edge.max_requests_in_flight is 0");
        ensure!(self.max_batch > 0, "edge.max_batch is 0");
        ensure!(self.max_replays > 0, "edge.max_replays is 0");
        for listener in &self.listeners {
            listener.tls.pair().with_context(|| format!("edge.listeners: {}", listener.listen))?;
        }
        Ok(())
    }

    /// How often sockets are looked after: often enough for the shortest of their times.
    pub(crate) fn tick(&self) -> Duration {
        let shortest = [
            self.websocket.heartbeat_interval,
            self.websocket.heartbeat_timeout,
            self.api.websocket_inactivity_timeout,
            self.login_timeout,
            self.close_timeout,
        ]
        .into_iter()
        .min()
        .unwrap_or(Duration::from_secs(1));
        (shortest / 4).clamp(Duration::from_millis(5), Duration::from_millis(500))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let config = Config::default();

        config.validate().unwrap();
        assert_eq!(config.websocket.heartbeat_timeout, Duration::from_secs(20));
        assert_eq!(config.api.websocket_inactivity_timeout, Duration::from_mins(5));
        assert_eq!(config.max_message_bytes, 65_536);
        assert_eq!((config.requests_per_second, config.request_burst), (100, 200));
    }

    #[test]
    fn unknown_keys_are_refused() {
        let read = |text: &str| serde_json::from_str::<Config>(text);

        assert!(read(r#"{"login_timeout":"3s"}"#).is_ok());
        assert!(read(r#"{"login_timeuot":"3s"}"#).is_err());
        assert!(read(r#"{"websocket":{}}"#).is_err());
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let config = Config { login_timeout: Duration::ZERO, ..Config::default() };

        assert!(config.validate().unwrap_err().to_string().contains("edge.login_timeout"));
    }
}
