//! Lets hyper spawn on a task tracker, so that shutdown waits for its tasks too.

use std::future::Future;

use tokio_util::task::TaskTracker;

/// Spawns on a tracker.
#[derive(Clone, Debug)]
pub(crate) struct Executor(TaskTracker);

impl Executor {
    pub(crate) const fn new(tasks: TaskTracker) -> Self {
        Self(tasks)
    }
}

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}
