//! The accepting end.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::tls::ServerTls;
use super::{Connection, Network, Target};

/// Accepts connections, over TCP with or without TLS, or in memory. Dropping it refuses further
/// ones.
#[derive(Debug)]
pub struct Listener {
    inner: Inner,
    tls: Option<ServerTls>,
}

#[derive(Debug)]
enum Inner {
    Tcp(TcpListener),
    Memory(Memory),
}

#[derive(Debug)]
struct Memory {
    network: Network,
    name: String,
    sender: mpsc::WeakSender<DuplexStream>,
    receiver: mpsc::Receiver<DuplexStream>,
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.network.forget(&self.name, &self.sender);
    }
}

impl Listener {
    /// Listens on a TCP address; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        TcpListener::bind(address).await.map(Self::tcp)
    }

    /// Takes over a bound TCP listener.
    #[must_use]
    pub const fn tcp(listener: TcpListener) -> Self {
        Self { inner: Inner::Tcp(listener), tls: None }
    }

    /// The same listener, whose connections over TCP are TLS ones.
    #[must_use]
    pub fn with_tls(self, tls: Option<ServerTls>) -> Self {
        Self { tls, ..self }
    }

    pub(super) const fn memory(
        network: Network,
        name: String,
        sender: mpsc::WeakSender<DuplexStream>,
        receiver: mpsc::Receiver<DuplexStream>,
    ) -> Self {
        Self { inner: Inner::Memory(Memory { network, name, sender, receiver }), tls: None }
    }

    /// Waits for the next connection. With TLS its handshake is yet to come, and goes on when it
    /// is read or written. Cancel safe.
    ///
    /// # Errors
    /// What the operating system says, e.g. too many open files: wait a little and go on. An
    /// in-memory listener whose name another has taken waits for ever.
    pub async fn accept(&mut self) -> io::Result<Connection> {
        match &mut self.inner {
            Inner::Tcp(listener) => {
                let stream = listener.accept().await?.0;
                let Some(tls) = &self.tls else { return Connection::tcp(stream) };
                stream.set_nodelay(true)?;
                Ok(Connection::handshake(tls.begin(stream)))
            }
            Inner::Memory(memory) => match memory.receiver.recv().await {
                Some(stream) => Ok(Connection::memory(stream)),
                None => std::future::pending().await,
            },
        }
    }

    /// The bound address; `None` in memory.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.inner {
            Inner::Tcp(listener) => listener.local_addr().ok(),
            Inner::Memory(_) => None,
        }
    }

    /// What others on this machine connect to; the loopback address when bound to all.
    #[must_use]
    pub fn local_target(&self) -> Target {
        match &self.inner {
            Inner::Memory(memory) => Target::Memory(memory.name.clone()),
            Inner::Tcp(_) => {
                let address = self.local_addr().unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into());
                let ip = match address.ip() {
                    ip if !ip.is_unspecified() => ip,
                    IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                    IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                };
                Target::Tcp { host: ip.to_string(), port: address.port() }
            }
        }
    }
}
