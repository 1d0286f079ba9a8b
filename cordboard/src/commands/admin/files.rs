//! Directory files and passwords.

use std::fs::{self, OpenOptions};
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use auth::domain::secret::Secret;

use super::{open, say, say_raw};
use crate::cli::Database;
use crate::services;

/// Longest input that can be a password.
const MAX_PASSWORD_BYTES: u64 = 4096;

pub(super) async fn import(file: &Path, database: &Database) -> anyhow::Result<()> {
    let text =
        fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let summary = services::import(&database.settings(), &text)
        .await
        .with_context(|| format!("{} was not imported", file.display()))?;
    say(summary);
    Ok(())
}

pub(super) async fn export(file: &Path, database: &Database) -> anyhow::Result<()> {
    let directory = open(database).await?;
    let text = auth::export::write(&directory.snapshot().await?.plan)?;
    if file == Path::new("-") {
        say_raw(&text);
        return Ok(());
    }
    write_closed(file, &text).with_context(|| format!("{} cannot be written", file.display()))
}

/// Writes a file that only its owner may read: the whole of it, or nothing.
pub(in crate::commands) fn write_closed(file: &Path, text: &str) -> std::io::Result<()> {
    let mut name = file.file_name().ok_or(std::io::ErrorKind::InvalidFilename)?.to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = file.with_file_name(name);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&part)
        .and_then(|mut out| out.write_all(text.as_bytes()).and_then(|()| out.sync_all()))
        .and_then(|()| fs::rename(&part, file));
    if written.is_err() {
        drop(fs::remove_file(&part));
    }
    written
}

/// The password in a file or on standard input, without the line break at its end.
pub(super) fn password(file: Option<&Path>) -> anyhow::Result<Secret> {
    let mut text = String::new();
    if let Some(file) = file {
        fs::File::open(file)
            .and_then(|file| file.take(MAX_PASSWORD_BYTES).read_to_string(&mut text))
            .with_context(|| format!("{} cannot be read", file.display()))?;
    } else {
        let input = std::io::stdin();
        anyhow::ensure!(
            !input.is_terminal(),
            "a terminal would show the password: give `--password-file FILE`, or pipe it in, e.g. \
             `read -rs P; printf %s \"$P\" | cordboard admin user set-password LOGIN`"
        );
        input
            .take(MAX_PASSWORD_BYTES)
            .read_to_string(&mut text)
            .context("the password cannot be read")?;
    }
    let line = text
        .strip_suffix('\n')
        .map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    anyhow::ensure!(!line.contains('\n'), "a password is one line; several were given");
    Ok(Secret::new(line))
}
