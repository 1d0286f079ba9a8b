//! The load: many sockets of one process, and what came out of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Handshakes at a time.
const CONNECTING: usize = 32;

/// Time for an answer, and without which nothing more is expected.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longer messages are events, and are not looked at.
const ANSWER_MAX: usize = 512;

pub(crate) type Stream = WebSocketStream<TcpStream>;

/// What came.
#[derive(Debug, Default)]
struct Counts {
    messages: AtomicU64,
    faults: AtomicU64,
}

/// Many sockets.
#[derive(Debug)]
pub(crate) struct Fleet {
    writers: Vec<SplitSink<Stream, Message>>,
    counts: Arc<Counts>,
    /// Reads the sockets; ends with the fleet.
    readers: JoinSet<()>,
}

/// A socket to be opened.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) address: SocketAddr,
    /// The access token, where the server wants one.
    pub(crate) token: Option<String>,
    /// Params of the subscription, where there is to be one.
    pub(crate) subscription: Option<Value>,
}

impl Fleet {
    /// Opens all sockets, in order of `seats`.
    pub(crate) async fn open(seats: Vec<Seat>) -> anyhow::Result<Self> {
        let sockets: Vec<Stream> = futures::stream::iter(seats)
            .map(|seat| async move { open(seat).await })
            .buffered(CONNECTING)
            .try_collect()
            .await?;
        let counts = Arc::new(Counts::default());
        let mut readers = JoinSet::new();
        let mut writers = Vec::with_capacity(sockets.len());
        for socket in sockets {
            let (writer, reader) = socket.split();
            writers.push(writer);
            readers.spawn(read(reader, Arc::clone(&counts)));
        }
        Ok(Self { writers, counts, readers })
    }

    /// Sends a message on one socket, round and round.
    pub(crate) async fn send(&mut self, number: u64, message: &str) -> anyhow::Result<()> {
        let index = usize::try_from(number)? % self.writers.len();
        let writer = self.writers.get_mut(index).context("there are sockets")?;
        Ok(writer.send(Message::text(message)).await?)
    }

    /// Messages that came so far.
    pub(crate) fn received(&self) -> u64 {
        self.counts.messages.load(Ordering::Relaxed)
    }

    /// Waits until so many messages have come in all.
    pub(crate) async fn wait_for(&self, messages: u64) -> anyhow::Result<()> {
        let (mut last, mut since) = (self.received(), Instant::now());
        while last < messages {
            sleep(Duration::from_millis(5)).await;
            let now = self.received();
            if now > last {
                (last, since) = (now, Instant::now());
            } else if since.elapsed() > PATIENCE {
                bail!("{last} of {messages} messages came, and then nothing for {PATIENCE:?}");
            }
        }
        let faults = self.counts.faults.load(Ordering::Relaxed);
        anyhow::ensure!(faults == 0, "{faults} requests were refused");
        anyhow::ensure!(!self.has_lost_any(), "a socket was closed");
        Ok(())
    }

    fn has_lost_any(&self) -> bool {
        self.readers.len() < self.writers.len()
    }
}

pub(crate) async fn open(seat: Seat) -> anyhow::Result<Stream> {
    let stream = TcpStream::connect(seat.address).await?;
    stream.set_nodelay(true)?;
    let mut request = format!("ws://{}/ws", seat.address).into_client_request()?;
    if let Some(token) = &seat.token {
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
    }
    let config = WebSocketConfig::default().read_buffer_size(16 * 1024);
    let opening = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
    let (mut socket, _) = timeout(PATIENCE, opening).await??;
    if let Some(params) = seat.subscription {
        call(&mut socket, "CallControl/enable_api_notifications", &params).await?;
    }
    Ok(socket)
}

/// Calls a method on a socket on which nothing else happens.
pub(crate) async fn call(
    socket: &mut Stream,
    method: &str,
    params: &Value,
) -> anyhow::Result<Value> {
    socket.send(Message::text(request(0, method, params))).await?;
    loop {
        let message = timeout(PATIENCE, socket.next()).await?;
        let Message::Text(text) = message.context("the socket was closed")?? else { continue };
        let mut answer: Value = serde_json::from_str(&text)?;
        if answer.get("id") != Some(&json!(0)) {
            continue;
        }
        anyhow::ensure!(answer.get("error").is_none(), "{method}: {answer}");
        return Ok(answer["result"].take());
    }
}

/// Logs in by a token of the directory; gives the access token.
pub(crate) async fn log_in(
    address: SocketAddr,
    login: &str,
    token: &str,
) -> anyhow::Result<String> {
    let seat = Seat { address, token: None, subscription: None };
    let mut socket = open(seat).await?;
    let params = json!({"login": login, "token": token});
    let session = call(&mut socket, "Session/login", &params).await?;
    let access = session["access_token"].as_str().context("a login gives a token")?.to_owned();
    socket.close(None).await?;
    Ok(access)
}

/// A request as it goes over the wire.
pub(crate) fn request(id: u64, method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

async fn read(mut reader: SplitStream<Stream>, counts: Arc<Counts>) {
    while let Some(Ok(message)) = reader.next().await {
        let Message::Text(text) = message else { continue };
        if text.len() < ANSWER_MAX && text.contains("\"error\":") {
            counts.faults.fetch_add(1, Ordering::Relaxed);
        }
        counts.messages.fetch_add(1, Ordering::Relaxed);
    }
}
