//! A collector of traces for the tests: takes spans over OTLP and prints each as a line of JSON.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Context as _;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

#[derive(Debug)]
struct Collector;

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for of_resource in request.into_inner().resource_spans {
            let resource = of_resource.resource.unwrap_or_default();
            let service = attributes(&resource.attributes)["service.name"].clone();
            for span in of_resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
                print(&line(&service, span))
                    .map_err(|error| Status::internal(error.to_string()))?;
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn line(service: &Value, span: &Span) -> Value {
    let links = span.links.iter();
    json!({
        "service": service,
        "name": span.name,
        "kind": span.kind().as_str_name(),
        "trace_id": hex(&span.trace_id),
        "span_id": hex(&span.span_id),
        "parent_span_id": hex(&span.parent_span_id),
        "links": links.map(|link| hex(&link.trace_id)).collect::<Vec<_>>(),
        "attributes": attributes(&span.attributes),
    })
}

fn attributes(pairs: &[KeyValue]) -> Map<String, Value> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|it| it.value.as_ref()) {
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::IntValue(number)) => json!(number),
        Some(Any::BoolValue(it)) => json!(it),
        _ => Value::Null,
    };
    pairs.iter().map(|pair| (pair.key.clone(), text(&pair.value))).collect()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string does not fail.
        write!(text, "{byte:02x}").ok();
    }
    text
}

/// Whole lines only: requests come at the same time.
fn print(line: &Value) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("a free port")?;
    print(&json!({"ready": true, "address": listener.local_addr()?.to_string()}))?;
    tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(Collector))
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await
        .context("the collector serves")
}
