//! What happens to every request.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use futures::FutureExt as _;
use http::{Request, Response};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service as _;
use tracing::{error, info_span};

use super::body::ResponseBody;
use super::record::Record;
use super::{auth, relay};
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
    /// How many permits there are.
    pub(super) concurrency: usize,
    /// Where requests that came by a relay stream run.
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

/// The future of an answer.
type Answering = dyn Future<Output = Result<Response<ResponseBody>, Infallible>> + Send;

impl Stack {
    /// As [`Stack::handle`], for requests that come by a relay stream.
    pub(super) fn handle_boxed(self: Arc<Self>, request: Request<Body>) -> Pin<Box<Answering>> {
        Box::pin(self.handle(request))
    }

    /// Answers one request; refusals are answers.
    pub(super) async fn handle(
        self: Arc<Self>,
        request: Request<Body>,
    ) -> Result<Response<ResponseBody>, Infallible> {
        let rpc = methods::find(request.uri().path());
        let method = rpc.map_or("unknown", |rpc| rpc.name.as_str());
        let parent = request.extensions().get::<trace::Context>().copied();
        let parent = parent.or_else(|| trace::Context::from_headers(request.headers()));
        let (span, context) = trace::start(parent, |trace_id| {
            let code = tracing::field::Empty;
            info_span!("rpc", service = self.name, method, code, trace_id)
        });
        let record = Record::begin(self.name, method, span.clone(), context);

        let permit = if request.uri().path().starts_with(GRPC_OWN) {
            None
        } else if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            Some(permit)
        } else {
            return Ok(refuse(&overloaded(), record));
        };
        let stated = deadline::stated(&request);
        // The streams' requests under way are still answered when the server stops.
        let is_cut = rpc.is_some_and(|rpc| rpc.is_stream) && request.uri().path() != relay::PATH;
        let answering = Box::pin(Arc::clone(&self).answer(request, rpc, stated));
        let answer = trace::inside(span, context, answering).await;

        Ok(match answer {
            Ok(response) => {
                let stop = is_cut.then(|| self.stop.clone());
                ResponseBody::wrap(response, record, permit, stated, stop)
            }
            Err(status) => refuse(&status, record),
        })
    }

    async fn answer(
        self: Arc<Self>,
        mut request: Request<Body>,
        rpc: Option<&Rpc>,
        stated: Option<Instant>,
    ) -> Result<Response<Body>, Status> {
        auth::authenticate(self.verifier.as_ref(), rpc, &mut request).await?;
        if request.uri().path() == relay::PATH {
            return Ok(relay::serve(self, request).await);
        }

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

fn request_with(mut request: Request<Body>, limit: Option<Instant>) -> Request<Body> {
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
