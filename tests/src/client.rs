//! A stock JSON-RPC client over the WebSocket.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use mesh::testing::eventually;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// How long a test waits for something that has to come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The error object of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault(pub Value);

impl Fault {
    /// The JSON-RPC code.
    pub fn code(&self) -> i64 {
        self.0["code"].as_i64().unwrap_or_default()
    }

    /// The faultcode.
    pub fn faultcode(&self) -> &str {
        self.0["data"]["faultcode"].as_str().unwrap_or_default()
    }
}

/// A connection. Dropping it cuts it without a word.
#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    next_id: u64,
    /// Notifications that came and have not been taken.
    events: VecDeque<(String, Value)>,
}

impl Client {
    /// Connects to the edge at `public`.
    pub async fn connect(public: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(public).await?;
        stream.set_nodelay(true)?;
        let (socket, _) =
            tokio_tungstenite::client_async(format!("ws://{public}/ws"), stream).await?;
        Ok(Self { socket, next_id: 0, events: VecDeque::new() })
    }

    /// Connects and logs in with the demo password.
    pub async fn log_in(public: SocketAddr, login: &str) -> Self {
        let mut client = Self::connect(public).await.expect("the edge accepts sockets");
        client.must("Session/login", json!({"login": login, "password": "cordboard"})).await;
        client
    }

    /// Connects, logs in and subscribes to the own scope.
    pub async fn subscribed(public: SocketAddr, login: &str) -> Self {
        let mut client = Self::log_in(public, login).await;
        client.must("CallControl/enable_api_notifications", json!({})).await;
        client
    }

    /// Connects, logs in and subscribes to these kinds of the own scope.
    pub async fn subscribed_to(public: SocketAddr, login: &str, kinds: &[&str]) -> Self {
        let mut client = Self::log_in(public, login).await;
        client.must("CallControl/enable_api_notifications", json!({"kinds": kinds})).await;
        client
    }

    /// Sends a frame as it is.
    pub async fn send_text(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.expect("the socket takes frames");
    }

    /// Waits for the next frame of any kind.
    pub async fn next_message(&mut self) -> Option<Message> {
        let deadline = Instant::now() + PATIENCE;
        match timeout_at(deadline, self.socket.next()).await.expect("a frame comes in time") {
            Some(Ok(message)) => Some(message),
            Some(Err(_)) | None => None,
        }
    }

    /// Waits for the next JSON frame; `None` when the connection has ended.
    pub async fn next_frame(&mut self, deadline: Instant) -> anyhow::Result<Option<Value>> {
        loop {
            match timeout_at(deadline, self.socket.next()).await? {
                Some(Ok(Message::Text(text))) => return Ok(Some(serde_json::from_str(&text)?)),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(None),
                Some(Ok(_)) => {}
            }
        }
    }

    /// Calls a method. The outer error says that the connection is gone or no answer came.
    pub async fn call(
        &mut self,
        method: &str,
        params: Value,
    ) -> anyhow::Result<Result<Value, Fault>> {
        self.next_id += 1;
        let id = self.next_id;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.socket.send(Message::text(request.to_string())).await?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Some(mut frame) = self.next_frame(deadline).await? else {
                anyhow::bail!("the connection ended before {method} was answered");
            };
            if frame["id"] == json!(id) {
                return Ok(match frame.get_mut("error") {
                    Some(error) => Err(Fault(error.take())),
                    None => Ok(frame["result"].take()),
                });
            }
            self.keep(frame);
        }
    }

    /// Calls a method that has to succeed.
    pub async fn must(&mut self, method: &str, params: Value) -> Value {
        self.call(method, params)
            .await
            .unwrap_or_else(|error| panic!("{method}: {error:#}"))
            .unwrap_or_else(|fault| panic!("{method} was refused: {fault:?}"))
    }

    /// Calls a method that has to succeed as soon as its service, which has just been started again, is
    /// reached.
    pub async fn must_in_time(&mut self, method: &str, params: Value) -> Value {
        eventually(Duration::from_secs(10), method, async || {
            let answer = self.call(method, params.clone()).await;
            answer.unwrap_or_else(|error| panic!("{method}: {error:#}")).map_err(|fault| {
                assert_eq!(fault.0["data"]["retryable"], json!(true), "{method}: {fault:?}");
                format!("{fault:?}")
            })
        })
        .await
    }

    /// Calls a method that has to be refused.
    pub async fn refused(&mut self, method: &str, params: Value) -> Fault {
        let answer =
            self.call(method, params).await.unwrap_or_else(|error| panic!("{method}: {error:#}"));
        match answer {
            Err(fault) => fault,
            Ok(result) => panic!("{method} was not refused: {result}"),
        }
    }

    fn keep(&mut self, mut frame: Value) {
        if let Some(method) = frame["method"].as_str().map(ToOwned::to_owned) {
            self.events.push_back((method, frame["params"].take()));
        }
    }

    /// Waits for the next notification; `None` when the connection has ended.
    pub async fn try_event(
        &mut self,
        deadline: Instant,
    ) -> anyhow::Result<Option<(String, Value)>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            match self.next_frame(deadline).await? {
                Some(frame) => self.keep(frame),
                None => return Ok(None),
            }
        }
    }

    /// Waits for the next notification, which has to come.
    pub async fn event(&mut self) -> (String, Value) {
        self.try_event(Instant::now() + PATIENCE)
            .await
            .expect("a notification comes in time")
            .expect("the connection lives")
    }

    /// Waits for the next `call_state` and gives its `call_info`.
    pub async fn call_state(&mut self) -> Value {
        loop {
            let (method, mut params) = self.event().await;
            if method == "CallControl/call_state" {
                return params["call_info"].take();
            }
        }
    }

    /// Takes `call_state`s until `is_last` says so; gives all of them.
    pub async fn call_states_until(
        &mut self,
        mut is_last: impl FnMut(&[Value]) -> bool,
    ) -> Vec<Value> {
        let mut states = Vec::new();
        loop {
            states.push(self.call_state().await);
            if is_last(&states) {
                return states;
            }
        }
    }

    /// Takes `call_state`s until `legs` legs have terminated.
    pub async fn until_over(&mut self, legs: usize) -> Vec<Value> {
        self.call_states_until(|states| {
            states.iter().filter(|info| info["state"] == "terminated").count() == legs
        })
        .await
    }

    /// Asserts that no notification comes for a while.
    pub async fn nothing_for(&mut self, time: Duration) {
        if let Ok(Some(event)) = self.try_event(Instant::now() + time).await {
            panic!("unexpected {event:?}");
        }
    }
}

/// The states of the leg of `account` (its id), in order.
pub fn states_of(states: &[Value], account: &str) -> Vec<String> {
    let is_of = |info: &Value| {
        let own = if info["type"] == "incoming" { &info["callee"] } else { &info["caller"] };
        info["is_external_call"] == json!(false) && own["account_id"] == json!(account)
    };
    names(states, is_of)
}

/// The states of the trunk leg, in order.
pub fn states_of_trunk(states: &[Value]) -> Vec<String> {
    names(states, |info| info["is_external_call"] == json!(true))
}

fn names(states: &[Value], is_of: impl Fn(&Value) -> bool) -> Vec<String> {
    states
        .iter()
        .filter(|info| is_of(info))
        .map(|info| info["state"].as_str().unwrap_or_default().to_owned())
        .collect()
}
