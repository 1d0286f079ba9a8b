//! Which request a piece of work belongs to, across processes (W3C Trace Context).
//!
//! Every request has a trace id, also when no exporter is configured, so that a fault and the
//! log lines of all services can be brought together. With an exporter the ids are those of the
//! OpenTelemetry spans.

use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;
use http::header::HeaderValue;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Name of the header that carries the context.
pub const HEADER: &str = "traceparent";

/// True while this process exports spans.
static IS_EXPORTING: AtomicBool = AtomicBool::new(false);

tokio::task_local! {
    static CURRENT: Context;
}

/// Place of a piece of work in a trace. Displayed and read as a `traceparent` header.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Context {
    trace_id: u128,
    span_id: u64,
    is_sampled: bool,
}

/// The text is not a `traceparent` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent header")]
pub struct ParseContextError;

impl Context {
    /// Begins a trace.
    #[must_use]
    pub fn root() -> Self {
        // Unlike all others, and no secret: no system call for each.
        let trace_id = fastrand::u128(..);
        Self { trace_id: trace_id.max(1), span_id: random_span_id(), is_sampled: true }
    }

    /// A piece of work below this one.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { span_id: random_span_id(), ..*self }
    }

    /// True when whoever began the trace wants it exported.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    /// A place that was read from elsewhere; `None` when an id is zero.
    pub(crate) fn of_parts(
        (high, low): (u64, u64),
        span_id: u64,
        is_sampled: bool,
    ) -> Option<Self> {
        let trace_id = (u128::from(high) << 64) | u128::from(low);
        (trace_id != 0 && span_id != 0).then_some(Self { trace_id, span_id, is_sampled })
    }

    /// Upper and lower half of the trace's id.
    pub(crate) fn trace_id_halves(&self) -> (u64, u64) {
        uuid::Uuid::from_u128(self.trace_id).as_u64_pair()
    }

    /// Id of the span.
    pub(crate) const fn span_id(&self) -> u64 {
        self.span_id
    }

    /// The trace's id, 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The context that headers carry, if any.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        headers.get(HEADER)?.to_str().ok()?.parse().ok()
    }

    /// Puts the context into headers.
    pub fn to_headers(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::try_from(self.to_string()) {
            headers.insert(HEADER, value);
        }
    }

    fn from_otel(span: &SpanContext) -> Option<Self> {
        span.is_valid().then(|| Self {
            trace_id: u128::from_be_bytes(span.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(span.span_id().to_bytes()),
            is_sampled: span.is_sampled(),
        })
    }

    fn to_otel(self) -> SpanContext {
        let flags = if self.is_sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        SpanContext::new(
            TraceId::from_bytes(self.trace_id.to_be_bytes()),
            SpanId::from_bytes(self.span_id.to_be_bytes()),
            flags,
            true,
            TraceState::default(),
        )
    }
}

impl fmt::Display for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.is_sampled);
        write!(formatter, "00-{:032x}-{:016x}-{flags:02x}", self.trace_id, self.span_id)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Context {
    type Err = ParseContextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or(ParseContextError)
    }
}

fn parse(text: &str) -> Option<Context> {
    let mut parts = text.split('-');
    let version = hexadecimal(parts.next()?, 2)?;
    let trace_id = hexadecimal(parts.next()?, 32)?;
    let span_id = u64::try_from(hexadecimal(parts.next()?, 16)?).ok()?;
    let flags = hexadecimal(parts.next()?, 2)?;
    // Versions to come may add parts; 255 is forbidden.
    let is_whole = version != 0xff && (version != 0 || parts.next().is_none());
    let context = Context { trace_id, span_id, is_sampled: flags & 1 == 1 };
    (is_whole && trace_id != 0 && span_id != 0).then_some(context)
}

fn hexadecimal(text: &str, digits: usize) -> Option<u128> {
    let is_lower_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (text.len() == digits && is_lower_hex).then(|| u128::from_str_radix(text, 16).ok())?
}

fn random_span_id() -> u64 {
    fastrand::u64(1..)
}

/// The context of the work that this task does: that of the innermost exported span, else that
/// of the enclosing [`scope`].
#[must_use]
pub fn current() -> Option<Context> {
    exported_of(&Span::current()).or_else(|| CURRENT.try_with(|context| *context).ok())
}

/// The trace id of [`current`], or an empty text outside any request.
#[must_use]
pub fn current_trace_id() -> String {
    current().map(|context| context.trace_id()).unwrap_or_default()
}

/// The `traceparent` under which to send a request; begins a trace when there is none.
#[must_use]
pub fn traceparent_of_current_span() -> String {
    current().unwrap_or_else(Context::root).to_string()
}

/// Runs `future` as a piece of work of `context`.
pub fn scope<F: Future>(context: Context, future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(context, future)
}

/// Makes `future` go on with the trace and span of the present work, for a task to be spawned.
pub fn carried<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let context = current().unwrap_or_else(Context::root);
    inside(Span::current(), context, future)
}

/// Runs `future` in `span`, which continues `parent` or begins a trace. The span gets the trace
/// id in its field `trace_id`, if it has one.
pub fn in_span<F: Future>(
    span: Span,
    parent: Option<Context>,
    future: F,
) -> impl Future<Output = F::Output> {
    let context = begin(&span, parent);
    inside(span, context, future)
}

/// Runs `future` in a span that has begun with `context`.
pub fn inside<F: Future>(
    span: Span,
    context: Context,
    future: F,
) -> impl Future<Output = F::Output> {
    CURRENT.scope(context, future.instrument(span))
}

/// Does `work` as a piece of work of `context`.
pub(crate) fn sync_scope<T>(context: Context, work: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(context, work)
}

/// Makes `span` continue `parent`, or begin a trace, and returns its context.
#[must_use]
pub fn begin(span: &Span, parent: Option<Context>) -> Context {
    if let Some(parent) = parent.filter(|_| is_exporting()) {
        set_parent(span, parent);
    }
    let context = exported_of(span)
        .unwrap_or_else(|| parent.map_or_else(Context::root, |parent| parent.child()));
    span.record("trace_id", context.trace_id());
    context
}

/// Makes a span that continues `parent` or begins a trace. `make` is given the trace id for the
/// span's field `trace_id`, as far as it is known before the span: a field that is set when the
/// span is made costs a fraction of one that is recorded later.
#[must_use]
pub fn start(parent: Option<Context>, make: impl FnOnce(Option<&str>) -> Span) -> (Span, Context) {
    if is_exporting() {
        let span = make(None);
        let context = begin(&span, parent);
        return (span, context);
    }
    let context = parent.map_or_else(Context::root, |parent| parent.child());
    (make(Some(&context.trace_id())), context)
}

/// The context of a span that is exported.
fn exported_of(span: &Span) -> Option<Context> {
    // Asking a span that nobody exports is not free, and there is one for every request.
    if !is_exporting() {
        return None;
    }
    Context::from_otel(span.context().span().span_context())
}

/// Makes `span` a child of `parent` in exported traces.
fn set_parent(span: &Span, parent: Context) {
    // Fails when no exporter is configured or the span is filtered out: nothing to export.
    let parent = opentelemetry::Context::new().with_remote_span_context(parent.to_otel());
    span.set_parent(parent).ok();
}

/// Says that spans are exported from this process.
pub(crate) fn set_exporting() {
    IS_EXPORTING.store(true, Ordering::Release);
}

/// True while this process exports spans. What is on the way of every event asks first.
#[must_use]
pub fn is_exporting() -> bool {
    IS_EXPORTING.load(Ordering::Acquire)
}

/// Reads a `traceparent` whose trace is exported from here; `None` costs next to nothing.
#[must_use]
pub fn exported(traceparent: &str) -> Option<Context> {
    if !is_exporting() {
        return None;
    }
    traceparent.parse().ok().filter(Context::is_sampled)
}

/// Begins a span for work that an event has caused: it continues the trace of the event's cause.
/// `None`, and nothing is made, when that trace is not exported from here.
pub fn following(traceparent: &str, span: impl FnOnce() -> Span) -> Option<Span> {
    let cause = exported(traceparent)?;
    let span = span();
    set_parent(&span, cause);
    Some(span)
}

/// Links a span with others that caused it as well as its parent did.
pub fn link(span: &Span, causes: impl IntoIterator<Item = Context>) {
    for cause in causes {
        span.add_link(cause.to_otel());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_the_specification_is_read() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

        let context: Context = text.parse().unwrap();

        assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(context.to_string(), text);
    }

    #[test]
    fn an_invalid_context_is_refused() {
        for text in [
            "",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        ] {
            assert_eq!(text.parse::<Context>(), Err(ParseContextError), "{text}");
        }
    }

    #[tokio::test]
    async fn work_inside_a_scope_keeps_the_trace() {
        let context = Context::root();

        let seen = scope(context, async { traceparent_of_current_span() }).await;

        assert_eq!(seen, context.to_string());
        assert_eq!(current(), None);
    }

    #[tokio::test]
    async fn a_span_without_exporter_is_a_child_of_its_parent() {
        let parent = Context::root();

        let seen = in_span(tracing::info_span!("work"), Some(parent), async { current().unwrap() });

        let seen = seen.await;
        assert_eq!(seen.trace_id(), parent.trace_id());
        assert_ne!(seen, parent);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_fail_hard(text in "\\PC*") {
            text.parse::<Context>().ok();
        }
    }
}
