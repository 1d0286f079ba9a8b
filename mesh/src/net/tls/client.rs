//! The connecting end, between services.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::{ClientConfig, version};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use super::config::Identity;
use super::watched::Watched;
use super::{chain, expiry, key, peers, roots};

/// TLS towards other services. Clones share the files.
#[derive(Clone, Debug)]
pub struct ClientTls {
    config: Arc<Watched<ClientConfig>>,
    domain: Arc<str>,
}

impl ClientTls {
    /// Shows the own certificate and wants the one of the service that is called.
    ///
    /// # Errors
    /// When the files cannot be read or do not belong together.
    pub fn mesh(identity: Identity<'_>) -> anyhow::Result<Self> {
        let Identity { pair, authority, domain } = identity;
        let files = vec![pair.certificate.to_owned(), pair.key.to_owned(), authority.to_owned()];
        let config = Watched::load(files, move |contents| {
            let [certificate, private, authority] = contents else {
                anyhow::bail!("three files are needed")
            };
            let chain = chain(certificate)?;
            expiry::record("mesh", &chain);
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let mut config = ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&[&version::TLS13])?
                .with_root_certificates(roots(authority)?)
                .with_client_auth_cert(chain, key(private)?)?;
            config.alpn_protocols = vec![b"h2".to_vec()];
            // Each connection is for the certificates of its own time.
            config.resumption = Resumption::disabled();
            Ok(config)
        })?;
        Ok(Self { config: Arc::new(config), domain: domain.into() })
    }

    /// Looks at the files every `interval` until `stop`.
    pub async fn follow(self, interval: Duration, stop: CancellationToken) {
        self.config.follow(interval, stop).await;
    }

    /// Makes sure that the other end is an instance of `service`.
    pub(in super::super) async fn connect(
        &self,
        service: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = peers::name_of(service, &self.domain);
        let name = name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        TlsConnector::from(self.config.current()).connect(name, stream).await
    }
}
