//! Spans on their way to a collector.
//!
//! Spans are named and described for people who read log lines. What collectors expect besides,
//! names that tell methods apart and the kind of each span, is put in as they leave.

use anyhow::Context as _;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    Sampler, SdkTracer, SdkTracerProvider, SpanData, SpanExporter as Exporter,
};
use tracing::Subscriber;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

/// Libraries whose own spans are never exported: one RPC would produce hundreds.
const NOT_EXPORTED: &str = "h2=off,hyper=off,hyper_util=off,tonic=off,tower=off,rustls=off";

/// Kind of the spans that are not internal, by name.
const KINDS: [(&str, SpanKind); 6] = [
    ("request", SpanKind::Server),
    ("rpc", SpanKind::Server),
    ("switch command", SpanKind::Server),
    ("commit", SpanKind::Producer),
    ("notify", SpanKind::Consumer),
    ("deliver", SpanKind::Consumer),
];

/// Attributes that make a span's name more telling, the first that it has.
const TELLING: [&str; 2] = ["method", "operation"];

/// The layer that exports spans.
pub(super) fn layer<S>(tracer: SdkTracer) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(EnvFilter::new(format!("info,{NOT_EXPORTED}")))
}

/// Sends spans of `service` to `endpoint`.
pub(super) fn provider(
    endpoint: &str,
    sample_ratio: f64,
    service: &'static str,
) -> anyhow::Result<SdkTracerProvider> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .context("telemetry.otlp_endpoint cannot be used")?;
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_service_name(service).with_attribute(version).build();
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(sample_ratio)));
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(Described(exporter))
        .with_sampler(sampler)
        .with_resource(resource)
        .build())
}

/// Describes spans as collectors expect.
#[derive(Debug)]
pub(super) struct Described<E>(pub(super) E);

impl<E: Exporter> Exporter for Described<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        batch.iter_mut().for_each(describe);
        self.0.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: std::time::Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn describe(span: &mut SpanData) {
    if let Some((_, kind)) = KINDS.iter().find(|(name, _)| span.name == *name) {
        span.span_kind = kind.clone();
    }
    let of = |name: &str| span.attributes.iter().find(|it| it.key.as_str() == name);
    let telling = TELLING.iter().find_map(|name| of(name)).map(|it| it.value.to_string());
    if let Some(telling) = telling.filter(|text| !text.is_empty()) {
        span.name = format!("{} {telling}", span.name).into();
    }
}
