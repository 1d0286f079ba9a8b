//! Answers frames: runs the requests, writes the results.

use std::sync::Arc;

use futures::future::join_all;
use mesh::trace;
use proto::api::{self, Method};
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::info_span;

use super::envelope::{self, Frame as Incoming, Problem, Refused, Request};
use super::{After, Fault, Origin, Outcome, check};
use crate::edge::Edge;
use crate::limit::Verdict;
use crate::metrics;
use crate::socket::Socket;
use crate::socket::close::Reason;
use crate::wire::frame::TextFrame;

/// Reads a frame of a socket and sends what is to be answered.
pub(crate) async fn socket_frame(edge: &Arc<Edge>, socket: &Arc<Socket>, text: &str) {
    let origin = Origin::Socket(Arc::clone(socket));
    match envelope::read(text, edge.config.max_batch) {
        Incoming::Single(request) => {
            let mut frame = TextFrame::with_capacity(512);
            let after = answer(edge, &origin, socket, request, frame.payload()).await;
            send(edge, socket, frame, [after]);
        }
        Incoming::Batch(requests) => {
            let answers = join_all(requests.into_iter().map(async |request| {
                let mut json = Vec::new();
                let after = answer(edge, &origin, socket, request, &mut json).await;
                (json, after)
            }));
            let answers = answers.await;
            let mut frame = TextFrame::with_capacity(1024);
            let mut separator = b'[';
            for (json, _) in answers.iter().filter(|(json, _)| !json.is_empty()) {
                frame.payload().push(separator);
                frame.payload().extend_from_slice(json);
                separator = b',';
            }
            if separator == b',' {
                frame.payload().push(b']');
            }
            send(edge, socket, frame, answers.into_iter().map(|(_, after)| after));
        }
        Incoming::Refused(problem) => {
            let mut frame = TextFrame::with_capacity(256);
            refuse(edge, socket, Some("null"), &fault_of(&problem), frame.payload());
            socket.send(frame.finish());
        }
    }
}

/// Sends the frame, and only then what follows the answers.
fn send(
    edge: &Arc<Edge>,
    socket: &Arc<Socket>,
    frame: TextFrame,
    afters: impl IntoIterator<Item = After>,
) {
    if !frame.is_empty() {
        socket.send(frame.finish());
    }
    for after in afters {
        match after {
            After::Activate(activation) => edge.live.activate(activation),
            After::CloseRevoked => socket.close(Reason::Revoked),
            After::Nothing | After::SetCookie { .. } => {}
        }
    }
}

/// Answers one request; nothing is written for a notification.
async fn answer(
    edge: &Arc<Edge>,
    origin: &Origin,
    socket: &Arc<Socket>,
    request: Result<Request<'_>, Refused<'_>>,
    out: &mut Vec<u8>,
) -> After {
    let Request { id, method: name, params } = match request {
        Ok(request) => request,
        Err(Refused { id, problem }) => {
            refuse(edge, socket, id.or(Some("null")), &fault_of(&problem), out);
            return After::Nothing;
        }
    };
    let Some(method) = api::method(&name) else {
        refuse(edge, socket, id, &Fault::no_such_method(&name), out);
        return After::Nothing;
    };
    // The generation first: a session that comes in between must not be taken for this one.
    let generation = socket.generation();
    let given = Ok(socket.session());
    let checked = check::run(edge, origin, given, generation, method, &params);
    let (outcome, trace_id) = in_span(origin, method, None, checked).await;
    match outcome {
        Ok(Outcome { result, after }) => {
            if let Some(id) = id {
                write_begin(id, out);
                out.extend_from_slice(b",\"result\":");
                out.extend_from_slice(&result);
                out.push(b'}');
            }
            after
        }
        Err(fault) => {
            if let Some(id) = id {
                write_fault(id, &fault, &trace_id, out);
            }
            After::Nothing
        }
    }
}

/// Refuses what is no request of any method. It counts as a request all the same.
fn refuse(edge: &Edge, socket: &Socket, id: Option<&str>, fault: &Fault, out: &mut Vec<u8>) {
    metrics::refused("websocket");
    if socket.take(Instant::now(), edge.rate()) == Verdict::Abusive {
        socket.close(Reason::Abusive);
    }
    if let Some(id) = id {
        write_fault(id, fault, &trace::Context::root().trace_id(), out);
    }
}

/// Runs one request in a span of its own, counts it, and returns its trace id if it failed.
pub(crate) async fn in_span(
    origin: &Origin,
    method: &'static Method,
    parent: Option<trace::Context>,
    request: impl Future<Output = Result<Outcome, Fault>>,
) -> (Result<Outcome, Fault>, String) {
    let (span, context) = trace::start(parent, |trace_id| {
        info_span!(
            "request",
            method = method.name,
            transport = origin.label(),
            trace_id,
            code = Empty
        )
    });
    let timer = metrics::request(method.canonical, origin.label());
    let outcome = trace::inside(span, context, async {
        let outcome = request.await;
        match outcome {
            Ok(outcome) => (Ok(outcome), String::new()),
            Err(fault) => {
                tracing::Span::current().record("code", fault.code);
                (Err(fault), trace::current_trace_id())
            }
        }
    });
    // On the heap: the futures of a batch are many.
    let (outcome, trace_id) = Box::pin(outcome).await;
    timer.finish(outcome.as_ref().err().map_or(0, |fault| fault.code));
    (outcome, trace_id)
}

fn fault_of(problem: &Problem) -> Fault {
    match problem {
        Problem::NotJson => Fault::not_json(),
        Problem::NotARequest(why) => Fault::not_a_request(why),
    }
}

fn write_begin(id: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id.as_bytes());
}

fn write_fault(id: &str, fault: &Fault, trace_id: &str, out: &mut Vec<u8>) {
    write_begin(id, out);
    out.extend_from_slice(b",\"error\":");
    fault.write(trace_id, out);
    out.push(b'}');
}
