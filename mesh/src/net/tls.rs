//! TLS of listeners and connections, from files that are renewed while it runs.
//!
//! Two uses: the public port, whose clients have no certificate ([`ServerTls::public`]), and the
//! connections between services, where both ends have one ([`ServerTls::mesh`], [`ClientTls`]).
//! Between services a certificate names its service: the client wants the name of the service
//! that it calls, the server the name of one that may call it. Addresses say nothing, since
//! instances come and go under new ones.
//!
//! The files are looked at every so often, not watched: Kubernetes swaps links, and some file
//! systems tell nobody. New certificates serve new connections; those that stand are not touched.
//! Files that make no sense, e.g. a new certificate whose key has yet to come, change nothing.

mod client;
pub mod config;
mod expiry;
mod peers;
mod server;
mod watched;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub use client::ClientTls;
pub use config::Config;
pub(super) use server::Handshake;
pub use server::ServerTls;

/// How long a client may take for its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads a chain of certificates, the own one first.
fn chain(pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let chain = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .context("the certificate cannot be read")?;
    ensure!(!chain.is_empty(), "there is no certificate in the file");
    Ok(chain)
}

/// Reads a private key.
fn key(pem: &[u8]) -> anyhow::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(pem).context("the key cannot be read")
}

/// Reads who is trusted to sign certificates.
fn roots(pem: &[u8]) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(pem)? {
        roots.add(certificate).context("the authority's certificate cannot be used")?;
    }
    Ok(roots)
}

#[cfg(test)]
mod tests;
