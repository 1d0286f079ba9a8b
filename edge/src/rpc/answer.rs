//! Answers frames: runs the requests, writes the results.

use std::sync::Arc;

use futures::future::join_all;
use mesh::trace;
use proto::api::{self, Method};
use tracing::field::Empty;
use tracing::info_span;

use super::envelope::{self, Frame as Incoming, Problem, Refused, Request};
use super::{After, Fault, Origin, Outcome, check};
use crate::edge::Edge;
use crate::socket::Socket;
use crate::socket::close::Reason;
use crate::wire::frame::TextFrame;

/// An answer that is written, and what follows when it is sent.
#[derive(Debug)]
struct Answer {
    /// Empty for a notification.
    json: Vec<u8>,
    after: After,
}

/// Reads a frame of a socket and sends what is to be answered.
pub(crate) async fn socket_frame(edge: &Arc<Edge>, socket: &Arc<Socket>, text: &str) {
    let origin = Origin::Socket(Arc::clone(socket));
    match envelope::read(text, edge.config.max_batch) {
        Incoming::Single(request) => {
            let answer = answer(edge, &origin, request).await;
            let mut frame = TextFrame::with_capacity(answer.json.len());
            frame.payload().extend_from_slice(&answer.json);
            send(edge, socket, frame, vec![answer]);
        }
        Incoming::Batch(requests) => {
            let answers =
                join_all(requests.into_iter().map(|request| answer(edge, &origin, request))).await;
            let mut frame = TextFrame::with_capacity(1024);
            let mut separator = b'[';
            for answer in answers.iter().filter(|answer| !answer.json.is_empty()) {
                frame.payload().push(separator);
                frame.payload().extend_from_slice(&answer.json);
                separator = b',';
            }
            if separator == b',' {
                frame.payload().push(b']');
            }
            send(edge, socket, frame, answers);
        }
        Incoming::Refused(problem) => {
            edge.metrics.refused(origin.label());
            let fault = fault_of(&problem);
            let mut frame = TextFrame::with_capacity(256);
            write_fault("null", &fault, &trace::Context::root().trace_id(), frame.payload());
            socket.send(frame.finish());
        }
    }
}

/// Sends the frame, and only then what follows the answers.
fn send(edge: &Arc<Edge>, socket: &Arc<Socket>, frame: TextFrame, answers: Vec<Answer>) {
    if !frame.is_empty() {
        socket.send(frame.finish());
    }
    for answer in answers {
        match answer.after {
            After::Activate(activation) => edge.live.activate(activation),
            After::CloseRevoked => edge.close(socket, Reason::Revoked),
            After::Nothing | After::SetCookie { .. } => {}
        }
    }
}

async fn answer(
    edge: &Arc<Edge>,
    origin: &Origin,
    request: Result<Request<'_>, Refused<'_>>,
) -> Answer {
    let request = match request {
        Ok(request) => request,
        Err(Refused { id, problem }) => {
            edge.metrics.refused(origin.label());
            let mut json = Vec::with_capacity(256);
            let trace_id = trace::Context::root().trace_id();
            write_fault(id.unwrap_or("null"), &fault_of(&problem), &trace_id, &mut json);
            return Answer { json, after: After::Nothing };
        }
    };
    let Some(method) = api::method(&request.method) else {
        edge.metrics.refused(origin.label());
        let fault = Fault::no_such_method(&request.method);
        let mut json = Vec::new();
        if let Some(id) = request.id {
            write_fault(id, &fault, &trace::Context::root().trace_id(), &mut json);
        }
        return Answer { json, after: After::Nothing };
    };
    let session = origin.socket().and_then(|socket| socket.session());
    let checked = check::run(edge, origin, Ok(session), method, &request.params);
    let (outcome, trace_id) = in_span(edge, origin, method, None, checked).await;
    let mut json = Vec::new();
    match outcome {
        Ok(Outcome { result, after }) => {
            if let Some(id) = request.id {
                json.reserve(result.len() + id.len() + 40);
                json.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
                json.extend_from_slice(id.as_bytes());
                json.extend_from_slice(b",\"result\":");
                json.extend_from_slice(&result);
                json.push(b'}');
            }
            Answer { json, after }
        }
        Err(fault) => {
            if let Some(id) = request.id {
                write_fault(id, &fault, &trace_id, &mut json);
            }
            Answer { json, after: After::Nothing }
        }
    }
}

/// Runs one request in a span of its own, counts it, and returns its trace id if it failed.
pub(crate) async fn in_span(
    edge: &Edge,
    origin: &Origin,
    method: &'static Method,
    parent: Option<trace::Context>,
    request: impl Future<Output = Result<Outcome, Fault>>,
) -> (Result<Outcome, Fault>, String) {
    let span = info_span!(
        "request",
        method = method.name,
        transport = origin.label(),
        trace_id = Empty,
        code = Empty
    );
    let timer = edge.metrics.request(method.name, origin.label());
    let outcome = trace::in_span(span, parent, async {
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

fn write_fault(id: &str, fault: &Fault, trace_id: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(b",\"error\":");
    fault.write(trace_id, out);
    out.push(b'}');
}
