//! The process's metrics, rendered for Prometheus.
//!
//! A crate declares its metrics once, with [`metrics!`](crate::metrics!), in its own `metrics.rs`:
//! name, help and labels, each label with the closed set of its values. From the declaration come
//! the instrument, the series that are there before the first event, and a row of
//! `docs/reference/metrics.md`. A label is never an id, a number or a message.

mod declared;
mod instrument;

use std::sync::LazyLock;

use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use parking_lot::Mutex;
use prometheus::{Encoder as _, Registry, TextEncoder};
use tracing::error;

pub use declared::{Definition, Kind, Label, Metric, Values, table};
pub use instrument::{Counter, Gauge, Histogram, UpDown};

/// Bounds of duration histograms, in seconds.
pub const SECONDS: [f64; 14] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Bounds of histograms of what people wait for, in seconds.
pub const MINUTES: [f64; 10] = [1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// Content type of [`render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Declares the metrics of a crate, each as a static, and the list of all of them.
#[macro_export]
macro_rules! metrics {
    (
        $(#[$of_list:meta])* $visibility:vis $list:ident;
        $( $(#[$of_metric:meta])* $name:ident: $kind:ty = $declared:expr; )+
    ) => {
        $( $(#[$of_metric])* pub(crate) static $name: $kind = $declared; )+

        $(#[$of_list])*
        $visibility static $list: &[&dyn $crate::metrics::Metric] = &[$( &$name ),+];
    };
}

struct Metrics {
    registry: Registry,
    provider: SdkMeterProvider,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
    let registry = Registry::new();
    let exporter = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .without_target_info()
        .without_units()
        .without_counter_suffixes()
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

/// What is looked at for each rendering; false when it is gone.
type Look = Box<dyn Fn() -> bool + Send>;

static LOOKS: Mutex<Vec<Look>> = Mutex::new(Vec::new());

/// Where the instruments are made.
fn meter() -> Meter {
    METRICS.provider.meter("cordboard")
}

/// Lets the series of `metrics` be there from now on, each at zero: a rate over a counter that
/// appears with its first event misses that event.
pub fn expose(metrics: &[&dyn Metric]) {
    for metric in metrics {
        metric.begin();
    }
}

/// Has `look` set gauges before each rendering, until it returns false.
pub fn on_render(look: impl Fn() -> bool + Send + 'static) {
    LOOKS.lock().push(Box::new(look));
}

/// All metrics in Prometheus' text format.
#[must_use]
pub fn render() -> String {
    LOOKS.lock().retain(|look| look());
    let mut text = Vec::new();
    if let Err(error) = TextEncoder::new().encode(&METRICS.registry.gather(), &mut text) {
        error!(error = %error, "metrics not rendered");
    }
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::metrics! {
        /// Metrics of these tests.
        pub(crate) TESTS;
        RUNS: Counter<1> = Counter::new(
            "mesh_tests_total",
            "Tests, by kind.",
            &[Label::of("kind", &["unit", "system"])],
        );
        TIME: Histogram<0> = Histogram::new("mesh_tests_duration_seconds", "Time.", &SECONDS, &[]);
        WAITING: Gauge<0> = Gauge::new("mesh_tests_waiting", "Tests that wait.", &[]);
    }

    #[test]
    fn every_series_of_a_counter_is_there_before_its_first_event() {
        expose(TESTS);
        RUNS.add(2, ["unit"]);

        let text = render();

        for line in [
            "# HELP mesh_tests_total Tests, by kind.",
            "# TYPE mesh_tests_total counter",
            "mesh_tests_total{kind=\"unit\"} 2",
            "mesh_tests_total{kind=\"system\"} 0",
        ] {
            assert!(text.contains(line), "no {line} in {text}");
        }
    }

    #[test]
    fn what_is_looked_at_for_a_rendering_is_forgotten_when_it_is_gone() {
        let subject = std::sync::Arc::new(());
        let weak = std::sync::Arc::downgrade(&subject);
        on_render(move || {
            WAITING.set(7.0, []);
            weak.upgrade().is_some()
        });
        TIME.record(std::time::Duration::from_millis(3), []);

        let text = render();
        assert!(text.contains("mesh_tests_waiting 7"), "{text}");
        assert!(text.contains("mesh_tests_duration_seconds_bucket{le=\"0.005\"} 1"), "{text}");

        drop(subject);
        let _forgets = render();
        WAITING.set(2.0, []);
        assert!(render().contains("mesh_tests_waiting 2"));
    }

    #[test]
    fn the_table_names_kind_labels_and_values() {
        let table = table("Tests", TESTS);

        let row = "| `mesh_tests_total` | counter | `kind`: `unit`, `system` | Tests, by kind. |";
        assert!(table.contains(row), "{table}");
    }
}
