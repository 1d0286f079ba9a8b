//! Where connections come from: one server, or the master that sentinels name.

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisResult,
};

use crate::ledger::StoreError;

/// Port of a sentinel whose address names none.
const SENTINEL_PORT: u16 = 26379;

/// Opens connections.
pub(super) enum Source {
    /// To one server.
    Server(Client),
    /// To the master of the moment.
    Sentinels(Box<tokio::sync::Mutex<SentinelClient>>),
}

impl std::fmt::Debug for Source {
    /// Without addresses and credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Server(_) => "Server",
            Self::Sentinels(_) => "Sentinels",
        })
    }
}

impl Source {
    /// Reads `redis://[user:password@]host[:port][/db]`, `redis+unix:///path` or
    /// `redis+sentinel://[user:password@]host[:port][,host[:port]…]/master[/db]`. A `password`
    /// replaces the one of the URL.
    pub(super) fn parse(url: &str, password: Option<&str>) -> Result<Self, StoreError> {
        if let Some(rest) = url.strip_prefix("redis+sentinel://") {
            return Self::parse_sentinels(rest, password);
        }
        let info = with_settings(connection_info(url)?, password);
        Ok(Self::Server(Client::open(info).map_err(|_| malformed())?))
    }

    fn parse_sentinels(rest: &str, password: Option<&str>) -> Result<Self, StoreError> {
        let (credentials, rest) = rest.rsplit_once('@').map_or(("", rest), |(c, r)| (c, r));
        let mut parts = rest.split('/');
        let hosts = parts.next().filter(|hosts| !hosts.is_empty()).ok_or_else(malformed)?;
        let master = parts.next().filter(|name| !name.is_empty()).ok_or_else(malformed)?;
        let db = parts.next().unwrap_or("0").parse::<i64>().map_err(|_| malformed())?;

        let addresses: Vec<ConnectionAddr> =
            hosts.split(',').map(sentinel_address).collect::<Result<_, _>>()?;
        // The client library decodes the credentials of a URL; its host is of no account here.
        let info = connection_info(&format!("redis://{credentials}@localhost"))?;
        let info = with_settings(info, password);
        let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)
            .map_err(|_| malformed())?
            .set_client_to_redis_db(db)
            .set_client_to_redis_tcp_settings(info.tcp_settings().clone())
            .set_client_to_sentinel_tcp_settings(info.tcp_settings().clone());
        if let Some(username) = info.redis_settings().username() {
            builder = builder.set_client_to_redis_username(username);
        }
        if let Some(password) = info.redis_settings().password() {
            builder = builder.set_client_to_redis_password(password);
        }
        let client = builder.build().map_err(|_| malformed())?;
        Ok(Self::Sentinels(Box::new(tokio::sync::Mutex::new(client))))
    }

    pub(super) async fn open(
        &self,
        config: &AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        match self {
            Self::Server(client) => {
                client.get_multiplexed_async_connection_with_config(config).await
            }
            Self::Sentinels(sentinels) => {
                let master = sentinels.lock().await.async_get_client().await?;
                master.get_multiplexed_async_connection_with_config(config).await
            }
        }
    }
}

fn malformed() -> StoreError {
    StoreError { message: "malformed redis URL".to_owned() }
}

fn connection_info(url: &str) -> Result<ConnectionInfo, StoreError> {
    url.into_connection_info().map_err(|_| malformed())
}

fn with_settings(info: ConnectionInfo, password: Option<&str>) -> ConnectionInfo {
    let mut redis = info.redis_settings().clone();
    if let Some(password) = password {
        redis = redis.set_password(password);
    }
    // Without it a small command waits for the acknowledgement of the one before.
    let tcp = TcpSettings::default().set_nodelay(true);
    info.set_redis_settings(redis).set_tcp_settings(tcp)
}

fn sentinel_address(host: &str) -> Result<ConnectionAddr, StoreError> {
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
        && !host.ends_with(']');
    let info = connection_info(&format!("redis://{host}"))?;
    match info.addr() {
        ConnectionAddr::Tcp(host, _) if !has_port => {
            Ok(ConnectionAddr::Tcp(host.clone(), SENTINEL_PORT))
        }
        address => Ok(address.clone()),
    }
}
