//! An output of their own for the audit lines.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context as _, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::Subscriber;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, filter, fmt};

/// Target of the audit lines.
pub(super) const TARGET: &str = "audit";

/// Where the audit lines go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutput {
    /// Among the other log lines.
    #[default]
    Log,
    /// On standard output.
    Stdout,
    /// Added to a file. It may be renamed or emptied under the process when it is copied first.
    File,
}

/// The layer that writes them; none when they stay among the other lines.
pub(super) fn layer<S>(
    output: AuditOutput,
    file: Option<&Path>,
) -> anyhow::Result<Option<Box<dyn Layer<S> + Send + Sync>>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let writer = match (output, file) {
        (AuditOutput::Log, None) => return Ok(None),
        (AuditOutput::Stdout, None) => BoxMakeWriter::new(std::io::stdout),
        (AuditOutput::File, Some(path)) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file.with_context(|| {
                format!("telemetry.audit_file `{}` cannot be written", path.display())
            })?;
            BoxMakeWriter::new(Mutex::new(file))
        }
        (AuditOutput::File, None) => {
            bail!("telemetry.audit_output is `file`: telemetry.audit_file has to name it")
        }
        (AuditOutput::Log | AuditOutput::Stdout, Some(_)) => {
            bail!("telemetry.audit_file is for telemetry.audit_output `file`")
        }
    };
    let lines = fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(writer);
    let only = filter::Targets::new().with_target(TARGET, filter::LevelFilter::INFO);
    Ok(Some(lines.with_filter(only).boxed()))
}
