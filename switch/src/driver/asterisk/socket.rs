//! The event socket: connected for as long as the driver lives.
//!
//! Asterisk sends no beat of its own, so each side's silence is broken by our pings; a socket
//! that stays silent is given up. After every connect the book is compared with Asterisk
//! before the first event is read.

use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use http::header::AUTHORIZATION;
use mesh::client::Backoff;
use mesh::health::Component;
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message as Frame};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Inner;
use super::ari::{AriError, Path};
use super::message::Message;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Time between two pings.
const PING_EVERY: Duration = Duration::from_secs(5);

/// A socket on which nothing comes for so long, not even an answer to a ping, is dead.
const MAX_SILENCE: Duration = Duration::from_secs(12);

/// Why the socket is not, or no longer, connected.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("Asterisk cannot be reached")]
    Connect(#[source] std::io::Error),
    #[error("Asterisk does not take user and password")]
    Login,
    #[error("event socket broke")]
    Socket(#[source] Box<Error>),
    #[error("event socket was closed")]
    Closed,
    #[error("event socket is silent")]
    Silent,
    #[error("another client has taken the application over")]
    Replaced,
    #[error("channels cannot be compared")]
    Resync(#[source] AriError),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        match error {
            Error::Http(answer) if matches!(answer.status().as_u16(), 401 | 403) => Self::Login,
            error => Self::Socket(Box::new(error)),
        }
    }
}

/// Listens until `stop`.
pub(super) async fn listen(switch: Arc<Inner>, health: Component, stop: CancellationToken) {
    health.degraded("not yet connected to Asterisk");
    let listening = async {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut life = None;
        let mut is_told = false;
        loop {
            let broken = match connect(&switch).await {
                Ok(socket) => match switch.resync(&mut life).await {
                    Ok(()) => {
                        info!("listening to Asterisk");
                        backoff.reset();
                        is_told = false;
                        switch.connected.send_replace(true);
                        health.ready();
                        let broken = hear(&switch, socket).await;
                        switch.connected.send_replace(false);
                        broken
                    }
                    Err(error) => Broken::Resync(error),
                },
                Err(broken) => broken,
            };
            health.degraded(broken.to_string());
            if !is_told {
                warn!(error = chain(&broken), "not connected to Asterisk");
                is_told = true;
            }
            let pause = match broken {
                // Two that take each other's place at once would both hear nothing.
                Broken::Replaced => LONGEST_PAUSE,
                _ => backoff.next(),
            };
            tokio::time::sleep(pause).await;
        }
    };
    stop.run_until_cancelled(listening).await;
}

async fn connect(switch: &Inner) -> Result<WebSocketStream<TcpStream>, Broken> {
    let deadline = Instant::now() + switch.ari.timeout();
    let late = |_| Broken::Connect(std::io::ErrorKind::TimedOut.into());
    let authority = switch.ari.authority();
    let tcp = timeout_at(deadline, TcpStream::connect(authority.as_str())).await;
    let tcp = tcp.map_err(late)?.map_err(Broken::Connect)?;
    let path = Path::new(&["events"]).with("app", &switch.app).with("subscribeAll", "true");
    let mut request = format!("ws://{authority}{}", path.as_str()).into_client_request()?;
    request.headers_mut().insert(AUTHORIZATION, switch.ari.authorization());
    let handshake = tokio_tungstenite::client_async(request, tcp);
    let (socket, _) = timeout_at(deadline, handshake).await.map_err(late)??;
    Ok(socket)
}

/// Takes events in until the socket breaks.
async fn hear(switch: &Arc<Inner>, mut socket: WebSocketStream<TcpStream>) -> Broken {
    let mut pings = interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        let frame = tokio::select! {
            frame = socket.next() => frame,
            _ = pings.tick() => {
                if heard.elapsed() > MAX_SILENCE {
                    return Broken::Silent;
                }
                let ping = socket.send(Frame::Ping(Bytes::new()));
                match timeout(switch.ari.timeout(), ping).await {
                    Ok(Ok(())) => continue,
                    Ok(Err(error)) => return error.into(),
                    Err(_) => return Broken::Silent,
                }
            }
        };
        heard = Instant::now();
        match frame {
            Some(Ok(Frame::Text(text))) => {
                let message = Message::read(&text);
                let is_replaced = matches!(message, Message::ApplicationReplaced {});
                switch.take_in(message).await;
                if is_replaced {
                    return Broken::Replaced;
                }
                // The engine may have let us wait.
                heard = Instant::now();
            }
            Some(Ok(Frame::Close(_))) | None => return Broken::Closed,
            Some(Ok(_)) => {}
            Some(Err(error)) => return error.into(),
        }
    }
}

/// An error with its sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
