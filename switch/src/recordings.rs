//! The recordings of this node: files in the recording folder, and who may have them.
//!
//! A recording is two files in its customer's folder: `<id>.wav`, and `<id>.json`, which says
//! what it is and is written last, so that what has one is whole. What the folder holds is known in
//! memory; at the start it is read anew, and half files of an earlier life are removed. The
//! oldest go when they are older than [`Config::keep`], or when all together have more bytes than
//! [`Config::max_bytes`].

mod entry;
mod index;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mesh::Clock;
use mesh::caller::Scope;
use mesh::client::Backoff;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::fs;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use entry::Entry;
pub use index::{Page, Wanted};

use crate::domain::Recorded;
use crate::driver::{Driver, DriverError};
use index::Index;

/// Recordings.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The recording folder; without one nothing is recorded.
    pub folder: Option<PathBuf>,
    /// How long a recording is kept.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub keep: Duration,
    /// Bytes that all recordings of the node may have; beyond it the oldest go.
    pub max_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            folder: None,
            keep: Duration::from_hours(30 * 24),
            max_bytes: 50 * 1024 * 1024 * 1024,
        }
    }
}

/// How often the folder is looked through for what has to go.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// Pauses while the switch cannot be reached.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long a recording is tried for. The switch has it meanwhile, as it had the call.
const PATIENCE: Duration = Duration::from_mins(30);

/// The recordings of this node.
#[derive(Debug)]
pub struct Recordings {
    config: Config,
    clock: Clock,
    index: Mutex<Index>,
    /// Nothing is tried again any more.
    closing: CancellationToken,
}

impl Recordings {
    /// Reads what is in the folder, which is made when it is not there.
    ///
    /// # Errors
    /// When the folder cannot be read or made.
    pub async fn open(config: Config, clock: Clock) -> io::Result<Self> {
        let mut index = Index::default();
        if let Some(folder) = &config.folder {
            fs::create_dir_all(folder).await?;
            read_folder(folder, &mut index).await?;
        }
        Ok(Self { config, clock, index: Mutex::new(index), closing: CancellationToken::new() })
    }

    /// A node without a recording folder.
    #[must_use]
    pub fn off(clock: Clock) -> Self {
        let (config, index) = (Config::default(), Mutex::default());
        Self { config, clock, index, closing: CancellationToken::new() }
    }

    /// True when there is a folder to record to.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.config.folder.is_some()
    }

    /// Takes a recording that is over from the switch, and waits for a switch that is away. One
    /// that cannot be kept the switch is to forget; one that the node has no time left for, not.
    pub(crate) async fn keep(&self, driver: &dyn Driver, recorded: Recorded) {
        let Some(folder) = &self.config.folder else {
            // An earlier process had one.
            if let Err(error) = driver.discard(&recorded.id).await {
                tracing::warn!(%error, "a recording was left with the switch");
            }
            return;
        };
        let mut entry = Entry::of(recorded);
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let deadline = Instant::now() + PATIENCE;
        let lost = loop {
            let lost = match write(driver, folder, &mut entry).await {
                Ok(()) => return self.index.lock().insert(entry),
                Err(lost) => lost,
            };
            let pause = backoff.next();
            if !lost.is_passing || Instant::now() + pause > deadline {
                break lost;
            }
            let pause = tokio::time::sleep(pause);
            if self.closing.run_until_cancelled(pause).await.is_none() {
                break lost;
            }
        };
        tracing::error!(error = lost.why, recording = entry.id, "a recording was lost");
        remove(folder, &entry).await;
        if !self.closing.is_cancelled()
            && let Err(error) = driver.discard(&entry.recording_id()).await
        {
            tracing::warn!(%error, recording = entry.id, "a recording was left with the switch");
        }
    }

    /// The newest recordings that this caller may have.
    #[must_use]
    pub fn list(&self, scope: &Scope, wanted: &Wanted) -> Page {
        self.index.lock().list(scope, wanted)
    }

    /// A recording that this caller may have, and its file.
    #[must_use]
    pub fn find(&self, scope: &Scope, id: &str) -> Option<(Arc<Entry>, PathBuf)> {
        let folder = self.config.folder.as_ref()?;
        let entry = self.index.lock().find(scope, id)?;
        let file = folder.join(entry.path());
        Some((entry, file))
    }

    /// Removes what has to go, for as long as the node runs.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        if !self.is_on() {
            return;
        }
        loop {
            self.sweep().await;
            tokio::select! {
                () = stop.cancelled() => return self.closing.cancel(),
                () = tokio::time::sleep(SWEEP_EVERY) => {}
            }
        }
    }

    /// Removes what has to go now.
    pub(crate) async fn sweep(&self) {
        let Some(folder) = &self.config.folder else { return };
        let keep = i64::try_from(self.config.keep.as_micros()).unwrap_or(i64::MAX);
        let oldest = self.clock.now().as_micros().saturating_sub(keep);
        let surplus = self.index.lock().take_surplus(oldest, self.config.max_bytes);
        for entry in surplus {
            remove(folder, &entry).await;
        }
    }
}

/// Why a recording cannot be had.
struct Lost {
    why: String,
    /// It may be had later.
    is_passing: bool,
}

/// Writes the two files of a recording.
async fn write(driver: &dyn Driver, folder: &Path, entry: &mut Entry) -> Result<(), Lost> {
    let said =
        |error: &dyn std::error::Error| Lost { why: mesh::fault::chain(error), is_passing: false };
    let file = folder.join(entry.path());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).await.map_err(|error| said(&error))?;
    }
    let half = file.with_extension("part");
    driver.collect(&entry.recording_id(), &half).await.map_err(|error| Lost {
        is_passing: matches!(error, DriverError::Unreachable),
        ..said(&error)
    })?;
    let about = async {
        entry.bytes = fs::metadata(&half).await?.len();
        fs::rename(&half, &file).await?;
        let text = serde_json::to_vec(entry)?;
        fs::write(&half, text).await?;
        fs::rename(&half, file.with_extension("json")).await
    };
    about.await.map_err(|error| said(&error))
}

/// Removes the files of a recording, the one that says what it is first.
async fn remove(folder: &Path, entry: &Entry) {
    let file = folder.join(entry.path());
    for extension in ["json", "wav", "part"] {
        match fs::remove_file(file.with_extension(extension)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, recording = entry.id, "a recording was not removed");
            }
            _ => {}
        }
    }
}

/// Reads the folders of all customers.
async fn read_folder(folder: &Path, index: &mut Index) -> io::Result<()> {
    let mut customers = fs::read_dir(folder).await?;
    while let Some(customer) = customers.next_entry().await? {
        if !customer.file_type().await?.is_dir() {
            continue;
        }
        let mut files = fs::read_dir(customer.path()).await?;
        while let Some(file) = files.next_entry().await? {
            let path = file.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("json") => {
                    let text = fs::read(&path).await?;
                    match serde_json::from_slice::<Entry>(&text) {
                        Ok(entry) if folder.join(entry.path()) == path.with_extension("wav") => {
                            index.insert(entry);
                        }
                        _ => tracing::warn!(file = %path.display(), "this is no recording"),
                    }
                }
                Some("part") => fs::remove_file(&path).await?,
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
