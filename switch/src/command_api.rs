//! The switch's command API over HTTP: `POST /v1/command` with a `CommandRequest` in the body,
//! answered by a `CommandResponse`, both as protobuf; `GET /v1/health`.

mod media;
mod recordings;

use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use mesh::Clock;
use mesh::net::Listener;
use prost::Message as _;
use proto::switch::v1 as pb;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::engine::{Engine, Rejection};
use crate::{metrics, wire};

/// Bytes that a command may have.
const MAX_COMMAND_BYTES: usize = 64 * 1024;

/// Serves the command API until `stop`, and then finishes what it began.
pub(crate) async fn serve(
    engine: Engine,
    clock: Clock,
    mut listener: Listener,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let connection = match accepted {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "connection was not accepted");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        let engine = engine.clone();
        let clock = clock.clone();
        let stop = stop.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let (engine, clock) = (engine.clone(), clock.clone());
                async move { Ok::<_, Infallible>(handle(&engine, &clock, request).await) }
            });
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder.http1().timer(TokioTimer::new());
            let serving = builder.serve_connection(TokioIo::new(connection), service);
            tokio::pin!(serving);
            let outcome = tokio::select! {
                outcome = serving.as_mut() => outcome,
                () = stop.cancelled() => {
                    serving.as_mut().graceful_shutdown();
                    serving.await
                }
            };
            if let Err(error) = outcome {
                tracing::debug!(error, "connection ended");
            }
        });
    }
    connections.close();
    connections.wait().await;
}

async fn handle(
    engine: &Engine,
    clock: &Clock,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/v1/health") => plain(StatusCode::OK, "ok"),
        (&Method::POST, "/v1/command") => {
            let body = Limited::new(request.into_body(), MAX_COMMAND_BYTES).collect().await;
            match body {
                Ok(body) => command(engine, clock, body.to_bytes()).await,
                Err(_) => plain(StatusCode::PAYLOAD_TOO_LARGE, "the command is above 64 KiB"),
            }
        }
        (_, "/v1/health" | "/v1/command") => {
            plain(StatusCode::METHOD_NOT_ALLOWED, "GET /v1/health or POST /v1/command")
        }
        _ => plain(StatusCode::NOT_FOUND, "GET /v1/health or POST /v1/command"),
    }
}

async fn command(engine: &Engine, clock: &Clock, body: Bytes) -> Response<Full<Bytes>> {
    let began = Instant::now();
    let Ok(request) = pb::CommandRequest::decode(body) else {
        metrics::COMMANDS_UNKNOWN.add(1, []);
        return plain(StatusCode::BAD_REQUEST, "the body is no CommandRequest");
    };
    let parent = request.traceparent.parse::<mesh::trace::Context>().ok();
    let span = tracing::info_span!(
        "switch command",
        method = request.caller.as_ref().map_or("", |caller| caller.method.as_str()),
        trace_id = tracing::field::Empty
    );
    let context = mesh::trace::begin(&span, parent);
    let named = request.caller.as_ref().and_then(|caller| proto::api::method(&caller.method));
    let carried = mesh::trace::scope(context, carry_out(engine, clock, request));
    let outcome = carried.instrument(span).await;
    match named {
        Some(method) => {
            let code = outcome.as_ref().err().map_or(0, |fault| fault.code);
            metrics::COMMAND_DURATION.record(began.elapsed(), [method.canonical]);
            let outcome = metrics::outcome(tonic::Code::from_i32(code));
            metrics::COMMANDS.add(1, [method.canonical, outcome]);
        }
        None => metrics::COMMANDS_UNKNOWN.add(1, []),
    }
    answer(outcome)
}

async fn carry_out(
    engine: &Engine,
    clock: &Clock,
    request: pb::CommandRequest,
) -> Result<pb::Done, pb::Fault> {
    let too_late = |what: &str| {
        wire::fault_of(tonic::Code::DeadlineExceeded, "DEADLINE_EXCEEDED", what.to_owned())
    };
    let deadline = mesh::clock::Timestamp::from_micros(request.deadline_us);
    if deadline <= clock.now() {
        return Err(too_late("the command came after its deadline; nothing was done"));
    }
    let at = clock.instant_of(deadline);
    let place = engine.place();
    if let Some(answer) = recordings::answer(engine.recordings(), &request).await {
        return answer;
    }
    let looking = media::of(engine.audio(), &request);
    let media = tokio::time::timeout_at(at, looking).await.unwrap_or_else(|_| {
        Err(too_late("what is to be played was not found in time; nothing was done"))
    })?;
    let (command, owner) = wire::command(request, media).map_err(|malformed| {
        wire::fault_of(tonic::Code::InvalidArgument, "INVALID_PARAM", malformed.to_string())
    })?;
    let traceparent = mesh::trace::traceparent_of_current_span();
    let outcome = tokio::time::timeout_at(at, engine.command(command, owner, traceparent)).await;
    match outcome {
        Err(_) => Err(too_late("no outcome in time")),
        Ok(Err(rejection)) => Err(rejected(&rejection)),
        Ok(Ok(Err(refusal))) => Err(wire::fault(&refusal)),
        Ok(Ok(Ok(done))) => Ok(pb::Done {
            legs: done.legs.iter().map(|view| wire::call_info(view, &place.site)).collect(),
            tracking_id: done.tracking.as_ref().map(|(new, _)| new.clone()),
            previous_tracking_id: done.tracking.map(|(_, previous)| previous),
            slot: done.slot,
            conference: done.conference.map(|view| wire::conference::conference(&view)),
            participant: done.participant.map(|view| wire::conference::participant(&view)),
            ..pb::Done::default()
        }),
    }
}

fn rejected(rejection: &Rejection) -> pb::Fault {
    let message = rejection.to_string();
    match rejection {
        Rejection::Refused(refusal) => wire::fault(refusal),
        Rejection::Busy => {
            let mut fault = wire::fault_of(tonic::Code::ResourceExhausted, "BUSY", message);
            fault.metadata.insert("retry_after_ms".to_owned(), "100".to_owned());
            fault
        }
        Rejection::Stopping => wire::fault_of(tonic::Code::Unavailable, "SWITCH_STOPPING", message),
        Rejection::Elsewhere(node) => {
            let mut fault = wire::fault_of(tonic::Code::Unavailable, "WRONG_NODE", message);
            fault.metadata.insert("node".to_owned(), node.clone());
            fault
        }
    }
}

fn answer(outcome: Result<pb::Done, pb::Fault>) -> Response<Full<Bytes>> {
    let outcome = match outcome {
        Ok(done) => pb::command_response::Outcome::Done(done),
        Err(fault) => pb::command_response::Outcome::Fault(fault),
    };
    let body = pb::CommandResponse { outcome: Some(outcome) }.encode_to_vec();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    let protobuf = header::HeaderValue::from_static("application/protobuf");
    response.headers_mut().insert(header::CONTENT_TYPE, protobuf);
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
}
