//! A WebSocket client as any application would have one.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use futures::{SinkExt as _, StreamExt as _};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::timeline::Timeline;

/// How long the demo waits for an answer or an event.
const PATIENCE: Duration = Duration::from_secs(10);

/// Requests under way, by id.
type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Result<Value, Value>>>>>;

/// One connection of one application. Dropping it cuts the connection without a word.
#[derive(Debug)]
pub(super) struct Client {
    name: String,
    timeline: Timeline,
    frames: mpsc::Sender<String>,
    waiting: Waiting,
    events: mpsc::Receiver<(String, Value)>,
    next_id: u64,
    _cut: DropGuard,
}

impl Client {
    /// Connects.
    pub(super) async fn connect(
        name: &str,
        to: impl ToSocketAddrs + fmt::Display,
        timeline: Timeline,
        tasks: &TaskTracker,
    ) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(&to).await.context("the API does not listen")?;
        let (socket, _) = tokio_tungstenite::client_async(format!("ws://{to}/ws"), stream).await?;
        let (mut sink, mut source) = socket.split();
        let (frames, mut outgoing) = mpsc::channel::<String>(64);
        let (deliver, events) = mpsc::channel(1024);
        let waiting = Waiting::default();
        let cut = CancellationToken::new();

        let (answered, gone) = (Arc::clone(&waiting), cut.clone());
        tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = gone.cancelled() => return,
                    frame = outgoing.recv() => {
                        let Some(frame) = frame else { return };
                        if sink.send(Message::text(frame)).await.is_err() {
                            return;
                        }
                    }
                    message = source.next() => match message {
                        Some(Ok(Message::Text(text))) => {
                            receive(&text, &answered, &deliver).await;
                        }
                        Some(Ok(_)) => {}
                        Some(Err(_)) | None => return,
                    },
                }
            }
        });
        Ok(Self {
            name: name.to_owned(),
            timeline,
            frames,
            waiting,
            events,
            next_id: 0,
            _cut: cut.drop_guard(),
        })
    }

    /// Calls a method; `Err` inside is the error object of the answer.
    pub(super) async fn try_call(
        &mut self,
        method: &str,
        params: Value,
    ) -> anyhow::Result<Result<Value, Value>> {
        self.timeline.request(&self.name, method, &params);
        let answer = self.ask(method, params).await?;
        self.timeline.answer(&self.name, &answer);
        Ok(answer)
    }

    /// Calls a method without a word on the timeline.
    pub(super) async fn ask(
        &mut self,
        method: &str,
        params: Value,
    ) -> anyhow::Result<Result<Value, Value>> {
        self.next_id += 1;
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().insert(self.next_id, answer);
        let frame =
            json!({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params});
        self.frames.send(frame.to_string()).await.context("the connection is gone")?;
        tokio::time::timeout(PATIENCE, answered)
            .await
            .with_context(|| format!("no answer to {method}"))?
            .context("the connection is gone")
    }

    /// Calls a method that has to succeed.
    pub(super) async fn call(&mut self, method: &str, params: Value) -> anyhow::Result<Value> {
        let answer = self.try_call(method, params).await?;
        answer.map_err(|error| anyhow!("{method} was refused: {error}"))
    }

    /// Waits for the first event for which `is_it` holds; all before it are shown too.
    pub(super) async fn until(
        &mut self,
        what: &str,
        mut is_it: impl FnMut(&str, &Value) -> bool,
    ) -> anyhow::Result<Value> {
        loop {
            let (method, params) = tokio::time::timeout(PATIENCE, self.events.recv())
                .await
                .with_context(|| format!("no event came that says `{what}`"))?
                .context("the connection is gone")?;
            self.timeline.event(&self.name, &method, &params);
            if is_it(&method, &params) {
                return Ok(params);
            }
        }
    }

    /// Waits until a leg shows `state`.
    pub(super) async fn until_state(&mut self, state: &str) -> anyhow::Result<Value> {
        self.until(state, |_, params| {
            params.pointer("/call_info/state").and_then(Value::as_str) == Some(state)
        })
        .await
    }

    /// Waits until `legs` legs have terminated.
    pub(super) async fn until_over(&mut self, legs: usize) -> anyhow::Result<()> {
        for _ in 0..legs {
            self.until_state("terminated").await?;
        }
        Ok(())
    }
}

/// Brings an answer to whoever waits for it, and an event to the application.
async fn receive(text: &str, waiting: &Waiting, deliver: &mpsc::Sender<(String, Value)>) {
    let Ok(mut frame) = serde_json::from_str::<Value>(text) else { return };
    let mut take = |name: &str| frame.get_mut(name).map(Value::take);
    if let Some(id) = take("id").as_ref().and_then(Value::as_u64) {
        let answer = match take("error") {
            Some(error) => Err(error),
            None => Ok(take("result").unwrap_or_default()),
        };
        let asker = waiting.lock().remove(&id);
        if let Some(asker) = asker {
            // The asker may have given up.
            asker.send(answer).ok();
        }
    } else if let Some(Value::String(method)) = take("method") {
        let params = take("params").unwrap_or_default();
        // A client that is being dropped wants no events.
        deliver.send((method, params)).await.ok();
    }
}
