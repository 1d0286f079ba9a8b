//! The least that the same clients need: what the product is compared with.

pub(crate) mod fanout;
pub(crate) mod proxy;
pub(crate) mod upstream;

use std::net::SocketAddr;

use anyhow::Context as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Longest head of a handshake.
const HEAD_MAX: usize = 8 * 1024;

/// Prints the line of a server that is ready.
fn say_ready(addresses: &[(&str, SocketAddr)]) {
    let mut line = serde_json::Map::new();
    for (name, address) in addresses {
        line.insert((*name).to_owned(), json!(address.to_string()));
    }
    println!("{}", serde_json::Value::Object(line));
}

async fn listen() -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Answers the handshake of a WebSocket, and nothing more.
async fn accept(stream: &mut TcpStream) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        anyhow::ensure!(head.len() < HEAD_MAX, "the head is too long");
        anyhow::ensure!(stream.read_buf(&mut head).await? > 0, "the client left");
    }
    let head = String::from_utf8(head).context("the head is no text")?;
    let key = head.lines().filter_map(|line| line.split_once(':'));
    let key = key.filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
    let key = key.map(|(_, value)| value.trim()).next().context("no key")?;
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    Ok(())
}
