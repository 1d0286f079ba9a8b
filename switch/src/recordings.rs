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
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::fs;
use tokio_util::sync::CancellationToken;

pub use entry::Entry;
pub use index::{Page, Wanted};

use crate::domain::Recorded;
use crate::driver::Driver;
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

/// The recordings of this node.
#[derive(Debug)]
pub struct Recordings {
    config: Config,
    clock: Clock,
    index: Mutex<Index>,
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
        Ok(Self { config, clock, index: Mutex::new(index) })
    }

    /// A node without a recording folder.
    #[must_use]
    pub fn off(clock: Clock) -> Self {
        Self { config: Config::default(), clock, index: Mutex::default() }
    }

    /// True when there is a folder to record to.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.config.folder.is_some()
    }

    /// Takes a recording that is over from the switch.
    pub(crate) async fn keep(&self, driver: &dyn Driver, recorded: Recorded) {
        let Some(folder) = &self.config.folder else { return };
        let mut entry = Entry::of(recorded);
        match write(driver, folder, &mut entry).await {
            Ok(()) => self.index.lock().insert(entry),
            Err(why) => {
                tracing::error!(error = why, recording = entry.id, "a recording was lost");
                remove(folder, &entry).await;
            }
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
                () = stop.cancelled() => return,
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

/// Writes the two files of a recording.
async fn write(driver: &dyn Driver, folder: &Path, entry: &mut Entry) -> Result<(), String> {
    let said = |error: &dyn std::error::Error| mesh::fault::chain(error);
    let file = folder.join(entry.path());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).await.map_err(|error| said(&error))?;
    }
    let half = file.with_extension("part");
    driver.collect(&entry.recording_id(), &half).await.map_err(|error| said(&error))?;
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
