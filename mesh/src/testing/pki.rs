//! Certificates for tests, with the lives that a test wants.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;

use crate::clock::Clock;
use crate::net::tls::config::{Identity, Pair};

/// An authority that signs certificates.
#[derive(Debug)]
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// The files of one process, as a secret is mounted.
#[derive(Debug)]
pub struct Mounted {
    folder: TempDir,
}

/// Asks the impossible of a test's surroundings.
#[expect(clippy::panic, reason = "this is how a test fails")]
fn must<T, E: std::fmt::Display>(outcome: Result<T, E>) -> T {
    outcome.unwrap_or_else(|error| panic!("{error}"))
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        let mut params = must(CertificateParams::new(Vec::<String>::new()));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = must(KeyPair::generate());
        let pem = must(params.self_signed(&key)).pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Its certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for these names that is good for `life` from now on, and its key, in PEM.
    #[must_use]
    pub fn issue(&self, names: &[&str], life: Duration) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = must(CertificateParams::new(names));
        let now = Duration::from_millis(Clock::system().now().as_millis());
        params.not_before = date_time_ymd(1970, 1, 1) + now.saturating_sub(Duration::from_mins(1));
        params.not_after = date_time_ymd(1970, 1, 1) + now + life;
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = must(KeyPair::generate());
        let certificate = must(params.signed_by(&key, &self.issuer));
        (certificate.pem(), key.serialize_pem())
    }

    /// A client's side that trusts this authority and shows nothing itself.
    #[must_use]
    pub fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        must(roots.add(must(CertificateDer::from_pem_slice(self.pem.as_bytes()))));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = must(
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions(),
        );
        Arc::new(config.with_root_certificates(roots).with_no_client_auth())
    }

    /// Files with a certificate for these names.
    #[must_use]
    pub fn mount(&self, names: &[&str], life: Duration) -> Mounted {
        let mounted = Mounted { folder: must(TempDir::new()) };
        mounted.renew(self, names, life);
        mounted
    }
}

impl Mounted {
    /// Replaces what is in the files.
    pub fn renew(&self, authority: &Authority, names: &[&str], life: Duration) {
        let (certificate, key) = authority.issue(names, life);
        must(std::fs::write(self.certificate(), certificate));
        must(std::fs::write(self.key(), key));
        must(std::fs::write(self.authority(), authority.pem()));
    }

    /// The certificate's file.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.path("tls.crt")
    }

    /// The key's file.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.path("tls.key")
    }

    /// The authority's file.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.path("ca.crt")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Certificate and key of a listener.
#[must_use]
pub fn pair<'a>(certificate: &'a Path, key: &'a Path) -> Pair<'a> {
    Pair { certificate, key }
}

/// What a service shows and trusts.
#[must_use]
pub fn identity<'a>(certificate: &'a Path, key: &'a Path, authority: &'a Path) -> Identity<'a> {
    Identity { pair: Pair { certificate, key }, authority, domain: "" }
}
