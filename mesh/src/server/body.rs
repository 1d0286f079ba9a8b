//! The answer on its way out.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response};
use hyper::body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::{Code, Status};

use super::record::Record;
use super::stack::{late, panicked};
use crate::fault;

/// An answer that notes how it ended, keeps to the request's deadline, ends a stream when the
/// server stops, and turns a panic of its producer into an answer.
pub(super) struct ResponseBody {
    inner: Body,
    record: Record,
    /// Ready when the answer must end, with the status to end it with.
    cut: Option<Pin<Box<dyn Future<Output = Status> + Send>>>,
    is_over: bool,
    _permit: Option<OwnedSemaphorePermit>,
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl ResponseBody {
    pub(super) fn wrap(
        response: Response<Body>,
        mut record: Record,
        permit: Option<OwnedSemaphorePermit>,
        deadline: Option<Instant>,
        stop: Option<CancellationToken>,
    ) -> Response<Self> {
        let (head, inner) = response.into_parts();
        if let Some(code) = code_of(&head.headers) {
            record.set_code(code);
        }
        let cut = cut(deadline, stop);
        let body = Self { inner, record, cut, is_over: false, _permit: permit };
        Response::from_parts(head, body)
    }

    /// Ends the answer with a status of our own.
    fn end(&mut self, status: Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.is_over = true;
        self.record.set_code(status.code());
        // What the handler still holds is freed now and not when the peer has read the end.
        self.inner = Body::empty();
        let mut trailers = status.into_http::<()>().into_parts().0.headers;
        trailers.remove(http::header::CONTENT_TYPE);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

/// What ends an answer from outside: its deadline, or for a stream the end of the server.
fn cut(
    deadline: Option<Instant>,
    stop: Option<CancellationToken>,
) -> Option<Pin<Box<dyn Future<Output = Status> + Send>>> {
    if deadline.is_none() && stop.is_none() {
        return None;
    }
    Some(Box::pin(async move {
        let expired = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let stopped = async {
            match stop {
                Some(stop) => stop.cancelled_owned().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = expired => late(),
            () = stopped => {
                fault::own(fault::Code::Unavailable, "UNAVAILABLE", "the service is stopping")
            }
        }
    }))
}

fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()))
}

impl hyper::body::Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.is_over {
            return Poll::Ready(None);
        }
        let polled = {
            let (record, inner) = (&this.record, Pin::new(&mut this.inner));
            record.inside(|| catch_unwind(AssertUnwindSafe(|| inner.poll_frame(cx))))
        };
        match polled {
            Ok(Poll::Ready(frame)) => {
                let trailers = frame.as_ref().and_then(|it| it.as_ref().ok()?.trailers_ref());
                if let Some(code) = trailers.and_then(code_of) {
                    this.record.set_code(code);
                }
                Poll::Ready(frame)
            }
            Ok(Poll::Pending) => match this.cut.as_mut().map(|cut| cut.as_mut().poll(cx)) {
                Some(Poll::Ready(status)) => this.end(status),
                Some(Poll::Pending) | None => Poll::Pending,
            },
            Err(panic) => {
                let status = this.record.inside(|| panicked(panic.as_ref()));
                this.end(status)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
