//! The prompt folder. What a path names in it is a regular file inside it, wherever links lead.

use std::io;
use std::path::{Component, Path};

use mesh::command::prompt_path;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use super::format::Format;

/// What a path names.
#[derive(Debug)]
pub(super) enum Found {
    /// No file.
    Nothing,
    /// This one.
    Bytes(Vec<u8>),
}

const LEAVES: &str = "leaves the prompt folder";

/// Checks a path by its text; says which format its extension promises.
pub(super) fn check_path(path: &str) -> Result<Format, &'static str> {
    prompt_path::check(path)?;
    // What this system takes for a way out.
    if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(LEAVES);
    }
    Format::of_name(path).ok_or("is not `au`, `g729` or `wav`")
}

/// Reads a prompt.
pub(super) async fn read(folder: &Path, path: &str, max: usize) -> Result<Found, &'static str> {
    // Resolved first, so that a link in the folder leads nowhere else.
    let resolved = async {
        let folder = tokio::fs::canonicalize(folder).await?;
        let file = tokio::fs::canonicalize(folder.join(path)).await?;
        Ok::<_, io::Error>((folder, file))
    };
    let Ok((folder, file)) = resolved.await else { return Ok(Found::Nothing) };
    if !file.starts_with(&folder) {
        return Err(LEAVES);
    }
    let reading = async {
        let is_file = tokio::fs::metadata(&file).await?.is_file();
        if !is_file {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let bound = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
        File::open(&file).await?.take(bound).read_to_end(&mut bytes).await?;
        Ok::<_, io::Error>(Some(bytes))
    };
    match reading.await {
        Ok(Some(bytes)) if bytes.len() > max => Err("is too big"),
        Ok(Some(bytes)) => Ok(Found::Bytes(bytes)),
        Ok(None) => Err("names no file"),
        Err(error) => {
            tracing::warn!(%error, "a prompt cannot be read");
            Err("cannot be read")
        }
    }
}
