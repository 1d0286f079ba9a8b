//! What the simulated switch needs from around it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::driver::Signal;

/// Which accounts have a phone.
#[async_trait]
pub trait Phonebook: Send + Sync + fmt::Debug + 'static {
    /// Whether there is an account with this id.
    ///
    /// # Errors
    /// When the directory does not say.
    async fn is_account(&self, account_id: &str) -> Result<bool, PhonebookError>;
}

/// The directory did not say whether an account exists.
#[derive(Debug, thiserror::Error)]
#[error("directory does not answer")]
pub struct PhonebookError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// What a simulated crash of the node does.
#[derive(Clone)]
pub struct CrashHook(Arc<dyn Fn() + Send + Sync>);

impl CrashHook {
    /// Calls `crash`, from a task of the control port.
    pub fn new(crash: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(crash))
    }

    pub(super) fn crash(&self) {
        (self.0)();
    }
}

impl fmt::Debug for CrashHook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CrashHook")
    }
}

/// What the simulated switch needs from around it.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Which accounts have a phone.
    pub accounts: Arc<dyn Phonebook>,
    /// Where events go.
    pub signals: mpsc::Sender<Signal>,
    /// What a crash of the node is; without it that fault is refused.
    pub crash: Option<CrashHook>,
    /// Runs the timers and the sending of events.
    pub tasks: TaskTracker,
    /// Ends those.
    pub stop: CancellationToken,
}
