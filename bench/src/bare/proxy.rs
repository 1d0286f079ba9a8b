//! The floor of a command: a WebSocket server that parses each message as JSON and forwards it by
//! a unary call over one shared channel. No sessions, no limits, no checks, no traces.

use std::net::SocketAddr;

use futures::{SinkExt as _, StreamExt as _};
use proto::auth::v1::GetVersionRequest;
use proto::auth::v1::generic_service_client::GenericServiceClient;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_util::task::TaskTracker;
use tonic::transport::{Channel, Endpoint};

type Upstream = GenericServiceClient<Channel>;

pub(crate) async fn run(upstream: SocketAddr) -> anyhow::Result<()> {
    let channel = Endpoint::from_shared(format!("http://{upstream}"))?.tcp_nodelay(true);
    let upstream = Upstream::new(channel.connect().await?);
    let (listener, address) = super::listen().await?;
    super::say_ready(&[("listen", address)]);
    let sockets = TaskTracker::new();
    loop {
        let (stream, _) = listener.accept().await?;
        let upstream = upstream.clone();
        // The process is killed, and its sockets with it.
        sockets.spawn(async move { drop(socket(stream, upstream).await) });
    }
}

async fn socket(mut stream: TcpStream, mut upstream: Upstream) -> anyhow::Result<()> {
    super::accept(&mut stream).await?;
    let config = WebSocketConfig::default().read_buffer_size(4 * 1024);
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    while let Some(Message::Text(text)) = socket.next().await.transpose()? {
        let request: Value = serde_json::from_str(&text)?;
        let answer = upstream.get_version(GetVersionRequest::default()).await?;
        let id = request.get("id").cloned().unwrap_or_default();
        let version = answer.into_inner().version;
        let result =
            serde_json::json!({"jsonrpc": "2.0", "id": id, "result": {"version": version}});
        socket.send(Message::text(result.to_string())).await?;
    }
    Ok(())
}
