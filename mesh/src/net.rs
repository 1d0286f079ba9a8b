//! Where services listen and how they reach each other: TCP between processes,
//! in-memory duplex channels inside one.
//!
//! Both carry the same bytes, so everything above (HTTP/2, interceptors, deadlines)
//! is the same in `cordboard up` and in a cluster.

mod connection;
mod listener;
mod target;
pub mod tls;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

pub use connection::{Connection, Parts};
pub use listener::Listener;
pub use target::{ParseTargetError, Target};

use tls::ClientTls;

/// Bytes that an in-memory connection holds in each direction before the writer waits.
const DUPLEX_BYTES: usize = 64 * 1024;

/// Connections that wait for `accept`; further connectors wait themselves.
const BACKLOG: usize = 128;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The in-memory listeners of one process, by name, and how it connects to others. Clones share
/// them.
#[derive(Clone, Debug, Default)]
pub struct Network {
    listeners: Arc<Mutex<HashMap<String, mpsc::Sender<DuplexStream>>>>,
    tls: Option<ClientTls>,
}

impl Network {
    /// The same network, in which every connection over TCP is a TLS one.
    #[must_use]
    pub fn with_tls(self, tls: ClientTls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Listens on `memory:NAME`. A later listener of the same name takes over from an earlier one,
    /// so that a service can be started again in the same process.
    #[must_use]
    pub fn listen_memory(&self, name: impl Into<String>) -> Listener {
        let name = name.into();
        let (sender, receiver) = mpsc::channel(BACKLOG);
        self.listeners.lock().insert(name.clone(), sender.clone());
        Listener::memory(self.clone(), name, sender.downgrade(), receiver)
    }

    /// Connects to an instance of `service`; a host name is resolved and its addresses are tried
    /// in turn. With TLS, the other end has to prove that it is that service.
    ///
    /// # Errors
    /// `ConnectionRefused` when nobody listens, `TimedOut` after two seconds.
    pub async fn connect(&self, service: &str, target: &Target) -> io::Result<Connection> {
        let connecting = async {
            match target {
                Target::Memory(name) => self.connect_memory(name).await,
                Target::Tcp { host, port } => {
                    let stream = TcpStream::connect((host.as_str(), *port)).await?;
                    let Some(tls) = &self.tls else { return Connection::tcp(stream) };
                    stream.set_nodelay(true)?;
                    Ok(Connection::tls(tls.connect(service, stream).await?))
                }
            }
        };
        tokio::time::timeout(CONNECT_TIMEOUT, connecting)
            .await
            .unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn connect_memory(&self, name: &str) -> io::Result<Connection> {
        let refused = || {
            io::Error::new(
                io::ErrorKind::ConnectionRefused,
                format!("nobody listens on memory:{name}"),
            )
        };
        let sender = self.listeners.lock().get(name).cloned().ok_or_else(refused)?;
        let (near, far) = tokio::io::duplex(DUPLEX_BYTES);
        sender.send(far).await.map_err(|_closed| refused())?;
        Ok(Connection::memory(near))
    }

    /// Forgets the listener `name` unless another has taken the name over.
    fn forget(&self, name: &str, sender: &mpsc::WeakSender<DuplexStream>) {
        let mut listeners = self.listeners.lock();
        let is_own = match (listeners.get(name), sender.upgrade()) {
            (Some(listed), Some(own)) => listed.same_channel(&own),
            _ => false,
        };
        if is_own {
            listeners.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn echo_once(listener: &mut Listener) {
        let mut connection = listener.accept().await.unwrap();
        let mut bytes = [0; 4];
        connection.read_exact(&mut bytes).await.unwrap();
        connection.write_all(&bytes).await.unwrap();
    }

    async fn exchange(network: &Network, mut listener: Listener) {
        let target = listener.local_target();

        let client = async {
            let mut connection = network.connect("echo", &target).await.unwrap();
            connection.write_all(b"ping").await.unwrap();
            let mut bytes = [0; 4];
            connection.read_exact(&mut bytes).await.unwrap();
            bytes
        };
        let (answer, ()) = tokio::join!(client, echo_once(&mut listener));

        assert_eq!(&answer, b"ping");
    }

    #[tokio::test]
    async fn bytes_pass_in_memory_and_over_tcp() {
        let network = Network::default();

        exchange(&network, network.listen_memory("echo")).await;
        exchange(&network, Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap()).await;
    }

    #[tokio::test]
    async fn connecting_is_refused_when_nobody_listens() {
        let network = Network::default();
        drop(network.listen_memory("gone"));

        let refused =
            network.connect("gone", &Target::Memory("gone".to_owned())).await.unwrap_err();

        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn a_name_can_be_listened_on_again() {
        let network = Network::default();
        let first = network.listen_memory("again");
        let second = network.listen_memory("again");
        drop(first);

        exchange(&network, second).await;
        exchange(&network, network.listen_memory("again")).await;
    }
}
