//! Telemetry, with subscribers of the test's own.

use std::io;
use std::sync::Arc;

use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use parking_lot::Mutex;
use tracing::{info, info_span};

use super::*;
use crate::config::Secret;
use crate::trace;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps what is exported.
#[derive(Clone, Debug, Default)]
struct Exported(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Exported {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().extend(batch);
        Ok(())
    }
}

#[test]
fn a_secret_never_gets_into_a_log_line() {
    let lines = Lines::default();
    let writer = lines.clone();
    let layer = fmt::layer().json().with_writer(move || writer.clone());
    let claims = crate::testing::token::claims(
        crate::caller::Scope::Everything,
        &[],
        crate::clock::Timestamp::default(),
    );

    tracing::subscriber::with_default(Registry::default().with(layer), || {
        let secret = Secret::new("correct horse");
        info!(secret = ?secret, claims = ?claims, "loaded");
    });

    let text = String::from_utf8(lines.0.lock().clone()).unwrap();
    assert!(text.contains("loaded") && text.contains("[redacted]"), "{text}");
    assert!(!text.contains("horse") && !text.contains(&claims.jti), "{text}");
}

#[tokio::test]
async fn an_exported_span_continues_the_callers_trace_and_libraries_export_none() {
    let exporter = Exported::default();
    let described = export::Described(exporter.clone());
    let provider = SdkTracerProvider::builder().with_simple_exporter(described).build();
    let subscriber = Registry::default().with(export::layer(provider.tracer("test")));
    let _default = tracing::subscriber::set_default(subscriber);
    trace::set_exporting();
    let parent = trace::Context::root();

    let span = info_span!("rpc", method = "tell", trace_id = tracing::field::Empty);
    let inside = trace::in_span(span, Some(parent), async {
        let _noise = info_span!(target: "h2::codec", "noise").entered();
        trace::traceparent_of_current_span()
    });
    let seen: trace::Context = inside.await.parse().unwrap();

    provider.force_flush().unwrap();
    let spans = exporter.0.lock();
    let names: Vec<_> = spans.iter().map(|span| span.name.as_ref()).collect();
    assert_eq!(names, ["rpc tell"]);
    assert_eq!(spans[0].span_kind, SpanKind::Server);
    assert_eq!(seen.trace_id(), parent.trace_id());
    assert_eq!(spans[0].span_context.trace_id().to_string(), parent.trace_id());
    assert!(spans[0].parent_span_is_remote);
}

#[test]
fn a_wrong_filter_or_ratio_is_refused_by_name() {
    let refused = |config: Config| init(&config, "test").unwrap_err().to_string();

    let filter = refused(Config { filter: "mesh=loud".to_owned(), ..Config::default() });
    assert!(filter.contains("telemetry.filter `mesh=loud`"), "{filter}");
    let ratio = refused(Config { sample_ratio: 2.0, ..Config::default() });
    assert!(ratio.contains("telemetry.sample_ratio"), "{ratio}");
}

#[test]
fn libraries_that_see_tokens_stay_quiet() {
    let filter = parse_filter("trace,h2=trace").unwrap().to_string();

    assert!(filter.contains("h2=info") && !filter.contains("h2=trace"), "{filter}");
}

#[test]
fn the_audit_lines_have_a_file_of_their_own_whatever_the_filter_says() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("audit.log");
    let lines = Lines::default();
    let writer = lines.clone();
    let others = fmt::layer().with_writer(move || writer.clone());
    let others = others.with_filter(EnvFilter::new("error"));
    let audit = audit::layer(AuditOutput::File, Some(&path)).unwrap();

    tracing::subscriber::with_default(Registry::default().with(others).with(audit), || {
        info!(target: "audit", user = "user:1", "request");
        info!("something else");
    });

    let text = std::fs::read_to_string(&path).unwrap();
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((line["user"].as_str(), line["target"].as_str()), (Some("user:1"), Some("audit")));
    assert!(lines.0.lock().is_empty());
}

#[test]
fn an_audit_file_is_named_when_it_is_wanted_and_only_then() {
    let refused = |output, file: Option<&str>| {
        let config = Config {
            audit_output: output,
            audit_file: file.map(PathBuf::from),
            ..Config::default()
        };
        format!("{:#}", init(&config, "test").unwrap_err())
    };

    for (output, file) in [
        (AuditOutput::File, None),
        (AuditOutput::Log, Some("audit.log")),
        (AuditOutput::File, Some("/nowhere/audit.log")),
    ] {
        let refusal = refused(output, file);
        assert!(refusal.contains("telemetry.audit_file"), "{refusal}");
    }
}
