//! What can be played: prompts of the prompt folder, those that the program brings along, and audio
//! from addresses that customers name.
//!
//! All of it is known to be audio, and how long it lasts, before a party hears anything. A path
//! never leads out of the prompt folder; an address never into the operator's own networks
//! ([`mesh::outward`]).

mod builtin;
mod folder;
mod format;

use std::path::PathBuf;
use std::time::Duration;

use mesh::outward::{self, Address, Forbidden, Limits, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

pub use builtin::{builtin_pitches, builtin_prompts};

use crate::driver::{Clip, Content};
use folder::Found;

/// Prompts, and audio from elsewhere.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The prompt folder; its files are found before those that the program brings along.
    pub folder: Option<PathBuf>,
    /// Bytes that a prompt, or audio from an address, may have.
    pub max_bytes: usize,
    /// Time that fetching audio from an address may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub fetch_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { folder: None, max_bytes: 10 * 1024 * 1024, fetch_timeout: Duration::from_secs(10) }
    }
}

/// How many addresses are fetched from at the same time; others wait.
const FETCHES: usize = 32;

/// A prompt that cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` {why}")]
pub struct BadPrompt {
    /// The path as it was given.
    pub path: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// What can be played on this node.
#[derive(Debug)]
pub struct Audio {
    config: Config,
    rules: Rules,
    client: outward::Client,
    fetches: Semaphore,
}

impl Audio {
    /// Prompts as configured, and addresses under these rules.
    #[must_use]
    pub fn new(config: Config, rules: Rules) -> Self {
        let client = outward::Client::new(rules);
        Self { config, rules, client, fetches: Semaphore::new(FETCHES) }
    }

    /// Looks prompts up by their paths.
    ///
    /// # Errors
    /// With the first that cannot be played.
    pub async fn prompts(&self, paths: &[String]) -> Result<Vec<Clip>, BadPrompt> {
        let mut clips = Vec::new();
        for path in paths {
            let prompt = self.prompt(path).await;
            let (duration, bytes) = prompt.map_err(|why| BadPrompt { path: path.clone(), why })?;
            let (name, content) = (path.clone(), Content::new(bytes));
            clips.push(Clip { name, duration, is_fetched: false, content });
        }
        Ok(clips)
    }

    /// A prompt of the engine's own choice; nothing when it cannot be played.
    pub(crate) async fn usual(&self, path: String) -> Option<Clip> {
        match self.prompts(&[path]).await {
            Ok(mut clips) => clips.pop(),
            Err(bad) => {
                tracing::warn!(path = bad.path, why = bad.why, "a prompt cannot be played");
                None
            }
        }
    }

    async fn prompt(&self, path: &str) -> Result<(Duration, Vec<u8>), &'static str> {
        let format = folder::check_path(path)?;
        let max_bytes = self.config.max_bytes;
        let bytes = match &self.config.folder {
            None => Found::Nothing,
            Some(folder) => folder::read(folder, path, max_bytes).await?,
        };
        let bytes = match bytes {
            Found::Bytes(bytes) => bytes,
            Found::Nothing => builtin::bytes_of(path).ok_or("names no prompt")?,
        };
        Ok((format::duration(format, &bytes)?, bytes))
    }

    /// Checks an address from which something is to be played.
    ///
    /// # Errors
    /// When it is malformed or forbidden.
    pub async fn check_url(&self, url: &str) -> Result<(), Forbidden> {
        self.client.check(url).await.map(drop)
    }

    /// Fetches what is at an address that was checked; nothing when there is no audio.
    pub(crate) async fn fetch(&self, url: &str) -> Option<Clip> {
        let address = Address::parse(url, self.rules).ok()?;
        // It is never closed.
        let _turn = self.fetches.acquire().await.ok()?;
        let limits =
            Limits { timeout: self.config.fetch_timeout, max_bytes: self.config.max_bytes };
        let refuse = |why: &str| tracing::info!(%address, why, "nothing to play was fetched");
        let answer = match self.client.get(&address, limits).await {
            Ok(answer) => answer,
            Err(error) => {
                refuse(&mesh::fault::chain(&error));
                return None;
            }
        };
        if answer.status != http::StatusCode::OK {
            refuse("the answer is not 200");
            return None;
        }
        let kind = answer.headers.get(http::header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        match format::of_content(url, kind, &answer.body) {
            Ok(duration) => {
                let (name, content) = (url.to_owned(), Content::new(answer.body));
                Some(Clip { name, duration, is_fetched: true, content })
            }
            Err(why) => {
                refuse(why);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
