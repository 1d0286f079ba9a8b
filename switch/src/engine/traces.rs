//! Which trace a step of a customer's machine belongs to.
//!
//! A command's step is part of the command's trace. What the switch does because of it comes
//! later, as signals, and belongs to the same trace: so a call remembers the last command that
//! acted on it. A call that a phone or a trunk began has a trace of its own, when traces are
//! exported.

use std::collections::HashMap;

use futures::future::BoxFuture;
use mesh::trace;
use tracing::{Span, info_span};

use crate::domain::{CallId, Input};
use crate::driver::{Event, Label};

/// The traces of one customer's calls, each as a `traceparent`.
#[derive(Debug, Default)]
pub(super) struct Traces {
    /// That of the present step; empty for none.
    step: String,
    /// True when a command decides on the trace of the calls that it acts on.
    is_command: bool,
    calls: HashMap<CallId, String>,
}

impl Traces {
    /// A command begins its step.
    pub(super) fn begin_command(&mut self, traceparent: String) {
        self.is_command = !traceparent.is_empty();
        self.step = traceparent;
    }

    /// Another step begins, if a command did not; its span lasts until the step is done. `label`
    /// names the call that it is about.
    pub(super) fn begin(&mut self, input: &Input, label: Option<&Label>) -> Option<Span> {
        if self.is_command {
            return None;
        }
        self.step.clear();
        let call = match input {
            Input::Resolved { call_id, .. } => self.calls.get(call_id),
            _ => label.and_then(|label| self.calls.get(&CallId(label.call_id.clone()))),
        };
        if let Some(cause) = call {
            self.step.clone_from(cause);
        }
        let signal = signal(input)?;
        if !trace::is_exporting() {
            return None;
        }
        let parent = self.step.parse().ok();
        if parent.is_some_and(|parent: trace::Context| !parent.is_sampled()) {
            return None;
        }
        let span = info_span!(parent: None, "switch signal", operation = signal);
        self.step = trace::begin(&span, parent).to_string();
        Some(span)
    }

    /// The trace of what is told of a call.
    pub(super) fn of(&mut self, call_id: &CallId) -> &str {
        if self.step.is_empty() {
            return self.calls.get(call_id).map_or("", String::as_str);
        }
        if self.is_command || !self.calls.contains_key(call_id) {
            self.calls.insert(call_id.clone(), self.step.clone());
        }
        &self.step
    }

    /// The trace of the present step; empty for none.
    pub(super) fn current(&self) -> &str {
        &self.step
    }

    /// Asks another service something in the trace of a call.
    pub(super) fn asking<T>(
        &mut self,
        call_id: &CallId,
        asking: impl Future<Output = T> + Send + 'static,
    ) -> BoxFuture<'static, T> {
        match self.of(call_id).parse() {
            Ok(cause) => Box::pin(trace::scope(cause, asking)),
            Err(_) => Box::pin(asking),
        }
    }

    /// The trace of the present step, if it is exported.
    pub(super) fn exported(&self) -> Option<trace::Context> {
        trace::exported(&self.step)
    }

    /// A call is over.
    pub(super) fn forget(&mut self, call_id: &CallId) {
        self.calls.remove(call_id);
    }

    /// The step is over.
    pub(super) fn end(&mut self) {
        self.is_command = false;
        self.step.clear();
    }
}

/// What begins a step from outside; none for what the machine asked for itself.
fn signal(input: &Input) -> Option<&'static str> {
    Some(match input {
        Input::PhoneDials { .. } => "phone dials",
        Input::TrunkCall { .. } => "trunk call",
        Input::Channel(event) | Input::Corrected(event) => match event {
            Event::Offered { .. } => "offered",
            Event::Ringing { .. } => "ringing",
            Event::Answered { .. } => "answered",
            Event::Ended { .. } => "ended",
            Event::Held { .. } => "held",
            Event::Resumed { .. } => "resumed",
            Event::Digit { .. } => "digit",
            Event::PlaybackEnded { .. } => "playback ended",
            Event::Registered { .. } => "registration",
            Event::RecordingEnded { .. } => "recording ended",
            Event::RecordingFailed { .. } => "recording failed",
        },
        Input::Registered { .. } => "registration",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::ChannelId;

    const COMMAND: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const LATER: &str = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn call() -> CallId {
        CallId("sw1.call".to_owned())
    }

    fn ringing() -> Input {
        Input::Channel(Event::Ringing { channel: ChannelId("c".to_owned()) })
    }

    fn label() -> Label {
        Label { call_id: call().0, ..Label::default() }
    }

    #[test]
    fn what_follows_a_command_belongs_to_its_trace_until_the_next() {
        let mut traces = Traces::default();
        traces.begin_command(COMMAND.to_owned());
        assert_eq!(traces.of(&call()), COMMAND);
        traces.end();

        traces.begin(&ringing(), Some(&label()));
        assert_eq!(traces.of(&call()), COMMAND);
        traces.end();
        traces.begin_command(LATER.to_owned());
        assert_eq!(traces.of(&call()), LATER);
        traces.end();

        traces.begin(&Input::Tick, None);
        assert_eq!(traces.of(&call()), LATER);
    }

    #[test]
    fn nothing_is_kept_of_a_call_that_is_over() {
        let mut traces = Traces::default();
        traces.begin_command(COMMAND.to_owned());
        traces.of(&call());
        traces.forget(&call());
        traces.end();

        traces.begin(&ringing(), Some(&label()));

        assert_eq!(traces.of(&call()), "");
        assert!(traces.calls.is_empty());
    }
}
