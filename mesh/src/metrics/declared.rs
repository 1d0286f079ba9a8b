//! What a metric is declared to be.

use std::fmt::{self, Write as _};

/// A metric as it is declared.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// Its name, as Prometheus shows it.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it counts or measures, as a sentence.
    pub help: &'static str,
    /// Its labels.
    pub labels: &'static [Label],
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by size.
    Histogram,
}

/// A label and the values that it may have.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: Values,
}

/// The closed set of a label's values.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// These.
    Of(&'static [&'static str]),
    /// A method of the public API.
    Methods,
    /// An RPC of the mesh, or `unknown`.
    Rpcs,
    /// A gRPC code.
    Codes,
    /// A service.
    Services,
}

/// A metric that was declared.
pub trait Metric: Sync {
    /// How it was declared.
    fn definition(&self) -> &Definition;

    /// Lets its series be there, each at zero, as far as they are known and zero is true.
    fn begin(&self);
}

impl fmt::Debug for dyn Metric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.definition(), formatter)
    }
}

impl Label {
    /// A label with these values.
    #[must_use]
    pub const fn of(name: &'static str, values: &'static [&'static str]) -> Self {
        Self { name, values: Values::Of(values) }
    }

    /// A label `method`: a method of the public API.
    #[must_use]
    pub const fn method() -> Self {
        Self { name: "method", values: Values::Methods }
    }
}

/// The services.
const SERVICES: [&str; 7] =
    ["auth", "callcontrol", "conference", "edge", "notifier", "switch", "cordboard"];

impl Values {
    /// All of them.
    #[must_use]
    pub fn all(self) -> Vec<&'static str> {
        match self {
            Self::Of(values) => values.to_vec(),
            Self::Methods => proto::api::METHODS.iter().map(|method| method.name).collect(),
            Self::Rpcs => crate::methods::names().chain(["unknown"]).collect(),
            Self::Codes => crate::fault::CODE_NAMES.to_vec(),
            Self::Services => SERVICES.to_vec(),
        }
    }

    /// Those that are few enough to be there from the start.
    pub(super) const fn few(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Of(values) => Some(values),
            Self::Methods | Self::Rpcs | Self::Codes | Self::Services => None,
        }
    }
}

impl fmt::Display for Values {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(values) => {
                let quoted: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
                formatter.write_str(&quoted.join(", "))
            }
            Self::Methods => formatter.write_str("a method of the API"),
            Self::Rpcs => formatter.write_str("an RPC of the mesh, or `unknown`"),
            Self::Codes => formatter.write_str("a gRPC code"),
            Self::Services => formatter.write_str("a service"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

/// The section of the reference that tells a crate's metrics, in Markdown.
#[must_use]
pub fn table(title: &str, metrics: &[&dyn Metric]) -> String {
    let mut text =
        format!("## {title}\n\n| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n");
    for metric in metrics {
        let Definition { name, kind, help, labels } = metric.definition();
        let labels: Vec<_> =
            labels.iter().map(|label| format!("`{}`: {}", label.name, label.values)).collect();
        // Writing to a string does not fail.
        writeln!(text, "| `{name}` | {kind} | {} | {help} |", labels.join("; ")).ok();
    }
    text
}
