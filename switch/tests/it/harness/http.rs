//! One request over a connection of its own.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use mesh::net::{Network, Target};
use tokio_util::task::TaskTracker;

/// Sends a request and returns status and body; an error when nobody listens or answers.
pub(crate) async fn send(
    network: &Network,
    tasks: &TaskTracker,
    to: &str,
    method: Method,
    path: &str,
    body: impl Into<Bytes>,
) -> Result<(StatusCode, Bytes), String> {
    let target = Target::Memory(to.to_owned());
    let stream = network.connect("switch", &target).await.map_err(|error| error.to_string())?;
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    tasks.spawn(async move { drop(connection.await) });
    let request = Request::builder().method(method).uri(path).header("host", "test");
    let request = request.body(Full::new(body.into())).map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(|error| error.to_string())?;
    Ok((status, body.to_bytes()))
}
