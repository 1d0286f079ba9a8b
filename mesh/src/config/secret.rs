//! Secrets, which come as files and never show.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, ensure};
use secrecy::{ExposeSecret as _, SecretString};

/// A text that is never shown; wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a text over.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text, for who needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// Reads the secret that a `*_file` key names; line ends after it are left out.
///
/// # Errors
/// When the file cannot be read or is empty.
pub fn read_secret(path: &Path) -> anyhow::Result<Secret> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read secret file {}", path.display()))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    ensure!(!secret.is_empty(), "secret file {} is empty", path.display());
    Ok(Secret::new(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_from_its_file_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "correct horse\n").unwrap();

        let secret = read_secret(&file).unwrap();

        assert_eq!(secret.expose(), "correct horse");
        assert_eq!(format!("{secret:?}"), "[redacted]");
    }

    #[test]
    fn an_empty_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "\n").unwrap();

        assert!(read_secret(&file).is_err());
        assert!(read_secret(&folder.path().join("absent")).is_err());
    }
}
