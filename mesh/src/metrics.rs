//! The process's metrics, declared through OpenTelemetry and rendered for Prometheus.
//!
//! A service declares its metrics once, in its own `metrics.rs`, on [`meter`]. Labels come from
//! closed sets: never an id, a number or a message.

use std::sync::LazyLock;

use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder as _, Registry, TextEncoder};
use tracing::error;

/// Bounds of duration histograms, in seconds.
pub const SECONDS: [f64; 14] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Content type of [`render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

struct Metrics {
    registry: Registry,
    provider: SdkMeterProvider,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
    let registry = Registry::new();
    let exporter = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .without_target_info()
        .scope_info_enabled(false)
        .build();
    let provider = match exporter {
        Ok(exporter) => SdkMeterProvider::builder().with_reader(exporter).build(),
        Err(error) => {
            error!(error = %error, "metrics are not available");
            SdkMeterProvider::default()
        }
    };
    opentelemetry::global::set_meter_provider(provider.clone());
    Metrics { registry, provider }
});

/// Where a crate declares its metrics.
#[must_use]
pub fn meter(name: &'static str) -> Meter {
    METRICS.provider.meter(name)
}

/// All metrics in Prometheus' text format.
#[must_use]
pub fn render() -> String {
    let mut text = Vec::new();
    if let Err(error) = TextEncoder::new().encode(&METRICS.registry.gather(), &mut text) {
        error!(error = %error, "metrics not rendered");
    }
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;

    use super::*;

    #[test]
    fn a_counter_is_rendered_with_its_suffix_and_labels() {
        let counter = meter("mesh").u64_counter("mesh_tests").with_description("Tests.").build();

        counter.add(2, &[KeyValue::new("kind", "unit")]);

        let text = render();
        assert!(text.contains("mesh_tests_total{kind=\"unit\"} 2"), "{text}");
        assert!(text.contains("# HELP mesh_tests_total Tests."), "{text}");
    }
}
