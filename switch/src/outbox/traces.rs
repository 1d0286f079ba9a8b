//! The span of a commit: in the trace of what caused its first event, and linked with what caused
//! the others.

use mesh::ledger::Commit;
use mesh::trace::{self, Context};
use prost::Message as _;
use tracing::{Span, info_span};

/// Links that a span carries at most.
const MAX_LINKS: usize = 32;

/// An entry of the log as far as its trace.
#[derive(Clone, PartialEq, prost::Message)]
struct Head {
    #[prost(string, tag = "7")]
    traceparent: String,
}

/// A span for writing a commit, with its parent; none when no event's trace is exported.
pub(super) fn span_of(commit: &Commit) -> Option<(Span, Context)> {
    if !trace::is_exporting() {
        return None;
    }
    let mut causes: Vec<Context> = Vec::new();
    for event in &commit.events {
        let head = Head::decode(event.clone()).ok();
        if let Some(cause) = head.and_then(|head| trace::exported(&head.traceparent))
            && !causes.contains(&cause)
        {
            causes.push(cause);
        }
    }
    let (first, others) = causes.split_first()?;
    let (partition, events) =
        (i64::from(commit.partition), i64::try_from(commit.events.len()).ok());
    let span = info_span!(parent: None, "commit", partition, events);
    trace::link(&span, others.iter().copied().take(MAX_LINKS));
    Some((span, *first))
}

#[cfg(test)]
mod tests {
    use proto::switch::v1::LogEntry;

    use super::*;

    #[test]
    fn the_trace_of_an_entry_is_read_without_the_rest() {
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
        let entry = LogEntry { i_customer: 7, traceparent, ..LogEntry::default() };

        let head = Head::decode(entry.encode_to_vec().as_slice()).unwrap();

        assert_eq!(head.traceparent, entry.traceparent);
    }
}
