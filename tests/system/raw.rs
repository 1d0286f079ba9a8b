//! HTTP and WebSocket byte by byte, for what a stock client would not send.

use std::net::SocketAddr;

use serde_json::{Value, json};
use system_tests::client::PATIENCE;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;

/// Sent in a frame's first byte when it is the last of its message.
pub(crate) const FIN: u8 = 0x80;

/// Said in a frame's second byte, beside the length.
const MASKED: u8 = 0x80;

/// A TCP connection and what was read of it.
pub(crate) struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Raw {
    pub(crate) async fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).await.expect("the port accepts connections");
        stream.set_nodelay(true).expect("the connection lives");
        Self { stream, buffer: Vec::new() }
    }

    /// Connects and shakes hands for a WebSocket.
    pub(crate) async fn socket(to: SocketAddr) -> Self {
        let mut raw = Self::connect(to).await;
        raw.send(handshake("")).await;
        let head = raw.head().await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        raw
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("the connection takes bytes");
    }

    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// Reads on; false at the end of the connection, however it ended.
    async fn more(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
        read.expect("bytes, or the end, come in time").is_ok_and(|bytes| bytes > 0)
    }

    /// Everything up to the end of the connection.
    pub(crate) async fn rest(&mut self) -> String {
        while self.more().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.buffer)).into_owned()
    }

    /// The head of an HTTP answer.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            let end = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
            if let Some(end) = end {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                return String::from_utf8(head).expect("heads are text");
            }
            assert!(self.more().await, "the connection ended before an answer");
        }
    }

    /// The next frame that is no ping: opcode and payload; `None` at the end of the connection.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((opcode, payload)) = self.take_frame() {
                if opcode != PING {
                    return Some((opcode, payload));
                }
            } else if !self.more().await {
                return None;
            }
        }
    }

    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (&first, &second) = (self.buffer.first()?, self.buffer.get(1)?);
        let (head, length) = match second {
            126 => (4, usize::from(u16::from_be_bytes(self.buffer.get(2..4)?.try_into().ok()?))),
            127 => panic!("no answer is that long"),
            short => (2, usize::from(short)),
        };
        let payload = self.buffer.get(head..head + length)?.to_vec();
        self.buffer.drain(..head + length);
        Some((first & 0x0f, payload))
    }

    /// The next text frame, as JSON.
    pub(crate) async fn json(&mut self) -> Value {
        let (opcode, payload) = self.frame().await.expect("the connection lives");
        assert_eq!(opcode, TEXT, "{:?}", String::from_utf8_lossy(&payload));
        serde_json::from_slice(&payload).expect("answers are JSON")
    }

    /// The code with which the socket is closed; what else comes before it is left out.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        loop {
            if let (CLOSE, payload) = self.frame().await? {
                return Some(u16::from_be_bytes([payload[0], payload[1]]));
            }
        }
    }

    /// Sends text and gives the answer.
    pub(crate) async fn ask(&mut self, text: &str) -> Value {
        self.send(masked(FIN | TEXT, text.as_bytes())).await;
        self.json().await
    }

    /// Shows that the socket still answers.
    pub(crate) async fn goes_on(&mut self) {
        let ping = json!({"jsonrpc": "2.0", "id": "still", "method": "Session/ping"});
        let answer = self.ask(&ping.to_string()).await;
        assert_eq!((&answer["id"], &answer["result"]["user_id"]), (&json!("still"), &json!(0)));
    }
}

/// A handshake with more header lines, each with its line end.
pub(crate) fn handshake(more: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

/// A frame as clients send them; `first` is the first byte.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(MASKED | u8::try_from(length).expect("it is short")),
        length @ 126..0x1_0000 => {
            frame.push(MASKED | 0x7e);
            frame.extend(u16::try_from(length).expect("it is not long").to_be_bytes());
        }
        length => {
            frame.push(MASKED | 0x7f);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    let mask = [0x5a, 0xa5, 0x3c, 0xc3];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// An HTTP answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line and headers.
    pub(crate) head: String,
    /// Null when it is no JSON.
    pub(crate) body: Value,
}

impl Answer {
    /// The value of a header that is there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Posts a body over a connection of its own, with more header lines, each with its line end.
pub(crate) async fn post(to: SocketAddr, path: &str, headers: &str, body: &str) -> Answer {
    let mut raw = Raw::connect(to).await;
    let length = body.len();
    raw.send(format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
        Content-Length: {length}\r\n{headers}\r\n{body}"
    ))
    .await;
    let head = raw.head().await;
    let body = serde_json::from_str(&raw.rest().await).unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answer { status: status.expect("answers have a status"), head, body }
}

/// Posts `{"params": …, "auth_info": …}`.
pub(crate) async fn call(to: SocketAddr, method: &str, params: Value, auth_info: Value) -> Answer {
    let body = json!({"params": params, "auth_info": auth_info}).to_string();
    post(to, &format!("/rest/{method}"), "Content-Type: application/json\r\n", &body).await
}
