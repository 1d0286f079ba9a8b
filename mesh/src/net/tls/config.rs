//! Settings of TLS.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{bail, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of TLS: of the public port, and between services. Without files there is none.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Time between two looks at the files; renewed ones serve new connections from then on.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub reload_interval: Duration,
    /// The public port.
    pub public: Public,
    /// Connections between services.
    pub mesh: Mesh,
}

/// TLS of the public port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Public {
    /// The certificate and those between it and its authority, in PEM.
    pub certificate_file: Option<PathBuf>,
    /// Its private key, in PEM.
    pub key_file: Option<PathBuf>,
}

/// TLS between services, in both directions: each shows a certificate with its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mesh {
    /// The process's own certificate, in PEM; its names (SAN) hold the service's, e.g. `auth`.
    pub certificate_file: Option<PathBuf>,
    /// Its private key, in PEM.
    pub key_file: Option<PathBuf>,
    /// The authority that signs the services' certificates, in PEM; several while it changes.
    pub ca_file: Option<PathBuf>,
    /// What follows the service's name in certificates: with `cordboard.internal` that of auth
    /// is `auth.cordboard.internal`.
    pub domain: String,
}

/// A certificate and its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    /// The certificate.
    pub certificate: &'a Path,
    /// Its key.
    pub key: &'a Path,
}

/// A certificate, its key, and who signs those of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The own certificate and key.
    pub pair: Pair<'a>,
    /// The authority.
    pub authority: &'a Path,
    /// What follows a service's name; may be empty.
    pub domain: &'a str,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reload_interval: Duration::from_secs(10),
            public: Public::default(),
            mesh: Mesh::default(),
        }
    }
}

impl Config {
    /// Refuses settings that contradict each other.
    ///
    /// # Errors
    /// Names the key.
    pub fn validate(&self) -> anyhow::Result<()> {
        ensure!(!self.reload_interval.is_zero(), "tls.reload_interval must not be zero");
        self.public.pair()?;
        self.mesh.identity()?;
        Ok(())
    }
}

impl Public {
    /// The files, when there are any.
    ///
    /// # Errors
    /// When one of the two is missing.
    pub fn pair(&self) -> anyhow::Result<Option<Pair<'_>>> {
        match (&self.certificate_file, &self.key_file) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some(Pair { certificate, key })),
            _ => bail!("a certificate needs its key: give `certificate_file` and `key_file`"),
        }
    }
}

impl Mesh {
    /// The files, when there are any.
    ///
    /// # Errors
    /// When one of the three is missing.
    pub fn identity(&self) -> anyhow::Result<Option<Identity<'_>>> {
        match (&self.certificate_file, &self.key_file, &self.ca_file) {
            (None, None, None) => Ok(None),
            (Some(certificate), Some(key), Some(authority)) => Ok(Some(Identity {
                pair: Pair { certificate, key },
                authority,
                domain: &self.domain,
            })),
            _ => bail!(
                "TLS between services needs `tls.mesh.certificate_file`, `tls.mesh.key_file` and \
                 `tls.mesh.ca_file`"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Config {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn there_is_no_tls_without_files() {
        let config = Config::default();

        config.validate().unwrap();
        assert_eq!(config.public.pair().unwrap(), None);
        assert_eq!(config.mesh.identity().unwrap(), None);
    }

    #[test]
    fn half_of_the_files_are_refused() {
        for text in [
            "[public]\ncertificate_file = 'a'",
            "[public]\nkey_file = 'a'",
            "[mesh]\ncertificate_file = 'a'\nkey_file = 'b'",
            "[mesh]\nca_file = 'a'",
            "reload_interval = '0s'",
        ] {
            assert!(read(text).validate().is_err(), "{text}");
        }
        let whole = "[mesh]\ncertificate_file = 'a'\nkey_file = 'b'\nca_file = 'c'";
        read(whole).validate().unwrap();
    }
}
