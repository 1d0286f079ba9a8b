//! A switch node's command API that notes what it is asked and answers as it is told.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use mesh::net::Network;
use parking_lot::Mutex;
use prost::Message as _;
use proto::call::v1::{CallInfo, CallRef};
use proto::switch::v1::command_request::Command;
use proto::switch::v1::command_response::Outcome;
use proto::switch::v1::{CommandRequest, CommandResponse, Done, Fault};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How a node answers.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// It does it, and remembers the outcome by `command_id`.
    Do,
    /// It refuses.
    Refuse(tonic::Code, &'static str),
    /// It never answers.
    Silence,
    /// It answers with a bare status.
    Status(u16),
}

/// A node.
#[derive(Clone, Debug)]
pub(crate) struct Switch {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    reply: Mutex<Reply>,
    asked: Mutex<Vec<CommandRequest>>,
    outcomes: Mutex<HashMap<String, Done>>,
    connections: AtomicUsize,
    stop: CancellationToken,
}

impl Switch {
    pub(crate) fn start(network: &Network, node: &str, tasks: &TaskTracker) -> Self {
        let state = Arc::new(State {
            reply: Mutex::new(Reply::Do),
            asked: Mutex::default(),
            outcomes: Mutex::default(),
            connections: AtomicUsize::new(0),
            stop: CancellationToken::new(),
        });
        let mut listener = network.listen_memory(format!("switch-{node}"));
        let (accepting, connections) = (Arc::clone(&state), tasks.clone());
        tasks.spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = accepting.stop.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                let state = Arc::clone(&accepting);
                state.connections.fetch_add(1, Ordering::Relaxed);
                connections.spawn(async move {
                    let stop = state.stop.clone();
                    let service = service_fn(move |request| answer(Arc::clone(&state), request));
                    let server = Builder::new(TokioExecutor::new());
                    let connection = TokioIo::new(accepted.unwrap());
                    tokio::select! {
                        () = stop.cancelled() => {}
                        ended = server.serve_connection(connection, service) => drop(ended),
                    }
                });
            }
        });
        Self { state }
    }

    /// From now on it answers so.
    pub(crate) fn reply(&self, reply: Reply) {
        *self.state.reply.lock() = reply;
    }

    /// What it was asked, and forgets it.
    pub(crate) fn asked(&self) -> Vec<CommandRequest> {
        std::mem::take(&mut self.state.asked.lock())
    }

    /// What it was asked last.
    pub(crate) fn last(&self) -> CommandRequest {
        self.state.asked.lock().last().cloned().unwrap()
    }

    /// Commands that it has done.
    pub(crate) fn done(&self) -> usize {
        self.state.outcomes.lock().len()
    }

    /// Connections that it has accepted.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Accepts nothing more and breaks the connections that there are.
    pub(crate) fn stop(&self) {
        self.state.stop.cancel();
    }
}

async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!(request.uri().path(), "/v1/command");
    assert_eq!(request.headers()["content-type"], "application/protobuf");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let command = CommandRequest::decode(body).unwrap();
    state.asked.lock().push(command.clone());
    let reply = state.reply.lock().clone();
    let outcome = match reply {
        Reply::Do => Outcome::Done(state.act(&command)),
        Reply::Refuse(code, reason) => Outcome::Fault(Fault {
            code: code as i32,
            reason: reason.to_owned(),
            message: "refused".to_owned(),
            metadata: [("state".to_owned(), "ringing".to_owned())].into(),
        }),
        Reply::Silence => {
            state.act(&command);
            std::future::pending().await
        }
        Reply::Status(status) => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            return Ok(response);
        }
    };
    let body = CommandResponse { outcome: Some(outcome) }.encode_to_vec();
    Ok(Response::new(Full::new(body.into())))
}

impl State {
    /// The first outcome of the command, as the engine keeps it.
    fn act(&self, command: &CommandRequest) -> Done {
        let mut outcomes = self.outcomes.lock();
        let done = outcomes
            .entry(command.command_id.clone())
            .or_insert_with(|| done(command.command.as_ref().unwrap()));
        done.clone()
    }
}

fn done(command: &Command) -> Done {
    let legs = |legs| Done { legs, ..Done::default() };
    match command {
        Command::OriginateCall(originate) => legs(vec![leg(&originate.call_id, "a")]),
        Command::OriginateAdvancedCall(originate) => legs(vec![leg(&originate.call_id, "a")]),
        Command::GetCall(get) => {
            let id = &get.call.as_ref().unwrap().id;
            legs(vec![leg(id, "a"), leg(id, "b")])
        }
        Command::TransferCall(_) => Done {
            tracking_id: Some("t2".to_owned()),
            previous_tracking_id: Some("t1".to_owned()),
            ..Done::default()
        },
        Command::ParkCall(park) => Done {
            slot: Some(park.slot.clone().unwrap_or_else(|| "1".to_owned())),
            ..Done::default()
        },
        _ => Done::default(),
    }
}

fn leg(id: &str, tag: &str) -> CallInfo {
    CallInfo {
        call: Some(CallRef { id: id.to_owned(), tag: Some(tag.to_owned()) }),
        tracking_id: "t1".to_owned(),
        ..CallInfo::default()
    }
}
