//! The instruments. Each is a static, made with its first use; the number of its labels is part
//! of its type, and their names are given once, where it is declared.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics;

use super::declared::{Definition, Kind, Label, Metric};
use super::meter;

/// Series that a metric may have before its first event.
const MAX_SERIES: usize = 64;

/// Counts events.
#[derive(Debug)]
pub struct Counter<const N: usize>(Declared<N, metrics::Counter<u64>>);

/// A number that is set.
#[derive(Debug)]
pub struct Gauge<const N: usize>(Declared<N, metrics::Gauge<f64>>);

/// A number that is counted up and down.
#[derive(Debug)]
pub struct UpDown<const N: usize>(Declared<N, metrics::UpDownCounter<i64>>);

/// Counts values, in seconds, by size.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    declared: Declared<N, metrics::Histogram<f64>>,
    bounds: &'static [f64],
}

#[derive(Debug)]
struct Declared<const N: usize, I> {
    definition: Definition,
    labels: &'static [Label; N],
    instrument: OnceLock<I>,
}

impl<const N: usize, I> Declared<N, I> {
    const fn new(
        name: &'static str,
        kind: Kind,
        help: &'static str,
        labels: &'static [Label; N],
    ) -> Self {
        let definition = Definition { name, kind, help, labels };
        Self { definition, labels, instrument: OnceLock::new() }
    }

    #[expect(clippy::indexing_slicing, reason = "there are as many values as labels")]
    fn attributes(&self, values: [&'static str; N]) -> [KeyValue; N] {
        std::array::from_fn(|index| KeyValue::new(self.labels[index].name, values[index]))
    }

    /// Every combination of values, if they are few.
    fn series(&self) -> Vec<[&'static str; N]> {
        let mut series = vec![[""; N]];
        for (index, label) in self.labels.iter().enumerate() {
            let Some(values) = label.values.few() else { return Vec::new() };
            let with = |before: &[&'static str; N], value: &'static str| {
                let mut after = *before;
                if let Some(place) = after.get_mut(index) {
                    *place = value;
                }
                after
            };
            series = series
                .iter()
                .flat_map(|before| values.iter().map(move |value| with(before, value)))
                .collect();
        }
        if series.len() > MAX_SERIES { Vec::new() } else { series }
    }
}

impl<const N: usize> Counter<N> {
    /// Declares a counter; its name ends in `_total`.
    #[must_use]
    pub const fn new(name: &'static str, help: &'static str, labels: &'static [Label; N]) -> Self {
        Self(Declared::new(name, Kind::Counter, help, labels))
    }

    /// Counts `count` events with these values of the labels.
    pub fn add(&self, count: u64, values: [&'static str; N]) {
        let Definition { name, help, .. } = self.0.definition;
        let make = || meter().u64_counter(name).with_description(help).build();
        self.0.instrument.get_or_init(make).add(count, &self.0.attributes(values));
    }
}

impl<const N: usize> Gauge<N> {
    /// Declares a gauge.
    #[must_use]
    pub const fn new(name: &'static str, help: &'static str, labels: &'static [Label; N]) -> Self {
        Self(Declared::new(name, Kind::Gauge, help, labels))
    }

    /// Sets it.
    pub fn set(&self, value: f64, values: [&'static str; N]) {
        let Definition { name, help, .. } = self.0.definition;
        let make = || meter().f64_gauge(name).with_description(help).build();
        self.0.instrument.get_or_init(make).record(value, &self.0.attributes(values));
    }

    /// Sets it to a number of things.
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
    pub fn set_count(&self, count: u64, values: [&'static str; N]) {
        self.set(count as f64, values);
    }
}

impl<const N: usize> UpDown<N> {
    /// Declares a gauge that is counted up and down.
    #[must_use]
    pub const fn new(name: &'static str, help: &'static str, labels: &'static [Label; N]) -> Self {
        Self(Declared::new(name, Kind::Gauge, help, labels))
    }

    /// Changes it by `change`.
    pub fn add(&self, change: i64, values: [&'static str; N]) {
        let Definition { name, help, .. } = self.0.definition;
        let make = || meter().i64_up_down_counter(name).with_description(help).build();
        self.0.instrument.get_or_init(make).add(change, &self.0.attributes(values));
    }
}

impl<const N: usize> Histogram<N> {
    /// Declares a histogram of seconds; its name ends in `_seconds`.
    #[must_use]
    pub const fn new(
        name: &'static str,
        help: &'static str,
        bounds: &'static [f64],
        labels: &'static [Label; N],
    ) -> Self {
        Self { declared: Declared::new(name, Kind::Histogram, help, labels), bounds }
    }

    /// Counts a value.
    pub fn record(&self, took: Duration, values: [&'static str; N]) {
        let Definition { name, help, .. } = self.declared.definition;
        let make = || {
            let bounds = self.bounds.to_vec();
            meter().f64_histogram(name).with_description(help).with_boundaries(bounds).build()
        };
        let instrument = self.declared.instrument.get_or_init(make);
        instrument.record(took.as_secs_f64(), &self.declared.attributes(values));
    }
}

impl<const N: usize> Metric for Counter<N> {
    fn definition(&self) -> &Definition {
        &self.0.definition
    }

    fn begin(&self) {
        self.0.series().into_iter().for_each(|values| self.add(0, values));
    }
}

impl<const N: usize> Metric for UpDown<N> {
    fn definition(&self) -> &Definition {
        &self.0.definition
    }

    fn begin(&self) {
        self.0.series().into_iter().for_each(|values| self.add(0, values));
    }
}

impl<const N: usize> Metric for Gauge<N> {
    fn definition(&self) -> &Definition {
        &self.0.definition
    }

    /// What nobody has set yet is unknown, not zero.
    fn begin(&self) {}
}

impl<const N: usize> Metric for Histogram<N> {
    fn definition(&self) -> &Definition {
        &self.declared.definition
    }

    fn begin(&self) {}
}
