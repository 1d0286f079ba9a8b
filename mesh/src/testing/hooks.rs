//! An HTTP server to which webhooks are posted.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::eventually;

/// What the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// This status.
    With(u16),
    /// Nothing.
    Never,
}

/// What was posted.
#[derive(Clone, Debug)]
pub struct Posted {
    /// Headers by their names in lower case.
    pub headers: HashMap<String, String>,
    /// The body.
    pub text: String,
    /// The body, read.
    pub body: Value,
}

impl Posted {
    /// Call and `sequence` of a posted `call_info`.
    #[must_use]
    pub fn key(&self) -> (String, i64) {
        let of = |pointer: &str| self.body.pointer(pointer);
        let call = of("/call_info/call/id").and_then(Value::as_str).unwrap_or_default();
        (call.to_owned(), of("/call_info/sequence").and_then(Value::as_i64).unwrap_or_default())
    }
}

#[derive(Debug)]
struct State {
    answers: Answers,
    posted: Vec<Posted>,
    /// Calls of the posts that are open.
    open: Vec<String>,
    most_open: usize,
    overlaps: usize,
}

/// The server; it stops when this is dropped.
#[derive(Debug)]
pub struct Hooks {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _stopped_when_dropped: DropGuard,
}

impl Hooks {
    /// Starts a server on a free port of the loopback.
    ///
    /// # Panics
    /// When there is none.
    #[expect(clippy::expect_used, reason = "this is how a test fails")]
    pub async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state =
            State { answers, posted: Vec::new(), open: Vec::new(), most_open: 0, overlaps: 0 };
        let state = Arc::new(Mutex::new(state));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (shared, stopping, connections) = (Arc::clone(&state), stop.clone(), tasks.clone());
        tasks.spawn(async move {
            while let Some(Ok((stream, _))) = stopping.run_until_cancelled(listener.accept()).await
            {
                let serving = serve(stream, Arc::clone(&shared));
                let stop = stopping.clone();
                connections.spawn(async move { stop.run_until_cancelled(serving).await });
            }
        });
        Self { address, state, _stopped_when_dropped: stop.drop_guard() }
    }

    /// Where to post.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Answers otherwise from now on.
    pub fn answer(&self, answers: Answers) {
        self.state.lock().answers = answers;
    }

    /// Everything that was posted.
    #[must_use]
    pub fn posted(&self) -> Vec<Posted> {
        self.state.lock().posted.clone()
    }

    /// Most posts that were open at a time, and how often two of one call were.
    #[must_use]
    pub fn most_open(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.most_open, state.overlaps)
    }

    /// Waits until so many have come.
    ///
    /// # Panics
    /// When they do not.
    pub async fn until(&self, count: usize) -> Vec<Posted> {
        eventually(Duration::from_secs(20), "webhooks come", || async {
            let posted = self.posted();
            if posted.len() >= count { Ok(posted) } else { Err(format!("{} came", posted.len())) }
        })
        .await
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    let Some(posted) = read(&mut stream).await else { return };
    let call = posted.key().0;
    let answers = {
        let mut state = state.lock();
        state.posted.push(posted);
        state.overlaps += usize::from(state.open.contains(&call));
        state.open.push(call.clone());
        state.most_open = state.most_open.max(state.open.len());
        state.answers
    };
    match answers {
        Answers::With(code) => {
            // Others have their turn.
            tokio::task::yield_now().await;
            close(&state, &call);
            let answer = format!("HTTP/1.1 {code} X\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.ok();
        }
        Answers::Never => {
            // Until the other side gives up.
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.ok();
            close(&state, &call);
        }
    }
}

fn close(state: &Mutex<State>, call: &String) {
    let mut state = state.lock();
    if let Some(at) = state.open.iter().position(|it| it == call) {
        state.open.remove(at);
    }
}

/// Reads a request; `None` for anything but a `POST` to the one address.
async fn read(stream: &mut BufReader<TcpStream>) -> Option<Posted> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    if line != "POST /hook HTTP/1.1\r\n" {
        return None;
    }
    let mut headers = HashMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    let text = String::from_utf8(body).ok()?;
    Some(Posted { headers, body: serde_json::from_str(&text).ok()?, text })
}
