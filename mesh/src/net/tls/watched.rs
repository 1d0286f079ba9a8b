//! What is made of files, and made anew when they have changed.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::{Mutex, RwLock};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Makes a value of the files' contents, given in their order.
type Make<T> = Box<dyn Fn(&[Vec<u8>]) -> anyhow::Result<T> + Send + Sync>;

/// A value that is made of files.
pub(super) struct Watched<T> {
    files: Vec<PathBuf>,
    make: Make<T>,
    current: RwLock<Arc<T>>,
    /// Digest of what was read last; what makes no sense is looked at once.
    seen: Mutex<[u8; 32]>,
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Watched").field("files", &self.files).finish_non_exhaustive()
    }
}

impl<T> Watched<T> {
    /// Reads the files for the first time.
    pub(super) fn load(
        files: Vec<PathBuf>,
        make: impl Fn(&[Vec<u8>]) -> anyhow::Result<T> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let contents = read(&files)?;
        let value = make(&contents).with_context(|| format!("{files:?}"))?;
        Ok(Self {
            files,
            make: Box::new(make),
            current: RwLock::new(Arc::new(value)),
            seen: Mutex::new(digest(&contents)),
        })
    }

    /// The value as the files were last.
    pub(super) fn current(&self) -> Arc<T> {
        Arc::clone(&self.current.read())
    }

    /// Looks at the files every `interval` until `stop`.
    pub(super) async fn follow(&self, interval: Duration, stop: CancellationToken) {
        let looking = async {
            loop {
                tokio::time::sleep(interval).await;
                self.look();
            }
        };
        stop.run_until_cancelled(looking).await;
    }

    /// Takes over what the files say now. They are small: reading them holds nobody up.
    fn look(&self) {
        let contents = match read(&self.files) {
            Ok(contents) => contents,
            // They may be about to be swapped; the next look finds them, or the one after.
            Err(error) => {
                return warn!(error = format!("{error:#}"), "certificates cannot be read");
            }
        };
        let digest = digest(&contents);
        if std::mem::replace(&mut *self.seen.lock(), digest) == digest {
            return;
        }
        match (self.make)(&contents) {
            Ok(value) => {
                *self.current.write() = Arc::new(value);
                info!(files = ?self.files, "certificates were renewed");
            }
            Err(error) => {
                let error = format!("{error:#}");
                warn!(files = ?self.files, error, "renewed certificates are of no use; the old ones stay");
            }
        }
    }
}

fn read(files: &[PathBuf]) -> anyhow::Result<Vec<Vec<u8>>> {
    files
        .iter()
        .map(|file| std::fs::read(file).with_context(|| format!("file {}", file.display())))
        .collect()
}

fn digest(contents: &[Vec<u8>]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for content in contents {
        hash.update(content.len().to_be_bytes());
        hash.update(content);
    }
    hash.finalize().into()
}
