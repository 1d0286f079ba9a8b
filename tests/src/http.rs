//! One JSON request over HTTP.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// The text that a `GET` gives, on a connection of its own.
pub async fn text(from: SocketAddr, path: &str) -> anyhow::Result<String> {
    let (status, bytes) = exchange(from, Method::GET, path, None, Bytes::new()).await?;
    anyhow::ensure!(status.is_success(), "{path}: {status}");
    Ok(String::from_utf8(bytes.to_vec())?)
}

/// Puts a text.
pub async fn put(to: SocketAddr, path: &str, text: &str) -> anyhow::Result<StatusCode> {
    let body = Bytes::from(text.to_owned());
    Ok(exchange(to, Method::PUT, path, None, body).await?.0)
}

/// Fetches a file with a token; gives status, headers and content.
pub async fn download(
    from: SocketAddr,
    method: Method,
    path: &str,
    token: Option<&str>,
) -> anyhow::Result<(StatusCode, HeaderMap, Bytes)> {
    let stream = TcpStream::connect(from).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let mut request = Request::builder().method(method).uri(path);
    request = request.header(header::HOST, from.to_string());
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Full::new(Bytes::new()))?;
    let exchange = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        anyhow::Ok((head.status, head.headers, body.collect().await?.to_bytes()))
    };
    tokio::select! {
        answer = exchange => answer,
        ended = connection => anyhow::bail!("connection ended without an answer: {ended:?}"),
    }
}

/// Sends a request on a connection of its own; the body of the answer is null when it is no JSON.
pub async fn send(
    to: SocketAddr,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<(StatusCode, Value)> {
    let body = Bytes::from(body.map(Value::to_string).unwrap_or_default());
    let (status, bytes) = exchange(to, method, path, None, body).await?;
    Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
}

/// Sends a request without a body as somebody: with this `Authorization`.
pub async fn send_as(
    to: SocketAddr,
    method: Method,
    path: &str,
    authorization: &str,
) -> anyhow::Result<(StatusCode, Value)> {
    let (status, bytes) = exchange(to, method, path, Some(authorization), Bytes::new()).await?;
    Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
}

async fn exchange(
    to: SocketAddr,
    method: Method,
    path: &str,
    authorization: Option<&str>,
    body: Bytes,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let stream = TcpStream::connect(to).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, to.to_string())
        .header(header::CONTENT_TYPE, "application/json");
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let request = request.body(Full::new(body))?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        anyhow::Ok((status, response.into_body().collect().await?.to_bytes()))
    };
    tokio::select! {
        answer = exchange => answer,
        ended = connection => anyhow::bail!("connection ended without an answer: {ended:?}"),
    }
}
