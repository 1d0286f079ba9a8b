//! Logs on stderr, and traces to a collector when one is configured.
//!
//! Messages are constant; data goes into fields. Tokens, phone numbers and bodies go nowhere.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, bail};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::warn;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::trace;

mod audit;
mod export;

pub use audit::AuditOutput;

/// Libraries that carry other people's bytes: below `info` their lines may hold headers, and with
/// them tokens. What the filter says of them counts for nothing.
const QUIET: [&str; 9] = [
    "h2=info",
    "hyper=info",
    "hyper_util=info",
    "tonic=info",
    "tower=info",
    "rustls=info",
    "tungstenite=info",
    "sqlx=info",
    "opentelemetry=warn",
];

/// How long the last spans may take to leave.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

type Handle = reload::Handle<EnvFilter, Registry>;

/// Changes the filter of the logs at run time.
static FILTER: OnceLock<Handle> = OnceLock::new();

/// Section `telemetry`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How log lines are written.
    pub format: Format,
    /// What is logged, in the syntax of `tracing`, e.g. `info,mesh=debug`. Libraries that see
    /// tokens say nothing below `info`, whatever it says.
    pub filter: String,
    /// Where the audit lines go: who did what to which call. Anywhere but `log`, they are written
    /// whatever `filter` says, one JSON object a line.
    pub audit_output: AuditOutput,
    /// The file that the audit lines are added to, with `audit_output = "file"`.
    pub audit_file: Option<PathBuf>,
    /// Where traces go: OTLP over gRPC, e.g. `http://collector:4317`. Without it none are exported.
    pub otlp_endpoint: Option<String>,
    /// Share of new traces that are exported, 0 to 1. A trace that came from outside is exported
    /// when its caller exports it.
    pub sample_ratio: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            format: Format::Pretty,
            filter: "info".to_owned(),
            audit_output: AuditOutput::Log,
            audit_file: None,
            otlp_endpoint: None,
            sample_ratio: 1.0,
        }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// For people.
    #[default]
    Pretty,
    /// For machines, one object a line.
    Json,
}

/// Keeps telemetry going; shut it down last, on errors too.
#[derive(Debug)]
#[must_use = "spans are lost without a shutdown"]
pub struct Guard {
    provider: Option<SdkTracerProvider>,
}

/// Begins to log and, when configured, to export traces of `service`. Once a process, inside a
/// runtime.
///
/// # Errors
/// When the filter or the endpoint cannot be read, or telemetry was set up before.
pub fn init(config: &Config, service: &'static str) -> anyhow::Result<Guard> {
    if !(0.0..=1.0).contains(&config.sample_ratio) {
        bail!("telemetry.sample_ratio is {}, not between 0 and 1", config.sample_ratio);
    }
    let (filter, handle) = reload::Layer::new(parse_filter(&config.filter)?);
    let logs = match config.format {
        Format::Pretty => fmt::layer().with_writer(std::io::stderr).boxed(),
        Format::Json => fmt::layer()
            .with_writer(std::io::stderr)
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    };
    let audit = audit::layer(config.audit_output, config.audit_file.as_deref())?;
    let is_apart = audit.is_some();
    let logged = filter_fn(move |line| !(is_apart && line.target() == audit::TARGET));
    let provider = match &config.otlp_endpoint {
        Some(endpoint) => Some(export::provider(endpoint, config.sample_ratio, service)?),
        None => None,
    };
    let traces = provider.as_ref().map(|provider| export::layer(provider.tracer("cordboard")));
    Registry::default()
        .with(logs.with_filter(filter.and(logged)))
        .with(audit)
        .with(traces)
        .try_init()
        .context("telemetry was set up before")?;
    FILTER.set(handle).ok();
    if provider.is_some() {
        trace::set_exporting();
    }
    Ok(Guard { provider })
}

fn parse_filter(text: &str) -> anyhow::Result<EnvFilter> {
    let mut filter = EnvFilter::try_new(text)
        .with_context(|| format!("telemetry.filter `{text}` cannot be read"))?;
    for quiet in QUIET {
        filter = filter.add_directive(quiet.parse().context("a quiet library")?);
    }
    Ok(filter)
}

/// Changes what is logged until the end of the process.
///
/// # Errors
/// When the filter cannot be read, or telemetry is not set up.
pub fn set_filter(text: &str) -> anyhow::Result<()> {
    let handle = FILTER.get().context("telemetry is not set up")?;
    handle.reload(parse_filter(text)?).context("filter cannot be changed")
}

impl Guard {
    /// Exports the last spans. Takes at most five seconds.
    pub async fn shutdown(self) {
        let Some(provider) = self.provider else { return };
        // It blocks, and would never end on a runtime with one worker.
        let flush = move || provider.shutdown_with_timeout(FLUSH_TIMEOUT);
        match tokio::task::spawn_blocking(flush).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(error = %error, "last spans not exported"),
            Err(error) => warn!(error = %error, "telemetry did not end"),
        }
    }
}

#[cfg(test)]
mod tests;
