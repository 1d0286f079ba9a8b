//! Counts one customer's calls, by what is told of them.

use std::collections::HashMap;
use std::time::Duration;

use crate::domain::{CallId, LegView, State};
use crate::metrics;

/// The calls of one customer as the metrics count them. When it is dropped with its actor, what
/// is left of them counts no more.
#[derive(Debug)]
pub(super) struct Census {
    /// Each with whether it waits in a queue.
    calls: HashMap<CallId, bool>,
}

impl Census {
    /// No calls yet.
    pub(super) fn new() -> Self {
        metrics::CUSTOMERS.add(1, []);
        Self { calls: HashMap::new() }
    }

    /// A leg's new state is told.
    pub(super) fn told(&mut self, view: &LegView) {
        let waits = self.calls.entry(view.call_id.clone()).or_insert_with(|| {
            metrics::CALLS.add(1, []);
            false
        });
        match view.state {
            State::Queued if !*waits => {
                *waits = true;
                metrics::QUEUED_CALLS.add(1, []);
            }
            State::Dequeued if *waits => {
                *waits = false;
                metrics::QUEUED_CALLS.add(-1, []);
                if let Some((info, reason)) =
                    view.queue_info.as_ref().and_then(|info| Some((info, info.reason?)))
                {
                    metrics::QUEUE_LEFT.add(1, [reason.name()]);
                    metrics::QUEUE_WAIT.record(Duration::from_secs(info.waited_seconds), []);
                }
            }
            State::Terminated => {
                let code = view.reason.as_ref().map_or(0, |reason| reason.code);
                metrics::LEGS_ENDED.add(1, [metrics::end_code(code)]);
            }
            _ => {}
        }
    }

    /// A call is over.
    pub(super) fn over(&mut self, call_id: &CallId) {
        if let Some(waits) = self.calls.remove(call_id) {
            metrics::CALLS.add(-1, []);
            metrics::CALLS_ENDED.add(1, []);
            metrics::QUEUED_CALLS.add(-i64::from(waits), []);
        }
    }
}

impl Drop for Census {
    fn drop(&mut self) {
        for call_id in self.calls.keys().cloned().collect::<Vec<_>>() {
            self.over(&call_id);
        }
        metrics::CUSTOMERS.add(-1, []);
    }
}
