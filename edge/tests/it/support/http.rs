//! REST requests.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use mesh::net::{Network, Target};
use serde_json::Value;
use tokio::time::timeout;

use super::{PATIENCE, spawn};

/// Sends one request on a connection of its own.
pub(crate) async fn send(network: &Network, request: Request<Full<Bytes>>) -> Response<Bytes> {
    send_to(network, &Target::Memory("edge".to_owned()), request).await
}

/// Sends one request to another listener.
pub(crate) async fn send_to(
    network: &Network,
    target: &Target,
    request: Request<Full<Bytes>>,
) -> Response<Bytes> {
    let stream = network.connect("edge", target).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    spawn(connection);
    let response = timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap();
    let (head, body) = response.into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}

/// `GET`s a path.
pub(crate) async fn get(network: &Network, path: &str) -> Response<Bytes> {
    let request = Request::get(path).header("host", "edge").body(Full::default()).unwrap();
    send(network, request).await
}

/// `POST`s JSON.
pub(crate) async fn post(
    network: &Network,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> (u16, Value) {
    let mut request =
        Request::post(path).header("host", "edge").header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::from(body.to_string())).unwrap();
    let response = send(network, request).await;
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
}
