//! An application: a WebSocket, requests and what comes unasked.

use std::collections::VecDeque;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use mesh::net::{Connection, Network, Target};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::Response;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::PATIENCE;

/// An application.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<Connection>,
    next_id: i64,
    /// Notifications that came while an answer was awaited.
    unasked: VecDeque<Value>,
    closed: Option<(u16, String)>,
    pub(crate) subprotocol: Option<String>,
}

impl Client {
    /// Connects, or gives the refusal.
    pub(crate) async fn connect(
        network: &Network,
        headers: &[(&'static str, String)],
    ) -> Result<Self, Response<Option<Vec<u8>>>> {
        Self::connect_to(network, &Target::Memory("edge".to_owned()), headers).await
    }

    /// Connects to an edge that is not in memory.
    pub(crate) async fn connect_to(
        network: &Network,
        target: &Target,
        headers: &[(&'static str, String)],
    ) -> Result<Self, Response<Option<Vec<u8>>>> {
        Self::over(network.connect("edge", target).await.unwrap(), headers).await
    }

    /// Begins on a connection.
    pub(crate) async fn over(
        stream: Connection,
        headers: &[(&'static str, String)],
    ) -> Result<Self, Response<Option<Vec<u8>>>> {
        let mut request = "ws://edge/ws".into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let connecting = tokio_tungstenite::client_async(request, stream);
        match timeout(PATIENCE, connecting).await.unwrap() {
            Ok((socket, response)) => Ok(Self {
                socket,
                next_id: 1,
                unasked: VecDeque::new(),
                closed: None,
                subprotocol: response
                    .headers()
                    .get("sec-websocket-protocol")
                    .map(|value| value.to_str().unwrap().to_owned()),
            }),
            Err(Error::Http(response)) => Err(*response),
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends a text frame.
    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.unwrap();
    }

    /// Calls a method; the error is the whole JSON-RPC error.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.begin(method, params).await;
        let mut answer = self.answer(id).await;
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(answer["error"].take()),
        }
    }

    /// Sends a request and returns its id.
    pub(crate) async fn begin(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send(request.to_string()).await;
        id
    }

    /// The answer to a request.
    pub(crate) async fn answer(&mut self, id: i64) -> Value {
        loop {
            let message = self.next().await;
            if message["id"] == id {
                return message;
            }
            assert!(message["id"].is_null(), "an answer that nobody waits for: {message}");
            self.unasked.push_back(message);
        }
    }

    /// The next notification.
    pub(crate) async fn event(&mut self) -> Value {
        if let Some(message) = self.unasked.pop_front() {
            return message;
        }
        let message = self.next().await;
        assert!(message.get("id").is_none(), "no notification: {message}");
        message
    }

    /// The tracking ids of the next events.
    pub(crate) async fn tracking_ids(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for _ in 0..count {
            let event = self.event().await;
            let id = event["params"]["call_info"]["tracking_id"].as_str();
            ids.push(id.unwrap_or_else(|| panic!("{event}")).to_owned());
        }
        ids
    }

    /// Makes sure that nothing comes: a request is answered and nothing came before the answer.
    pub(crate) async fn nothing(&mut self) {
        self.call("Session/ping", json!({})).await.unwrap();
        assert_eq!(self.unasked, [] as [Value; 0]);
    }

    /// Does nothing for a while but answer pings.
    pub(crate) async fn idle(&mut self, time: Duration) {
        if let Ok(frame) = timeout(time, self.frame()).await {
            panic!("came while idle: {frame:?}, {:?}", self.closed);
        }
    }

    /// Does nothing for a while but answer pings and keep what comes unasked.
    pub(crate) async fn idle_but_events(&mut self, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        while let Ok(frame) = tokio::time::timeout_at(end, self.frame()).await {
            let frame = frame.unwrap_or_else(|| panic!("closed: {:?}", self.closed));
            self.unasked.push_back(serde_json::from_str(&frame).unwrap());
        }
    }

    /// The next frame as JSON.
    pub(crate) async fn next(&mut self) -> Value {
        match timeout(PATIENCE, self.frame()).await.expect("nothing came") {
            Some(text) => serde_json::from_str(&text).unwrap(),
            None => panic!("closed: {:?}", self.closed),
        }
    }

    /// Waits for the end; gives code and reason.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        while self.frame().await.is_some() {}
        self.closed.clone().expect("a close frame")
    }

    /// The next text; `None` at the end.
    async fn frame(&mut self) -> Option<String> {
        loop {
            let next = self.socket.next().await;
            match next {
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(frame))) => {
                    self.closed = frame.map(|it| (it.code.into(), it.reason.to_string()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Subscribes and gives the answer.
    pub(crate) async fn enable(&mut self, params: Value) -> Value {
        self.call("CallControl/enable_api_notifications", params).await.unwrap()
    }
}
