//! From start to stop of a process.
//!
//! A signal asks for the stop: not ready, wait for the load balancers, stop accepting, finish
//! what is under way. What is still there after the drain time-out, or at a second signal, is
//! cut off. A critical task that ends by itself stops the process, which then fails.

use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::FutureExt as _;
use parking_lot::Mutex;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::health::{Component, Readiness};

/// Time for tasks to notice that they have been cut off.
const KILL_TIMEOUT: Duration = Duration::from_secs(2);

/// The life of a process. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    /// Soft: finish what is under way, begin nothing.
    pub stop: CancellationToken,
    /// Hard: end now.
    pub kill: CancellationToken,
    /// Every task of the process.
    pub tasks: TaskTracker,
    failure: Arc<Mutex<Option<String>>>,
    delay: Option<(Readiness, Duration)>,
}

impl Lifecycle {
    /// A life that has just begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// On a signal, first reports "stopping" to `readiness` and waits `delay`, so that load
    /// balancers send nothing new when the stop begins.
    #[must_use]
    pub fn with_drain_delay(mut self, readiness: Readiness, delay: Duration) -> Self {
        self.delay = Some((readiness, delay));
        self
    }

    /// Runs a critical task: when it ends before the stop, in whatever way, the process stops
    /// and fails. `kill` ends it.
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let life = self.clone();
        self.tasks.spawn(async move {
            let running = AssertUnwindSafe(life.kill.run_until_cancelled(task)).catch_unwind();
            match running.await {
                Ok(Some(Ok(()))) if life.stop.is_cancelled() => {}
                Ok(None) => {}
                Ok(Some(Ok(()))) => life.fail(name, "ended by itself"),
                Ok(Some(Err(error))) => life.fail(name, &format!("{error:#}")),
                Err(_panic) => life.fail(name, "panicked"),
            }
        });
    }

    /// Notes why the process fails, and stops it.
    fn fail(&self, task: &'static str, reason: &str) {
        error!(task, reason, "critical task failed");
        self.failure.lock().get_or_insert_with(|| format!("{task}: {reason}"));
        self.stop.cancel();
    }

    /// Runs until a signal or a failure, then stops in order.
    ///
    /// # Errors
    /// When a critical task failed, or work under way had to be cut off.
    pub async fn run_until_stopped(self, drain_timeout: Duration) -> anyhow::Result<()> {
        let mut signals = Signals::listen().context("signals cannot be received")?;
        // Held to the end: the process does not become ready again.
        let _announced = tokio::select! {
            name = signals.next() => {
                info!(signal = name, "stopping");
                self.announce(&mut signals).await
            }
            () = self.stop.cancelled() => None,
        };
        self.finish(signals, drain_timeout).await
    }

    /// Stops as after a signal; for a process that runs inside another, as in tests.
    ///
    /// # Errors
    /// As [`Lifecycle::run_until_stopped`].
    pub async fn shut_down(self, drain_timeout: Duration) -> anyhow::Result<()> {
        let signals = Signals::listen().context("signals cannot be received")?;
        self.finish(signals, drain_timeout).await
    }

    async fn announce(&self, signals: &mut Signals) -> Option<Component> {
        let (readiness, delay) = self.delay.as_ref()?;
        let component = readiness.component("process");
        component.down("stopping");
        tokio::select! {
            () = sleep(*delay) => {}
            () = self.stop.cancelled() => {}
            name = signals.next() => info!(signal = name, "not waiting any longer"),
        }
        Some(component)
    }

    async fn finish(&self, mut signals: Signals, drain_timeout: Duration) -> anyhow::Result<()> {
        self.stop.cancel();
        self.tasks.close();
        let is_drained = tokio::select! {
            drained = timeout(drain_timeout, self.tasks.wait()) => drained.is_ok(),
            _ = signals.next() => false,
        };
        if !is_drained {
            warn!(tasks = self.tasks.len(), "cutting off what is under way");
        }
        self.kill.cancel();
        if timeout(KILL_TIMEOUT, self.tasks.wait()).await.is_err() {
            warn!(tasks = self.tasks.len(), "tasks did not end");
        }
        if let Some(failure) = self.failure.lock().take() {
            bail!("critical task failed: {failure}");
        }
        if !is_drained {
            bail!("work under way was cut off after {drain_timeout:?}");
        }
        Ok(())
    }
}

/// The signals that ask a process to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAIN: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn tasks_that_end_after_the_stop_make_a_clean_end() {
        let life = Lifecycle::new();
        let stop = life.stop.clone();
        life.spawn("server", async move {
            stop.cancelled().await;
            sleep(DRAIN / 2).await;
            Ok(())
        });

        life.shut_down(DRAIN).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_critical_task_that_ends_by_itself_fails_the_process() {
        let life = Lifecycle::new();
        life.spawn("server", async { Ok(()) });

        let failure = life.run_until_stopped(DRAIN).await.unwrap_err();

        assert!(failure.to_string().contains("server: ended by itself"), "{failure}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_fails_the_process() {
        let life = Lifecycle::new();
        life.spawn("server", async { panic!("bug") });

        let failure = life.run_until_stopped(DRAIN).await.unwrap_err();

        assert!(failure.to_string().contains("server: panicked"), "{failure}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_is_cut_off() {
        let life = Lifecycle::new();
        life.spawn("stuck", std::future::pending());

        let failure = life.shut_down(DRAIN).await.unwrap_err();

        assert!(failure.to_string().contains("cut off"), "{failure}");
    }
}
