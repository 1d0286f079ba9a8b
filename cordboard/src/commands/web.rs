//! A small HTTP client for the simulator's control port and the public documents.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// An answer: its status and its body, null when that is empty.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
}

/// Sends one JSON request on a connection of its own.
pub(super) async fn send(
    to: SocketAddr,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<Answer> {
    let stream = TcpStream::connect(to)
        .await
        .with_context(|| format!("nothing listens on {to}; is `cordboard up` running?"))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, to.to_string())
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
        anyhow::Ok(Answer { status, body })
    };
    tokio::select! {
        answer = exchange => answer,
        ended = connection => match ended {
            Ok(()) => bail!("{to} closed the connection without an answer"),
            Err(error) => Err(error).context("connection broke"),
        },
    }
}

/// As [`send`], for requests that have to succeed; otherwise the server's own sentence.
pub(super) async fn expect(
    to: SocketAddr,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<Value> {
    let Answer { status, body } = send(to, method, path, body).await?;
    if status.is_success() {
        return Ok(body);
    }
    match body.get("error").and_then(Value::as_str) {
        Some(sentence) => bail!("{sentence}"),
        None => bail!("{path}: {status} {body}"),
    }
}
