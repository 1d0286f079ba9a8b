//! The accepting end.

use std::fmt;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::server::NoServerSessionStorage;
use rustls::{ServerConfig, version};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::config::{Identity, Pair};
use super::peers::{self, Peers};
use super::watched::Watched;
use super::{HANDSHAKE_TIMEOUT, chain, expiry, key, roots};

/// TLS of a listener. Clones share the files.
#[derive(Clone, Debug)]
pub struct ServerTls {
    config: Arc<Watched<ServerConfig>>,
    /// The clients are our own services: one that is refused is worth a word.
    is_mesh: bool,
}

impl ServerTls {
    /// For clients from outside, which show no certificate: HTTP/1.1 over TLS 1.2 or 1.3.
    ///
    /// # Errors
    /// When the files cannot be read or do not belong together.
    pub fn public(pair: Pair<'_>) -> anyhow::Result<Self> {
        let files = vec![pair.certificate.to_owned(), pair.key.to_owned()];
        let config = Watched::load(files, move |contents| {
            let [certificate, private] = contents else { anyhow::bail!("two files are needed") };
            let chain = chain(certificate)?;
            expiry::record("public", &chain);
            let mut config = ServerConfig::builder_with_provider(provider())
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(chain, key(private)?)?;
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Ok(config)
        })?;
        Ok(Self { config: Arc::new(config), is_mesh: false })
    }

    /// For other services, which show a certificate with one of the names `callers`: HTTP/2 over
    /// TLS 1.3.
    ///
    /// # Errors
    /// When the files cannot be read or do not belong together.
    pub fn mesh(identity: Identity<'_>, callers: &[&str]) -> anyhow::Result<Self> {
        let Identity { pair, authority, domain } = identity;
        let names = callers.iter().map(|service| peers::name_of(service, domain));
        let names = names.collect::<anyhow::Result<Vec<_>>>()?;
        let files = vec![pair.certificate.to_owned(), pair.key.to_owned(), authority.to_owned()];
        let config = Watched::load(files, move |contents| {
            let [certificate, private, authority] = contents else {
                anyhow::bail!("three files are needed")
            };
            let peers = Peers::new(roots(authority)?, names.clone())?;
            let mut config = ServerConfig::builder_with_provider(provider())
                .with_protocol_versions(&[&version::TLS13])?
                .with_client_cert_verifier(peers)
                .with_single_cert(chain(certificate)?, key(private)?)?;
            config.alpn_protocols = vec![b"h2".to_vec()];
            // A resumed session would not show its certificate again.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
            Ok(config)
        })?;
        Ok(Self { config: Arc::new(config), is_mesh: true })
    }

    /// Looks at the files every `interval` until `stop`.
    pub async fn follow(self, interval: Duration, stop: CancellationToken) {
        self.config.follow(interval, stop).await;
    }

    /// Begins a handshake, which goes on when the connection is read or written.
    pub(in super::super) fn begin(&self, stream: TcpStream) -> Handshake {
        Handshake {
            accept: TlsAcceptor::from(self.config.current()).accept(stream),
            deadline: Box::pin(sleep(HANDSHAKE_TIMEOUT)),
            is_mesh: self.is_mesh,
        }
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A handshake under way. Who accepted the connection does not wait for it, so a client that is
/// slow, or says nothing, holds nobody up.
pub(in super::super) struct Handshake {
    accept: Accept<TcpStream>,
    deadline: Pin<Box<Sleep>>,
    is_mesh: bool,
}

impl fmt::Debug for Handshake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Handshake").finish_non_exhaustive()
    }
}

impl Handshake {
    /// The socket, while there is one.
    pub(in super::super) fn socket(&self) -> Option<&TcpStream> {
        self.accept.get_ref()
    }

    /// Goes on; not to be polled again after an error.
    pub(in super::super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<TlsStream<TcpStream>>> {
        let peer = self.socket().and_then(|socket| socket.peer_addr().ok());
        let outcome = match Pin::new(&mut self.accept).poll(cx) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => match self.deadline.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            },
        };
        if let Err(error) = &outcome {
            if self.is_mesh {
                warn!(?peer, %error, "a service was refused in the TLS handshake");
            } else {
                debug!(?peer, %error, "TLS handshake failed");
            }
        }
        Poll::Ready(outcome)
    }
}
