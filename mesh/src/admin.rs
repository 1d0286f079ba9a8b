//! The admin port: probes, metrics and the log filter. Never on the public port.
//!
//! - `GET /livez`: 200 while the process runs; asks nothing of any dependency.
//! - `GET /readyz`: 200 while ready, also when degraded, else 503; the body names every part.
//! - `GET /metrics`: Prometheus' text format.
//! - `PUT /log-level`: the body is the new filter, e.g. `info,switch=debug`.
//! - and the [`Pages`] of the services of the process.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use crate::health::Readiness;
use crate::net::{Connection, Listener};
use crate::{fault, metrics, telemetry};

/// Longest filter that is read.
const MAX_FILTER_BYTES: usize = 4096;

/// Time for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for answers under way after `stop`.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Pause after a failed `accept`.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a page answers to a query, `name=value&…`.
type Page = Arc<dyn Fn(String) -> BoxFuture<'static, serde_json::Value> + Send + Sync>;

/// Pages that services add: each answers `GET` with JSON. Clones share them.
#[derive(Clone, Default)]
pub struct Pages(Arc<Mutex<BTreeMap<&'static str, Page>>>);

impl std::fmt::Debug for Pages {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.0.lock().keys()).finish()
    }
}

impl Pages {
    /// Adds the page at `path`, e.g. `/explain`.
    pub fn add<F>(&self, path: &'static str, answer: impl Fn(String) -> F + Send + Sync + 'static)
    where
        F: Future<Output = serde_json::Value> + Send + 'static,
    {
        let page: Page = Arc::new(move |query| Box::pin(answer(query)));
        self.0.lock().insert(path, page);
    }

    fn get(&self, path: &str) -> Option<Page> {
        self.0.lock().get(path).map(Arc::clone)
    }
}

/// Serves the admin port until `stop`. Let it outlive the rest, so that the stop can be watched.
///
/// # Errors
/// None at present.
pub async fn serve(
    mut listener: Listener,
    readiness: Readiness,
    pages: Pages,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let connections = TaskTracker::new();
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok(connection) => {
                    let (readiness, pages) = (readiness.clone(), pages.clone());
                    let serving = serve_connection(connection, readiness, pages, stop.clone());
                    connections.spawn(serving);
                }
                Err(error) => {
                    warn!(error = %error, "admin connection not accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = accepting => {}
    }
    connections.close();
    // Probes have no right to hold the process up.
    timeout(DRAIN_TIMEOUT, connections.wait()).await.ok();
    Ok(())
}

async fn serve_connection(
    connection: Connection,
    readiness: Readiness,
    pages: Pages,
    stop: CancellationToken,
) {
    let service = service_fn(move |request| {
        let (readiness, pages) = (readiness.clone(), pages.clone());
        async move { Ok::<_, Infallible>(answer(request, &readiness, &pages).await) }
    });
    let serving = Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(connection), service);
    let mut serving = std::pin::pin!(serving);
    let outcome = tokio::select! {
        outcome = serving.as_mut() => outcome,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = outcome {
        debug!(error = fault::chain(&error), "admin connection ended");
    }
}

async fn answer(
    request: Request<Incoming>,
    readiness: &Readiness,
    pages: &Pages,
) -> Response<Full<Bytes>> {
    if let Some(page) = pages.get(request.uri().path()) {
        if request.method() != Method::GET {
            return text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
        }
        let query = request.uri().query().unwrap_or_default().to_owned();
        return response(StatusCode::OK, "application/json", page(query).await.to_string());
    }
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/livez") => text(StatusCode::OK, "ok\n"),
        (&Method::GET, "/readyz") => {
            let is_ready = readiness.is_ready();
            let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            response(status, "application/json", readiness.report().to_string())
        }
        (&Method::GET, "/metrics") => {
            response(StatusCode::OK, metrics::CONTENT_TYPE, metrics::render())
        }
        (&Method::PUT, "/log-level") => set_log_level(request.into_body()).await,
        (_, "/livez" | "/readyz" | "/metrics" | "/log-level") => {
            text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n")
        }
        _ => text(StatusCode::NOT_FOUND, "not found\n"),
    }
}

async fn set_log_level(body: Incoming) -> Response<Full<Bytes>> {
    let Ok(body) = Limited::new(body, MAX_FILTER_BYTES).collect().await else {
        return text(StatusCode::PAYLOAD_TOO_LARGE, "filter is too long\n");
    };
    let body = body.to_bytes();
    let filter = String::from_utf8_lossy(&body);
    match telemetry::set_filter(filter.trim()) {
        Ok(()) => {
            info!(filter = filter.trim(), "log filter changed");
            text(StatusCode::OK, "ok\n")
        }
        Err(error) => text(StatusCode::BAD_REQUEST, format!("{error:#}\n")),
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", body)
}

fn response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::net::Network;

    /// The answer to a request, head and body.
    async fn ask(network: &Network, head: &str, body: &str) -> String {
        let mut connection =
            network.connect("admin", &"memory:admin".parse().unwrap()).await.unwrap();
        let length = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn probes_and_metrics_are_answered() {
        let (network, readiness) = (Network::default(), Readiness::new());
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let listener = network.listen_memory("admin");
        let pages = Pages::default();
        pages.add("/echo", |query| async move { serde_json::json!({"query": query}) });
        tasks.spawn(serve(listener, readiness.clone(), pages, stop.clone()));
        let store = readiness.component("store");
        let status = async |head| ask(&network, head, "").await[9..12].to_owned();

        assert_eq!(status("GET /livez").await, "200");
        assert_eq!(status("GET /readyz").await, "503");
        store.degraded("reads only");
        let report = ask(&network, "GET /readyz", "").await;
        assert!(report.starts_with("HTTP/1.1 200") && report.contains("reads only"), "{report}");
        assert_eq!(status("GET /metrics").await, "200");
        assert_eq!(status("GET /else").await, "404");
        assert_eq!(status("POST /metrics").await, "405");
        assert!(ask(&network, "GET /echo?a=b", "").await.ends_with(r#"{"query":"a=b"}"#));
        assert_eq!(status("PUT /echo").await, "405");
        let refused = ask(&network, "PUT /log-level", "mesh=loud").await;
        assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");

        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }
}
