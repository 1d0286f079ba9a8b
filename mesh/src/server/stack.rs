//! What happens to every request.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service as _;
use tracing::{error, info_span};

use super::auth;
use super::body::ResponseBody;
use super::record::Record;
use crate::deadline::{self, Deadline};
use crate::fault::{self, Code};
use crate::methods::{self, Rpc};
use crate::token::Verifier;
use crate::trace;

/// Path of the services that are answered under any load and to anybody.
const GRPC_OWN: &str = "/grpc.";

/// What every request passes through.
pub(super) struct Stack {
    pub(super) name: &'static str,
    pub(super) routes: Routes,
    pub(super) verifier: Option<Verifier>,
    pub(super) permits: Arc<Semaphore>,
    pub(super) stop: CancellationToken,
}

impl Stack {
    /// Answers one request; refusals are answers.
    pub(super) async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<ResponseBody>, Infallible> {
        let rpc = methods::find(request.uri().path());
        let method = rpc.map_or("unknown", |rpc| rpc.name.as_str());
        let span = info_span!(
            "rpc",
            service = self.name,
            method,
            code = tracing::field::Empty,
            trace_id = tracing::field::Empty,
        );
        let context = trace::begin(&span, trace::Context::from_headers(request.headers()));
        let record = Record::begin(self.name, method, span.clone(), context);

        let permit = if request.uri().path().starts_with(GRPC_OWN) {
            None
        } else if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            Some(permit)
        } else {
            return Ok(refuse(&overloaded(), record));
        };
        let stated = deadline::from_headers(request.headers());
        let answering = Box::pin(self.answer(request, rpc, stated));
        let answer = trace::inside(span, context, answering).await;

        Ok(match answer {
            Ok(response) => {
                let stop = rpc.is_some_and(|rpc| rpc.is_stream).then(|| self.stop.clone());
                ResponseBody::wrap(response, record, permit, stated, stop)
            }
            Err(status) => refuse(&status, record),
        })
    }

    async fn answer(
        &self,
        mut request: Request<Incoming>,
        rpc: Option<&Rpc>,
        stated: Option<Instant>,
    ) -> Result<Response<Body>, Status> {
        auth::authenticate(self.verifier.as_ref(), rpc, &mut request).await?;

        let is_stream = rpc.is_some_and(|rpc| rpc.is_stream);
        // A stream lasts until one side ends it, unless its caller said otherwise.
        let limit = match stated {
            None if is_stream => None,
            stated => Some(stated.unwrap_or_else(|| Instant::now() + deadline::DEFAULT)),
        };
        let handling = AssertUnwindSafe(self.routes.clone().call(request_with(request, limit)));
        let handling = handling.catch_unwind();
        let outcome = match limit {
            Some(limit) => timeout_at(limit, deadline::scope(limit, handling))
                .await
                .map_err(|_elapsed| late())?,
            None => handling.await,
        };
        match outcome {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(never)) => match never {},
            Err(panic) => Err(panicked(panic.as_ref())),
        }
    }
}

fn request_with(mut request: Request<Incoming>, limit: Option<Instant>) -> Request<Incoming> {
    if let Some(limit) = limit {
        request.extensions_mut().insert(Deadline(limit));
    }
    request
}

fn refuse(status: &Status, record: Record) -> Response<ResponseBody> {
    let (head, ()) = status.clone().into_http::<()>().into_parts();
    let response = Response::from_parts(head, Body::empty());
    ResponseBody::wrap(response, record, None, None, None)
}

pub(super) fn late() -> Status {
    fault::own(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "no answer in time")
}

fn overloaded() -> Status {
    fault::own(Code::ResourceExhausted, "LIMIT_REACHED", "too many requests at the same time")
}

/// Logs a panic and makes an answer of it.
pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> Status {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    error!(message, "handler panicked");
    fault::own(Code::Internal, "INTERNAL", "internal error")
}
