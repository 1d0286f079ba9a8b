//! The switch's command API, `POST /v1/command`: protobuf over HTTP/2, in memory or over TCP.
//!
//! One connection for each node carries all commands. A command whose request was not sent is
//! sent once more over a new connection; one that was sent is never sent again from here, since
//! what became of it is known to the switch alone.

mod connection;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::net::{Network, Target};
use bytes::{Buf, Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use parking_lot::Mutex;
use prost::Message as _;
use proto::switch::v1::{CommandRequest, CommandResponse, Done, command_response::Outcome};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::connection::{Opened, Slot};
use super::refusal::Refusal;

/// Most bytes of an answer.
const MAX_ANSWER: usize = 4 << 20;

/// Type of requests and answers.
const CONTENT_TYPE: &str = "application/protobuf";

/// Sends commands to nodes. Clones share the connections.
#[derive(Clone, Debug)]
pub struct SwitchClient(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    network: Network,
    tasks: TaskTracker,
    stop: CancellationToken,
    slots: Mutex<HashMap<Target, Arc<Slot>>>,
}

/// Why a command has no outcome.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// It did not reach the node.
    #[error("not sent")]
    NotSent(#[source] io::Error),
    /// It was sent and no answer came.
    #[error("no answer")]
    NoAnswer,
    /// The answer is none.
    #[error("bad answer: {0}")]
    Bad(String),
}

impl SwitchClient {
    /// A client whose connections run on `tasks` until `stop`.
    #[must_use]
    pub fn new(network: Network, tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self(Arc::new(Shared { network, tasks, stop, slots: Mutex::default() }))
    }

    /// Has the node do it; waits for its answer until `deadline`.
    ///
    /// # Errors
    /// The engine's refusal, or what came between.
    pub(super) async fn send(
        &self,
        target: &Target,
        command: &CommandRequest,
        deadline: Instant,
    ) -> Result<Result<Done, Refusal>, SendError> {
        let body = Bytes::from(command.encode_to_vec());
        let answer = self.post(target, body, deadline).await?;
        let answer =
            timeout_at(deadline, read(answer)).await.map_err(|_late| SendError::NoAnswer)??;
        decode_outcome(answer)
    }

    async fn post(
        &self,
        target: &Target,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Response<Incoming>, SendError> {
        let mut message = request(target, body).map_err(SendError::NotSent)?;
        let slot = self.slot(target);
        let mut broken: Option<io::Error> = None;
        for _ in 0..2 {
            let opening = slot.open(&self.0.network, target, &self.0.tasks, &self.0.stop);
            let opened = timeout_at(deadline, opening)
                .await
                .map_err(|_late| SendError::NotSent(io::ErrorKind::TimedOut.into()))?;
            let Opened { mut sender, number } = opened.map_err(SendError::NotSent)?;
            let sending = sender.try_send_request(message);
            match timeout_at(deadline, sending).await.map_err(|_late| SendError::NoAnswer)? {
                Ok(answer) => return Ok(answer),
                Err(mut error) => {
                    slot.discard(number);
                    match error.take_message() {
                        Some(unsent) => message = unsent,
                        None => return Err(SendError::NoAnswer),
                    }
                    broken = Some(io::Error::other(error.into_error()));
                }
            }
        }
        Err(SendError::NotSent(broken.unwrap_or_else(|| io::ErrorKind::NotConnected.into())))
    }

    /// True when the node's command API gives any answer to `GET /v1/health` within `patience`,
    /// over a connection made for it.
    pub async fn answers(&self, target: &Target, patience: Duration) -> bool {
        let asking = async {
            let slot = Slot::default();
            let opened = slot.open(&self.0.network, target, &self.0.tasks, &self.0.stop).await;
            let mut opened = opened.ok()?;
            let request = Request::builder().uri(uri(target, "/v1/health"));
            let request = request.body(Full::default()).ok()?;
            opened.sender.send_request(request).await.ok()
        };
        timeout(patience, asking).await.is_ok_and(|answer| answer.is_some())
    }

    fn slot(&self, target: &Target) -> Arc<Slot> {
        let mut slots = self.0.slots.lock();
        // Nodes come and go under new addresses; what nobody is connected to is forgotten.
        slots
            .retain(|known, slot| known == target || slot.is_open() || Arc::strong_count(slot) > 1);
        Arc::clone(slots.entry(target.clone()).or_default())
    }
}

/// Reads the outcome of a command.
///
/// # Errors
/// `Bad` when it is none.
pub(super) fn decode_outcome(answer: impl Buf) -> Result<Result<Done, Refusal>, SendError> {
    let answer =
        CommandResponse::decode(answer).map_err(|error| SendError::Bad(error.to_string()))?;
    match answer.outcome {
        Some(Outcome::Done(done)) => Ok(Ok(done)),
        Some(Outcome::Fault(fault)) => Ok(Err(Refusal::of_engine(fault))),
        None => Err(SendError::Bad("nothing".to_owned())),
    }
}

/// Writes the outcome of a command as [`decode_outcome`] reads it; `None` for one that may still
/// change.
pub(super) fn encode_outcome(outcome: &Result<Done, Refusal>) -> Option<Vec<u8>> {
    let outcome = match outcome {
        Ok(done) => Outcome::Done(done.clone()),
        Err(refusal) => Outcome::Fault(refusal.final_fault()?),
    };
    Some(CommandResponse { outcome: Some(outcome) }.encode_to_vec())
}

fn request(target: &Target, body: Bytes) -> io::Result<Request<Full<Bytes>>> {
    Request::builder()
        .method(Method::POST)
        .uri(uri(target, "/v1/command"))
        .header(header::CONTENT_TYPE, CONTENT_TYPE)
        .body(Full::new(body))
        .map_err(io::Error::other)
}

fn uri(target: &Target, path: &str) -> String {
    match target {
        Target::Tcp { .. } => format!("{target}{path}"),
        Target::Memory(_) => format!("http://switch{path}"),
    }
}

async fn read(answer: Response<Incoming>) -> Result<BytesMut, SendError> {
    match answer.status() {
        StatusCode::OK => {}
        // Said before the command is looked at.
        status @ (StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) => {
            return Err(SendError::NotSent(io::Error::other(format!("status {status}"))));
        }
        status => return Err(SendError::Bad(format!("status {status}"))),
    }
    let mut body = Limited::new(answer.into_body(), MAX_ANSWER);
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                SendError::Bad("too much".to_owned())
            } else {
                SendError::NoAnswer
            }
        })?;
        if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}
