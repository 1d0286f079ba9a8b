//! The answer's bytes, no longer than the deadline.

use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

use super::call::{self, Kind};
use super::endpoint::Pending;

/// The answer of a [`super::Pool`]: ends with `DEADLINE_EXCEEDED` at the deadline. The request
/// counts as under way until it is dropped.
pub struct ResponseBody {
    incoming: Incoming,
    deadline: Option<Pin<Box<Sleep>>>,
    pending: Pending,
    kind: Kind,
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl ResponseBody {
    pub(super) fn new(
        incoming: Incoming,
        pending: Pending,
        limit: Option<Instant>,
        kind: Kind,
    ) -> Self {
        Self { incoming, deadline: limit.map(|limit| Box::pin(sleep_until(limit))), pending, kind }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            let broken = |error| call::broken(self.pending.service(), self.kind, &error);
            return Poll::Ready(frame.map(|frame| frame.map_err(broken)));
        }
        match self.deadline.as_mut().map(|deadline| deadline.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Some(Err(call::late(self.pending.service())))),
            Some(Poll::Pending) | None => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
